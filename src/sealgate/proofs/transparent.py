"""RFC 9943 transparent statements and RFC 9942 COSE receipts (verifiable data structure 1, RFC9162_SHA256).

Receipt: ``18([ << {1: -8, 4: kid, 15: {1: iss, 2: origin}, 395: 1, -65539: tree size} >>,
{396: {-1: [ << [size, index, [path]] >> ]}}, nil, signature over root ])``. RFC 9942 leaves size and index unsigned,
so that one receipt verifies under other sizes and indexes with the same root; our protected header pins the size. Even
so, claims about order are made from checkpoints only. The proof is unprotected: one signature per tree size serves all.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from ..encoding import cbor
from ..model.errors import AlteredError, EncodingError, InputError
from ..model.limits import KEY_ID_BYTES, MAX_PROOF_HASHES, MAX_STATEMENT_BYTES
from .keys import SIGNATURE_BYTES, is_signed
from .tree import HASH_BYTES, leaf_hash, root_from_inclusion

_ALG, _KID, _CLAIMS, _CRIT, _RECEIPTS, _VDS, _PROOFS, _TREE_SIZE = 1, 4, 15, 2, 394, 395, 396, -65539
_ISS, _SUB = 1, 2
_INCLUSION: Final = -1
_RFC9162_SHA256: Final = 1
_ALGORITHMS: Final = (-8, -19)
_COSE_SIGN1: Final = 18
_MAX_RECEIPTS: Final = 8
MAX_BYTES: Final = MAX_STATEMENT_BYTES + _MAX_RECEIPTS * 4096


@dataclass(frozen=True, slots=True)
class Receipt:
    """A receipt, parsed and not verified. ``tree_size`` is the signed one, None where the issuer signs none."""

    protected: bytes
    kid: bytes | None
    tree_size: int | None
    size: int
    index: int
    path: tuple[bytes, ...]
    signature: bytes


def receipt_protected(*, kid: bytes, issuer: str, origin: str, tree_size: int) -> bytes:
    """Return the protected header of all receipts for one tree size."""
    return cbor.encode(
        {
            _ALG: -8,
            _KID: kid,
            _CLAIMS: {_ISS: issuer, _SUB: origin},
            _VDS: _RFC9162_SHA256,
            _TREE_SIZE: tree_size,
        }
    )


def receipt_signing_input(protected: bytes, root: bytes) -> bytes:
    """Return what a receipt's signature covers: the Sig_structure with the root as detached payload."""
    return cbor.encode(["Signature1", protected, b"", root])


def encode_receipt(protected: bytes, signature: bytes, *, size: int, index: int, path: Sequence[bytes]) -> bytes:
    """Return a receipt.

    Raises:
        InputError: the path is empty: RFC 9942 has no receipt for a tree of one entry.
    """
    if not path:
        raise InputError("a tree of one entry has no COSE receipt", hint="append another record first")
    proof = cbor.encode([size, index, list(path)])
    return cbor.encode(cbor.Tag(_COSE_SIGN1, [protected, {_PROOFS: {_INCLUSION: [proof]}}, None, signature]))


def encode_transparent(statement: bytes, receipts: Sequence[bytes]) -> bytes:
    """Return ``statement`` with ``receipts`` in its unprotected header."""
    match cbor.decode(statement):
        case cbor.Tag(18, [bytes() as protected, {**unprotected}, payload, signature]) if not unprotected:
            listed: list[cbor.Cbor] = list(receipts)
            return cbor.encode(cbor.Tag(_COSE_SIGN1, [protected, {_RECEIPTS: listed}, payload, signature]))
        case _:
            raise EncodingError("not a signed statement without receipts")


def parse_transparent(data: bytes) -> tuple[bytes, list[bytes]]:
    """Return (signed statement as it was hashed into the log, receipts).

    Raises:
        EncodingError: not a transparent statement in deterministic form.
    """
    if len(data) > MAX_BYTES:
        raise EncodingError(f"transparent statement has {len(data)} bytes", hint=f"at most {MAX_BYTES} are allowed")
    match cbor.decode(data):
        case cbor.Tag(18, [bytes() as protected, {394: [*items], **more}, bytes() as payload, bytes() as signature]):
            pass
        case _:
            raise EncodingError("not a transparent statement")
    receipts = [item for item in items if isinstance(item, bytes)]
    if more or not 0 < len(items) <= _MAX_RECEIPTS or len(receipts) != len(items):
        raise EncodingError("transparent statement's unprotected header holds more than receipts")
    return cbor.encode(cbor.Tag(_COSE_SIGN1, [protected, {}, payload, signature])), receipts


