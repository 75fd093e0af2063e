"""The statement: a COSE_Sign1 hash envelope over the commitment to a record's body.

RFC 9052 section 4.2 (COSE_Sign1), RFC 9995 (hash envelope: 258, 259), RFC 9943 (CWT claims: 15). Layout::

    18([ << {1: -8, 4: kid, 15: {1: iss, 2: sub, 6: iat}, 258: -16, 259: "application/json",
             -65537: epoch, -65538: seq} >>, {}, SHA-256(body), signature ])

``unprotected`` is always empty. The signature itself is checked by the caller (``signing_input`` gives the bytes), so
that this module needs no cryptographic library.
"""

from dataclasses import dataclass
from typing import Final

from ..model.errors import EncodingError
from ..model.limits import KEY_ID_BYTES, MAX_STATEMENT_BYTES
from . import cbor, layout
from .canonical import sha256

EDDSA: Final = -8
"""Emitted. RFC 9864 deprecates it for -19, which few COSE libraries know yet; the pinned key fixes the curve."""

ED25519: Final = -19
"""Accepted."""

_ALG, _KID, _CLAIMS, _HASH_ALG, _CONTENT_TYPE, _EPOCH, _SEQ = 1, 4, 15, 258, 259, -65537, -65538
_ISS, _SUB, _IAT = 1, 2, 6
_SHA_256: Final = -16
_HASH_BYTES: Final = 32
_SIGNATURE_BYTES: Final = 64
_COSE_SIGN1: Final = 18
_MAX_SUBJECTS: Final = 10_000
_JSON: Final = "application/json"


@dataclass(frozen=True, slots=True)
class Claims:
    """What a statement says in public. ``iat`` is Unix seconds, ``seq`` counts from 0 without gaps in an ``epoch``."""

    kid: bytes
    iss: str
    sub: str
    iat: int
    epoch: bytes
    seq: int
    alg: int = EDDSA


@dataclass(frozen=True, slots=True)
class Statement:
    """A parsed statement. Parsed is not verified: check ``signature`` over ``signing_input`` with a trusted key."""

    claims: Claims
    commitment: bytes
    protected: bytes
    signature: bytes

    @property
    def signing_input(self) -> bytes:
        """The bytes that were signed (RFC 9052 section 4.4)."""
        return signing_input(self.protected, self.commitment)


class ClaimsEncoder:
    """Writes the protected header of one producer quickly: what never changes is encoded once."""

    def __init__(self, *, kid: bytes, iss: str, epoch: bytes) -> None:
        claims = cbor.encode(_CLAIMS) + b"\xa3" + _pair(_ISS, iss)
        hashing = _pair(_HASH_ALG, _SHA_256) + _pair(_CONTENT_TYPE, _JSON)
        self._before = b"\xa7" + _pair(_ALG, EDDSA) + _pair(_KID, kid) + claims
        self._subjects: dict[str, bytes] = {}
        self._after = hashing + _pair(_EPOCH, epoch) + cbor.encode(_SEQ)

    def protected(self, *, sub: str, iat: int, seq: int) -> bytes:
        """Return the protected header's bytes; equal to the general encoder's."""
        before = self._subjects.get(sub)
        if before is None:
            if len(self._subjects) >= _MAX_SUBJECTS:
                self._subjects.clear()
            before = self._subjects[sub] = self._before + _pair(_SUB, sub) + cbor.encode(_IAT)
        return b"".join((before, cbor.head(0, iat), self._after, cbor.head(0, seq)))


def _pair(key: int, value: cbor.Cbor) -> bytes:
    return cbor.encode(key) + cbor.encode(value)


def encode_claims(claims: Claims) -> bytes:
    """Return the protected header's bytes."""
    return cbor.encode(
        {
            _ALG: claims.alg,
            _KID: claims.kid,
            _CLAIMS: {_ISS: claims.iss, _SUB: claims.sub, _IAT: claims.iat},
            _HASH_ALG: _SHA_256,
            _CONTENT_TYPE: _JSON,
            _EPOCH: claims.epoch,
            _SEQ: claims.seq,
        }
    )


