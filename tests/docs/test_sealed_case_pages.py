"""The page of the sealed case says what both verifiers do."""

from __future__ import annotations

import re
from pathlib import Path

from stillwatch.sealing.container import LARGEST_FILE, MOST_MEMBERS
from stillwatch.sealing.envelope import LARGEST_ENVELOPE
from stillwatch.sealing.exhibits import MOST_CELLS, MOST_ROWS
from stillwatch.sealing.numbers import MOST_WORK
from stillwatch.sealing.verification.verifying import STEPS

FORMAT = "docs/reference/sealed-case.md"
HOW_TO = "docs/how-to/seal-and-verify.md"


def _page_defects(page: str) -> dict[int, set[str]]:
    rows = re.findall(r"^\| (\d+) \w+ \| (.+) \|$", page.split("## Steps and defects")[1], re.MULTILINE)
    return {int(number): set(re.findall(r"`([a-z-]+)`", defects)) for number, defects in rows}


def test_every_defect_of_both_verifiers_stands_on_the_page_and_no_other(root: Path, pages: dict[str, str], sources: dict[str, str]) -> None:
    ours: set[str] = set()
    for name, source in sources.items():
        if name.startswith("stillwatch/sealing/"):
            ours |= set(re.findall(r'RefusedCaseError\(\s*"([a-z-]+)"', source))
            ours |= set(re.findall(r'_(?:compare|same)\("([a-z-]+)"', source)) | set(
                re.findall(r'_compare\("[a-z-]+", "([a-z-]+)"', source)
            )
    lone = (root / "verify_case.py").read_text("utf-8")
    listed = set().union(*_page_defects(pages[FORMAT]).values())
    theirs = {defect for defect in listed if f'"{defect}"' in lone}
    assert ours == listed
    assert theirs == listed


def test_the_steps_have_the_names_that_the_pages_give_them(pages: dict[str, str]) -> None:
    expected = [(str(number), name) for number, name in enumerate(STEPS, 1)]
    assert re.findall(r"^\| (\d+) (\w+) \|", pages[FORMAT], re.MULTILINE) == expected
    assert re.findall(r"^\| (\d+) (\w+) \|", pages[HOW_TO], re.MULTILINE) == expected


def test_every_golden_defect_is_one_of_its_step_on_the_page(root: Path, pages: dict[str, str]) -> None:
    import json

    defects = _page_defects(pages[FORMAT])
    expected = json.loads((root / "tests/golden/cases/expected.json").read_text("utf-8"))["files"]
    for name, wanted in expected.items():
        assert wanted["step"] is None or wanted["defect"] in defects[wanted["step"]], name


def test_the_page_names_the_bounds_and_the_schema_that_the_code_has(root: Path, pages: dict[str, str]) -> None:
    page = " ".join(pages[FORMAT].split())
    for bound in (f"{LARGEST_FILE // 2**20} MiB", f"{LARGEST_ENVELOPE // 2**20} MiB", f"{MOST_MEMBERS:,} members"):
        assert bound in page
    for bound in (f"{MOST_ROWS:,} rows", f"{MOST_CELLS:,} cells", f"{MOST_WORK:,} times"):
        assert bound in page
    schema = (root / "src/stillwatch/sealing/case-1.schema.json").read_text("utf-8")
    assert (root / "docs/reference/sealed-case-1.schema.json").read_text("utf-8") == schema


def test_the_readme_of_a_sealed_file_names_commands_and_files_that_there_are(root: Path) -> None:
    from stillwatch.sealing.readme import README_TEXT

    assert (root / "verify_case.py").is_file()
    for words in ("stillwatch verify", "verify_case.py", "case.json", "checkpoint", "exhibits/", "files/", "proofs/"):
        assert words in README_TEXT
    assert max(map(len, README_TEXT.splitlines())) <= 125
