"""A change of the vault's key reaches every content of the store, goes on after an interrupt, and its counts add up."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from stillwatch.app.case_keeping import encrypt_store
from stillwatch.cases.claims import NewExhibit
from stillwatch.cases.content import content_of
from stillwatch.cases.making import added
from stillwatch.cases.refusals import CaseStoreError
from stillwatch.cases.rewrapping import Rewrapped, left_behind, rewrap
from stillwatch.cases.store import Acting, CaseStore
from stillwatch.cases.tables import ContentRow
from stillwatch.cases.working import erase_exhibit
from stillwatch.cli import main
from stillwatch.errors import StoppedError
from stillwatch.govern.refusals import VaultError
from stillwatch.govern.vault import Box, Vault, VaultKey, key_text
from stillwatch.sealing.commitments import evidence_digest

OLD, NEW = VaultKey(bytes(range(32))), VaultKey(bytes(range(1, 33)))


def box(*keys: VaultKey) -> Box:
    return Vault(keys).box("case store")


@pytest.fixture
def number(store: CaseStore, new: Callable[..., int], act: Callable[..., Acting]) -> int:
    """A case with plain contents, contents under the old key, and an erased one: two, two and one."""
    made = new()
    store.box = box(OLD)
    for place in range(3):
        content = f"note {place}".encode()
        exhibit = NewExhibit(kind="note", label="n", media_type="text/plain; charset=utf-8", content=content, private=False)
        _, last = added(store, made, act(), exhibit)
    erase_exhibit(store, made, act(), last, ground="mistake", why="wrong")
    return made


def test_every_content_is_under_the_new_key_and_opens_without_the_old_one(store: CaseStore, number: int) -> None:
    before = content_of(store, number, evidence_digest)
    both = box(NEW, OLD)
    # salts and finding were plain; two notes and the words of the erasure are under the old key
    assert left_behind(store, both) == 5
    assert rewrap(store, both) == Rewrapped(contents=6, sealed=2, rewrapped=3, already=0, erased=1)
    assert (left_behind(store, both), rewrap(store, both).already) == (0, 5)
    store.box = box(NEW)
    assert content_of(store, number, evidence_digest) == before
    store.box = box(OLD)
    with pytest.raises(VaultError, match="give the file of that key"):
        content_of(store, number, evidence_digest)


def test_an_interrupted_change_goes_on(store: CaseStore, number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    both, seals = box(NEW, OLD), iter(range(3))
    rewrapped = Box.rewrap

    def stops(self: Box, sealed: bytes) -> bytes:
        if next(seals) == 1:
            raise StoppedError
        return rewrapped(self, sealed)

    monkeypatch.setattr(Box, "rewrap", stops)
    with pytest.raises(StoppedError):
        rewrap(store, both, batch=1)
    monkeypatch.undo()
    left = left_behind(store, both)
    assert 0 < left < 5
    found = rewrap(store, both, batch=2)
    assert (found.contents, found.already, found.sealed + found.rewrapped, found.erased) == (6, 5 - left, left, 1)
    store.box = box(NEW)
    assert content_of(store, number, evidence_digest).exhibits


def test_a_content_whose_key_is_lost_or_that_was_changed_stops_it_and_is_named(store: CaseStore, number: int) -> None:
    with pytest.raises(VaultError, match="give the file of that key"):
        rewrap(store, box(NEW))
    with store.writing() as session:
        row = session.query(ContentRow).filter(ContentRow.box == "plain").first()
        assert row is not None
        row.sealed = b"something else"
        uid = row.id
    with pytest.raises(CaseStoreError, match=uid):
        rewrap(store, box(NEW, OLD))


@pytest.mark.slow
def test_the_command_says_what_became_of_every_content(
    sqlite_template: Path, result: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "cases.db"
    path.write_bytes(sqlite_template.read_bytes())
    path.chmod(0o600)
    assert main(["case", "new", str(result), "--entity", "group-0000", "--title", "x", "--as", "ann", "--cases", str(path)]) == 0
    assert main(["case", "encrypt", "--cases", str(path)]) == 2
    assert "no key of the vault" in capsys.readouterr().err
    monkeypatch.setenv("STILLWATCH_VAULT_KEY", key_text(NEW))
    assert main(["case", "encrypt", "--cases", str(path), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["contents"], found["sealed"], found["left_behind"], found["key_id"]) == (2, 2, 0, NEW.key_id)
    assert encrypt_store(str(path), Vault([NEW]))["already"] == 2
