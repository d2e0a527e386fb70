"""The result folder of a screening: documents, sources, quarantine, report, attestation, and run.json last of all."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from stillwatch import __version__
from stillwatch.app.attesting import attestation_text, statement
from stillwatch.app.screen_state import (
    ATTESTATION,
    ATTESTATION_TEXT,
    DOCUMENTS_FILE,
    QUARANTINE,
    REPORT,
    SOURCES_FILE,
    ScreenFolder,
)
from stillwatch.app.state import RUN, remove_folder, replacing, write_text
from stillwatch.app.writing import write_table
from stillwatch.engines.schema import arrow_schema
from stillwatch.marks.keys import commitment
from stillwatch.records.screening import DOCUMENTS, SOURCES, ScreenedFile, ScreenedLog, ScreenedMark, Screening, SourceScreened
from stillwatch.screen.corpus import CorpusPlan
from stillwatch.screen.leads import shipped_leads
from stillwatch.screen.marked import GREEN_LIST, Mark
from stillwatch.screen.settings import ScreenSettings
from stillwatch.screen.summing import COLUMNS, gather, histograms, strongest, summed

SHOWN_DOCUMENTS = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Screened:
    """What was read: the plan, each file, and what they were compared with."""

    corpus: CorpusPlan
    files: tuple[ScreenedFile, ...]
    log: ScreenedLog | None
    marks: tuple[Mark, ...]
    tokenizer: str | None


def conclude(folder: ScreenFolder, settings: ScreenSettings, read: Screened, *, now: datetime, tell: Callable[[int], None]) -> Screening:
    """Sum up the judged files, write every result, and delete the work folder."""
    parts = [folder.part(place, "parquet") for place in range(len(read.files))]
    sources = list(dict.fromkeys(file.source for file in read.files))
    leads = [lead.name for lead in shipped_leads()]
    judged = gather(_batches(parts, COLUMNS), sources, leads)
    (folder.out / RUN).unlink(missing_ok=True)
    rows = _write_documents(folder.out / DOCUMENTS_FILE, parts, judged.q, strongest(judged, SHOWN_DOCUMENTS, settings.level), tell)
    shares, p_counts = histograms(judged)
    screening = Screening(
        created_at=now,
        version=__version__,
        settings=asdict(settings),
        files=read.files,
        ignored=read.corpus.ignored,
        log=read.log,
        marks=tuple(_screened_mark(mark) for mark in read.marks),
        tokenizer=read.tokenizer,
        whole=summed(judged, "all", leads, settings),
        sources=tuple(summed(judged, name, leads, settings, place) for place, name in enumerate(sources)),
        strongest=rows,
        containment=shares,
        p_counts=p_counts,
    )
    _write_results(folder, screening)
    return screening


def _write_results(folder: ScreenFolder, screening: Screening) -> None:
    from stillwatch.report.screen_page import render_screening

    write_table(folder.out / SOURCES_FILE, SOURCES, _source_columns(screening.sources))
    _write_quarantine(folder, len(screening.files))
    write_text(folder.out / REPORT, render_screening(screening))
    write_text(folder.out / ATTESTATION, statement(screening).decode())
    write_text(folder.out / ATTESTATION_TEXT, attestation_text(screening))
    write_text(folder.out / RUN, json.dumps(run_json(screening), ensure_ascii=False, indent=1, default=str))
    remove_folder(folder.work)


def run_json(screening: Screening) -> dict[str, Any]:
    """What run.json and `--json` hold: everything but the single documents."""
    return {"command": "screen"} | {name: value for name, value in asdict(screening).items() if name != "strongest"}


def _screened_mark(mark: Mark) -> ScreenedMark:
    return ScreenedMark(
        kind=mark.kind,
        account=mark.account,
        period=mark.period,
        width=mark.width,
        gamma=mark.gamma if mark.kind == GREEN_LIST else None,
        commitment=commitment(mark.key),
    )


def _batches(parts: Sequence[Path], columns: Sequence[str] | None = None) -> Iterator[pa.RecordBatch]:
    """The judged rows of every file, in order; a batch is of one file."""
    for part in parts:
        with pq.ParquetFile(part) as file:
            yield from (batch for batch in file.iter_batches(columns=columns and list(columns)) if batch.num_rows)


def _write_documents(
    path: Path, parts: Sequence[Path], q: npt.NDArray[np.float64], shown: npt.NDArray[np.int64], tell: Callable[[int], None]
) -> tuple[dict[str, Any], ...]:
    """Write the documents table, and give the rows with the numbers `shown`, in that order."""
    schema = arrow_schema(DOCUMENTS)
    found: dict[int, dict[str, Any]] = {}
    wanted = np.sort(shown)
    done = 0
    with replacing(path) as file, pq.ParquetWriter(file, schema, compression="zstd") as writer:
        for batch in _batches(parts):
            mine = q[done : done + batch.num_rows]
            columns = dict(zip(batch.schema.names, batch.columns, strict=True))
            columns["q_value"] = pa.array(mine, mask=np.isnan(mine))
            rows = pa.RecordBatch.from_arrays([columns[name] for name in schema.names], schema=schema)
            writer.write_batch(rows)
            for number in wanted[np.searchsorted(wanted, done) : np.searchsorted(wanted, done + batch.num_rows)].tolist():
                found[number] = rows.slice(number - done, 1).to_pylist()[0]
            done += batch.num_rows
            tell(done)
    return tuple(found[number] for number in shown.tolist())


def _source_columns(sources: Sequence[SourceScreened]) -> dict[str, list[Any]]:
    names = ("documents", "distinct", "comparable", "exact", "near", "tested", "marked", "with_leads")
    columns: dict[str, list[Any]] = {name: [getattr(source, name) for source in sources] for name in names}
    columns["source"] = [source.name for source in sources]
    for kind in ("matched", "marked"):
        estimates = [getattr(source, f"{kind}_share") for source in sources]
        for end in ("share", "low", "high"):
            columns[f"{kind}_{end}"] = [None if estimate is None else getattr(estimate, end) for estimate in estimates]
    return columns


def _write_quarantine(folder: ScreenFolder, files: int) -> None:
    with replacing(folder.out / QUARANTINE) as target:
        for part in (folder.reference / "quarantine.jsonl", *(folder.part(place, "jsonl") for place in range(files))):
            if part.exists():
                with part.open("rb") as lines:
                    shutil.copyfileobj(lines, target)
