"""What matches a served log, and what does not."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from stillwatch.screen.judging import is_near
from stillwatch.screen.reference import Matches, Reference, build_reference, match, open_reference
from stillwatch.screen.settings import ScreenSettings
from stillwatch.screen.wording import Wording
from stillwatch.stats.seeds import generator

SETTINGS = ScreenSettings()


def text(seed: int, words: int = 120) -> str:
    """A text of words that no other seed draws in the same order."""
    return " ".join(f"word{number}" for number in generator(seed, "text").integers(0, 5000, words))


def reference(folder: Path, rows: list[tuple[str | None, str | None, str | None]]) -> Reference:
    """An index of (prompt, response, reasoning)."""
    prompts, responses, reasons = zip(*rows, strict=True)
    batch = pa.table(
        {
            "exchange_id": [f"x{place}" for place in range(len(rows))],
            "account_id": ["acme"] * len(rows),
            "prompt_text": pa.array(prompts, pa.string()),
            "response_text": pa.array(responses, pa.string()),
            "reasoning_text": pa.array(reasons, pa.string()),
        }
    ).to_batches()
    return build_reference(folder, batch, most_common=SETTINGS.most_common, least_words=SETTINGS.least_words)


def compared(index: Reference, *texts: str) -> Matches:
    """The texts against an index."""
    return match(Wording(pa.array(texts, pa.large_string())), index, least_words=SETTINGS.least_words)


def test_a_response_matches_itself_whatever_its_case_and_an_unrelated_text_matches_nothing(tmp_path: Path) -> None:
    index = reference(tmp_path, [(None, text(seed), None) for seed in range(5)])
    found = compared(index, text(3).upper(), text(9), text(4) + " and one more")
    assert found.exact.tolist() == [3, -1, -1]
    assert found.best.tolist() == [3, -1, 4]
    assert is_near(found, SETTINGS).tolist() == [True, False, True]


@pytest.mark.slow
def test_a_response_within_a_longer_document_and_a_part_of_a_response_are_near(tmp_path: Path) -> None:
    index = reference(tmp_path, [(None, text(seed), None) for seed in range(5)])
    longer, part = f"{text(50, 400)} {text(2)} {text(51, 400)}", text(1)[: len(text(1)) // 2]
    found = compared(index, longer, part)
    assert found.best.tolist() == [2, 1]
    assert found.of_response[0] == 1
    assert found.of_document[0] < 0.5
    assert found.of_document[1] > 0.9
    assert is_near(found, SETTINGS).all()


def test_what_the_customer_wrote_counts_for_no_match(tmp_path: Path) -> None:
    own = text(7)
    index = reference(tmp_path, [(f"please repeat: {own}", own, None), (own, f"Here it is: {own}", None)])
    found = compared(index, own)
    assert found.exact.tolist() == [-1]
    assert found.shared.tolist() == [0]


def test_wording_of_many_responses_is_a_phrase_and_no_trace(tmp_path: Path) -> None:
    phrase = text(8, 60)
    index = reference(tmp_path, [(None, f"{phrase} {text(100 + seed)}", None) for seed in range(SETTINGS.most_common + 1)])
    assert index.common > 0
    assert compared(index, phrase).shared.tolist() == [0]


def test_a_short_equal_text_is_no_match(tmp_path: Path) -> None:
    index = reference(tmp_path, [(None, "Yes, of course.", None), (None, text(1, SETTINGS.least_words), None)])
    assert compared(index, "yes of course", text(1, SETTINGS.least_words)).exact.tolist() == [-1, 1]


def test_thoughts_that_were_given_out_are_matched_too(tmp_path: Path) -> None:
    index = reference(tmp_path, [(None, text(1), text(2)), (None, text(3), None)])
    assert index.responses == 3
    assert compared(index, text(2)).exact.tolist() == [2]


def test_the_index_lies_on_disk_and_reads_as_it_was_built(tmp_path: Path) -> None:
    index = reference(tmp_path, [(None, text(seed), None) for seed in range(200)])
    again = open_reference(tmp_path)
    assert again.keys.tolist() == index.keys.tolist()
    assert (again.keys[1:] >= again.keys[:-1]).all()
    assert compared(again, *(text(seed) for seed in range(200))).exact.tolist() == list(range(200))


def test_a_log_without_responses_matches_nothing(tmp_path: Path) -> None:
    index = reference(tmp_path, [("hello", None, None)])
    found = compared(index, text(1))
    assert (found.exact.tolist(), found.best.tolist(), found.of_response.tolist()) == ([-1], [-1], [0.0])


@pytest.mark.parametrize("share", [0.05, 0.3])
def test_shares_are_those_of_a_plain_comparison_of_sets(tmp_path: Path, share: float) -> None:
    """An oracle: sets of sampled shingles, compared one by one."""
    draw = generator(5, "edits")
    index = reference(tmp_path, [(None, text(seed), None) for seed in range(30)])
    edited = [" ".join(word if draw.random() > share else "other" for word in text(seed).split()) for seed in range(30)]
    found = compared(index, *edited)
    served, asked = (Wording(pa.array(texts, pa.large_string())) for texts in ([text(seed) for seed in range(30)], edited))
    for row in range(30):
        keys = set(asked.keys[asked.starts[row] : asked.starts[row + 1]].tolist())
        shared = [len(keys & set(served.keys[served.starts[at] : served.starts[at + 1]].tolist())) for at in range(30)]
        assert found.shared[row] == max(shared)
        assert found.best[row] == (shared.index(max(shared)) if max(shared) else -1)
