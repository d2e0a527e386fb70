"""A proof from sealed plan to verdict, and everything that must stop it."""

from __future__ import annotations

import json
import re
from typing import Any

import numpy as np
import pytest

from stillwatch.app.plan_files import seal_path
from stillwatch.app.progress import Quiet
from stillwatch.app.proving import ProofRequest, prove
from stillwatch.app.state import file_sha256
from stillwatch.errors import TooFewSamplesError, UnreadableInputError
from stillwatch.marks.keys import KeyMaterialError
from stillwatch.marks.prf import context_seeds
from stillwatch.provenance.columns import MeasureError
from stillwatch.provenance.plan import PlanError
from stillwatch.provenance.scoring import GreenListScoring
from stillwatch.records.verdicts import Outcome, Verdict
from stillwatch.stats.seeds import generator

from .conftest import NOW, Case, slots

pytestmark = pytest.mark.slow

TWINS = '[[tests]]\nname = "twins"\nkind = "twins"\nkeys = ["acct-17", "acct-99"]\nsample = 400\nmeasured = "twins.jsonl"\n'


def _prove(case: Case, out: str = "out") -> Verdict:
    return prove(ProofRequest(plan=case.plan, out=case.folder / out), Quiet(), now=NOW)


def _twins(case: Case, effect: float = 0.5) -> Verdict:
    case.write(TWINS)
    case.seal()
    case.lines("twins.jsonl", case.twins("acct-17", 400, effect))
    return _prove(case)


def test_a_suspect_who_learnt_served_answers_is_shown_and_its_key_is_pointed_to(case: Case) -> None:
    verdict = _twins(case)
    assert verdict.outcome is Outcome.SHOWN
    assert verdict.points_to == ("acct-17",)
    assert [judged.reaches for judged in verdict.results] == [True, False]
    written = json.loads((case.folder / "out" / "verdict.json").read_text("utf-8"))
    assert written["outcome"] == "shown"
    assert written["inputs"] == [["twins.jsonl", file_sha256(case.folder / "twins.jsonl")]]
    assert {"null", "assumption", "source", "shows", "does_not_show"} <= set(written["results"][0]["result"]["words"])


def test_a_suspect_who_leaves_one_test_unanswered_does_not_stop_the_others(case: Case) -> None:
    other = TWINS.replace('name = "twins"', 'name = "mute"').replace("twins.jsonl", "mute.jsonl")
    case.write(TWINS + other)
    case.seal()
    case.lines("twins.jsonl", case.twins("acct-17", 400, 0.5))
    mute = [{**row, "suspect_first": None, "suspect_second": None, "missing": True} for row in case.twins("acct-17", 400, 0.5)]
    case.lines("mute.jsonl", mute)
    verdict = _prove(case)
    assert verdict.outcome is Outcome.SHOWN
    assert [(each.name, each.key, each.got) for each in verdict.unjudged] == [("mute", "acct-17", 0), ("mute", "acct-99", 0)]
    alone = min(judged.result.log10_p for judged in verdict.results)
    assert min(judged.log10_adjusted for judged in verdict.results) == pytest.approx(alone + np.log10(4))
    assert sum("counts as p = 1" in sentence for sentence in verdict.sentences) == 2
    assert (case.folder / "out" / "verdict.html").read_text("utf-8").count("not judged") == 2


def test_where_no_test_can_be_judged_there_is_no_verdict(case: Case) -> None:
    case.write(TWINS)
    case.seal()
    case.lines("twins.jsonl", [{**row, "suspect_first": None, "missing": True} for row in case.twins("acct-17", 400, 0.5)])
    with pytest.raises(TooFewSamplesError, match="test 'twins'"):
        _prove(case)
    assert not (case.folder / "out" / "verdict.json").exists()


def test_an_innocent_is_not_shown_and_the_words_clear_nobody(case: Case) -> None:
    verdict = _twins(case, effect=0.0)
    assert verdict.outcome is Outcome.NOT_SHOWN
    assert verdict.points_to == ()
    assert any("clears nobody" in sentence for sentence in verdict.sentences)
    assert all(judged.result.reach.smallest for judged in verdict.results)


