"""A record's body: strict form, and the few members that the verifier acts on."""

import base64
import re
from typing import Any, Final

from ..encoding import canonical
from ..model.errors import AlteredError, EncodingError
from ..proofs import notes
from ..proofs.key_events import endorsed_bytes
from ..proofs.keys import is_signed

AUTHORITY: Final = "urn:sealgate:authority"
"""The subject of the authority's own records; only these may speak of keys, gaps and expiry."""

_KIND: Final = re.compile(r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)*", re.ASCII)
_RECORD_ID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)


def check_body(body: bytes) -> dict[str, Any]:
    """Return the record of canonical body bytes; that they are the sealed ones is the caller's to check.

    Raises:
        EncodingError: not canonical, not an object, or without a kind and a record id.
    """
    record = canonical.decode_body(body)
    if not isinstance(record, dict):
        raise EncodingError("body is not an object")
    kind, record_id = record.get("kind"), record.get("record_id")
    if not isinstance(kind, str) or not _KIND.fullmatch(kind):
        raise EncodingError("body has no kind")
    if not isinstance(record_id, str) or not _RECORD_ID.fullmatch(record_id):
        raise EncodingError("body has no record id")
    return record


def require_endorsed(record: dict[str, Any], root_key: bytes, origin: str, index: int) -> None:
    """Return only if the root key endorsed a key event or genesis of this log; see ``proofs.key_events``.

    Raises:
        AlteredError: it did not, or the event belongs to another log.
        EncodingError: the event lacks a claim, or its signature is not base64.
    """
    signature = record.get("root_signature")
    if not isinstance(signature, str) or not is_signed(
        root_key, endorsed_bytes(record), notes.decode_base64(signature, "root signature")
    ):
        raise AlteredError(f"{record['kind']} at index {index} is not endorsed by the root key", index=index)
    if record["origin"] != origin:
        raise AlteredError(f"{record['kind']} at index {index} belongs to another log", index=index)


def encode_base64(data: bytes) -> str:
    """Return standard base64."""
    return base64.b64encode(data).decode()
