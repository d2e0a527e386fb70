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
_KEY_NAME = (
    r"(?:[\w.-]{0,60}[_.-])?(?:api[_-]?key|user_api_key_hash|key[_-]?id|(?:subscription|functions|access|private|secret)[_-]key|authorization"
    r"|(?:set-)?cookie2?|x-auth(?:-[a-z-]{1,30})?|password|passwd|secret|token|goog-api-key)"
)
# `"key_id": ...`, also inside a string, and `"key": "api_key", "value": ...`
_KEY_FIELD = re.compile(
    rf'(?<!\w)\\{{0,8}}["\']{_KEY_NAME}\\{{0,8}}["\']\s{{0,8}}'
    rf'(?::\s{{0,8}}|,\s{{0,8}}\\{{0,8}}["\'](?:value|stringValue)\\{{0,8}}["\']\s{{0,8}}:\s{{0,8}})',
    re.IGNORECASE,
)
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*+"?|\\+"[^"\\]*(?:\\+")?|[\[{]|[\]}]|[^"\\\[\]{},\s]++|.', re.DOTALL)


def head_of(data: bytes) -> str:
    """The first 200 characters of a record, secrets masked first, invalid bytes replaced."""
    text = data[:_WINDOW].decode("utf-8", "replace")
    return mask(_without_keys(text))[:_HEAD_CHARS]


def _without_keys(text: str) -> str:
    """`text` with `"[key]"` for each value of a field that holds keys, be it a string, a number, a list or an object."""
    kept: list[str] = []
    position = 0
    while found := _KEY_FIELD.search(text, position):
        kept.append(text[position : found.end()])
        position = _value_end(text, found.end())
        kept.append('"[key]"' if position > found.end() else "")
    return "".join([*kept, text[position:]])


def _value_end(text: str, start: int) -> int:
    """Where the JSON value that begins at `start` ends; the end of the text, where it has none."""
    depth = 0
    for token in _TOKEN.finditer(text, start):
        depth += {"{": 1, "[": 1, "}": -1, "]": -1}.get(token.group(), 0)
        if depth < 0:
            return token.start()
        if depth == 0:
            return token.end()
    return len(text)


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
