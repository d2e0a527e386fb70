"""Withheld answers lie encrypted, whoever changes the way they lie changes no head, and what was plain before stays readable."""

from __future__ import annotations

import hashlib
import json
import stat
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from stillwatch.app.measure_files import rows_of
from stillwatch.app.pair_files import BrokenChainError, append_pair, read_pairs
from stillwatch.app.private_files import create_private
from stillwatch.app.sealed_lines import plain_sha256
from stillwatch.app.vaulting import encrypt_file, load_vault, make_vault_key
from stillwatch.cli import main
from stillwatch.errors import OutputError, UnreadableInputError
from stillwatch.govern.refusals import VaultError
from stillwatch.govern.vault import Vault
from stillwatch.records.pairs import TwinPair


def _pair(name: str) -> TwinPair:
    fixed: dict[str, Any] = {"account_id": "acme", "model": "m", "at": "2026-11-25T00:00:00Z", "period": "2026-11", "share": 0.01}
    texts: dict[str, Any] = {"prompt": "why", "first": f"served or not {name}", "second": f"the other \u2028 {name}", "tie": False}
    return TwinPair(request_id=name, key_commitment="sha256:00", **fixed, **texts)


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    make_vault_key(tmp_path / "vault.key")
    found = load_vault(tmp_path / "vault.key")
    assert found is not None
    return found


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    path = tmp_path / "pairs.jsonl"
    for name in "abc":
        append_pair(path, _pair(name))
    return path


def test_a_sealed_pair_is_nowhere_on_the_disk_in_plain(tmp_path: Path, vault: Vault) -> None:
    path = tmp_path / "pairs.jsonl"
    for name in "abc":
        append_pair(path, _pair(name), vault)
    for word in (b"served or not", b"the other", b"acme", b"why"):
        assert word not in path.read_bytes()
    found = read_pairs(path, vault)
    assert found.pairs == tuple(map(_pair, "abc"))
    assert (found.lines, found.sealed, found.torn, found.erased) == (3, 3, 0, 0)
    with pytest.raises(VaultError, match=r"line 1 is encrypted, and no key is given; give --vault-key"):
        read_pairs(path)


def test_a_plain_file_is_encrypted_with_its_head_and_its_digest_unchanged(plain: Path, vault: Vault) -> None:
    head, digest = read_pairs(plain).head, hashlib.sha256(plain.read_bytes()).hexdigest()
    assert plain_sha256(plain, None) == digest
    assert encrypt_file(plain, vault) | {"file": ""} == {
        "file": "",
        "lines": 3,
        "changed": 3,
        "sealed_before": 0,
        "key_id": vault.key_id,
    }
    assert b"served or not" not in plain.read_bytes()
    assert stat.S_IMODE(plain.stat().st_mode) == 0o600
    found = read_pairs(plain, vault)
    assert (found.head, found.sealed) == (head, 3)
    assert found.pairs == tuple(map(_pair, "abc"))
    assert plain_sha256(plain, vault) == digest
    append_pair(plain, _pair("d"), vault)
    assert len(read_pairs(plain, vault).pairs) == 4
    assert encrypt_file(plain, vault)["changed"] == 0


def test_plain_lines_before_a_key_was_there_stay_readable_beside_sealed_ones(plain: Path, vault: Vault) -> None:
    append_pair(plain, _pair("d"), vault)
    found = read_pairs(plain, vault)
    assert (found.lines, found.sealed) == (4, 1)
    assert found.pairs == tuple(map(_pair, "abcd"))


def test_nothing_is_appended_in_plain_to_a_file_that_is_encrypted(plain: Path, vault: Vault) -> None:
    encrypt_file(plain, vault)
    before = plain.read_bytes()
    with pytest.raises(OutputError, match="is encrypted and no vault is given"):
        append_pair(plain, _pair("d"))
    assert plain.read_bytes() == before


@pytest.mark.parametrize("change", ["swap", "drop", "repeat", "another digest"])
def test_sealed_lines_that_were_moved_or_changed_are_refused(plain: Path, vault: Vault, change: str) -> None:
    encrypt_file(plain, vault)
    lines = plain.read_bytes().splitlines(keepends=True)
    if change == "swap":
        lines[0], lines[1] = lines[1], lines[0]
    elif change == "drop":
        del lines[1]
    elif change == "repeat":
        lines.insert(1, lines[0])
    else:
        said = json.loads(lines[1])
        lines[1] = json.dumps(said | {"sha256": "0" * 64}, separators=(",", ":")).encode() + b"\n"
    plain.write_bytes(b"".join(lines))
    with pytest.raises((VaultError, BrokenChainError), match=r"line [123]"):
        read_pairs(plain, vault)


