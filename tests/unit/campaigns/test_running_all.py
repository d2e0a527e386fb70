"""The runs of the benchmark come in an order that can be cut off anywhere, and end when the time is over."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from campaigns import __main__ as program
from campaigns.cells import CELLS
from campaigns.corpora import Corpora


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch, corpora: Corpora) -> list[tuple[str, int]]:
    """Cells and seeds that were run; running them takes no time."""
    found: list[tuple[str, int]] = []

    def run_cell(_run: Any, cell: Any, seed: int, _tell: Any) -> dict[str, Any]:
        found.append((cell.name, seed))
        return {"state": "unfillable", "reason": "not composed here", "cell": cell.name, "seed": seed}

    monkeypatch.setattr(program, "run_cell", run_cell)
    monkeypatch.setattr(program, "load", lambda *_: corpora)
    monkeypatch.setattr(program, "run_windows", lambda *_: [])
    monkeypatch.setattr(program, "write_results", lambda *_: "nothing")
    return found


def test_every_cell_has_its_first_seed_before_any_has_a_second(ran: list[tuple[str, int]], tmp_path: Path) -> None:
    assert program.main(["--out", str(tmp_path)]) == 0
    assert [seed for _, seed in ran] == sorted(seed for _, seed in ran)
    assert sorted(ran) == sorted((cell.name, seed) for cell in CELLS for seed in range(1, 1 + cell.seeds))


def test_when_the_time_is_over_no_further_cell_begins_and_what_is_left_is_counted(
    ran: list[tuple[str, int]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clock = iter(range(0, 100_000, 1000))
    monkeypatch.setattr(program.time, "monotonic", lambda: next(clock))
    assert program.main(["--out", str(tmp_path), "--hours", "1", "--seeds", "1"]) == 0
    assert len(ran) == 3
    assert f"1 hours are over: {len(CELLS) - 3} of {len(CELLS)} runs are left" in capsys.readouterr().out
