"""Findings as CSV that a spreadsheet can open without running anything in it."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from datetime import datetime

from stillwatch.records.findings import Finding

_STARTS = "=+-@|%＝＋－＠"
"""A spreadsheet takes a cell that begins so for a formula, or for a call of another program."""


def csv_text(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Rows as RFC 4180 with every cell quoted.

    A text that a spreadsheet could take for a formula gets an apostrophe before it, behind leading blanks too; control characters and
    other unprintable ones are escaped. Numbers stay numbers, so a negative one has no apostrophe.
    """
    out = io.StringIO(newline="")
    writer = csv.writer(out, quoting=csv.QUOTE_ALL, lineterminator="\r\n")
    writer.writerow(head)
    writer.writerows([_cell(value) for value in row] for row in rows)
    return out.getvalue()


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, bool | int | float):
        return str(value)
    text = "".join(character if character.isprintable() else _escaped(character) for character in str(value))
    bare = text.lstrip(" '\"\u00a0\u3000")
    return f"'{text}" if bare[:1] and bare[0] in _STARTS else text


def _escaped(character: str) -> str:
    return f"\\u{ord(character):04x}" if ord(character) < 0x10000 else f"\\U{ord(character):08x}"


def finding_tables(findings: Sequence[Finding]) -> dict[str, str]:
    """File name to text: findings.csv, members.csv and signals.csv, joined by `finding`."""
    return {"findings.csv": _findings(findings), "members.csv": _members(findings), "signals.csv": _signals(findings)}


def _findings(findings: Sequence[Finding]) -> str:
    head = (
        *("finding", "entity", "kind", "title", "severity", "pooling", "harvest", "strength_nats", "p_value", "q_value", "pooling_p_value"),
        *("accounts", "exchanges", "input_tokens", "output_tokens", "list_price", "currency", "first_at", "last_at", "atlas", "ordinary"),
        "next_step",
    )
    return csv_text(head, (_finding(finding) for finding in findings))


def _finding(finding: Finding) -> tuple[object, ...]:
    tally = finding.tally
    return (
        *(finding.uid, finding.entity_id, finding.kind.value, finding.title, finding.severity.value, finding.pooling.value),
        *(finding.harvest.value, finding.strength, finding.p_value, finding.q_value, finding.pooling_p_value, len(finding.members)),
        *(tally.exchanges, tally.input_tokens, tally.output_tokens, tally.list_price, tally.currency, finding.first_at, finding.last_at),
        *(" ".join(technique for technique, _ in finding.techniques), " ".join(finding.ordinary), finding.next_step),
    )


def _members(findings: Sequence[Finding]) -> str:
    rows = (
        (finding.uid, member.account_id, member.membership, member.exchanges, member.first_at, member.last_at, "; ".join(member.reasons))
        for finding in findings
        for member in finding.members
    )
    return csv_text(("finding", "account", "membership", "exchanges", "first_at", "last_at", "reasons"), rows)


def _signals(findings: Sequence[Finding]) -> str:
    rows = (
        (
            *(finding.uid, reading.signal, reading.axis.value, reading.value, reading.unit, reading.baseline_median, reading.baseline_high),
            *(reading.reference_size, reading.p_value, reading.contribution, reading.sentence, reading.ordinary),
        )
        for finding in findings
        for reading in finding.readings
    )
    head = ("finding", "signal", "question", "value", "unit", "baseline_median", "baseline_high", "reference_size", "p_value")
    return csv_text((*head, "contribution_nats", "sentence", "ordinary"), rows)
