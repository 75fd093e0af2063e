"""Tiles: paths, sets of new tiles, appending in flat memory."""

import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealgate.model.errors import EncodingError, InputError, NotProvenError
from sealgate.proofs import bundles, tiles, tree


def test_paths_as_the_specification_writes_them():
    """The examples of C2SP tlog-tiles."""
    assert tiles.number_path(1234067) == "x001/x234/067"
    assert tiles.Tile(0, 1234067, 256).path == "tile/0/x001/x234/067"
    assert tiles.Tile(3, 0, 5).path == "tile/3/000.p/5"
    assert tiles.bundle_path(tiles.ENTRIES, 123456, 1) == "tile/entries/x123/456.p/1"


@given(st.sampled_from(tiles.KINDS), st.integers(0, 2**40), st.integers(1, 256))
def test_paths_round_trip(kind, index, width):
    """A path that is written is parsed back."""
    assert (kind, index, width) == tiles.parse_path(tiles.bundle_path(kind, index, width))
    assert ("tile/5", index, width) == tiles.parse_path(tiles.Tile(5, index, width).path)


@pytest.mark.parametrize(
    "path",
    [
        "tile/8/000", "tile/00/000", "tile/0/0", "tile/0/x000/001", "tile/0/000.p/256", "tile/0/000.p/0",
        "tile/0/000.p/01", "tile/0/../../secret", "stmt/000\n", "/stmt/000", "stmt/\u0660\u0660\u0660",
        "tile/0/001/002",
        "tile/0/x001/002.p/300", "checkpoint", "", "tile/0/" + "x999/" * 9 + "999",
    ],
)  # fmt: skip
def test_other_paths_are_refused(path):
    """Nothing but the canonical path of a tile or bundle passes."""
    with pytest.raises(InputError):
        tiles.parse_path(path)


@given(st.lists(st.integers(0, 600), max_size=6))
def test_appending_in_batches_writes_just_the_new_tiles(batches):
    """After each batch ``take`` names exactly ``new_tiles``, and reloading from the tiles gives the same builder."""
    builder, store, size = tiles.TileBuilder(), {}, 0
    for batch in batches:
        for number in range(batch):
            builder.append(tree.leaf_hash(b"%d" % (size + number)))
        new = builder.take()
        assert set(tiles.new_tiles(size, size + batch)) == set(new)
        assert all(len(data) == tile.width * 32 for tile, data in new.items())
        size += batch
        store.update({(tile.level, tile.index): data for tile, data in new.items()})
        again = tiles.TileBuilder.load(size, lambda level, index, width: store[level, index][: width * 32])
        assert builder.root() == again.root()


def _short(level, index, width):
    return bytes(64)


def _zeros(level, index, width):
    return bytes(32 * width)


def test_short_tiles_are_refused():
    """A reader that returns too few bytes is noticed where they are read."""
    with pytest.raises(NotProvenError, match=r"tile/0/000\.p/3"):
        tiles.root(3, _short)
    with pytest.raises(NotProvenError):
        tiles.TileBuilder.load(3, _short)


def test_ranges_outside_the_tree_are_refused():
    """Only ranges that RFC 6962's proofs can name are read."""
    with pytest.raises(InputError):
        tiles.hash_range(3, 3, 5, _zeros)
    with pytest.raises(InputError):
        tiles.hash_range(1, 3, 5, _zeros)
    with pytest.raises(InputError):
        tiles.prove_inclusion(5, 5, _zeros)
    with pytest.raises(InputError):
        tiles.prove_consistency(0, 5, _zeros)


def test_a_large_tree_is_built_in_flat_memory():
    """A quarter of a million leaves in batches of 4096 keep less than 2 MiB alive."""
    builder, leaf = tiles.TileBuilder(), tree.leaf_hash(b"x")
    tracemalloc.start()
    try:
        for number in range(1 << 18):
            builder.append(leaf)
            if number % 4096 == 4095:
                builder.take()
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert builder.size == 1 << 18
    assert peak < 2 << 20


@given(st.lists(st.binary(min_size=1, max_size=300), min_size=1, max_size=256))
def test_statement_bundles_round_trip(items):
    """Statements come back as they went in; a wrong count or a byte too many is refused."""
    data = bundles.encode_statements(items)

    assert items == bundles.decode_statements(data, len(items))
    with pytest.raises(EncodingError):
        bundles.decode_statements(data + b"\0", len(items))
    with pytest.raises(EncodingError):
        bundles.decode_statements(data[:-1], len(items))
    with pytest.raises(EncodingError):
        bundles.decode_statements(data, len(items) + 1)


@given(st.lists(st.none() | st.binary(min_size=1, max_size=300), min_size=1, max_size=256))
def test_body_bundles_round_trip(items):
    """Bodies and their absences come back as they went in."""
    data = bundles.encode_bodies(items)

    assert items == bundles.decode_bodies(data, len(items))
    with pytest.raises(EncodingError):
        bundles.decode_bodies(data[:-1], len(items))


def test_entry_bundles_are_strict():
    """Entries are 32 bytes behind 0x0020, as many as the width says."""
    entries = [bytes([number]) * 32 for number in range(3)]
    data = bundles.encode_entries(entries)

    assert entries == bundles.decode_entries(data, 3)
    for bad, count in ((data, 2), (b"\x00\x1f" + data[2:], 3), (data, 0), (b"", 257)):
        with pytest.raises(EncodingError):
            bundles.decode_entries(bad, count)
    with pytest.raises(EncodingError, match="empty"):
        bundles.decode_statements(b"\0\0", 1)
