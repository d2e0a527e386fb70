"""Where in a row the text, the token ids and the id of a document stand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

TEXTS = ("text", "content", "document", "raw_content", "body")
CONVERSATIONS = ("messages", "conversations", "conversation", "chosen")
PARTS = ("system", "instruction", "prompt", "question", "input", "context", "reasoning", "completion", "response", "output", "answer")
TOKENS = ("input_ids", "token_ids", "tokens")
IDS = ("id", "doc_id", "document_id", "uuid", "url")
_SAID = ("content", "value", "text")


@dataclass(frozen=True, slots=True, kw_only=True)
class Fields:
    """Columns that the user names; None: the usual names are tried in order.

    Attributes:
        text: column of the text, or of a list of messages.
        tokens: column of token ids.
        id: column of the document's id.
    """

    text: str | None = None
    tokens: str | None = None
    id: str | None = None

    def wanted(self, names: Sequence[str]) -> list[str]:
        """Those of a table's columns that can matter."""
        known = {self.text, self.tokens, self.id}
        known |= set() if self.text else {*TEXTS, *CONVERSATIONS, *PARTS}
        known |= set() if self.tokens else set(TOKENS)
        known |= set() if self.id else set(IDS)
        return [name for name in names if name in known]

    def text_of(self, row: Mapping[str, Any]) -> str | None:
        """The text of a row: a text column, else the messages of a conversation, else the parts of a pair, a line each; None for none."""
        if self.text:
            return _said(row.get(self.text))
        for name in (*TEXTS, *CONVERSATIONS):
            said = _said(row.get(name))
            if said:
                return said
        parts = [said for name in PARTS if (said := _said(row.get(name)))]
        return "\n".join(parts) if parts else None

    def tokens_of(self, row: Mapping[str, Any]) -> list[Any] | None:
        """The token ids of a row as they stand there; None for none."""
        for name in (self.tokens,) if self.tokens else TOKENS:
            value = row.get(name)
            if isinstance(value, list) and (self.tokens or _numbers(cast("list[Any]", value))):
                return cast("list[Any]", value)
        return None

    def id_of(self, row: Mapping[str, Any]) -> str | None:
        """The id of a row; None for none."""
        for name in (self.id,) if self.id else IDS:
            value = row.get(name)
            if isinstance(value, str | int) and not isinstance(value, bool):
                return str(value)
        return None


def _numbers(values: list[Any]) -> bool:
    """Whether a list may be token ids; `tokens` is also what lists of words are called."""
    return bool(values) and isinstance(values[0], int) and not isinstance(values[0], bool)


def _said(value: object, depth: int = 0) -> str | None:
    """A string, or what the messages of a list say, a line each."""
    if isinstance(value, str):
        return value
    if isinstance(value, dict):
        message = cast("dict[str, object]", value)
        return next((said for name in _SAID if (said := _said(message.get(name), depth + 1))), None) if depth < 4 else None
    if isinstance(value, list) and depth < 4:
        parts = [said for item in cast("list[object]", value) if isinstance(item, dict | str) and (said := _said(item, depth + 1))]
        return "\n".join(parts) if parts else None
    return None
