"""Makes the members of key events, endorsed by the root key. The recorder adds what every record has. Pure."""

from collections.abc import Callable
from typing import Final

from sealgate.encoding import canonical
from sealgate.encoding.statement import key_id
from sealgate.proofs import key_events
from sealgate.proofs.key_events import ADDED, ALGORITHM, GENESIS, RETIRED, REVOKED, base64_of

Members = dict[str, canonical.Json]
"""The members of a body that a key event brings, ``kind`` and ``root_signature`` included."""

Sign = Callable[[bytes], bytes]
"""Signs with the root key."""

_CHANGES: Final = frozenset({ADDED, RETIRED, REVOKED})


def genesis(
    *,
    origin: str,
    authority_id: str,
    log_key: str,
    root_key: bytes,
    statement_key: bytes,
    receipt_key: bytes,
    predecessor: str | None,
    sign: Sign,
) -> Members:
    """Return the first record's members. ``log_key`` is a vkey; ``predecessor`` the closed shard's checkpoint."""
    claims: Members = {
        "kind": GENESIS,
        "origin": origin,
        "authority_id": authority_id,
        "log_key": log_key,
        "root_key": base64_of(root_key),
        "statement_key": base64_of(statement_key),
        "receipt_key": base64_of(receipt_key),
        "predecessor": predecessor,
    }
    return _endorsed(claims, sign)


def secret_changed(kind: str, *, origin: str, purpose: str, kid: bytes, sign: Sign) -> Members:
    """Return the members of the same three events for a key that is secret altogether: it is named by its id only."""
    if kind not in _CHANGES:
        raise ValueError(kind)
    claims: Members = {
        "kind": kind,
        "origin": origin,
        "key_id": kid.hex(),
        "purpose": purpose,
        "algorithm": key_events.SECRET_PURPOSES[purpose],
        "public_key": None,
    }
    return _endorsed(claims, sign)


def key_changed(kind: str, *, origin: str, purpose: str, public_key: bytes, sign: Sign) -> Members:
    """Return the members of ``key.added``, ``key.retired`` or ``key.revoked``."""
    if kind not in _CHANGES or purpose not in key_events.PURPOSES:
        raise ValueError(kind, purpose)
    claims: Members = {
        "kind": kind,
        "origin": origin,
        "key_id": key_id(public_key).hex(),
        "purpose": purpose,
        "algorithm": ALGORITHM,
        "public_key": base64_of(public_key),
    }
    return _endorsed(claims, sign)


def _endorsed(claims: Members, sign: Sign) -> Members:
    return {**claims, "root_signature": base64_of(sign(key_events.endorsed_bytes(claims)))}
