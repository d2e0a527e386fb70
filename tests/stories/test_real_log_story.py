"""A campaign hidden in real conversations is found, and no evaluator is accused."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]


def _composer() -> ModuleType:
    spec = importlib.util.spec_from_file_location("real_log", ROOT / "benchmarks" / "real_log.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["real_log"] = module
    spec.loader.exec_module(module)
    return module


@pytest.mark.slow
def test_a_campaign_that_shares_one_prompt_and_no_infrastructure_is_found_among_real_conversations(tmp_path: Path) -> None:
    real_log = _composer()
    if not (real_log.DATA / "prompts.parquet").exists():
        pytest.skip("the public corpora do not lie beside the project; see benchmarks/real_log.py for what they are")
    from stillwatch.cli import main

    composer = real_log.Composer(real_log.DATA, seed=21)
    path = real_log.write(composer, composer.compose(), tmp_path)
    assert main(["scan", str(path), "--out", str(tmp_path / "result"), "--json"]) == 0
    counted = real_log.counted(tmp_path / "result", tmp_path / "truth.parquet")
    assert counted["accounts"] >= 1000
    assert counted["hostile"] == 200
    assert counted["recall"] >= 0.8
    assert counted["honest_accused_by_role"].get("evaluator", 0) == 0
    assert counted["precision"] >= 0.95
    assert counted["honest_pooled"] == 0
