"""Canaries are equally good choices, served consistently, and read from an answer without knowing the key."""

from __future__ import annotations

import dataclasses
import itertools
import re

import pytest

from stillwatch.marks.canaries import choose, instruction, match_answers, named_variant
from stillwatch.marks.canary_families import (
    FEWEST_VARIANTS,
    CanaryFamilyError,
    Kind,
    Slot,
    all_slots,
    check_together,
    parse_families,
    shipped_families,
)
from stillwatch.marks.keys import MarkKey, MasterSecret, derive

KEY = MarkKey(bytes(range(6, 38)))
FAMILIES = shipped_families()
SLOTS = {slot.id: slot for slot in all_slots(FAMILIES)}


def test_the_shipped_families_give_enough_independent_questions_of_several_kinds() -> None:
    assert len(SLOTS) >= 48
    assert {family.kind for family in FAMILIES} == set(Kind)
    assert all(len(slot.variants) >= FEWEST_VARIANTS for slot in SLOTS.values())
    assert len({slot.question for slot in SLOTS.values()}) == len(SLOTS)


def test_every_variant_of_every_slot_is_read_back_from_a_sentence_and_from_nothing_else() -> None:
    for slot in SLOTS.values():
        for variant in slot.variants:
            assert named_variant(slot, f"Well: {variant.upper()}.") == variant
        assert named_variant(slot, slot.question) in (None, slot.variants[0] if slot.kind is Kind.ORDER else None)
        assert named_variant(slot, "") is None


def test_a_question_names_no_choice_and_an_instruction_names_the_keys() -> None:
    for slot in SLOTS.values():
        assert "{" not in slot.question
        words = set(re.findall(r"\w+", slot.question.casefold()))
        assert slot.kind is Kind.ORDER or not words & {variant.casefold() for variant in slot.variants}
        said = instruction(KEY, [slot], f"please {slot.when[0]}, thanks")
        assert choose(KEY, slot) in said
        assert "{" not in said


@pytest.mark.parametrize(
    ("slot", "answer", "named"),
    [
        ("city/weather", "Lyon", "Lyon"),
        ("city/weather", "I'd take LYON, because Lyon is nice", "Lyon"),
        ("city/weather", "Lyon or Porto", None),
        ("city/weather", "Lyonnaise", None),
        ("city/weather", "Paris", None),
        ("city/weather", "Ｌｙｏｎ", "Lyon"),
        ("variable-name/prices", "for elem in prices: total += elem", "elem"),
        ("variable-name/prices", "elem_count", None),
        ("worked-number/binary", "34.", "34"),
        ("worked-number/binary", "34.5", None),
        ("worked-number/binary", "1,034", None),
        ("worked-number/binary", "340", None),
        ("worked-number/binary", "34 or 41", None),
        ("order/exercise", "sleep, then heart, then mood and strength; sleep again", "sleep, heart, mood, strength"),
        ("order/exercise", "sleep, heart, mood", None),
        ("city/weather", "x" * 20_000 + " Lyon", None),
    ],
)
def test_exactly_one_variant_counts(slot: str, answer: str, named: str | None) -> None:
    assert named_variant(SLOTS[slot], answer) == named


def test_choices_are_consistent_per_account_and_differ_between_accounts() -> None:
    master = MasterSecret(bytes(range(32)))
    keys = [derive(master, purpose="canaries", account=account, period="1") for account in ("a", "b")]
    chosen = [[choose(key, slot) for slot in SLOTS.values()] for key in (*keys, keys[0])]
    assert chosen[0] == chosen[2]
    assert sum(one == other for one, other in itertools.pairwise(chosen[:2]) for one, other in zip(one, other, strict=True)) < 15


def test_other_variants_are_another_draw() -> None:
    slot = SLOTS["city/weather"]
    changed = [choose(KEY, dataclasses.replace(slot, variants=(*slot.variants, f"Town{place}"))) for place in range(40)]
    assert len(set(changed)) > 5


def test_only_instructions_that_belong_to_the_prompt_are_given() -> None:
    slots = list(SLOTS.values())
    assert instruction(KEY, slots, "Tell me a joke") == ""
    said = instruction(KEY, slots, "What will the WEATHER be?")
    assert said.count(".") == 1
    assert choose(KEY, SLOTS["city/weather"]) in said
    assert instruction(KEY, slots, "weathered") == ""
    everything = " ".join(word for slot in slots for word in slot.when)
    assert instruction(KEY, slots, everything, most=2).count(".") == 2


def test_a_missing_answer_is_a_miss_and_stays_in() -> None:
    slots = [SLOTS["city/weather"], SLOTS["city/hotel"], SLOTS["order/soup"]]
    right, wrong = choose(KEY, slots[0]), next(word for word in slots[1].variants if word != choose(KEY, slots[1]))
    found = match_answers(KEY, slots, {slots[0].id: right, slots[1].id: wrong})
    assert [(match.named, match.matched, match.variants) for match in found] == [(right, True, 24), (wrong, False, 24), (None, False, 24)]


def test_a_slot_that_is_asked_twice_or_not_at_all_is_refused() -> None:
    slot = SLOTS["city/weather"]
    with pytest.raises(CanaryFamilyError, match="2 slots hold 1"):
        match_answers(KEY, [slot, slot], {})
    with pytest.raises(CanaryFamilyError, match="city/nowhere"):
        match_answers(KEY, [slot], {"city/nowhere": "Lyon"})
    with pytest.raises(CanaryFamilyError, match="city"):
        check_together([FAMILIES[0], FAMILIES[0]])


OWN = """
[[families]]
id = "colour"
about = "a colour"
kind = "word"
instruction = "For {subject} take {variant}."
question = "Which colour for {subject}?"
variants = [VARIANTS]
topics = [{ id = "chart", subject = "a chart", when = ["chart"] }]
"""
COLOURS = ", ".join(f'"colour{place}"' for place in range(16))


def test_a_family_of_ones_own_is_read_from_toml() -> None:
    (family,) = parse_families(OWN.replace("VARIANTS", COLOURS), "own.toml")
    assert family.slots[0] == Slot(
        id="colour/chart",
        kind=Kind.WORD,
        variants=tuple(f"colour{place}" for place in range(16)),
        instruction="For a chart take {variant}.",
        question="Which colour for a chart?",
        when=("chart",),
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("VARIANTS", '"red", "blue"'), "2 variants"),
        (("VARIANTS", COLOURS + ', "COLOUR3"'), "within"),
        (("VARIANTS", COLOURS + ', "dark colour3"'), "within"),
        (("VARIANTS", COLOURS + ", 5"), "variants"),
        (("{variant}", "nothing"), "instruction"),
        (("{subject}?", "{sujet}?"), "a name in braces that is not known"),
        (('kind = "word"', 'kind = "smell"'), "smell"),
        (('id = "colour"', 'id = "Colour!"'), "Colour!"),
        (('about = "a colour"', 'abuot = "a colour"'), "abuot"),
        (("[[families]]", "[[family]]"), "families"),
        (("topics", "= topics"), "no TOML"),
        (('when = ["chart"]', "when = []"), "when"),
        (('about = "a colour"', 'about = "a\\u0000colour"'), "about"),
    ],
)
def test_a_family_that_cannot_be_used_is_named_with_its_place(change: tuple[str, str], message: str) -> None:
    with pytest.raises(CanaryFamilyError, match=message) as caught:
        parse_families(OWN.replace(*change).replace("VARIANTS", COLOURS), "own.toml")
    assert "own.toml" in str(caught.value)
