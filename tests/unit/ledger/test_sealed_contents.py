"""Contents of the log lie encrypted where there is a key: they open with it alone, and everything that is public stays as it was."""

from __future__ import annotations

import json
import sqlite3
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from stillwatch.app import log_sealing
from stillwatch.app.evidence_log import Who, append_lines, erase, opening, start_log
from stillwatch.app.log_checking import Trust, check_log
from stillwatch.app.log_sealing import encrypt_log
from stillwatch.app.recording import LOG_PLACE, log_box
from stillwatch.cli import main
from stillwatch.errors import OutputError, StillwatchError, UnreadableInputError
from stillwatch.govern.refusals import VaultError
from stillwatch.govern.vault import MAGIC, Vault, VaultKey, key_text
from stillwatch.ledger.contents import SEALED, Contents
from stillwatch.ledger.reading import LogReader
from stillwatch.records.evidence import Ground

NOW = datetime(2026, 7, 1, 12, 0, tzinfo=UTC)
OLD, NEW = VaultKey(bytes(range(32))), VaultKey(bytes(range(1, 33)))
WORDS = "the customer's own name"


class Log:
    """A log in a folder, and the keys of the vault that the environment gives."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder, self.key, self._patch = folder / "ev", folder / "log.key", monkeypatch
        self.keys()
        start_log(self.folder, "example.com/ev", self.key, ml_dsa=False, purpose="", now=NOW)

    def keys(self, *keys: VaultKey) -> None:
        """Set STILLWATCH_VAULT_KEY to these keys, or take it away."""
        self._patch.delenv("STILLWATCH_VAULT_KEY", raising=False)
        if keys:
            self._patch.setenv("STILLWATCH_VAULT_KEY", "".join(key_text(key) for key in keys))

    def view(self, what: str = WORDS) -> None:
        append_lines(self.folder, "view", iter([json.dumps({"by": "ann", "why": "case 7", "what": what})]), self.key, concerns=(), now=NOW)

    def said(self, index: int) -> Any:
        found = opening(LogReader(self.folder, ()), index)
        assert found is not None
        return found[1]

    def verified(self) -> int | None:
        return check_log(self.folder, Trust(), contents=True).verified.contents

    def stored(self) -> bytes:
        return (self.folder / "private" / "contents.sqlite").read_bytes()

    def public(self) -> dict[str, bytes]:
        return {str(path): path.read_bytes() for path in (self.folder / "public").rglob("*") if path.is_file()}


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Log:
    return Log(tmp_path, monkeypatch)


def test_the_mark_of_a_sealed_opening_is_the_vaults() -> None:
    assert SEALED == MAGIC


def test_what_is_recorded_with_a_key_lies_encrypted_and_opens_with_it_alone(log: Log) -> None:
    log.keys(OLD)
    log.view()
    assert WORDS.encode() not in log.stored()
    assert log.said(1)["what"] == WORDS
    assert log.verified() == 2
    log.keys()
    with pytest.raises(UnreadableInputError, match="is encrypted, and no key is given"):
        log.said(1)
    with pytest.raises(UnreadableInputError, match="--no-contents"):
        log.verified()
    assert check_log(log.folder, Trust(), contents=False).verified.checkpoint.size == 2
    log.keys(NEW)
    with pytest.raises(VaultError, match="give the file of that key"):
        log.said(1)


def test_nothing_is_added_in_plain_to_a_log_that_is_encrypted(log: Log) -> None:
    log.keys(OLD)
    log.view()
    log.keys()
    before = log.public()
    with pytest.raises(OutputError, match="nothing is added to it in plain"):
        log.view()
    assert log.public() == before
    log.keys(OLD)
    log.view("another")
    assert log.said(2)["what"] == "another"


def test_a_plain_log_is_encrypted_and_its_key_changed_with_proofs_as_they_were(log: Log) -> None:
    for number in range(5):
        log.view(f"{WORDS} {number}")
    erase(log.folder, [2], Who(by="ann", why="retention"), Ground.RETENTION, log.key, now=NOW)
    before = log.public()
    assert WORDS.encode() in log.stored()
    expected = {"contents": 6, "sealed": 6, "rewrapped": 0, "already": 0}
    found = encrypt_log(log.folder, Vault([OLD]))
    assert {name: found[name] for name in expected} == expected
    assert WORDS.encode() not in log.stored()
    log.keys(OLD)
    assert (log.verified(), log.public()) == (6, before)
    assert encrypt_log(log.folder, Vault([NEW, OLD]))["rewrapped"] == 6
    with pytest.raises(VaultError):
        log.verified()
    log.keys(NEW)
    assert (log.verified(), log.public(), log.said(5)["what"]) == (6, before, f"{WORDS} 4")
    assert encrypt_log(log.folder, Vault([NEW]))["already"] == 6


def test_an_interrupted_change_of_keys_goes_on(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(5):
        log.view(f"{number}")
    monkeypatch.setattr(log_sealing, "BATCH", 2)
    replace, calls = Contents.replace, iter(range(10))

    def stops(self: Contents, index: int, stored: bytes) -> None:
        if next(calls) == 3:
            raise KeyboardInterrupt
        replace(self, index, stored)

    with monkeypatch.context() as patch:
        patch.setattr(Contents, "replace", stops)
        with pytest.raises(KeyboardInterrupt):
            encrypt_log(log.folder, Vault([OLD]))
    found = encrypt_log(log.folder, Vault([OLD]))
    assert (found["contents"], found["already"], found["sealed"]) == (6, 2, 4)
    log.keys(OLD)
    assert log.verified() == 6


def test_sealed_contents_that_were_swapped_or_changed_do_not_open(log: Log) -> None:
    log.keys(OLD)
    log.view("one")
    log.view("two")
    path = log.folder / "private" / "contents.sqlite"
    base = sqlite3.connect(path)
    rows = dict(base.execute("SELECT idx, opening FROM contents"))
    for stored in (rows[2], rows[1][:-1] + bytes([rows[1][-1] ^ 1]), rows[1][:60], SEALED):
        base.execute("UPDATE contents SET opening = ? WHERE idx = 1", (stored,))
        base.commit()
        with pytest.raises(StillwatchError):
            log.said(1)
    base.close()


def test_contents_are_sealed_for_their_record(log: Log) -> None:
    log.keys(OLD)
    log.view()
    box = log_box()
    assert box is not None
    stored = next(blob for index, blob in Contents(log.folder / "private" / "contents.sqlite", writable=False).stored(1, 1) if index == 1)
    assert Vault([OLD]).open(stored, (LOG_PLACE, "1")).endswith(b'"why":"case 7"}')
    with pytest.raises(VaultError):
        box.at("2").open(stored)


@pytest.mark.slow
def test_the_command_needs_a_key_and_says_what_it_did(log: Log, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["log", "encrypt", str(log.folder)]) == 2
    assert "no key of the vault" in capsys.readouterr().err
    log.keys(OLD)
    assert main(["log", "encrypt", str(log.folder), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["sealed"] == 1
