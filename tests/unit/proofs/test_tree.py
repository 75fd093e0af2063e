"""The Merkle tree against a naive reading of RFC 6962, and the attacks on its proofs."""

import base64
import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealgate.model.errors import AlteredError, EvidenceError, ForkError, InputError, NotProvenError
from sealgate.proofs import tiles, tree


def _naive_root(leaves):
    """RFC 6962 section 2.1, word for word."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    k = tree.split(len(leaves))
    return hashlib.sha256(b"\x01" + _naive_root(leaves[:k]) + _naive_root(leaves[k:])).digest()


def _leaves(count):
    return [tree.leaf_hash(b"leaf %d" % number) for number in range(count)]


def _memory_tiles(leaves):
    """A reader over the tiles of these leaves, kept in a dict."""
    builder, store = tiles.TileBuilder(), {}
    for leaf in leaves:
        builder.append(leaf)
    store.update({(tile.level, tile.index): data for tile, data in builder.take().items()})
    return lambda level, index, width: store[level, index][: width * 32]


@pytest.mark.parametrize("size", [*range(20), 255, 256, 257, 511, 513, 1000])
def test_roots_equal_the_naive_tree(size):
    """All ways to a root (streaming, range, tiles, builder) give RFC 6962's."""
    leaves = _leaves(size)
    hasher, builder = tree.TreeHasher(), tiles.TileBuilder()
    hasher.extend(leaves)
    for leaf in leaves:
        builder.append(leaf)

    expected = _naive_root(leaves)

    assert expected == hasher.root() == builder.root() == tree.range_root(b"".join(leaves))
    assert expected == tiles.root(size, _memory_tiles(leaves))


@given(st.integers(1, 700), st.data())
def test_every_proof_verifies_and_only_there(size, data):
    """Inclusion and consistency proofs from tiles verify; with another index, size or leaf they do not."""
    leaves = _leaves(size)
    read = _memory_tiles(leaves)
    root = tiles.root(size, read)
    index = data.draw(st.integers(0, size - 1))
    old = data.draw(st.integers(1, size))
    proof = tiles.prove_inclusion(index, size, read)
    consistency = tiles.prove_consistency(old, size, read)

    tree.verify_inclusion(index, size, leaves[index], proof, root)
    tree.verify_consistency(old, size, consistency, _naive_root(leaves[:old]), root)

    with pytest.raises(AlteredError):
        tree.verify_inclusion(index, size, tree.leaf_hash(b"other"), proof, root)
    with pytest.raises(EvidenceError):
        tree.verify_inclusion(index, size, leaves[index], [*proof, bytes(32)], root)
    if size > 1:
        with pytest.raises(EvidenceError):
            tree.verify_inclusion((index + 1) % size, size, leaves[index], proof, root)
    if old < size:
        with pytest.raises(NotProvenError):
            tree.verify_consistency(old, size, consistency, bytes(32), root)
        with pytest.raises(NotProvenError):
            tree.verify_consistency(old, size, consistency[:-1], _naive_root(leaves[:old]), root)


def test_golden_values_of_another_implementation():
    """70,000 leaves give the root and proofs that Go's x/mod/sumdb/tlog gives."""
    leaves = _leaves(70_000)
    read = _memory_tiles(leaves)

    inclusion = tiles.prove_inclusion(12_345, 70_000, read)
    consistency = tiles.prove_consistency(257, 70_000, read)

    assert base64.b64decode("2gUy/3su5W9AZxEPyWTp8ntZWflSe//z+lAap1hN6vM=") == tiles.root(70_000, read)
    assert (
        len(inclusion),
        base64.b64encode(inclusion[0]).decode(),
    ) == (17, "VaGBOrmC32/t7GrMJYcIvn+gnrY3cGJq52llj+ktBF8=")
    assert (
        len(consistency),
        base64.b64encode(consistency[0]).decode(),
    ) == (18, "lVXli2LZ+J1czWRiKj189v2hRXNHNjyaTObWIuUek9k=")


def test_consistency_refuses_what_cannot_be_proven():
    """Size 0 is no proof; one size with two roots is a fork; the same root at one size is fine."""
    root = _naive_root(_leaves(3))

    tree.verify_consistency(3, 3, [], root, root)
    with pytest.raises(NotProvenError):
        tree.verify_consistency(0, 3, [], tree.EMPTY_ROOT, root)
    with pytest.raises(NotProvenError):
        tree.verify_consistency(3, 3, [root], root, root)
    with pytest.raises(ForkError):
        tree.verify_consistency(3, 3, [], root, bytes(32))


def test_a_node_cannot_pass_as_a_leaf():
    """A 64-byte entry made of two hashes does not hash to their parent (RFC 6962's 0x00 and 0x01)."""
    left, right = _leaves(2)

    assert tree.node_hash(left, right) != tree.leaf_hash(left + right)


def test_aligned_extension():
    """Whole tiles at once give the same root; what is not aligned is refused."""
    leaves = _leaves(600)
    one, many = tree.TreeHasher(), tree.TreeHasher()
    one.extend(leaves)
    many.extend_aligned(b"".join(leaves[:256]))
    many.extend_aligned(b"".join(leaves[256:512]))
    many.extend(leaves[512:])

    assert one.root() == many.root()
    with pytest.raises(InputError):
        many.extend_aligned(b"".join(leaves[:256]))
    with pytest.raises(InputError):
        many.extend_aligned(b"")


def test_proofs_with_too_many_or_short_hashes_are_refused():
    """Bounds come before hashing."""
    with pytest.raises(NotProvenError, match="at most 63"):
        tree.verify_inclusion(0, 2, bytes(32), [bytes(32)] * 64, bytes(32))
    with pytest.raises(NotProvenError, match="32 bytes"):
        tree.verify_inclusion(0, 2, bytes(32), [bytes(31)], bytes(32))
    with pytest.raises(NotProvenError, match="not in a tree"):
        tree.verify_inclusion(2, 2, bytes(32), [bytes(32)], bytes(32))
