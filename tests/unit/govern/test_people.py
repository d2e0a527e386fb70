"""One person is one name, whatever the spelling, and a file whose names could be mistaken for each other is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.app.governance import shipped_text
from stillwatch.govern.people import people_of, person, same_person
from stillwatch.govern.policy import Act, DataClass, parse_policy
from stillwatch.govern.refusals import DeniedError, PersonError, PolicyError


@pytest.mark.parametrize("spelling", ["Ann", " ann ", "ANN", "\tann\n", "ａｎｎ", "ＡＮＮ", "ann\u00a0"])
def test_spellings_of_one_name_are_one_person(spelling: str) -> None:
    assert person(spelling) == "ann"
    assert same_person("ann", spelling)


@pytest.mark.parametrize(
    "name",
    [
        "аnn",
        "ann\u200b",
        "an n",
        "",
        " ",
        "ann\u0301",
        "αnn",
        "-ann",
        "ann.",
        "a" * 101,
        "ann\x00",
        "ann\u202e",
        "ànn",
        "@ann",
        "ann/bob",
    ],
)
def test_names_that_look_like_others_or_hide_something_are_refused(name: str) -> None:
    with pytest.raises(PersonError, match="is no name that a person can go by"):
        person(name)


@pytest.mark.parametrize(
    ("one", "other"),
    [("ann", "a.n.n"), ("bill", "b1ll"), ("bob", "b0b"), ("ann@x.com", "ann+2@x.com"), ("tim", "tirn"), ("lee", "1ee"), ("ivy", "lvy")],
)
def test_names_that_could_be_taken_for_each_other_are_one_person_to_the_rule(one: str, other: str) -> None:
    assert same_person(one, other)
    with pytest.raises(PersonError, match="could be taken for each other"):
        people_of({one: ["analyst"], other: ["approver"]}, "file")


def test_different_people_stay_different() -> None:
    assert not same_person("ann@example.com", "bob@example.com")
    assert set(people_of({"Ann": ["analyst"], "bob": []}, "file")) == {"ann", "bob"}


@given(st.text(max_size=30))
def test_any_text_is_a_name_that_stays_itself_or_is_refused(text: str) -> None:
    try:
        name = person(text)
    except PersonError:
        return
    assert person(name) == name
    assert name.isascii()


def _policy(text: str) -> object:
    return parse_policy('format = "stillwatch-governance-1"\n' + text, "g.toml", shipped_text())


def test_the_shipped_policy_names_nobody_and_lets_nobody_do_anything() -> None:
    policy = parse_policy(shipped_text(), "shipped", shipped_text())
    assert set(policy.acts) == set(Act)
    assert set(policy.days) == set(DataClass)
    for act in Act:
        with pytest.raises(DeniedError, match="names nobody yet"):
            policy.check(act, "ann")


def test_roles_decide_and_what_a_file_leaves_out_stands_as_shipped() -> None:
    policy = parse_policy(
        'format = "stillwatch-governance-1"\n[people]\nann = ["analyst"]\neve = ["viewer"]\n'
        '[acts]\nhold = ["viewer"]\n[retention]\nexports = 9\n',
        "g.toml",
        shipped_text(),
    )
    assert policy.check(Act.OPEN_TEXT, " ANN") == "ann"
    assert policy.check(Act.HOLD, "eve") == "eve"
    with pytest.raises(DeniedError, match=r"eve \(viewer\) may not open text: g.toml lets analyst or approver do it"):
        policy.check(Act.OPEN_TEXT, "eve")
    with pytest.raises(DeniedError, match="is not among the people"):
        policy.check(Act.HOLD, "mallory")
    assert (policy.days[DataClass.EXPORTS], policy.days[DataClass.QUARANTINE]) == (9, 30)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[acts]\nopen_everything = []", "acts names 'open_everything'"),
        ("[retention]\nprompts = 3", "retention names 'prompts'"),
        ("[retention]\nexports = -1", "whole number from 0"),
        ("[retention]\nexports = true", "whole number from 0"),
        ("[approvals]\nhours = 0", "whole number from 1"),
        ("[people]\nann = 'analyst'", "are no list of texts"),
        ("[people]\nann = ['boss']", "roles are viewer, analyst, approver, admin"),
        ("[acts]\nhold = ['boss']", "roles are viewer"),
        ("people = 3", "a table was expected"),
        ("[more]\n", "which no governance file has"),
        ("x", "is no TOML"),
    ],
)
def test_a_file_that_cannot_be_kept_to_is_refused_with_its_place(text: str, said: str) -> None:
    with pytest.raises((PolicyError, PersonError), match=said) as raised:
        _policy(text)
    assert "g.toml" in str(raised.value)
