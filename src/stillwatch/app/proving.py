"""A proof, start to end: plan and seal are checked, keys opened, the suspect measured, the tests run, the verdict written."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from stillwatch import __version__
from stillwatch.app.alone import alone_in, alone_with
from stillwatch.app.measure_files import read_measures
from stillwatch.app.measuring import measure, open_suspect
from stillwatch.app.plan_checking import check_pinned, check_plan, inputs_of
from stillwatch.app.plan_files import open_keys, read_plan, read_seal, seal_path
from stillwatch.app.progress import Progress
from stillwatch.app.recording import Recorder
from stillwatch.app.state import file_sha256, write_text
from stillwatch.app.unusable import journal_path, unusable_answers
from stillwatch.app.vaulting import load_vault
from stillwatch.errors import OutputError, TooFewSamplesError, UsageError
from stillwatch.govern.vault import Vault
from stillwatch.marks.keys import MarkKey, MasterSecret
from stillwatch.provenance.columns import MeasureError
from stillwatch.provenance.measures import corroboration, result
from stillwatch.provenance.plan import Plan, PlannedTest, Seal
from stillwatch.provenance.verdict import verdict
from stillwatch.records.verdicts import Corroboration, ProvenanceResult, Unjudged, Verdict
from stillwatch.report.codec import to_plain
from stillwatch.report.verdict_page import render_verdict
from stillwatch.settings import suspect_key_line
from stillwatch.stats.samples import UnusableValuesError
from stillwatch.stats.seeds import generator

VERDICT, PAGE, FORMAT = "verdict.json", "verdict.html", "stillwatch-verdict-1"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProofRequest:
    """What a proof is asked with.

    Attributes:
        plan: the plan's file; its seal, prompts and measured files stand beside it.
        out: folder of the verdict.
        master: for keys that are derived; None where all have files.
        endpoint_key: bearer token of the suspect's endpoint; empty: none.
        vault: opens prompts that are sealed; None: none are.
        recorder: the evidence log that the plan is recorded in before the suspect is asked, and the verdict after; None: no log.
    """

    plan: Path
    out: Path
    master: MasterSecret | None = None
    endpoint_key: str = field(default="", repr=False)
    vault: Vault | None = field(default=None, repr=False)
    recorder: Recorder | None = None


def proof_request(
    plan: Path, *, out: Path, key: Path | None, vault_key: Path | None = None, recorder: Recorder | None = None
) -> ProofRequest:
    """A request with its secrets: master secret where the plan needs one, endpoint's token, vault; from files or the environment."""
    from stillwatch.app.marking import load_master

    derived = any(not planned.file for planned in read_plan(plan).keys)
    master = load_master(key) if derived else None
    token = suspect_key_line() or ""
    return ProofRequest(plan=plan, out=out, master=master, endpoint_key=token, vault=load_vault(vault_key), recorder=recorder)


def prove(request: ProofRequest, progress: Progress, *, now: datetime) -> Verdict:
    """Run the sealed plan and write `verdict.json` and `verdict.html` into the folder.

    The suspect is asked only after folder, plan, seal, prompts, tokenizers and keys were checked.
    Raises OutputError for a folder that holds other things, or while another proof uses folder or plan; PlanError for a plan that is not
    the sealed one, or whose prompts, tokenizers, models, families or keys are others; SuspectError, MeasureError and TooFewSamplesError as
    measures and tests do.
    """
    plan = read_plan(request.plan)
    sealed = read_seal(plan, request.plan)
    _check_folder(request.out, sealed)
    busy = f"another proof asks by {request.plan} at this moment; wait for its end"
    with alone_in(request.out), alone_with(seal_path(request.plan), busy):
        return _proved(plan, sealed, request, progress, now=now)


def _proved(plan: Plan, sealed: Seal, request: ProofRequest, progress: Progress, *, now: datetime) -> Verdict:
    check_plan(plan, request.plan, request.vault)
    check_pinned(plan, request.plan, sealed)
    keys = open_keys(plan, request.plan, request.master)
    planned = request.recorder.plan(plan, sealed) if request.recorder else 0
    suspect = open_suspect(plan, request.plan, key=request.endpoint_key)
    if suspect is not None:
        measure(plan, request.plan, suspect, progress, request.vault)
    tested = _tested(plan, request.plan, keys, progress)
    read = [*tested.inputs, *inputs_of(plan, sealed)]
    concluded = verdict(plan, sealed, tested.found, tested.ranks, unjudged=tested.unjudged, made_at=now, inputs=read, version=__version__)
    _write(request.out, concluded)
    if request.recorder:
        request.recorder.verdict(concluded, request.out, planned)
    return concluded


