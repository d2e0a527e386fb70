"""A screening, from the paths of a corpus to a result folder."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from stillwatch import __version__
from stillwatch.app.alone import alone_in
from stillwatch.app.disk import room_in
from stillwatch.app.progress import Progress
from stillwatch.app.screen_state import ScreenFolder
from stillwatch.app.screen_writing import Screened, conclude
from stillwatch.app.stages import staged
from stillwatch.app.state import file_sha256, remove_folder, without_results
from stillwatch.app.tokenizing import load_tokenizer
from stillwatch.errors import UnreadableInputError, naming
from stillwatch.ingest import IngestSettings, InputPlan, ingest, plan_inputs
from stillwatch.ingest.quarantine import Quarantine
from stillwatch.marks.keys import commitment
from stillwatch.records.screening import ScreenedFile, ScreenedLog, Screening
from stillwatch.screen.corpus import CorpusFile, CorpusPlan, plan_corpus
from stillwatch.screen.fields import Fields
from stillwatch.screen.judging import JUDGED, Encode, Judge
from stillwatch.screen.leads import shipped_leads
from stillwatch.screen.marked import Mark, seen_pairs
from stillwatch.screen.reading import UNREADABLE, Reading
from stillwatch.screen.reference import IDS, Reference, build_reference, open_reference
from stillwatch.screen.settings import ScreenSettings

_LOG_COLUMNS = ("exchange_id", "account_id", "prompt_text", "response_text", "reasoning_text")
_TOKEN_BYTES = 4
"""Bytes of a corpus for each token, about: it says how large the record of seen pairs is made."""

_SAVED_ALWAYS = 1 << 20
"""Bytes of a record of seen pairs that is saved after every file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScreenRequest:
    """What a screening is asked to do.

    Attributes:
        paths: files, folders and patterns of the corpus.
        out: the result folder.
        log, log_format: files of the served log, and its reader's name or auto.
        marks: watermarks to test for.
        tokenizer: file that makes token ids of documents without any.
        fields: columns that the user names.
        resume: whether to keep the files that an earlier run over the same input finished.
        settings: thresholds and bounds.
    """

    paths: tuple[Path, ...]
    out: Path
    log: tuple[Path, ...] = ()
    log_format: str = "auto"
    marks: tuple[Mark, ...] = ()
    tokenizer: Path | None = None
    fields: Fields = field(default_factory=Fields)
    resume: bool = False
    settings: ScreenSettings = field(default_factory=ScreenSettings)


def screen(request: ScreenRequest, progress: Progress, *, now: datetime) -> Screening:
    """Read, judge and lay out the result folder; run.json is written last, so that a folder that has one is whole.

    Raises StillwatchError subclasses for what the user can mend; an interrupt leaves finished files for --resume.
    """
    corpus = plan_corpus(request.paths, apart_from=request.out)
    log = without_results(plan_inputs(request.log, format=request.log_format), request.out) if request.log else None
    encode, tokenizer = (None, None) if request.tokenizer is None else load_tokenizer(request.tokenizer)
    folder = ScreenFolder(out=request.out)
    folder.check()
    with alone_in(request.out):
        folder.prepare(_run_key(request, corpus, log, tokenizer), resume=request.resume)
        if folder.holds_result():
            progress.note(f"The earlier result in {request.out} is replaced once this screening is done.")
        with room_in(request.out, input_bytes=sum(file.bytes for file in corpus.files)):
            return _screened(request, corpus, log, (encode, tokenizer), folder, progress, now=now)


def _screened(
    request: ScreenRequest,
    corpus: CorpusPlan,
    log: InputPlan | None,
    tokenizer: tuple[Encode | None, str | None],
    folder: ScreenFolder,
    progress: Progress,
    *,
    now: datetime,
) -> Screening:
    reference, screened_log = (None, None) if log is None else _reference(log, folder, request.settings, progress)
    judge = _judge(request, reference, tokenizer[0], sum(file.bytes for file in corpus.files))
    files = list(_files(corpus, folder, judge, request, progress))
    rows = sum(file.rows_out for file in files)
    if not rows:
        message = f"none of the {sum(file.rows_in for file in files)} rows of the corpus could be read"
        raise UnreadableInputError(f"{message}; see {folder.work / 'parts'} for the reasons, or name a --text-column")
    read = Screened(corpus=corpus, files=tuple(files), log=screened_log, marks=request.marks, tokenizer=tokenizer[1])
    return staged(progress, "conclude", rows, lambda tell: (conclude(folder, request.settings, read, now=now, tell=tell), rows))[0]


def _files(corpus: CorpusPlan, folder: ScreenFolder, judge: Judge, request: ScreenRequest, progress: Progress) -> Iterator[ScreenedFile]:
    """Every file, judged or taken from an earlier run.

    Which pairs were seen before depends on all earlier files, so the record of them is saved now and then (a large one whenever a quarter
    of its size was read); an earlier run's files beyond what it saved are read again, and come out the same.
    """
    if judge.seen:
        folder.forget_after(folder.load_seen(judge.seen))
    unsaved, size = 0, sum(record.nbytes for record in judge.seen)
    for place, file in enumerate(corpus.files):
        known = folder.done(place) is not None
        yield _file(place, file, folder, judge, request, progress)
        unsaved += 0 if known else file.bytes
        if unsaved and judge.seen and (size <= _SAVED_ALWAYS or 4 * unsaved >= size):
            folder.save_seen(judge.seen, place + 1)
            unsaved = 0


