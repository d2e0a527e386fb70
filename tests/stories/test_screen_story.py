"""A builder screens a corpus in which a provider's answers, marked and copied, lie between human text."""

from __future__ import annotations

import hashlib
import json
import os
import stat
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stillwatch.app.private_files import create_private
from stillwatch.cli import main
from stillwatch.marks import gumbel
from stillwatch.marks.keys import MarkKey, MasterSecret, commitment, derive, master_text
from stillwatch.marks.prf import unused_context
from stillwatch.records.screening import DOCUMENTS, SOURCES
from stillwatch.stats.seeds import generator

pytestmark = pytest.mark.slow

PERIOD = "2026-11"
SERVED, COPIED, EDITED, HUMAN = 60, 20, 15, 200
MARKED, UNMARKED = 12, 100
NASTY = "<script>alert(1)</script>"


def _text(seed: int, words: int = 90) -> str:
    return " ".join(f"term{number}" for number in generator(seed, "screen story").integers(0, 4000, words))


def _marked(key: MarkKey, seed: int, length: int = 150) -> list[int]:
    """Tokens by a sampler that masks repeated contexts, as generation does."""
    draw = generator(seed, "marked")
    weights = draw.dirichlet([0.3] * 300)
    ids: list[int] = []
    while len(ids) < length:
        seed_of_context = unused_context(ids, 2)
        free = seed_of_context is None
        ids.append(int(draw.choice(300, p=weights)) if free else gumbel.sample(key, seed_of_context, weights))
    return ids


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A served log, a key, and a corpus of three sources."""
    folder = tmp_path_factory.mktemp("screen")
    for name in ("log", "corpus/web", "corpus/ds"):
        (folder / name).mkdir(parents=True)
    served = [
        {"exchange_id": f"x{place}", "account_id": f"a{place % 3}", "started_at": "2026-11-02T10:00:00Z", "status": 200,
         "messages": [{"role": "user", "content": f"question {place}"}], "response_text": _text(place)}
        for place in range(SERVED)
    ]  # fmt: skip
    _lines(folder / "log" / "served.jsonl", served)
    copied = [{"id": f"copy-{place}", "text": _text(place)} for place in range(COPIED)]
    edited = [
        {"messages": [{"role": "assistant", "content": _text(30 + place).replace(" term1", " changed", 2)}]} for place in range(EDITED)
    ]
    human = [{"id": NASTY, "text": _text(1000 + place)} for place in range(HUMAN)]
    rows = [*copied, *edited, *human, {"id": "lead", "text": "As an AI language model, I can't.<|im_end|>"}]
    with (folder / "corpus" / "web" / "a.jsonl").open("w", encoding="utf-8") as stream:
        stream.writelines(json.dumps(row) + "\n" for row in rows)
        stream.write('{"text": \n{"label": 3}\n')
    with pa.OSFile(str(folder / "corpus" / "ds" / "data-00000-of-00001.arrow"), "wb") as sink:
        table = pa.table({"text": [_text(2000 + place) for place in range(40)]})
        with pa.ipc.new_stream(sink, table.schema) as writer:
            writer.write_table(table)
    master = MasterSecret(generator(4, "screen master").bytes(32))
    create_private(folder / "master.key", master_text(master))
    key = derive(master, purpose="gumbel", account=None, period=PERIOD)
    free = generator(4, "unmarked").integers(0, 300, (UNMARKED, 150)).tolist()
    tokens = [*(_marked(key, place) for place in range(MARKED)), *free]
    pq.write_table(pa.table({"input_ids": tokens}), folder / "corpus" / "tokens.parquet")
    return folder


def _lines(path: Path, rows: list[dict[str, Any]]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")


def _arguments(world: Path, out: Path, *more: str) -> list[str]:
    key = ["--mark", "gumbel", "--mark", "green-list", "--period", PERIOD, "--key", str(world / "master.key")]
    return ["screen", str(world / "corpus"), "--served", str(world / "log"), *key, "--out", str(out), "--json", *more]


@pytest.fixture(scope="module")
def out(world: Path) -> Path:
    """The result of a whole run."""
    folder = world / "out"
    assert main(_arguments(world, folder)) == 0
    return folder


def test_what_was_copied_edited_and_marked_is_found_and_nothing_else(out: Path) -> None:
    rows = pq.read_table(out / "documents.parquet").to_pylist()
    assert {row["match_exchange"] for row in rows if row["match"] == "exact"} == {f"x{place}" for place in range(COPIED)}
    assert {row["match_exchange"] for row in rows if row["match"] == "near"} == {f"x{30 + place}" for place in range(EDITED)}
    marked = [row for row in rows if row["q_value"] is not None and row["q_value"] <= 0.05]
    assert {row["row"] for row in marked} >= set(range(1, MARKED + 1))
    assert len(marked) <= MARKED + 2
    assert all(row["mark"] == f"gumbel {PERIOD}" for row in marked[:MARKED])
    assert [row["document_id"] for row in rows if row["leads"]] == ["lead"]
    assert len(rows) == COPIED + EDITED + HUMAN + 1 + 40 + MARKED + UNMARKED


def test_tables_have_the_documented_columns_and_estimates_hold_the_truth(out: Path) -> None:
    assert pq.read_schema(out / "documents.parquet").names == list(DOCUMENTS.names)
    assert pq.read_schema(out / "sources.parquet").names == list(SOURCES.names)
    run = json.loads((out / "run.json").read_text("utf-8"))
    for share, truth in (
        ("matched_share", (COPIED + EDITED) / (COPIED + EDITED + HUMAN + 40)),
        ("marked_share", MARKED / (MARKED + UNMARKED)),
    ):
        found = run["whole"][share]
        assert found["low"] <= truth <= found["high"]
    assert all(file["rows_in"] == file["rows_out"] + file["quarantined"] for file in run["files"])
    assert sum(file["quarantined"] for file in run["files"]) == 2
    refused = [json.loads(line) for line in (out / "quarantine.jsonl").read_text("utf-8").splitlines()]
    assert {line["reason"] for line in refused} == {"truncated", "no_text"}


def test_the_attestation_is_canonical_names_every_file_by_hash_and_holds_no_key(world: Path, out: Path) -> None:
    data = (out / "attestation.json").read_bytes()
    said = json.loads(data)
    assert json.dumps(said, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode() == data
    hashes = {subject["name"]: subject["digest"]["sha256"] for subject in said["subject"]}
    assert hashes["corpus/web/a.jsonl"] == hashlib.sha256((world / "corpus" / "web" / "a.jsonl").read_bytes()).hexdigest()
    assert len(hashes) == 3
    assert hashlib.sha256(data).hexdigest() in (out / "attestation.txt").read_text("utf-8")
    master = (world / "master.key").read_text("utf-8").strip()
    key = derive(MasterSecret(generator(4, "screen master").bytes(32)), purpose="gumbel", account=None, period=PERIOD)
    assert commitment(key) in data.decode()
    for path in (found for found in out.iterdir() if found.is_file()):
        assert master.split(":")[-1] not in path.read_bytes().decode("utf-8", "replace")
        assert key.reveal().hex() not in path.read_bytes().decode("utf-8", "replace")


def test_the_page_is_inert_and_quotes_no_document(out: Path) -> None:
    page = (out / "report.html").read_text("utf-8")
    assert NASTY not in page
    assert "<script" not in page
    assert "://" not in page.replace("http-equiv", "")
    assert _text(0)[:60] not in page
    assert page.count('class="picture"') == 3


def test_an_interrupted_run_goes_on_where_it_stopped_and_comes_out_the_same(
    world: Path, out: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from stillwatch.screen.judging import Judge

    judge, calls = Judge.judge, []

    def stopped(self: Judge, *args: Any, **named: Any) -> Any:
        calls.append(named["file"])
        if named["file"].endswith("a.jsonl"):
            raise KeyboardInterrupt
        return judge(self, *args, **named)

    monkeypatch.setattr(Judge, "judge", stopped)
    folder = tmp_path / "again"
    assert main(_arguments(world, folder)) == 130
    assert "--resume" in capsys.readouterr().err
    assert not (folder / "run.json").exists()
    assert len(calls) == 3
    calls.clear()
    monkeypatch.setattr(Judge, "judge", lambda self, *args, **named: calls.append(named["file"]) or judge(self, *args, **named))
    assert main(_arguments(world, folder, "--resume")) == 0
    assert calls == ["corpus/web/a.jsonl"]
    assert pq.read_table(folder / "documents.parquet").equals(pq.read_table(out / "documents.parquet"))
    assert not (folder / ".work").exists()


def test_a_failed_run_leaves_an_earlier_result_whole_and_a_strangers_folder_alone(world: Path, out: Path, tmp_path: Path) -> None:
    before = {path.name: path.read_bytes() for path in out.iterdir() if path.is_file()}
    (tmp_path / "bad.jsonl").write_text("{\n", "utf-8")
    assert main(["screen", str(tmp_path / "bad.jsonl"), "--out", str(out)]) == 1
    assert {path.name: path.read_bytes() for path in out.iterdir() if path.is_file()} == before
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs" / "thesis.txt").write_text("mine", "utf-8")
    assert main(["screen", str(world / "corpus"), "--out", str(tmp_path / "theirs")]) == 1
    assert [path.name for path in (tmp_path / "theirs").iterdir()] == ["thesis.txt"]


def test_exit_statuses_are_those_of_scan(world: Path, tmp_path: Path) -> None:
    corpus = str(world / "corpus" / "ds")
    assert main(["screen", corpus, "--out", str(tmp_path / "a"), "--fail-on", "lead", "--json"]) == 0
    assert main(["screen", str(world / "corpus" / "web"), "--out", str(tmp_path / "b"), "--fail-on", "lead", "--json"]) == 3
    for wrong in (
        ["--fail-on", "bogus"],
        ["--mark", "gumbel"],
        ["--mark", "kgw", "--period", PERIOD],
        ["--period", PERIOD],
        ["--level", "1"],
        ["--tokenizer", "tokenizer.json"],
    ):
        assert main(["screen", corpus, "--out", str(tmp_path / "c"), *wrong]) == 2
    assert main(["screen", str(tmp_path / "nowhere"), "--out", str(tmp_path / "c")]) == 2


def test_a_tokenizer_file_gives_text_its_token_ids(world: Path, tmp_path: Path) -> None:
    tokenizers = pytest.importorskip("tokenizers")
    names = {f"t{place}": place for place in range(300)} | {"[UNK]": 300}
    tokenizer = tokenizers.Tokenizer(tokenizers.models.WordLevel(names, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.WhitespaceSplit()
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    ids = pq.read_table(world / "corpus" / "tokens.parquet").column("input_ids").to_pylist()
    _lines(tmp_path / "texts.jsonl", [{"text": " ".join(f"t{one}" for one in document)} for document in ids])
    common = ["--mark", "gumbel", "--period", PERIOD, "--key", str(world / "master.key"), "--json"]
    out = tmp_path / "out"
    assert main(["screen", str(tmp_path / "texts.jsonl"), "--tokenizer", str(tmp_path / "tokenizer.json"), *common, "--out", str(out)]) == 0
    rows = pq.read_table(out / "documents.parquet").to_pylist()
    assert {row["row"] for row in rows if row["q_value"] <= 0.05} >= set(range(1, MARKED + 1))
    (tmp_path / "broken.json").write_text("{}", "utf-8")
    assert main(["screen", str(tmp_path / "texts.jsonl"), "--tokenizer", str(tmp_path / "broken.json"), *common, "--out", str(out)]) == 1


def test_a_mark_that_no_document_could_be_tested_for_is_not_passed_over(
    world: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = ["screen", str(world / "corpus" / "web"), "--mark", "gumbel", "--period", PERIOD, "--key", str(world / "master.key")]
    assert main([*given, "--out", str(tmp_path / "out")]) == 0
    said = "No document was tested for a watermark: none has 50 different pairs"
    assert said in " ".join(capsys.readouterr().out.split())
    assert said in (tmp_path / "out" / "report.html").read_text("utf-8")
    assert said in (tmp_path / "out" / "attestation.txt").read_text("utf-8")


@pytest.mark.skipif(os.name == "nt", reason="no such modes there")
def test_every_file_of_a_result_is_closed_to_others(out: Path) -> None:
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) & 0o007 for path in out.iterdir()}
    assert len(modes) >= 7
    assert not any(modes.values()), modes
