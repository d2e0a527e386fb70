"""Hostile files cost bounded time and memory: each is given to both verifiers in a process whose memory is limited."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from stillwatch.sealing.container import LARGEST_FILE
from stillwatch.sealing.envelope import LARGEST_ENVELOPE

from .conftest import ROOT, module_of

pytestmark = pytest.mark.slow

MOST_MEMORY = 1_000 * 2**20
"""Bytes of address space that a process may have; one that has loaded its libraries has some 150 MiB of them."""

MOST_RESIDENT = 600
"""MiB that are really used."""

MOST_SECONDS = 120
CHILD = """
import json, resource, sys, time
resource.setrlimit(resource.RLIMIT_AS, (int(sys.argv[2]), int(sys.argv[2])))
started = time.monotonic()
if sys.argv[3] == "ours":
    from pathlib import Path
    from stillwatch.app.case_verifying import verification_json, verify_file
    found = verification_json(verify_file(Path(sys.argv[1]), []))
else:
    sys.path.insert(0, sys.argv[4])
    import verify_case
    with open(sys.argv[1], "rb") as file:
        found = verify_case.verify(file.read(verify_case.LARGEST_FILE + 1), [])
failed = found["failed"] or {}
# ru_maxrss would begin with what the process that started this one has; the high-water mark of /proc is this program's alone
status = dict(line.split(":", 1) for line in open("/proc/self/status"))
peak = int(status["VmHWM"].split()[0]) // 1024
print(json.dumps([found["verdict"], failed.get("step"), failed.get("defect"), time.monotonic() - started, peak]))
"""


def verdicts(path: Path) -> list[list[Any]]:
    """[verdict, step, defect, seconds, MiB] of both verifiers, each in a process of limited memory."""
    found: list[list[Any]] = []
    for which in ("ours", "alone"):
        given = [sys.executable, "-c", CHILD, str(path), str(MOST_MEMORY), which, str(ROOT)]
        done = subprocess.run(given, capture_output=True, text=True, timeout=MOST_SECONDS, check=False)
        assert done.returncode == 0, (which, done.stderr[-800:])
        found.append(json.loads(done.stdout))
        print(which, found[-1])
    return found


@pytest.fixture(scope="module")
def editing() -> ModuleType:
    """What takes files apart and puts them together."""
    return module_of(ROOT / "tests" / "golden" / "editing.py", "golden_editing")


def _signed(editing: ModuleType, making: ModuleType, change: Callable[[Any], bytes]) -> bytes:
    opened = editing.Opened((ROOT / "tests" / "golden" / "cases" / "full.zip").read_bytes(), making.signers())
    return change(opened)


def _statement(opened: Any, payload: bytes) -> bytes:
    return opened.signed(payload)


def _narrative(opened: Any) -> bytes:
    opened.members["narrative.html"] = b'<span id="C1">' * (50 * 2**20 // 14)
    return opened.signed()


HOSTILE: dict[str, tuple[str, Callable[[ModuleType, ModuleType], bytes]]] = {
    "larger than a case": ("too-large", lambda _, __: bytes(LARGEST_FILE + 1)),
    "heads and nothing else": ("member-name", lambda _, __: b"PK\3\4" * (LARGEST_FILE // 4)),
    "as many members as fit": (
        "too-large",
        lambda editing, _: editing.raw_archive([(f"exhibits/E{place}.jsonl", b"", {}) for place in range(1, 60_000)]),
    ),
    "directory entries and nothing else": (
        "directory",
        lambda editing, _: editing.raw_archive([("case.json", b"{}", {})])[:41] + b"PK\1\2" * (50 * 2**20 // 4),
    ),
    "an envelope of empty lists": (
        "envelope-form",
        lambda editing, _: editing.raw_archive([("case.json", b"[" + b"[]," * (LARGEST_ENVELOPE // 3 - 2) + b"[]]", {})]),
    ),
    "an envelope that is too large": (
        "too-large",
        lambda editing, _: editing.raw_archive([("case.json", b"[" + b"[]," * (50 * 2**20 // 3) + b"[]]", {})]),
    ),
    "an envelope nested without end": ("json-form", lambda editing, _: editing.raw_archive([("case.json", b"[" * 4 * 2**20, {})])),
    "a statement of objects": (
        "statement-form",
        lambda editing, making: _signed(editing, making, lambda opened: _statement(opened, b"[" + b"{}," * 950_000 + b"{}]")),
    ),
    "a number of a million digits": (
        "json-form",
        lambda editing, making: _signed(editing, making, lambda opened: _statement(opened, b"9" * 1_000_000)),
    ),
    "a narrative of fifty million bytes": ("narrative", lambda editing, making: _signed(editing, making, _narrative)),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_file_is_refused_within_bounds_of_time_and_memory(
    name: str, tmp_path: Path, editing: ModuleType, making: ModuleType
) -> None:
    defect, make = HOSTILE[name]
    path = tmp_path / "hostile.zip"
    path.write_bytes(make(editing, making))
    for verdict, step, found, seconds, peak in verdicts(path):
        assert (verdict, found) == ("refused", defect), step
        assert seconds < MOST_SECONDS / 2
        assert peak < MOST_RESIDENT


def test_numbers_that_read_every_row_again_and_again_are_refused(tmp_path: Path, editing: ModuleType, making: ModuleType) -> None:
    def many(opened: Any) -> bytes:
        opened.case["numbers"] = [dict(opened.case["numbers"][0], uid=f"N{place}", value="0") for place in range(1, 9000)]
        opened.case["exhibits"][0]["rows"] = 40_000
        return opened.signed()

    path = tmp_path / "busy.zip"
    path.write_bytes(_signed(editing, making, many))
    for verdict, step, found, *_ in verdicts(path):
        assert (verdict, step, found) == ("refused", 5, "too-large")


def test_the_largest_case_that_is_allowed_verifies_within_the_same_bounds(tmp_path: Path, making: ModuleType) -> None:
    rows = making.exchanges(50_000)
    numbers = tuple(
        making.replace(number, value="50000", uid=f"N{place}")
        for place, number in enumerate((number for number in making.numbers() if number.uid in ("N1", "N10")), 1)
    )
    claim = making.replace(making.content().claims[0], numbers=("N1", "N2"), exhibits=("E1",))
    case = making.content(exhibits=(rows,), numbers=numbers, claims=(claim,))
    path = tmp_path / "large.zip"
    path.write_bytes(making.seal_sample(case)[0])
    assert path.stat().st_size > 30 * 2**20
    for verdict, _, _, seconds, peak in verdicts(path):
        assert verdict == "unknown signer"
        assert seconds < MOST_SECONDS / 2
        assert peak < MOST_RESIDENT


@pytest.mark.parametrize("made", ["fifo", "folder", "link to /dev/zero"])
def test_what_is_no_file_is_refused_as_wrong_usage_and_never_waited_for(made: str, tmp_path: Path) -> None:
    import os

    path = tmp_path / "case.zip"
    if made == "fifo":
        os.mkfifo(path)
    elif made == "folder":
        path.mkdir()
    else:
        path.symlink_to("/dev/zero")
    done = subprocess.run(
        [sys.executable, "-m", "stillwatch", "verify", str(path)], capture_output=True, text=True, timeout=30, check=False
    )
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