def test_the_page_holds_no_script_no_address_and_only_escaped_text(case: Case) -> None:
    hostile = "<script>alert(1)</script>"
    case.write(TWINS.replace('"twins"', f'"{hostile}"', 1), suspect=f'name = "{hostile} \\u202e"')
    case.seal()
    case.lines("twins.jsonl", case.twins("acct-17", 400, 0.5))
    _prove(case)
    page = (case.folder / "out" / "verdict.html").read_text("utf-8")
    assert "<script" not in page
    assert "\u202e" not in page
    assert "&lt;script&gt;" in page
    assert not re.findall(r"""(?:src|href)=["'](?!#)""", page)
    assert page.count("<svg") == 6
    identifiers = re.findall(r'\bid="([^"]+)"', page)
    assert len(identifiers) == len(set(identifiers))


def test_a_plan_must_be_sealed_before_and_never_changes_after(case: Case) -> None:
    case.write(TWINS)
    case.lines("twins.jsonl", case.twins("acct-17", 400, 0.5))
    with pytest.raises(PlanError, match="not sealed"):
        _prove(case)
    with pytest.raises(PlanError, match="measured before the seal"):
        case.seal()
    (case.folder / "twins.jsonl").unlink()
    case.seal()
    with pytest.raises(PlanError, match="is sealed"):
        case.seal()
    case.plan.write_text(case.plan.read_text("utf-8").replace("sample = 400", "sample = 300"), encoding="utf-8")
    with pytest.raises(PlanError, match="changed after its seal of 2026-11-25"):
        _prove(case)


def test_comments_and_layout_change_no_plan_and_a_changed_seal_is_seen(case: Case) -> None:
    case.write(TWINS)
    case.seal()
    case.plan.write_text("# a note\n\n" + case.plan.read_text("utf-8"), encoding="utf-8")
    case.lines("twins.jsonl", case.twins("acct-17", 400, 0.5))
    assert _prove(case).sealed_at == NOW
    place = seal_path(case.plan)
    place.write_text(place.read_text("utf-8").replace("2026-11-25", "2026-10-25"), encoding="utf-8")
    with pytest.raises(PlanError, match="its own digest does not fit"):
        _prove(case)


def test_a_key_that_does_not_open_its_commitment_is_refused_and_stays_unsaid(case: Case) -> None:
    case.write(TWINS)
    case.seal()
    case.lines("twins.jsonl", case.twins("acct-17", 400, 0.5))
    secret = case.keys["acct-99"].reveal().hex()
    (case.folder / "acct-17.key").write_text(secret, encoding="utf-8")
    with pytest.raises(PlanError, match="does not open its commitment") as refused:
        _prove(case)
    assert secret not in str(refused.value)
    (case.folder / "acct-17.key").write_text("no key", encoding="utf-8")
    with pytest.raises(KeyMaterialError, match="64 hexadecimal digits"):
        _prove(case)
    (case.folder / "acct-17.key").chmod(0o644)
    with pytest.raises(UnreadableInputError, match="0600"):
        _prove(case)


def test_other_prompts_than_planned_are_refused(case: Case) -> None:
    digest = case.lines("prompts.jsonl", [{"prompt": "a"}])
    case.write(TWINS + f'prompts = "prompts.jsonl"\nprompts_sha256 = "{digest}"\n')
    case.seal()
    case.lines("prompts.jsonl", [{"prompt": "b"}])
    with pytest.raises(PlanError, match="restore the file that was planned"):
        _prove(case)


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (slice(0, 399), "the plan says 400 pairs, twins.jsonl holds 399"),
        (slice(0, 400), "suspect_first is not finite, or beyond 1e\\+12, in 1 of 400 rows, first in row 8"),
    ],
    ids=["too few rows", "not a number"],
)
def test_counts_reconcile_and_no_number_is_guessed(case: Case, rows: slice, words: str) -> None:
    case.write(TWINS)
    case.seal()
    measured = case.twins("acct-17", 400, 0.5)
    measured[7]["suspect_first"] = float("nan")
    case.lines("twins.jsonl", measured[rows])
    with pytest.raises(MeasureError, match=words):
        _prove(case)


