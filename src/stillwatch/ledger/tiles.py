"""C2SP tiles: where hashes and records of a log stand among static files, and how they are read back. Pure: files are given by a function.

Source: c2sp.org/tlog-tiles v0.1.0. A tile holds up to 256 hashes of one level; a bundle up to 256 records, each after its length (uint16,
big-endian).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from stillwatch.ledger.merkle import HASH_BYTES, perfect_root, range_root
from stillwatch.ledger.refusals import BrokenLogError

WIDTH = 256
HEIGHT = 8
ENTRIES = "entries"
LONGEST_RECORD = 2**16 - 1
LARGEST_TILE = WIDTH * HASH_BYTES
LARGEST_BUNDLE = WIDTH * (LONGEST_RECORD + 2)
_KEPT_TILES = 64

Fetch = Callable[[str, int], bytes | None]
"""The content of a file of the log, given its path and the most bytes that it may have; None where there is none."""


def tile_path(level: int | str, index: int, width: int = WIDTH) -> str:
    """Path below the log's prefix; `level` is a number, or ENTRIES for a bundle of records."""
    parts = [f"{index % 1000:03d}"]
    while index >= 1000:
        index //= 1000
        parts.insert(0, f"x{index % 1000:03d}")
    path = f"tile/{level}/{'/'.join(parts)}"
    return path if width == WIDTH else f"{path}.p/{width}"


def tile_width(level: int, index: int, size: int) -> int:
    """Hashes in that tile of a log of `size` records, in [0, 256]."""
    return max(0, min(WIDTH, (size >> (HEIGHT * level)) - index * WIDTH))


def tiles_of(size: int) -> Iterator[tuple[int, int, int]]:
    """(level, index, width) of every tile of a log of `size` records."""
    level = 0
    while count := size >> (HEIGHT * level):
        for index in range(-(-count // WIDTH)):
            yield level, index, tile_width(level, index, size)
        level += 1


def bundle(records: Sequence[bytes]) -> bytes:
    """Records as a bundle. Raises BrokenLogError for one that is too long."""
    parts: list[bytes] = []
    for record in records:
        if len(record) > LONGEST_RECORD:
            raise BrokenLogError(f"a record has {len(record)} bytes, and a bundle holds at most {LONGEST_RECORD} of each; shorten it")
        parts += (len(record).to_bytes(2, "big"), record)
    return b"".join(parts)


def records_of(data: bytes, path: str) -> list[bytes]:
    """The records of a bundle. Raises BrokenLogError for a torn one."""
    records: list[bytes] = []
    place = 0
    while place < len(data):
        length = int.from_bytes(data[place : place + 2], "big")
        record = data[place + 2 : place + 2 + length]
        if place + 2 + length > len(data):
            raise BrokenLogError(f"{path} is torn after record {len(records)}; restore it from a copy")
        records.append(record)
        place += 2 + length
        if len(records) > WIDTH:
            raise BrokenLogError(f"{path} holds more than {WIDTH} records; restore it from a copy")
    return records


def fetch_records(fetch: Fetch, index: int, size: int) -> list[bytes]:
    """The records of bundle `index` in a log of `size` records. Raises BrokenLogError where it is missing, torn or too short."""
    width = tile_width(0, index, size)
    path, data = _fetched(fetch, ENTRIES, index, width, LARGEST_BUNDLE)
    records = records_of(data, path)
    if len(records) < width or (path.endswith(f".p/{width}") and len(records) != width):
        raise BrokenLogError(f"{path} holds {len(records)} records, {width} were expected; restore it from a copy")
    return records[:width]


def fetch_hashes(fetch: Fetch, level: int, index: int, size: int) -> list[bytes]:
    """The hashes of a tile in a log of `size` records. Raises BrokenLogError where it is missing or has another length."""
    width = tile_width(level, index, size)
    path, data = _fetched(fetch, level, index, width, LARGEST_TILE)
    expected = width if path.endswith(f".p/{width}") else WIDTH
    if len(data) != expected * HASH_BYTES:
        raise BrokenLogError(f"{path} has {len(data)} bytes, {expected * HASH_BYTES} were expected; restore it from a copy")
    return [data[place : place + HASH_BYTES] for place in range(0, width * HASH_BYTES, HASH_BYTES)]


def _fetched(fetch: Fetch, level: int | str, index: int, width: int, most: int) -> tuple[str, bytes]:
    """A partial file may have been deleted once the full one stood; the full one then begins with the same."""
    for path in dict.fromkeys((tile_path(level, index, width), tile_path(level, index))):
        data = fetch(path, most)
        if data is not None:
            return path, data
    raise BrokenLogError(f"{tile_path(level, index, width)} is missing, and the checkpoint needs it; restore it from a copy")


class TileNodes:
    """Perfect subtrees of a log of `size` records, from its tiles.

    Attributes:
        size: of the log.
        touched: paths of the tiles that were read.
    """

    def __init__(self, fetch: Fetch, size: int) -> None:
        self.size = size
        self.touched: set[str] = set()
        self._fetch = fetch
        self._kept: dict[tuple[int, int], list[bytes]] = {}

    def __call__(self, level: int, index: int) -> bytes:
        """The hash over leaves [index * 2 ** level, (index + 1) * 2 ** level)."""
        tile_level, within = divmod(level, HEIGHT)
        first = index << within
        tile, place = divmod(first, WIDTH)
        hashes = self._hashes(tile_level, tile)
        return perfect_root(hashes[place : place + (1 << within)])

    def root(self) -> bytes:
        """Of the whole log."""
        return range_root(0, self.size, self)

    def _hashes(self, level: int, tile: int) -> list[bytes]:
        found = self._kept.get((level, tile))
        if found is None:
            found = fetch_hashes(self._fetch, level, tile, self.size)
            self.touched.add(tile_path(level, tile, len(found)))
            while len(self._kept) >= _KEPT_TILES:
                del self._kept[next(iter(self._kept))]
            self._kept[level, tile] = found
        return found
