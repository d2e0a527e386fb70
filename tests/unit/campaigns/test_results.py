"""The page says what was measured, what was missed and what could not be filled."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from campaigns.cells import CELLS, QUICK, REACH, Cell
from campaigns.corpora import Corpora
from campaigns.results import brief, write_results
from campaigns.running import bench, run_cell
from campaigns.summing import best_rival, points, reached, realised_false_discovery


def _share(value: float | None, of: int = 100) -> dict[str, Any]:
    return {"value": value, "low": 0.0, "high": 1.0, "of": of}


def _result(cell: str, recall: float, *, rival: float = 0.1, findings: int = 0) -> dict[str, Any]:
    counted = {
        "accused": 1,
        "recall": _share(recall),
        "precision": _share(1.0),
        "honest_accused": 0,
        "honest_accused_by_kind": {"chat": findings},
    }
    false = {
        "findings": findings,
        "true_pooling": 0,
        "honest_entities": 900,
        "by_severity": {"low": findings},
        "by_kind": {"chat": findings},
    }
    own = {"claim": "harvest", "found": recall > 0.5, **counted, "other_claim": counted, "average_precision": recall}
    own["findings"] = [{"accounts": 3, "hostile": 3, "harvest": True}]
    own["false"] = false | {"harvest_claimed": 0, "pooling_claimed": 0}
    rivals = {"volume": {**counted, "recall": _share(rival), "average_precision": rival}}
    leaks = {"language": 0.5}
    return {"cell": cell, "seed": 1, "state": "measured", "payload": 10, "stillwatch": own, "baselines": rivals, "leaks": leaks}


def test_cells_have_names_of_their_own_and_every_reach_has_its_cells() -> None:
    names = [cell.name for cell in CELLS]
    assert len(set(names)) == len(names)
    assert {name for reach in REACH for name in reach.cells} | set(QUICK) <= set(names)


@pytest.mark.parametrize(("recall", "holds", "short"), [(0.96, True, 0.0), (0.9, False, 0.05)])
def test_a_missed_reach_says_by_how_much(recall: float, *, holds: bool, short: float) -> None:
    line = reached(REACH[0], [_result(REACH[0].cells[0], recall)])
    assert line.holds is holds
    assert line.short_by == pytest.approx(short)


def test_a_baseline_that_finds_nothing_is_not_called_the_best() -> None:
    assert best_rival([_result("honest", 1.0, rival=0.2)]) == ("volume", 0.2)
    assert best_rival([_result("honest", 1.0, rival=0.0)]) == ("none of them", 0.0)


def test_what_was_not_measured_neither_holds_nor_fails() -> None:
    assert reached(REACH[0], []).holds is None


def test_false_discovery_counts_claims_of_harvest_alone() -> None:
    result = _result("honest", 0.0)
    result["stillwatch"]["findings"] = [
        {"accounts": 4, "hostile": 1, "harvest": True},
        {"accounts": 4, "hostile": 4, "harvest": True},
        {"accounts": 4, "hostile": 0, "harvest": False},
    ]
    assert realised_false_discovery([result])["value"] == 0.5


def test_curves_are_in_order_of_their_axis() -> None:
    results = [_result(f"dealt-100-dilution-{share}", 1 - share / 100) for share in (95, 0, 50)]
    assert [point.place for point in points(results)["dealt, dilution"]] == [0, 50, 95]


@pytest.mark.slow
def test_the_page_tells_results_misses_and_unfillable_cells(corpora: Corpora, tmp_path: Path) -> None:
    results = [_result("fixed-100-dilution-50", 0.4, findings=1), _result("fixed-100-dilution-0", 1.0)]
    results.append({"cell": "fixed-1000-rate-26", "seed": 1, "state": "unfillable", "reason": "too few rows"})
    text = write_results(tmp_path, results, [], bench(corpora, tmp_path)).read_text("utf-8")
    assert "**no** | 0.55" in text
    assert "`fixed-1000-rate-26`: too few rows" in text
    assert "40% of the accounts are said to harvest" in text
    assert (tmp_path / "campaigns-fixed-dilution.svg").exists()
    assert brief(results[2]) == "cannot be filled: too few rows"


def test_a_finished_cell_is_kept_and_not_run_again(corpora: Corpora, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[str] = []

    def measured(_run: object, cell: Cell, _seed: int, _tell: object) -> dict[str, Any]:
        ran.append(cell.name)
        return {"state": "measured"}

    monkeypatch.setattr("campaigns.running._measured", measured)
    run = bench(corpora, tmp_path)
    for seed in (1, 1, 2):
        run_cell(run, CELLS[0], seed, lambda _told: None)
    assert ran == [CELLS[0].name] * 2
