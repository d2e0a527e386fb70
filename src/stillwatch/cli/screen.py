"""`stillwatch screen`: what in a training corpus is another model's output."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from stillwatch.cli.output import new_console, print_json
from stillwatch.cli.running import progress, stoppable
from stillwatch.errors import UsageError

if TYPE_CHECKING:
    from stillwatch.records.screening import Screening

FOUND = 3
FAIL_ON = ("match", "mark", "lead")


def screen(
    corpus: Annotated[list[str], typer.Argument(metavar="CORPUS", help="Files, folders, quoted patterns, or datasets saved on disk.")],
    log: Annotated[
        list[str] | None, typer.Option(help="Served log to compare with: files, folders or patterns as scan reads them; repeatable.")
    ] = None,
    log_format: Annotated[str, typer.Option(help="Reader of the served log; auto looks at each file.")] = "auto",
    mark: Annotated[list[str] | None, typer.Option(help="Watermark to test for: green-list, gumbel or vllm-gumbel; repeatable.")] = None,
    key: Annotated[Path | None, typer.Option(help="File of the master secret; default: the variable STILLWATCH_MASTER_KEY.")] = None,
    period: Annotated[list[str] | None, typer.Option(help="Period of a key, such as 2026-11; repeatable, each is one more test.")] = None,
    account: Annotated[list[str] | None, typer.Option(help="Account of a key, repeatable; default: the key for all accounts.")] = None,
    width: Annotated[int | None, typer.Option(min=1, max=16, help="Tokens of a context; default: 2, and vLLM's 4.")] = None,
    gamma: Annotated[float, typer.Option(help="Share of green tokens of a green list.")] = 0.25,
    tokenizer: Annotated[
        Path | None, typer.Option(help="tokenizer.json of the marked model, for documents without token ids (models extra).")
    ] = None,
    text_column: Annotated[str | None, typer.Option(help="Column of the text or messages; default: the usual names.")] = None,
    token_column: Annotated[str | None, typer.Option(help="Column of token ids; default: input_ids, token_ids, tokens.")] = None,
    id_column: Annotated[str | None, typer.Option(help="Column of the document's id; default: the usual names.")] = None,
    level: Annotated[float, typer.Option(help="False discovery rate of the watermark findings over documents.")] = 0.05,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the results; made if it is not there.")] = Path("screen-out"),
    resume: Annotated[bool, typer.Option("--resume", help="Keep the finished files of an interrupted run over the same input.")] = False,
    fail_on: Annotated[str | None, typer.Option(help="Exit with 3 when a document has this (match, mark, lead).")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print a summary for machines on standard output, and nothing else.")] = False,
) -> None:
    """Screen a training corpus for another model's outputs: matches with a served log, watermarks, and leads.

    Reads JSON Lines, Parquet, Arrow (Hugging Face datasets saved on disk) and text, plain or packed with gzip or zstd, of any size. Without
    --log and --mark it looks for leads only: chat templates, assistants that speak of themselves, refusals. It writes documents.parquet,
    sources.parquet, report.html, an attestation to sign (attestation.json and .txt), quarantine.jsonl and run.json. It estimates shares of
    the corpus with intervals and gives no verdict on a single document.

    Exit status: 0 done, whatever was found; 1 failed; 2 wrong usage; 3 only with --fail-on; 130 interrupted.

    \b
    stillwatch screen data/ --log served-logs/ --out screened
    stillwatch screen 'data/*.parquet' --mark gumbel --period 2026-11 --key master.key
    stillwatch screen my_dataset/ --mark green-list --period 2026-11 --tokenizer tokenizer.json
    """
    if fail_on is not None and fail_on not in FAIL_ON:
        raise UsageError(f"--fail-on is {fail_on!r}; it takes one of {', '.join(FAIL_ON)}")
    from stillwatch.app.screen_requesting import marks_for, screen_request
    from stillwatch.app.screening import screen as run
    from stillwatch.screen.fields import Fields

    marks = marks_for(mark or [], key=key, periods=period or [], accounts=account or [], width=width, gamma=gamma)
    request = screen_request(
        [Path(path) for path in corpus],
        out=out,
        log=[Path(path) for path in log or []],
        log_format=log_format,
        marks=marks,
        tokenizer=tokenizer,
        fields=Fields(text=text_column, tokens=token_column, id=id_column),
        level=level,
        resume=resume,
    )
    with stoppable(), progress(quiet=as_json) as shown:
        screening = run(request, shown, now=datetime.now(UTC))  # noqa: TID251 - the face may ask the clock
    _print(screening, out, as_json=as_json)
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
