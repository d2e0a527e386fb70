"""Two providers: one finds a campaign and sends what it may send; the other learns whether the same operation is among its customers."""

from __future__ import annotations

import csv
import hashlib
import json
import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pymisp
import pytest
import stix2
import stix2validator
from jsonschema import Draft202012Validator
from ocsf_json_schema import OcsfJsonSchemaEmbedded, get_ocsf_schema
from sigma.collection import SigmaCollection

from stillwatch.app.marking import make_master
from stillwatch.cli import main
from stillwatch.ledger.reading import LogReader
from stillwatch.records.evidence import ACTS, record_of
from stillwatch.records.findings import Report
from stillwatch.report import run_from_json, write_findings
from stillwatch.simulate import HONEST_SHARES, CampaignSettings, Kind, LogFormat, Simulated, Tactic, WorldSettings, simulate

pytestmark = pytest.mark.slow

START = datetime(2026, 9, 7, tzinfo=UTC)
_LOUD = (Kind.PIPELINE, Kind.EVALUATOR, Kind.CI, Kind.MIGRATION)
FORMATS = ("ocsf", "stix", "misp", "sigma", "csv", "profile")


def _simulated(out: Path, *, seed: int, campaign: bool) -> Simulated:
    given = {"campaign_id": "amber", "accounts": 20, "requests_per_account_per_day": 26, "end_day": 4, "shared_infrastructure": 1.0}
    campaigns = (CampaignSettings(tactic=Tactic.FIXED_PROMPT, **given),) if campaign else ()
    shares = {kind: share for kind, share in HONEST_SHARES.items() if kind not in _LOUD}
    settings = WorldSettings(
        seed=seed, start=START, days=4, honest_accounts=240, honest_shares=shares, campaigns=campaigns, format=LogFormat.PARQUET
    )
    return simulate(settings, out=out)


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("keys")
    for name in ("own", "shared", "wrong"):
        make_master(folder / f"{name}.key")
    return folder


@pytest.fixture(scope="module")
def provider(tmp_path_factory: pytest.TempPathFactory) -> Simulated:
    """The provider that finds the campaign."""
    return _simulated(tmp_path_factory.mktemp("provider") / "world", seed=7, campaign=True)


@pytest.fixture(scope="module")
def result(provider: Simulated, tmp_path_factory: pytest.TempPathFactory, scan_into: Callable[..., Any]) -> Path:
    folder = tmp_path_factory.mktemp("share") / "result"
    scan_into(folder, provider.logs, accounts=provider.accounts)
    return folder


def _export(result: Path, out: Path, keys: Path, *others: str) -> Path:
    arguments = [
        "export",
        str(result),
        "--out",
        str(out),
        "--producer",
        "First Models",
        *(word for name in FORMATS for word in ("--format", name)),
    ]
    named = ["--recipient", "second-models", "--key", str(keys / "own.key")]
    assert main([*arguments, "--shared-key", str(keys / "shared.key"), *(others or named)]) == 0
    return out


