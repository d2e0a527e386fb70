"""Cases on the terminal. What people and logs wrote is shown as text: bounded, with what acts made visible, never as markup."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from rich.console import Group, RenderableType
from rich.text import Text

from stillwatch.app.showing import text_table
from stillwatch.cases.words import case_name
from stillwatch.report.text import visible

if TYPE_CHECKING:
    from stillwatch.cases.dispositions import Reason
    from stillwatch.cases.joining import Related
    from stillwatch.cases.labels import Precision
    from stillwatch.cases.views import ActView, CaseSummary, CaseView, ClaimView, ExhibitView, TaskView

MASKED = "[private]"
_LABEL, _SENTENCE, _DETAIL = 120, 600, 300
_NAMED = 8


def list_table(cases: Sequence[CaseSummary], *, now: datetime) -> RenderableType:
    """Cases, a row each; what is overdue says so."""
    rows = [
        (
            case_name(case.number),
            case.severity,
            _label(case.title),
            _state(case),
            case.assignee or "–",
            _due(case.due_at, now, done=case.status != "open"),
            f"{case.members:,}",
            case.open_tasks,
        )
        for case in cases
    ]
    columns = ("case", "severity", "title", "state", "assignee", "due", "accounts", "tasks")
    return text_table(f"Cases ({len(cases):,})", columns, rows, whole=("case", "severity", "due", "accounts"))


def case_page(case: CaseView, *, now: datetime) -> RenderableType:
    """A case: where it stands, what is claimed, exhibits, tasks."""
    summary = case.summary
    head = [
        Text(f"{case_name(summary.number)}: {_label(summary.title)}", style="bold"),
        Text(f"{_state(summary)}, severity {summary.severity}, version {summary.version}"),
        Text(f"Made {_time(summary.created_at)} by {summary.created_by}; known outside as {summary.uid}"),
        Text(f"Assignee: {summary.assignee or 'nobody'}. Due: {_due(summary.due_at, now, done=summary.status != 'open')}."),
    ]
    if case.words is not None:
        head.append(Text(f"Closed {_time(summary.closed_at)} by {summary.closed_by}: {visible(case.words, limit=_SENTENCE)}"))
    if summary.suppressed_until is not None:
        head.append(Text(f"The same finding is shown as suppressed until {_time(summary.suppressed_until)}."))
    for word, others in (("Took in", case.merged), ("Linked with", case.linked)):
        if others:
            head.append(Text(f"{word}: {', '.join(case_name(other) for other in others)}"))
    parts: list[RenderableType] = [*head, *(part for claim in case.claims for part in _claim(claim))]
    parts.append(_exhibits(case.exhibits) if case.exhibits else Text("\nNo exhibits."))
    if any(exhibit.private for exhibit in case.exhibits):
        parts.append(
            Text(f"Private contents are shown by: stillwatch case read {case_name(summary.number)} EXHIBIT --why WORDS. It is recorded.")
        )
    parts.append(_tasks(case.tasks, now) if case.tasks else Text("\nNo tasks."))
    return Group(*parts)


def timeline_table(acts: Sequence[ActView]) -> RenderableType:
    """Everything that was done, oldest first; times are UTC."""
    rows = [
        (
            case_name(act.case),
            act.number,
            f"{act.at:%Y-%m-%d %H:%M:%S}",
            act.by,
            act.act.replace("_", " "),
            _act_words(act),
            "–" if act.log_index is None else act.log_index,
        )
        for act in acts
    ]
    return text_table(
        f"Timeline ({len(acts):,} acts, chain of hashes whole)", ("case", "act", "at", "by", "did", "what", "in log"), rows, whole=("case",)
    )


def related_table(found: Sequence[Related]) -> RenderableType:
    """Cases that share something, what it is, and what sharing it is worth."""
    rows = [
        (
            case_name(other.number),
            other.status,
            _label(other.title),
            f"{other.accounts:,}",
            _ties(other.traces),
            _ties(other.infrastructure),
            f"{other.nats:.1f}",
            "yes" if other.linked else "no",
        )
        for other in found
    ]
    columns = ("case", "state", "title", "shared accounts", "shared traces", "shared infrastructure", "nats", "linked")
    return text_table(f"Related cases ({len(found):,})", columns, rows)


def precision_table(rows: Sequence[Precision]) -> RenderableType:
    """How often findings were right, with exact intervals; no share where there are too few labels."""
    shown = [
        (
            row.severity,
            row.findings,
            row.labelled,
            _share(row.as_found, row, row.as_found_interval),
            _share(row.harm, row, row.harm_interval),
        )
        for row in rows
    ]
    said = Text(
        "Shares of labelled findings with exact 95 % intervals (Clopper-Pearson). They hold for all findings of a severity only if the "
        "labelled ones are a random draw of them."
    )
    return Group(text_table("Precision", ("severity", "findings", "labelled", "happened as found", "harm"), shown), said)


def reasons_table(reasons: Sequence[Reason]) -> RenderableType:
    """Dispositions and reason codes."""
    rows = [(reason.disposition.value.replace("_", "-"), reason.code, reason.says) for reason in reasons]
    return text_table("Dispositions and reason codes", ("disposition", "reason", "says"), rows)


def masked(exhibit: ExhibitView) -> str:
    """What a listing shows of an exhibit's content."""
    if exhibit.sha256 is None:
        return "[erased]"
    return MASKED if exhibit.private else exhibit.note or ""


