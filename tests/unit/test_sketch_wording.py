"""What two prompts must and must not share: keys, wording fingerprints, near-duplicate buckets."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pytest

from stillwatch.engines.schema import arrow_schema
from stillwatch.records.tables import EXCHANGES
from stillwatch.sketch.codebook import fit_codebook
from stillwatch.sketch.sketcher import Sketcher
from stillwatch.sketch.tokens import hash_words
from stillwatch.stats.seeds import generator

INSTRUCTION = (
    "You are an expert data analyst who answers with complete working and who never leaves out a step, so read the passage below "
    "with care and then write out the answer in full sentences:"
)
LETTERS = "abcdefghijklmnopqrstuvwxyz"


def _word(chance: Any) -> str:
    return "".join(LETTERS[place] for place in chance.integers(0, 26, 7))


def _payloads(count: int, words: int, name: str) -> list[str]:
    chance = generator(11, name)
    return [" ".join(_word(chance) for _ in range(words)) for _ in range(count)]


@pytest.fixture(scope="module")
def sketcher() -> Sketcher:
    """Fitted on traffic of which a part is templated; the template's words stand in no response."""
    prompts = [f"{INSTRUCTION} {payload}" for payload in _payloads(60, 12, "fit")] + _payloads(900, 12, "others")
    responses = _payloads(960, 30, "responses")
    return Sketcher(fit_codebook(responses, ["owner"] * 960, generator(1, "codebook"), prompts=prompts, cells=4))


def _sketch(sketcher: Sketcher, prompts: Sequence[str | None], **others: str) -> list[dict[str, Any]]:
    rows = [
        {
            "exchange_id": f"e{place}",
            "source": "native",
            "started_at": datetime(2026, 1, 1, tzinfo=UTC),
            "account_id": "a",
            "text_state": "full",
        }
        | {"prompt_text": prompt}
        | others
        for place, prompt in enumerate(prompts)
    ]
    return sketcher(pa.RecordBatch.from_pylist(rows, schema=arrow_schema(EXCHANGES))).to_pylist()


@pytest.mark.parametrize(
    "variant",
    ["WHAT is 17 plus 5, please?", "what is 9 plus 123 please", "What...is 4 «plus» 5 — please!", "  what\tis 1 plus 2\nplease "],
)
def test_prompts_that_differ_in_case_digits_and_punctuation_share_a_key(sketcher: Sketcher, variant: str) -> None:
    one, other = _sketch(sketcher, ["What is 3 plus 4 please", variant])
    assert one["prompt_key"] == other["prompt_key"]
    assert one["prompt_bucket"] == other["prompt_bucket"]
    assert one["wording"] == other["wording"]


@pytest.mark.parametrize(
    "variant", ["What is three plus 4 please", "is What 3 plus 4 please", "What is 3 plus 4", "what is 3 4 plus please"]
)
def test_other_words_or_another_order_give_another_key(sketcher: Sketcher, variant: str) -> None:
    one, other = _sketch(sketcher, ["What is 3 plus 4 please", variant])
    assert one["prompt_key"] != other["prompt_key"]


def test_each_character_of_a_script_without_spaces_is_a_word() -> None:
    assert len(hash_words("推理过程")) == 4
    assert len(hash_words("思考、推論。")) == 4
    assert len(hash_words("단계별로")) == 4
    assert hash_words("推理 过程").tolist() == hash_words("推理过程").tolist()
    assert len(hash_words("schöne Grüße")) == 2
    assert len(hash_words("данные модели")) == 2


def test_words_and_digits_part_where_they_meet() -> None:
    assert len(hash_words("gpt4mini")) == 3
    assert hash_words("gpt 4 mini").tolist() == hash_words("GPT-77-mini").tolist()


@pytest.mark.parametrize("words", [3, 15, 60, 300])
def test_prompts_with_one_long_instruction_nearly_all_share_a_fingerprint(sketcher: Sketcher, words: int) -> None:
    rows = _sketch(sketcher, [f"{INSTRUCTION} {payload}" for payload in _payloads(60, words, "payload")])
    shared = [len(set(one["wording"]) & set(other["wording"])) for place, one in enumerate(rows) for other in rows[:place]]
    assert sum(count > 0 for count in shared) >= 0.95 * len(shared)


def test_an_instruction_behind_the_payload_is_found_as_well(sketcher: Sketcher) -> None:
    rows = _sketch(sketcher, [f"{payload} {INSTRUCTION}" for payload in _payloads(60, 40, "payload")])
    shared = [len(set(one["wording"]) & set(other["wording"])) for place, one in enumerate(rows) for other in rows[:place]]
    assert sum(count > 0 for count in shared) >= 0.95 * len(shared)


def test_unrelated_prompts_share_no_fingerprint(sketcher: Sketcher) -> None:
    rows = _sketch(sketcher, _payloads(300, 40, "unrelated"))
    seen = [fingerprint for row in rows for fingerprint in row["wording"]]
    assert len(seen) == len(set(seen))


def test_a_prompt_shorter_than_a_shingle_has_no_fingerprint(sketcher: Sketcher) -> None:
    rows = _sketch(sketcher, ["thanks a lot friend", "", "?!", "now five words stand here"])
    assert [len(row["wording"]) for row in rows] == [0, 0, 0, 1]


def test_fingerprints_of_a_prompt_are_distinct_even_where_it_repeats_itself(sketcher: Sketcher) -> None:
    (row,) = _sketch(sketcher, ["again and again and again and again and again and again and again"])
    assert len(row["wording"]) == len(set(row["wording"])) > 0


def test_a_tiny_edit_of_common_words_stays_in_the_bucket(sketcher: Sketcher) -> None:
    for payload in _payloads(20, 12, "bucket"):
        first = f"{INSTRUCTION} {payload}"
        edited = first.replace("with care and then", "and then with care").replace("You are an", "you are the")
        one, other = _sketch(sketcher, [first, edited])
        assert one["prompt_key"] != other["prompt_key"]
        assert one["prompt_bucket"] == other["prompt_bucket"]


def test_other_payloads_under_one_template_fall_into_other_buckets(sketcher: Sketcher) -> None:
    rows = _sketch(sketcher, [f"{INSTRUCTION} {payload}" for payload in _payloads(200, 12, "apart")])
    assert len({row["prompt_bucket"] for row in rows}) == 200


def test_system_texts_have_a_key_of_their_own(sketcher: Sketcher) -> None:
    one, other = _sketch(sketcher, ["a question", "another question"], system_text="Answer briefly.")
    assert one["system_key"] == other["system_key"] is not None
    (alone,) = _sketch(sketcher, ["a question"])
    assert alone["system_key"] is None