@pytest.fixture(scope="module")
def exported(result: Path, keys: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _export(result, tmp_path_factory.mktemp("exported") / "out", keys)


@pytest.fixture(scope="module")
def partner(provider: Simulated, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, pa.Table]:
    """The other provider's log: customers of its own, and two accounts of the campaign under other names; and the rows of those two."""
    own = pq.read_table(_simulated(tmp_path_factory.mktemp("partner") / "world", seed=8, campaign=False).logs)
    theirs = pq.read_table(provider.logs)
    truth = pq.read_table(provider.truth).to_pylist()
    members = sorted(row["account_id"] for row in truth if row["campaign_id"] == "amber")[:2]
    planted = theirs.filter(pc.is_in(theirs["account_id"], pa.array(members)))
    renamed = pc.replace_substring(planted["account_id"], "acct_", "customer_")
    planted = planted.set_column(planted.schema.get_field_index("account_id"), "account_id", renamed)
    planted = planted.set_column(
        planted.schema.get_field_index("exchange_id"), "exchange_id", pc.binary_join_element_wise("planted", planted["exchange_id"], "-")
    )
    path = tmp_path_factory.mktemp("partner-log") / "log.parquet"
    pq.write_table(pa.concat_tables([own, planted.cast(own.schema)]), path)
    return path, planted


def test_every_file_is_read_by_a_program_that_is_not_ours(exported: Path) -> None:
    schema = OcsfJsonSchemaEmbedded(get_ocsf_schema("1.8.0"))
    for name, profiles in (("detection_finding", []), ("incident_finding", ["incident"])):
        validator = Draft202012Validator(schema.get_class_schema(name, profiles))
        lines = (exported / f"ocsf-{name.replace('_', '-')}s.jsonl").read_text("utf-8").splitlines()
        assert lines
        assert not [error.message for line in lines for error in validator.iter_errors(json.loads(line))]
    bundle = (exported / "stix-bundle.json").read_text("utf-8")
    kinds = [item["type"] for item in stix2.parse(bundle).objects]
    assert kinds.count("campaign") == kinds.count("intrusion-set") == 1
    assert "threat-actor" not in kinds
    assert "indicator" in kinds
    assert stix2validator.validate_string(bundle, stix2validator.ValidationOptions(version="2.1")).is_valid
    event = pymisp.MISPEvent()
    event.load(json.loads((exported / "misp-event.json").read_text("utf-8")))
    assert len(event.objects) == 1
    rules = SigmaCollection.from_yaml((exported / "sigma-rules.yml").read_text("utf-8"))
    assert not rules.errors
    assert any("egress" in str(rule.name) for rule in rules.rules)
    with (exported / "members.csv").open(newline="", encoding="utf-8") as file:
        assert len(list(csv.DictReader(file))) >= 18
    profile = json.loads((exported / "profile.json").read_text("utf-8"))
    Draft202012Validator(json.loads(files("stillwatch.share").joinpath("profile-1.schema.json").read_text("utf-8"))).validate(profile)


def test_neither_text_nor_identifiers_leave(exported: Path, provider: Simulated) -> None:
    table = pq.read_table(provider.logs)
    whole = "".join(path.read_text("utf-8") for path in sorted(exported.iterdir()))
    for column in ("account_id", "exchange_id", "session_id", "key_id", "org_id", "client_ip"):
        assert not [value for value in pc.unique(table[column]).to_pylist() if value and len(value) > 3 and value in whole], column
    texts = {text for name in ("prompt_text", "system_text", "response_text") for text in pc.unique(table[name]).to_pylist() if text}
    assert not [text for text in texts if text[:40] in whole]


def test_the_same_input_gives_the_same_files(exported: Path, result: Path, keys: Path, tmp_path: Path) -> None:
    again = _export(result, tmp_path / "again", keys)
    assert {path.name: path.read_bytes() for path in again.iterdir()} == {path.name: path.read_bytes() for path in exported.iterdir()}


def test_in_house_the_identifiers_stay_and_the_words_say_so(result: Path, keys: Path, tmp_path: Path, provider: Simulated) -> None:
    out = _export(result, tmp_path / "in-house", keys, "--keep-identifiers")
    truth = {row["account_id"] for row in pq.read_table(provider.truth).to_pylist() if row["campaign_id"] == "amber"}
    with (out / "members.csv").open(newline="", encoding="utf-8") as file:
        members = {row["account"] for row in csv.DictReader(file)}
    assert len(members & truth) >= 18
    assert "not to be passed on" in (out / "export.json").read_text("utf-8")
    assert "not to be passed on" in (out / "stix-bundle.json").read_text("utf-8")


def test_a_partner_finds_the_same_operation_and_learns_how_much_of_it(
    exported: Path, partner: tuple[Path, pa.Table], keys: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log, planted = partner
    arguments = ["match", str(exported / "profile.json"), str(log), "--shared-key", str(keys / "shared.key"), "--out", str(tmp_path / "m")]
    assert main([*arguments, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["rows_in"] == told["exchanges"] + told["quarantined"] == pq.read_metadata(log).num_rows
    assert "customer_" not in json.dumps(told)
    (group,) = told["groups"]
    assert group["worth"] == "rare"
    assert group["several"] == 2
    assert group["accounts"] < 10
    assert group["rare"]["wording"] > 0
    assert group["rare"]["prompt"] > 0
    whole = json.loads((tmp_path / "m" / "match.json").read_text("utf-8"))
    times = planted["started_at"]
    widest = max((found for found in whole["indicators"] if found["kind"] == "wording"), key=lambda found: found["exchanges"])
    assert (widest["accounts"], widest["exchanges"], widest["worth"]) == (2, len(planted), "rare")
    assert widest["first_at"] == pc.min(times).as_py().isoformat()
    assert widest["last_at"] == pc.max(times).as_py().isoformat()
    with (tmp_path / "m" / "accounts.csv").open(newline="", encoding="utf-8") as file:
        assert {row["account"] for row in csv.DictReader(file) if int(row["rare_indicators"]) >= 3} == set(
            pc.unique(planted["account_id"]).to_pylist()
        )
    assert main(arguments) == 0
    assert "no accusation" in " ".join(capsys.readouterr().out.split())


def test_honest_traffic_is_not_said_to_be_the_same_operation(exported: Path, keys: Path, tmp_path: Path) -> None:
    world = _simulated(tmp_path / "honest", seed=9, campaign=False)
    arguments = ["match", str(exported / "profile.json"), str(world.logs), "--shared-key", str(keys / "shared.key")]
    assert main([*arguments, "--out", str(tmp_path / "m")]) == 0
    (group,) = json.loads((tmp_path / "m" / "match.json").read_text("utf-8"))["groups"]
    assert group["worth"] in ("single", "common", "absent")
    assert group["several"] == group["rare"]["prompt"] == group["rare"]["system"] == 0


@pytest.mark.parametrize(
    ("others", "status", "said"),
    [
        (("--shared-key", "wrong.key"), 1, "was made under the key"),
        ((), 2, "give --shared-key"),
    ],
)
def test_another_key_is_told_before_a_log_is_read(
    others: tuple[str, ...], status: int, said: str, exported: Path, keys: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = [str(keys / word) if word.endswith(".key") else word for word in others]
    assert main(["match", str(exported / "profile.json"), str(tmp_path / "no-such-log"), *given, "--out", str(tmp_path / "m")]) == status
    assert said in " ".join(capsys.readouterr().err.split())
    assert not (tmp_path / "m").exists()


@pytest.mark.parametrize(
    ("others", "said"),
    [
        (("--format", "csv"), "--recipient"),
        (("--format", "pdf"), "--format is 'pdf'"),
        (("--format", "profile"), "--shared-key"),
        (("--format", "profile", "--unkeyed", "--tlp", "white"), "--tlp is 'white'"),
        (("--format", "csv", "--recipient", "x", "--keep-identifiers"), "one of them"),
    ],
)
def test_what_cannot_work_is_said_before_anything_is_written(
    others: tuple[str, ...], said: str, result: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["export", str(result), "--out", str(tmp_path / "out"), *others]) == 2
    assert said in " ".join(capsys.readouterr().err.split())
    assert not (tmp_path / "out").exists()


def test_a_scan_without_findings_is_exported_as_such(result: Path, keys: Path, tmp_path: Path) -> None:
    folder = tmp_path / "empty"
    shutil.copytree(result, folder)
    write_findings(folder / "findings.jsonl", Report(run=run_from_json(json.loads((folder / "run.json").read_text("utf-8"))), findings=()))
    out = _export(folder, tmp_path / "out", keys)
    assert json.loads((out / "profile.json").read_text("utf-8"))["groups"] == []
    assert json.loads((out / "export.json").read_text("utf-8"))["findings"] == 0
    assert {item["type"] for item in json.loads((out / "stix-bundle.json").read_text("utf-8"))["objects"]} == {
        "identity",
        "marking-definition",
    }


def test_a_format_whose_library_is_missing_is_said_before_anything_is_measured(
    result: Path, keys: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    given = ["--recipient", "x", "--key", str(keys / "own.key"), "--out", str(tmp_path / "out")]
    assert main(["export", str(result), "--format", "stix", *given]) == 1
    assert "stillwatch[share]" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_folders_of_others_are_left_alone(result: Path, exported: Path, keys: Path, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine", "utf-8")
    shared = ["--shared-key", str(keys / "shared.key"), "--out", str(tmp_path)]
    assert main(["export", str(result), "--format", "profile", *shared]) == 1
    assert main(["match", str(exported / "profile.json"), str(result / "exchanges"), *shared]) in (1, 2)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


@pytest.mark.parametrize("module", ["exporting", "matching"])
def test_what_was_killed_can_be_run_again(
    module: str, result: Path, exported: Path, provider: Simulated, keys: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The folder is copied as a kill would leave it, with the work folder in it; the same command takes the copy."""
    import importlib

    app: Any = importlib.import_module(f"stillwatch.app.{module}")
    out, killed = tmp_path / "out", tmp_path / "killed"
    step = {"exporting": "carried", "matching": "_read"}[module]

    def dies(*_: Any, **__: Any) -> Any:
        shutil.copytree(out, killed)
        raise KeyboardInterrupt

    arguments = {
        "exporting": ["export", str(result), "--format", "profile"],
        "matching": ["match", str(exported / "profile.json"), str(provider.logs)],
    }[module] + ["--shared-key", str(keys / "shared.key"), "--out"]
    with monkeypatch.context() as patched:
        patched.setattr(app, step, dies)
        assert main([*arguments, str(out)]) == 130
    assert any((killed / ".work").iterdir())
    assert main([*arguments, str(killed)]) == 0


def _logged(folder: Path) -> list[str]:
    assert main(["log", "init", str(folder / "log"), "--origin", "example.com/share", "--key", str(folder / "log.key"), "--json"]) == 0
    return ["--log", str(folder / "log"), "--log-key", str(folder / "log.key")]


def _recorded(folder: Path, kind: str) -> list[Any]:
    reader = LogReader(folder / "log")
    with reader.contents() as contents:
        held = {index: json.loads(content) for index, _, content in contents.openings(0, reader.size)}
    return [record_of(ACTS[entry.kind], held[index], "x") for index, entry in reader.entries() if entry.kind == kind]


def test_what_leaves_and_what_is_matched_is_recorded(
    result: Path, exported: Path, provider: Simulated, keys: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    logged = _logged(tmp_path)
    named = ["--recipient", "second-models", "--key", str(keys / "own.key"), "--format", "csv", "--out", str(tmp_path / "csv")]
    assert main(["export", str(result), *named, *logged]) == 2
    assert "--as NAME" in capsys.readouterr().err
    assert not (tmp_path / "csv").exists()
    assert main(["export", str(result), *named, *logged, "--as", "ann", "--why", "case 7"]) == 0
    (left,) = _recorded(tmp_path, "export")
    assert (left.by, left.to, left.why, left.form) == ("ann", "second-models", "case 7", "csv")
    assert {file.name: file.sha256 for file in left.files} == json.loads((tmp_path / "csv" / "export.json").read_text("utf-8"))["files"]
    shared = ["--shared-key", str(keys / "shared.key"), "--out", str(tmp_path / "matched")]
    assert main(["match", str(exported / "profile.json"), str(provider.logs), *shared, *logged]) == 0
    (matched,) = _recorded(tmp_path, "match_run")
    assert matched.profile_sha256 == hashlib.sha256((exported / "profile.json").read_bytes()).hexdigest()
    assert matched.rows_in == sum(file.rows for file in matched.inputs) > 0
    assert set(matched.groups.values()) == {"rare"}
    assert {file.name for file in matched.results} == {"match.json", "accounts.csv", "quarantine.jsonl"}


def test_a_scan_that_is_too_small_for_sigma_is_exported_in_the_other_formats(
    result: Path, keys: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = _export(result, tmp_path / "out", keys)
    monkeypatch.setattr("stillwatch.share.thresholds.FEWEST_DAYS", 1_000_000)
    capsys.readouterr()
    assert _export(result, out, keys) == out
    said = " ".join(capsys.readouterr().out.split())
    assert "Not written: sigma: the threshold of requests, in days of ordinary accounts, needs at least" in said
    manifest = json.loads((out / "export.json").read_text("utf-8"))
    assert set(manifest["not_written"]) == {"sigma"}
    assert manifest["formats"] == [name for name in FORMATS if name != "sigma"]
    assert {path.name for path in out.iterdir()} == {*manifest["files"], "export.json"}
    assert not any("sigma" in name for name in manifest["files"])
    alone = ["--format", "sigma", "--recipient", "x", "--key", str(keys / "own.key"), "--out", str(tmp_path / "alone")]
    assert main(["export", str(result), *alone]) == 1
    assert "needs at least 1000000 samples" in capsys.readouterr().err
