"""Retention: what is due goes, on record, and what is held stays. Without being told to delete it only says what would happen."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from stillwatch.app.approving import Said
from stillwatch.app.case_keeping import JudgedCase, disposed_cases, erase_due, judged_cases
from stillwatch.app.governance import Keeper, recorded
from stillwatch.app.holdings import Kept, kept_below
from stillwatch.app.pair_files import pair_of
from stillwatch.app.recording import act, log_box
from stillwatch.app.sealed_lines import Stored, erased_line, plain_line
from stillwatch.app.vaulting import change_lines
from stillwatch.cases.store import CaseStore
from stillwatch.errors import naming
from stillwatch.govern.access import said
from stillwatch.govern.policy import Act, DataClass
from stillwatch.govern.retention import Fate, Holding, Holds, Judged, holds_of, judged
from stillwatch.govern.vault import Vault
from stillwatch.ledger.canonical import read_canonical
from stillwatch.ledger.entries import MOST_CONCERNED
from stillwatch.ledger.reading import LogReader
from stillwatch.records.evidence import Erasure
from stillwatch.records.governance import Disposal, Disposed
from stillwatch.records.inputs import Ground

HOLDS = ("hold", "release")
LASTING = frozenset({"log_start", "erasure", "hold", "release", "key_rotation", "disposal"})
ERASED_PAIR = "retention"


@dataclass(frozen=True, slots=True, kw_only=True)
class RetentionRequest:
    """What is looked through.

    Attributes:
        roots: folders with results, exports and matches.
        pairs: files of twin pairs.
        vault: that opens them; None: they are plain.
        delete: whether what is due goes; else it is only said.
        cases: the case store; None: none is looked through.
    """

    roots: tuple[Path, ...]
    pairs: tuple[Path, ...]
    vault: Vault | None
    delete: bool
    cases: CaseStore | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Looked:
    """What was found: parts of folders with their fates, lines of pairs, cases, and records of the log."""

    kept: Sequence[Kept]
    fates: Sequence[Judged]
    pairs: dict[Path, tuple[frozenset[int], int]]
    cases: list[JudgedCase]
    records: Sequence[int]
    held_records: int


def retain(keeper: Keeper, request: RetentionRequest, who: Said) -> dict[str, Any]:
    """What is due, kept and held, and why; with `delete`, the act is recorded and then done.

    Raises DeniedError and PersonError as the policy does. What cannot be deleted is named in the error; running it again goes on.
    """
    by, why, now = keeper.policy.check(Act.RETAIN, who.by), said(who.why, "the reason"), keeper.clock()
    holds = holds_of(recorded(keeper.folder, keeper.keys, HOLDS))
    looked = _look(keeper, request, holds, now)
    found = _words(looked) | {"deleted": False, "policy_sha256": keeper.policy.sha256}
    found["case_store"] = request.cases.place.shown if request.cases is not None else None
    if not request.delete:
        return found
    due = [part for part, fate in zip(looked.kept, looked.fates, strict=True) if fate.fate is Fate.DUE]
    items = [Disposed(name=part.holding.name, data_class=part.holding.data_class.value) for part in due] + disposed_cases(looked.cases)
    items += [
        Disposed(name=str(path), data_class=DataClass.WITHHELD_TWINS.value, rows=len(old)) for path, (old, _) in looked.pairs.items() if old
    ]
    index = None
    if items or looked.records:
        disposal = Disposal(by=by, ground=Ground.RETENTION, why=why, items=tuple(items), policy_sha256=keeper.policy.sha256)
        index = _record(keeper, disposal, looked.records)
        found |= {"recorded_in": index}
    for part in due:
        _remove(part)
    for path, (old, _) in looked.pairs.items():
        erase_lines(path, old, Ground.RETENTION)
    gone = erase_due(keeper, request.cases, looked.cases, by=by, disposal=index)
    return found | {"deleted": True, "case_contents": gone}


def _look(keeper: Keeper, request: RetentionRequest, holds: Holds, now: datetime) -> _Looked:
    """What there is, and what becomes of it."""
    days = keeper.policy.days
    kept = kept_below(request.roots)
    records, held_records = _old_records(keeper, days[DataClass.LOG_CONTENTS], holds, now)
    return _Looked(
        kept=kept,
        fates=judged([part.holding for part in kept], days, holds, now),
        pairs={path: _old_pairs(path, request.vault, days[DataClass.WITHHELD_TWINS], holds, now) for path in request.pairs},
        cases=judged_cases(request.cases, days, holds, now),
        records=records,
        held_records=held_records,
    )


def erase_lines(path: Path, numbers: frozenset[int], ground: Ground) -> int:
    """Erase lines of a private file; what stays of each is the digest that the next line follows on. How many went."""
    if not numbers:
        return 0

    def change(line: Stored, _previous: str, number: int) -> bytes:
        return erased_line(line, ground.value) if number in numbers and line.erased is None else line.raw

    return change_lines(path, change).changed


def pair_lines(path: Path, vault: Vault | None) -> list[tuple[int, Any]]:
    """(number, pair) of every pair of a file that was not erased; None in the place of one that a crash tore."""
    from stillwatch.app.sealed_lines import stored_lines
    from stillwatch.app.vaulting import held

    with held(path) as file:
        lines = [(number, line, previous) for number, (line, previous, _) in enumerate(stored_lines(file), 1) if line.erased is None]
    return [
        (number, pair_of(plain_line(line, previous, vault, f"{path}, line {number}"), path, number)) for number, line, previous in lines
    ]


def _old_pairs(path: Path, vault: Vault | None, days: int, holds: Holds, now: datetime) -> tuple[frozenset[int], int]:
    """Lines of pairs whose time is over, and how many of those are held."""
    old: set[int] = set()
    held = 0
    for number, pair in pair_lines(path, vault) if days else ():
        made_at = _moment(pair.at) if pair is not None else None
        if pair is None or made_at is None or now - made_at <= timedelta(days=days):
            continue
        holding = Holding(
            name=str(path), data_class=DataClass.WITHHELD_TWINS, made_at=made_at, names=lambda account, of=pair.account_id: account == of
        )
        if holds.on(holding) is None:
            old.add(number)
        else:
            held += 1
    return frozenset(old), held


def _moment(text: str) -> datetime | None:
    """A pair's time; None where it is no time with an offset, so that the pair is kept."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo is not None else None


