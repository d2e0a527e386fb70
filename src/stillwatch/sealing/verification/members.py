"""The members of a sealed file, held against the statement: all that belong to it, no other, each unchanged. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from stillwatch.records.cases import ExhibitKind
from stillwatch.sealing.container import CHECKPOINT, ENVELOPE, NARRATIVE, PRINTED, README, exhibit_member
from stillwatch.sealing.refusals import RefusedCaseError


def check_members(statement: Mapping[str, Any], members: Mapping[str, bytes]) -> None:
    """Nothing where the archive holds exactly the statement's subjects, and those are what the case needs; else RefusedCaseError."""
    subjects = [subject["name"] for subject in statement["subject"]]
    present = [name for name in members if name != ENVELOPE]
    _compare("member-missing", "member-extra", set(subjects), set(present))
    if subjects != present:
        raise RefusedCaseError("subject-order", "the statement", expected=" ".join(present)[:80], got=" ".join(subjects)[:80])
    needed, allowed = _belonging(statement["predicate"])
    _compare("member-missing", "member-extra", needed, set(present) & needed)
    _compare("member-missing", "member-extra", set(present) & allowed, set(present))
    for subject in statement["subject"]:
        digest = hashlib.sha256(members[subject["name"]]).hexdigest()
        if digest != subject["digest"]["sha256"]:
            raise RefusedCaseError("member-changed", subject["name"], expected=f"sha256 {subject['digest']['sha256']}", got=digest)


def _belonging(predicate: Mapping[str, Any]) -> tuple[set[str], set[str]]:
    """Names that have to be there, and names that may be."""
    needed = {CHECKPOINT, README, NARRATIVE}
    allowed = {PRINTED}
    for exhibit in predicate["exhibits"]:
        needed.add(exhibit_member("proofs", exhibit["uid"]))
        if not exhibit["withheld"]:
            needed.add(exhibit_member("exhibits", exhibit["uid"]))
            allowed |= {exhibit_member("files", exhibit["uid"])} if exhibit["kind"] == ExhibitKind.FILE else set[str]()
    return needed, needed | allowed


def _compare(missing: str, extra: str, expected: set[str], got: set[str]) -> None:
    if lacking := sorted(expected - got):
        raise RefusedCaseError(missing, "the archive", expected=lacking[0], got="no such member")
    if further := sorted(got - expected):
        raise RefusedCaseError(extra, "the archive", expected="nothing but what the statement names", got=further[0])
