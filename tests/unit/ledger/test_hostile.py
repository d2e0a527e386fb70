"""A log folder from somebody who wants us to believe it, to crash, to hang, or to touch other files."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from stillwatch.errors import StillwatchError
from stillwatch.ledger.canonical import canonical_json
from stillwatch.ledger.checkpoints import Checkpoint, open_checkpoint
from stillwatch.ledger.entries import commitment, new_entry
from stillwatch.ledger.growing import GrowingTree
from stillwatch.ledger.merkle import leaf_hash
from stillwatch.ledger.reading import LogReader
from stillwatch.ledger.refusals import BrokenLogError, LedgerError, NoteError
from stillwatch.ledger.signing import sign_note
from stillwatch.ledger.tiles import bundle
from stillwatch.ledger.verifying import verify
from stillwatch.ledger.writing import LogWriter

from .conftest import NOW, ORIGIN, Made, append, signers, sound

KEY = signers()[0].verifier


def _forged(made: Made, records: list[bytes]) -> None:
    """A log of these records that the key's holder signed: tiles and root are right, whatever the records are."""
    tree = GrowingTree()
    assert not list(tree.extend([leaf_hash(record) for record in records]))
    size = len(records)
    for path, content in (
        (f"tile/entries/000.p/{size}", bundle(records)),
        *((f"tile/{tile.level}/000.p/{size}", tile.content()) for tile in tree.partial()),
        ("checkpoint", sign_note(Checkpoint(origin=ORIGIN, size=size, root=tree.root()), signers(), time=0).content()),
    ):
        (made.public / path).parent.mkdir(parents=True, exist_ok=True)
        (made.public / path).write_bytes(content)


def _public_only(made: Made) -> None:
    reader = LogReader(made.folder, [KEY])
    verify(reader.public.fetch, reader.opened.checkpoint)


ENDLESS = (
    "DROP TABLE contents; CREATE VIEW contents AS WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i FROM n) "
    "SELECT i AS idx, x'00' AS opening FROM n;"
)
GOOD = new_entry("view", NOW, commitment(bytes(32), b"{}")).content()


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        (b'{"at":1,' + GOOD[1:], "name that stands twice"),
        (GOOD[:-1] + b',"v":1}', "name that stands twice"),
        (GOOD.replace(b":", b": "), "not its canonical form"),
        (GOOD.replace(b'"v":1', b'"v":1.0'), "not its canonical form"),
        (GOOD.replace(b'"v":1', b'"v":2'), "its fields are"),
        (GOOD[:-1] + b',"x":1}', "its fields are"),
        (GOOD.replace(b"view", b"../x"), "its kind is"),
        (GOOD.replace(b"2026-11", b"2026-1x"), "its time is"),
        (
            canonical_json({"at": "2026-11-27T12:00:00.000000Z", "commitment": "0" * 64, "concerns": [-1], "kind": "view", "v": 1}),
            "concerns 1 records",
        ),
        (canonical_json({"at": "2026-11-27T12:00:00.000000Z", "commitment": "0" * 64, "concerns": "x", "kind": "view", "v": 1}), "no list"),
        (
            canonical_json({"at": "2026-11-27T12:00:00.000000Z", "commitment": "0" * 64, "kind": "view", "v": 1, "vkeys": [1]}),
            "names 1 keys",
        ),
        (
            canonical_json({"at": "2026-11-27T12:00:00.000000Z", "commitment": "0" * 64, "kind": "view", "v": 1, "vkeys": ["a"]}),
            "verifier key",
        ),
        (b"[" * 60_000, "no JSON"),
        (b"", "no JSON"),
        (b"\xff", "no JSON"),
        (b"[]", "no JSON object"),
    ],
)
def test_a_record_that_is_none_is_named(empty: Made, record: bytes, reason: str) -> None:
    _forged(empty, [GOOD, record])
    with pytest.raises(BrokenLogError, match=rf"record 1 .*{reason}"):
        _public_only(empty)


def test_an_erasure_of_what_does_not_exist_yet_is_refused(empty: Made) -> None:
    content = b"{}"
    entry = new_entry("erasure", NOW, commitment(bytes(32), content), concerns=(9999,)).content()
    _forged(empty, [entry])
    with sqlite3.connect(empty.contents) as base:
        base.execute("INSERT INTO contents VALUES (0, ?)", (bytes(32) + content,))
    with pytest.raises(BrokenLogError, match="stands after it"):
        sound(empty.folder)


