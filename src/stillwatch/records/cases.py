"""What a case says, as it is sealed: claims, numbers with the rules that give them, exhibits, custody. Frozen values."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

Value = str | int | bool | None
"""What a cell of an exhibit holds. Numbers with a fraction are decimal text, such as `0.71`, so that everybody reads the same digits."""


class ColumnType(StrEnum):
    """What the cells of a column hold; None is allowed in each."""

    TEXT = "text"
    INTEGER = "integer"
    DECIMAL = "decimal"
    TIME = "time"
    BOOLEAN = "boolean"


class Identifies(StrEnum):
    """Whom or what a column's text names. Such cells leave only under a pseudonym of the recipient."""

    ACCOUNT = "account"
    EXCHANGE = "exchange"
    GROUP = "group"
    FINDING = "finding"
    TRACE = "trace"


class ExhibitKind(StrEnum):
    """What an exhibit is."""

    ROWS = "rows"
    FILE = "file"
    NOTE = "note"


class Rule(StrEnum):
    """How a number follows from what is in the case file; whoever verifies it computes it again."""

    COUNT = "count"
    DISTINCT = "distinct"
    SUM = "sum"
    MIN = "min"
    MAX = "max"
    SHARE = "share"
    RATIO = "ratio"
    Q_VALUE = "q_value"
    HOLM = "holm"
    LOG_MEAN = "log_mean"
    STATED = "stated"


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column of an exhibit.

    Attributes:
        name: lower-case letters, digits and underscores.
        type: of its cells.
        identifies: whom its cells name; None: nobody.
        text: whether it is text of requests, answers or customers, which leaves only where that is asked for.
    """

    name: str
    type: ColumnType = ColumnType.TEXT
    identifies: Identifies | None = None
    text: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseExhibit:
    """A piece of evidence: rows under columns. A file and a note are one row each; a file's bytes stand beside it.

    Attributes:
        uid: `E1`, `E2` and so on, in the order in which they are shown.
        kind: rows, file or note.
        title: in a few words.
        shows: what it shows, in a sentence.
        origin: where it comes from: the command, the file with its sha256, the person.
        columns: of the rows; see `sealing.exhibits` for those of files and notes.
        rows: a value for each column.
        data: a file's bytes; None: no file, or its bytes stay in the house and its sha256 is evidence.
    """

    uid: str
    kind: ExhibitKind
    title: str
    shows: str
    origin: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Value, ...], ...]
    data: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """Rows whose cell in `column` equals `equals`."""

    column: str
    equals: Value


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseNumber:
    """A number that a claim rests on.

    Attributes:
        uid: `N1`, `N2` and so on.
        label: what it is, in words: `requests of the group`.
        value: decimal text with as many places as are claimed, such as `412000` or `0.93`; a time for the earliest and latest of times.
        unit: such as `requests`, `share`, `USD`.
        rule: how it follows from the exhibit.
        exhibit: whose rows; None: of a ratio, or merely stated.
        column: that is counted distinct, summed or compared; None where the rule needs none.
        by: column that each value is multiplied by in a sum, or that says how many tests each p-value of a q-value stands for.
        where: conditions that a row has to meet, all of them; for a share, those of the rows counted.
        of: earlier numbers: the two whose quotient a ratio is, the p-value of a q-value.
        how: for everybody, how it comes about; for a stated number, how else to get it: command, files, seed.
    """

    uid: str
    label: str
    value: str
    unit: str
    rule: Rule
    how: str
    exhibit: str | None = None
    column: str | None = None
    by: str | None = None
    where: tuple[Condition, ...] = ()
    of: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """What is claimed of whom.

    Attributes:
        uid: `C1`, `C2` and so on.
        text: one claim in plain words.
        about: the account or group, as the scan names it; the suspect's name for a verdict.
        about_kind: whether that name is one that leaves as a pseudonym; None: a name that may leave, as that of a suspect model.
        certainty: how sure it is, in words, with what that rests on.
        source: uid of the finding, or sha256 of the verdict, that it comes from.
        numbers, exhibits: uids that it rests on.
    """

    uid: str
    text: str
    about: str
    about_kind: Identifies | None
    certainty: str
    source: str
    numbers: tuple[str, ...]
    exhibits: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class OrdinaryExplanation:
    """An innocent way in which the same could come about, and what speaks for and against it."""

    text: str
    weighed: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseMember:
    """An account of the case, as the scan names it, with the group it belongs to; None: it stands for itself."""

    account_id: str
    group_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """A version, a setting or a seed: its name and its value as text."""

    name: str
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseInput:
    """A file that the claims come from: name, sha256 of its bytes, rows where they were counted."""

    name: str
    sha256: str
    rows: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CustodyEvent:
    """Something that was done with the evidence.

    Attributes:
        at: UTC.
        who: did it, by the name that recipients may read.
        action: such as `collected`, `exhibit added`, `handed over`.
        why: in words.
        before, after: keyed hash of the evidence before and after, 64 hexadecimal digits (`sealing.commitments.evidence_digest`);
            `before` is None where there was none yet.
    """

    at: datetime
    who: str
    action: str
    why: str
    before: str | None
    after: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Disposition:
    """How the case was judged in the house.

    Attributes:
        outcome: `true`, `benign_true`, `false` or `undetermined`.
        reason: code.
        words: the reason in words.
        by, at: who and when.
    """

    outcome: str
    reason: str
    words: str
    by: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseContent:
    """All that is sealed of a case. It holds identifiers and private text as they are; what of it leaves is decided when it is sealed.

    Attributes:
        case_id: of the case, which recipients read: nothing that names a customer.
        title, summary: in plain words.
        opened_at: UTC.
        claims, numbers, exhibits: in the order in which they are shown.
        ordinary: innocent explanations that were considered; never empty.
        limits: what the evidence does not show, in sentences; never empty.
        members: accounts that it is about.
        identifiers: further (kind, identifier) that may stand within texts, and leave as pseudonyms as members do.
        versions, settings, seeds, inputs: what the claims were made with.
        custody: oldest first; each `before` is the `after` of the one before it.
        dispositions: oldest first.
        salt_key: 32 random bytes of this case alone, made with it and erased with it. A secret: who has it can try out withheld cells.
    """

    case_id: str
    title: str
    summary: str
    opened_at: datetime
    claims: tuple[Claim, ...]
    numbers: tuple[CaseNumber, ...]
    exhibits: tuple[CaseExhibit, ...]
    ordinary: tuple[OrdinaryExplanation, ...]
    limits: tuple[str, ...]
    members: tuple[CaseMember, ...]
    versions: tuple[Named, ...]
    settings: tuple[Named, ...]
    seeds: tuple[Named, ...]
    inputs: tuple[CaseInput, ...]
    custody: tuple[CustodyEvent, ...]
    dispositions: tuple[Disposition, ...]
    identifiers: tuple[tuple[Identifies, str], ...] = ()
    salt_key: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedColumn:
    """A column of a case's exhibit, as the log holds it: name, type, whom it identifies, whether it holds text of customers."""

    name: str
    type: str
    identifies: str | None
    text: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseExhibitMade:
    """An exhibit of a case that is sealed, by the commitment to its cells; it is the same for every recipient.

    Attributes:
        case_id, exhibit: which exhibit of which case.
        kind: `rows`, `file` or `note`.
        columns: of its rows.
        rows: how many there are.
        root: hash over the commitments of all cells.
    """

    case_id: str
    exhibit: str
    kind: str
    columns: tuple[LoggedColumn, ...]
    rows: int
    root: str