def test_pairs_that_could_not_be_measured_are_counted_and_left_out(case: Case) -> None:
    case.write(TWINS)
    case.seal()
    measured = case.twins("acct-17", 400, 0.5)
    measured[7] = {"pair": "r7", "missing": True, "reason": "cut off"}
    measured[9]["pair"] = "r8"
    case.lines("twins.jsonl", measured)
    result = _prove(case).results[0].result
    assert result.sample == 398
    assert dict(result.dropped)["not measured"] == 1
    assert dict(result.dropped)["later pair of a request"] == 1


def test_too_small_a_sample_says_what_is_needed(case: Case) -> None:
    # two keys are tried, so each has to reach half the budget
    case.write(TWINS.replace("400", "20"))
    with pytest.raises(TooFewSamplesError, match=r"test 'twins': .*at least 21 samples, got 20"):
        case.seal()
    case.write(TWINS.replace("400", "21"))
    case.seal()
    rows = case.twins("acct-17", 21, 0.5)
    case.lines("twins.jsonl", [rows[0] | {"missing": True}, *rows[1:]])
    with pytest.raises(TooFewSamplesError, match="at least 21 samples, got 20"):
        _prove(case)


def test_canaries_are_read_against_the_marks_own_choices(case: Case) -> None:
    rows = case.canaries("acct-17", 0.6)
    test = f'[[tests]]\nname = "canaries"\nkind = "canaries"\nkeys = ["acct-17", "acct-99"]\nsample = {len(rows)}\nmeasured = "c.jsonl"\n'
    case.write(test)
    case.seal()
    case.lines("c.jsonl", rows)
    verdict = _prove(case)
    assert verdict.results[0].result.value >= 0.4 * len(slots())
    assert verdict.points_to == ("acct-17",)


def _radioactive(case: Case) -> tuple[dict[str, Any], dict[str, Any]]:
    """Measures of open radioactivity of a suspect who leans towards the tokens of acct-17, and of closed for acct-99."""
    scoring, draw, key = GreenListScoring(0.25), generator(6, "radioactive"), case.keys["acct-17"]
    seeds = draw.integers(0, 2**62, 200).astype(np.uint64)
    reference = draw.dirichlet(np.full(32, 0.3), 200)
    green = scoring.scores(key, np.repeat(seeds, 32), np.tile(np.arange(32), 200)).reshape(200, 32)
    suspect = reference * np.exp(0.3 * green)
    text: list[int] = [0, 1]
    while len(text) < 1500:
        seed = context_seeds(np.array([*text[-1:], 0]), 1)
        some = draw.integers(0, 500, 2)
        text.append(int(some[np.argmax(scoring.scores(case.keys["acct-99"], np.repeat(seed, 2), some))]))
    open_arrays = {"seeds": seeds, "suspect": suspect / suspect.sum(axis=1, keepdims=True), "reference_teacher": reference}
    return open_arrays, {"document": np.repeat([0, 1, 2], 500), "tokens": np.array(text)}


@pytest.mark.parametrize("combination", ["holm", "e_product", "e_mean"])
def test_radioactivity_and_ranks_go_through_a_plan_and_ranks_enter_nothing(case: Case, combination: str) -> None:
    test = '[[tests]]\nname = "{0}"\nkind = "{0}"\nkeys = ["{2}"]\nsample = {1}\nmeasured = "{0}.npz"\n'
    rank = '[[tests]]\nname = "likeness"\nkind = "similarity"\nsample = 20\nmeasured = "s.jsonl"\nmeasure = "share of equal next tokens"\n'
    case.write(
        test.format("radioactivity_open", 200, "acct-17") + test.format("radioactivity_closed", 3, "acct-99") + rank,
        more=f'combination = "{combination}"',
    )
    case.seal()
    opened, closed = _radioactive(case)
    np.savez(case.folder / "radioactivity_open.npz", **opened)
    np.savez(case.folder / "radioactivity_closed.npz", **closed)
    case.lines("s.jsonl", [{"model": "suspect", "score": 0.9}] + [{"model": f"c{n}", "score": n / 20} for n in range(19)])
    verdict = _prove(case)
    assert verdict.outcome is Outcome.SHOWN
    assert all(judged.result.log10_p < -8 for judged in verdict.results)
    assert [rank.rank for rank in verdict.corroborations] == [2]
    assert "no proof" in (case.folder / "out" / "verdict.html").read_text("utf-8")
