"""A record's body: strict form, and the few members that the verifier acts on."""

import base64
import re
from typing import Any, Final

from ..encoding import canonical
from ..model.errors import EncodingError
from ..proofs import notes
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
    record = canonical.decode(body)
    if not isinstance(record, dict):
        raise EncodingError("body is not an object")
    kind, record_id = record.get("kind"), record.get("record_id")
    if not isinstance(kind, str) or not _KIND.fullmatch(kind):
        raise EncodingError("body has no kind")
    if not isinstance(record_id, str) or not _RECORD_ID.fullmatch(record_id):
        raise EncodingError("body has no record id")
    return record


def is_root_signed(record: dict[str, Any], root_key: bytes) -> bool:
    """Tell whether the root key signed a key event or genesis: over all of it without ``root_signature``."""
    signature = record.get("root_signature")
    if not isinstance(signature, str):
        return False
    unsigned = {name: value for name, value in record.items() if name != "root_signature"}
    return is_signed(root_key, canonical.encode(unsigned), notes.decode_base64(signature, "root signature"))


def encode_base64(data: bytes) -> str:
    """Return standard base64."""
    return base64.b64encode(data).decode()
