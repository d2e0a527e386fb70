"""Reads a file's bytes in bounded blocks, unpacking gzip and zstd, and hashes the file on the way."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

import zstandard

from stillwatch.errors import StillwatchError

PLAIN = "none"
GZIP = "gzip"
ZSTD = "zstd"

_GZIP_MAGIC = b"\x1f\x8b"
_ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
_ZSTD_SKIPPABLE = (0x184D2A50, 0x184D2A5F)
_BLOCK = 1 << 20
_GZIP_PIECE = 1 << 18
_GZIP_OUT = 1 << 21
_GZIP_RETRY = 64
# A zstd block of 4 bytes may unpack to 128 KiB, so small pieces are what bounds the memory that a hostile file can take.
_ZSTD_PIECE = 1 << 10


class TornArchiveError(StillwatchError):
    """The archive ends early or is damaged; what could be unpacked has been given out."""


def compression_of(head: bytes) -> str:
    """Which compression a file's first four bytes announce."""
    if head.startswith(_GZIP_MAGIC):
        return GZIP
    if head.startswith(_ZSTD_MAGIC):
        return ZSTD
    low, high = _ZSTD_SKIPPABLE
    return ZSTD if low <= int.from_bytes(head[:4], "little") <= high and len(head) >= len(_ZSTD_MAGIC) else PLAIN


class ByteSource:
    """One input file as a stream of unpacked blocks.

    `read_bytes` counts the bytes of the file itself; `digest()` is their sha256 once the stream has been read to its end.
    """

    def __init__(self, path: Path, compression: str) -> None:
        self._path = path
        self._compression = compression
        self._hash = hashlib.sha256()
        self.read_bytes = 0

    def blocks(self) -> Iterator[bytes]:
        """Unpacked blocks of at most a few tens of MiB; raises TornArchiveError after the last readable one."""
        unpack: dict[str, Callable[[Iterator[bytes]], Iterator[bytes]]] = {PLAIN: iter, GZIP: _gunzip, ZSTD: _unzstd}
        with self._path.open("rb") as stream:
            try:
                yield from unpack[self._compression](self._raw(stream))
            except TornArchiveError:
                for _ in self._raw(stream):
                    pass  # the hash is of the whole file, torn or not
                raise

    def _raw(self, stream: BinaryIO) -> Iterator[bytes]:
        while block := stream.read(_BLOCK):
            self._hash.update(block)
            self.read_bytes += len(block)
            yield block

    def digest(self) -> str:
        """sha256 of the bytes read so far, as hex."""
        return self._hash.hexdigest()


def _gunzip(raw: Iterator[bytes]) -> Iterator[bytes]:
    member = None
    for block in raw:
        for start in range(0, len(block), _GZIP_PIECE):
            data = block[start : start + _GZIP_PIECE]
            while data:
                if member is None:
                    data = data.lstrip(b"\0")  # padding between members is allowed
                    if not data:
                        break
                    member = zlib.decompressobj(wbits=31)
                yield from _inflate(member, data)
                data = member.unused_data
                member = None if member.eof else member
    if member is not None:
        raise TornArchiveError("gzip data end before the end of the member")


def _inflate(member: Any, data: bytes) -> Iterator[bytes]:
    while data and not member.eof:
        before = member.copy()
        try:
            out = member.decompress(data, _GZIP_OUT)
        except zlib.error:
            yield from _salvage(before, data)
            raise TornArchiveError("gzip data are damaged") from None
        if out:
            yield out
        data = member.unconsumed_tail


def _salvage(member: Any, data: bytes) -> Iterator[bytes]:
    """What a damaged piece still holds before the damage, found by feeding it in small steps."""
    for start in range(0, len(data), _GZIP_RETRY):
        try:
            out = member.decompress(data[start : start + _GZIP_RETRY])
        except zlib.error:
            return
        if out:
            yield out


def _unzstd(raw: Iterator[bytes]) -> Iterator[bytes]:
    unpacker = zstandard.ZstdDecompressor(max_window_size=1 << 27)
    frame = None
    for block in raw:
        for start in range(0, len(block), _ZSTD_PIECE):
            data = block[start : start + _ZSTD_PIECE]
            while data:
                frame = frame or unpacker.decompressobj()
                try:
                    out = frame.decompress(data)
                except zstandard.ZstdError:
                    raise TornArchiveError("zstd data are damaged") from None
                if out:
                    yield out
                data = frame.unused_data if frame.eof else b""
                frame = None if frame.eof else frame
    if frame is not None:
        raise TornArchiveError("zstd data end before the end of the frame")