def signing_input(protected: bytes, commitment: bytes) -> bytes:
    """Return ``Sig_structure`` for these parts: ["Signature1", protected, h'', payload]."""
    return b"\x84\x6aSignature1" + cbor.head(2, len(protected)) + protected + b"\x40\x58\x20" + commitment


def assemble(protected: bytes, commitment: bytes, signature: bytes) -> bytes:
    """Return the statement's bytes."""
    return b"".join(
        (b"\xd2\x84", cbor.head(2, len(protected)), protected, b"\xa0\x58\x20", commitment, b"\x58\x40", signature)
    )


def entry_of(statement: bytes) -> bytes:
    """Return the log entry of a statement: SHA-256 over its exact bytes."""
    return sha256(statement)


def commitment_of(statement: bytes) -> bytes:
    """Return a statement's commitment without reading its claims: for who holds the body and believes no claim.

    Of bytes that ``parse`` accepts, the same as there. Others may have one too: this proves no statement.

    Raises:
        EncodingError: not even the frame is a statement's.
    """
    return layout.commitment(statement) or parse(statement).commitment


def key_id(public_key: bytes) -> bytes:
    """Return the key identifier of a raw public key: the first 16 bytes of its SHA-256."""
    return sha256(public_key)[:KEY_ID_BYTES]


def parse(data: bytes) -> Statement:
    """Return the statement that ``data`` is, byte for byte.

    Raises:
        EncodingError: not a statement of ours in deterministic form.
    """
    if len(data) > MAX_STATEMENT_BYTES:
        raise EncodingError(f"statement has {len(data)} bytes", hint=f"at most {MAX_STATEMENT_BYTES} are allowed")
    parts = layout.split(data)
    if parts is None:
        return parse_general(data)
    kid, iss, sub, iat, epoch, seq, protected, commitment, signature = parts
    return Statement(Claims(kid, iss, sub, iat, epoch, seq), commitment, protected, signature)


def parse_general(data: bytes) -> Statement:
    """Return the statement by the general decoder; what ``parse`` falls back to and is tested against.

    Raises:
        EncodingError: as ``parse``.
    """
    item = cbor.decode(data)
    if not isinstance(item, cbor.Tag) or item.number != _COSE_SIGN1 or not isinstance(item.value, list):
        raise EncodingError("statement is not a tagged COSE_Sign1")
    match item.value:
        case [bytes() as protected, dict() as unprotected, bytes() as payload, bytes() as signature]:
            pass
        case _:
            raise EncodingError("COSE_Sign1 does not have its four parts")
    if unprotected:
        raise EncodingError("statement has unprotected headers", hint="strip receipts before hashing (RFC 9943)")
    if len(payload) != _HASH_BYTES or len(signature) != _SIGNATURE_BYTES:
        raise EncodingError("commitment or signature has the wrong length")
    return Statement(_claims(protected), payload, protected, signature)


def _claims(protected: bytes) -> Claims:
    match cbor.decode(protected):
        case {
            1: int() as alg,
            4: bytes() as kid,
            15: {1: str() as iss, 2: str() as sub, 6: int() as iat, **more_claims},
            258: -16,
            259: "application/json",
            -65537: bytes() as epoch,
            -65538: int() as seq,
            **more,
        } if not more and not more_claims:
            pass
        case _:
            raise EncodingError("statement's protected header is not ours")
    if alg not in (EDDSA, ED25519):
        raise EncodingError(f"algorithm `{alg}` is not accepted", hint="Ed25519 only: -8 or -19")
    if type(iat) is not int or type(seq) is not int:  # CBOR's true would pass as 1
        raise EncodingError("statement's time or sequence is not an integer")
    if len(kid) != KEY_ID_BYTES or len(epoch) != KEY_ID_BYTES or iat < 0 or seq < 0:
        raise EncodingError("statement's key id, epoch, time or sequence is out of range")
    return Claims(kid=kid, iss=iss, sub=sub, iat=iat, epoch=epoch, seq=seq, alg=alg)
