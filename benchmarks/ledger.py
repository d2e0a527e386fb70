"""Speed of the evidence log: `make bench-ledger`; results into benchmarks/LEDGER.md.

The floor is what `json.dumps` and one SHA-256 of each record cost. It is measured in turns with the log's appending, batch by batch of the
same records, so that whatever else the machine does falls on both.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import resource
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from stillwatch.ledger.canonical import canonical_json
from stillwatch.ledger.merkle import LONGEST_PATH
from stillwatch.ledger.notes import Kind
from stillwatch.ledger.reading import LogReader
from stillwatch.ledger.signing import NoteSigner
from stillwatch.ledger.verifying import verify
from stillwatch.ledger.writing import LARGEST_BATCH, Act, LogWriter, create_log

HERE = Path(__file__).parent
SIGNERS = (NoteSigner("example.com/bench", Kind.ED25519, bytes(range(32))),)
NOW = datetime(2026, 11, 27, tzinfo=UTC)
REACH = 4.0
PROOFS = 200
SINGLES = 30


def record(number: int) -> dict[str, Any]:
    """A view of private text, as an analyst's work makes them: about 330 bytes of JSON."""
    return {
        "by": "analyst@example.com",
        "why": f"case {number // 50}: is this account a part of the group?",
        "what": "prompts and responses of an account",
        "exchange_ids": [f"x-{number:09d}-{place}" for place in range(6)],
        "account_ids": [f"acct-{number % 25_000:05d}"],
        "number": number,
    }


def appended(folder: Path, records: int) -> tuple[float, float]:
    """Seconds of the floor and of the log, over the same records in turns."""
    floor = ours = 0.0
    with LogWriter(folder, SIGNERS) as writer:
        for start in range(0, records, LARGEST_BATCH):
            batch = [record(number) for number in range(start, min(start + LARGEST_BATCH, records))]
            began = time.perf_counter()
            for value in batch:
                hashlib.sha256(json.dumps(value).encode()).digest()
            middle = time.perf_counter()
            writer.append((Act(kind="view", content=value) for value in batch), at=NOW)
            floor, ours = floor + middle - began, ours + time.perf_counter() - middle
    return floor, ours


def measured(folder: Path, records: int) -> Iterator[str]:
    """The lines of the page."""
    create_log(folder, SIGNERS, at=NOW)
    floor, ours = appended(folder, records)
    ratio = ours / floor
    size = len(canonical_json(record(0)))
    yield f"{records:,} records of {size} bytes, in batches of {LARGEST_BATCH:,}; each batch is one transaction.\n"
    yield "| work | µs a record | to the floor |\n|---|---:|---:|"
    yield f"| floor: `json.dumps` and one SHA-256 | {floor / records * 1e6:.1f} | 1 |"
    met = "" if ratio <= REACH else f" (above the reach of {REACH:g})"
    work = "append: canonical JSON, salt, commitment, tree, contents, tiles, checkpoint, on the disk"
    yield f"| {work} | {ours / records * 1e6:.1f} | {ratio:.2f}{met} |"
    began = time.perf_counter()
    reader = LogReader(folder, [SIGNERS[0].verifier])
    with reader.contents() as contents:
        found = verify(reader.public.fetch, reader.opened.checkpoint, openings=contents.openings)
    taken = time.perf_counter() - began
    if found.contents != records:
        raise SystemExit(f"{found.contents} contents of {records} records open their commitments")
    yield f"| verify everything, contents too | {taken / records * 1e6:.1f} | {taken / floor:.2f} |\n"
    yield from proofs(folder, records)
    yield from singles(folder)
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    yield f"On the disk {size / reader.size:.0f} bytes a record. The most memory of the process: {_peak():.0f} MiB.\n"


def proofs(folder: Path, records: int) -> Iterator[str]:
    """Time and tiles of single proofs, each by a reader that has read nothing yet."""
    times, tiles = list[float](), list[int]()
    for place in range(PROOFS):
        index = place * 7919 * 31 % records
        began = time.perf_counter()
        reader = LogReader(folder, [SIGNERS[0].verifier])
        proof = reader.prove(index)
        times.append(time.perf_counter() - began)
        tiles.append(len(reader.nodes.touched))
        if len(proof.path) > LONGEST_PATH:
            raise SystemExit("a proof is too long")
    yield (
        f"A proof by a fresh reader, {PROOFS} of them: {statistics.median(times) * 1e3:.1f} ms in the middle, {max(tiles)} tiles at most "
        f"of {sum(1 for _ in (folder / 'public/tile').glob('[0-9]*/**/*') if _.is_file()):,}.\n"
    )


def singles(folder: Path) -> Iterator[str]:
    """Time of opening the log, and of appending one record."""
    opening, appending = list[float](), list[float]()
    for number in range(SINGLES):
        began = time.perf_counter()
        with LogWriter(folder, SIGNERS) as writer:
            middle = time.perf_counter()
            writer.append([Act(kind="view", content=record(number))], at=NOW)
            appending.append(time.perf_counter() - middle)
        opening.append(middle - began)
    opened, one = (statistics.median(times) * 1e3 for times in (opening, appending))
    yield (
        f"Opening the log to write takes {opened:.1f} ms, one record in a batch of its own {one:.0f} ms until it is on the disk "
        f"(medians of {SINGLES}).\n"
    )


def _peak() -> float:
    """MiB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 2**20 if sys.platform == "darwin" else peak / 2**10


def main() -> None:
    """Measure, and write the page."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--records", type=int, default=1_000_000)
    options.add_argument("--out", type=Path, default=HERE / "LEDGER.md")
    given = options.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="bench-ledger-", dir=Path.cwd()))
    try:
        lines = [
            "# The evidence log: speed\n",
            f"Made by `make bench-ledger`; reach: {REACH:g} times the floor.\n",
            *measured(folder / "log", given.records),
        ]
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    given.out.write_text("\n".join(lines), encoding="utf-8")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
