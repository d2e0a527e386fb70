"""Named seeds: every random draw comes from one, so that a run can be repeated."""

from __future__ import annotations

import hashlib

import numpy as np


def generator(seed: int, name: str) -> np.random.Generator:
    """A generator that depends on `seed` and `name` alone, so that one stage's draws never shift another's."""
    digest = hashlib.sha256(f"{seed}/{name}".encode()).digest()
    return np.random.Generator(np.random.PCG64(int.from_bytes(digest[:16], "big")))
