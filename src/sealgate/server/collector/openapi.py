"""``python -m sealgate.server.collector.openapi > schema/openapi-collector.json`` writes the published copy."""

import json
import sys
from typing import Final

from sealgate.server.openapi import document

from .routes import ROUTES

_DESCRIPTION: Final = (
    "Takes captured items in batches: validates, redacts and routes each, and answers once an authority has them on "
    "stable storage. A bad item is refused by itself. 429 and 503 mean: send the same batch again after `Retry-After`; "
    "it counts once."
)


def document_bytes() -> bytes:
    """Return the document as it is served and published."""
    content = document(ROUTES, "Sealgate collector", _DESCRIPTION)
    return json.dumps(content, indent=1, sort_keys=True, ensure_ascii=False).encode() + b"\n"


if __name__ == "__main__":
    sys.stdout.buffer.write(document_bytes())
