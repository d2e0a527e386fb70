"""Residue of other models' outputs: leads, never verdicts. Patterns are RE2's, whose time is linear in the text whatever it holds."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib import resources

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc


@dataclass(frozen=True, slots=True, kw_only=True)
class Lead:
    """A kind of residue.

    Attributes:
        name: as the documents table names it.
        about: what it is.
        ordinary: how it gets into a text that no model wrote.
        pattern: RE2.
    """

    name: str
    about: str
    ordinary: str
    pattern: str


@cache
def shipped_leads() -> tuple[Lead, ...]:
    """The leads of `library/leads.toml`."""
    text = (resources.files("stillwatch.screen") / "library" / "leads.toml").read_text("utf-8")
    return tuple(
        Lead(name=lead["name"], about=lead["about"], ordinary=lead["ordinary"], pattern="|".join(f"(?:{one})" for one in lead["patterns"]))
        for lead in tomllib.loads(text)["lead"]
    )


def find_leads(texts: pa.Array, leads: tuple[Lead, ...]) -> npt.NDArray[np.bool_]:
    """[n, leads] whether each text holds each kind of residue; a null holds none."""
    found = np.zeros((len(texts), len(leads)), np.bool_)
    for place, lead in enumerate(leads):
        held = pc.fill_null(pc.match_substring_regex(texts, lead.pattern), fill_value=False)
        found[:, place] = held.to_numpy(zero_copy_only=False)
    return found
