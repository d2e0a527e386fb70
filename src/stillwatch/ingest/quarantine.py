"""Writes down every row that was refused, and why, without its secrets."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from types import TracebackType

import orjson

from stillwatch.errors import naming
from stillwatch.ingest.secrets import mask

_HEAD_CHARS = 200
_WINDOW = 4096
_KEY_FIELD = re.compile(r'("(?:key_id|api_key|user_api_key|user_api_key_hash|authorization|x-api-key)"\s*:\s*")(?:[^"\\]|\\.)*+')


def head_of(data: bytes) -> str:
    """The first 200 characters of a record, secrets masked first, invalid bytes replaced."""
    text = data[:_WINDOW].decode("utf-8", "replace")
    return mask(_KEY_FIELD.sub(r"\1[key]", text))[:_HEAD_CHARS]


class Quarantine:
    """An open `quarantine.jsonl`: one line per refused row."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.reasons: Counter[str] = Counter()
        self._stream = path.open("wb")

    def add(self, *, file: str, line: int, byte_offset: int | None, reason: str, detail: str, head: bytes) -> None:
        """Write one line.

        Args:
            file: as the user gave it.
            line: 1-based line, element or row.
            byte_offset: in the unpacked file; None: the file is a table.
            reason: a short code.
            detail: what was expected and what was found.
            head: the record's bytes, or the beginning of them.
        """
        self.reasons[reason] += 1
        entry = {
            "file": file,
            "line": line,
            "byte_offset": byte_offset,
            "reason": reason,
            "detail": mask(detail),
            "head": head_of(head),
        }
        with naming(self.path):
            self._stream.write(orjson.dumps(entry, option=orjson.OPT_APPEND_NEWLINE))

    def __enter__(self) -> Quarantine:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        with naming(self.path):
            self._stream.close()
