"""Plans that could never give a verdict are refused when they are sealed; what is sealed is everything that the suspect is asked with."""

from __future__ import annotations

import errno
import json
from pathlib import Path
from typing import Any

import pytest

from stillwatch.app import plan_checking, plan_files, proving
from stillwatch.app.plan_files import read_plan, read_seal, seal_path
from stillwatch.app.progress import Quiet
from stillwatch.app.proving import ProofRequest, prove
from stillwatch.app.state import file_sha256
from stillwatch.cli import main
from stillwatch.errors import StillwatchError, TooFewSamplesError, UnreadableInputError
from stillwatch.marks.canary_families import CanaryFamilyError
from stillwatch.provenance.plan import PlanError
from stillwatch.provenance.suspects import AnswerError, SuspectError

from .conftest import NOW, Case, slots

ENDPOINT = 'name = "model X"\nkind = "endpoint"\nurl = "http://127.0.0.1:9/v1"\nmodel = "m"'
FOLDER = 'name = "model X"\nkind = "folder"\nfolder = "model"'


def _test(case: Case, kind: str, rows: list[dict[str, Any]], *, sample: int | None = None, more: str = "", measured: str = "") -> str:
    name = f"{kind}-prompts.jsonl"
    suffix = "npz" if kind == "radioactivity_open" else "jsonl"
    keys = "" if kind == "similarity" else 'keys = ["acct-17"]\n'
    return (
        f'[[tests]]\nname = "{kind}"\nkind = "{kind}"\n{keys}sample = {len(rows) if sample is None else sample}\n'
        f'measured = "{measured or f"{kind}.{suffix}"}"\nprompts = "{name}"\nprompts_sha256 = "{case.lines(name, rows)}"\n{more}'
    )


def _pairs(count: int = 30, **more: Any) -> list[dict[str, Any]]:
    return [{"request_id": f"r{n}", "prompt": f"Q{n}", "first": f"red {n}", "second": f"blue {n}"} | more for n in range(count)]


def _questions() -> list[dict[str, Any]]:
    return [{"slot": s.id, "question": s.question, "variants": len(s.variants), "variants_sha256": s.digest} for s in slots()]


def _model(folder: Path, weights: bytes = b"weights") -> None:
    folder.mkdir()
    (folder / "config.json").write_text("{}", encoding="utf-8")
    (folder / "model.safetensors").write_bytes(weights)


def _refused(case: Case, tests: str, suspect: str, kind: type[StillwatchError], words: str) -> None:
    """Refused at the seal, and leaves none; and again before anything is asked, where a seal was there all the same."""
    case.write(tests, suspect=suspect)
    with pytest.raises(kind, match=words):
        case.seal()
    assert not seal_path(case.plan).exists()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (('measured = "twins.jsonl"', 'measured = "twins.npz"'), r"measured is 'twins.npz', but twins is asked into \.jsonl files"),
        (('measured = "twins.jsonl"', 'measured = "twins"'), r"asked into \.jsonl files"),
        (('measured = "twins.jsonl"', 'measured = "./Twins-prompts.jsonl"'), "which the plan reads as prompts or families"),
        (('kind = "twins"', 'kind = "radioactivity_closed"'), "reads text, and kind endpoint has no tokens; give `tokenizer`"),
        (('kind = "twins"', 'kind = "radioactivity_open"'), "whole next-token distributions, which kind endpoint does not give"),
        (('url = "http://127.0.0.1:9/v1"', 'url = "127.0.0.1:9/v1"'), "url is no address with https:// or http://; give https://"),
        (('url = "http://', 'url = "http://[::1'), r"url is no address \(Invalid IPv6 URL\)"),
        (('url = "http://', 'url = "http://me:secret@'), "url holds a name, a password or a query; a bearer token"),
        (('url = "http://', 'url = "http://a b'), "is no address"),
        (('model = "m"', ""), "names no model"),
        (('kind = "endpoint"', 'kind = "folder"'), "names no folder"),
        (("level = 1e-6", "level = 1e-6\nseed = 18446744073709551616"), "seed is 18446744073709551616, it must lie in"),
        (("level = 1e-6", "level = 1e-6\nseed = -1"), "seed is -1"),
        (("sample = 30", "sample = 30\nwidth = 1000000"), "width is 1000000"),
        (("sample = 30", "sample = 30\nmost_tokens = 100000000"), "most_tokens is 100000000"),
        (('commitment = "sha256:', 'commitment = "sha256:0'), "no key opens the commitment 'sha256:0"),
    ],
)
def test_a_plan_that_cannot_be_run_is_not_sealed(case: Case, change: tuple[str, str], words: str) -> None:
    case.write(_test(case, "twins", _pairs()), suspect=ENDPOINT)
    text = case.plan.read_text("utf-8")
    assert change[0] in text
    case.plan.write_text(text.replace(*change, 1), encoding="utf-8")
    with pytest.raises(PlanError, match=words):
        case.seal()
    assert not seal_path(case.plan).exists()