@pytest.mark.parametrize("path", ["checkpoint", "tile/0/000", "tile/entries/000", "tile/1/000.p/1"])
def test_links_are_not_followed(filled: Callable[..., Made], tmp_path: Path, path: str) -> None:
    made = filled(256)
    target = tmp_path / "elsewhere"
    shutil.move(made.public / path, target)
    (made.public / path).symlink_to(target)
    with pytest.raises(BrokenLogError, match="is a link"):
        sound(made.folder)


def test_linked_folders_and_other_kinds_of_files_are_refused(filled: Callable[..., Made], tmp_path: Path) -> None:
    made = filled(256)
    shutil.move(made.public / "tile/0", tmp_path / "tiles")
    (made.public / "tile/0").symlink_to(tmp_path / "tiles")
    for read in (lambda: sound(made.folder), lambda: append(made.folder, 1)):
        with pytest.raises(BrokenLogError, match="is a link"):
            read()
    (made.public / "tile/0").unlink()
    shutil.move(tmp_path / "tiles", made.public / "tile/0")
    (made.public / "tile/0/000").unlink()
    os.mkfifo(made.public / "tile/0/000")
    with pytest.raises(BrokenLogError, match="no ordinary file"):
        sound(made.folder)


def test_a_writer_is_led_nowhere_else_by_a_link(filled: Callable[..., Made], tmp_path: Path) -> None:
    made = filled(255)
    outside = tmp_path / "outside"
    outside.mkdir()
    for planted in ("tile/1", "rotations", "tile/0/001.p"):
        (made.public / planted).symlink_to(outside)
    with pytest.raises((StillwatchError, OSError)):
        append(made.folder, 10)
    assert not list(outside.iterdir())
    (made.contents.parent / "link.sqlite").symlink_to(made.contents)
    shutil.move(made.contents, tmp_path / "moved.sqlite")
    made.contents.symlink_to(tmp_path / "moved.sqlite")
    with pytest.raises(BrokenLogError, match="is a link"):
        sound(made.folder)


MOST_RESIDENT = 200
"""MiB that a process has in use at most which verifies a log; its libraries are some 60 of them."""

APART = """
import sys
from pathlib import Path
from stillwatch.ledger.notes import parse_key
from stillwatch.ledger.reading import LogReader
from stillwatch.ledger.refusals import LedgerError
from stillwatch.ledger.verifying import verify
try:
    reader = LogReader(Path(sys.argv[1]), [parse_key(sys.argv[2])])
    verify(reader.public.fetch, reader.opened.checkpoint)
    print("sound")
except LedgerError as error:
    print(str(error).replace(chr(10), " "))
status = dict(line.split(":", 1) for line in open("/proc/self/status"))
print(int(status["VmHWM"].split()[0]) // 1024)
"""


def _verified_apart(made: Made) -> tuple[str, int]:
    """(what is said of the log, MiB at most in use) by a process of its own: this one may have used any amount before."""
    given = [sys.executable, "-c", APART, str(made.folder), KEY.text()]
    done = subprocess.run(given, capture_output=True, text=True, timeout=60, check=True)
    told, peak = done.stdout.splitlines()
    return told, int(peak)


def test_a_sound_log_is_said_to_be_sound_apart(filled: Callable[..., Made]) -> None:
    told, peak = _verified_apart(filled(256))
    assert told == "sound"
    assert 10 < peak < MOST_RESIDENT


@pytest.mark.slow
def test_a_file_of_any_size_costs_no_memory(filled: Callable[..., Made]) -> None:
    made = filled(256)
    for path, reason in (
        ("tile/0/000", "more than 8192 bytes"),
        ("tile/entries/000", "more than 16777"),
        ("checkpoint", "more than 131072"),
    ):
        kept = (made.public / path).read_bytes()
        os.truncate(made.public / path, 2**36)
        told, peak = _verified_apart(made)
        assert reason in told
        assert peak < MOST_RESIDENT
        (made.public / path).write_bytes(kept)


def test_a_checkpoint_that_claims_more_than_there_is_ends_at_once(filled: Callable[..., Made]) -> None:
    made = filled(300)
    huge = Checkpoint(origin=ORIGIN, size=2**62, root=bytes(32))
    (made.public / "checkpoint").write_bytes(sign_note(huge, signers(), time=0).content())
    began = time.monotonic()
    with pytest.raises(BrokenLogError):
        _public_only(made)
    assert time.monotonic() - began < 5


def test_a_swapped_key_and_another_origin_are_refused(filled: Callable[..., Made]) -> None:
    made = filled(3)
    root = LogReader(made.folder, [KEY]).opened.checkpoint.root
    for origin, seed, reason in (("example.org/other", 1, "of the log"), (ORIGIN, 2, "trusted are")):
        note = sign_note(Checkpoint(origin=origin, size=3, root=root), signers(seed, origin), time=0).content()
        (made.public / "checkpoint").write_bytes(note)
        with pytest.raises(NoteError, match=reason):
            sound(made.folder)


