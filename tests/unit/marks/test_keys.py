"""Keys come from one secret, independent of each other, and give nothing away."""

from __future__ import annotations

import copy
import pickle

import pytest

from stillwatch.marks.keys import (
    KeyMaterialError,
    MarkKey,
    MasterSecret,
    commitment,
    derive,
    encode_fields,
    hkdf_sha256,
    keyed_choice,
    keyed_digest,
)

MASTER = MasterSecret(bytes(range(32)))


@pytest.mark.parametrize(
    ("secret", "salt", "info", "length", "expected"),
    [
        (
            "0b" * 22,
            "000102030405060708090a0b0c",
            "f0f1f2f3f4f5f6f7f8f9",
            42,
            "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865",
        ),
        (
            bytes(range(0x50)).hex(),
            bytes(range(0x60, 0xB0)).hex(),
            bytes(range(0xB0, 0x100)).hex(),
            82,
            "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c59045a99cac7827271cb41c65e590e09da3275600c2f09b8367793a9aca3db71cc30c58179ec3e87c14c01d5c1f3434f1d87",
        ),
        ("0b" * 22, "", "", 42, "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8"),
    ],
)
def test_hkdf_gives_the_vectors_of_rfc_5869(secret: str, salt: str, info: str, length: int, expected: str) -> None:
    given = hkdf_sha256(bytes.fromhex(secret), salt=bytes.fromhex(salt), info=bytes.fromhex(info), length=length)
    assert given.hex() == expected


@pytest.mark.parametrize("length", [0, 255 * 32 + 1])
def test_hkdf_refuses_lengths_that_the_rfc_does_not_give(length: int) -> None:
    with pytest.raises(KeyMaterialError, match=str(length)):
        hkdf_sha256(b"secret", salt=b"", info=b"", length=length)


def test_keys_of_different_purpose_account_or_period_are_different_and_stay_the_same() -> None:
    fields = [(purpose, account, period) for purpose in ("green", "twins") for account in (None, "a", "b") for period in ("1", "2")]
    found = {derive(MASTER, purpose=purpose, account=account, period=period) for purpose, account, period in fields}
    assert len(found) == len(fields)
    assert derive(MASTER, purpose="green", account="a", period="1") in found


def test_fields_that_would_run_together_are_kept_apart() -> None:
    assert derive(MASTER, purpose="ab", account="c", period="1") != derive(MASTER, purpose="a", account="bc", period="1")
    assert encode_fields("a", None, "b") != encode_fields("a", "b", None)


def test_the_derivation_of_this_version_never_changes() -> None:
    key = derive(MASTER, purpose="green-list", account="acme", period="2026-11")
    info = b"\1\0\0\0\ngreen-list\1\0\0\0\4acme\1\0\0\0\x072026-11"
    assert key.reveal() == hkdf_sha256(bytes(range(32)), salt=b"stillwatch marks v1", info=info, length=32)


@pytest.mark.parametrize("field", ["", "x" * 1025, "\ud800"])
def test_fields_without_a_sound_form_are_refused(field: str) -> None:
    with pytest.raises(KeyMaterialError, match="field 2"):
        derive(MASTER, purpose="green", account=field, period="1")


@pytest.mark.parametrize("secret", [b"", b"short", bytes(31), bytes(64), b"ab" * 40])
def test_a_secret_that_is_not_random_is_refused_without_showing_it(secret: bytes) -> None:
    with pytest.raises(KeyMaterialError) as caught:
        MasterSecret(secret)
    assert "stillwatch mark keys" in str(caught.value)
    assert secret.hex() not in str(caught.value) or not secret


def test_no_form_of_a_secret_shows_it() -> None:
    key = derive(MASTER, purpose="green", account=None, period="1")
    for secret in (MASTER, key):
        for shown in (repr(secret), str(secret), f"{secret}", repr([secret])):
            assert "hidden" in shown
            assert secret.reveal().hex() not in shown
        with pytest.raises(KeyMaterialError):
            pickle.dumps(secret)
        with pytest.raises(KeyMaterialError):
            copy.deepcopy(secret)
        assert not hasattr(secret, "__dict__")


def test_a_commitment_tells_secrets_apart_and_does_not_hold_them() -> None:
    key = MarkKey(bytes(range(32)))
    assert commitment(MASTER) != commitment(key)
    assert commitment(MASTER) == commitment(MasterSecret(bytes(range(32))))
    assert commitment(MASTER) != commitment(MasterSecret(bytes(range(33))))
    assert commitment(key).startswith("sha256:")
    assert len(commitment(key)) == 7 + 64
    assert key.reveal().hex() not in commitment(key)


def test_equality_is_by_kind_and_content() -> None:
    assert MarkKey(bytes(range(32))) == MarkKey(bytes(range(32)))
    assert MarkKey(bytes(range(32))) != MASTER
    assert MarkKey(bytes(range(32))) != MarkKey(bytes(32))


def test_keyed_choices_depend_on_every_field_and_stay_in_bounds() -> None:
    key = derive(MASTER, purpose="canaries", account=None, period="1")
    chosen = [keyed_choice(key, 16, "city", str(place)) for place in range(400)]
    assert set(chosen) == set(range(16))
    assert keyed_digest(key, "a", "b") != keyed_digest(key, "ab", None)
    with pytest.raises(KeyMaterialError, match="among 0"):
        keyed_choice(key, 0, "city")
