"""Text is masked until a case opens it: what stands in its place, and what is recorded before it is shown. Pure."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence

from stillwatch.govern.policy import Act, Policy
from stillwatch.govern.refusals import GovernanceError
from stillwatch.records.evidence import View
from stillwatch.records.findings import Exhibit, Finding

LONGEST_REASON = 500
_FEWEST_LETTERS = 3


def masked(text: str) -> str:
    """What stands in the place of a text: how long it is, and nothing of it. Nothing stays nothing."""
    return f"[{len(text):,} characters, masked]" if text else ""


def masked_finding(finding: Finding) -> Finding:
    """The finding with the text of its exhibits masked."""
    return dataclasses.replace(finding, exhibits=tuple(_masked(exhibit) for exhibit in finding.exhibits))


def masked_findings(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Every finding with the text of its exhibits masked."""
    return tuple(masked_finding(finding) for finding in findings)


def opened_finding(finding: Finding, texts: Sequence[Exhibit]) -> Finding:
    """The finding with its exhibits' text, found again by exchange; exhibits without one stay masked."""
    known = {(exhibit.exchange_id, exhibit.account_id): exhibit for exhibit in texts}
    return dataclasses.replace(
        finding, exhibits=tuple(known.get((exhibit.exchange_id, exhibit.account_id), exhibit) for exhibit in finding.exhibits)
    )


def opening(policy: Policy, *, by: str, case: str, why: str, what: str, exhibits: Sequence[Exhibit]) -> View:
    """The record that has to stand in the evidence log before the text of exhibits is shown (break glass).

    Raises DeniedError and PersonError as the policy does, GovernanceError for a case or a reason that says nothing.
    """
    return View(
        by=policy.check(Act.OPEN_TEXT, by),
        case=said(case, "the case"),
        why=said(why, "the reason"),
        what=what,
        exchange_ids=tuple(dict.fromkeys(exhibit.exchange_id for exhibit in exhibits)),
        account_ids=tuple(dict.fromkeys(exhibit.account_id for exhibit in exhibits)),
    )


def said(text: str, what: str) -> str:
    """A text that says something to people. Raises GovernanceError for one of fewer than three letters or digits, or too long a one."""
    words = " ".join(text.split())
    if sum(letter.isalnum() for letter in words) < _FEWEST_LETTERS or len(words) > LONGEST_REASON or not words.isprintable():
        raise GovernanceError(
            f"{what} is {ascii(words)[:60]}; say it in 3 to {LONGEST_REASON} printable characters, for it is what the log keeps"
        )
    return words


def _masked(exhibit: Exhibit) -> Exhibit:
    return dataclasses.replace(exhibit, prompt=masked(exhibit.prompt), response=masked(exhibit.response))
