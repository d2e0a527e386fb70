"""Runs ingest: reads every file of a plan, and gives shards, counts, hashes and the quarantine."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from stillwatch.ingest import access_log
from stillwatch.ingest.digests import Digests
from stillwatch.ingest.inputs import ACCESS_LOG, PARQUET, InputFile, InputPlan
from stillwatch.ingest.joins import JoinStore
from stillwatch.ingest.normalise import Normaliser, RecordStream
from stillwatch.ingest.pairs import read_batches
from stillwatch.ingest.parquet import validate
from stillwatch.ingest.parts import Parts
from stillwatch.ingest.quarantine import Quarantine
from stillwatch.ingest.readers import READERS, Reader
from stillwatch.ingest.readers.base import ODD_SHAPES
from stillwatch.ingest.readers.batch import BATCH
from stillwatch.ingest.seen import SeenIds
from stillwatch.ingest.settings import IngestSettings
from stillwatch.ingest.shards import Shard
from stillwatch.ingest.tally import Session, Tally
from stillwatch.ingest.values import RefusedRowError
from stillwatch.records.findings import FileCount
from stillwatch.records.tables import EXCHANGES

UNREADABLE = "unreadable"
"""Stands for the format of a file of which nothing could be read."""

_PUT_AT_ONCE = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class IngestResult:
    """What ingest read.

    Attributes:
        shards: the accepted exchanges, in the order of the plan.
        files: counts per file, in the order of the plan, then access logs, then unreadable files; rows_in = rows_out + quarantined.
        reasons: how many rows were refused for each reason.
        filled_columns: columns with at least one value, in the table's order.
        input_hashes: sha256 of each file's bytes.
        quarantine: where the refused rows are written down.
        skipped: per file, entries that are no exchanges of their own (spans of other calls, matched batch requests, access-log lines).
    """

    shards: tuple[Shard, ...]
    files: tuple[FileCount, ...]
    reasons: dict[str, int]
    filled_columns: tuple[str, ...]
    input_hashes: dict[str, str]
    quarantine: Path
    skipped: dict[str, int] = field(default_factory=dict)


def ingest(plan: InputPlan, *, work: Path, settings: IngestSettings, progress: Callable[[int, int], None]) -> IngestResult:
    """Read every file of the plan to its end; text is written only below `work`, which the caller deletes.

    Args:
        plan: from `plan_inputs`.
        work: an existing folder.
        settings: bounds and defaults.
        progress: called with rows and bytes done so far, at least once per MiB or per 131,072 rows of Parquet.
    """
    with ExitStack() as open_files:
        quarantine = open_files.enter_context(Quarantine(work / "quarantine.jsonl"))
        joins = open_files.enter_context(JoinStore(work / "joins.sqlite"))
        session = Session(settings=settings, quarantine=quarantine, seen=SeenIds(), progress=progress)
        logs = [_read_access_log(file, session, joins) for file in plan.access_logs if settings.join_access_logs]
        lost = _refuse_files(plan, session)
        parts = Parts(work / "exchanges-text", settings)
        normaliser = Normaliser(session, parts, joins)
        tallies = [Tally(name=file.name, format=file.format) for file in plan.files]
        shards: list[Shard] = []
        batches: list[tuple[InputFile, Tally]] = []
        digests = open_files.enter_context(Digests([file for file in plan.files if file.format == PARQUET]))
        for file, tally in zip(plan.files, tallies, strict=True):
            if file.format == PARQUET:
                shards += validate(file, digests, session, tally)
            elif file.format == BATCH.name:
                batches.append((file, tally))
            else:
                _keep_entries(file, READERS[file.format], session, joins)
                normaliser.read(file, READERS[file.format], tally)
        read_batches([file for file, _ in batches], [tally for _, tally in batches], normaliser, session, work)
        shards += parts.close()
        return _result([*tallies, *logs, *lost], shards, session)


def _result(tallies: list[Tally], shards: list[Shard], session: Session) -> IngestResult:
    return IngestResult(
        shards=tuple(shards),
        files=tuple(tally.count() for tally in tallies),
        reasons=dict(sorted(session.quarantine.reasons.items())),
        filled_columns=tuple(name for name in EXCHANGES.names if name in session.filled),
        input_hashes=dict(session.hashes),
        quarantine=session.quarantine.path,
        skipped={tally.name: tally.skipped for tally in tallies if tally.skipped},
    )


def _refuse_files(plan: InputPlan, session: Session) -> list[Tally]:
    """Quarantine every file that is lost as a whole, as one row: nobody can say how many it held."""
    tallies = [Tally(name=file.name, format=UNREADABLE) for file in plan.unreadable]
    for file, tally in zip(plan.unreadable, tallies, strict=True):
        session.refuse(tally, line=1, offset=None, reason="unreadable_file", detail=f"expected a readable log; {file.reason}", head=b"")
    return tallies


def _keep_entries(file: InputFile, reader: Reader, session: Session, joins: JoinStore) -> None:
    """What a file's records say about where others of its records came from; broken ones are left to the reading itself."""
    if reader.entries is None:
        return
    waiting: list[tuple[str, str | None, str | None]] = []
    stream = RecordStream(file, session, counted=False)
    for raw in stream:
        if not any(mark in raw.data for mark in reader.entry_marks):
            continue
        try:
            waiting += reader.entries(stream.record(raw))
        except (RefusedRowError, *ODD_SHAPES):
            continue
        if len(waiting) >= _PUT_AT_ONCE:
            joins.put(waiting)
            waiting = []
    joins.put(waiting)


def _read_access_log(file: InputFile, session: Session, joins: JoinStore) -> Tally:
    """Keep what an access log says about each request; its lines count as skipped, its broken ones as quarantined."""
    tally = Tally(name=file.name, format=ACCESS_LOG)
    stream = RecordStream(file, session)
    waiting: list[tuple[str, str | None, str | None]] = []
    for raw in stream:
        try:
            waiting += access_log.entries(stream.record(raw))
            tally.skipped += 1
        except RefusedRowError as refused:
            reason, detail = refused.reason, refused.detail
            session.refuse(tally, line=raw.number, offset=raw.offset, reason=reason, detail=detail, head=raw.data)
        if len(waiting) >= _PUT_AT_ONCE:
            joins.put(waiting)
            waiting = []
    joins.put(waiting)
    return tally