def test_a_rank_is_not_asked_for(case: Case) -> None:
    tests = _test(case, "twins", _pairs()) + _test(case, "similarity", _pairs())
    _refused(
        case, tests, ENDPOINT, PlanError, "test 'similarity' has prompts, but similarity is not asked; measure suspect and controls alike"
    )


def test_two_tests_are_not_measured_into_one_file(case: Case) -> None:
    tests = _test(case, "twins", _pairs()) + _test(case, "canaries", _questions(), measured="./TWINS.jsonl")
    _refused(case, tests, ENDPOINT, PlanError, "test 'twins': measured is 'twins.jsonl', and so is that of test 'canaries'")


@pytest.mark.parametrize(
    ("rows", "sample", "kind", "words"),
    [
        (_pairs(), 31, PlanError, r"plans a sample of 31, .*twins-prompts.jsonl holds 30 rows"),
        ([*_pairs(), {"request_id": "x"}], None, PlanError, r"twins-prompts.jsonl, row 31: twins takes a field `prompt` that is text"),
        (_pairs(first=7), None, PlanError, r"row 1: twins takes a field `first` that is text, this row has 7"),
        ([*_pairs(), *_pairs(1, request_id="")], None, PlanError, r"row 31: request_id is ''; the coin needs text of 1 to 1,024 bytes"),
        ([*_pairs(), *_pairs(1, request_id="\ud800")], None, PlanError, "row 31: request_id is"),
        (_pairs(teacher_first=-1.0), None, PlanError, r"row 1: teacher_first and teacher_second are \[-1.0, None\]"),
        (_pairs(teacher_first=-1.0, teacher_second="x"), None, PlanError, "two finite log-likelihoods were expected"),
        (_pairs(teacher_first=-1.0, teacher_second=-(10**400)), None, PlanError, "two finite log-likelihoods were expected"),
        (_pairs(key_commitment="sha256:" + "0" * 64), None, PlanError, "row 1: the coin of this pair was the key 'sha256:000000"),
        (_pairs(request_id="r"), None, TooFewSamplesError, "plan.toml: test 'twins': twins, pairs that differ needs at least 20 samples"),
        (_pairs(first="same", second="same"), None, TooFewSamplesError, "needs at least 20 samples, got 0"),
    ],
)
def test_pairs_that_cannot_be_asked_or_prove_anything_are_refused(
    case: Case, rows: list[dict[str, Any]], sample: int | None, kind: type[StillwatchError], words: str
) -> None:
    _refused(case, _test(case, "twins", rows, sample=sample), ENDPOINT, kind, words)


def test_canaries_need_families_that_are_there_and_fit(case: Case) -> None:
    rows = _questions()
    missing = _test(case, "canaries", rows, more='families = ["own.toml"]\n')
    _refused(case, missing, ENDPOINT, UnreadableInputError, r"test 'canaries' names the families .*own.toml, which cannot be read: No such")
    (case.folder / "own.toml").write_text("x = 1", encoding="utf-8")
    _refused(case, missing, ENDPOINT, CanaryFamilyError, "own.toml has no array `families`")
    other = _test(case, "canaries", [*rows[:-1], rows[-1] | {"slot": "their/own"}])
    _refused(case, other, ENDPOINT, PlanError, rf"row {len(rows)}: slot 'their/own' is not among the families; name its file")
    changed = _test(case, "canaries", [rows[0] | {"variants_sha256": "0" * 64}, *rows[1:]])
    _refused(case, changed, ENDPOINT, PlanError, r"row 1: slot .* variants of sha256 0000000000000000…, the families have \d+ of")
    few = _test(case, "canaries", rows[:2])
    _refused(case, few, ENDPOINT, TooFewSamplesError, "test 'canaries': choice canaries at p <= 1e-06, draws needs at least")


