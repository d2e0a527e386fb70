"""One cell: composed, scanned, counted, and set beside the baselines; its result is a JSON file that is kept."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

import stillwatch
from campaigns.baselines import BASELINES
from campaigns.baselines.traffic import Traffic, read_traffic
from campaigns.bounds import bounds
from campaigns.cells import Cell
from campaigns.composing import composer
from campaigns.corpora import Corpora
from campaigns.errors import UnfillableCellError
from campaigns.honest import compose_honest
from campaigns.hostile import compose_hostile
from campaigns.leaks import leak_checks
from campaigns.metrics import (
    Finding,
    Truth,
    account_scores,
    accused,
    average_precision,
    campaign_found,
    false_findings,
    read_entities,
    read_truth,
    recall_and_precision,
    reported,
    threshold_at,
)
from campaigns.replay import first_finding
from campaigns.windows import windows_of_queries
from campaigns.writing import write
from stillwatch.settings import ScanSettings

ACCUSED_OF_HONEST = 1_000
# what only shows results, or says which cells there are, changes no result
_NOT_MEASURING = frozenset({"__main__.py", "results.py", "curves.py", "cells.py", "pages.py", "summing.py"})

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """Where a run keeps things and what it was made of.

    Attributes:
        code: digest of the detector's and the benchmark's source.
        settings: digest of the shipped settings of a scan.
    """

    corpora: Corpora
    out: Path
    code: str
    settings: str
    keep_logs: bool = False


def bench(corpora: Corpora, out: Path, *, keep_logs: bool = False) -> Bench:
    """A run into `out`, with the digests of the code and settings at hand."""
    settings = hashlib.sha256(json.dumps(ScanSettings().as_json(), sort_keys=True, default=str).encode()).hexdigest()
    return Bench(corpora=corpora, out=out, code=code_digest(), settings=settings, keep_logs=keep_logs)


def code_digest() -> str:
    """Of every file of the package and of this benchmark that can change a result."""
    package = Path(stillwatch.__file__).parent
    here = Path(__file__).parent
    files = [*package.rglob("*.py"), *(path for path in here.rglob("*.py") if path.name not in _NOT_MEASURING)]
    digest = hashlib.sha256()
    for path in sorted(files, key=lambda path: (path.is_relative_to(here), path.as_posix())):
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def run_cell(run: Bench, cell: Cell, seed: int, tell: Tell) -> dict[str, Any]:
    """The result of one cell and seed, from its file where code, settings, corpora and cell are the same."""
    path = run.out / run.corpora.split.name / f"{cell.name}-seed-{seed}.json"
    record = _record(run, cell, seed)
    if path.exists():
        kept = json.loads(path.read_text("utf-8"))
        if all(kept.get(name) == value for name, value in record.items()):
            tell("kept")
            return kept
    try:
        result = record | _measured(run, cell, seed, tell)
    except UnfillableCellError as told:
        result = record | {"state": "unfillable", "reason": str(told)}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(result, indent=1, default=_plain), "utf-8")
    return json.loads(path.read_text("utf-8"))


def kept_cells(run: Bench, cells: Iterable[Cell]) -> list[dict[str, Any]]:
    """The results of all cells and seeds that stand in their files for this code, settings and corpora."""
    found: list[dict[str, Any]] = []
    for cell in cells:
        for path in sorted((run.out / run.corpora.split.name).glob(f"{cell.name}-seed-*.json")):
            kept = json.loads(path.read_text("utf-8"))
            if kept.items() >= _record(run, cell, kept["seed"]).items():
                found.append(kept)
    return found


def run_windows(run: Bench, seed: int, tell: Tell) -> list[dict[str, Any]]:
    """The windows of queries, from their file where code and corpora are the same."""
    path = run.out / run.corpora.split.name / f"windows-seed-{seed}.json"
    record = {"code": run.code, "corpora": run.corpora.digest}
    if path.exists():
        kept = json.loads(path.read_text("utf-8"))
        if all(kept[name] == value for name, value in record.items()):
            tell("kept")
            return kept["rates"]
    told = windows_of_queries(run.corpora, seed)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(record | {"rates": told}, indent=1, default=_plain), "utf-8")
    return told


def _record(run: Bench, cell: Cell, seed: int) -> dict[str, Any]:
    scheme = asdict(cell.scheme) if cell.scheme else None
    return {
        "cell": cell.name,
        "seed": seed,
        "split": run.corpora.split.name,
        "scheme": json.loads(json.dumps(scheme, default=str)),
        "replays": cell.replay,
        "code": run.code,
        "settings": run.settings,
        "corpora": run.corpora.digest,
    }


def _measured(run: Bench, cell: Cell, seed: int, tell: Tell) -> dict[str, Any]:
    made = composer(run.corpora, seed)
    compose_honest(made)
    if cell.scheme:
        compose_hostile(made, cell.scheme, seed)
    work = run.out / "work" / f"{run.corpora.split.name}-{cell.name}-{seed}"
    written = write(run.corpora, made.parcels, work)
    tell(f"{sum(len(parcel.rows) for parcel in made.parcels):,} exchanges of {len(made.parcels):,} accounts")
    truth = read_truth(written.truth)
    entities = scanned(written.log, written.accounts, work / "result")
    result: dict[str, Any] = {
        "state": "measured",
        "accounts": len(made.parcels),
        "exchanges": sum(len(parcel.rows) for parcel in made.parcels),
        "payload": int(sum(parcel.payload.sum() for parcel in made.parcels)),
        "leaks": leak_checks(run.corpora, made.parcels, seed),
        "stillwatch": judged(entities, truth, claim=cell.claim),
    }
    wrong = int(result["stillwatch"]["honest_accused"])
    result["baselines"] = (
        rivals(read_traffic(written.log, written.accounts, work / "result" / "exchanges"), truth, wrong) if truth.hostile else {}
    )
    if truth.hostile:
        result["bounds"] = bounds(work / "result", written.accounts, truth)
    if cell.replay and cell.scheme:
        tell("replay")
        result["replay"] = first_finding(
            written,
            truth,
            lambda log, out: scanned(log, written.accounts, out),
            work / "replay",
            claim=cell.claim,
            harvest=cell.scheme.harvest,
        )
    if not run.keep_logs:
        shutil.rmtree(work)
    return result


def scanned(log: Path, accounts: Path, out: Path) -> list[Finding]:
    """The entities of a scan with the shipped defaults, in a process of its own."""
    command = [sys.executable, "-m", "stillwatch", "scan", str(log), "--accounts", str(accounts), "--out", str(out), "--json"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return read_entities(out)


def judged(entities: list[Finding], truth: Truth, *, claim: str) -> dict[str, Any]:
    """What Stillwatch concluded, for one claim, and its false findings for all."""
    names = sorted(truth.kinds)
    hostile = np.array([name in truth.hostile for name in names], bool)
    listed = [
        {
            "accounts": len(entity.accounts),
            "hostile": len(entity.accounts & truth.hostile),
            "harvest": entity.harvest,
            "pooling": entity.pooling,
            "severity": entity.severity,
        }
        for entity in reported(entities)
    ]
    other = "pooling" if claim == "harvest" else "harvest"
    return {
        "claim": claim,
        "found": campaign_found(entities, truth.hostile, claim=claim),
        **recall_and_precision(accused(entities, claim=claim), truth),
        "other_claim": recall_and_precision(accused(entities, claim=other), truth),
        "average_precision": average_precision(account_scores(entities, names), hostile) if hostile.any() else None,
        "false": false_findings(entities, truth),
        "findings": listed,
    }


def rivals(traffic: Traffic, truth: Truth, wrong: int) -> dict[str, Any]:
    """Every baseline at the threshold where it accuses as many honest accounts as Stillwatch, or one in a thousand if that is more."""
    hostile = np.array([name in truth.hostile for name in traffic.accounts], bool)
    allowed = max(wrong, int(np.ceil((~hostile).sum() / ACCUSED_OF_HONEST)))
    told: dict[str, Any] = {}
    for name, baseline in BASELINES.items():
        scores = baseline(traffic)
        threshold = threshold_at(scores, ~hostile, allowed)
        found = frozenset(account for account, score in zip(traffic.accounts, scores.tolist(), strict=True) if score > threshold)
        told[name] = recall_and_precision(found, truth) | {"average_precision": average_precision(scores, hostile), "threshold": threshold}
    return told


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else str(value)