def test_a_log_that_was_rolled_back_is_told_by_an_earlier_checkpoint(filled: Callable[..., Made], tmp_path: Path) -> None:
    made = filled(10)
    shutil.copytree(made.folder, tmp_path / "old")
    append(made.folder, 5, start=10)
    kept = (made.public / "checkpoint").read_bytes()
    earlier = [("kept", open_checkpoint(kept, [KEY], "kept"))]
    old = LogReader(tmp_path / "old", [KEY])
    with pytest.raises(BrokenLogError, match="rolled back"):
        verify(old.public.fetch, old.opened.checkpoint, earlier=earlier)
    # whoever goes on from the older copy makes a second history, and both are signed
    append(tmp_path / "old", 5, start=500)
    split = LogReader(tmp_path / "old", [KEY])
    with pytest.raises(BrokenLogError, match="split in two"):
        verify(split.public.fetch, split.opened.checkpoint, earlier=earlier)


def test_a_past_that_the_key_s_holder_wrote_anew_is_told_by_an_earlier_checkpoint_alone(filled: Callable[..., Made]) -> None:
    made = filled(10)
    reader = LogReader(made.folder, [KEY])
    earlier = [("kept", reader.opened)]
    records = [reader.record(index) for index in range(10)]
    records[4] = new_entry("view", NOW, "f" * 64).content()
    _forged(made, [*records, GOOD])
    _public_only(made)  # by itself it is sound
    forged = LogReader(made.folder, [KEY])
    with pytest.raises(BrokenLogError, match="its past was rewritten"):
        verify(forged.public.fetch, forged.opened.checkpoint, earlier=earlier)


@pytest.mark.parametrize("level", ["0/000", "1/000.p/1", "entries/000"])
def test_any_changed_byte_of_any_tile_is_named(filled: Callable[..., Made], level: str) -> None:
    made = filled(256)
    path = made.public / "tile" / level
    whole = path.read_bytes()
    for place in range(0, len(whole), max(1, len(whole) // 40)):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        with pytest.raises(LedgerError):
            _public_only(made)


@pytest.mark.parametrize(
    "script",
    [
        ENDLESS,
        "CREATE TRIGGER t AFTER INSERT ON contents BEGIN DELETE FROM state; END;",
        "DROP TABLE state; CREATE TABLE state (name TEXT PRIMARY KEY, value);",
        "UPDATE contents SET opening = 'text' WHERE idx = 1;",
        "UPDATE contents SET opening = x'00' WHERE idx = 1;",
        "UPDATE contents SET opening = zeroblob(33) WHERE idx = 1;",
        "UPDATE contents SET opening = zeroblob(30000000) WHERE idx = 1;",
    ],
)
def test_a_hostile_content_store_is_refused_in_bounded_time(filled: Callable[..., Made], script: str) -> None:
    made = filled(3)
    with sqlite3.connect(made.contents) as base:
        base.executescript(script)
    began = time.monotonic()
    with pytest.raises(LedgerError):
        sound(made.folder)
    assert time.monotonic() - began < 10


def test_a_content_store_that_is_no_database_is_refused(filled: Callable[..., Made]) -> None:
    made = filled(3)
    made.contents.write_bytes(b"SQLite format 3\0" + os.urandom(5000))
    for read in (lambda: sound(made.folder), lambda: append(made.folder, 1)):
        with pytest.raises(BrokenLogError, match="damaged"):
            read()


def test_a_folder_that_is_no_log_says_so(tmp_path: Path) -> None:
    with pytest.raises(StillwatchError, match="is no log"):
        LogReader(tmp_path, [KEY])
    with pytest.raises(StillwatchError), LogWriter(tmp_path / "none", signers()):
        pass


def test_a_forged_change_of_keys_is_refused(filled: Callable[..., Made]) -> None:
    made = filled(4)
    reader = LogReader(made.folder, [KEY])
    (made.public / "rotations").mkdir()
    # signed by the log, but its last record names no key
    (made.public / "rotations/4").write_bytes(reader.note)
    with pytest.raises(BrokenLogError, match="names no key"):
        LogReader(made.folder, [KEY])
    # signed by a stranger: passed over
    note = sign_note(Checkpoint(origin=ORIGIN, size=4, root=bytes(32)), signers(6), time=0).content()
    (made.public / "rotations/4").write_bytes(note)
    assert LogReader(made.folder, [KEY]).eras.last == (KEY,)
    with pytest.raises(NoteError):
        LogReader(made.folder, [signers(7)[0].verifier])
