"""A made-up proof in a folder: keys, a plan, its seal, and measures of a suspect who learnt some of what was served."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stillwatch.app.plan_files import seal_plan
from stillwatch.app.state import file_sha256
from stillwatch.marks.canaries import choose
from stillwatch.marks.canary_families import Slot, all_slots, shipped_families
from stillwatch.marks.keys import MarkKey, commitment
from stillwatch.marks.twins import assign
from stillwatch.stats.seeds import generator

NOW = datetime(2026, 11, 25, 9, 0, tzinfo=UTC)


@dataclass(frozen=True)
class Case:
    """A folder with keys and what is planned under them."""

    folder: Path
    keys: dict[str, MarkKey]

    @property
    def plan(self) -> Path:
        """The plan's file."""
        return self.folder / "plan.toml"

    def write(self, tests: str, *, suspect: str = 'name = "model X"', level: str = "1e-6", more: str = "") -> None:
        """A plan of these tests, not sealed."""
        keys = "".join(
            f'\n[[keys]]\nname = "{name}"\ncommitment = "{commitment(key)}"\nfile = "{name}.key"\n' for name, key in self.keys.items()
        )
        text = f'title = "Was model X trained on our outputs?"\nlevel = {level}\n{more}\n[suspect]\n{suspect}\n{keys}\n{tests}'
        self.plan.write_text(text, encoding="utf-8")

    def seal(self) -> None:
        """Seal it."""
        seal_plan(self.plan, now=NOW)

    def lines(self, name: str, rows: list[dict[str, Any]]) -> str:
        """A JSON Lines file; its sha256."""
        (self.folder / name).write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        return file_sha256(self.folder / name)

    def twins(self, key: str, pairs: int, effect: float) -> list[dict[str, Any]]:
        """Measures of pairs by a suspect who prefers what `key` served."""
        noise = generator(3, "twins").normal(0.0, 1.0, (pairs, 4))
        rows = []
        for number in range(pairs):
            second = assign(self.keys[key], f"r{number}", 1.0).second_is_served
            scores = noise[number, :2] / 2**0.5 + np.array([0.0, effect] if second else [effect, 0.0])
            rows.append({"pair": f"r{number}", "suspect_first": scores[0], "suspect_second": scores[1], "identical": False})
        return rows

    def canaries(self, key: str, adoption: float) -> list[dict[str, Any]]:
        """Answers of a suspect who took over a share of the choices of `key`."""
        draw = generator(4, "canaries")
        return [self.canary(slot, key, adopted=bool(draw.random() < adoption), other=int(draw.integers(16))) for slot in slots()]

    def canary(self, slot: Slot, key: str, *, adopted: bool, other: int) -> dict[str, Any]:
        """One answer."""
        answered = slot.variants.index(choose(self.keys[key], slot)) if adopted else other
        return {"slot": slot.id, "variants": len(slot.variants), "variants_sha256": slot.digest, "answered": answered}


def slots() -> tuple[Slot, ...]:
    """The shipped ones."""
    return all_slots(shipped_families())


@pytest.fixture
def case(tmp_path: Path) -> Case:
    """Two accounts' keys, each in a private file."""
    keys = {name: MarkKey(generator(1, name).bytes(32)) for name in ("acct-17", "acct-99")}
    for name, key in keys.items():
        path = tmp_path / f"{name}.key"
        path.touch(0o600)
        path.write_text(key.reveal().hex(), encoding="utf-8")
    return Case(folder=tmp_path, keys=keys)


@pytest.fixture
def canary_slots() -> Callable[[], tuple[Slot, ...]]:
    """The shipped slots."""
    return slots