def _judge(request: ScreenRequest, reference: Reference | None, encode: Encode | None, corpus_bytes: int) -> Judge:
    return Judge(
        settings=request.settings,
        leads=shipped_leads(),
        reference=reference,
        responses=None if reference is None else pq.read_table(reference.folder / IDS),
        marks=request.marks,
        seen=tuple(seen_pairs(corpus_bytes // _TOKEN_BYTES) for _ in request.marks),
        encode=encode,
    )


def _run_key(request: ScreenRequest, corpus: CorpusPlan, log: InputPlan | None, tokenizer: str | None) -> str:
    """A digest of what a finished file depends on: files with size and time of change, settings, columns, keys, tokenizer, version."""
    paths = [file.path for file in corpus.files] + [file.path for file in (() if log is None else (*log.files, *log.access_logs))]
    stats = [(str(path.resolve()), path.stat().st_size, path.stat().st_mtime_ns) for path in paths]
    marks = [(mark.kind, commitment(mark.key), mark.width, mark.gamma) for mark in request.marks]
    given = [stats, asdict(request.settings), asdict(request.fields), marks, tokenizer, request.log_format, __version__]
    return hashlib.sha256(json.dumps(given, sort_keys=True).encode()).hexdigest()


def _reference(log: InputPlan, folder: ScreenFolder, settings: ScreenSettings, progress: Progress) -> tuple[Reference, ScreenedLog]:
    """The index of the served log, and what it was made of; the text that was read for it is deleted."""
    noted = folder.noted_log()
    if noted is not None:
        _taken(progress, "index log", noted.rows_out)
        return open_reference(folder.reference), noted
    made, _ = staged(progress, "index log", None, lambda tell: _index(log, folder, settings, tell))
    folder.note_log(made[1])
    return made


def _index(
    log: InputPlan, folder: ScreenFolder, settings: ScreenSettings, tell: Callable[[int], None]
) -> tuple[tuple[Reference, ScreenedLog], int]:
    work = folder.work / "log"
    for old in (folder.reference, work):
        remove_folder(old)
    work.mkdir(mode=0o700)
    read = ingest(log, work=work, settings=IngestSettings(join_access_logs=False), progress=lambda rows, _bytes: tell(rows))
    batches = (batch for shard in read.shards for batch in shard.batches(settings.batch_rows, _LOG_COLUMNS))
    made = build_reference(folder.reference, batches, most_common=settings.most_common, least_words=settings.least_words)
    if not made.keys.size and not made.whole.size:
        raise UnreadableInputError("the served log holds no response long enough to be compared; give a --served log with response texts")
    read.quarantine.replace(folder.reference / "quarantine.jsonl")
    remove_folder(work)
    screened = ScreenedLog(
        files=read.input_hashes,
        rows_in=sum(file.rows_in for file in read.files),
        rows_out=sum(file.rows_out for file in read.files),
        responses=made.responses,
        shingles=int(made.keys.size),
        common=made.common,
    )
    return (made, screened), screened.rows_out


def _file(place: int, file: CorpusFile, folder: ScreenFolder, judge: Judge, request: ScreenRequest, progress: Progress) -> ScreenedFile:
    """Judge every document of a file, or take what an earlier run noted of it."""
    name = file.name if len(file.name) <= 40 else f"…{file.name[-39:]}"
    noted = folder.done(place)
    if noted is not None:
        _taken(progress, name, noted.rows_out)
        return noted
    screened, _ = staged(progress, name, None, lambda tell: _judged(place, file, folder, judge, request, tell))
    folder.note(place, screened)
    return screened


def _judged(
    place: int, file: CorpusFile, folder: ScreenFolder, judge: Judge, request: ScreenRequest, tell: Callable[[int], None]
) -> tuple[ScreenedFile, int]:
    part = folder.part(place, "parquet")
    with Quarantine(folder.part(place, "jsonl")) as quarantine, naming(part), pq.ParquetWriter(part, JUDGED, compression="zstd") as writer:
        reading = Reading(file=file, settings=request.settings, fields=request.fields, quarantine=quarantine, told=tell)
        for batch in _rows_of(reading, judge):
            writer.write_batch(batch)
    quarantined = sum(reading.reasons.values())
    screened = ScreenedFile(
        file=file.name,
        source=file.source,
        format=file.format,
        bytes=file.bytes,
        sha256=reading.sha256 or file_sha256(file.path),
        rows_in=reading.rows_out + quarantined,
        rows_out=reading.rows_out,
        quarantined=quarantined,
        reasons=dict(sorted(reading.reasons.items())),
    )
    return screened, screened.rows_out


def _rows_of(reading: Reading, judge: Judge) -> Iterator[pa.RecordBatch]:
    """Judged rows; a file that cannot be read as a whole is quarantined as one row, and the others go on."""
    try:
        for documents in reading.documents():
            yield judge.judge(documents, source=reading.file.source, file=reading.file.name)
    except UnreadableInputError as error:
        reading.refuse(1, UNREADABLE, str(error))


def _taken(progress: Progress, name: str, rows: int) -> None:
    """Tell that an earlier run did this stage."""
    progress.begin(name, rows)
    progress.end(rows, 0.0, resumed=True)
