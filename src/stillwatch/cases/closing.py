"""How a case is closed, with what follows from it, and opened again."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import select

from stillwatch.cases.dispositions import SUPPRESSES, Disposition, reason_of
from stillwatch.cases.store import WORDS, Acting, CaseStore, Change, family, put_content
from stillwatch.cases.suppressing import LEAST_OVERLAP
from stillwatch.cases.tables import ClaimRow, TaskRow
from stillwatch.cases.words import MOST_DAYS, Status, bounded
from stillwatch.errors import UsageError

DAYS, OVERLAP = 90.0, 0.8
"""How long a suppression holds unless it is said otherwise, and how alike the members must be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Closing:
    """How a case is to be closed.

    Attributes:
        disposition, reason: what it turned out to be, and the reason code.
        words: the reason in words.
        suppress_days: how long the same finding is shown as suppressed; 0: not at all. Only after `benign_true` and `false`.
        overlap: least Jaccard index of the accounts of a later finding and of this case's, 0.5 to 1, for it to count as the same.
    """

    disposition: Disposition
    reason: str
    words: str
    suppress_days: float
    overlap: float = OVERLAP

    def __post_init__(self) -> None:
        reason_of(self.reason, self.disposition)
        if not 0 <= self.suppress_days <= MOST_DAYS:
            raise UsageError(f"--suppress-days is {self.suppress_days:g}; it takes 0 to {MOST_DAYS}: a suppression without an end is none")
        if self.suppress_days and self.disposition not in SUPPRESSES:
            raise UsageError(f"a case that is {self.disposition.value} suppresses nothing; leave out --suppress-days")
        if not LEAST_OVERLAP <= self.overlap <= 1:
            raise UsageError(f"--overlap is {self.overlap:g}; it takes {LEAST_OVERLAP:g} to 1")


def close(store: CaseStore, number: int, acting: Acting, closing: Closing) -> int:
    """Close a case; the number of the act. Open tasks stay open and are counted in the act."""
    words = bounded(closing.words, "--why")
    with store.changing(number, acting) as change:
        case = change.case
        said = put_content(change.session, store.box, words.encode("utf-8", "surrogatepass"), WORDS)
        case.status, case.disposition, case.reason = Status.CLOSED, closing.disposition, reason_of(closing.reason, closing.disposition).code
        case.words_id, case.closed_at, case.closed_by = said.id, acting.at, acting.by
        until = acting.at + timedelta(days=closing.suppress_days) if closing.suppress_days else None
        case.suppressed_until, case.overlap = until, closing.overlap if until else None
        detail = {"disposition": case.disposition, "reason": case.reason, "open_tasks": _open_tasks(change), "entities": _entities(change)}
        if until is not None:
            detail |= {"suppressed_until": until.isoformat(), "overlap": closing.overlap}
        return change.act("closed", detail, words=words).number


def reopen(store: CaseStore, number: int, acting: Acting, why: str) -> int:
    """Open a closed case again: its disposition, labels and suppressions count no longer. The number of the act."""
    words = bounded(why, "--why")
    with store.changing(number, acting, states=(Status.CLOSED,)) as change:
        case = change.case
        detail = {"disposition": case.disposition, "reason": case.reason}
        case.status = Status.OPEN
        case.disposition = case.reason = case.words_id = case.closed_at = case.closed_by = None
        case.suppressed_until = case.overlap = None
        return change.act("reopened", detail, words=words).number


def _open_tasks(change: Change) -> int:
    mine = TaskRow.case_number.in_(family(change.session, change.case.number))
    return len(list(change.session.scalars(select(TaskRow.id).where(mine, TaskRow.done_at.is_(None)))))


def _entities(change: Change) -> list[str]:
    mine = ClaimRow.case_number.in_(family(change.session, change.case.number))
    return list(change.session.scalars(select(ClaimRow.entity_id).where(mine).order_by(ClaimRow.id).limit(100)))
