"""Whatever stops a writer, and wherever: nothing acknowledged is lost, and no log is left that verifies wrongly or not at all."""

from __future__ import annotations

import errno
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from stillwatch.errors import OutputError, StillwatchError, UnreadableInputError
from stillwatch.ledger import contents as contents_module
from stillwatch.ledger import files as files_module
from stillwatch.ledger.reading import LogReader
from stillwatch.ledger.refusals import BrokenLogError, LedgerError
from stillwatch.ledger.tiles import tile_path
from stillwatch.ledger.verifying import verify
from stillwatch.ledger.writing import Act, LogWriter

from .conftest import NOW, Made, acts, append, signers, sound

KEY = signers()[0].verifier
WRITES = frozenset({"open", "write", "replace", "fsync", "mkdir", "close", "unlink", "rmdir"})


class _DeadError(BaseException):
    """The process ends here; nothing catches it but the test."""


class _Os:
    """The module `os` for the log's files: at the given step it does half of the work, and then what `end` does."""

    def __init__(self, step: int, end: Callable[[], None]) -> None:
        self.steps = 0
        self._step, self._end, self._dead = step, end, False

    def __getattr__(self, name: str) -> Any:
        real = getattr(os, name)
        if name not in WRITES:
            return real

        return lambda *given, **named: self._call(name, real, given, named)

    def _call(self, name: str, real: Any, given: tuple[Any, ...], named: dict[str, Any]) -> Any:
        if self._dead:
            if name == "close":
                return real(*given, **named)
            raise _DeadError
        self.steps += 1
        if self.steps == self._step:
            self._stop(name, real, given)
        # a process that is killed leaves what it wrote to the system
        return None if name == "fsync" else real(*given, **named)

    def _stop(self, name: str, real: Any, given: tuple[Any, ...]) -> None:
        if name == "close":  # the system closes what a dead process had open
            real(*given)
        if name == "write":
            real(given[0], given[1][: len(given[1]) // 2])
        self._dead = self._end is _die
        self._end()


def _die() -> None:
    raise _DeadError


def _full() -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _dying(made: Made, work: Callable[[LogWriter], None]) -> None:
    """Work that the writer does not survive."""
    with LogWriter(made.folder, signers()) as writer, pytest.raises(_DeadError):
        work(writer)


def _steps(made: Made, monkeypatch: pytest.MonkeyPatch, work: Callable[[LogWriter], None]) -> int:
    """How many writing steps a piece of work takes."""
    counting = _Os(0, _die)
    with monkeypatch.context() as patch, LogWriter(made.folder, signers()) as writer:
        patch.setattr(files_module, "os", counting)
        work(writer)
    return counting.steps


def _work(writer: LogWriter) -> None:
    """Fills a tile and begins the next one, so that every kind of file is written."""
    writer.append(acts(40, 100), at=NOW)


@pytest.mark.slow
@pytest.mark.parametrize("end", [_die, _full])
def test_a_writer_stopped_at_any_step_leaves_all_or_nothing(
    filled: Callable[..., Made], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, end: Callable[[], None]
) -> None:
    import shutil

    monkeypatch.setattr(contents_module, "_PRAGMAS", (*contents_module._PRAGMAS, "synchronous=OFF"))
    monkeypatch.setattr(files_module.Folder, "settle", lambda folder: folder._unsettled.clear())
    made = filled(250)
    start = tmp_path / "start"
    shutil.copytree(made.folder, start)
    steps = _steps(made, monkeypatch, _work)
    assert steps > 20
    seen = set()
    for step in range(1, steps + 1):
        shutil.rmtree(made.folder)
        shutil.copytree(start, made.folder)
        acknowledged = False
        with monkeypatch.context() as patch:
            try:
                with LogWriter(made.folder, signers()) as writer:
                    patch.setattr(files_module, "os", _Os(step, end))
                    _work(writer)
                    acknowledged = True
            except (_DeadError, OSError, UnreadableInputError):
                pass
        # as it lies there, before anybody mends it, a reader finds one state or the other, whole
        assert sound(made.folder).checkpoint.size in (250, 290)
        with LogWriter(made.folder, signers()) as writer:
            size = writer.size
            assert size in ((290,) if acknowledged else (250, 290))
            writer.append(acts(3, 500), at=NOW)
        assert sound(made.folder).checkpoint.size == size + 3
        seen.add((acknowledged, size))
    # the transaction comes before the first file, so that whatever stops the files the batch is kept
    assert (False, 290) in seen


def as_it_lies(made: Made) -> None:
    """The log is sound before anybody mends it; contents may wait for a transaction to be rolled back, which readers leave to the owner."""
    reader = LogReader(made.folder, [KEY])
    verify(reader.public.fetch, reader.opened.checkpoint)
    with suppress(UnreadableInputError):
        sound(made.folder)


@pytest.mark.parametrize("at", ["BEGIN IMMEDIATE", "COMMIT"])
def test_a_transaction_that_fails_leaves_nothing(filled: Callable[..., Made], monkeypatch: pytest.MonkeyPatch, at: str) -> None:
    import sqlite3

    made = filled(5)

    class Base:
        def __init__(self, base: sqlite3.Connection) -> None:
            self.base = base

        def __getattr__(self, name: str) -> Any:
            return getattr(self.base, name)

        def execute(self, question: str, *values: Any) -> Any:
            if question == at:
                raise sqlite3.OperationalError("database or disk is full")
            return self.base.execute(question, *values)

    with LogWriter(made.folder, signers()) as writer:
        monkeypatch.setattr(writer._contents, "_base", Base(writer._contents._base))
        with pytest.raises(OutputError, match="the disk is full or fails; nothing of this batch was recorded"):
            writer.append(acts(3), at=NOW)
        with pytest.raises(OutputError, match="takes nothing more"):
            writer.append(acts(3), at=NOW)
    append(made.folder, 2)
    assert sound(made.folder).checkpoint.size == 7


def test_an_erasure_that_was_interrupted_is_finished(filled: Callable[..., Made], monkeypatch: pytest.MonkeyPatch) -> None:
    made = filled(5)

    def dead(_self: object) -> int:
        raise _DeadError

    def erase(writer: LogWriter) -> None:
        monkeypatch.setattr(contents_module.Contents, "erase_noted", dead)
        writer.append([Act(kind="erasure", content={"why": "asked"}, concerns=(1,))], at=NOW, erases=(1,))

    _dying(made, erase)
    monkeypatch.undo()
    found = sound(made.folder)
    assert (found.checkpoint.size, found.erased, found.unfinished) == (6, 0, (1,))
    with LogWriter(made.folder, None) as writer:
        assert writer.recovered == (0, 1)
    found = sound(made.folder)
    assert (found.erased, found.unfinished) == (1, ())


@pytest.mark.parametrize("tear", [lambda data: data[: len(data) // 2], lambda data: bytes(len(data)), lambda _: b""])
def test_files_that_a_power_cut_tore_are_written_again(
    filled: Callable[..., Made], monkeypatch: pytest.MonkeyPatch, tear: Callable[[bytes], bytes]
) -> None:
    made = filled(250)
    before = {path for path in made.public.rglob("*") if path.is_file()}

    def dead(_self: object) -> None:
        raise _DeadError

    def work(writer: LogWriter) -> None:
        monkeypatch.setattr(files_module.Folder, "settle", dead)
        writer.append(acts(40), at=NOW)

    _dying(made, work)
    monkeypatch.undo()
    torn = [path for path in made.public.rglob("*") if path.is_file() and path not in before]
    assert len(torn) >= 4
    for path in torn:
        path.write_bytes(tear(path.read_bytes()))
    assert sound(made.folder).checkpoint.size == 250
    with LogWriter(made.folder, signers()) as writer:
        assert writer.recovered == (40, 0)
    assert sound(made.folder).checkpoint.size == 290


def test_a_change_of_keys_that_was_interrupted_is_finished_with_the_new_key(
    filled: Callable[..., Made], monkeypatch: pytest.MonkeyPatch
) -> None:
    made = filled(5)

    def dead(*_: object) -> None:
        raise _DeadError

    def rotate(writer: LogWriter) -> None:
        monkeypatch.setattr(files_module.Folder, "write", dead)
        writer.rotate(signers(2), Act(kind="key_rotation", content={}), at=NOW)

    _dying(made, rotate)
    monkeypatch.undo()
    assert sound(made.folder).checkpoint.size == 5
    append(made.folder, 2, seed=2)
    assert sound(made.folder).checkpoint.size == 8
    assert sound(made.folder, signers(2)[0].verifier).checkpoint.size == 8


@pytest.mark.parametrize("path", ["checkpoint", tile_path(0, 0, 44), tile_path("entries", 1, 44), tile_path(1, 0, 1), "keys"])
def test_a_settled_file_that_was_torn_later_is_refused_with_its_name(filled: Callable[..., Made], path: str) -> None:
    made = filled(300)
    torn = made.public / path.replace("000.p", "001.p") if path.startswith("tile/0") else made.public / path
    torn.write_bytes(torn.read_bytes()[:-3])
    if path == "keys":
        LogReader(made.folder, [KEY])  # the key that is trusted comes from elsewhere
        with pytest.raises(StillwatchError):
            LogReader(made.folder)
        return
    with pytest.raises(LedgerError):
        sound(made.folder)
    with pytest.raises(LedgerError), LogWriter(made.folder, signers()):
        pass


def test_a_part_that_was_restored_from_an_older_copy_is_refused(filled: Callable[..., Made], tmp_path: Path) -> None:
    import shutil

    made = filled(10)
    shutil.copytree(made.folder, tmp_path / "copy")
    append(made.folder, 300)
    newer = made.contents.read_bytes()
    shutil.copyfile(tmp_path / "copy/private/contents.sqlite", made.contents)
    with pytest.raises(BrokenLogError, match="restored from an older copy"), LogWriter(made.folder, signers()):
        pass
    made.contents.write_bytes(newer)
    shutil.rmtree(made.public)
    shutil.copytree(tmp_path / "copy/public", made.public)
    with LogWriter(made.folder, signers()) as writer:  # the newest batch is still noted, so that it is published again
        assert writer.recovered == (300, 0)
    assert sound(made.folder).checkpoint.size == 310


WRITER = """
import os, sys
from datetime import UTC, datetime
from pathlib import Path
from stillwatch.ledger.notes import Kind
from stillwatch.ledger.signing import NoteSigner
from stillwatch.ledger.verifying import verify
from stillwatch.ledger.writing import Act, LogWriter
folder, now = Path(sys.argv[1]), datetime(2026, 11, 27, 12, tzinfo=UTC)
signers = (NoteSigner("example.com/evidence", Kind.ED25519, bytes([1]) * 32),)
limit = int(sys.argv[2])
if limit:
    import resource, signal
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

def work(told):
    with LogWriter(folder, signers) as writer:
        os.write(told, b"%d\\n" % writer.size)
        while True:
            count = 1 + writer.size * 7919 % 60
            acts = [Act(kind="view", content={"n": writer.size + number, "text": "x" * 200}) for number in range(count)]
            writer.append(acts, at=now)
            os.write(told, b"%d\\n" % writer.size)
            if count % 3 == 0:
                gone = writer.size - 1
                writer.append([Act(kind="erasure", content={}, concerns=(gone,))], at=now, erases=(gone,))
                os.write(told, b"%d\\n" % writer.size)

for line in sys.stdin:
    told = os.open(line.strip(), os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    child = os.fork()
    if child == 0:
        try:
            work(told)
        except BaseException as error:
            os.write(told, f"ended {type(error).__name__} {error}\\n".encode())
        os._exit(1)
    os.close(told)
    print(child, flush=True)
    os.waitpid(child, 0)
    print("gone", flush=True)
"""


def _writer(made: Made, limit: int = 0) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", WRITER, str(made.folder), str(limit)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def _told(path: Path) -> tuple[int, str]:
    """The last size that was acknowledged, and why the writer ended by itself."""
    lines = path.read_text().split("\n")[:-1] if path.exists() else []
    sizes = [int(line) for line in lines if line.isdigit()]
    return max(sizes, default=0), next((line for line in lines if line.startswith("ended")), "")


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_a_writer_killed_at_two_hundred_random_points_loses_nothing_that_it_acknowledged(empty: Made, tmp_path: Path, seed: int) -> None:
    draw = random.Random(seed)
    told = tmp_path / "told"
    recovered = 0
    with _writer(empty) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for _ in range(50):
            told.unlink(missing_ok=True)
            process.stdin.write(f"{told}\n")
            process.stdin.flush()
            child = int(process.stdout.readline())
            while not told.exists() or not told.stat().st_size:
                time.sleep(0.001)
            time.sleep(draw.random() * 0.15)
            os.kill(child, signal.SIGKILL)
            assert process.stdout.readline() == "gone\n"
            acknowledged, ended = _told(told)
            assert not ended, ended
            as_it_lies(empty)
            with LogWriter(empty.folder, signers()) as writer:
                assert writer.size >= acknowledged
                recovered += writer.recovered != (0, 0)
        process.stdin.close()
    found = sound(empty.folder)
    assert found.unfinished == ()
    assert found.checkpoint.size > 100
    assert found.erased
    assert recovered  # some were hit between the transaction and the checkpoint


@pytest.mark.slow
@pytest.mark.parametrize("limit", [40_000, 60_000, 100_000, 250_000])
def test_a_disk_that_takes_no_more_is_told_and_costs_nothing_that_was_acknowledged(empty: Made, tmp_path: Path, limit: int) -> None:
    told = tmp_path / "told"
    with _writer(empty, limit) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(f"{told}\n")
        process.stdin.close()
        assert process.stdout.read().endswith("gone\n")
    acknowledged, ended = _told(told)
    assert ended.startswith(("ended OutputError", "ended OSError")), ended
    as_it_lies(empty)
    with LogWriter(empty.folder, signers()) as writer:
        assert writer.size >= acknowledged
        writer.append(acts(1), at=NOW)
    assert sound(empty.folder).checkpoint.size > acknowledged
