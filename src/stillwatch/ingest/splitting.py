"""Cuts a stream of bytes into JSON records: lines, the elements of arrays, or values one after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

LINES = "lines"
ARRAY = "array"
VALUES = "values"

TORN = "torn_archive"
TOO_LONG = "record_too_long"
TRUNCATED = "truncated"

_BOM = b"\xef\xbb\xbf"
_HEAD = 4096


class Raw(NamedTuple):
    """One record as it stands in the file.

    Attributes:
        number: 1-based line, or 1-based element.
        offset: of its first byte in the unpacked file.
        data: its bytes without the line end; only the first few thousand when `problem` is set.
        problem: reason code when it cannot be used at all, else "".
        size: bytes it takes.
    """

    number: int
    offset: int
    data: bytes
    problem: str = ""
    size: int = 0


Splitter = Callable[[Iterator[bytes], int], Iterator[Raw]]


def splitter(layout: str) -> Splitter:
    """The function that cuts blocks of the given layout into records no longer than its second argument."""
    return split_lines if layout == LINES else (lambda blocks, limit: split_values(blocks, limit, level=int(layout == ARRAY)))


def without_mark(blocks: Iterator[bytes]) -> Iterator[tuple[int, bytes]]:
    """The blocks with their offsets, less a UTF-8 byte order mark at the beginning."""
    offset = 0
    first = b""
    for block in blocks:
        if offset == 0:
            first += block
            if len(first) < len(_BOM):
                continue
            cut = len(_BOM) if first.startswith(_BOM) else 0
            yield cut, first[cut:]
            offset, first = len(first), b""
        else:
            yield offset, block
            offset += len(block)
    if first:
        yield 0, first


class _Lines:
    """What `split_lines` carries from block to block."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.number = 0
        self.rest = b""
        self.rest_at = 0
        self.dropped = 0

    def take(self, offset: int, block: bytes) -> Iterator[Raw]:
        if not self.rest and not self.dropped:
            self.rest_at = offset
        at = self.rest_at
        lines = (self.rest + block).split(b"\n")
        self.rest = lines.pop()
        for line in lines:
            self.number += 1
            size = len(line) + self.dropped
            if size > self.limit:
                yield Raw(self.number, at, line[:_HEAD], TOO_LONG, size)
            elif line and not line.isspace():
                yield Raw(self.number, at, line[:-1] if line.endswith(b"\r") else line)
            at += size + 1
            self.dropped = 0
        self.rest_at = at
        if len(self.rest) + self.dropped > self.limit and len(self.rest) > _HEAD:
            self.dropped += len(self.rest) - _HEAD
            self.rest = self.rest[:_HEAD]

    def end(self) -> Iterator[Raw]:
        if self.rest and not self.rest.isspace():
            problem = TOO_LONG if self.dropped else ""
            line = self.rest[:-1] if self.rest.endswith(b"\r") else self.rest
            yield Raw(self.number + 1, self.rest_at, line, problem, len(self.rest) + self.dropped)


def split_lines(blocks: Iterator[bytes], limit: int) -> Iterator[Raw]:
    """One record per line that is not blank. A line longer than `limit` bytes is passed over and comes out as a problem."""
    lines = _Lines(limit)
    for offset, block in without_mark(blocks):
        yield from lines.take(offset, block)
    yield from lines.end()


class _Values:
    """What `split_values` carries from block to block."""

    def __init__(self, limit: int, level: int) -> None:
        self.limit = limit
        self.level = level
        self.number = 0
        self.state = np.array([0, 0, 0, -1, 0], dtype=np.int64)
        self.rest = b""
        self.dropped = 0

    def take(self, offset: int, block: bytes) -> Iterator[Raw]:
        from stillwatch.ingest.kernels import START, scan_values

        data = self.rest + block
        begin = len(self.rest)
        base = offset - begin - self.dropped
        spans = np.empty((len(block) + 1, 2), dtype=np.int64)
        found = scan_values(np.frombuffer(data, dtype=np.uint8), begin, self.state, self.level, spans)
        for start, end in spans[:found].tolist():
            self.number += 1
            size = end - start + self.dropped
            # dropped bytes lie inside the value that was open, which is the first one to end
            at = base + start if self.dropped else offset - begin + start
            problem = TOO_LONG if size > self.limit else ""
            yield Raw(self.number, at, data[start : min(end, start + _HEAD)] if problem else data[start:end], problem, size)
            self.dropped = 0
        start = int(self.state[START])
        self.rest = data[start:] if start >= 0 else b""
        if start >= 0:
            self.state[START] = 0
        if len(self.rest) + self.dropped > self.limit and len(self.rest) > _HEAD:
            self.dropped += len(self.rest) - _HEAD
            self.rest = self.rest[:_HEAD]

    def end(self, offset: int) -> Iterator[Raw]:
        if self.rest.strip():
            size = len(self.rest) + self.dropped
            whole = self.level == 0 and bool(self.state[4])
            problem = "" if whole and not self.dropped else TRUNCATED
            yield Raw(self.number + 1, offset - size, self.rest, problem, size)


def split_values(blocks: Iterator[bytes], limit: int, *, level: int) -> Iterator[Raw]:
    """One record per JSON value that stands `level` brackets deep; a value that never ends comes out as a problem."""
    values = _Values(limit, level)
    end = 0
    for offset, block in without_mark(blocks):
        yield from values.take(offset, block)
        end = offset + len(block)
    yield from values.end(end)
