"""Small models built on the spot, saved as safetensors and asked through a whole plan; needs the `models` extra."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stillwatch.app import open_measuring
from stillwatch.app.measure_files import read_measures, rows_of
from stillwatch.app.open_measuring import OpenTask, measure_open
from stillwatch.app.progress import Quiet
from stillwatch.app.proving import ProofRequest, prove
from stillwatch.errors import TooFewSamplesError
from stillwatch.marks.prf import context_seeds
from stillwatch.marks.twins import assign
from stillwatch.provenance.columns import MeasureError
from stillwatch.provenance.plan import PlanError, PlannedTest
from stillwatch.provenance.scoring import GreenListScoring
from stillwatch.provenance.suspects import AnswerError, SuspectError
from stillwatch.provenance.suspects.folder import FolderSuspect
from stillwatch.records.verdicts import Outcome
from stillwatch.stats.seeds import generator

from .conftest import NOW, Case

torch: Any = pytest.importorskip("torch")
transformers: Any = pytest.importorskip("transformers")
tokenizers: Any = pytest.importorskip("tokenizers")

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]

WORDS = [f"w{n}" for n in range(60)]
VOCABULARY = len(WORDS) + 1


def _saved(folder: Path, model: Any) -> Path:
    words = tokenizers.Tokenizer(tokenizers.models.WordLevel({word: n for n, word in enumerate([*WORDS, "?"])}, unk_token="?"))
    words.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    transformers.PreTrainedTokenizerFast(tokenizer_object=words, unk_token="?", eos_token="?", pad_token="?").save_pretrained(folder)
    model.save_pretrained(folder, safe_serialization=True)
    return folder


def _model() -> Any:
    torch.manual_seed(1)
    shape = {"n_positions": 64, "n_embd": 32, "n_layer": 1, "n_head": 2, "bos_token_id": None, "eos_token_id": None}
    return transformers.GPT2LMHeadModel(transformers.GPT2Config(vocab_size=VOCABULARY, **shape))


def _trained(texts: list[list[int]], steps: int = 150) -> Any:
    model, batch = _model(), torch.tensor(texts)
    optimiser = torch.optim.Adam(model.parameters(), 3e-3)
    for step in range(steps):
        part = batch[(step * 16) % len(batch) :][:16]
        model(part, labels=part).loss.backward()
        optimiser.step()
        optimiser.zero_grad()
    return model.eval()


def _text(ids: list[int]) -> str:
    return " ".join(WORDS[number] for number in ids)


def test_a_folder_is_read_as_its_model_says(tmp_path: Path) -> None:
    model = _model().eval()
    suspect = FolderSuspect(_saved(tmp_path, model), seed=1)
    ids = suspect.encode("w1 w2 w3 w4")
    assert ids == [1, 2, 3, 4]
    logs = torch.log_softmax(model(torch.tensor([ids])).logits[0].double(), -1)
    assert suspect.log_likelihood("w1 w2", " w3 w4") == pytest.approx(float(logs[1, 3] + logs[2, 4]), abs=1e-6)
    assert suspect.next_tokens(ids).sum(axis=1) == pytest.approx(np.ones(3))
    assert len(suspect.continuation("w1", most_tokens=7)) == 7
    assert suspect.answer("w1", most_tokens=5).count("w") <= 5
    with pytest.raises(AnswerError, match="no token"):
        suspect.log_likelihood("w1", "")
    for ask in (lambda: suspect.log_likelihood("w1", " w2\ud83d"), lambda: suspect.answer("\ud83d", most_tokens=2)):
        with pytest.raises(AnswerError, match="lone surrogate"):
            ask()


def test_weights_that_give_no_numbers_and_torn_files_are_said_so(tmp_path: Path) -> None:
    model = _model()
    with torch.no_grad():
        model.transformer.wte.weight[:] = float("nan")
    suspect = FolderSuspect(_saved(tmp_path, model), seed=1)
    with pytest.raises(AnswerError, match="not finite"):
        suspect.log_likelihood("w1", " w2")
    with pytest.raises(AnswerError, match="not finite"):
        suspect.next_tokens([1, 2])
    with pytest.raises(AnswerError, match="the model fails on a text"):
        suspect.answer("w1", most_tokens=3)
    (tmp_path / "model.safetensors").write_bytes(b"torn")
    with pytest.raises(SuspectError, match="cannot be loaded"):
        FolderSuspect(tmp_path, seed=1)


def test_a_tokenizer_of_ids_that_the_model_lacks_costs_the_unit(tmp_path: Path) -> None:
    torch.manual_seed(1)
    _saved(tmp_path, transformers.GPT2LMHeadModel(transformers.GPT2Config(vocab_size=10, n_positions=64, n_embd=8, n_layer=1, n_head=1)))
    suspect = FolderSuspect(tmp_path, seed=1)
    for ask in (
        lambda: suspect.log_likelihood("w1", " w40"),
        lambda: suspect.next_tokens([1, 40]),
        lambda: suspect.answer("w40", most_tokens=2),
    ):
        with pytest.raises(AnswerError, match="the model fails on a text"):
            ask()


@pytest.mark.parametrize(
    "settings",
    [
        {"max_time": 1e-9},
        {"suppress_tokens": list(range(VOCABULARY))},
        {"return_dict_in_generate": True},
        {"eos_token_id": "w1"},
        {"cache_implementation": "offloaded"},
        {"num_beams": 3},
    ],
    ids=lambda settings: next(iter(settings)),
)
def test_a_folder_s_own_settings_of_sampling_change_nothing(tmp_path: Path, settings: dict[str, Any]) -> None:
    _saved(tmp_path, _model())
    plain = FolderSuspect(tmp_path, seed=1).continuation("w1 w2", most_tokens=9)
    assert len(plain) == 9
    path = tmp_path / "generation_config.json"
    path.write_text(json.dumps(json.loads(path.read_text("utf-8")) | settings), encoding="utf-8")
    assert FolderSuspect(tmp_path, seed=1).continuation("w1 w2", most_tokens=9) == plain


def test_an_answer_ends_where_the_folder_says(tmp_path: Path) -> None:
    _saved(tmp_path, _model())
    plain = FolderSuspect(tmp_path, seed=1).continuation("w1 w2", most_tokens=9)
    (tmp_path / "generation_config.json").write_text(json.dumps({"eos_token_id": [plain[3]]}), encoding="utf-8")
    assert FolderSuspect(tmp_path, seed=1).continuation("w1 w2", most_tokens=9) == plain[: plain.index(plain[3]) + 1]


def test_whatever_a_hostile_folder_makes_the_library_raise_costs_the_unit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = _saved(tmp_path, _model()) / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text("utf-8")) | {"return_dict": False}), encoding="utf-8")
    suspect = FolderSuspect(tmp_path, seed=1)

    def ask_all() -> None:
        for ask in (lambda: suspect.answer("w1 w2", most_tokens=3), lambda: suspect.log_likelihood("w1", " w2")):
            with pytest.raises(AnswerError, match="the model fails on a text"):
                ask()

    ask_all()

    def failing(*_: object, **__: object) -> None:
        raise Exception("WordPiece error")  # noqa: TRY002 - as the library does

    monkeypatch.setattr(suspect, "_tokenizer", failing)
    ask_all()


def test_weights_that_an_index_finds_elsewhere_are_not_loaded(tmp_path: Path) -> None:
    folder = _saved(tmp_path / "model", _model())
    (folder / "model.safetensors").rename(tmp_path / "elsewhere.safetensors")
    names = dict.fromkeys(_model().state_dict(), "../elsewhere.safetensors")
    (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": names}), encoding="utf-8")
    (folder / "other.safetensors").touch()
    # the library itself would load them
    transformers.AutoModelForCausalLM.from_pretrained(folder, use_safetensors=True, local_files_only=True)
    with pytest.raises(SuspectError, match="as weights; they must be"):
        FolderSuspect(folder, seed=1)


def test_an_adapter_that_names_another_model_is_refused(tmp_path: Path) -> None:
    _saved(tmp_path, _model())
    (tmp_path / "adapter_config.json").write_text('{"base_model_name_or_path": "/somewhere/else"}', encoding="utf-8")
    with pytest.raises(SuspectError, match="merge the adapter"):
        FolderSuspect(tmp_path, seed=1)


def test_a_student_of_marked_text_is_shown_on_neutral_text_and_by_twins(case: Case) -> None:
    draw, key, scoring = generator(9, "student"), case.keys["acct-17"], GreenListScoring(0.25)
    plain = draw.integers(0, len(WORDS), (160, 24))
    seeds = np.array([int(context_seeds(np.array([word, 0]), 1)[0]) for word in range(len(WORDS))], dtype=np.uint64)
    green = np.array([scoring.scores(key, np.full(60, seed), np.arange(60)) for seed in seeds])
    marked = []
    for _ in range(160):
        ids = [int(draw.integers(60))]
        while len(ids) < 24:
            law = np.exp(2.0 * green[ids[-1]])
            ids.append(int(draw.choice(60, p=law / law.sum())))
        marked.append(ids)
    # twins seen in training: the served one of each pair
    pairs = draw.integers(0, 60, (60, 2, 23))
    served = [[0, *pairs[n, int(assign(key, f"r{n}", 1.0).second_is_served)]] for n in range(60)]
    _saved(case.folder / "student", _trained(marked + [[int(i) for i in row] for row in served] * 3, 300))
    _saved(case.folder / "teacher", _trained(plain.tolist()))
    pair_rows = [
        {"request_id": f"r{n}", "prompt": "w0", "first": " " + _text(pairs[n, 0].tolist()), "second": " " + _text(pairs[n, 1].tolist())}
        for n in range(60)
    ]
    digests = [
        case.lines("pairs.jsonl", pair_rows),
        case.lines("neutral.jsonl", [{"text": _text(row)} for row in draw.integers(0, 60, (40, 30)).tolist()]),
        case.lines("prompts.jsonl", [{"prompt": f"w{n}"} for n in range(30)]),
    ]
    test = '[[tests]]\nname = "{0}"\nkind = "{0}"\nkeys = ["acct-17", "acct-99"]\nsample = {1}\nmeasured = "{2}"\nprompts = "{3}"\n'
    case.write(
        test.format("twins", 60, "t.jsonl", "pairs.jsonl")
        + f'prompts_sha256 = "{digests[0]}"\n'
        + test.format("radioactivity_open", 40, "o.npz", "neutral.jsonl")
        + f'prompts_sha256 = "{digests[1]}"\nreference_folders = ["teacher"]\n'
        + test.format("radioactivity_closed", 30, "c.jsonl", "prompts.jsonl")
        + f'prompts_sha256 = "{digests[2]}"\nmost_tokens = 40\n',
        suspect='name = "student"\nkind = "folder"\nfolder = "student"',
    )
    case.seal()
    verdict = prove(ProofRequest(plan=case.plan, out=case.folder / "out"), Quiet(), now=NOW)
    assert verdict.outcome is Outcome.SHOWN
    assert verdict.points_to == ("acct-17",)
    found = {(judged.name, judged.key): judged.result.log10_p for judged in verdict.results}
    assert found["twins", "acct-17"] < -6
    assert found["radioactivity_open", "acct-17"] < -20
    assert found["radioactivity_closed", "acct-17"] < -6
    assert all(p > -4 for (_, name), p in found.items() if name == "acct-99")
    assert json.loads((case.folder / "out" / "verdict.json").read_text("utf-8"))["points_to"] == ["acct-17"]


def _open_task(folder: Path, *, seal: str = "s") -> OpenTask:
    """Two models of other weights, and neutral text in which windows repeat."""
    for name, seed in (("suspect", 1), ("teacher", 2)):
        torch.manual_seed(seed)
        _saved(
            folder / name,
            transformers.GPT2LMHeadModel(transformers.GPT2Config(vocab_size=VOCABULARY, n_positions=64, n_embd=8, n_layer=1, n_head=1)),
        )
    draw = generator(5, "neutral")
    (folder / "neutral.jsonl").write_text(
        "".join(json.dumps({"text": _text(row)}) + "\n" for row in draw.integers(0, 60, (12, 20)).tolist()), encoding="utf-8"
    )
    test = PlannedTest(name="open", kind="radioactivity_open", sample=12, measured="o.npz", keys=("acct-17",))
    return OpenTask(
        test=test,
        prompts=folder / "neutral.jsonl",
        target=folder / "o.npz",
        suspect=FolderSuspect(folder / "suspect", seed=1),
        references=(FolderSuspect(folder / "teacher", seed=1),),
        seal_sha256=seal,
    )


class _Stopping:
    """A clock that runs ever faster, so that every text is saved however long a save took, and stops the run after some looks."""

    def __init__(self, looks: int) -> None:
        self.left = looks
        self.now = 100.0

    def __call__(self) -> float:
        self.left -= 1
        if self.left < 0:
            raise KeyboardInterrupt
        self.now *= 30.0
        return self.now


def test_means_over_windows_are_those_of_the_models(tmp_path: Path) -> None:
    task = _open_task(tmp_path)
    measure_open(task, Quiet())
    arrays = read_measures(task.target)
    texts = [task.suspect.encode(row["text"]) for row in rows_of(task.prompts)]
    assert int(arrays["counts"].sum()) == sum(len(ids) - 1 for ids in texts)
    seed = context_seeds(np.array([texts[0][3], 0]), 1)[0]
    rows = [task.suspect.next_tokens(ids)[place] for ids in texts for place in range(len(ids) - 1) if ids[place] == texts[0][3]]
    assert arrays["suspect"][arrays["seeds"] == seed][0] == pytest.approx(np.mean(rows, axis=0), abs=1e-6)
    assert arrays["suspect"].sum(axis=1) == pytest.approx(1.0, abs=1e-5)


@pytest.mark.parametrize("cells", [open_measuring.MOST_CELLS, 10], ids=["means", "lists"])
def test_an_open_measurement_that_was_stopped_ends_as_one_that_was_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cells: int) -> None:
    monkeypatch.setattr(open_measuring, "MOST_CELLS", cells)
    task = _open_task(tmp_path)
    measure_open(task, Quiet())
    whole = read_measures(task.target)
    task.target.unlink()
    with pytest.raises(KeyboardInterrupt):
        measure_open(task, Quiet(), clock=_Stopping(16))
    assert task.part.exists()
    with pytest.raises(PlanError, match="saved under another seal"):
        measure_open(replace(task, seal_sha256="another"), Quiet())
    asked: list[int] = []
    real = FolderSuspect.next_tokens
    monkeypatch.setattr(FolderSuspect, "next_tokens", lambda self, ids: (asked.append(len(ids)), real(self, ids))[1])
    measure_open(task, Quiet())
    assert 0 < len(asked) < 24
    assert not task.part.exists()
    again = read_measures(task.target)
    assert set(again) == set(whole)
    for name, values in whole.items():
        np.testing.assert_allclose(again[name], values, rtol=1e-6, err_msg=name)
    task.part.write_bytes(b"torn")
    task.target.unlink()
    with pytest.raises(MeasureError, match="damaged"):
        measure_open(task, Quiet())


def test_texts_without_finite_probabilities_are_counted_and_a_few_in_a_row_stop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    task = _open_task(tmp_path)
    real, turns = FolderSuspect.next_tokens, iter(range(1000))

    def sometimes(self: FolderSuspect, ids: list[int]) -> Any:
        if next(turns) in (0, 5):
            raise AnswerError("not finite")
        return real(self, ids)

    monkeypatch.setattr(FolderSuspect, "next_tokens", sometimes)
    measure_open(task, Quiet())
    assert int(read_measures(task.target)["unusable"][0]) == 2
    task.target.unlink()
    asked: list[int] = []

    def never(self: FolderSuspect, ids: list[int]) -> Any:
        asked.append(len(ids))
        raise AnswerError(f"not finite, {len(ids)}, {self.vocabulary}")

    monkeypatch.setattr(FolderSuspect, "next_tokens", never)
    # no text is used up, and the second run goes on beyond those that the first had tried: here to the end
    for most in (8, 12):
        asked.clear()
        with pytest.raises(SuspectError, match=f"{most} texts in a row without finite probabilities; they are not used up"):
            measure_open(task, Quiet())
        assert len(asked) == most
    monkeypatch.setattr(FolderSuspect, "next_tokens", real)
    measure_open(task, Quiet())
    assert int(read_measures(task.target)["unusable"][0]) == 0


def test_half_a_character_in_neutral_text_is_named_with_its_row(tmp_path: Path) -> None:
    task = _open_task(tmp_path)
    with task.prompts.open("a", encoding="utf-8") as file:
        file.write('{"text": "w1 \\ud83d"}\n')
    with pytest.raises(MeasureError, match=r"neutral.jsonl, row 13: a text holds half of a character"):
        measure_open(task, Quiet())


def test_a_text_longer_than_the_model_has_places_for_is_cut(tmp_path: Path) -> None:
    suspect = FolderSuspect(_saved(tmp_path, _model()), seed=1)
    assert suspect.longest == 64
    ids = suspect.encode(_text([1, 2] * 50))
    assert suspect.next_tokens(ids).shape == (63, VOCABULARY)
    assert len(suspect.continuation(_text([1, 2] * 50), most_tokens=30)) <= 30
    assert len(suspect.continuation("w1", most_tokens=500)) <= 63


def test_tokenizers_that_differ_or_texts_too_short_are_found_by_the_seal(case: Case) -> None:
    for name in ("suspect", "teacher"):
        _saved(case.folder / name, _model())
    test = '[[tests]]\nname = "open"\nkind = "radioactivity_open"\nkeys = ["acct-17"]\nsample = 30\nmeasured = "o.npz"\n'
    test += 'prompts = "neutral.jsonl"\nreference_folders = ["teacher"]\n'
    suspect = 'name = "student"\nkind = "folder"\nfolder = "suspect"'
    digest = case.lines("neutral.jsonl", [{"text": "w1 w2"}] * 30)
    case.write(test + f'prompts_sha256 = "{digest}"\n', suspect=suspect)
    with pytest.raises(TooFewSamplesError, match="test 'open': open radioactivity, distinct windows needs at least 20 samples, got 1"):
        case.seal()
    digest = case.lines("neutral.jsonl", [{"text": f"w{n} w{n + 1} w{n + 2}"} for n in range(30)])
    case.write(test + f'prompts_sha256 = "{digest}"\n', suspect=suspect)
    place = case.folder / "teacher" / "tokenizer.json"
    plain = place.read_text("utf-8")
    place.write_text(plain.replace('"w5"', '"v5"'), encoding="utf-8")
    with pytest.raises(PlanError, match=r"neutral.jsonl, row 4: .* split the text into different tokens; test 'open' needs one tokenizer"):
        case.seal()
    place.write_text(plain, encoding="utf-8")
    case.seal()


def test_models_of_other_tokens_are_not_compared(tmp_path: Path) -> None:
    task = _open_task(tmp_path)
    torch.manual_seed(3)
    config = transformers.GPT2Config(vocab_size=VOCABULARY + 5, n_positions=64, n_embd=8, n_layer=1, n_head=1)
    _saved(tmp_path / "larger", transformers.GPT2LMHeadModel(config))
    with pytest.raises(SuspectError, match=r"vocabularies of \[61, 66\] tokens"):
        measure_open(replace(task, references=(FolderSuspect(tmp_path / "larger", seed=1),)), Quiet())
    (tmp_path / "neutral.jsonl").write_text('{"prompt": "w1"}\n', encoding="utf-8")
    with pytest.raises(MeasureError, match="row 1: holds no `text`"):
        measure_open(task, Quiet())
