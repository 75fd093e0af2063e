"""``python -m sealgate.server.evidence.openapi > schema/openapi-evidence.json`` writes the published copy."""

import json
import sys
from typing import Final

from sealgate.server.openapi import document

from .routes import ROUTES

_DESCRIPTION: Final = (
    "Answers questions about recorded evidence. Every read, refused read and export is itself a record that is durable "
    "before the answer leaves; without the authority nothing is answered. What a role may not see is left out, and the "
    "answer's `access` says so."
)


def document_bytes() -> bytes:
    """Return the document as it is served and published."""
    content = document(ROUTES, "Sealgate evidence", _DESCRIPTION)
    return json.dumps(content, indent=1, sort_keys=True, ensure_ascii=False).encode() + b"\n"


if __name__ == "__main__":
    sys.stdout.buffer.write(document_bytes())
