"""A scan of a simulated provider: its folder is whole, its numbers can be recomputed, and the campaign is found and explained."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from stillwatch.app.explaining import exchanges_of, find_finding, read_run
from stillwatch.cli import main
from stillwatch.detect.tally import shipped_prices
from stillwatch.engines.schema import arrow_schema
from stillwatch.records.tables import ENTITIES, LINKS, MEMBERS, SKETCHED, TEXT_COLUMNS
from stillwatch.report import read_findings, run_to_json
from stillwatch.sketch.phrases import TASKS
from stillwatch.stats.multiplicity import benjamini_hochberg, split_families

pytestmark = pytest.mark.slow

FILES = {
    "report.html", "findings.jsonl", "entities.parquet", "members.parquet", "links.parquet", "features.parquet",
    "exhibits.jsonl",
    "quarantine.jsonl", "run.json", "subjects.json", "exchanges",
}  # fmt: skip


def test_the_folder_holds_what_is_promised_and_nothing_else(scanned: Any) -> None:
    assert {path.name for path in scanned.folder.iterdir() if not path.name.startswith(".")} == FILES
    assert {path.name for path in scanned.folder.iterdir() if path.name.startswith(".")} <= {".work"}


@pytest.mark.parametrize(("name", "table"), [("entities", ENTITIES), ("members", MEMBERS), ("links", LINKS)])
def test_tables_have_exactly_their_declared_columns(scanned: Any, name: str, table: Any) -> None:
    assert pq.read_table(scanned.folder / f"{name}.parquet").schema.equals(arrow_schema(table))


def test_exchanges_have_exactly_their_declared_columns_and_no_text(scanned: Any) -> None:
    for path in (scanned.folder / "exchanges").glob("*.parquet"):
        schema = pq.read_schema(path)
        assert schema.equals(arrow_schema(SKETCHED))
        assert not set(TEXT_COLUMNS) & set(schema.names)


def test_the_campaign_is_found(scanned: Any) -> None:
    truth = {row["account_id"]: row["campaign_id"] for row in pq.read_table(scanned.world.truth).to_pylist()}
    first = scanned.report.findings[0]
    assert first.harvest == "yes"
    assert first.pooling == "yes"
    assert {truth[member.account_id] for member in first.members} == {"amber"}
    assert len(first.members) >= 10


def test_counts_reconcile_per_file_and_in_total(scanned: Any) -> None:
    run = json.loads((scanned.folder / "run.json").read_text("utf-8"))
    assert len(run["files"]) == 5 == len(run["inputs"])
    for file in run["files"]:
        assert file["rows_in"] == file["rows_out"] + file["quarantined"]
    for name in ("rows_in", "rows_out", "quarantined"):
        assert run[name] == sum(file[name] for file in run["files"])
    assert run["rows_out"] == scanned.exchanges().num_rows == scanned.world.exchanges
    assert run["quarantined"] == len((scanned.folder / "quarantine.jsonl").read_bytes().splitlines()) == 0
    assert sum(run["quarantine_reasons"].values()) == run["quarantined"]
    assert run["accounts"] == len(set(scanned.exchanges()["account_id"].to_pylist()))
    assert run["entities"] == len(scanned.rows("entities.parquet"))


def test_run_json_is_the_record_of_the_run(scanned: Any) -> None:
    run = json.loads((scanned.folder / "run.json").read_text("utf-8"))
    assert run == json.loads(json.dumps(run_to_json(scanned.report.run)))
    assert read_run(scanned.folder) is not None
    assert [stage["name"] for stage in run["stages"]] == ["read", "sketch", "describe", "trace", "link", "judge", "report"]
    assert not any(stage["resumed"] for stage in run["stages"])
    assert run["settings"]["seed"] == run["seed"]
    assert run["power"]["words"]
    assert run["missing_columns"] == [name for name in run["missing_columns"] if name not in ("account_id", "started_at", "prompt_text")]


def test_members_and_links_belong_to_entities_that_exist(scanned: Any) -> None:
    entities = {row["entity_id"]: row for row in scanned.rows("entities.parquet")}
    members = scanned.rows("members.parquet")
    assert {row["entity_id"] for row in members} <= set(entities)
    assert all(0 <= row["membership"] <= 1 and json.loads(row["reasons"]) for row in members)
    for entity, count in Counter(row["entity_id"] for row in members).items():
        assert count == entities[entity]["accounts"]
        assert sum(row["exchanges"] for row in members if row["entity_id"] == entity) == entities[entity]["exchanges"]
    inside = {(row["entity_id"], row["account_id"]) for row in members}
    links = scanned.rows("links.parquet")
    assert links
    assert {(row["entity_id"], row["account_id"]) for row in links} <= inside
    assert all(row["count"] >= 1 and row["sharing"] >= 2 and row["weight"] >= 0 for row in links)


def test_every_account_is_an_entity_or_a_member_of_one_group(scanned: Any) -> None:
    entities = scanned.rows("entities.parquet")
    alone = {row["entity_id"] for row in entities if row["kind"] == "account"}
    grouped = [row["account_id"] for row in scanned.rows("members.parquet") if row["entity_id"] not in alone]
    assert len(set(grouped)) == len(grouped)
    assert alone.isdisjoint(grouped)
    assert alone | set(grouped) == set(scanned.exchanges()["account_id"].to_pylist())
    assert sum(row["exchanges"] for row in entities) == scanned.world.exchanges


def test_findings_agree_with_the_tables(scanned: Any) -> None:
    findings = read_findings(scanned.folder / "findings.jsonl")
    assert [finding.uid for finding in findings] == [finding.uid for finding in scanned.report.findings]
    entities = {row["entity_id"]: row for row in scanned.rows("entities.parquet")}
    members = scanned.rows("members.parquet")
    for finding in findings:
        row = entities[finding.entity_id]
        assert (row["pooling"], row["harvest"], row["severity"]) == (finding.pooling, finding.harvest, finding.severity)
        assert row["kind"] == finding.kind
        assert (row["q_value"] is None) == (finding.q_value is None)
        assert row["q_value"] is None or row["q_value"] == pytest.approx(finding.q_value, rel=1e-12)
        assert row["pooling_p_value"] == finding.pooling_p_value
        named = [member["account_id"] for member in members if member["entity_id"] == finding.entity_id]
        assert named == [member.account_id for member in finding.members]
    found = {finding.entity_id for finding in findings}
    assert all(row["severity"] == "none" for name, row in entities.items() if name not in found)


def test_q_values_can_be_recomputed_from_p_values(scanned: Any) -> None:
    judged = [row for row in scanned.rows("entities.parquet") if row["p_value"] is not None]
    assert judged
    families = {kind: [row for row in judged if row["kind"] == kind] for kind in ("group", "account")}
    assert all((row["p_value"] is None) == (row["q_value"] is None) for row in scanned.rows("entities.parquet"))
    groups = families["group"]
    raw = {kind: benjamini_hochberg(np.array([row["p_value"] for row in rows])) if rows else np.zeros(0) for kind, rows in families.items()}
    expected = split_families(raw)
    for row, q_value in zip(groups, expected["group"], strict=True):
        assert row["q_value"] == pytest.approx(float(q_value), rel=1e-9)


def test_every_number_of_a_tally_can_be_recomputed(scanned: Any) -> None:
    exchanges = scanned.exchanges()
    prices = shipped_prices()
    for finding in scanned.report.findings:
        mine = exchanges.filter(pc.is_in(exchanges["account_id"], value_set=_names(finding)))
        tally = finding.tally
        assert tally.exchanges == mine.num_rows == sum(member.exchanges for member in finding.members)
        assert tally.input_tokens == pc.sum(mine["input_tokens"]).as_py()
        assert tally.output_tokens == pc.sum(mine["output_tokens"]).as_py()
        used = pc.coalesce(mine["model_served"], mine["model_requested"])
        models = Counter(used.to_pylist())
        assert dict(tally.models) == dict(models)
        tasks = Counter(TASKS[task] for task in mine["task"].to_pylist() if task is not None)
        assert dict(tally.capabilities) == dict(tasks)
        cost = 0.0
        for model, asked, answered in zip(
            used.to_pylist(), *(mine[name].to_pylist() for name in ("input_tokens", "output_tokens")), strict=True
        ):
            price = prices.of(model)
            if price is not None:
                cost += ((asked or 0) * price[0] + (answered or 0) * price[1]) / 1e6
        assert (tally.list_price or 0.0) == pytest.approx(cost, abs=0.006)
        for _, size, ratio in tally.comparisons:
            assert ratio == pytest.approx(tally.exchanges / size)


def test_times_of_a_finding_are_those_of_its_exchanges(scanned: Any) -> None:
    exchanges = scanned.exchanges()
    for finding in scanned.report.findings:
        mine = exchanges.filter(pc.is_in(exchanges["account_id"], value_set=_names(finding)))
        first, last = pc.min(mine["started_at"]).as_py(), pc.max(mine["started_at"]).as_py()
        assert 0 <= (first - finding.first_at).total_seconds() < 3600
        assert 0 <= (finding.last_at - last).total_seconds() <= 3600
        assert sum(finding.pictures.entity_daily) == finding.tally.exchanges
        assert sum(finding.pictures.provider_daily) == exchanges.num_rows


def test_features_of_an_account_can_be_recomputed(scanned: Any) -> None:
    exchanges = scanned.exchanges()
    features = {row["entity_id"]: row for row in scanned.rows("features.parquet")}
    for account in sorted(features)[::15]:
        mine = exchanges.filter(pc.equal(exchanges["account_id"], account))
        row = features[account]
        assert row["exchanges"] == mine.num_rows
        assert row["output_tokens"] == pc.sum(mine["output_tokens"]).as_py()
        assert row["mean_prompt_chars"] == pytest.approx(pc.mean(mine["prompt_chars"]).as_py())
        shares = [value for value in mine["reasoning_share"].to_pylist() if value is not None]
        assert row["reasoning_response_share"] == pytest.approx(
            float(np.mean(shares)) if shares else row["reasoning_response_share"], abs=2e-6
        )
        assert row["first_at"] == pytest.approx(pc.min(mine["started_at"]).as_py().timestamp(), abs=1e-5)


def test_exhibits_are_exchanges_of_members(scanned: Any) -> None:
    owners = dict(zip(*(scanned.exchanges()[name].to_pylist() for name in ("exchange_id", "account_id")), strict=True))
    for finding in scanned.report.findings:
        assert 1 <= len(finding.exhibits) <= 4
        for exhibit in finding.exhibits:
            assert owners[exhibit.exchange_id] == exhibit.account_id
            assert exhibit.account_id in {member.account_id for member in finding.members}
            assert 0 < len(exhibit.prompt) <= 602


def test_the_exchanges_that_explain_shows_come_from_as_many_members_as_fit(scanned: Any) -> None:
    finding = max(scanned.report.findings, key=lambda found: len(found.members))
    shown = exchanges_of(scanned.folder, finding, 8)
    assert len({row["account_id"] for row in shown}) == min(8, len(finding.members))
    assert len({row["exchange_id"] for row in shown}) == len(shown) == 8


def test_explain_tells_finding_links_and_exchanges(scanned: Any, capsys: pytest.CaptureFixture[str]) -> None:
    finding = scanned.report.findings[0]
    account = finding.members[-1].account_id
    assert main(["explain", str(scanned.folder), finding.entity_id, "--exchanges", "3"]) == 0
    shown = capsys.readouterr().out
    assert "--all lists them" in shown
    assert "Exchanges" in shown
    assert main(["explain", str(scanned.folder), finding.entity_id, "--all"]) == 0
    everything = capsys.readouterr().out
    mine = sum(row["entity_id"] == finding.entity_id for row in scanned.rows("links.parquet"))
    assert f"Links ({mine:,})" in everything
    assert all(member.account_id[:12] in everything for member in finding.members)
    for name in (finding.entity_id, finding.uid, account):
        assert main(["explain", str(scanned.folder), name, "--json", "--exchanges", "3"]) == 0
        told = json.loads(capsys.readouterr().out)
        assert find_finding(scanned.folder, name).uid == finding.uid
        assert told["finding"]["finding_info"]["uid"] == finding.uid
        assert len(told["exchanges"]) == 3
        assert len(told["links"]) == sum(row["entity_id"] == finding.entity_id for row in scanned.rows("links.parquet"))


def test_explain_names_the_known_entities_when_asked_for_another(scanned: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", str(scanned.folder), "nobody"]) == 2
    said = capsys.readouterr()
    assert scanned.report.findings[0].entity_id in said.err
    assert said.out == ""


def test_the_text_of_exhibits_stands_in_one_private_file_alone(scanned: Any, capsys: pytest.CaptureFixture[str]) -> None:
    texts = scanned.folder / "exhibits.jsonl"
    assert texts.stat().st_mode & 0o077 == 0
    shown = [
        text[:200] for finding in scanned.report.findings for exhibit in finding.exhibits for text in (exhibit.prompt, exhibit.response)
    ]
    pieces = [json.dumps(text[:60])[1:-1].encode() for text in shown if len(text) > 60]
    assert len(pieces) > 3
    assert all(piece in texts.read_bytes() for piece in pieces)
    for path in _files(scanned.folder):
        if path != texts:
            assert not [piece for piece in pieces if piece in path.read_bytes()], path.name
    assert main(["explain", str(scanned.folder), scanned.report.findings[0].entity_id]) == 0
    assert "characters, masked]" in capsys.readouterr().out


def test_explain_shows_an_account_s_name_as_text(scanned: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", str(scanned.folder), "\x1b[31m[bold]x"]) == 2
    assert "\x1b" not in capsys.readouterr().err


def test_no_file_keeps_a_prompt_but_the_exhibits(scanned: Any, world: Any) -> None:
    shown = {exhibit.exchange_id for finding in scanned.report.findings for exhibit in finding.exhibits}
    pieces: list[bytes] = []
    for path in sorted(Path(world.logs).glob("*.parquet")):
        for row in pq.read_table(path, columns=["exchange_id", "prompt_text", "response_text"]).to_pylist()[::40]:
            if row["exchange_id"] in shown:
                continue
            pieces += [
                text[len(text) // 2 :][:60].encode() for text in (row["prompt_text"], row["response_text"]) if text and len(text) > 200
            ]
    assert len(pieces) > 50
    for path in _files(scanned.folder):
        data = path.read_bytes()
        assert not [piece for piece in pieces if piece in data], path.name


def _names(finding: Any) -> Any:
    import pyarrow as pa

    return pa.array([member.account_id for member in finding.members], pa.string())


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]
