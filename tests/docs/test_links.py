"""Links within the repository lead somewhere, and no file names a place on one machine."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

_LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
_CODE = re.compile(r"^```.*?^```$", re.DOTALL | re.MULTILINE)
# written in pieces, so that this file does not hold what it forbids
_PLACES = re.compile("|".join("/" + place + "/" for place in ("work", "home/[a-z]", "Users/[A-Za-z]", "root")).encode())
_BINARY = frozenset({".png", ".parquet", ".gz", ".zst"})


def _links(pages: dict[str, str]) -> Iterator[tuple[str, str]]:
    for name, page in pages.items():
        for target in _LINK.findall(_CODE.sub("", page)):
            if not target.startswith(("https://", "http://", "mailto:")):
                yield name, target


def test_relative_links_point_to_files_that_exist(root: Path, pages: dict[str, str]) -> None:
    links = list(_links(pages))
    assert len(links) > 20
    broken = [(name, target) for name, target in links if not (root / name).parent.joinpath(target.split("#")[0]).exists()]
    assert not broken


def _anchor(heading: str) -> str:
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def test_links_to_headings_point_to_headings_that_exist(root: Path, pages: dict[str, str]) -> None:
    missing = []
    for name, target in _links(pages):
        path, _, anchor = target.partition("#")
        if anchor:
            page = (root / name).parent.joinpath(path) if path else root / name
            headings = re.findall(r"^#+ (.+)$", page.read_text("utf-8"), re.MULTILINE)
            if anchor not in map(_anchor, headings):
                missing.append((name, target))
    assert not missing


def test_every_page_below_docs_is_linked_from_another_page(root: Path, pages: dict[str, str]) -> None:
    reached = {(root / name).parent.joinpath(target.split("#")[0]).resolve() for name, target in _links(pages)}
    assert not [name for name in pages if name.startswith("docs/") and (root / name).resolve() not in reached]


def test_no_file_names_a_home_or_work_folder(tracked: tuple[Path, ...], root: Path) -> None:
    text = [path for path in tracked if path.suffix not in _BINARY]
    assert len(text) > 100
    named = {path.relative_to(root).as_posix(): found.group().decode() for path in text if (found := _PLACES.search(path.read_bytes()))}
    assert not named


def test_the_picture_of_the_report_is_small_enough_to_load(root: Path) -> None:
    assert 10_000 < (root / "docs" / "images" / "report.png").stat().st_size < 400_000