@dataclass(slots=True)
class _Tested:
    found: list[tuple[str, str, ProvenanceResult]] = field(default_factory=list[tuple[str, str, ProvenanceResult]])
    unjudged: list[Unjudged] = field(default_factory=list[Unjudged])
    ranks: list[Corroboration] = field(default_factory=list[Corroboration])
    inputs: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])


def _tested(plan: Plan, path: Path, keys: dict[str, MarkKey], progress: Progress) -> _Tested:
    """Every test under every key. One that was answered too little of stops no other; where none can be judged, its error ends it."""
    tested = _Tested()
    short: list[TooFewSamplesError] = []
    progress.begin("tests", plan.hypotheses)
    start = time.perf_counter()
    for test in plan.tests:
        measured = path.parent / test.measured
        arrays: dict[str, Any] = read_measures(measured)
        tested.inputs += [(name, file_sha256(path.parent / name)) for name in (test.measured, *_journal(test, measured))]
        if test.kind == "similarity":
            tested.ranks.append(corroboration(test, arrays))
            continue
        for name in test.keys:
            try:
                judged = _one(plan, test, arrays, name, keys[name])
                judged = replace(judged, dropped=(*judged.dropped, *_asked_again(measured, arrays)))
                tested.found.append((test.name, name, judged))
            except TooFewSamplesError as error:
                short.append(TooFewSamplesError(f"test {test.name!r}, {test.measured}: {error.test}", needed=error.needed, got=error.got))
                tested.unjudged.append(Unjudged(name=test.name, key=name, lacked=error.test, needed=error.needed, got=error.got))
            progress.advance(len(tested.found) + len(tested.unjudged))
    if not tested.found:
        raise short[0]
    progress.end(plan.hypotheses, time.perf_counter() - start, resumed=False)
    return tested


def _journal(test: PlannedTest, measured: Path) -> list[str]:
    """The journal of unusable answers, relative to the plan, where there is one."""
    return [journal_path(Path(test.measured)).as_posix()] if journal_path(measured).exists() else []


def _asked_again(measured: Path, arrays: dict[str, Any]) -> list[tuple[str, int]]:
    """Unusable answers whose units were asked again: all that were noted but the last of each missing unit."""
    again = unusable_answers(measured) - int(np.count_nonzero(arrays.get("missing", 0)))
    return [("unusable answer, its unit asked again", again)] if again > 0 else []


def _one(plan: Plan, test: PlannedTest, arrays: dict[str, Any], name: str, key: MarkKey) -> ProvenanceResult:
    draw = generator(plan.seed, f"prove/{test.name}/{name}")
    try:
        return result(test, arrays, key, level=plan.level / plan.hypotheses, generator=draw)
    except UnusableValuesError as error:
        raise MeasureError(f"test {test.name!r}, {test.measured}: {error}") from None


def _check_folder(out: Path, sealed: Seal) -> None:
    """Nothing for a folder that is not there, is empty, or holds this seal's verdict alone; else OutputError, or UsageError for a file."""
    if out.exists() and not out.is_dir():
        raise UsageError(f"{out} is a file; --out names a folder for the verdict")
    shown = sorted(path.name for path in out.iterdir() if not path.name.startswith(".")) if out.exists() else []
    strangers = [name for name in shown if name not in (VERDICT, PAGE)]
    if strangers or (shown and _verdict_in(out) is None):
        raise OutputError(f"{out} holds files that are not a proof's ({', '.join((strangers or shown)[:3])}); choose another --out")
    if shown and _verdict_in(out) != sealed.seal_sha256:
        raise OutputError(f"{out} holds the verdict of another plan; choose another --out, or move it away")


def _verdict_in(out: Path) -> str | None:
    """The digest of the seal whose verdict lies in a folder; None where there is none."""
    try:
        known: Any = json.loads((out / VERDICT).read_text("utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    return str(known.get("seal_sha256")) if isinstance(known, dict) and known.get("format") == FORMAT else None


def _write(out: Path, concluded: Verdict) -> None:
    texts = {
        VERDICT: json.dumps({"format": FORMAT, **to_plain(concluded)}, ensure_ascii=False, indent=1) + "\n",
        PAGE: render_verdict(concluded),
    }
    for name, text in texts.items():
        write_text(out / name, text)
