"""The Merkle tree of RFC 6962 section 2.1 (RFC 9162 section 2.1): hashing, and verifying proofs.

Verification takes the size from the caller, who took it from a verified checkpoint; a size inside a proof is never
believed. A consistency proof needs 1 <= old size: that any tree extends the empty one is the caller's knowledge, not a
proof (implementations disagree there, so this module has no opinion to exploit).
"""

import hashlib
from collections.abc import Iterable, Sequence
from typing import Final

from ..model.errors import AlteredError, ForkError, InputError, NotProvenError
from ..model.limits import MAX_PROOF_HASHES

HASH_BYTES: Final = 32
EMPTY_ROOT: Final = hashlib.sha256(b"").digest()
"""The root of a tree without leaves."""

MAX_SIZE: Final = 2**63 - 1
"""Sizes beyond this do not fit the formats that carry them."""

_sha256 = hashlib.sha256


def leaf_hash(entry: bytes) -> bytes:
    """Return the hash of a leaf: SHA-256(0x00 || entry)."""
    return _sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash of an inner node: SHA-256(0x01 || left || right)."""
    return _sha256(b"\x01" + left + right).digest()


def fold_level(hashes: bytes) -> bytes:
    """Return the next level above an even number of concatenated hashes."""
    return b"".join([_sha256(b"\x01" + hashes[at : at + 64]).digest() for at in range(0, len(hashes), 64)])


def perfect_root(hashes: bytes) -> bytes:
    """Return the root over 2^k concatenated hashes."""
    while len(hashes) > HASH_BYTES:
        hashes = fold_level(hashes)
    return hashes


def range_root(hashes: bytes) -> bytes:
    """Return the root over any number of concatenated hashes, which lie at one level of a tree.

    Equals RFC 6962's MTH when the hashes are leaf hashes.
    """
    count = len(hashes) // HASH_BYTES
    if count == 0:
        return EMPTY_ROOT
    parts: list[bytes] = []
    at = 0
    while count:  # perfect subtrees from the left, each the largest that fits
        width = (1 << count.bit_length() - 1) * HASH_BYTES
        parts.append(perfect_root(hashes[at : at + width]))
        at += width
        count -= width // HASH_BYTES
    return join_right(parts)


def join_right(subtrees: Sequence[bytes]) -> bytes:
    """Return the root over subtrees of falling size, left to right; there is at least one."""
    root = subtrees[-1]
    for left in reversed(subtrees[:-1]):
        root = node_hash(left, root)
    return root


class TreeHasher:
    """Computes a root from leaves given one after another, in memory that grows with the logarithm of their number."""

    def __init__(self) -> None:
        self.size = 0
        self._subtrees: list[bytes] = []  # the perfect subtrees of size's binary digits, largest first

    def append(self, leaf: bytes) -> None:
        """Take the next leaf hash."""
        carry, size = leaf, self.size
        while size & 1:
            carry = node_hash(self._subtrees.pop(), carry)
            size >>= 1
        self._subtrees.append(carry)
        self.size += 1

    def extend(self, leaves: Iterable[bytes]) -> None:
        """Take the next leaf hashes."""
        for leaf in leaves:
            self.append(leaf)

    def extend_aligned(self, leaves: bytes) -> None:
        """Take the next 2^k concatenated leaf hashes where the size is a multiple of 2^k; faster than one by one.

        Raises:
            InputError: the number is no power of two, or the size is not aligned to it.
        """
        count = len(leaves) // HASH_BYTES
        if count == 0 or count & (count - 1) or self.size % count or len(leaves) % HASH_BYTES:
            raise InputError(f"{count} leaves cannot be added at once at size {self.size}")
        self.append_subtree(perfect_root(leaves), count)

    def append_subtree(self, root: bytes, count: int) -> None:
        """Take the root over the next 2^k leaves where the size is a multiple of 2^k.

        Raises:
            InputError: the number is no power of two, or the size is not aligned to it.
        """
        if count < 1 or count & (count - 1) or self.size % count:
            raise InputError(f"{count} leaves cannot be added at once at size {self.size}")
        carry, size = root, self.size // count
        while size & 1:
            carry = node_hash(self._subtrees.pop(), carry)
            size >>= 1
        self._subtrees.append(carry)
        self.size += count

    @property
    def subtrees(self) -> tuple[bytes, ...]:
        """The perfect subtrees of the size's binary digits, largest first: all that is needed to go on."""
        return tuple(self._subtrees)

    @classmethod
    def resume(cls, size: int, subtrees: Sequence[bytes]) -> "TreeHasher":
        """Return the hasher that had these ``subtrees`` at ``size``.

        Raises:
            InputError: their number does not fit the size.
        """
        if size.bit_count() != len(subtrees) or any(len(item) != HASH_BYTES for item in subtrees):
            raise InputError(f"{len(subtrees)} subtrees do not make a tree of size {size}")
        hasher = cls()
        hasher.size, hasher._subtrees = size, list(subtrees)
        return hasher

    def root(self) -> bytes:
        """Return the root over all leaves so far."""
        return join_right(self._subtrees) if self._subtrees else EMPTY_ROOT