def parse_receipt(data: bytes, *, foreign: bool = False) -> Receipt:
    """Return the receipt of ``data``: Ed25519 over an RFC 9162 SHA-256 tree, one inclusion proof.

    ``foreign`` takes receipts of other issuers: map keys in any order, tree size not signed.

    Raises:
        EncodingError: malformed, another algorithm, another data structure, or a critical header we do not know.
    """
    match cbor.decode(data):
        case cbor.Tag(
            18, [bytes() as protected, {396: {-1: [bytes() as proof], **others}, **more}, None, bytes() as s]
        ):
            pass
        case _:
            raise EncodingError("not a COSE receipt with one inclusion proof")
    if others or more or len(s) != SIGNATURE_BYTES:
        raise EncodingError("receipt has more than one inclusion proof, or a signature of the wrong length")
    kid, tree_size = _protected_header(protected, foreign=foreign)
    size, index, path = _inclusion(proof)
    if not foreign and (tree_size is None or kid is None or len(kid) != KEY_ID_BYTES):
        raise EncodingError("receipt does not sign its tree size and key id")
    if tree_size is not None and tree_size != size:
        raise EncodingError(f"receipt is for tree size {tree_size}, its proof for {size}")
    return Receipt(protected, kid, tree_size, size, index, path, s)


def _protected_header(protected: bytes, *, foreign: bool) -> tuple[bytes | None, int | None]:
    header = cbor.decode(protected, ordered=not foreign)
    if not isinstance(header, dict):
        raise EncodingError("receipt's protected header is not a map")
    if header.get(_ALG) not in _ALGORITHMS:
        raise EncodingError("receipt's algorithm is not Ed25519")
    if header.get(_VDS) is True or header.get(_VDS) != _RFC9162_SHA256:
        raise EncodingError("receipt's verifiable data structure is not RFC9162_SHA256")
    if _CRIT in header:
        raise EncodingError("receipt has a critical header that is not understood")
    kid, tree_size = header.get(_KID), header.get(_TREE_SIZE)
    if kid is not None and (not isinstance(kid, bytes) or not kid):
        raise EncodingError("receipt's key id is not a byte string")
    if tree_size is not None and (not isinstance(tree_size, int) or isinstance(tree_size, bool)):
        raise EncodingError("receipt's tree size is not an integer")
    return kid, tree_size


def _inclusion(proof: bytes) -> tuple[int, int, tuple[bytes, ...]]:
    match cbor.decode(proof):
        case [int() as size, int() as index, [*items]] if not isinstance(size, bool) and not isinstance(index, bool):
            pass
        case _:
            raise EncodingError("receipt's inclusion proof is malformed")
    path = tuple(item for item in items if isinstance(item, bytes) and len(item) == HASH_BYTES)
    if len(path) != len(items) or not 0 < len(path) <= MAX_PROOF_HASHES or not 0 <= index < size:
        raise EncodingError("receipt's inclusion proof is out of range")
    return size, index, path


def verify_receipt(data: bytes, entry: bytes, public_key: bytes, *, foreign: bool = False) -> Receipt:
    """Return the receipt once it proves that the holder of ``public_key`` logged ``entry``.

    Size and index of a ``foreign`` receipt that does not sign its size prove nothing.

    Raises:
        EncodingError: malformed, or the tree size is not signed.
        NotProvenError: the path does not fit the tree.
        AlteredError: the signature over the computed root is not valid.
    """
    receipt = parse_receipt(data, foreign=foreign)
    root = root_from_inclusion(receipt.index, receipt.size, leaf_hash(entry), receipt.path)
    if not is_signed(public_key, receipt_signing_input(receipt.protected, root), receipt.signature):
        raise AlteredError("receipt's signature does not cover this entry", index=receipt.index)
    return receipt
