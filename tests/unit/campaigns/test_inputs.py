"""An input that several templates carry belongs to one of them."""

from __future__ import annotations

import numpy as np

from campaigns.inputs import RUN, inputs_of, kept_rows


def _letters(number: int) -> str:
    return "".join("abcdefghij"[int(digit)] for digit in str(number))


def _passage(number: int) -> str:
    return " ".join(f"{_letters(number)}q{_letters(place)}" for place in range(RUN + 6))


def test_rows_with_one_passage_have_one_input_whatever_stands_around_it() -> None:
    texts = [f"Read this. {_passage(1)}", f"{_passage(1)} What is it about?", f"Read this. {_passage(2)}"]
    found = inputs_of(texts)
    assert found[0] == found[1] != found[2]


def test_wording_that_many_rows_carry_joins_nothing() -> None:
    template = _passage(99)
    found = inputs_of([f"{template} {_passage(number)}" for number in range(60)])
    assert len(set(found.tolist())) == 60


def test_every_input_stays_with_one_template_and_templates_share_evenly() -> None:
    texts = [f"{word} {_passage(number)}" for word in ("Sum", "Ask") for number in range(10)]
    templates = np.array(["t0:sum"] * 10 + ["t0:ask"] * 10)
    kept = kept_rows(texts, templates)
    assert kept.sum() == 10
    assert kept[:10].sum() == 5
    assert not (kept[:10] & kept[10:]).any()


def test_an_empty_text_is_an_input_of_its_own() -> None:
    assert len(set(inputs_of(["", ""]).tolist())) == 2