def test_half_a_character_is_named_with_file_and_row(case: Case) -> None:
    _model(case.folder / "model")
    rows = [{"text": f"neutral {n}"} for n in range(40)]
    rows[7] = {"text": "half \ud83d"}
    tests = _test(case, "radioactivity_open", rows, more='reference_folders = ["model"]\n')
    _refused(case, tests, FOLDER, PlanError, r"radioactivity_open-prompts.jsonl, row 8: `text` holds half of a character")


def test_model_folders_are_looked_at_before_the_seal(case: Case) -> None:
    tests = _test(case, "twins", _pairs())
    _refused(case, tests, FOLDER, SuspectError, "no folder")
    _model(case.folder / "model")
    (case.folder / "model" / "pytorch_model.bin").touch()
    _refused(case, tests, FOLDER, SuspectError, "only safetensors are read")
    (case.folder / "model" / "pytorch_model.bin").unlink()
    opened = _test(case, "radioactivity_open", [{"text": f"neutral {n}"} for n in range(40)], more='references = ["a", "b"]\n')
    _refused(case, opened, FOLDER, PlanError, "has 2 references and 0 reference_folders")
    _refused(case, tests.replace('"twins.jsonl"', '"away/twins.jsonl"'), FOLDER, PlanError, "is measured into .*away, which is no folder")


