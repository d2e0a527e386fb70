"""An audit finds acts by person, kind, time and account; the map of controls names commands that there are."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from stillwatch.cli import app
from stillwatch.govern.controls import control_map
from stillwatch.govern.retention import mentions, without


def _commands(before: str, group: Any) -> Iterator[str]:
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from _commands(f"{before}{name} ", command)
        else:
            yield f"{before}{name}"


def test_every_control_names_commands_that_there_are() -> None:
    known = set(_commands("stillwatch ", typer.main.get_command(app)))
    named = {command for control in control_map() for command in control.commands}
    assert named <= known
    assert len(named) > 15
    assert all(control.commands and control.shows and control.duty and control.checked for control in control_map())
    assert len({(control.source, control.id) for control in control_map()}) == len(control_map())


def test_the_map_claims_no_compliance_and_says_which_identifiers_were_checked(run: Any) -> None:
    shown = run("audit", "--controls", plain=True)
    assert "no claim of compliance" in shown
    assert {control["source"] for control in run("audit", "--controls")} == {
        "OWASP AISVS 1.0",
        "NIST AI 600-1",
        "EU AI Act (2024/1689), Article 12",
        "ISO/IEC 42001, Annex A",
    }
    assert "give either" in run("audit", fails=2)


@pytest.mark.slow
def test_acts_are_found_by_person_kind_time_and_account(run: Any) -> None:
    seen = (("ann", "acct_1"), ("Bob ", "acct_12"))
    views = [{"by": by, "why": "case 7", "what": "text", "account_ids": [account]} for by, account in seen]
    Path("views.jsonl").write_text("".join(json.dumps(view) + "\n" for view in views))
    run("log", "append", "ev", "views.jsonl", "--kind", "view")
    decided = {"entity_id": "group-3", "decision": "limit", "reason": "f-7", "decided_by": "ann", "approved_by": "bob"}
    Path("decision.jsonl").write_text(json.dumps(decided) + "\n")
    run("log", "append", "ev", "decision.jsonl", "--kind", "decision")
    everything = run("audit", "ev")["acts"]
    assert [(act["by"], act["did"]) for act in everything] == [("ann", "saw"), ("Bob ", "saw"), ("ann", "decided")]
    assert everything[2]["what"] == "limit (group-3), approved by bob"
    assert len(run("audit", "ev", "--by", "BOB")["acts"]) == 1
    assert [act["kind"] for act in run("audit", "ev", "--act", "decision")["acts"]] == ["decision"]
    assert [act["index"] for act in run("audit", "ev", "--account", "acct_1")["acts"]] == [1]
    assert run("audit", "ev", "--until", "2020-01-01")["acts"] == []
    assert len(run("audit", "ev", "--since", "2020-01-01")["acts"]) == 3
    assert "it takes one of" in run("audit", "ev", "--act", "scan_run", fails=2)
    run("log", "erase", "ev", "1", "--ground", "retention", "--by", "root", "--why", "old", "--log-key", "log.key")
    after = run("audit", "ev")
    assert after["acts_whose_contents_were_erased"] == 1
    assert [act["did"] for act in after["acts"]] == ["saw", "decided", "erased"]


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("acct_1", True),
        ("limit acct_1, please", True),
        ("acct_12", False),
        ("xacct_1", False),
        ({"acct_1": 3}, True),
        ([{"a": ["acct_1"]}], True),
        (7, False),
        ("acct_1.", True),
        ("acct_1@b", False),
    ],
)
def test_an_account_is_found_as_a_word_of_its_own(value: object, found: bool) -> None:
    assert mentions(value, "acct_1") is found
    if found:
        assert not mentions(without(value, "acct_1", "[erased]"), "acct_1") or isinstance(value, dict)
