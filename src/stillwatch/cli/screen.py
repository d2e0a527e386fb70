"""`stillwatch screen`: what in a training corpus is another model's output."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from stillwatch.cli.output import new_console, print_json
from stillwatch.cli.running import FOUND, progress, stoppable
from stillwatch.errors import UsageError

if TYPE_CHECKING:
    from stillwatch.app.screening import ScreenRequest
    from stillwatch.records.screening import Screening

FAIL_ON = ("match", "mark", "lead")

Corpus = Annotated[list[str], typer.Argument(metavar="CORPUS", help="Files, folders, quoted patterns, or datasets saved on disk.")]
Served = Annotated[
    list[str] | None, typer.Option(help="Served log to compare with: files, folders or patterns as scan reads them; repeatable.")
]
OldLog = Annotated[list[str] | None, typer.Option("--log", hidden=True)]
LogFormat = Annotated[str, typer.Option(help="Reader of the served log; auto looks at each file.")]
Marks = Annotated[list[str] | None, typer.Option(help="Watermark to test for: green-list, gumbel or vllm-gumbel; repeatable.")]
Key = Annotated[Path | None, typer.Option(help="File of the master secret; default: the variable STILLWATCH_MASTER_KEY.")]
Periods = Annotated[list[str] | None, typer.Option(help="Period of a key, such as 2026-11; repeatable, each is one more test.")]
Accounts = Annotated[list[str] | None, typer.Option(help="Account of a key, repeatable; default: the key for all accounts.")]
Width = Annotated[int | None, typer.Option(min=1, max=16, help="Tokens of a context, as at generation; default: 2, and vLLM's 4.")]
Gamma = Annotated[float, typer.Option(help="Share of green tokens of a green list.")]
TokenizerFile = Annotated[
    Path | None, typer.Option(help="tokenizer.json of the marked model, for documents without token ids (models extra).")
]
TextColumn = Annotated[str | None, typer.Option(help="Column of the text or messages; default: the usual names.")]
TokenColumn = Annotated[str | None, typer.Option(help="Column of token ids; default: input_ids, token_ids, tokens.")]
IdColumn = Annotated[str | None, typer.Option(help="Column of the document's id; default: the usual names.")]
Level = Annotated[float, typer.Option(help="False discovery rate of the watermark findings over documents.")]
Out = Annotated[Path, typer.Option("--out", "-o", help="Folder for the results; made if it is not there.")]
Resume = Annotated[bool, typer.Option("--resume", help="Keep the finished files of an interrupted run over the same input.")]
FailOn = Annotated[str | None, typer.Option(help="Exit with 3 when a document has this (match, mark, lead).")]
Json = Annotated[bool, typer.Option("--json", help="Print a summary for machines on standard output, and nothing else.")]


def screen(
    corpus: Corpus,
    served: Served = None,
    log_format: LogFormat = "auto",
    mark: Marks = None,
    key: Key = None,
    period: Periods = None,
    account: Accounts = None,
    width: Width = None,
    gamma: Gamma = 0.25,
    tokenizer: TokenizerFile = None,
    text_column: TextColumn = None,
    token_column: TokenColumn = None,
    id_column: IdColumn = None,
    level: Level = 0.05,
    out: Out = Path("screen-out"),
    resume: Resume = False,
    fail_on: FailOn = None,
    log: OldLog = None,
    as_json: Json = False,
) -> None:
    """Screen a training corpus for another model's outputs: matches with a served log, watermarks, and leads.

    Reads JSON Lines, Parquet, Arrow (datasets saved on disk) and text, packed or plain. Without --served and --mark: leads only.
    It writes tables, a report and an attestation to sign; it estimates shares and gives no verdict on a single document.
    Exit status: 0 done, whatever was found; 1 failed; 2 wrong usage; 3 only with --fail-on; 130 interrupted.

    \b
    stillwatch screen data/ --served served-logs/ --out screened
    stillwatch screen my_dataset/ --mark green-list --width 1 --period 2026-11 --tokenizer tokenizer.json
    """
    _check(fail_on, log)
    from stillwatch.app.screen_requesting import marks_for, screen_request
    from stillwatch.screen.fields import Fields

    marks = marks_for(mark or [], key=key, periods=period or [], accounts=account or [], width=width, gamma=gamma)
    fields = Fields(text=text_column, tokens=token_column, id=id_column)
    given: dict[str, Any] = {"fields": fields, "marks": marks, "tokenizer": tokenizer, "log_format": log_format, "resume": resume}
    request = screen_request([*map(Path, corpus)], out=out, log=[*map(Path, served or [])], level=level, **given)
    _screened(request, fail_on, as_json=as_json)


def _check(fail_on: str | None, log: list[str] | None) -> None:
    if log:
        raise UsageError("--log means the evidence log elsewhere, so the served log of screen is now --served")
    if fail_on is not None and fail_on not in FAIL_ON:
        raise UsageError(f"--fail-on is {fail_on!r}; it takes one of {', '.join(FAIL_ON)}")


def _screened(request: ScreenRequest, fail_on: str | None, *, as_json: bool) -> None:
    from stillwatch.app.screening import screen as run

    with stoppable(), progress(quiet=as_json) as shown:
        screening = run(request, shown, now=datetime.now(UTC))  # noqa: TID251 - the face may ask the clock
    _print(screening, request.out, as_json=as_json)
    whole = screening.whole
    found = {"match": whole.exact + whole.near, "mark": whole.marked, "lead": whole.with_leads}
    if fail_on is not None and found[fail_on]:
        raise typer.Exit(FOUND)


def _print(screening: Screening, out: Path, *, as_json: bool) -> None:
    if as_json:
        from stillwatch.app.screen_writing import run_json

        print_json(run_json(screening) | {"folder": str(out)})
        return
    from stillwatch.app.showing_screen import screening_table

    console = new_console(stderr=False)
    console.print(screening_table(screening))
    console.print(f"Report: {out / 'report.html'}", markup=False, soft_wrap=True)
    console.print(f"To sign: {out / 'attestation.json'}", markup=False, soft_wrap=True)
