"""Whether a log is what it says: every record, tile, root, signature and content, read as a stream. Pure: files are given by functions.

What it cannot see is said in the page on the log: a history that was rewritten as a whole by whoever holds the key looks sound, unless an
earlier checkpoint, a cosignature or a time-stamp is held against it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from stillwatch.ledger.checkpoints import Checkpoint, Opened
from stillwatch.ledger.entries import Entry, commitment, parse_entry
from stillwatch.ledger.growing import GrowingTree, Tile
from stillwatch.ledger.merkle import leaf_hash
from stillwatch.ledger.refusals import BrokenLogError
from stillwatch.ledger.tiles import WIDTH, Fetch, fetch_hashes, fetch_records, tile_path

ERASURE = "erasure"
_NAMED = 5
Openings = Callable[[int, int], Iterator[tuple[int, bytes, bytes]]]
"""(index, salt, content) of the contents with an index in [start, end), in order."""


@dataclass(slots=True, kw_only=True)
class Verified:
    """What was found sound.

    Attributes:
        checkpoint: of the log.
        kinds: records of each kind.
        contents: contents that open their commitments; None: contents were not looked at.
        erased: contents that are gone, and whose erasure is recorded; None: not looked at.
        unfinished: contents whose erasure is recorded and that are still there.
        earlier: earlier checkpoints that the log still holds.
        backwards: records whose time is before that of the record before them.
    """

    checkpoint: Checkpoint
    kinds: dict[str, int] = field(default_factory=dict[str, int])
    contents: int | None = None
    erased: int | None = None
    unfinished: tuple[int, ...] = ()
    earlier: int = 0
    backwards: int = 0


def verify(
    fetch: Fetch,
    checkpoint: Checkpoint,
    *,
    earlier: Sequence[tuple[str, Opened]] = (),
    openings: Openings | None = None,
    erased_later: Callable[[], Iterable[int]] = tuple,
    progress: Callable[[int], None] = lambda _: None,
) -> Verified:
    """Read a whole log against a checkpoint that was opened before.

    Args:
        fetch: files of the log.
        checkpoint: that a trusted key signed.
        earlier: (place, checkpoint) of earlier states that the log must still hold.
        openings: the contents; None: they are not looked at.
        erased_later: indexes that were erased after the checkpoint, asked for only where contents are missing.
        progress: told how many records were read.

    Raises BrokenLogError, naming the first thing that does not hold.
    """
    walk = _Walk(fetch, checkpoint, earlier)
    seen = _Contents(openings)
    for first, records in walk.bundles():
        entries = [parse_entry(record, first + place) for place, record in enumerate(records)]
        walk.note(entries)
        seen.look(first, entries)
        progress(first + len(records))
    walk.end()
    seen.end(erased_later)
    found = walk.found
    if openings is not None:
        found.contents, found.erased, found.unfinished = seen.open, seen.gone, seen.unfinished
    return found


class _Walk:
    """The records in order, held against tiles, root and earlier checkpoints."""

    def __init__(self, fetch: Fetch, checkpoint: Checkpoint, earlier: Sequence[tuple[str, Opened]]) -> None:
        self.found = Verified(checkpoint=checkpoint)
        self._fetch, self._size = fetch, checkpoint.size
        self._tree = GrowingTree()
        self._earlier = sorted(earlier, key=lambda pair: pair[1].checkpoint.size)
        self._last = ""
        for place, opened in self._earlier:
            if opened.checkpoint.size > self._size:
                raise BrokenLogError(
                    f"{place} was signed for {opened.checkpoint.size} records, and the log shows {self._size}: it was rolled back, or it "
                    "is a copy from before; keep the earlier checkpoint, it is the proof"
                )

    def bundles(self) -> Iterator[tuple[int, list[bytes]]]:
        """(index of the first, records) of every bundle, its hashes seen to stand in the tiles."""
        self._compare_earlier()
        for index in range(-(-self._size // WIDTH)):
            records = fetch_records(self._fetch, index, self._size)
            leaves = [leaf_hash(record) for record in records]
            stored = fetch_hashes(self._fetch, 0, index, self._size)
            if leaves != stored:
                place = next(place for place, pair in enumerate(zip(leaves, stored, strict=True)) if pair[0] != pair[1])
                raise BrokenLogError(
                    f"record {index * WIDTH + place} is not the one that its tile was made of: it was changed after it was logged"
                )
            self._grow(leaves)
            yield index * WIDTH, records

    def _grow(self, leaves: list[bytes]) -> None:
        """Extend the tree, stopping at the sizes of earlier checkpoints."""
        start = 0
        while start < len(leaves):
            stop = min(self._next_size() - self._tree.size + start, len(leaves))
            for tile in self._tree.extend(leaves[start:stop]):
                self._compare(tile)
            start = stop
            self._compare_earlier()

    def _next_size(self) -> int:
        return self._earlier[0][1].checkpoint.size if self._earlier else self._size + WIDTH

    def _compare_earlier(self) -> None:
        while self._earlier and self._earlier[0][1].checkpoint.size == self._tree.size:
            place, opened = self._earlier.pop(0)
            if self._tree.root() != opened.checkpoint.root:
                raise BrokenLogError(
                    f"{place} was signed for the first {opened.checkpoint.size} records, and the log has others in their place: its "
                    "past was rewritten, or it was split in two; keep both, they are the proof"
                )
            self.found.earlier += 1

    def _compare(self, tile: Tile) -> None:
        if tile.level and tuple(fetch_hashes(self._fetch, tile.level, tile.index, self._size)) != tile.hashes:
            path = tile_path(tile.level, tile.index, len(tile.hashes))
            raise BrokenLogError(f"{path} is not made of the tiles below it: it was changed after it was written")

    def note(self, entries: Sequence[Entry]) -> None:
        """Count kinds, and times that run backwards."""
        for entry in entries:
            self.found.kinds[entry.kind] = self.found.kinds.get(entry.kind, 0) + 1
            self.found.backwards += entry.at < self._last
            self._last = entry.at

    def end(self) -> None:
        """The right edge and the root."""
        for tile in self._tree.partial():
            self._compare(tile)
        if self._tree.root() != self.found.checkpoint.root:
            raise BrokenLogError(
                f"the {self._size} records do not give the root that was signed: records were changed after they were logged"
            )


class _Contents:
    """Contents held against commitments; what is missing must have been erased on record."""

    def __init__(self, openings: Openings | None) -> None:
        self._openings = openings
        self._missing, self._erased = bytearray(), bytearray()  # a bit for each record
        self._size = 0
        self.open, self.gone = 0, 0
        self.unfinished: tuple[int, ...] = ()

    def look(self, first: int, entries: Sequence[Entry]) -> None:
        """The contents of a bundle."""
        if self._openings is None:
            return
        missing = set(range(first, first + len(entries)))
        for index, salt, content in self._openings(first, first + len(entries)):
            if commitment(salt, content) != entries[index - first].commitment:
                raise BrokenLogError(f"the content of record {index} is not what was committed to: it was changed after it was logged")
            missing.discard(index)
        self.open += len(entries) - len(missing)
        self._size = first + len(entries)
        self._missing += bytes(WIDTH // 8)
        self._erased += bytes(WIDTH // 8)
        self._mark(self._missing, missing)
        for entry in entries:
            if entry.kind == ERASURE:
                self._mark(self._erased, entry.concerns)

    def _mark(self, bits: bytearray, indexes: Iterable[int]) -> None:
        for index in indexes:
            if index >= self._size:
                raise BrokenLogError(f"an erasure names record {index}, which stands after it; restore the log from a copy")
            bits[index >> 3] |= 1 << (index & 7)

    def end(self, erased_later: Callable[[], Iterable[int]]) -> None:
        """Nothing may be missing that no erasure names."""
        missing, erased = int.from_bytes(self._missing, "little"), int.from_bytes(self._erased, "little")
        self.gone = (missing & erased).bit_count()
        self.unfinished = tuple(_bits(erased & ~missing))
        lost = missing & ~erased
        if lost:
            # an erasure may have been recorded while we read
            self._mark(self._erased, [index for index in erased_later() if index < self._size])
            lost &= ~int.from_bytes(self._erased, "little")
        if lost:
            named = ", ".join(str(index) for index, _ in zip(_bits(lost), range(_NAMED), strict=False))
            count = lost.bit_count()
            raise BrokenLogError(
                f"contents of {count} records are missing and no record says that they were erased, first {named}; restore them from a copy"
            )


def _bits(number: int) -> Iterator[int]:
    """Places of the bits that are set, lowest first."""
    data = number.to_bytes(-(-number.bit_length() // 8), "little")
    return (8 * place + bit for place, byte in enumerate(data) if byte for bit in range(8) if byte >> bit & 1)
