"""The teacher's own scores of both answers of every pair, so that a twin test can take its preference away: the prompts of the test."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

from stillwatch.app.kept_measures import bind, bond_path
from stillwatch.app.measure_files import plain_prompt, rows_of, whole_rows
from stillwatch.app.pair_files import read_pairs
from stillwatch.app.plan_checking import folder_files
from stillwatch.app.private_files import open_appending
from stillwatch.app.progress import Progress
from stillwatch.app.sealed_lines import START, plain_lines, plain_sha256, seal_line, stored_line, stored_lines
from stillwatch.app.unusable import HeldBack, journal_path
from stillwatch.app.vaulting import encrypt_file
from stillwatch.errors import OutputError, UnreadableInputError, UsageError, naming
from stillwatch.govern.vault import Vault
from stillwatch.provenance.suspects import AnswerError, Suspect, SuspectError
from stillwatch.provenance.suspects.endpoint import NO_LOG_PROBABILITIES, EndpointSuspect
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


def teacher_digest(folder: Path | None) -> str:
    """One sha256 over every file of the teacher's folder; empty for an endpoint."""
    if folder is None:
        return ""
    return hashlib.sha256("".join(f"{name} {digest}\n" for name, digest in folder_files(folder)).encode()).hexdigest()


def score_pairs(
    pairs: Path, teacher: Suspect, out: Path, progress: Progress, *, named: str, digest: str = "", vault: Vault | None = None
) -> dict[str, Any]:
    """Write `out`, a private file with a row for every pair: request_id, key_commitment, prompt, first, second, teacher_first,
    teacher_second.

    The scores are ln probabilities (nats); they know nothing of the coin. A pair that the teacher gives no usable score for has none, and
    is later tested without. An interrupted run goes on where it stopped.

    Args:
        pairs: the gateway's pairs file; its chain is checked.
        teacher: the model that answered, with log-probabilities.
        out: a new file; an existing one is never overwritten.
        progress: is told of each pair.
        named: the teacher's folder, or address and model; a part by another teacher is not gone on with.
        digest: of the teacher's folder, by `teacher_digest`; a part by other weights is not gone on with.
        vault: opens the pairs, and seals `out` and its part, line by line as they are written. None: all of them are plain.

    Returns what a plan needs: `pairs`, `scored`, `prompts_sha256`.
    Raises UnreadableInputError for a file without pairs, OutputError where `out` is there, SuspectError where the teacher gives nothing, or
    nothing usable several times in a row; those pairs are asked again by the next run.
    """
    if out.exists():
        raise OutputError(f"{out} is there already and is never overwritten; name another file, or move it away yourself")
    given = read_pairs(pairs, vault)
    if not given.pairs:
        raise UnreadableInputError(f"{pairs} holds no pair, so there is nothing to score; name the file that the gateway appends to")
    part = out.with_name(out.name + ".part")
    bind(part, {"pairs_head": given.head, "teacher": named} | ({"teacher_sha256": digest} if digest else {}))
    progress.begin("score", len(given.pairs))
    start = time.perf_counter()
    _fill(part, given.pairs, teacher, progress, named, vault)
    scored = _scores(part, vault) + sum(pair.tie for pair in given.pairs)
    if vault is not None:
        encrypt_file(part, vault)  # lines of an earlier run may be plain, or under another key
    part.replace(out)
    for beside in (bond_path(part), journal_path(part)):
        beside.unlink(missing_ok=True)
    progress.end(len(given.pairs), time.perf_counter() - start, resumed=False)
    return {"pairs": len(given.pairs), "scored": scored, "prompts_sha256": plain_sha256(out, vault)}


class _Appended:
    """Lines at the end of a part, sealed where there is a vault, each behind the one before it."""

    def __init__(self, file: IO[str], previous: str, vault: Vault | None) -> None:
        self._file, self._previous, self._vault = file, previous, vault

    def write(self, lines: str) -> None:
        """Add whole lines, and hand them to the system."""
        for line in lines.splitlines():
            plain = line.encode()
            stands = plain if self._vault is None else seal_line(plain, self._previous, self._vault)
            self._file.write(stands.decode() + "\n")
            self._previous = stored_line(stands).digest
        self._file.flush()


def _read_part(part: Path, vault: Vault | None) -> tuple[int, str]:
    """Whole rows of a part and the digest of the last one. Raises VaultError where one is sealed and the key is not given."""
    done, previous = whole_rows(part), START
    if done:
        for _ in plain_lines(part, vault):
            pass  # each is seen to open before anything is put behind it
        with part.open("rb") as file:
            for line, _, _ in stored_lines(file):
                previous = line.digest
    return done, previous


def _fill(part: Path, pairs: Sequence[TwinPair], teacher: Suspect, progress: Progress, named: str, vault: Vault | None) -> None:
    """Score the pairs that the part has no row of."""
    done, previous = _read_part(part, vault)
    held = HeldBack(part, done)
    with naming(part), open_appending(part, 0o600) as opened:
        file = _Appended(opened, previous, vault)
        for number, pair in enumerate(pairs[done:], done + 1):
            row = _scored(pair, teacher)
            if row["teacher_first"] is None:
                held.hold(number, row, str(row["reason"]))
                if held.too_many:
                    break
            else:
                file.write(held.with_unasked(row) if pair.tie else held.released(row))
            progress.advance(number)
        scored = _scores(part, vault) if held.unusable else 0
        if held.unusable and (held.unsettled or not scored):
            raise SuspectError(f"{named}: no usable score: {held.words(answered=scored > 0)}{_advice(held.reason, scored)}")
        file.write(held.released())
        os.fsync(opened.fileno())


def _scores(part: Path, vault: Vault | None) -> int:
    """How many pairs that the teacher was asked have its scores."""
    return sum(row["teacher_first"] is not None and row["first"] != row["second"] for row in rows_of(part, vault))


def _advice(reason: str, scored: int) -> str:
    if scored or reason != NO_LOG_PROBABILITIES:
        return ""
    return (
        ". An endpoint that never gives log-probabilities scores nothing: give the model's folder with --folder or a server that echoes "
        "them, or plan twins with the pairs file itself, without the teacher's scores"
    )


def _scored(pair: TwinPair, teacher: Suspect) -> dict[str, Any]:
    named = ("request_id", "key_commitment", "prompt", "first", "second")
    row: dict[str, Any] = {name: getattr(pair, name) for name in named}
    if pair.tie:
        return row | {"teacher_first": 0.0, "teacher_second": 0.0}
    prompt = plain_prompt(pair.prompt)
    try:
        first, second = teacher.log_likelihood(prompt, pair.first), teacher.log_likelihood(prompt, pair.second)
    except AnswerError as error:
        return row | {"teacher_first": None, "teacher_second": None, "reason": str(error)[:300]}
    return row | {"teacher_first": first, "teacher_second": second}
