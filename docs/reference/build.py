"""Fills the generated parts of the pages from the code: `python docs/reference/build.py`.

A generated part stands between `<!-- begin NAME -->` and `<!-- end NAME -->`; a test holds the pages to what this module gives.
"""

from __future__ import annotations

import dataclasses
import inspect
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from stillwatch.records.evidence import ACTS
from stillwatch.records.findings import Finding, Run
from stillwatch.records.pairs import TwinPair
from stillwatch.records.screening import DOCUMENTS, SOURCES, Screening, ShareEstimate
from stillwatch.records.tables import ACCOUNTS, ENTITIES, EXCHANGES, LABELS, LINKS, MEMBERS, SKETCH_COLUMNS, TRUTH, Column

DOCS = Path(__file__).parents[1]
_PART = re.compile(r"(?P<open><!-- begin (?P<name>[a-z-]+) -->\n).*?(?P<close><!-- end (?P=name) -->)", re.DOTALL)

_ATTRIBUTE = re.compile(r"^    ([a-z_, ]+): (.*(?:\n        .*)*)", re.MULTILINE)


def filled(page: str) -> str:
    """The page's text with every generated part as the code gives it now."""
    return _PART.sub(lambda part: part["open"] + PARTS[part["name"]]() + part["close"], page)


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table; bars and line ends within a cell are escaped."""
    lines = [head, ["---"] * len(head), *rows]
    return "".join("| " + " | ".join(_cell(cell) for cell in line) + " |\n" for line in lines)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def column_table(columns: Sequence[Column]) -> str:
    """Name, type, whether a row may leave it out, and meaning."""
    rows = [(f"`{column.name}`", column.type, "yes" if column.nullable else "no", column.meaning) for column in columns]
    return table(("column", "type", "may be null", "meaning"), rows)


def record_table(record: type[Any]) -> str:
    """The fields of a record as JSON holds them, with the meaning that its docstring gives."""
    given = dict(_ATTRIBUTE.findall(inspect.getdoc(record) or ""))
    meanings = {name.strip(): " ".join(meaning.split()) for names, meaning in given.items() for name in names.split(",")}
    rows = [(f"`{field.name}`", str(field.type), meanings.get(field.name, "")) for field in dataclasses.fields(record)]
    return table(("field", "type", "meaning"), rows)


def reader_matrix() -> str:
    """Which reader can fill which column of the exchanges table; `parquet` and `native` take every column that is there."""
    from stillwatch.ingest.readers import READERS

    names = [name for name in READERS if name != "native"]
    rows = [(f"`{column}`", *("●" if column in READERS[name].columns else "" for name in names)) for column in EXCHANGES.names]
    return table(("column", *(f"`{name}`" for name in names)), rows)


def feature_table() -> str:
    """The columns of features.parquet."""
    from stillwatch.features.catalogue import CATALOGUE

    rows = [(f"`{feature.name}`", feature.family, feature.unit, feature.when_null) for feature in CATALOGUE]
    return table(("column", "family", "unit", "null when"), rows)


def signal_tables() -> str:
    """The signals of both questions: a table of what each needs, and a list of what to know before trusting it."""
    from stillwatch.detect.catalogue import CATALOGUE

    parts: list[str] = []
    for axis in ("pooling", "harvest"):
        signals = [signal for signal in CATALOGUE if signal.axis.value == axis]
        parts.append(f"\n## {axis.capitalize()}\n\n")
        for signal in signals:
            needs = ", ".join(f"`{need}`".replace("|", "` or `") for need in signal.columns)
            compared = "random sets of accounts" if signal.scope.value == "group" else "other entities of the log"
            parts.append(f"### {signal.id}\n\n")
            facts = [
                ("family", signal.family),
                ("unit", signal.unit),
                ("suspicious when", "high" if signal.direction > 0 else "low"),
                ("compared with", compared),
                ("needs", needs),
                ("speaks of groups", "yes" if signal.of_groups else "no, of single accounts only"),
                ("ordinary explanation", signal.ordinary),
                ("blind spot", signal.blind_spot),
                ("missing when", signal.when_null),
                ("source", "; ".join(signal.references)),
                ("ATLAS", ", ".join(signal.techniques)),
            ]
            parts.append("".join(f"- {name}: {value}\n" for name, value in facts) + "\n")
    return "".join(parts)


def command_tables() -> str:
    """Every command with its arguments and options."""
    import typer

    from stillwatch.cli import app

    parts: list[str] = []
    for name, command in _leaves("", typer.main.get_command(app)):
        about = (command.help or "").split("\f")[0].split("\b")[0].strip()
        parts.append(f"\n## stillwatch {name}\n\n{about}\n")
        rows = [_parameter(parameter) for parameter in command.params if not getattr(parameter, "hidden", False)]
        if rows:
            parts.append("\n" + table(("argument or option", "default", "meaning"), rows))
    return "".join(parts)


def _leaves(before: str, group: Any) -> Iterator[tuple[str, Any]]:
    """Every command with its whole name; a group's own, in the place of the group."""
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from _leaves(f"{before}{name} ", command)
        else:
            yield f"{before}{name}", command


