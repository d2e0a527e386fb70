"""Speed and memory of whole scans, each beside its floor; results go into benchmarks/RESULTS.md.

The floor is what no scan can beat by much: DuckDB, with the same number of threads and in a process of its own, reads the same columns of
the same files and computes one md5 per exchange over all its text. Machines differ and are busy; the ratio of the two much less so, and so
the floor is measured right before and right after every scan.

    python benchmarks/scan.py [--rows 1000000 10000000] [--out FOLDER] [--quick]
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import platform
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import mean

import pyarrow.parquet as pq

from made_log import Shape, make
from stillwatch.records.tables import EXCHANGES, TEXT_COLUMNS

RESULTS = Path(__file__).resolve().parent / "RESULTS.md"
ROWS_PER_ACCOUNT = 400
FLOOR_RATIO, GROWTH_RATIO, PEAK_GIB = 6.0, 11.0, 4.0
LINKS_PER_ACCOUNT = 40.0
"""Links of a group may grow with its accounts, never with its pairs of accounts."""

_POLL_SECONDS = 0.05
_GIB = 1 << 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What one process, with every process that it started, took.

    Attributes:
        seconds: by the clock, from start to end, the interpreter's start included.
        cpu_seconds: of all cores.
        peak_bytes: largest resident memory, summed over the processes; the files that it maps count too.
    """

    seconds: float
    cpu_seconds: float
    peak_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One scanned log and its floor."""

    name: str
    rows: int
    scan: Measured
    floors: tuple[Measured, ...]
    stages: dict[str, float]
    accounts: int
    groups: tuple[int, ...]
    links: int

    @property
    def floor_seconds(self) -> float:
        """The mean of the floors before and after."""
        return mean(floor.seconds for floor in self.floors)

    @property
    def ratio(self) -> float:
        """Time of the scan over time of its floor."""
        return self.scan.seconds / self.floor_seconds


def measure(command: Sequence[str]) -> Measured:
    """Run a command to its end; RuntimeError when it fails. Memory is read from /proc, or where there is none from the operating system."""
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    peak = 0
    while True:
        ended, status, usage = os.wait4(process.pid, os.WNOHANG)
        if ended:
            break
        peak = max(peak, _resident(process.pid))
        time.sleep(_POLL_SECONDS)
    seconds = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise RuntimeError(f"{command[1:3]} ended with status {process.returncode}")
    unit = 1 if sys.platform == "darwin" else 1024
    return Measured(seconds=seconds, cpu_seconds=usage.ru_utime + usage.ru_stime, peak_bytes=peak or usage.ru_maxrss * unit)


def _resident(pid: int) -> int:
    """High-water mark of a process and of its children, bytes; 0 where /proc does not say."""
    try:
        status = Path(f"/proc/{pid}/status").read_text("utf-8")
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text("utf-8").split()
    except OSError:  # it has just ended, or this is not Linux
        return 0
    own = next((int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmHWM")), 0)
    return own + sum(_resident(int(child)) for child in children)


def floor(folder: Path, threads: int) -> int:
    """Read every column of the log and fold an md5 of every exchange's text into one number, which is printed."""
    import duckdb

    names = [name for name in EXCHANGES.names if name not in TEXT_COLUMNS]
    others = ", ".join(f"count({name})" for name in names)
    text = ", ".join(TEXT_COLUMNS)  # concat passes over nulls
    with duckdb.connect(config={"threads": threads}) as connection:
        query = f"SELECT sum(md5_number_lower(concat({text}))::HUGEINT), count(*), {others} FROM read_parquet(?)"
        total, rows, *_ = connection.execute(query, [str(folder / "*.parquet")]).fetchall()[0]
    print(total, rows)
    return int(rows)


def run_case(name: str, shape: Shape, out: Path, threads: int) -> Case:
    """Make the log where it is not there yet, then floor, scan, floor."""
    folder = out / name
    start = time.perf_counter()
    make(folder, shape, threads=threads)
    print(f"{name}: log ready after {time.perf_counter() - start:.0f} s", flush=True)
    result = out / f"{name}-result"
    shutil.rmtree(result, ignore_errors=True)
    below = [sys.executable, __file__, "--floor", str(folder), "--threads", str(threads)]
    scan = [sys.executable, "-m", "stillwatch", "scan", str(folder), "--out", str(result), "--json"]
    before, taken, after = measure(below), measure(scan), measure(below)
    run = json.loads((result / "run.json").read_text("utf-8"))
    if run["rows_out"] != shape.rows:
        raise RuntimeError(f"{name}: {shape.rows} exchanges were written and {run['rows_out']} scanned")
    entities = pq.read_table(result / "entities.parquet")
    case = Case(
        name=name,
        rows=shape.rows,
        scan=taken,
        floors=(before, after),
        stages={stage["name"]: stage["seconds"] for stage in run["stages"]},
        accounts=run["accounts"],
        groups=tuple(row["accounts"] for row in entities.to_pylist() if row["kind"] == "group"),
        links=pq.read_metadata(result / "links.parquet").num_rows,
    )
    shutil.rmtree(result)
    print(
        f"{name}: scan {taken.seconds:.0f} s ({taken.cpu_seconds:.0f} s of processor, {taken.peak_bytes / _GIB:.2f} GiB), "
        f"floor {before.seconds:.0f} and {after.seconds:.0f} s ({after.cpu_seconds:.0f} s of processor), x{case.ratio:.1f}, "
        f"groups {case.groups[:5]}, {case.links:,} links",
        flush=True,
    )
    return case


