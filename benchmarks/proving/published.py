"""The statistics that ours is compared with: the share of green among the suspect's likeliest next tokens, with and without repeats.

Sander et al. 2024, "Watermarking Makes Language Models Radioactive" (arXiv 2402.14904), score the argmax of an open model over a text
("reading mode"), each (window, predicted token) pair once in the whole run, and skip windows that stood earlier in the same document.
Without either, repeated pairs are counted as new evidence.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch

from proving.settings import GAMMA, WIDTH, Size
from stillwatch.marks.green_list import is_green
from stillwatch.marks.keys import MarkKey
from stillwatch.marks.prf import context_seeds
from stillwatch.stats.exact import log10_binomial_tail

Documents = Sequence[Sequence[int]]


@dataclass(frozen=True, kw_only=True)
class Reading:
    """What a suspect predicts over documents.

    Attributes:
        seeds, tokens: [n] window and likeliest next token, every position.
        first: [n] whether the window is new to its document.
    """

    seeds: np.ndarray
    tokens: np.ndarray
    first: np.ndarray

    @cached_property
    def every(self) -> tuple[np.ndarray, np.ndarray]:
        """Distinct pairs [m, 2] and how often each stands there."""
        return np.unique(np.column_stack([self.seeds, self.tokens.astype(np.uint64)]), axis=0, return_counts=True)

    @cached_property
    def once(self) -> np.ndarray:
        """[m, 2] distinct pairs of windows that are new to their document."""
        return np.unique(np.column_stack([self.seeds, self.tokens.astype(np.uint64)])[self.first], axis=0)


def read(model: Any, documents: Documents, size: Size) -> Reading:
    """The likeliest next token after each window of each document, its last one included."""
    seeds: list[np.ndarray] = []
    tokens: list[np.ndarray] = []
    first: list[np.ndarray] = []
    device = next(model.parameters()).device
    with torch.no_grad():
        for start in range(0, len(documents), 64):
            part = [list(ids)[: size.block] for ids in documents[start : start + 64] if len(ids) > WIDTH]
            longest = max(map(len, part))
            padded = torch.tensor([ids + [0] * (longest - len(ids)) for ids in part], device=device)
            likeliest = model(padded, use_cache=False).logits.argmax(-1).cpu().numpy()
            for ids, found in zip(part, likeliest, strict=True):
                windows = context_seeds(np.append(np.asarray(ids, np.int64), 0), WIDTH)
                new = np.zeros(windows.size, np.bool_)
                new[np.unique(windows, return_index=True)[1]] = True
                seeds.append(windows)
                tokens.append(found[WIDTH - 1 : len(ids)])
                first.append(new)
    return Reading(seeds=np.concatenate(seeds), tokens=np.concatenate(tokens), first=np.concatenate(first))


def naive(key: MarkKey, reading: Reading) -> tuple[float, int]:
    """log10 p of the binomial over every position, and how many there are. Not valid: repeats share one draw of the key."""
    pairs, times = reading.every
    green = int(times[is_green(key, pairs[:, 0], pairs[:, 1], GAMMA)].sum())
    return log10_binomial_tail(green, int(times.sum()), GAMMA), int(times.sum())


def deduplicated(key: MarkKey, reading: Reading) -> tuple[float, int]:
    """log10 p of the binomial over distinct (window, likeliest token) pairs of windows new to their document, and how many there are."""
    pairs = reading.once
    green = is_green(key, pairs[:, 0], pairs[:, 1], GAMMA)
    return log10_binomial_tail(int(green.sum()), green.size, GAMMA), green.size
