"""What is sealed opens with its key and in its place, and in no other way."""

from __future__ import annotations

import hashlib

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given, settings
from hypothesis import strategies as st

from stillwatch.govern import vault as vaults
from stillwatch.govern.refusals import VaultError
from stillwatch.govern.vault import OVERHEAD, Vault, VaultKey, is_sealed, key_text, keys_of_text, sealed_under

OLD, NEW = (VaultKey(hashlib.sha256(name).digest()) for name in (b"old", b"new"))
PLACE = ("case text", "C1", "7")


@settings(deadline=None, max_examples=50)
@given(content=st.binary(max_size=2000), place=st.lists(st.text(min_size=1, max_size=20), min_size=1, max_size=4))
def test_whatever_is_sealed_opens_in_its_place(content: bytes, place: list[str]) -> None:
    vault = Vault([OLD])
    sealed = vault.seal(content, place)
    assert vault.open(sealed, place) == content
    assert len(sealed) == len(content) + OVERHEAD
    assert is_sealed(sealed)
    if len(content) > 8:
        assert content not in sealed


@pytest.mark.parametrize("other", [("case text", "C1", "8"), ("case text", "C17"), ("case text",), ("case text", "C1", "7", "x")])
def test_nothing_opens_in_another_place(other: tuple[str, ...]) -> None:
    vault = Vault([OLD])
    sealed = vault.seal(b"withheld", PLACE)
    with pytest.raises(VaultError, match="another place, or was changed"):
        vault.open(sealed, other)
    with pytest.raises(VaultError, match="another place, or was changed"):
        vault.rewrap(sealed, other)


def test_parts_of_a_place_cannot_be_moved_over_their_borders() -> None:
    sealed = Vault([OLD]).seal(b"x", ("ab", "c"))
    with pytest.raises(VaultError):
        Vault([OLD]).open(sealed, ("a", "bc"))
    with pytest.raises(VaultError, match="none of which is empty"):
        Vault([OLD]).seal(b"x", ("a", ""))


def test_every_changed_byte_and_every_shorter_length_is_refused() -> None:
    vault = Vault([OLD])
    sealed = vault.seal(b"withheld answer", PLACE)
    for at in range(len(sealed)):
        changed = bytearray(sealed)
        changed[at] ^= 1
        with pytest.raises(VaultError):
            vault.open(bytes(changed), PLACE)
    for length in range(len(sealed)):
        with pytest.raises(VaultError):
            vault.open(sealed[:length], PLACE)
    with pytest.raises(VaultError, match=r"has 99 bytes, at least 100 were expected"):
        vault.open(sealed[:99], PLACE)


def test_another_key_is_named_by_its_id_and_no_secret_is_in_a_message() -> None:
    sealed = Vault([OLD]).seal(b"withheld answer", PLACE)
    with pytest.raises(VaultError) as raised:
        Vault([NEW]).open(sealed, PLACE)
    said = str(raised.value)
    assert OLD.key_id in said
    assert NEW.key_id in said
    assert OLD.secret.hex() not in said
    assert "withheld answer" not in said
    assert OLD.secret.hex() not in repr(OLD)
    assert sealed_under(sealed) == OLD.key_id


def test_a_change_of_keys_writes_the_wrapped_part_anew_and_nothing_else() -> None:
    sealed = Vault([OLD]).seal(b"withheld answer", PLACE)
    both = Vault([NEW, OLD])
    assert both.open(sealed, PLACE) == b"withheld answer"
    rewrapped = both.rewrap(sealed, PLACE)
    assert rewrapped[72:] == sealed[72:]
    assert Vault([NEW]).open(rewrapped, PLACE) == b"withheld answer"
    with pytest.raises(VaultError, match="is under the key"):
        Vault([OLD]).open(rewrapped, PLACE)


def test_no_two_sealings_share_a_key_or_a_nonce() -> None:
    sealed = {Vault([OLD]).seal(b"x", PLACE)[12:] for _ in range(200)}
    assert len({each[:12] for each in sealed}) == len({each[12:60] for each in sealed}) == len({each[60:72] for each in sealed}) == 200


def test_the_layout_is_the_documented_one() -> None:
    """Opened by hand, so that whoever has the key and the page needs nothing of ours."""
    sealed = Vault([OLD]).seal(b"withheld answer", ("a", "bc"))
    where = b"\0\0\0\x01a\0\0\0\x02bc"
    data_key = AESGCM(OLD.secret).decrypt(sealed[12:24], sealed[24:72], b"stillwatch vault wrapped key v1\0" + where)
    assert AESGCM(data_key).decrypt(sealed[72:84], sealed[84:], b"stillwatch vault content v1\0" + where) == b"withheld answer"


def test_key_files_hold_several_keys_and_the_first_is_in_use() -> None:
    keys = keys_of_text(f"# the key of 2027\n{key_text(NEW)}\n# before\r\n{key_text(OLD)}", "x")
    assert Vault(keys).key_id == NEW.key_id
    assert keys == (NEW, OLD)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "holds no key"),
        ("password", "key 1 is no line"),
        (key_text(OLD) + "stillwatch-vault-v1:00", "key 2 is no line"),
        (key_text(OLD) * 2, "a key twice"),
        (f"stillwatch-vault-v1:{'00' * 32}", "no random one"),
        (key_text(OLD).upper(), "key 1 is no line"),
    ],
)
def test_other_key_files_are_refused_without_being_shown(text: str, said: str) -> None:
    with pytest.raises(VaultError, match=said) as raised:
        keys_of_text(text, "the file")
    assert OLD.secret.hex() not in str(raised.value)


def test_a_box_is_a_vault_at_a_place_that_can_be_narrowed() -> None:
    box = Vault([OLD]).box("case text")
    row = box.at("C1", "7")
    assert row.open(row.seal(b"x")) == b"x"
    assert Vault([OLD]).open(row.seal(b"x"), PLACE) == b"x"
    assert box.name == f"aes-256-gcm {OLD.key_id}"
    with pytest.raises(VaultError):
        box.open(row.seal(b"x"))
    assert OLD.secret.hex() not in repr(row)


def test_what_no_vault_sealed_is_said_to_be_none() -> None:
    with pytest.raises(VaultError, match="was not sealed by a vault"):
        Vault([OLD]).open(b"plain text that somebody forgot to encrypt" * 10, PLACE)
    assert not is_sealed(b"plain")
    with pytest.raises(VaultError, match="got none"):
        Vault([])
    with pytest.raises(VaultError, match="31 bytes"):
        VaultKey(bytes(31))
    assert vaults.KEY_BYTES == 32
