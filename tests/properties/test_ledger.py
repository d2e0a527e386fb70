"""Laws of the evidence log's arithmetic: for any tree, any record, any value, any bytes."""

from __future__ import annotations

import json
from contextlib import suppress
from itertools import pairwise
from typing import Any

import pytest
import rfc8785
from hypothesis import given, settings
from hypothesis import strategies as st

from stillwatch.ledger.canonical import canonical_json, read_canonical
from stillwatch.ledger.checkpoints import parse_checkpoint
from stillwatch.ledger.entries import parse_entry
from stillwatch.ledger.growing import GrowingTree
from stillwatch.ledger.merkle import (
    EMPTY_ROOT,
    check_consistency,
    check_inclusion,
    consistency_path,
    inclusion_path,
    leaf_hash,
    perfect_root,
    range_root,
)
from stillwatch.ledger.notes import parse_key, parse_note
from stillwatch.ledger.proofs import parse_consistency, parse_inclusion
from stillwatch.ledger.refusals import LedgerError, ProofError
from stillwatch.ledger.signing import parse_signers
from stillwatch.ledger.tiles import TileNodes, bundle, records_of, tile_path, tiles_of

MOST = 70_000
LEAVES = [leaf_hash(number.to_bytes(4, "big")) for number in range(MOST)]


def _levels() -> list[list[bytes]]:
    levels = [LEAVES]
    while len(levels[-1]) > 1:
        below = levels[-1]
        levels.append([perfect_root(below[place : place + 2]) for place in range(0, len(below) - 1, 2)])
    return levels


LEVELS = _levels()
SIZES = st.one_of(st.integers(1, 600), st.integers(1, MOST), st.sampled_from([255, 256, 257, 65_535, 65_536, 65_537]))


def nodes(level: int, index: int) -> bytes:
    """A perfect subtree over LEAVES."""
    return LEVELS[level][index]


@settings(max_examples=50)
@given(SIZES, st.data())
def test_every_record_of_any_log_is_proved_and_no_other(size: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, size - 1))
    root = range_root(0, size, nodes)
    path = inclusion_path(index, size, nodes)
    assert len(path) <= (size - 1).bit_length()
    check_inclusion(LEAVES[index], index, size, path, root)
    other = data.draw(st.integers(0, MOST - 1).filter(lambda number: number != index))
    with pytest.raises(ProofError):
        check_inclusion(LEAVES[other], index, size, path, root)
    if size > 1:
        place, bit = data.draw(st.integers(0, len(path) - 1)), data.draw(st.integers(0, 255))
        changed = (int.from_bytes(path[place], "big") ^ (1 << bit)).to_bytes(32, "big")
        with pytest.raises(ProofError):
            check_inclusion(LEAVES[index], index, size, [*path[:place], changed, *path[place + 1 :]], root)
    if other < size:
        with pytest.raises(ProofError):
            check_inclusion(LEAVES[index], other, size, path, root)


@given(SIZES, st.data())
def test_any_log_is_consistent_with_its_past_and_with_no_other(size: int, data: st.DataObject) -> None:
    old = data.draw(st.integers(0, size))
    old_root, root = (range_root(0, count, nodes) for count in (old, size))
    path = consistency_path(old, size, nodes)
    check_consistency(old, size, path, old_root, root)
    with pytest.raises(ProofError):
        check_consistency(old, size, path, LEAVES[size - 1] if old != 1 or size != 1 else EMPTY_ROOT, root)
    if path:
        place = data.draw(st.integers(0, len(path) - 1))
        with pytest.raises(ProofError):
            check_consistency(old, size, [*path[:place], LEAVES[0][::-1], *path[place + 1 :]], old_root, root)


@pytest.mark.slow
@settings(deadline=None)
@given(SIZES, st.lists(st.integers(0, MOST), max_size=4))
def test_a_tree_grown_in_any_parts_is_the_tree_and_its_tiles_give_it_back(size: int, cuts: list[int]) -> None:
    files: dict[str, bytes] = {}
    tree = GrowingTree()
    places = sorted({0, size, *(cut for cut in cuts if cut < size)})
    for start, end in pairwise(places):
        for tile in (*tree.extend(LEAVES[start:end]), *tree.partial()):
            files[tile_path(tile.level, tile.index, len(tile.hashes))] = tile.content()
    root = range_root(0, size, nodes)
    assert tree.root() == root
    fetch = lambda path, _: files.get(path)  # noqa: E731 - as short as it is
    assert {tile_path(*tile) for tile in tiles_of(size)} <= set(files)
    tiles = TileNodes(fetch, size)
    assert tiles.root() == root
    assert GrowingTree.read(fetch, size).root() == root
    assert inclusion_path(size // 2, size, tiles) == inclusion_path(size // 2, size, nodes)


TEXT = st.text(st.characters(exclude_categories=("Cs",)), max_size=12)
NUMBERS = st.one_of(st.integers(-(2**53) + 1, 2**53 - 1), st.floats(allow_nan=False, allow_infinity=False))
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.one_of(st.none(), st.booleans(), NUMBERS, TEXT),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=50)
@given(VALUES)
def test_canonical_json_is_the_library_s_whichever_way_it_was_written_and_reads_back(value: Any) -> None:
    data = canonical_json(value)
    assert data == rfc8785.dumps(value)
    read = read_canonical(data)
    assert read == value
    assert canonical_json(read) == data


@settings(max_examples=50)
@given(st.one_of(st.binary(max_size=200), VALUES.map(lambda value: json.dumps(value).encode())))
def test_bytes_are_canonical_or_refused(data: bytes) -> None:
    try:
        value = read_canonical(data)
    except LedgerError:
        return
    assert canonical_json(value) == data


@given(st.binary(max_size=400))
def test_any_bytes_are_read_or_refused_in_our_words(data: bytes) -> None:
    text = data.decode(errors="replace")
    for read in (
        lambda: parse_note(data, "x"),
        lambda: parse_checkpoint(text, "x"),
        lambda: parse_key(text),
        lambda: parse_signers(text, "x"),
        lambda: parse_inclusion(b"c2sp.org/tlog-proof@v1\n" + data, "x"),
        lambda: parse_consistency(b"old " + data, "x"),
        lambda: parse_entry(data, 0),
        lambda: records_of(data, "x"),
    ):
        with suppress(LedgerError):
            read()


@given(st.lists(st.binary(max_size=300), max_size=256))
def test_a_bundle_gives_its_records_back(records: list[bytes]) -> None:
    assert records_of(bundle(records), "x") == records