def split(count: int) -> int:
    """Return the largest power of two smaller than ``count`` (RFC 6962's k); ``count`` is at least 2."""
    return 1 << ((count - 1).bit_length() - 1)


def _check_hashes(proof: Sequence[bytes], *others: bytes) -> None:
    if len(proof) > MAX_PROOF_HASHES:
        raise NotProvenError(f"proof has {len(proof)} hashes", hint=f"at most {MAX_PROOF_HASHES} are allowed")
    if any(len(item) != HASH_BYTES for item in (*proof, *others)):
        raise NotProvenError("proof has a hash that is not 32 bytes long")


def root_from_inclusion(index: int, size: int, leaf: bytes, proof: Sequence[bytes]) -> bytes:
    """Return the root that ``proof`` leads to from ``leaf`` at ``index`` in a tree of ``size`` (RFC 9162 2.1.3.2).

    Raises:
        NotProvenError: the index is outside the tree, or the proof has the wrong number or length of hashes.
    """
    if not 0 <= index < size <= MAX_SIZE:
        raise NotProvenError(f"index {index} is not in a tree of size {size}")
    _check_hashes(proof, leaf)
    node, last, root = index, size - 1, leaf
    for sibling in proof:
        if last == 0:
            raise NotProvenError("inclusion proof is too long")
        if node & 1 or node == last:
            root = node_hash(sibling, root)
            while node and not node & 1:
                node >>= 1
                last >>= 1
        else:
            root = node_hash(root, sibling)
        node >>= 1
        last >>= 1
    if last:
        raise NotProvenError("inclusion proof is too short")
    return root


def verify_inclusion(index: int, size: int, leaf: bytes, proof: Sequence[bytes], root: bytes) -> None:
    """Return only if ``leaf`` is at ``index`` of the tree of ``size`` with this ``root``.

    Raises:
        NotProvenError: the proof has the wrong shape.
        AlteredError: the proof has the right shape and leads elsewhere.
    """
    if root_from_inclusion(index, size, leaf, proof) != root:
        raise AlteredError("inclusion proof does not lead to the checkpoint's root", index=index)


def verify_consistency(old: int, new: int, proof: Sequence[bytes], old_root: bytes, new_root: bytes) -> None:
    """Return only if the tree of size ``new`` begins with the tree of size ``old`` (RFC 9162 2.1.4.2).

    Raises:
        ForkError: equal sizes with different roots: two histories.
        NotProvenError: the proof has the wrong shape or leads elsewhere, or ``old`` is not in 1..``new``.
    """
    if not 1 <= old <= new <= MAX_SIZE:
        raise NotProvenError(f"consistency of sizes {old} and {new} cannot be proven")
    _check_hashes(proof)
    if old == new:
        if proof:
            raise NotProvenError("consistency proof between equal sizes is not empty")
        if old_root != new_root:
            raise ForkError(f"two roots for one size {old}")
        return
    _check_hashes((), old_root, new_root)
    if not proof:
        raise NotProvenError("consistency proof is empty")
    from_old, from_new = _roots_from_consistency(old, new, proof, old_root)
    if from_old != old_root or from_new != new_root:
        raise NotProvenError(f"consistency proof does not connect sizes {old} and {new}")


def _roots_from_consistency(old: int, new: int, proof: Sequence[bytes], old_root: bytes) -> tuple[bytes, bytes]:
    path = [old_root, *proof] if old & (old - 1) == 0 else list(proof)
    node, last = old - 1, new - 1
    while node & 1:
        node >>= 1
        last >>= 1
    from_old = from_new = path[0]
    for sibling in path[1:]:
        if last == 0:
            raise NotProvenError("consistency proof is too long")
        if node & 1 or node == last:
            from_old = node_hash(sibling, from_old)
            from_new = node_hash(sibling, from_new)
            while node and not node & 1:
                node >>= 1
                last >>= 1
        else:
            from_new = node_hash(from_new, sibling)
        node >>= 1
        last >>= 1
    if last:
        raise NotProvenError("consistency proof is too short")
    return from_old, from_new
