"""The command line: parses arguments, calls the app, prints. Heavy libraries are imported by the commands that need them."""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from stillwatch import __version__
from stillwatch.cli.audit import audit
from stillwatch.cli.case import case
from stillwatch.cli.explain import explain
from stillwatch.cli.govern import govern
from stillwatch.cli.log import log as log_commands
from stillwatch.cli.mark import mark
from stillwatch.cli.output import new_console, print_json
from stillwatch.cli.prove import prove
from stillwatch.cli.running import (
    ENDED_WORDS,
    FAILED,
    FOUND,
    INTERRUPTED,
    RESUMABLE,
    STOPPED_WORDS,
    WRONG_USAGE,
    VaultKey,
    noted,
    progress,
    recorder_of,
    stoppable,
)
from stillwatch.cli.screen import screen
from stillwatch.cli.share import export, match
from stillwatch.cli.verify import verify
from stillwatch.errors import StillwatchError, StoppedError, UsageError

if TYPE_CHECKING:
    from stillwatch.app.request import ScanRequest
    from stillwatch.records.findings import Report

TACTICS = "fixed_prompt, dealt_list, reasoning_elicitation, relay, store_and_replay, grading_and_cleaning, heavy_account, probe_then_scale"
COMMAND_LINE_ERROR: Any = next(kind for kind in typer.BadParameter.__mro__ if kind.__name__ == "ClickException")
"""Root of what the parser raises for wrong arguments; Typer may bring its own copy of click, so it is found and not imported."""

SEVERITIES = ("info", "low", "medium", "high", "critical")
FORMATS = (
    *("auto", "native", "litellm-spend-logs", "litellm", "otlp", "bedrock", "vertex", "openai-batch", "langfuse", "http-pair"),
    *("parquet", "access-log"),
)
"""The readers' names; written down, because the readers themselves are heavy to import. A test holds them to what there is."""

