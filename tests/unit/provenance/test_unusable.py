"""What an unusable answer costs: a note at once, its unit only once the suspect has shown that it answers, and a broken suspect nothing."""

from __future__ import annotations

import json
import os
import stat
from typing import Any

import pytest

from stillwatch.app.measuring import measure
from stillwatch.app.plan_files import read_plan
from stillwatch.app.progress import Quiet
from stillwatch.errors import OutputError
from stillwatch.provenance.suspects import MOST_IN_A_ROW, AnswerError, SuspectError
from stillwatch.provenance.suspects.endpoint import NO_LOG_PROBABILITIES

from .conftest import Case

PAIRS = 40


class Suspect:
    """Gives no usable answer to some prompts; counts what it is asked."""

    def __init__(self, *bad: int) -> None:
        self.bad = {f"Q{number}" for number in bad}
        self.asked: list[str] = []

    def answer(self, prompt: str, *, most_tokens: int) -> str:
        """Its own words."""
        self.asked.append(prompt)
        if prompt in self.bad:
            raise AnswerError("the answer is odd; it is left out")
        return "red"

    def log_likelihood(self, prompt: str, answer: str) -> float:
        """None."""
        self.asked.append(prompt + answer)
        raise AnswerError(NO_LOG_PROBABILITIES)


def _planned(case: Case, *, logprobs: bool = False, ties: range = range(0), pairs: int = PAIRS) -> None:
    rows = [{"request_id": f"r{n}", "prompt": f"Q{n}", "first": f"red {n}", "second": f"blue {n}"} for n in range(pairs)]
    rows = [row | {"second": row["first"]} if n in ties else row for n, row in enumerate(rows)]
    test = (
        f'[[tests]]\nname = "twins"\nkind = "twins"\nkeys = ["acct-17"]\nsample = {pairs}\nmeasured = "t.jsonl"\nprompts = "pairs.jsonl"\n'
        f'prompts_sha256 = "{case.lines("pairs.jsonl", rows)}"\n'
    )
    more = f"logprobs = {str(logprobs).lower()}"
    case.write(test, suspect=f'name = "model X"\nkind = "endpoint"\nurl = "http://127.0.0.1:9/v1"\nmodel = "m"\n{more}')
    case.seal()


def _measured(case: Case, suspect: Suspect) -> list[dict[str, Any]]:
    measure(read_plan(case.plan), case.plan, suspect, Quiet())
    return [json.loads(line) for line in (case.folder / "t.jsonl").read_text("utf-8").splitlines()]


def test_a_suspect_that_gives_nothing_usable_costs_no_unit_however_often_it_is_asked(case: Case) -> None:
    _planned(case)
    for run in (1, 2, 3):
        broken = Suspect(*range(PAIRS))
        with pytest.raises(SuspectError, match=rf"twins: {run * MOST_IN_A_ROW} unusable answers in a row, .* not used up"):
            _measured(case, broken)
        # each run goes on beyond what the runs before it had tried
        assert broken.asked == [f"Q{n}" for n in range(run * MOST_IN_A_ROW)]
        assert (case.folder / "t.jsonl").read_bytes() == b""
    rows = _measured(case, Suspect())
    assert [row["pair"] for row in rows] == [f"r{n}" for n in range(PAIRS)]
    assert not any(row.get("missing") for row in rows)
    assert len((case.folder / "t.jsonl.unusable").read_text("utf-8").splitlines()) == 6 * MOST_IN_A_ROW


def test_a_unit_is_missing_once_a_later_one_is_answered_and_is_never_asked_again(case: Case) -> None:
    _planned(case)
    rows = _measured(case, Suspect(0, 1, 5))
    assert [row["pair"] for row in rows if row.get("missing")] == ["r0", "r1", "r5"]
    assert [row["pair"] for row in rows] == [f"r{n}" for n in range(PAIRS)]
    again = Suspect()
    assert _measured(case, again) == rows
    assert again.asked == []