def _old_records(keeper: Keeper, days: int, holds: Holds, now: datetime) -> tuple[list[int], int]:
    """Records whose contents' time is over and that no hold keeps, and how many are held."""
    if not days:
        return [], 0
    reader = LogReader(keeper.folder, keeper.keys)
    entries = {
        index: entry
        for index, entry in reader.entries()
        if entry.kind not in LASTING and now - datetime.fromisoformat(entry.at) > timedelta(days=days)
    }
    old: list[int] = []
    held = 0
    with reader.contents(log_box()) as contents:
        for index, _, content in contents.openings(0, reader.size):
            if index not in entries:
                continue
            if holds.on_record(index, read_canonical(content)) is None:
                old.append(index)
            else:
                held += 1
    return old, held


def _record(keeper: Keeper, disposal: Disposal, records: Sequence[int]) -> int:
    """Record what goes, and erase contents of the log with it. Index of the first record."""
    parts = [tuple(records[start : start + MOST_CONCERNED]) for start in range(0, len(records), MOST_CONCERNED)]
    erasure = Erasure(by=disposal.by, ground=disposal.ground, why=disposal.why)
    with keeper.writing() as writer:
        acts = [*([act(disposal)] if disposal.items else []), *(act(erasure, concerns=part) for part in parts)]
        return writer.append(acts, at=keeper.clock(), erases=list(records))


def _remove(part: Kept) -> None:
    """run.json goes first: a folder without one is not taken for whole."""
    for path in sorted(part.paths, key=lambda path: path.name != "run.json"):
        with naming(path):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)


def _words(looked: _Looked) -> dict[str, Any]:
    items = [
        {"what": fate.holding.name, "class": fate.holding.data_class.value, "fate": fate.fate.value, "why": fate.why}
        for fate in (*looked.fates, *(one.fate for one in looked.cases))
    ]
    for path, (old, held) in looked.pairs.items():
        items += _counted(str(path), DataClass.WITHHELD_TWINS, len(old), held, "pairs")
    items += _counted("the evidence log", DataClass.LOG_CONTENTS, len(looked.records), looked.held_records, "contents")
    return {
        "items": items,
        "due": sum(item["fate"] == Fate.DUE for item in items),
        "held": sum(item["fate"] == Fate.HELD for item in items),
    }


def _counted(name: str, data_class: DataClass, due: int, held: int, what: str) -> list[dict[str, str]]:
    rows = ((due, Fate.DUE, "older than their period"), (held, Fate.HELD, "older than their period, and held"))
    return [
        {"what": name, "class": data_class.value, "fate": fate.value, "why": f"{count:,} {what} {why}"}
        for count, fate, why in rows
        if count
    ]
