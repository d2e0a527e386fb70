"""Erasure by account: from result folders, pairs and the contents of the evidence log, whose proofs hold as before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stillwatch.app.approving import KINDS, Said
from stillwatch.app.case_keeping import erased_cases
from stillwatch.app.governance import Keeper, recorded
from stillwatch.app.holdings import folders_below, is_result
from stillwatch.app.recording import act, log_box
from stillwatch.app.retaining import HOLDS, LASTING, erase_lines, pair_lines
from stillwatch.app.state import is_of
from stillwatch.app.thinning import thinned
from stillwatch.cases.store import CaseStore
from stillwatch.errors import UsageError
from stillwatch.govern.access import said
from stillwatch.govern.approvals import requests, suspended
from stillwatch.govern.policy import Act, DataClass
from stillwatch.govern.retention import check_free, holds_of, mentions
from stillwatch.govern.vault import Vault
from stillwatch.ledger.canonical import read_canonical
from stillwatch.ledger.entries import MOST_CONCERNED
from stillwatch.ledger.reading import LogReader
from stillwatch.records.evidence import Erasure
from stillwatch.records.governance import Disposal, Disposed
from stillwatch.records.inputs import Ground

_STANDING = frozenset({"approval_request", "approval", "suspension_lift"})


@dataclass(frozen=True, slots=True, kw_only=True)
class ErasureRequest:
    """Whose data is to go, and where it is looked for.

    Attributes:
        account: as the log names it.
        roots: folders with results, exports and matches.
        pairs: files of twin pairs.
        vault: that opens them; None: they are plain.
        ground: of the erasure.
        cases: the case store; None: none is looked through.
    """

    account: str
    roots: tuple[Path, ...]
    pairs: tuple[Path, ...]
    vault: Vault | None
    ground: Ground
    cases: CaseStore | None = None


def erase_account(keeper: Keeper, request: ErasureRequest, who: Said) -> dict[str, Any]:
    """Erase what is held about an account, on record; what is left and why is said. It can be run again.

    The record names no account. Proofs of records hold as before; the hashes that a scan's record has of its files are then of what was.

    Raises HeldError where a hold forbids it, DeniedError and PersonError as the policy does.
    """
    if not request.account.strip():
        raise UsageError("no account was named; name the one whose data is to go")
    by, why = keeper.policy.check(Act.ERASE, who.by), said(who.why, "the reason")
    if mentions(why, request.account):
        raise UsageError("--why names the account, and the record of an erasure stays; name the request, such as `request 41`")
    check_free(holds_of(recorded(keeper.folder, keeper.keys, HOLDS)), request.account)
    # what was begun is on record even where it is cut off; the second record says what went, with hashes
    stores = () if request.cases is None else (request.cases.place.shown,)
    begun = tuple(Disposed(name=str(path), data_class="looked through") for path in (*request.roots, *request.pairs, *stores))
    disposal = _record(keeper, Disposal(by=by, ground=request.ground, why=f"begun: {why}", items=begun), [])
    items, left = erased_cases(keeper, request.cases, request.account, by=by, ground=request.ground, disposal=disposal)
    for folder in folders_below(request.roots):
        if is_result(folder):
            items += thinned(folder, request.account, request.vault)
        else:
            left += _left(folder, request.account)
    for path in request.pairs:
        items += _pairs(path, request)
    records, kept = _records(keeper, request.account)
    recorded_in = _record(keeper, Disposal(by=by, ground=request.ground, why=why, items=tuple(items)), records)
    left += kept
    return {
        "files": [{"name": item.name, "class": item.data_class, "rows": item.rows} for item in items],
        "log_contents": len(records),
        "recorded_in": recorded_in,
        "left": [*left, "request logs, backups and what was handed over are not reached: erase them where they are"],
    }


def _pairs(path: Path, request: ErasureRequest) -> list[Disposed]:
    mine = frozenset(number for number, pair in pair_lines(path, request.vault) if pair is not None and pair.account_id == request.account)
    gone = erase_lines(path, mine, request.ground)
    return [Disposed(name=str(path), data_class=DataClass.WITHHELD_TWINS.value, rows=gone)] if gone else []


def _records(keeper: Keeper, account: str) -> tuple[list[int], list[str]]:
    """Records whose contents name the account, and what of them stays, in sentences."""
    reader = LogReader(keeper.folder, keeper.keys)
    entries = dict(reader.entries())
    # a hold that stands is needed, and one that was released only says whom it spoke of
    over = {index for entry in entries.values() if entry.kind == "release" for index in entry.concerns}
    kinds = {index: entry.kind for index, entry in entries.items() if entry.kind not in LASTING or (entry.kind == "hold" and index in over)}
    with reader.contents(log_box()) as contents:
        found = [
            index
            for index, _, content in contents.openings(0, reader.size)
            if index in kinds and mentions(read_canonical(content), account)
        ]
    if account not in suspended(requests(recorded(keeper.folder, keeper.keys, KINDS), keeper.clock())):
        return found, []
    stays = [index for index in found if kinds[index] in _STANDING]
    words = f"records {', '.join(map(str, stays))} of the log: the account is suspended, and they are what that rests on; lift it first"
    return [index for index in found if index not in stays], [words]


def _record(keeper: Keeper, disposal: Disposal, records: Sequence[int]) -> int | None:
    if not disposal.items and not records:
        return None
    parts = [tuple(records[start : start + MOST_CONCERNED]) for start in range(0, len(records), MOST_CONCERNED)]
    erasure = Erasure(by=disposal.by, ground=disposal.ground, why=disposal.why)
    with keeper.writing() as writer:
        acts = [*([act(disposal)] if disposal.items else []), *(act(erasure, concerns=part) for part in parts)]
        return writer.append(acts, at=keeper.clock(), erases=list(records))


def _left(folder: Path, account: str) -> list[str]:
    """Exports and matches, which were handed over or made for somebody, and name the account."""
    if not any(is_of(folder / name, command) for name, command in (("export.json", "export"), ("match.json", "match"))):
        return []
    files = sorted(path for path in folder.iterdir() if path.is_file() and account.encode() in path.read_bytes())
    return [f"{path}: it names the account; delete it, or make it again" for path in files]
