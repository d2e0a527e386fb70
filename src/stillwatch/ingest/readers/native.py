"""Reads Stillwatch's own JSON Lines: the columns of the exchanges table, with `messages` allowed in place of the texts."""

from __future__ import annotations

from stillwatch.ingest.messages import Row, conversation, mapping, message_fields
from stillwatch.ingest.parsing import Record
from stillwatch.ingest.readers.base import Context, Reader
from stillwatch.records.tables import EXCHANGES


def _sniff(record: Record) -> bool:
    return "account_id" in record and "started_at" in record


def _read(record: Record, _context: Context) -> list[Row | None]:
    messages = record.get("messages")
    if not isinstance(messages, list) or not messages:
        return [record]
    last = mapping(messages[-1])
    answered = last.get("role") == "assistant"
    row = conversation(messages[:-1] if answered else messages)
    if answered:
        row |= message_fields(last)
    return [row | {key: value for key, value in record.items() if value is not None}]


NATIVE = Reader(name="native", columns=EXCHANGES.names, sniff=_sniff, read=_read)
