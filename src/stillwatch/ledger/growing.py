"""A tree that grows at its right edge: what is unfinished of each level, which tiles became full, and the root. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from stillwatch.ledger.merkle import EMPTY_ROOT, node_hash, perfect_root
from stillwatch.ledger.tiles import HEIGHT, WIDTH, Fetch, fetch_hashes


@dataclass(frozen=True, slots=True, kw_only=True)
class Tile:
    """A tile of hashes: its level, its index within the level, and the hashes, at most 256."""

    level: int
    index: int
    hashes: tuple[bytes, ...]

    def content(self) -> bytes:
        """As the file holds it."""
        return b"".join(self.hashes)


class GrowingTree:
    """The right edge of a tree.

    Attributes:
        size: leaves so far.
    """

    def __init__(self, size: int = 0, edges: Iterable[list[bytes]] = ()) -> None:
        self.size = size
        self._edges = [list(edge) for edge in edges]

    @classmethod
    def read(cls, fetch: Fetch, size: int) -> GrowingTree:
        """The edge of a log of `size` records, from its tiles. Raises BrokenLogError where one is missing or has another length."""
        edges: list[list[bytes]] = []
        level = 0
        while count := size >> (HEIGHT * level):
            whole, partial = divmod(count, WIDTH)
            edges.append(fetch_hashes(fetch, level, whole, size) if partial else [])
            level += 1
        return cls(size, edges)

    def copy(self) -> GrowingTree:
        """Another tree of the same state."""
        return GrowingTree(self.size, self._edges)

    def extend(self, leaves: Iterable[bytes]) -> Iterator[Tile]:
        """Add leaf hashes; gives every tile as it becomes full."""
        given = list(leaves)
        if not self._edges:
            self._edges.append([])
        start = 0
        while start < len(given):
            edge = self._edges[0]
            part = given[start : start + WIDTH - len(edge)]
            edge += part
            start += len(part)
            self.size += len(part)
            if len(edge) == WIDTH:
                yield from self._filled(0)

    def _filled(self, level: int) -> Iterator[Tile]:
        while len(self._edges[level]) == WIDTH:
            hashes = tuple(self._edges[level])
            yield Tile(level=level, index=(self.size >> (HEIGHT * (level + 1))) - 1, hashes=hashes)
            self._edges[level] = []
            if len(self._edges) == level + 1:
                self._edges.append([])
            self._edges[level + 1].append(perfect_root(hashes))
            level += 1

    def partial(self) -> Iterator[Tile]:
        """The tiles that are not full."""
        for level, edge in enumerate(self._edges):
            if edge:
                yield Tile(level=level, index=self.size >> (HEIGHT * (level + 1)), hashes=tuple(edge))

    def root(self) -> bytes:
        """Of the tree so far. Source: RFC 6962, section 2.1."""
        root: bytes | None = None
        for edge in self._edges:
            for peak in reversed(list(_peaks(edge))):
                root = peak if root is None else node_hash(peak, root)
        return root or EMPTY_ROOT


def _peaks(edge: list[bytes]) -> Iterator[bytes]:
    """Roots of the perfect subtrees of at most 255 hashes, largest first."""
    start = 0
    while start < len(edge):
        width = 1 << ((len(edge) - start).bit_length() - 1)
        yield perfect_root(edge[start : start + width])
        start += width
