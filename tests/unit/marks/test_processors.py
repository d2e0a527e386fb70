"""Watermarks on torch are those of numpy, and a model that was built on the spot writes them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import stats

from stillwatch.marks import gumbel
from stillwatch.marks.green_list import green_vocabulary, is_green, threshold
from stillwatch.marks.keys import MarkKey
from stillwatch.marks.prf import context_seeds, draws_over_vocabulary, unused_context
from stillwatch.marks.processors import GreenListProcessor, GumbelMaxProcessor
from stillwatch.stats.samples import UnusableValuesError
from stillwatch.stats.seeds import generator

KEY, OTHER = MarkKey(bytes(range(3, 35))), MarkKey(bytes(range(4, 36)))
VOCABULARY = 96
SEEDS = [0, 1, 2**32 - 1, 2**63 + 11, 2**64 - 1]


@pytest.fixture(scope="module")
def torch() -> Any:
    return pytest.importorskip("torch", reason="torch is not installed; it comes with stillwatch[models]")


@pytest.fixture(scope="module")
def model(torch: Any) -> Any:
    """A language model with random weights."""
    transformers = pytest.importorskip("transformers", reason="transformers is not installed; it comes with stillwatch[models]")
    torch.manual_seed(5)
    sizes = {"n_positions": 512, "n_embd": 32, "n_layer": 2, "n_head": 2}
    settings = transformers.GPT2Config(vocab_size=VOCABULARY, bos_token_id=0, eos_token_id=None, pad_token_id=0, **sizes)
    return transformers.GPT2LMHeadModel(settings).eval()


def test_a_context_is_unused_once_in_an_answer() -> None:
    assert unused_context([5], 2) is None
    assert unused_context([5, 6], 2) == int(context_seeds([5, 6, 9], 2)[0])
    assert unused_context([5, 6, 7, 5, 6], 2) is None
    assert unused_context([5, 6, 7, 6, 5], 2) is not None
    with pytest.raises(UnusableValuesError, match="width is 0"):
        unused_context([], 0)


def test_torch_gives_the_integers_of_numpy(torch: Any) -> None:
    from stillwatch.marks.torch_draws import draws_over_vocabulary as on_torch

    low, high = on_torch(KEY, SEEDS, 5000)
    together = [
        [(int(upper) << 32) | int(lower) for lower, upper in zip(*row, strict=True)]
        for row in zip(low.tolist(), high.tolist(), strict=True)
    ]
    assert together == [draws_over_vocabulary(KEY, seed, 5000).tolist() for seed in SEEDS]


def test_an_accelerator_gives_the_integers_of_the_processor(torch: Any) -> None:
    from stillwatch.marks.torch_draws import draws_over_vocabulary as on_torch

    if not torch.cuda.is_available():
        pytest.skip("no accelerator")
    for here, there in zip(on_torch(KEY, SEEDS, 50_000), on_torch(KEY, SEEDS, 50_000, "cuda"), strict=True):
        assert torch.equal(here, there.cpu())


def test_torch_gives_the_green_lists_and_uniforms_of_numpy(torch: Any) -> None:
    from stillwatch.marks.torch_draws import as_uniforms, below
    from stillwatch.marks.torch_draws import draws_over_vocabulary as on_torch

    drawn = on_torch(KEY, SEEDS, 3000)
    for gamma in (0.25, 0.5, 1 / 3):
        assert below(drawn, threshold(gamma)).tolist() == [green_vocabulary(KEY, seed, 3000, gamma).tolist() for seed in SEEDS]
    expected = [gumbel.as_uniforms(draws_over_vocabulary(KEY, seed, 3000)).tolist() for seed in SEEDS]
    assert as_uniforms(drawn).tolist() == expected


def test_the_green_list_processor_raises_green_tokens_of_fresh_contexts_only(torch: Any) -> None:
    processor = GreenListProcessor(KEY, gamma=0.25, delta=2.0, width=2, prompt_tokens=3)
    prompt = [9, 9, 9]
    answers = [[1, 2, 1, 2], [1, 2, 3, 4], [9, 9, 9, 8]]
    scores = torch.zeros(3, VOCABULARY)
    marked = processor(torch.tensor([[*prompt, *answer] for answer in answers]), scores)
    assert marked[0].tolist() == [0.0] * VOCABULARY
    for row in (1, 2):
        seed = int(context_seeds([*answers[row], 0], 2)[-1])
        assert marked[row].tolist() == np.where(green_vocabulary(KEY, seed, VOCABULARY, 0.25), 2.0, 0.0).tolist()
    assert not scores.any()
    assert (
        processor(torch.tensor([[*prompt, 1]]), scores[:1]) is scores[:1] or not processor(torch.tensor([[*prompt, 1]]), scores[:1]).any()
    )


def test_the_gumbel_processor_takes_the_token_that_numpy_takes(torch: Any) -> None:
    draw = generator(6, "logits")
    processor = GumbelMaxProcessor(KEY, width=1, prompt_tokens=1, temperature=0.7)
    for _ in range(40):
        answer = draw.integers(0, VOCABULARY, 3).tolist()
        logits = draw.normal(size=VOCABULARY)
        logits[:10] = -np.inf
        marked = processor(torch.tensor([[0, *answer]]), torch.tensor(logits[None]))
        seed = unused_context(answer, 1)
        if seed is None:
            assert marked[0].tolist() == (torch.tensor(logits) / 0.7).tolist()
            continue
        weights = np.exp(logits / 0.7)
        assert marked[0].isfinite().nonzero().flatten().tolist() == [gumbel.sample(KEY, seed, weights / weights.sum())]


def test_processors_that_come_before_are_applied_before(torch: Any) -> None:
    def only_token_5(_: Any, scores: Any) -> Any:
        cut = torch.full_like(scores, -np.inf)
        cut[:, 5] = 0.0
        return cut

    processor = GumbelMaxProcessor(KEY, width=1, prompt_tokens=0, before=[only_token_5])
    assert int(processor(torch.tensor([[3]]), torch.zeros(1, VOCABULARY)).argmax()) == 5


def _generated(model: Any, torch: Any, processor: Any) -> np.ndarray[Any, np.dtype[np.int64]]:
    torch.manual_seed(7)
    prompt = torch.tensor([[3, 1, 4, 1]] * 6)
    with torch.no_grad():
        made = model.generate(
            prompt, attention_mask=torch.ones_like(prompt), max_new_tokens=80, do_sample=True, top_k=0, logits_processor=[processor]
        )
    return made[:, 4:].numpy()


def _pairs(answers: np.ndarray[Any, np.dtype[np.int64]], width: int) -> np.ndarray[Any, np.dtype[np.uint64]]:
    """Different pairs of a context seed and the token after it."""
    rows = [np.column_stack([context_seeds(answer, width), answer[width:].astype(np.uint64)]) for answer in answers]
    return np.unique(np.concatenate(rows), axis=0)


@pytest.mark.slow
def test_a_model_writes_green_tokens_for_the_key_and_not_for_another(torch: Any, model: Any) -> None:
    answers = _generated(model, torch, GreenListProcessor(KEY, gamma=0.25, delta=3.0, width=2, prompt_tokens=4))
    pairs = _pairs(answers, 2)
    for key, low, high in ((KEY, 0.0, 1e-30), (OTHER, 1e-4, 1.0)):
        green = int(is_green(key, pairs[:, 0], pairs[:, 1], 0.25).sum())
        assert low <= stats.binom.sf(green - 1, len(pairs), 0.25) <= high


@pytest.mark.slow
def test_a_model_writes_gumbel_tokens_for_the_key_and_not_for_another(torch: Any, model: Any) -> None:
    answers = _generated(model, torch, GumbelMaxProcessor(KEY, width=2, prompt_tokens=4))
    assert len({tuple(answer) for answer in answers.tolist()}) == len(answers)
    pairs = _pairs(answers, 2)
    for key, low, high in ((KEY, 0.0, 1e-30), (OTHER, 1e-4, 1.0)):
        assert low <= stats.gamma.sf(gumbel.scores(key, pairs[:, 0], pairs[:, 1]).sum(), len(pairs)) <= high


@pytest.mark.parametrize(("setting", "value"), [("width", 0), ("prompt_tokens", -1), ("temperature", 0.0), ("temperature", float("nan"))])
def test_settings_outside_their_bounds_are_refused(setting: str, value: float) -> None:
    settings: dict[str, Any] = {"width": 1, "prompt_tokens": 0, "temperature": 1.0} | {setting: value}
    with pytest.raises(UnusableValuesError, match=setting):
        GumbelMaxProcessor(KEY, **settings)


def test_without_torch_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    from stillwatch.errors import MissingExtraError
    from stillwatch.marks.torch_draws import import_torch

    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(MissingExtraError, match=r"stillwatch\[models\]"):
        import_torch()
