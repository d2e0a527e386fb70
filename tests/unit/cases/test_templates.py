"""A template of tasks is read strictly, and names of people and cases are."""

from __future__ import annotations

import pytest

from stillwatch.cases.refusals import UnknownCaseError
from stillwatch.cases.templates import parse_template, shipped_tasks
from stillwatch.cases.words import LONGEST_NAME, bounded, case_number, person
from stillwatch.errors import UsageError


def test_the_shipped_template_has_dated_tasks_that_end_in_closing() -> None:
    tasks = shipped_tasks()
    assert len(tasks) >= 5
    assert tasks[-1].title == "Close the case with a disposition and a reason"
    days = [task.due_days or 0 for task in tasks]
    assert days == sorted(days)


def test_a_template_gives_its_tasks_in_order() -> None:
    tasks = parse_template('[[task]]\ntitle = " Ask "\ndue_days = 1.5\n[[task]]\ntitle = "Read"\ndetail = "all"\n', "mine.toml")
    assert [(task.title, task.detail, task.due_days) for task in tasks] == [("Ask", "", 1.5), ("Read", "all", None)]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "mine.toml holds nothing"),
        ("task = 3", "mine.toml holds task"),
        ("[[task]]\ntitle = 'x'\n[other]\n", "mine.toml holds other, task"),
        ("[[task]]\ntitel = 'x'", "task 1 has titel"),
        ("[[task]]\ndetail = 'x'", "task 1: title is missing"),
        ("[[task]]\ntitle = ''", "task 1: title is missing"),
        ("[[task]]\ntitle = 'x'\ndue_days = -1", "task 1: due_days is -1"),
        ("[[task]]\ntitle = 'x'\ndue_days = nan", "task 1: due_days is nan"),
        ("[[task]]\ntitle = 'x'\ndue_days = true", "task 1: due_days is True"),
        ("[[task]]\ntitle = 'x'\n[[task]]\ntitle = 3", "task 2: title is missing"),
        ("[[task", "mine.toml is no TOML"),
        ("[[task]]\ntitle = 'x'\n" * 51, "1 to 50"),
    ],
)
def test_a_template_that_is_none_names_the_task_and_the_field(text: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        parse_template(text, "mine.toml")


@pytest.mark.parametrize("given", ["", "case-", "case-0", "0", "-1", "case-1x", "1.5", "case-9999999999", "١"])
def test_a_name_that_is_no_cases_is_refused(given: str) -> None:
    with pytest.raises(UnknownCaseError, match="names no case"):
        case_number(given)
    assert case_number("case-12") == case_number(" 12 ") == 12


@pytest.mark.parametrize("given", ["", "  ", "a" * (LONGEST_NAME + 1), "bob\x1b[31m", "ann\nbob", "ann\u202e"])
def test_a_person_has_a_printable_name(given: str) -> None:
    with pytest.raises(UsageError, match="printable"):
        person(given)
    assert person(" Ann O'Neil ") == "Ann O'Neil"
    with pytest.raises(UsageError, match="3 characters; it takes 1 to 2"):
        bounded("abc", "it", 2)
