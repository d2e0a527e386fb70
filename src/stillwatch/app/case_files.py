"""Labels as a file, for whoever measures the detectors; and what closed cases decided handed out on record."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path

from stillwatch.app.casework import Desk
from stillwatch.app.state import write_bytes
from stillwatch.cases.labels import Label
from stillwatch.cases.working import handed_out
from stillwatch.errors import UsageError
from stillwatch.records.evidence import Export, Input
from stillwatch.report.codec import to_plain


def labels_content(path: Path, labels: Sequence[Label]) -> bytes:
    """Labels as Parquet or, where the name ends in `.jsonl`, as JSON Lines. Raises UsageError for another ending."""
    rows = [asdict(label) for label in labels]
    if path.suffix == ".jsonl":
        return "".join(json.dumps(to_plain(row), ensure_ascii=True, separators=(",", ":")) + "\n" for row in rows).encode()
    if path.suffix != ".parquet":
        raise UsageError(f"--out {path} ends in {path.suffix or 'nothing'!r}; labels are written to a name that ends in .parquet or .jsonl")
    import pyarrow as pa
    import pyarrow.parquet as pq

    from stillwatch.engines.schema import arrow_schema
    from stillwatch.records.tables import LABELS

    table = pa.Table.from_pylist([{name: row[name] for name in LABELS.names} for row in rows], schema=arrow_schema(LABELS))
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd")
    return sink.getvalue().to_pybytes()


def hand_out(desk: Desk, by: str | None, path: Path, content: bytes, cases: Iterable[int], what: str) -> None:
    """Write a file of what closed cases decided, once each of them has an act that says so.

    With an evidence log its sha256 is a record of the kind `export` there as well.
    """
    _require_folder(path)
    acting, numbers = desk.acting(by), sorted(set(cases))
    digest = hashlib.sha256(content).hexdigest()
    handed_out(desk.store, numbers, acting, what=what, name=path.name, sha256=digest)
    if desk.recorder is not None:
        file = Input(name=path.name, sha256=digest)
        desk.recorder.record(
            [Export(by=acting.by, to="the house", why=f"what {len(numbers)} closed cases decided", form=what, files=(file,))]
        )
    desk.settle()
    write_bytes(path, content)


def _require_folder(path: Path) -> None:
    """Nothing where the file's folder is there; else UsageError."""
    if not path.parent.is_dir():
        raise UsageError(f"{path.parent} is no folder; name one that is there")
