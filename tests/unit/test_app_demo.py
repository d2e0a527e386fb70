"""The demo's summary says of every hidden campaign whether and how it was found, and why missing it is no surprise."""

from __future__ import annotations

import io
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from rich.console import Console

from stillwatch.app.demo import SEEN_BY, counted, missed_because
from stillwatch.app.showing import demo_table
from stillwatch.detect.catalogue import CATALOGUE
from stillwatch.records.findings import Power, Verdict
from stillwatch.simulate import Tactic

POWER = Power(accounts=5, exchanges_per_account=20, single_account_exchanges=500, words="")
BLIND = Power(accounts=None, exchanges_per_account=None, single_account_exchanges=None, words="")
SPOTS = {signal.id: signal.blind_spot for signal in CATALOGUE}


@pytest.mark.parametrize("tactic", list(Tactic))
def test_every_tactic_has_a_signal_whose_blind_spot_is_told(tactic: Tactic) -> None:
    assert SPOTS[SEEN_BY[tactic]] in missed_because(POWER, tactic.value, 40, 9_000)


def test_a_campaign_smaller_than_the_run_could_see_is_said_to_be_too_small() -> None:
    assert missed_because(POWER, "fixed_prompt", 4, 80) == "Too small: 4 accounts; a group takes 5."
    assert missed_because(POWER, "heavy_account", 1, 499) == "Too small: one account with 499 exchanges; alone it takes 500."
    assert "Too small" not in missed_because(POWER, "heavy_account", 1, 500)
    assert "Too small" not in missed_because(POWER, "fixed_prompt", 5, 100)
    for accounts in (1, 900):
        assert "none could be judged" in missed_because(BLIND, "fixed_prompt", accounts, 10_000)


def _finding(accounts: list[str], harvest: Verdict) -> Any:
    return SimpleNamespace(harvest=harvest, pooling=Verdict.YES, members=[SimpleNamespace(account_id=account) for account in accounts])


def test_the_table_tells_how_each_campaign_was_found(tmp_path: Path) -> None:
    campaigns = {"amber": "fixed_prompt", "dune": "relay", "ember": "store_and_replay"}
    rows = [
        {"account_id": f"{name}-{place}", "campaign_id": name, "role": "worker", "tactic": tactic}
        for name, tactic in campaigns.items()
        for place in range(6)
    ]
    rows.append({"account_id": "honest", "campaign_id": None, "role": "chat", "tactic": None})
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "truth.parquet")
    findings = (_finding(["amber-0", "amber-1"], Verdict.YES), _finding(["dune-0"], Verdict.NO))
    report: Any = SimpleNamespace(findings=findings, run=SimpleNamespace(power=POWER))
    result = counted(report, tmp_path / "truth.parquet", dict.fromkeys(campaigns, 900))
    assert [(campaign.found, campaign.pooled, bool(campaign.why)) for campaign in result.campaigns] == [
        (2, 2, False),
        (0, 1, True),
        (0, 0, True),
    ]
    sink = io.StringIO()
    Console(file=sink, width=80).print(demo_table(result))
    shown = " ".join(sink.getvalue().split())
    assert max(map(len, sink.getvalue().splitlines())) <= 80
    for words in (
        "amber (fixed_prompt)",
        "harvest, pooled: 2",
        "pooled only.",
        "not found.",
        "Honest accounts in harvest findings: 0 of 1",
    ):
        assert words in shown
