"""Small language models: tokenizer, training, sampling with and without our watermark, and the folder that the suspect is read from."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from numpy.typing import NDArray
from tokenizers import Tokenizer, decoders, pre_tokenizers
from tokenizers import models as token_models
from tokenizers import trainers as token_trainers

from proving.settings import DELTA, GAMMA, WIDTH, Size
from stillwatch.marks.green_list import green_vocabulary
from stillwatch.marks.keys import MarkKey
from stillwatch.marks.prf import context_seeds
from stillwatch.marks.processors import GreenListProcessor
from stillwatch.stats.seeds import generator

Ids = NDArray[np.int64]
END = "<end>"
_WARM_UP = 0.05
_LEAST_RATE = 0.05
_CHECKED_AT = 20


def train_tokenizer(passages: Sequence[str], size: Size) -> Any:
    """A byte-pair tokenizer of the passages; its alphabet is their bytes, so that every sequence of ids is text."""
    tokenizer = Tokenizer(token_models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = token_trainers.BpeTrainer(vocab_size=size.vocabulary, special_tokens=[END], show_progress=False)
    tokenizer.train_from_iterator(passages[:20_000], trainer)
    return tokenizer


def encoded(tokenizer: Any, texts: Sequence[str]) -> list[list[int]]:
    """Token ids of each text."""
    return [found.ids for found in tokenizer.encode_batch(list(texts), add_special_tokens=False)]


def rows_of(documents: Iterable[Sequence[int]], size: Size, tokens: int) -> Ids:
    """[rows, block] of documents one after the other, each followed by the end token, up to `tokens`."""
    stream: list[int] = []
    for document in documents:
        if len(stream) >= tokens:
            break
        stream.extend(document)
        stream.append(0)
    rows = min(len(stream), tokens) // size.block
    return np.array(stream[: rows * size.block], dtype=np.int64).reshape(rows, size.block)


def new_model(size: Size, seed: int, name: str) -> Any:
    """A model of random weights, drawn from the seed and the name."""
    torch.manual_seed(int(generator(seed, f"prove/weights/{name}").integers(2**31)))
    config = transformers.LlamaConfig(
        vocab_size=size.vocabulary,
        hidden_size=size.hidden,
        intermediate_size=size.hidden * 8 // 3 // 8 * 8,
        num_hidden_layers=size.layers,
        num_attention_heads=size.heads,
        max_position_embeddings=4 * size.block,
        initializer_range=size.spread,
        tie_word_embeddings=True,
        bos_token_id=0,
        eos_token_id=0,
        pad_token_id=0,
    )
    return transformers.LlamaForCausalLM(config)


def train(model: Any, rows: Ids, size: Size, *, tokens: int, draw: np.random.Generator) -> float:
    """Train on rows in random order, as often as `tokens` asks; the mean loss (nats) of the last tenth of the steps."""
    steps = max(1, tokens // (size.batch * size.block))
    order = np.concatenate([draw.permutation(len(rows)) for _ in range(math.ceil(steps * size.batch / len(rows)))])
    optimiser = torch.optim.AdamW(model.parameters(), lr=size.rate, betas=(0.9, 0.98), weight_decay=0.01)
    device = next(model.parameters()).device
    losses: list[float] = []
    model.train()
    for step in range(steps):
        for group in optimiser.param_groups:
            group["lr"] = size.rate * _rate(step / steps)
        batch = torch.from_numpy(rows[order[step * size.batch : (step + 1) * size.batch]]).to(device)
        logits = model(batch[:, :-1], use_cache=False).logits
        loss = torch.nn.functional.cross_entropy(logits.reshape(-1, logits.shape[-1]).float(), batch[:, 1:].reshape(-1))
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        losses.append(float(loss.detach()))
    model.eval()
    return float(np.mean(losses[-max(1, steps // 10) :]))


def _rate(done: float) -> float:
    if done < _WARM_UP:
        return (done + 1e-3) / _WARM_UP
    return _LEAST_RATE + (1.0 - _LEAST_RATE) * 0.5 * (1.0 + math.cos(math.pi * (done - _WARM_UP) / (1.0 - _WARM_UP)))


def save(model: Any, tokenizer: Any, folder: Path) -> None:
    """The folder that `stillwatch prove` reads a suspect from."""
    folder.mkdir(parents=True, exist_ok=True)
    model.save_pretrained(folder, safe_serialization=True)
    transformers.PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token=END, pad_token=END).save_pretrained(folder)


class Listed:
    """Green lists of every context of one token as a table, so that a batch needs a look-up in place of draws.

    Args:
        table: [vocabulary, vocabulary] bool, whether a token is green after a context.
        always: whether a context that the answer has had before is marked again.
    """

    def __init__(self, table: Any, *, always: bool = True) -> None:
        self._table, self._always = table, always

    def marked(self, answer: Any, scores: Any) -> Any:
        """The logits [batch, vocabulary] after the answers [batch, tokens] so far."""
        if not answer.shape[1]:
            return scores
        last = answer[:, -1]
        green = self._table.to(scores.device)[last]
        if not self._always:
            green &= ~(answer[:, :-1] == last[:, None]).any(1)[:, None]
        return scores + DELTA * green.to(scores.dtype)


class Greens(Listed):
    """Our lists under a key, by the rule of `GreenListProcessor`: a context that the answer has had before stays unmarked."""

    def __init__(self, key: MarkKey, size: Size) -> None:
        seeds = context_seeds(np.arange(size.vocabulary + 1), WIDTH)
        lists = [green_vocabulary(key, int(seed), size.vocabulary, GAMMA) for seed in seeds]
        super().__init__(torch.from_numpy(np.stack(lists)), always=False)
        self._key = key

    def marked(self, answer: Any, scores: Any) -> Any:
        """As for `Listed`; half-way through, a few rows are held against the product's own processor."""
        found = super().marked(answer, scores)
        if answer.shape[1] == _CHECKED_AT:
            processor = GreenListProcessor(self._key, gamma=GAMMA, delta=DELTA, width=WIDTH, prompt_tokens=0)
            if not torch.allclose(processor(answer[:8], scores[:8]), found[:8]):
                raise RuntimeError("the look-up of green lists differs from GreenListProcessor; mend Greens")
        return found


def sample(model: Any, prompts: Ids, tokens: int, *, greens: Listed | None, seed: int) -> Ids:
    """[batch, tokens] sampled at temperature 1 after prompts [batch, prompt tokens], with a watermark where one is given."""
    device = next(model.parameters()).device
    draw = torch.Generator(device=device).manual_seed(seed)
    given = torch.from_numpy(prompts).to(device)
    answer = given[:, :0]
    cache = None
    with torch.no_grad():
        for _ in range(tokens):
            out = model(given, cache=cache, use_cache=True)
            cache, scores = out.cache, out.logits[:, -1].float()
            scores[:, 0] = -math.inf
            if greens is not None:
                scores = greens.marked(answer, scores)
            given = torch.multinomial(torch.softmax(scores, -1), 1, generator=draw)
            answer = torch.cat([answer, given], 1)
    return answer.cpu().numpy()


def answers(model: Any, prompts: Ids, size: Size, *, greens: Listed | None, seed: int) -> Iterator[tuple[Ids, Ids]]:
    """Prompts and answers, batch by batch."""
    for place, start in enumerate(range(0, len(prompts), size.together)):
        part = prompts[start : start + size.together]
        yield part, sample(model, part, size.answer_tokens, greens=greens, seed=seed + place)
