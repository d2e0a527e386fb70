"""Tasks that a new case begins with, from a TOML file: the shipped one, or a house's own. Pure but for reading the shipped one."""

from __future__ import annotations

import tomllib
from importlib.resources import files
from typing import Any, cast

from stillwatch.cases.claims import NewTask
from stillwatch.cases.words import LONGEST_TITLE
from stillwatch.errors import UsageError

MOST_TASKS = 50
LONGEST_DETAIL = 2_000
LONGEST_DUE_DAYS = 3_650
_FIELDS = {"title", "detail", "due_days"}


def shipped_tasks() -> tuple[NewTask, ...]:
    """The tasks of the shipped template."""
    return parse_template((files("stillwatch.cases") / "template.toml").read_text("utf-8"), "the shipped template")


def parse_template(text: str, place: str) -> tuple[NewTask, ...]:
    """The tasks of a template. Raises UsageError, naming the place and the field, for anything else."""
    try:
        held = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise UsageError(f"{place} is no TOML: {str(error)[:200]}; its form is [[task]] with title, detail and due_days") from None
    tasks = held.get("task")
    if set(held) != {"task"} or not isinstance(tasks, list) or not 0 < len(cast("list[Any]", tasks)) <= MOST_TASKS:
        raise UsageError(
            f"{place} holds {', '.join(sorted(held))[:200] or 'nothing'}; it takes 1 to {MOST_TASKS} tables [[task]] and nothing else"
        )
    return tuple(_task(task, f"{place}, task {number}") for number, task in enumerate(cast("list[Any]", tasks), 1))


def _task(held: Any, place: str) -> NewTask:
    unknown = set(cast("dict[str, Any]", held)) - _FIELDS if isinstance(held, dict) else {"no table"}
    if unknown:
        raise UsageError(f"{place} has {', '.join(sorted(unknown))[:200]}; it takes title, detail and due_days")
    task = cast("dict[str, Any]", held)
    title, detail, days = task.get("title"), task.get("detail", ""), task.get("due_days")
    if not isinstance(title, str) or not 0 < len(title.strip()) <= LONGEST_TITLE:
        raise UsageError(f"{place}: title is missing or longer than {LONGEST_TITLE} characters; give one line")
    if not isinstance(detail, str) or len(detail) > LONGEST_DETAIL:
        raise UsageError(f"{place}: detail is no text, or longer than {LONGEST_DETAIL} characters; shorten it")
    if days is not None and (isinstance(days, bool) or not isinstance(days, int | float) or not 0 <= days <= LONGEST_DUE_DAYS):
        raise UsageError(f"{place}: due_days is {days!r}; it takes 0 to {LONGEST_DUE_DAYS}")
    return NewTask(title=title.strip(), detail=detail, due_days=None if days is None else float(days))
