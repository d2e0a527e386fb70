"""Secrets are recognised, marked with a fingerprint, and never written."""

from __future__ import annotations

import hashlib
from pathlib import Path
from time import perf_counter

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from stillwatch.ingest.secrets import hash_key, mask, mask_array

SECRETS = {
    "openai": "sk-proj-Ab3dEf6hIj9kLm2nOp5qRs8t",
    "anthropic": "sk-ant-api03-Ab3dEf6hIj9kLm2nOp5q",
    "aws": "AKIAABCDEFGHIJKLMNOP",
    "github": "ghp_Ab3dEf6hIj9kLm2nOp5qRs8tUv1wXy4zAb3d",
    "slack": "xoxb-123456789012-Ab3dEf6hIj9k",
    "google": "AIza" + "SyA1b2C3d4E5f6G7h8I9j0K1l2M3n4O5p6Q",
    "jwt": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N",
    "stripe": "sk_live_Ab3dEf6hIj9kLm2nOp5q",
    "private-key": "-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIBAAKCAQEA7bq5\nQ2FnZSBkdSBzdGlsbA==\n-----END RSA PRIVATE KEY-----",
}


@pytest.mark.parametrize(("kind", "secret"), SECRETS.items())
def test_a_secret_becomes_its_kind_and_fingerprint(kind: str, secret: str) -> None:
    fingerprint = hashlib.sha256(secret.encode()).hexdigest()[:8]
    assert mask(f"use {secret}, please") == f"use [secret:{kind}:{fingerprint}], please"


@pytest.mark.parametrize(
    "text",
    [
        "Authorization: Bearer {}",
        "api_key={}",
        '{{"api_key": "{}"}}',
        '{{\\"secret_access_key\\": \\"{}\\"}}',
        "password = '{}'",
        "X-API-Key: {}",
    ],
)
def test_a_value_handed_over_as_a_key_is_masked_whatever_its_shape(text: str) -> None:
    masked = mask(text.format("w7JalrXUtnFEMI/K7MDENG"))
    assert "JalrXUtnFEMI" not in masked
    assert masked.startswith(text.split("{}", maxsplit=1)[0].format()[:8])


@pytest.mark.parametrize(
    "text", ["a task-oriented-approach-to-everything", "the risk-averse investor", "eyJust a word", "my password is short", "AKIA"]
)
def test_ordinary_text_stays_as_it_is(text: str) -> None:
    assert mask(text) == text


def test_masking_twice_changes_nothing_more() -> None:
    once = mask(" and ".join(SECRETS.values()))
    assert mask(once) == once


def test_columns_are_masked_like_single_texts() -> None:
    texts = [f"here: {secret}" for secret in SECRETS.values()] + ["nothing here", None, "Bearer abcdefghijklmnopqrst"]
    assert mask_array(pa.array(texts)).to_pylist() == [None if text is None else mask(text) for text in texts]


@pytest.mark.parametrize("piece", ["eyJ-", "sk-", "-----BEGIN PRIVATE KEY-----", "api_key = ", 'bearer "', "eyJaaaaaaaaa.", "xoxb-"])
def test_hostile_text_is_masked_in_linear_time(piece: str) -> None:
    def seconds(count: int) -> float:
        started = perf_counter()
        mask(piece * count)
        return perf_counter() - started

    seconds(1_000)
    assert seconds(100_000) < 2.0


def test_a_key_and_its_logged_hash_are_the_same_key() -> None:
    key = SECRETS["openai"]
    digest = hashlib.sha256(key.encode()).hexdigest()
    assert hash_key(key) == hash_key(digest) == hash_key(digest.upper()) == hash_key(hash_key(key)) == f"key:{digest[:32]}"


def _unpacked(path: Path) -> bytes:
    """Everything that a file holds, compressed pages included."""
    raw = path.read_bytes()
    if path.suffix == ".parquet":
        return raw + repr(pq.read_table(path).to_pydict()).encode()
    return raw + (zstandard.decompress(raw) if raw.startswith(b"\x28\xb5\x2f\xfd") else b"")


def test_no_file_that_ingest_writes_holds_a_secret(run, lines, exchange) -> None:
    records = []
    for number, secret in enumerate(SECRETS.values()):
        where = ("prompt_text", "response_text", "system_text", "reasoning_text", "user_agent", "session_id", "key_id", "account_id")
        records += [exchange(number * 100 + place, **{name: f"v {secret}"}) for place, name in enumerate(where)]
        records += [exchange(number * 100 + 50, prompt_text=secret, output_tokens=-1), exchange(number * 100 + 51, key_id=[secret])]
    records.append(exchange(9_999, key_id="a plain key without a shape", output_tokens=-1))
    outcome = run(lines(*records))
    assert len(outcome.refused) == 2 * len(SECRETS) + 1
    written = b"".join(_unpacked(path) for path in outcome.work.rglob("*") if path.is_file())
    assert b"secret:openai:" in written
    bodies = [secret.splitlines()[1] if "\n" in secret else secret for secret in SECRETS.values()]
    assert [body for body in (*bodies, "a plain key without a shape") if body.encode() in written] == []


def test_shards_of_parquet_hash_keys_and_mask_labels(run, tmp_path: Path, exchange) -> None:
    path = tmp_path / "log.parquet"
    secret = SECRETS["openai"]
    pq.write_table(pa.Table.from_pylist([exchange(0, key_id=secret, user_agent=f"agent {secret}")]), path)
    (row,) = run(path).rows
    assert row["key_id"] == hash_key(secret)
    assert row["user_agent"] == mask(f"agent {secret}")