def test_torn_lines_stay_torn_when_they_are_encrypted_and_when_sealed_ones_are_torn(plain: Path, vault: Vault) -> None:
    plain.write_bytes(plain.read_bytes()[:-20])
    append_pair(plain, _pair("d"))
    head = read_pairs(plain).head
    encrypt_file(plain, vault)
    plain.write_bytes(plain.read_bytes() + b'{"sealed":"AAAA')
    append_pair(plain, _pair("e"), vault)
    found = read_pairs(plain, vault)
    assert [pair.request_id for pair in found.pairs] == ["a", "b", "d", "e"]
    assert (found.torn, found.lines) == (2, 6)
    assert head != found.head


def test_a_change_of_keys_leaves_the_head_and_the_old_key_opens_nothing(plain: Path, tmp_path: Path) -> None:
    for name in ("old.key", "new.key"):
        make_vault_key(tmp_path / name)
    old, new = load_vault(tmp_path / "old.key"), load_vault(tmp_path / "new.key")
    assert old is not None
    assert new is not None
    encrypt_file(plain, old)
    head = read_pairs(plain, old).head
    with pytest.raises(VaultError, match=f"under the key {old.key_id}, and the vault has {new.key_id}"):
        read_pairs(plain, new)
    create_private(tmp_path / "both.key", (tmp_path / "new.key").read_text() + (tmp_path / "old.key").read_text())
    both = load_vault(tmp_path / "both.key")
    assert both is not None
    assert encrypt_file(plain, both)["changed"] == 3
    assert read_pairs(plain, new).head == head
    with pytest.raises(VaultError):
        read_pairs(plain, old)


def test_a_file_that_does_not_open_is_left_as_it_is(plain: Path, vault: Vault, tmp_path: Path) -> None:
    encrypt_file(plain, vault)
    before = plain.read_bytes()
    make_vault_key(tmp_path / "other.key")
    other = load_vault(tmp_path / "other.key")
    assert other is not None
    with pytest.raises(VaultError):
        encrypt_file(plain, other)
    assert plain.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir() if "partial" in path.name] == []
    plain.chmod(0o644)
    with pytest.raises(UnreadableInputError, match="chmod 600"):
        encrypt_file(plain, vault)


def test_pairs_that_are_appended_while_the_file_is_encrypted_are_not_lost(plain: Path, vault: Vault) -> None:
    stop = threading.Event()

    def encrypt() -> None:
        while not stop.is_set():
            encrypt_file(plain, vault)

    encrypting = threading.Thread(target=encrypt)
    encrypting.start()
    try:
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda place: append_pair(plain, _pair(f"p{place}"), vault), range(40)))
    finally:
        stop.set()
        encrypting.join()
    assert len(read_pairs(plain, vault).pairs) == 43


@pytest.mark.slow
def test_the_command_encrypts_and_the_commands_that_read_take_the_key(
    plain: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("STILLWATCH_VAULT_KEY", raising=False)
    assert main(["govern", "encrypt", str(plain)]) == 2
    assert "no key of the vault" in capsys.readouterr().err
    assert main(["govern", "vault-key", "--out", str(tmp_path / "v.key")]) == 0
    said = capsys.readouterr().out
    assert (tmp_path / "v.key").read_text().split(":")[1].strip() not in said
    assert main(["govern", "encrypt", str(plain), "--vault-key", str(tmp_path / "v.key")]) == 0
    capsys.readouterr()
    assert main(["mark", "twins", str(plain), "--json"]) == 1
    assert "line 1 is encrypted" in capsys.readouterr().err
    monkeypatch.setenv("STILLWATCH_VAULT_KEY", (tmp_path / "v.key").read_text())
    assert main(["mark", "twins", str(plain), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["pairs"], found["encrypted_lines"]) == (3, 3)


def test_rows_of_prompts_read_alike_plain_and_sealed(tmp_path: Path, vault: Vault) -> None:
    path = tmp_path / "twins.jsonl"
    create_private(path, '{"request_id": "a"}\n\n{"request_id": "b"}\n')
    rows, digest = list(rows_of(path)), hashlib.sha256(path.read_bytes()).hexdigest()
    encrypt_file(path, vault)
    assert list(rows_of(path, vault)) == rows
    assert plain_sha256(path, vault) == digest
    with pytest.raises(VaultError):
        list(rows_of(path))
