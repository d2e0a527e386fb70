"""What a reader is: it recognises one source's records and turns each into rows of the exchanges table."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from stillwatch.ingest.messages import Row
from stillwatch.ingest.parsing import Record

REQUEST_ID = "_request_id"
"""Key under which a reader gives a further id for joining with access logs; not a column."""

ODD_SHAPES = (TypeError, ValueError, KeyError, AttributeError, IndexError, RecursionError, OverflowError)
"""What reading a record of a shape that its source does not document may raise; the record is then refused."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What a reader may know beside the record.

    Attributes:
        file: the file's name as shown to the user.
        folder: see InputFile.
        default_account: account of rows whose source has none; None: there is no default.
        max_depth: bound on JSON that a source keeps in strings.
        account_tag: see IngestSettings.
    """

    file: str
    folder: str
    default_account: str | None
    max_depth: int
    account_tag: str | None = None

    def tenant_names(self, usual: tuple[str, ...]) -> tuple[str, ...]:
        """Names of tags that hold the account, the user's own first."""
        return usual if self.account_tag is None else (self.account_tag, *usual)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """One source.

    Attributes:
        name: what `format` and the column `source` call it.
        columns: the columns it can fill.
        sniff: whether a record looks like this source's.
        read: the rows of one record; None stands for an entry that is no exchange and is counted as skipped.
        entries: (id, client address, user agent) that a record tells of other records of the same file; None: never any.
        entry_marks: a record without any of these bytes has no such entries.
    """

    name: str
    columns: tuple[str, ...]
    sniff: Callable[[Record], bool]
    read: Callable[[Record, Context], list[Row | None]]
    entries: Callable[[Record], Iterator[tuple[str, str | None, str | None]]] | None = None
    entry_marks: tuple[bytes, ...] = ()