def shapes(rows: Sequence[int]) -> dict[str, Shape]:
    """The logs: one per size, and one of the largest size in which as many accounts as there are others act as one."""
    found = {f"log-{size}": Shape(rows=size, accounts=_accounts(size)) for size in sorted(rows)}
    largest = max(rows)
    return found | {f"log-{largest}-group": Shape(rows=largest, accounts=_accounts(largest), group=_accounts(largest))}


def _accounts(rows: int) -> int:
    return max(40, rows // ROWS_PER_ACCOUNT)


def targets(cases: Sequence[Case]) -> list[tuple[str, str, str, bool]]:
    """Each target: what, its bound, what was measured, whether it holds."""
    plain, group = list(cases[:-1]), cases[-1]
    found = [
        (f"scan over floor, {case.rows:,} exchanges", f"at most {FLOOR_RATIO:g}", f"{case.ratio:.1f}", case.ratio <= FLOOR_RATIO)
        for case in plain
    ]
    if len(plain) > 1:
        growth, size = plain[-1].scan.seconds / plain[0].scan.seconds, plain[-1].rows / plain[0].rows
        bound = GROWTH_RATIO * size / 10
        found.append((f"time for {size:g} times the exchanges", f"at most {bound:g} times", f"{growth:.1f} times", growth <= bound))
    for case in (plain[-1], group):
        peak = case.scan.peak_bytes / _GIB
        found.append((f"peak memory, {_named(case)}", f"at most {PEAK_GIB:g} GiB", f"{peak:.2f} GiB", peak <= PEAK_GIB))
    largest = max(group.groups, default=0)
    per_account = group.links / max(1, largest)
    holds = largest > 0 and per_account <= LINKS_PER_ACCOUNT
    found.append(
        (f"links, one group of {largest:,} accounts", f"at most {LINKS_PER_ACCOUNT:g} per account", f"{per_account:.1f} per account", holds)
    )
    return found


def _named(case: Case) -> str:
    return f"{case.rows:,} exchanges" + (", one large group" if case.name.endswith("group") else "")


def report(cases: Sequence[Case], *, threads: int, seed: int, now: datetime) -> str:
    """The results as Markdown."""
    lines = [
        "# Speed and memory of a scan",
        "",
        f"Measured on {now:%Y-%m-%d} by `make bench`: {_machine(threads)}.",
        "",
        f"The logs are made up (seed {seed}): native Parquet, snappy, row groups of 100,000, prompts of 300 and responses of 600",
        "characters in the mean, half of the traffic from a twentieth of the accounts. A scan is the whole process, from the start of the",
        "interpreter to the end. One scan of a tiny log went before, so that compiled kernels lay ready. The floor is DuckDB with as many",
        "threads: it reads the same columns and computes an md5 of every exchange's text; it ran before and after each scan, and its",
        "mean is shown. Other work on the machine slows both; processor seconds are steadier than the clock.",
        "",
        "| log | accounts | scan, s | exchanges/s | processor, s | peak, GiB | floor, s | scan / floor |",
        "|---|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for case in cases:
        taken = case.scan
        lines.append(
            f"| {_named(case)} | {case.accounts:,} | {taken.seconds:.1f} | {case.rows / taken.seconds:,.0f} | {taken.cpu_seconds:.0f} "
            f"| {taken.peak_bytes / _GIB:.2f} | {case.floor_seconds:.1f} | {case.ratio:.1f} |"
        )
    lines += ["", "| target | bound | measured | holds |", "|---|---|---|---|"]
    lines += [f"| {what} | {bound} | {got} | {'yes' if holds else '**no**'} |" for what, bound, got, holds in targets(cases)]
    names = list(cases[0].stages)
    lines += ["", "Share of the scan's time by stage; what is missing to 100% is start and end of the process.", ""]
    lines += ["| log | " + " | ".join(names) + " |", "|---|" + "--:|" * len(names)]
    for case in cases:
        shares = " | ".join(f"{case.stages[name] / case.scan.seconds:.0%}" for name in names)
        lines.append(f"| {_named(case)} | {shares} |")
    sizes = ", ".join(f"{size:,}" for size in cases[-1].groups[:5]) or "none"
    lines += ["", f"In the last log the accounts of the found groups are: {sizes}; links.parquet has {cases[-1].links:,} rows.", ""]
    return "\n".join(lines)


def _machine(threads: int) -> str:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / _GIB
    libraries = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in ("duckdb", "pyarrow", "numba", "numpy"))
    return f"{threads} cores, {memory:.0f} GiB of memory, {platform.machine()}, Python {platform.python_version()}, {libraries}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Warm up, measure every case, write the results; 1 when a target is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, nargs="+", default=[1_000_000, 10_000_000])
    parser.add_argument("--out", type=Path, default=Path("bench-out"))
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--quick", action="store_true", help="20,000 and 200,000 exchanges; results are printed only")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--floor", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    if given.floor:
        return 0 if floor(given.floor, given.threads) else 1
    os.environ["STILLWATCH_THREADS"] = str(given.threads)
    rows = [20_000, 200_000] if given.quick else given.rows
    warm = given.out / "warm"
    make(warm, Shape(rows=4_000, accounts=40))
    measure([sys.executable, "-m", "stillwatch", "scan", str(warm), "--out", str(given.out / "warm-result"), "--json"])
    found = shapes(rows)
    cases = [run_case(name, shape, given.out, given.threads) for name, shape in found.items()]
    text = report(cases, threads=given.threads, seed=next(iter(found.values())).seed, now=datetime.now(UTC))
    print(text)
    if not given.quick:
        given.results.write_text(text, "utf-8")
    return 0 if all(holds for *_, holds in targets(cases)) else 1


if __name__ == "__main__":
    sys.exit(main())
