"""Labels as a file: what closed cases say about findings, for whoever measures the detectors."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from stillwatch.app.state import write_text
from stillwatch.app.suppressing import require_folder
from stillwatch.cases.labels import Label
from stillwatch.errors import UsageError
from stillwatch.report.codec import to_plain


def write_labels(path: Path, labels: Sequence[Label]) -> None:
    """Write labels as Parquet or, where the name ends in `.jsonl`, as JSON Lines. Raises UsageError for another ending."""
    rows = [asdict(label) for label in labels]
    if path.suffix == ".jsonl":
        require_folder(path)
        write_text(path, "".join(json.dumps(to_plain(row), ensure_ascii=True, separators=(",", ":")) + "\n" for row in rows))
        return
    if path.suffix != ".parquet":
        raise UsageError(f"--out {path} ends in {path.suffix or 'nothing'!r}; labels are written to a name that ends in .parquet or .jsonl")
    import pyarrow as pa

    from stillwatch.app.writing import write_arrow
    from stillwatch.engines.schema import arrow_schema
    from stillwatch.records.tables import LABELS

    schema = arrow_schema(LABELS)
    require_folder(path)
    write_arrow(path, pa.Table.from_pylist([{name: row[name] for name in LABELS.names} for row in rows], schema=schema))
    path.chmod(0o640)
