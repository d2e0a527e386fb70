"""Runs the benchmark: `python -m campaigns --split tune`.

A finished cell is kept under `bench-out/campaigns/` and not run again while the code, the settings and the corpora are the same. The tune
split is for development. The report split writes RESULTS.md and is run once per published result.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import Any

from campaigns.cells import CELLS, QUICK, Cell
from campaigns.corpora import DATA, SPLITS, load
from campaigns.errors import MissingCorporaError
from campaigns.results import brief, write_results
from campaigns.running import Bench, bench, kept_cells, run_cell, run_windows

HERE = Path(__file__).parent
PICTURES = HERE.parents[1] / "docs" / "images"


def main(arguments: list[str] | None = None) -> int:
    """Run the cells that are asked for, tell each on a line, and write the results."""
    given = _parser().parse_args(arguments)
    try:
        corpora = load(given.data, SPLITS[given.split])
    except MissingCorporaError as told:
        print(f"skipped: {told}")
        return 0
    run = bench(corpora, given.out, keep_logs=given.keep_logs)
    results = kept_cells(run, CELLS) if given.kept else _run(given, run)
    windows: list[dict[str, Any]] = []
    if given.windows or not (given.quick or given.cells or given.kept):
        print("windows of queries: ", end="", flush=True)
        windows = run_windows(run, 1, lambda told: print(told, end="; ", flush=True))
        print(f"{len(windows)} rates")
    publish = given.split == "report" and not given.quick and not given.cells
    folder = HERE if publish else given.out / given.split
    print(f"written: {write_results(folder, results, windows, run, PICTURES if publish else None)}")
    return 0


def _run(given: argparse.Namespace, run: Bench) -> list[dict[str, Any]]:
    """Every chosen cell and seed for which the time suffices; the first seed of all cells comes before any second one."""
    due = _due(given)
    end = time.monotonic() + 3600 * given.hours if given.hours else None
    results: list[dict[str, Any]] = []
    for place, (cell, seed) in enumerate(due):
        if end is not None and time.monotonic() >= end:
            print(f"{given.hours:g} hours are over: {len(due) - place} of {len(due)} runs are left for the next call, which keeps these")
            break
        print(f"[{place + 1}/{len(due)}] {cell.name}, seed {seed}: ", end="", flush=True)
        results.append(run_cell(run, cell, seed, lambda told: print(told, end="; ", flush=True)))
        print(brief(results[-1]), flush=True)
    return results


def _due(given: argparse.Namespace) -> list[tuple[Cell, int]]:
    """Cells and seeds in the order in which they are run."""
    runs = [(seed, place, cell) for place, cell in enumerate(_chosen(given)) for seed in range(1, 1 + _seeds(given, cell))]
    return [(cell, seed) for seed, _, cell in sorted(runs, key=lambda entry: entry[:2])]


def _seeds(given: argparse.Namespace, cell: Cell) -> int:
    return 1 if given.quick else given.seeds or cell.seeds


def _chosen(given: argparse.Namespace) -> list[Cell]:
    if given.quick:
        return [cell for cell in CELLS if cell.name in QUICK]
    if not given.cells:
        return list(CELLS)
    unknown = set(given.cells) - {cell.name for cell in CELLS}
    if unknown:
        raise SystemExit(f"no cell is called {', '.join(sorted(unknown))}; there are {', '.join(cell.name for cell in CELLS)}")
    return [cell for cell in CELLS if cell.name in given.cells]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="campaigns", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--split", choices=sorted(SPLITS), default="tune")
    parser.add_argument("--cells", nargs="*", default=[], help="names of cells to run; default: all")
    parser.add_argument("--seeds", type=int, default=0, help="seeds per cell, from 1; default: as many as each cell says")
    parser.add_argument("--hours", type=float, default=0.0, help="begin no further cell after so many hours; default: no limit")
    parser.add_argument("--quick", action="store_true", help="two cells, to see that everything runs")
    parser.add_argument("--kept", action="store_true", help="run no cell; write the results of those that are finished")
    parser.add_argument("--windows", action="store_true", help="with --cells or --quick: the windows of queries too")
    parser.add_argument("--keep-logs", action="store_true", help="keep the composed logs and result folders")
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--out", type=Path, default=Path("bench-out/campaigns"))
    return parser


if __name__ == "__main__":
    sys.exit(main())
