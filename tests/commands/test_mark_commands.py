"""`stillwatch mark` writes secrets into private files and never shows one."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stillwatch.app.key_files import read_key
from stillwatch.app.marking import PURPOSES, load_master
from stillwatch.app.pair_files import append_pair, read_pairs
from stillwatch.cli import main
from stillwatch.marks.canaries import choose, match_answers
from stillwatch.marks.canary_families import all_slots, shipped_families
from stillwatch.marks.keys import MasterSecret, commitment, derive, master_text
from stillwatch.marks.twins import Asked, TwinKey, serve
from stillwatch.marks.vllm_gumbel import PURPOSE as VLLM
from stillwatch.marks.vllm_gumbel import uniforms

MASTER = MasterSecret(bytes(range(40, 80)))


@pytest.fixture
def key(tmp_path: Path) -> Path:
    path = tmp_path / "master.key"
    path.write_text(master_text(MASTER), "utf-8")
    path.chmod(0o600)
    return path


def _json(capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:
    assert main(["mark", *arguments, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def _secrets() -> tuple[str, ...]:
    derived = [derive(MASTER, purpose=purpose, account=account, period="1") for purpose in PURPOSES for account in (None, "acme")]
    return (MASTER.reveal().hex(), *(found.reveal().hex() for found in derived), *(str(found.word) for found in derived))


def test_a_new_master_secret_is_private_random_and_not_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = [tmp_path / name for name in ("a.key", "b.key")]
    for path in made:
        assert main(["mark", "keys", "--out", str(path)]) == 0
        said = capsys.readouterr()
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert commitment(load_master(path)) in said.out
        assert path.read_text().split(":")[1].strip() not in said.out + said.err
    assert made[0].read_text() != made[1].read_text()


def test_a_key_file_is_never_overwritten(key: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = key.read_text()
    assert main(["mark", "keys", "--out", str(key)]) == 1
    assert "never overwritten" in capsys.readouterr().err
    assert key.read_text() == before


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660])
def test_a_key_file_that_others_may_read_is_refused(key: Path, mode: int, capsys: pytest.CaptureFixture[str]) -> None:
    key.chmod(mode)
    assert main(["mark", "commit", "--key", str(key)]) == 1
    assert "chmod 600" in capsys.readouterr().err


@pytest.mark.parametrize(
    "content", ["", "secret", "stillwatch-master-v1:", "stillwatch-master-v1:zz", "stillwatch-master-v1:" + "00" * 32, "\0" * 70_000]
)
def test_a_file_without_a_usable_secret_is_refused_without_showing_it(key: Path, content: str, capsys: pytest.CaptureFixture[str]) -> None:
    key.write_text(content)
    assert main(["mark", "commit", "--key", str(key)]) == 1
    (said,) = capsys.readouterr().err.strip().splitlines()
    assert "00" * 32 not in said


def test_the_environment_gives_the_secret_where_no_file_is_named(
    key: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("STILLWATCH_MASTER_KEY", raising=False)
    assert main(["mark", "commit"]) == 2
    assert "STILLWATCH_MASTER_KEY" in capsys.readouterr().err
    monkeypatch.setenv("STILLWATCH_MASTER_KEY", key.read_text())
    assert _json(capsys, "commit") == [{"purpose": "master", "account": None, "period": None, "commitment": commitment(MASTER)}]
    monkeypatch.setenv("STILLWATCH_MASTER_KEY", "stillwatch-master-v1:abc")
    assert main(["mark", "commit"]) == 1
    assert "abc" not in capsys.readouterr().err


def test_commitments_are_those_of_the_keys_that_are_used(key: Path, capsys: pytest.CaptureFixture[str]) -> None:
    purposes = [argument for purpose in PURPOSES for argument in ("--purpose", purpose)]
    found = _json(capsys, "commit", "--key", str(key), *purposes, "--account", "acme", "--account", "other", "--period", "1")
    expected = [
        commitment(derive(MASTER, purpose=purpose, account=account, period="1")) for purpose in PURPOSES for account in ("acme", "other")
    ]
    assert [row["commitment"] for row in found] == expected
    assert len(set(expected)) == 10


@pytest.mark.parametrize(
    "arguments", [["--purpose", "perfume", "--period", "1"], ["--purpose", "twins"], ["--account", "acme"], ["--period", "1"]]
)
def test_commitments_of_nothing_are_wrong_usage(arguments: list[str], key: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["mark", "commit", "--key", str(key), *arguments]) == 2
    assert "--purpose" in capsys.readouterr().err


def test_no_command_shows_a_secret(key: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    common = ["--key", str(key), "--period", "1"]
    for number, arguments in enumerate(
        (
            ["commit", *common, "--purpose", "twins"],
            ["vllm", *common, "--out", str(tmp_path / "v.json")],
            ["instructions", *common, "--account", "acme", "--out", str(tmp_path / "i.jsonl")],
            ["vllm", *common, "--out", str(tmp_path / "w.json"), "--json"],
        )
    ):
        assert main(["mark", *arguments]) == 0, number
        said = capsys.readouterr()
        assert not [secret for secret in _secrets() if secret in said.out + said.err]
    choices = {choose(derive(MASTER, purpose="canaries", account="acme", period="1"), slot) for slot in all_slots(shipped_families())}
    assert len(choices) > 20
    for name in ("v.json", "i.jsonl"):
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600


def test_a_derived_key_is_written_for_the_sampler_and_opens_its_commitment(
    key: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "green.key"
    arguments = ["derive", "--key", str(key), "--purpose", "green-list", "--account", "acme", "--period", "1", "--out", str(out)]
    written = _json(capsys, *arguments)
    expected = derive(MASTER, purpose="green-list", account="acme", period="1")
    assert read_key(out) == expected
    assert written == {"file": str(out), "commitment": commitment(expected)}
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    assert main(["mark", *arguments]) == 1
    assert "never overwritten" in capsys.readouterr().err
    assert main(["mark", "derive", "--key", str(key), "--purpose", "greenlist", "--period", "1", "--out", str(tmp_path / "x")]) == 2
    assert "it takes one of" in capsys.readouterr().err
    assert not (tmp_path / "x").exists()


def test_the_vllm_configuration_holds_the_key_of_its_purpose(key: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "v.json"
    found = _json(capsys, "vllm", "--key", str(key), "--period", "1", "--width", "3", "--out", str(out))
    derived = derive(MASTER, purpose=VLLM, account=None, period="1")
    assert found["commitment"] == commitment(derived)
    written = json.loads(out.read_text())
    assert (written["key"], written["context_width"]) == (derived.word, 3)


def test_instructions_and_questions_meet_by_slot(key: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given, asked = tmp_path / "i.jsonl", tmp_path / "q.jsonl"
    assert _json(capsys, "instructions", "--key", str(key), "--period", "1", "--out", str(given))["instructions"] >= 48
    assert _json(capsys, "questions", "--out", str(asked))["expected_matches_of_an_innocent_model"] < 4
    instructions = {row["slot"]: row["instruction"] for row in map(json.loads, given.read_text().splitlines())}
    questions = {row["slot"]: row for row in map(json.loads, asked.read_text().splitlines())}
    assert list(instructions) == list(questions)
    slots = all_slots(shipped_families())
    derived = derive(MASTER, purpose="canaries", account=None, period="1")
    answers = {slot.id: choose(derived, slot) for slot in slots}
    assert all(answers[slot.id] in instructions[slot.id] for slot in slots)
    assert all(match.matched for match in match_answers(derived, slots, answers))
    assert all(questions[slot.id]["variants_sha256"] == slot.digest for slot in slots)


def test_families_are_listed_with_ones_own(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    own = tmp_path / "own.toml"
    colours = ", ".join(f'"colour{place}"' for place in range(16))
    family = 'id = "colour"\nabout = "a colour"\nkind = "word"\ninstruction = "Take {variant}."\nquestion = "Which for {subject}?"\n'
    own.write_text(f'[[families]]\n{family}variants = [{colours}]\ntopics = [{{ id = "x", subject = "x", when = ["x"] }}]\n')
    assert [row["id"] for row in _json(capsys, "canaries", "--families", str(own))][-2:] == ["trade", "colour"]
    assert main(["mark", "canaries", "--families", str(own)]) == 0
    assert "colour" in capsys.readouterr().out
    assert main(["mark", "canaries", "--families", str(own), "--families", str(own)]) == 1
    assert main(["mark", "canaries", "--families", str(tmp_path / "none.toml")]) == 1
    assert "none.toml" in capsys.readouterr().err


def _pairs(path: Path, master: MasterSecret, names: str) -> None:
    twin_key = TwinKey(key=derive(master, purpose="twins", account=None, period="1"), period="1", share=1.0)
    for name in names:
        texts = iter(("same", "same") if name == "t" else (f"one {name}", f"two {name}"))
        served = serve(
            lambda texts=texts: next(texts),
            text=str,
            twin_key=twin_key,
            asked=Asked(request_id=name, prompt="p", at="now", account_id=name),
        )
        assert served.pair is not None
        append_pair(path, served.pair)


def test_a_pairs_file_is_checked_without_a_look_at_the_coin(key: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "pairs.jsonl"
    _pairs(path, MASTER, "abtca")
    found = _json(capsys, "twins", str(path), "--key", str(key))
    assert {name: found[name] for name in ("pairs", "usable", "ties", "repeated_requests", "torn_lines", "accounts")} == {
        "pairs": 5,
        "usable": 3,
        "ties": 1,
        "repeated_requests": 1,
        "torn_lines": 0,
        "accounts": 4,
    }
    assert found["checked_with_key"] is True
    assert main(["mark", "twins", str(path)]) == 0
    shown = capsys.readouterr().out
    assert found["head"][:20] in shown
    assert "one a" not in shown


def test_pairs_of_another_key_or_a_changed_file_fail(key: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "pairs.jsonl"
    _pairs(path, MasterSecret(bytes(range(50, 90))), "ab")
    assert main(["mark", "twins", str(path), "--key", str(key)]) == 1
    assert "key of its period" in capsys.readouterr().err
    path.write_bytes(path.read_bytes().replace(b"one b", b"one c").replace(b"one a", b"one d"))
    assert main(["mark", "twins", str(path)]) == 1
    assert "line 2" in capsys.readouterr().err


@pytest.mark.parametrize("form", ["array", "object", "response"])
def test_what_vllm_wrote_is_read_in_every_form(form: str, key: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    derived = derive(MASTER, purpose=VLLM, account=None, period="1")
    vocabulary, written = np.arange(64), list[int]()
    for _ in range(80):
        context = [-1, -1, -1, -1, *written][-4:]
        written.append(int(np.argmax(uniforms(derived, np.tile(context, (64, 1)), vocabulary))))
    line = {"array": written, "object": {"token_ids": written}, "response": {"choices": [{"token_ids": written}, {"token_ids": written}]}}[
        form
    ]
    path = tmp_path / "tokens.jsonl"
    path.write_text(json.dumps(line) + "\n\n")
    found = _json(capsys, "read-vllm", str(path), "--key", str(key), "--period", "1")
    assert found["p_value"] < 1e-30
    assert found["contexts_scored_once"] <= 80
    assert found["answers"] == (2 if form == "response" else 1)
    assert _json(capsys, "read-vllm", str(path), "--key", str(key), "--period", "2")["p_value"] > 1e-4
    assert main(["mark", "read-vllm", str(path), "--key", str(key), "--period", "1"]) == 0
    assert "independently of the key" in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize("line", ["{", "5", '{"text": "x"}', '[1, "2"]', "[1, true]", "[-1]", "[1.5]", '{"choices": [3]}', "[" * 100_000])
def test_a_line_without_token_ids_is_named(line: str, key: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "tokens.jsonl"
    path.write_text("[1, 2]\n" + line + "\n")
    assert main(["mark", "read-vllm", str(path), "--key", str(key), "--period", "1"]) == 1
    assert "line 2" in capsys.readouterr().err


def test_no_tokens_are_too_few(key: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "tokens.jsonl"
    path.write_text("")
    assert main(["mark", "read-vllm", str(path), "--key", str(key), "--period", "1"]) == 1
    assert "at least 1" in capsys.readouterr().err
    assert main(["mark", "read-vllm", str(tmp_path / "none"), "--key", str(key), "--period", "1"]) == 1


def test_a_digest_is_one_line_on_the_narrowest_terminal(
    key: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "20")
    assert main(["mark", "commit", "--key", str(key), "--purpose", "twins", "--account", "a" * 60, "--period", "1"]) == 0
    told = capsys.readouterr().out
    assert commitment(derive(MASTER, purpose="twins", account="a" * 60, period="1")) in told
    pairs = tmp_path / "pairs.jsonl"
    twin_key = TwinKey(key=derive(MASTER, purpose="twins", account=None, period="1"), period="1", share=1.0)
    texts = iter(("one", "two"))
    served = serve(lambda: next(texts), text=str, twin_key=twin_key, asked=Asked(request_id="r", prompt="q", at="2026-11-25T00:00:00Z"))
    assert served.pair is not None
    append_pair(pairs, served.pair)
    assert main(["mark", "twins", str(pairs)]) == 0
    told = capsys.readouterr().out
    assert read_pairs(pairs).head in told
    assert commitment(twin_key.key) in told
