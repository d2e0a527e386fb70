"""The pairs file is private, only grows, and shows whatever was done to it."""

from __future__ import annotations

import dataclasses
import errno
import json
import os
import stat
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from stillwatch.app.pair_files import START, BrokenChainError, append_pair, read_pairs
from stillwatch.app.private_files import create_private, read_private
from stillwatch.errors import OutputError, SchemaError, UnreadableInputError
from stillwatch.records.pairs import TwinPair


def _pair(name: str) -> TwinPair:
    return TwinPair(
        request_id=name,
        account_id=None,
        model="m",
        at="2026-11-25T00:00:00Z",
        period="2026-11",
        key_commitment="sha256:00",
        share=0.01,
        prompt="why\n",
        first=f"\ud83d one \u2028 {name}",
        second="two",
        tie=False,
    )


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "pairs.jsonl"
    for name in "abc":
        append_pair(path, _pair(name))
    return path


def test_pairs_come_back_as_they_were_appended(path: Path) -> None:
    found = read_pairs(path)
    assert found.pairs == tuple(_pair(name) for name in "abc")
    assert (found.lines, found.torn) == (3, 0)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_the_head_changes_with_every_pair_and_an_empty_file_has_the_start(path: Path, tmp_path: Path) -> None:
    before = read_pairs(path).head
    append_pair(path, _pair("d"))
    assert read_pairs(path).head != before
    empty = tmp_path / "empty"
    create_private(empty, "")
    assert read_pairs(empty).head == START


def test_a_private_file_that_cannot_be_written_whole_is_named_and_not_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(OSError, match=r"No space left on device: '.*master\.key'"):
            create_private(tmp_path / "master.key", "secret")
    assert list(tmp_path.iterdir()) == []
    create_private(tmp_path / "master.key", "secret")
    with pytest.raises(OutputError, match="never overwritten"):
        create_private(tmp_path / "master.key", "another")
    assert (tmp_path / "master.key").read_text("utf-8") == "secret"


def test_another_file_is_not_called_a_changed_one(tmp_path: Path) -> None:
    create_private(tmp_path / "questions.jsonl", '{"slot": "city/weather"}\n')
    with pytest.raises(BrokenChainError, match="does not say which line it follows, as lines of a pairs file do"):
        read_pairs(tmp_path / "questions.jsonl")


@pytest.mark.parametrize("change", ["edit", "drop", "swap", "insert"])
def test_a_file_that_was_changed_is_refused(path: Path, change: str) -> None:
    lines = path.read_bytes().splitlines(keepends=True)
    if change == "edit":
        lines[1] = lines[1].replace(b"two", b"six")
    elif change == "drop":
        del lines[1]
    elif change == "swap":
        lines[0], lines[1] = lines[1], lines[0]
    else:
        lines.insert(1, lines[0])
    path.write_bytes(b"".join(lines))
    with pytest.raises(BrokenChainError, match=r"line [123]"):
        read_pairs(path)


def test_a_torn_line_is_counted_and_the_chain_goes_on(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-40])
    append_pair(path, _pair("d"))
    found = read_pairs(path)
    assert [pair.request_id for pair in found.pairs] == ["a", "b", "d"]
    assert (found.lines, found.torn) == (4, 1)


def test_lines_longer_than_what_is_read_at_a_time_are_chained_too(path: Path) -> None:
    for name in ("long", "next"):
        append_pair(path, dataclasses.replace(_pair(name), second="x" * 300_000))
    assert len(read_pairs(path).pairs) == 5


def test_writers_at_the_same_time_make_one_chain(path: Path) -> None:
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda place: append_pair(path, _pair(f"p{place}")), range(40)))
    assert len(read_pairs(path).pairs) == 43


def test_a_file_that_others_may_use_is_refused(path: Path) -> None:
    path.chmod(0o640)
    with pytest.raises(UnreadableInputError, match="0640"):
        read_pairs(path)
    with pytest.raises(UnreadableInputError, match="chmod 600"):
        append_pair(path, _pair("d"))
    with pytest.raises(UnreadableInputError, match="0640"):
        read_private(path)


def test_a_link_is_not_followed_when_writing(path: Path, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(path)
    with pytest.raises(OutputError, match="link"):
        append_pair(link, _pair("d"))
    assert len(read_pairs(path).pairs) == 3


def test_a_whole_line_without_a_pair_is_named(path: Path) -> None:
    head = read_pairs(path).head
    with path.open("a") as file:
        file.write(json.dumps({"previous": head, "pair": {"request_id": 5}}) + "\n")
    with pytest.raises(SchemaError, match="line 4"):
        read_pairs(path)


def test_private_files_are_made_once_and_for_their_owner(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    create_private(path, "one")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with pytest.raises(OutputError, match="never overwritten"):
        create_private(path, "two")
    assert read_private(path) == "one"
    with pytest.raises(OutputError, match="cannot be made"):
        create_private(tmp_path / "none" / "secret", "one")
    for bad in (tmp_path, tmp_path / "missing"):
        with pytest.raises(UnreadableInputError):
            read_private(bad)


def test_without_file_locks_pairs_are_read_and_none_is_written(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = path.read_bytes()
    monkeypatch.setitem(sys.modules, "fcntl", None)
    with pytest.raises(OutputError, match="a file lock that this system has not; run the gateway on Linux or macOS"):
        append_pair(path, _pair("d"))
    assert path.read_bytes() == before
    assert len(read_pairs(path).pairs) == 3