app = typer.Typer(
    name="stillwatch",
    help="Finds who is distilling a language model through its API, links the accounts that act as one, and says how sure it is.",
    epilog="Start with: stillwatch demo. Then: stillwatch scan LOGS --accounts accounts.csv --out result",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.add_typer(mark, name="mark")
app.add_typer(log_commands, name="log")
app.add_typer(case, name="case")
app.add_typer(govern, name="govern")
app.command()(prove)
app.command()(screen)
app.command()(export)
app.command()(match)
app.command()(verify)
app.command()(audit)
app.command()(explain)

Out = Annotated[Path, typer.Option("--out", "-o", help="Folder for the results; made if it is not there.")]
AccountsTable = Annotated[
    Path | None, typer.Option("--accounts", help="Accounts table (Parquet, CSV or JSON Lines): sign-up, plan, payment, status.")
]
AccountTag = Annotated[
    str | None,
    typer.Option(
        help="Request-metadata key (Bedrock) or label (Vertex) that names the account; default: tenant_id, customer_id and the like."
    ),
]
Format = Annotated[str, typer.Option(help=f"Reader to use for every file ({', '.join(FORMATS)}); auto looks at each file's first records.")]
FailOn = Annotated[
    str | None,
    typer.Option(help=f"Exit with 3 when a finding that is not suppressed has this severity or a higher one ({', '.join(SEVERITIES)})."),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be read and which signals would be silent; write nothing.")]
Seed = Annotated[int | None, typer.Option(help="Seed of every random draw; recorded in run.json.")]
Log = Annotated[Path | None, typer.Option("--log", help="Evidence log that the run and its findings are recorded in.")]
LogKey = Annotated[Path | None, typer.Option("--log-key", help="Its private key file; default: the variable STILLWATCH_LOG_KEY.")]
Json = Annotated[bool, typer.Option("--json", help="Print a summary for machines on standard output, and nothing else.")]


def _say_version(wanted: bool) -> None:  # noqa: FBT001 - the parser passes the flag
    if wanted:
        version()
        raise typer.Exit


@app.callback()
def options(
    shown: Annotated[bool, typer.Option("--version", callback=_say_version, is_eager=True, help="Print the version and exit.")] = False,
) -> None:
    """Finds who is distilling a language model through its API, links the accounts that act as one, and says how sure it is."""


@app.command()
def scan(
    paths: Annotated[list[str], typer.Argument(metavar="PATH", help="Log files, folders, or quoted patterns such as 'logs/*.jsonl.gz'.")],
    accounts: AccountsTable = None,
    account_tag: AccountTag = None,
    format: Format = "auto",  # noqa: A002
    out: Out = Path("stillwatch-out"),
    engine: Annotated[str, typer.Option(help="Where tables are computed: duckdb, or spark (needs the spark extra and Java).")] = "duckdb",
    prices: Annotated[Path | None, typer.Option(help="Your price table (TOML); default: the shipped one.")] = None,
    suppressions: Annotated[Path | None, typer.Option(help="What closed cases decided, from stillwatch case suppressions.")] = None,
    seed: Seed = None,
    resume: Annotated[bool, typer.Option("--resume", help="Keep the finished stages of an interrupted run over the same input.")] = False,
    dry_run: DryRun = False,
    fail_on: FailOn = None,
    log: Log = None,
    log_key: LogKey = None,
    vault_key: VaultKey = None,
    as_json: Json = False,
) -> None:
    """Scan a provider's logs for campaigns that harvest the model; write a report and its evidence into a folder.

    An earlier result in --out is replaced once the new one stands, and a line says so; give each run a folder of its own to keep them.
    Exit status: 0 done, whatever was found; 1 failed; 2 wrong usage; 3 only with --fail-on; 130 interrupted.

    \b
    stillwatch scan logs/ --accounts accounts.csv --out result
    stillwatch scan 'logs/*.jsonl.gz' --format litellm --dry-run
    """
    _choice("--engine", engine, ("duckdb", "spark"))
    _choice("--fail-on", fail_on, SEVERITIES)
    found = tuple(Path(path) for path in paths)
    if dry_run:
        _print_dry_run(found, format, accounts, out, as_json=as_json)
        return
    from stillwatch.app.running import request_for

    given = {"accounts": accounts, "prices": prices, "suppressions": suppressions, "vault_key": vault_key}
    request = request_for(found, account_tag=account_tag, format=format, out=out, engine=engine, seed=seed, resume=resume, **given)
    report = _scanned(request, log, log_key, quiet=as_json)
    _print_report(report, out, as_json=as_json)
    _fail_on(report, fail_on)


def _scanned(request: ScanRequest, log: Path | None, log_key: Path | None, *, quiet: bool) -> Report:
    """A scan, which the log is asked about before it begins and told of when it is done."""
    from stillwatch.app.scanning import scan as run

    recorder = recorder_of(log, log_key)
    with stoppable(), progress(quiet=quiet) as shown:
        report = run(request, shown, now=datetime.now(UTC))  # noqa: TID251 - the face may ask the clock
        if recorder is not None:
            shown.note(f"Recorded in {log}: the run is record {recorder.scan(report, request.out)}.")
    return report


@app.command()
def demo(
    out: Out = Path("demo-out"),
    seed: Annotated[int, typer.Option(help="Seed of the simulated world.")] = 7,
    scale: Annotated[float, typer.Option(min=0.05, max=20, help="Size of the world; 1 is about 1,500 accounts.")] = 1.0,
    as_json: Json = False,
) -> None:
    """Simulate a provider's fortnight with known campaigns, scan it, and count the findings against the truth."""
    _finite(scale=scale)
    from stillwatch.app.demo import demo as run
    from stillwatch.settings import from_environment

    with stoppable(), progress(quiet=as_json) as shown:
        result = run(out, seed=seed, scale=scale, settings=from_environment(), progress=shown, now=lambda: datetime.now(UTC))  # noqa: TID251
    _print_report(result.report, out / "result", as_json=as_json)
    if not as_json:
        from stillwatch.app.showing import demo_table

        new_console(stderr=False).print(demo_table(result))


@app.command()
def simulate(
    out: Out,
    seed: Annotated[int, typer.Option(help="Everything random follows from it.")] = 7,
    days: Annotated[int, typer.Option(min=1, max=120, help="Length of the log.")] = 14,
    honest_accounts: Annotated[int | None, typer.Option(min=0, help="Honest accounts; default: the demo's.")] = None,
    tactic: Annotated[list[str] | None, typer.Option(help=f"A campaign's tactic, repeatable ({TACTICS}). Default: the demo's.")] = None,
    accounts: Annotated[int, typer.Option(min=1, help="Accounts of each campaign given by --tactic.")] = 100,
    requests_per_day: Annotated[float, typer.Option(help="Requests per account per day.")] = 26.0,
    dilution: Annotated[float, typer.Option(min=0, max=1, help="Share of a campaign's requests that are honest traffic.")] = 0.0,
    shared_infrastructure: Annotated[float, typer.Option(min=0, max=1, help="Share of accounts with one network and payment.")] = 0.0,
    paraphrase: Annotated[str, typer.Option(help="none, light or heavy.")] = "none",
    jitter: Annotated[float, typer.Option(min=0, max=1, help="0 sends in lockstep, 1 gives each account its own rhythm.")] = 1.0,
    log_format: Annotated[str, typer.Option("--format", help="parquet, jsonl, litellm or litellm_gzip.")] = "parquet",
    as_json: Json = False,
) -> None:
    """Write a simulated provider's logs, its accounts table and the truth about them.

    \b
    stillwatch simulate --out world --seed 1
    stillwatch simulate --out world --tactic fixed_prompt --accounts 200 --dilution 0.5
    """
    from stillwatch.app.simulating import run_simulation

    knobs = {"accounts": accounts, "requests_per_account_per_day": requests_per_day, "dilution": dilution, "jitter": jitter}
    knobs |= {"shared_infrastructure": shared_infrastructure, "paraphrase": paraphrase}
    _finite(requests_per_day=requests_per_day, dilution=dilution, jitter=jitter, shared_infrastructure=shared_infrastructure)
    given: dict[str, Any] = {"seed": seed, "days": days, "honest_accounts": honest_accounts, "log_format": log_format}
    with progress(quiet=as_json) as shown:
        counts = run_simulation(out, tactics=tactic or [], knobs=knobs, progress=shown, **given)
    if as_json:
        print_json(counts)
        return
    new_console(stderr=False).print(f"{counts['exchanges']:,} exchanges of {counts['accounts']:,} accounts in {out}", markup=False)


@app.command()
def signals(as_json: Json = False) -> None:
    """List every signal: what it reads, what it says, its ordinary explanation and its blind spot."""
    from dataclasses import asdict

    from stillwatch.detect.catalogue import CATALOGUE

    if as_json:
        print_json([asdict(signal) for signal in CATALOGUE])
        return
    from stillwatch.app.showing import signal_list

    new_console(stderr=False).print(signal_list(CATALOGUE))


@app.command()
def version() -> None:
    """Print the version."""
    new_console(stderr=False).print(__version__, markup=False)


def _fail_on(report: Report, severity: str | None) -> None:
    open_findings = [finding for finding in report.findings if finding.suppressed is None]
    if severity is not None and any(SEVERITIES.index(finding.severity) >= SEVERITIES.index(severity) for finding in open_findings):
        raise typer.Exit(FOUND)


def _choice(option: str, value: str | None, known: Sequence[str]) -> None:
    if value is not None and value not in known:
        message = f"{option} is {value!r}; it takes one of {', '.join(known)}"
        raise UsageError(message)


def _finite(**given: float) -> None:
    """Refuse not-a-number, which lies between any two bounds, and infinity."""
    for name, value in given.items():
        if not math.isfinite(value):
            message = f"--{name.replace('_', '-')} is {value}; it takes a finite number"
            raise UsageError(message)


def _print_report(report: Report, out: Path, *, as_json: bool) -> None:
    from stillwatch.app.noting import NAMED_FILES, accounts_words
    from stillwatch.report import summary_json, summary_table
    from stillwatch.report.text import visible

    if as_json:
        print_json(summary_json(report) | {"folder": str(out)})
        return
    console = new_console(stderr=False)
    console.print(summary_table(report))
    run = report.run
    reasons = ", ".join(f"{count:,} {reason}" for reason, count in sorted(run.quarantine_reasons.items(), key=lambda pair: -pair[1]))
    lost = f", {run.quarantined:,} quarantined ({reasons})" if run.quarantined else ""
    console.print(f"Read {run.rows_in:,} rows of {len(run.files):,} files{lost}.", markup=False, soft_wrap=True)
    for file in run.left_aside[:NAMED_FILES]:
        console.print(f"Not read: {visible(file.path, limit=300)}: {visible(file.reason, limit=300)}", markup=False, soft_wrap=True)
    if len(run.left_aside) > NAMED_FILES:
        console.print(
            f"Not read: {len(run.left_aside) - NAMED_FILES:,} more files, named in {out / 'run.json'}", markup=False, soft_wrap=True
        )
    if run.accounts_known is not None:
        console.print(accounts_words(run.accounts_known, run.accounts), markup=False, soft_wrap=True)
    console.print(f"Report: {out / 'report.html'}", markup=False, soft_wrap=True)
    if report.findings:
        console.print(f"Why: stillwatch explain {out} {report.findings[0].entity_id}", markup=False, soft_wrap=True)


def _print_dry_run(paths: tuple[Path, ...], format: str, accounts: Path | None, out: Path, *, as_json: bool) -> None:  # noqa: A002
    from dataclasses import asdict

    from stillwatch.app.dry_run import dry_run

    found = dry_run(paths, format=format, accounts=accounts, out=out)
    if as_json:
        print_json(asdict(found))
        return
    from stillwatch.app.showing import dry_run_table

    new_console(stderr=False).print(dry_run_table(found))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status when arguments are given, exits otherwise."""
    status = _run(list(sys.argv[1:] if arguments is None else arguments))
    if arguments is None:
        _leave(status)
    return status


def _leave(status: int) -> NoReturn:
    """End the process at once: what a scan of a large log has loaded takes the interpreter most of a second to take apart."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:  # whoever read it has seen enough
        pass
    except OSError as error:
        status = _failed(
            f"standard output: {error.strerror or error}; what it was to say is lost, what is in the result folder is whole", FAILED
        )
    sys.stderr.flush()
    os._exit(status)


def _run(arguments: list[str]) -> int:
    try:
        result = app(arguments, standalone_mode=False, prog_name="stillwatch")
    except StillwatchError as error:
        status = WRONG_USAGE if isinstance(error, UsageError) else INTERRUPTED if isinstance(error, StoppedError) else FAILED
        return _failed(f"{error}{noted(error)}", status)
    except COMMAND_LINE_ERROR as error:
        error.show()
        return WRONG_USAGE
    except (KeyboardInterrupt, typer.Abort):
        result = INTERRUPTED
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        return _failed(
            f"{place}{error.strerror or error}; free some room or mend the permissions, then run the command again{noted(error)}", FAILED
        )
    if result == INTERRUPTED:
        # Typer turns an interrupt inside a command into this status
        return _failed(STOPPED_WORDS if {*arguments[:1]} & RESUMABLE else ENDED_WORDS, INTERRUPTED)
    return result if isinstance(result, int) else 0


def _failed(sentence: str, status: int) -> int:
    new_console(stderr=True).print(f"stillwatch: {sentence}", markup=False, soft_wrap=True)
    return status