def _parameter(parameter: Any) -> tuple[str, str, str]:
    shown = parameter.opts if parameter.param_type_name == "option" else [parameter.metavar or parameter.name.upper()]
    default = "" if parameter.default is None or parameter.default is False else f"`{parameter.default}`"
    return ", ".join(f"`{name}`" for name in shown), "required" if parameter.required else default, parameter.help or ""


def evidence_records() -> str:
    """A table of fields for every kind of record in the evidence log."""
    return "".join(f"\n### {kind}\n\n{inspect.getdoc(record).splitlines()[0]}\n\n{record_table(record)}" for kind, record in ACTS.items())


def case_reasons() -> str:
    """Dispositions and reason codes."""
    from stillwatch.cases.dispositions import REASONS

    return table(
        ("disposition", "reason", "says"),
        [(reason.disposition.value.replace("_", "-"), f"`{reason.code}`", reason.says) for reason in REASONS],
    )


def control_tables() -> str:
    """The map of controls, by source."""
    from stillwatch.govern.controls import control_map

    found = control_map()
    parts: list[str] = []
    for source in dict.fromkeys(control.source for control in found):
        own = [control for control in found if control.source == source]
        rows = [(each.id, each.about, ", ".join(f"`{name}`" for name in each.commands), each.shows, each.duty) for each in own]
        head = ("id", "asks for", "command", "what it shows", "what remains yours")
        parts.append(f"\n## {source}\n\nIdentifiers: {own[0].checked}.\n\n" + table(head, rows))
    return "".join(parts)


PARTS: dict[str, Callable[[], str]] = {
    "exchanges": lambda: column_table([column for column in EXCHANGES.columns if not column.name.endswith("_text")]),
    "sketches": lambda: column_table(SKETCH_COLUMNS),
    "accounts": lambda: column_table(ACCOUNTS.columns),
    "entities": lambda: column_table(ENTITIES.columns),
    "members": lambda: column_table(MEMBERS.columns),
    "links": lambda: column_table(LINKS.columns),
    "truth": lambda: column_table(TRUTH.columns),
    "finding": lambda: record_table(Finding),
    "run": lambda: record_table(Run),
    "twin-pair": lambda: record_table(TwinPair),
    "documents": lambda: column_table(DOCUMENTS.columns),
    "sources": lambda: column_table(SOURCES.columns),
    "screening": lambda: record_table(Screening),
    "share-estimate": lambda: record_table(ShareEstimate),
    "evidence-records": evidence_records,
    "case-reasons": case_reasons,
    "labels": lambda: column_table(LABELS.columns),
    "readers": reader_matrix,
    "features": feature_table,
    "signals": signal_tables,
    "commands": command_tables,
    "controls": control_tables,
}
"""What each generated part holds."""


def main() -> None:
    """Rewrite every page of docs/."""
    for path in sorted(DOCS.rglob("*.md")):
        path.write_text(filled(path.read_text("utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
