"""The files of a proof: the plan, its seal, the prompts and the keys, each checked against what was fixed."""

from __future__ import annotations

import json
import os
from datetime import datetime
from pathlib import Path
from typing import Any

from stillwatch.app.key_files import read_key
from stillwatch.app.state import file_sha256
from stillwatch.errors import UnreadableInputError, naming
from stillwatch.marks.keys import MarkKey, MasterSecret, commitment, derive
from stillwatch.provenance.plan import LARGEST_PLAN, Plan, PlanError, PlannedKey, PlannedTest, Seal, check_seal, parse_plan, seal
from stillwatch.report.codec import from_plain, to_plain


def read_plan(path: Path) -> Plan:
    """The plan of a file. Raises UnreadableInputError where there is none, PlanError for what it says."""
    try:
        content = path.read_bytes() if path.stat().st_size <= LARGEST_PLAN else None
    except OSError as error:
        raise UnreadableInputError(f"{path} cannot be read: {error.strerror}; name the plan's file") from None
    if content is None:
        raise UnreadableInputError(f"{path} has more than {LARGEST_PLAN:,} bytes, which no plan has; name the plan's file")
    try:
        return parse_plan(content.decode(), place=str(path))
    except UnicodeDecodeError:
        raise UnreadableInputError(f"{path} is not UTF-8 text; name the plan's file") from None


def seal_path(path: Path) -> Path:
    """Beside the plan."""
    return path.with_name(path.name + ".seal")


def seal_plan(path: Path, *, now: datetime) -> Seal:
    """Seal a plan: its prompts are there and are those that it names, and nothing was measured yet.

    Raises PlanError where it is sealed already, prompts differ, or a measured file is there.
    """
    plan, place = read_plan(path), seal_path(path)
    check_prompts(plan, path)
    measured = [test.measured for test in plan.tests if (path.parent / test.measured).exists()]
    if measured:
        raise PlanError(f"{path}: {measured[0]} is there already, so the suspect was measured before the seal; a plan is sealed first")
    sealed = seal(plan, at=now)
    text = json.dumps({"format": "stillwatch-seal-1", **to_plain(sealed)}, indent=1) + "\n"
    try:
        with naming(place), place.open("x", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
    except FileExistsError:
        raise PlanError(f"{place} is there already: the plan is sealed; to change it, write a new plan under another name") from None
    return sealed


def read_seal(plan: Plan, path: Path) -> Seal:
    """The seal beside a plan, which fits it. Raises PlanError where there is none or the plan was changed."""
    place = seal_path(path)
    try:
        content: Any = json.loads(place.read_bytes()[:LARGEST_PLAN])
    except FileNotFoundError:
        raise PlanError(f"{path} is not sealed; seal it before the suspect is asked anything: stillwatch prove {path} --seal") from None
    except (OSError, ValueError) as error:
        raise PlanError(f"{place} cannot be read ({type(error).__name__}); restore it") from None
    content = {name: value for name, value in content.items() if name != "format"} if isinstance(content, dict) else content
    sealed = from_plain(Seal, content)
    check_seal(plan, sealed, place=str(path))
    return sealed


def check_prompts(plan: Plan, path: Path) -> None:
    """Nothing where every file of prompts or of a tokenizer is the one that the plan names by its sha256; else PlanError."""
    for test in plan.tests:
        pinned = [("prompts", test.prompts, test.prompts_sha256)]
        if test.tokenizer:
            pinned.append(("a tokenizer", str(tokenizer_file(test)), test.tokenizer_sha256))
        for what, name, planned in pinned:
            if name and (found := file_sha256(path.parent / name)) != planned:
                message = (
                    f"{path}: test {test.name!r} names {what} of sha256 {planned[:16]}…, {name} has {found[:16]}…; restore the "
                    "file that was planned"
                )
                raise PlanError(message)


def tokenizer_file(test: PlannedTest) -> Path:
    """The file of a test's tokenizer, relative to the plan."""
    return Path(test.tokenizer) / "tokenizer.json"


def open_keys(plan: Plan, path: Path, master: MasterSecret | None) -> dict[str, MarkKey]:
    """The plan's keys by name, each the one that its commitment names.

    Raises PlanError where a key does not open its commitment, or needs the master secret and none is given.
    """
    return {key.name: _opened(key, path, master) for key in plan.keys}


def _opened(planned: PlannedKey, path: Path, master: MasterSecret | None) -> MarkKey:
    if planned.file:
        key = read_key(path.parent / planned.file)
    elif master is None:
        raise PlanError(f"{path}: key {planned.name!r} is derived from a master secret; give its file with --key")
    else:
        key = derive(master, purpose=planned.purpose, account=planned.account or None, period=planned.period)
    if commitment(key) != planned.commitment:
        message = (
            f"{path}: key {planned.name!r} does not open its commitment (planned {planned.commitment[:23]}…, "
            f"the key given has {commitment(key)[:23]}…); give the key that was committed to"
        )
        raise PlanError(message)
    return key
