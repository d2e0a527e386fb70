"""The splits share nothing, and what belongs to none is left out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from campaigns.corpora import REPORT, TUNE, Corpora, clocks_of, is_chinese, load, of_split, without_prompts_of
from campaigns.errors import MissingCorporaError


def _table(*rows: tuple[str, str]) -> pa.Table:
    return pa.table({"corpus": [name for name, _ in rows], "prompt": [text for _, text in rows]})


def test_no_corpus_stands_in_both_splits() -> None:
    sides = [{*split.payload, *split.organic, *split.evaluation, *split.pipelines} for split in (TUNE, REPORT)]
    assert not sides[0] & sides[1]


def test_a_template_belongs_to_one_split_and_an_unknown_corpus_to_none() -> None:
    table = _table(("t0:ag_news", "a"), ("t0:yelp", "b"), ("alpaca", "c"), ("alpaca_eval:some model", "d"), ("unheard of", "e"))
    assert of_split(table, TUNE)["prompt"].to_pylist() == ["a", "c"]
    assert of_split(table, REPORT)["prompt"].to_pylist() == ["b", "d"]


def test_a_prompt_of_the_other_split_is_left_out_whatever_its_case() -> None:
    kept = without_prompts_of(_table(("x", "Same words"), ("x", "other words")), _table(("y", "same WORDS")))
    assert kept["prompt"].to_pylist() == ["other words"]


def test_no_arrival_user_stands_in_both_splits_and_rare_ones_in_neither() -> None:
    users = [f"u{number}" for number in range(40) for _ in range(9)] + ["rare"]
    seconds = np.arange(len(users), dtype=float)
    arrivals = pa.table({"trace": ["genai_users"] * len(users), "user": users, "seconds": seconds})
    sides = [{float(clock[0]) for clock in clocks_of(arrivals, split)} for split in (TUNE, REPORT)]
    assert not sides[0] & sides[1]
    assert len(sides[0] | sides[1]) == 40


def test_a_name_before_a_colon_stands_for_all_that_begin_with_it(corpora: Corpora) -> None:
    assert len(corpora.rows(["t0"])) == sum(name.startswith("t0:") for name in corpora.corpus.tolist())
    assert len(corpora.rows(["alpaca"])) == 3000


@pytest.mark.parametrize(("text", "chinese"), [("天地玄黄", True), ("plain", False), ("", False), ("one 天 among many plain words", False)])
def test_a_text_is_chinese_by_a_fifth_of_its_head(text: str, *, chinese: bool) -> None:
    assert is_chinese(text) is chinese


def test_absent_data_are_told_as_such(tmp_path: Path) -> None:
    with pytest.raises(MissingCorporaError, match="has no"):
        load(tmp_path, TUNE)