def test_a_stretch_that_cannot_be_answered_is_passed_by_reruns(case: Case) -> None:
    _planned(case)
    stretch = range(4, 4 + MOST_IN_A_ROW + 2)
    with pytest.raises(SuspectError, match="8 unusable answers in a row"):
        _measured(case, Suspect(*stretch))
    second = Suspect(*stretch)
    rows = _measured(case, second)
    assert [row["pair"] for row in rows if row.get("missing")] == [f"r{n}" for n in stretch]
    assert second.asked[0] == "Q4"


def test_units_at_the_end_are_missing_only_where_a_second_run_finds_them_unusable_too(case: Case) -> None:
    _planned(case)
    end = range(PAIRS - 3, PAIRS)
    with pytest.raises(
        SuspectError, match=r"3 unusable answers in a row, .* not used up.* those at the end that stay unusable are missing"
    ):
        _measured(case, Suspect(*end))
    assert len((case.folder / "t.jsonl").read_text("utf-8").splitlines()) == PAIRS - 3
    second = Suspect(*end)
    rows = _measured(case, second)
    assert second.asked == [f"Q{n}" for n in end]
    assert [row["pair"] for row in rows if row.get("missing")] == [f"r{n}" for n in end]
    assert len((case.folder / "t.jsonl.unusable").read_text("utf-8").splitlines()) == 6


def test_a_suspect_that_breaks_in_the_last_units_and_is_mended_costs_none(case: Case) -> None:
    _planned(case)
    with pytest.raises(SuspectError, match=r"twins: an unusable answer, because the answer is odd; noted in"):
        _measured(case, Suspect(PAIRS - 1))
    assert not any(row.get("missing") for row in _measured(case, Suspect()))


def test_a_pair_that_nobody_is_asked_for_shows_nothing_of_the_suspect(case: Case) -> None:
    _planned(case, ties=range(3, 20))
    with pytest.raises(SuspectError, match="8 unusable answers in a row"):
        _measured(case, Suspect(*range(PAIRS)))
    assert (case.folder / "t.jsonl").read_bytes() == b""
    rows = _measured(case, Suspect(0, 1, 2))
    assert [row["pair"] for row in rows] == [f"r{n}" for n in range(PAIRS)]
    assert [bool(row.get("missing")) for row in rows[:4]] == [True, True, True, False]


def test_a_killed_run_asks_the_units_again_that_were_held_back(case: Case) -> None:
    _planned(case)

    class Killed(Suspect):
        def answer(self, prompt: str, *, most_tokens: int) -> str:
            if prompt == "Q6":
                raise KeyboardInterrupt
            return super().answer(prompt, most_tokens=most_tokens)

    with pytest.raises(KeyboardInterrupt):
        _measured(case, Killed(4, 5))
    after = Suspect()
    rows = _measured(case, after)
    assert after.asked[0] == "Q4"
    assert len(rows) == PAIRS
    assert not any(row.get("missing") for row in rows)


def test_an_endpoint_without_log_probabilities_is_told_of_before_a_unit_is_used_up(case: Case) -> None:
    _planned(case, logprobs=True)
    with pytest.raises(SuspectError, match="none was used, so write a new plan with logprobs = false under another name"):
        _measured(case, Suspect())
    assert (case.folder / "t.jsonl").read_bytes() == b""


def test_a_journal_without_its_answers_is_refused(case: Case) -> None:
    _planned(case)
    with pytest.raises(SuspectError):
        _measured(case, Suspect(*range(PAIRS)))
    (case.folder / "t.jsonl").unlink()
    with pytest.raises(OutputError, match=r"notes answers to t\.jsonl, which is not there; restore it, or move t\.jsonl\.unusable away"):
        _measured(case, Suspect())


@pytest.mark.skipif(os.name == "nt", reason="no such modes there")
def test_what_a_suspect_said_is_private(case: Case) -> None:
    _planned(case)
    old = os.umask(0)
    try:
        (case.folder / "t.jsonl").touch(0o666)
        (case.folder / "t.jsonl").unlink()
        _measured(case, Suspect(3))
    finally:
        os.umask(old)
    for name in ("t.jsonl", "t.jsonl.bound", "t.jsonl.unusable"):
        assert stat.S_IMODE((case.folder / name).stat().st_mode) == 0o640
