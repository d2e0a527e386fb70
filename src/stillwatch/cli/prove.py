"""`stillwatch prove`: seal a plan, and later run it on a suspect."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from stillwatch.cli.output import new_console, print_json
from stillwatch.cli.running import LogKey, VaultKey, progress, recorder_of, stoppable

if TYPE_CHECKING:
    from stillwatch.app.recording import Recorder
    from stillwatch.records.verdicts import Verdict

PlanLog = Annotated[
    Path | None, typer.Option("--log", help="Evidence log: the plan is recorded before the suspect is asked, the verdict after.")
]

_INTERRUPTED = "interrupted; what was measured is kept: run the same command again to go on"
_NOT_SEALED = "interrupted; where no seal stands beside the plan, run the same command again"


def prove(
    plan: Annotated[Path, typer.Argument(metavar="PLAN", help="The plan (TOML); its seal, prompts and measured files stand beside it.")],
    seal: Annotated[bool, typer.Option("--seal", help="Fix the plan before the suspect is asked anything, and run nothing.")] = False,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder of the verdict; made if it is not there.")] = Path("verdict"),
    key: Annotated[
        Path | None,
        typer.Option("--key", help="Master secret, for keys that the plan derives; default: the variable STILLWATCH_MASTER_KEY."),
    ] = None,
    vault_key: VaultKey = None,
    log: PlanLog = None,
    log_key: LogKey = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print a summary for machines on standard output, and nothing else.")] = False,
) -> None:
    """Test whether a suspect model was trained on our outputs, by a plan that was sealed before.

    First --seal: it writes PLAN.seal, whose digest you publish; a plan that could never give a verdict is not sealed. Then run the plan: it
    is refused where it was changed since, where a key does not open its commitment, or where prompts or model files are others than sealed.
    A suspect on disk or behind an endpoint is asked unit by unit, and an interrupted run goes on where it stopped; STILLWATCH_SUSPECT_KEY
    holds the endpoint's bearer token. A verdict that is not shown clears nobody.

    \b
    stillwatch prove plan.toml --seal
    stillwatch prove plan.toml --key master.key --out verdict
    """
    recorder = recorder_of(log, log_key)
    if seal:
        with stoppable(_NOT_SEALED):
            _seal(plan, recorder, vault_key, as_json=as_json)
        return
    # loading the program's own parts takes a moment in which it may be interrupted too
    with stoppable(_INTERRUPTED):
        from stillwatch.app.proving import proof_request
        from stillwatch.app.proving import prove as run

        with progress(quiet=as_json) as shown:
            request = proof_request(plan, out=out, key=key, vault_key=vault_key, recorder=recorder)
            verdict = run(request, shown, now=datetime.now(UTC))  # noqa: TID251 - the face may ask the clock
    _print(verdict, out, as_json=as_json)


def _seal(plan: Path, recorder: Recorder | None, vault_key: Path | None, *, as_json: bool) -> None:
    from stillwatch.app.plan_files import read_plan, seal_path, seal_plan
    from stillwatch.app.vaulting import load_vault

    sealed = seal_plan(plan, now=datetime.now(UTC), vault=load_vault(vault_key))  # noqa: TID251 - the face may ask the clock
    if recorder is not None:
        recorder.plan(read_plan(plan), sealed)
    if as_json:
        print_json({"seal": str(seal_path(plan)), "plan_sha256": sealed.plan_sha256, "seal_sha256": sealed.seal_sha256})
        return
    console = new_console(stderr=False)
    console.print(f"Sealed: {seal_path(plan)}", markup=False, soft_wrap=True)
    console.print(f"Publish this digest, so that others see when it was fixed: {sealed.seal_sha256}", markup=False, soft_wrap=True)


def _print(verdict: Verdict, out: Path, *, as_json: bool) -> None:
    from stillwatch.report.verdict_page import verdict_summary

    if as_json:
        print_json(verdict_summary(verdict) | {"folder": str(out)})
        return
    from stillwatch.app.showing import verdict_table

    console = new_console(stderr=False)
    console.print(verdict_table(verdict))
    console.print(f"Verdict: {out / 'verdict.html'}", markup=False, soft_wrap=True)