def _claim(claim: ClaimView) -> list[RenderableType]:
    numbers = claim.numbers
    said = "; ".join(f"{name.replace('_', ' ')} {_number(numbers[name])}" for name in _STATED if numbers.get(name) is not None)
    source = f"{claim.source.kind} {_label(claim.source.name)} of {_time(claim.source.made_at)}, sha256 {claim.source.sha256[:16]}…"
    parts: list[RenderableType] = [
        Text(f"\nClaim {claim.id}: {visible(claim.title, limit=_SENTENCE)}", style="bold"),
        Text(visible(claim.statement, limit=_SENTENCE * 2)),
        Text(f"{claim.kind} {visible(claim.entity_id, limit=_LABEL)}, severity {claim.severity}; {said}"),
        Text(f"From {source}; exhibit {claim.exhibit} holds all of it."),
    ]
    if claim.members:
        named = ", ".join(visible(account, limit=60) for account in claim.accounts[:_NAMED])
        parts.append(Text(f"{claim.members:,} accounts: {named}{' …' if claim.members > _NAMED else ''}"))
    if claim.ties:
        rows = [
            (
                tie.kind,
                _label(tie.trace),
                "infrastructure" if tie.infrastructure else "trace",
                tie.accounts,
                tie.sharing,
                f"{tie.weight:.1f}",
            )
            for tie in claim.ties
        ]
        parts.append(text_table("What ties them", ("kind", "trace", "is", "accounts here", "in the log", "nats"), rows))
    return parts


_STATED = ("pooling", "harvest", "outcome", "strength", "p_value", "q_value", "log10_e", "exchanges", "output_tokens", "list_price")


def _exhibits(exhibits: Sequence[ExhibitView]) -> RenderableType:
    rows = [
        (
            exhibit.id,
            exhibit.kind,
            _label(exhibit.label),
            f"{exhibit.bytes:,}",
            "–" if exhibit.rows is None else f"{exhibit.rows:,}",
            (exhibit.sha256 or "")[:12],
            f"{exhibit.added_by}, {_time(exhibit.added_at)}",
            visible(masked(exhibit), limit=_SENTENCE),
        )
        for exhibit in exhibits
    ]
    columns = ("exhibit", "kind", "label", "bytes", "rows", "sha256", "added", "content")
    return text_table("Exhibits", columns, rows, whole=("kind", "bytes", "rows", "sha256"))


def _tasks(tasks: Sequence[TaskView], now: datetime) -> RenderableType:
    rows = [
        (
            task.id,
            "done" if task.done_at else "open",
            _label(task.title),
            task.assignee or "–",
            _due(task.due_at, now, done=task.done_at is not None),
            f"{task.done_by}, {_time(task.done_at)}" if task.done_at else "",
        )
        for task in tasks
    ]
    return text_table("Tasks", ("task", "state", "what", "assignee", "due", "done by"), rows, whole=("due",))


def _act_words(act: ActView) -> str:
    said = "; ".join(f"{name.replace('_', ' ')} {_plain(value)}" for name, value in act.detail.items() if "commitment" not in name)
    words = [visible(said, limit=_DETAIL)] if said else []
    return " – ".join([*words, *([visible(act.words, limit=_SENTENCE)] if act.words is not None else [])])


def _plain(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {_plain(item)}" for name, item in value.items())  # pyright: ignore[reportUnknownVariableType]
    return ", ".join(str(item) for item in value) if isinstance(value, list) else str(value)  # pyright: ignore[reportUnknownVariableType]


def _state(case: CaseSummary) -> str:
    if case.merged_into is not None:
        return f"merged into {case_name(case.merged_into)}"
    return f"{case.status}: {case.disposition}, {case.reason}" if case.disposition else case.status


def _share(right: int, row: Precision, interval: tuple[float, float] | None) -> str:
    if interval is None:
        return f"too few labels ({row.labelled})"
    return f"{right / row.labelled:.2f} ({interval[0]:.2f} to {interval[1]:.2f})"


def _ties(ties: Sequence[tuple[str, str]]) -> str:
    kinds = dict.fromkeys(kind for kind, _ in ties)
    return ", ".join(f"{sum(kind == other for other, _ in ties)} {kind}" for kind in kinds) or "–"


def _due(at: datetime | None, now: datetime, *, done: bool) -> str:
    return "–" if at is None else f"{at:%Y-%m-%d}{' (overdue)' if at < now and not done else ''}"


def _number(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else f"{value:,}" if isinstance(value, int) else str(value)


def _time(at: datetime | None) -> str:
    return "–" if at is None else f"{at:%Y-%m-%d %H:%M}"


def _label(text: str) -> str:
    return visible(text, limit=_LABEL)
