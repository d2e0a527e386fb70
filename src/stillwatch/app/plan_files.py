"""The files of a proof: the plan, its seal and the keys, each checked against what was fixed."""

from __future__ import annotations

import json
import os
from datetime import datetime
from pathlib import Path
from typing import Any

from stillwatch.app.key_files import read_key
from stillwatch.app.plan_checking import check_plan, pinned_files
from stillwatch.errors import SchemaError, UnreadableInputError, naming
from stillwatch.govern.vault import Vault
from stillwatch.marks.keys import MarkKey, MasterSecret, commitment, derive
from stillwatch.provenance.plan import LARGEST_PLAN, Plan, PlanError, PlannedKey, Seal, check_seal, seal
from stillwatch.provenance.plan_parsing import parse_plan
from stillwatch.report.codec import from_plain, to_plain

LARGEST_SEAL = 64_000_000
"""Bytes of a seal, which names every file of the models; a larger one is another file."""


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


def seal_plan(path: Path, *, now: datetime, vault: Vault | None = None) -> Seal:
    """Seal a plan that can end in a verdict, with the model folders and families that it names; nothing was measured yet.

    `vault` opens prompts that are sealed.

    Raises PlanError where it is sealed already or a measured file is there, and what `check_plan` raises.
    """
    plan, place = read_plan(path), seal_path(path)
    if place.exists():
        raise _sealed_already(place)
    check_plan(plan, path, vault)
    measured = [test.measured for test in plan.tests if (path.parent / test.measured).exists()]
    if measured:
        raise PlanError(f"{path}: {measured[0]} is there already, so the suspect was measured before the seal; a plan is sealed first")
    sealed = seal(plan, at=now, pinned=pinned_files(plan, path))
    text = json.dumps({"format": "stillwatch-seal-1", **to_plain(sealed)}, indent=1) + "\n"
    _write_new(place, text)
    return sealed


def _write_new(place: Path, text: str) -> None:
    """The whole file or none, and never in the place of another; PlanError where it is there. A torn seal could never be mended."""
    partial = place.with_name(f".{place.name}.partial")
    with naming(place):
        try:
            with partial.open("w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            os.link(partial, place)
        except FileExistsError:
            raise _sealed_already(place) from None
        finally:
            partial.unlink(missing_ok=True)


def _sealed_already(place: Path) -> PlanError:
    return PlanError(f"{place} is there already: the plan is sealed; to change it, write a new plan under another name")


def read_seal(plan: Plan, path: Path) -> Seal:
    """The seal beside a plan, which fits it. Raises PlanError where there is none or the plan was changed."""
    place = seal_path(path)
    restore = "restore the seal that was made, from a copy: another seal would be another plan's"
    try:
        content: Any = json.loads(place.read_bytes()[:LARGEST_SEAL])
    except FileNotFoundError:
        raise PlanError(f"{path} is not sealed; seal it before the suspect is asked anything: stillwatch prove {path} --seal") from None
    except OSError as error:
        raise PlanError(f"{place} cannot be read: {error.strerror}; {restore}") from None
    except (ValueError, RecursionError):
        raise PlanError(f"{place} is torn or was changed: a JSON object was expected; {restore}") from None
    try:
        sealed = from_plain(Seal, content)
    except SchemaError:
        raise PlanError(f"{place} lacks what a seal holds: plan_sha256, sealed_at, seal_sha256; {restore}") from None
    check_seal(plan, sealed, place=str(path))
    return sealed


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