def test_a_seal_fixes_every_file_of_the_models_and_the_verdict_names_them(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    _model(case.folder / "model")
    _model(case.folder / "teacher", b"other weights")
    (case.folder / "model" / ".cache").mkdir()
    (case.folder / "model" / ".cache" / "note").touch()
    opened = _test(
        case,
        "radioactivity_open",
        [{"text": f"neutral {n}"} for n in range(40)],
        more='reference_folders = ["teacher"]\n',
        measured="o.npz",
    )
    case.write(_test(case, "twins", _pairs()) + opened, suspect=FOLDER)
    case.seal()
    sealed = read_seal(read_plan(case.plan), case.plan)
    weights = file_sha256(case.folder / "model" / "model.safetensors")
    assert dict(sealed.pinned)["model/model.safetensors"] == weights
    assert [name for name, _ in sealed.pinned] == [
        f"{of}/{name}" for of in ("model", "teacher") for name in ("config.json", "model.safetensors")
    ]

    hashed: list[str] = []
    real = plan_checking.file_sha256
    monkeypatch.setattr(plan_checking, "file_sha256", lambda path: (hashed.append(Path(path).name), real(path))[1])

    class GoneError(Exception):
        """The model was asked for."""

    def opening(*_: Any, **__: Any) -> None:
        raise GoneError

    monkeypatch.setattr(proving, "open_suspect", opening)
    request = ProofRequest(plan=case.plan, out=case.folder / "out")
    with pytest.raises(GoneError):
        prove(request, Quiet(), now=NOW)
    # two folders of one set of weights each, for two tests
    assert hashed.count("model.safetensors") == 2
    (case.folder / "model" / "model.safetensors").write_bytes(b"better weights")
    with pytest.raises(
        PlanError, match=rf"model/model.safetensors is not as it was sealed \(sealed {weights[:16]}…, now [0-9a-f]{{16}}…\)"
    ):
        prove(request, Quiet(), now=NOW)
    (case.folder / "model" / "model.safetensors").write_bytes(b"weights")
    (case.folder / "teacher" / "generation_config.json").write_text("{}", encoding="utf-8")
    with pytest.raises(PlanError, match=r"teacher/generation_config.json is not as it was sealed \(sealed no such file, now"):
        prove(request, Quiet(), now=NOW)
    place = seal_path(case.plan)
    place.write_text(place.read_text("utf-8").replace(weights, "0" * 64), encoding="utf-8")
    with pytest.raises(PlanError, match="its own digest does not fit"):
        prove(request, Quiet(), now=NOW)


@pytest.mark.slow
def test_families_are_fixed_by_the_seal_and_named_in_the_verdict(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    own = '[[families]]\nid = "own"\nabout = "a"\nkind = "number"\ninstruction = "Say {variant}."\nquestion = "Which {subject}?"\n'
    own += 'first = 1\nstep = 1\ncount = 20\ntopics = [{ id = "t", subject = "s", when = ["x"] }]\n'
    (case.folder / "own.toml").write_text(own, encoding="utf-8")
    case.write(_test(case, "canaries", _questions(), more='families = ["own.toml"]\n'), suspect=ENDPOINT)
    case.seal()

    class Red:
        def answer(self, prompt: str, *, most_tokens: int) -> str:
            return f"{prompt[:0]}nothing of that, in {most_tokens} tokens"

        def log_likelihood(self, prompt: str, answer: str) -> float:
            raise AnswerError(prompt + answer)

    monkeypatch.setattr(proving, "open_suspect", lambda *_, **__: Red())
    request = ProofRequest(plan=case.plan, out=case.folder / "out")
    verdict = prove(request, Quiet(), now=NOW)
    assert [name for name, _ in verdict.inputs] == ["canaries.jsonl", "canaries-prompts.jsonl", "own.toml"]
    (case.folder / "own.toml").write_text(own + "# changed\n", encoding="utf-8")
    with pytest.raises(PlanError, match=r"own\.toml is not as it was sealed"):
        prove(request, Quiet(), now=NOW)


@pytest.mark.parametrize("content", ["", "{", "[]", '"x"', '{"plan_sha256": 1}', "[" * 20_000, '{"seal_sha256": "\ud800"}'])
def test_a_broken_seal_is_to_be_restored_and_not_written_again(case: Case, content: str) -> None:
    case.write(_test(case, "twins", _pairs()), suspect=ENDPOINT)
    case.seal()
    seal_path(case.plan).write_bytes(content.encode("utf-8", "surrogatepass"))
    with pytest.raises(PlanError, match=r"plan\.toml\.seal .*; restore the seal that was made, from a copy") as refused:
        read_seal(read_plan(case.plan), case.plan)
    assert "again" not in str(refused.value)


@pytest.mark.slow
def test_measures_that_are_to_come_from_elsewhere_are_there_before_the_suspect_is_asked(
    case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = '[[tests]]\nname = "given"\nkind = "twins"\nkeys = ["acct-17"]\nsample = 300\nmeasured = "given.jsonl"\n'
    case.write(_test(case, "twins", _pairs()) + elsewhere, suspect=ENDPOINT)
    case.seal()
    asked: list[str] = []

    class Told:
        def answer(self, prompt: str, *, most_tokens: int) -> str:
            asked.append(f"{prompt} {most_tokens}")
            return "red"

        def log_likelihood(self, prompt: str, answer: str) -> float:
            raise AnswerError(prompt + answer)

    monkeypatch.setattr(proving, "open_suspect", lambda *_, **__: Told())
    request = ProofRequest(plan=case.plan, out=case.folder / "out")
    with pytest.raises(PlanError, match=r"has neither prompts nor given\.jsonl; give the measures before the suspect is asked"):
        prove(request, Quiet(), now=NOW)
    # nor is it asked where what is kept cannot be gone on with
    case.lines("given.jsonl", case.twins("acct-17", 300, 0.0))
    (case.folder / "twins.jsonl").write_text(json.dumps({"pair": "r0"}) + "\n\n", encoding="utf-8")
    with pytest.raises(StillwatchError):
        prove(request, Quiet(), now=NOW)
    assert asked == []
    (case.folder / "twins.jsonl").write_bytes(b"")
    assert prove(request, Quiet(), now=NOW).inputs
    assert len(asked) == 30


def test_a_seal_is_written_whole_or_not_at_all(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    case.write(_test(case, "twins", _pairs()), suspect=ENDPOINT)

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(plan_files.os, "fsync", full)
        with pytest.raises(OSError, match="No space left") as refused:
            case.seal()
    assert refused.value.filename == str(seal_path(case.plan))
    assert [path.name for path in case.folder.glob("*.seal*")] == []
    assert list(case.folder.glob(".*.partial")) == []
    case.seal()
    with pytest.raises(PlanError, match="is there already: the plan is sealed"):
        case.seal()


@pytest.mark.slow
def test_an_interrupt_says_what_to_do_next(case: Case, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    case.write(_test(case, "twins", _pairs()), suspect=ENDPOINT)

    def interrupted(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(plan_files, "check_plan", interrupted)
    assert main(["prove", str(case.plan), "--seal"]) == 130
    monkeypatch.setattr(proving, "proof_request", interrupted)
    assert main(["prove", str(case.plan), "--out", str(case.folder / "out")]) == 130
    told = capsys.readouterr().err
    assert "where no seal stands beside the plan, run the same command again" in told
    assert "what was measured is kept: run the same command again" in told
    assert "--resume" not in told
