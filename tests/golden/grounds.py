"""What the broken golden files are made from, and where they are registered under their names."""

from __future__ import annotations

import html
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import editing
import making

from stillwatch.sealing.recipients import Withholding
from stillwatch.sealing.verification.narrative import HEAD, marked_texts

BROKEN: dict[str, tuple[str, str, Callable[[Ground], bytes]]] = {}
"""Name to step, defect and how it is made."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """What broken files are made from: sealed for a recipient, with its parts, its log and the case."""

    data: bytes
    log: making.Log

    def opened(self) -> editing.Opened:
        """Its parts, to be changed."""
        return editing.Opened(self.data, making.signers())


def broken(step: str, defect: str) -> Callable[[Callable[[Ground], bytes]], Callable[[Ground], bytes]]:
    """Registers a broken file under the function's name."""

    def register(make: Callable[[Ground], bytes]) -> Callable[[Ground], bytes]:
        BROKEN[make.__name__.strip("_").replace("_", "-")] = (step, defect, make)
        return make

    return register


def small(count: int = 4) -> Any:
    """A case of few rows."""
    rows = making.exchanges(count)
    keep = {
        "N1": str(count),
        "N2": "3",
        "N3": "2922",
        "N4": "0.75",
        "N5": "0.10",
        "N6": "0.13",
        "N7": "1",
        "N8": "1.333",
        "N10": str(count),
        "N11": "2026-06-01T09:21:00.000000Z",
        "N12": "351.38",
    }
    numbers = tuple(making.replace(number, value=keep.get(number.uid, number.value)) for number in making.numbers())
    return making.content(exhibits=(rows, *making.exhibits()[1:]), numbers=numbers)


def short_page(predicate: Mapping[str, Any], _: Any) -> bytes:
    """A narrative of few bytes, so that the broken files are small."""
    words = "".join(f'<p><span id="{uid}">{html.escape(text)}</span></p>\n' for uid, text in marked_texts(predicate))
    head = f"{HEAD}<title>A case</title>\n<style></style>\n</head>\n"
    return f"{head}<body>\n<main>\n{words}<p>{' '.join(predicate['limits'])}</p>\n</main>\n</body>\n</html>\n".encode()


def ground() -> Ground:
    """The sample that all changes begin with."""
    held = Withholding(exhibits=frozenset({"E3"}))
    data, _, log = making.seal_sample(small(), recipient="acme-labs", withholding=held, render=short_page)
    return Ground(data=data, log=log)
