"""Leads speak where residue stands, stay silent on ordinary text, and take linear time on hostile text."""

from __future__ import annotations

import time

import pyarrow as pa
import pytest

from stillwatch.screen.leads import find_leads, shipped_leads

LEADS = shipped_leads()
RESIDUE = {
    "chat_template": ["hello<|im_end|>", "[INST] sum up [/INST]", "<start_of_turn>user", "### Response:\nYes", "<think>\nso"],
    "identity": ["As an AI language model, I", "I'm ChatGPT.", "this assistant was created by OpenAI", "作为一个人工智能语言模型"],
    "refusal": ["I'm sorry, but I can't help", "I cannot assist with that request.", "很抱歉，我无法"],
}
ORDINARY = [
    "The language model of the classroom changed as an air of calm returned; I was sorry to leave but I could not stay.",
    "Claude Monet painted the bridge. Gemini is a constellation. The instruction was to assist the pilot.",
    "x = [INSTANCE]; y = a < b and c > d  # <start> of <turn>",
    None,
]


@pytest.mark.parametrize("name", sorted(RESIDUE))
def test_a_lead_finds_its_residue_and_nothing_in_ordinary_text(name: str) -> None:
    place = [lead.name for lead in LEADS].index(name)
    found = find_leads(pa.array([*RESIDUE[name], *ORDINARY], pa.large_string()), LEADS)
    assert found[: len(RESIDUE[name]), place].all()
    assert not found[len(RESIDUE[name]) :].any()


def test_every_lead_has_an_ordinary_explanation() -> None:
    assert {lead.name for lead in LEADS} == set(RESIDUE)
    assert all(len(lead.ordinary) > 20 and lead.about for lead in LEADS)


def test_hostile_text_takes_linear_time() -> None:
    text = pa.array(["as an ai " * 60_000, "I'm " * 150_000 + "<|", "<|im_" * 100_000], pa.large_string())
    start = time.perf_counter()
    find_leads(text, LEADS)
    assert time.perf_counter() - start < 5
