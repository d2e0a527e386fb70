"""The teacher's own scores of both answers of every pair, so that a twin test can take its preference away: the prompts of the test."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from stillwatch.app.kept_measures import bind, bond_path
from stillwatch.app.measure_files import plain_prompt, whole_rows
from stillwatch.app.pair_files import read_pairs
from stillwatch.app.progress import Progress
from stillwatch.app.state import file_sha256
from stillwatch.errors import OutputError, UsageError
from stillwatch.provenance.suspects import MOST_IN_A_ROW, AnswerError, Suspect, SuspectError
from stillwatch.provenance.suspects.endpoint import EndpointSuspect
from stillwatch.provenance.suspects.folder import FolderSuspect
from stillwatch.provenance.suspects.transport import Transport
from stillwatch.records.pairs import TwinPair
from stillwatch.settings import teacher_key_line


def open_teacher(folder: Path | None, url: str, model: str) -> tuple[Suspect, str]:
    """The model that answered, from a folder or an endpoint, and how it is called in what is kept.

    Raises UsageError unless exactly one of the two is given, the endpoint with a model's name.
    """
    if (folder is None) == (not url) or bool(url) != bool(model):
        raise UsageError("the model that answered is needed: either --folder, or --url and --model")
    if folder is not None:
        return FolderSuspect(folder, seed=0), str(folder.resolve())
    return EndpointSuspect(transport=Transport(url=url, key=teacher_key_line() or ""), model=model), f"{url} {model}"


def score_pairs(pairs: Path, teacher: Suspect, out: Path, progress: Progress, *, named: str) -> dict[str, Any]:
    """Write `out`, a private file with a row for every pair: request_id, prompt, first, second, teacher_first, teacher_second.

    The scores are ln probabilities (nats); they know nothing of the coin. A pair that the teacher gives no usable score for has none, and
    is later tested without. An interrupted run goes on where it stopped.

    Args:
        pairs: the gateway's pairs file; its chain is checked.
        teacher: the model that answered, with log-probabilities.
        out: a new file; an existing one is never overwritten.
        progress: is told of each pair.
        named: the teacher's folder, or address and model; a part by another teacher is not gone on with.

    Returns what a plan needs: `pairs`, `scored`, `prompts_sha256`.
    Raises OutputError where `out` is there, SuspectError where the teacher gives nothing, or nothing usable several times in a row.
    """
    if out.exists():
        raise OutputError(f"{out} is there already and is never overwritten; name another file, or move it away yourself")
    held = read_pairs(pairs)
    part = out.with_name(out.name + ".part")
    bind(part, {"pairs_head": held.head, "teacher": named})
    done = whole_rows(part)
    progress.begin("score", len(held.pairs))
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "a", encoding="utf-8") as file:
        in_a_row = 0
        for number, pair in enumerate(held.pairs[done:], done + 1):
            row = _scored(pair, teacher)
            in_a_row = in_a_row + 1 if row["teacher_first"] is None else 0
            file.write(json.dumps(row) + "\n")
            file.flush()
            progress.advance(number)
            if in_a_row >= MOST_IN_A_ROW:
                raise SuspectError(f"{named}: no usable score for {in_a_row} pairs in a row, the last because {row['reason']}")
        os.fsync(file.fileno())
    part.replace(out)
    bond_path(part).unlink(missing_ok=True)
    progress.end(len(held.pairs), 0.0, resumed=False)
    with out.open(encoding="utf-8") as file:
        scored = sum(json.loads(line)["teacher_first"] is not None for line in file)
    return {"pairs": len(held.pairs), "scored": scored, "prompts_sha256": file_sha256(out)}


def _scored(pair: TwinPair, teacher: Suspect) -> dict[str, Any]:
    row: dict[str, Any] = {"request_id": pair.request_id, "prompt": pair.prompt, "first": pair.first, "second": pair.second}
    if pair.tie:
        return row | {"teacher_first": 0.0, "teacher_second": 0.0}
    prompt = plain_prompt(pair.prompt)
    try:
        first, second = teacher.log_likelihood(prompt, pair.first), teacher.log_likelihood(prompt, pair.second)
    except AnswerError as error:
        return row | {"teacher_first": None, "teacher_second": None, "reason": str(error)[:300]}
    return row | {"teacher_first": first, "teacher_second": second}
