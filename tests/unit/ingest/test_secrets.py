"""Secrets are recognised, marked with a fingerprint, and never written."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from time import perf_counter

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
import zstandard
from hypothesis import example, given
from hypothesis import strategies as st

from stillwatch.ingest.secrets import SUSPECT, hash_key, mask, mask_array
from stillwatch.sketch.codebook import fit_codebook
from stillwatch.stats.seeds import generator

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


BODY = "Ab3dEf6hIj9kLm2nOp5qRs8tUv1wXy4z"
HEX = "9f86d081884c7d659a2feaa0c55ad015"
SHAPES = {
    "sk-Ab3dEf6hIj9kLm2nOp": "openai",
    f"sk-{HEX}": "openai",
    f"rk_live_{BODY[:24]}": "stripe",
    f"whsec_{BODY}": "stripe",
    f"gho_{BODY}1234": "github",
    f"ghs_{BODY}1234": "github",
    f"github_pat_11ABCDEFG0{BODY}_{BODY}": "github",
    f"glpat-{BODY[:20]}": "gitlab",
    "xoxp-123456789012-123456789012-abcdefghij": "slack",
    f"ya29.a0{BODY}": "google",
    f"GOCSPX-{BODY}": "google",
    f"hf_{BODY}12": "huggingface",
    f"npm_{BODY}1234": "npm",
    f"gsk_{BODY}{BODY}": "groq",
    f"xai-{BODY}{BODY}": "xai",
    f"r8_{BODY}12345": "replicate",
    f"nvapi-{BODY}{BODY}": "nvidia",
    f"pplx-{BODY}": "perplexity",
    f"pypi-AgEI{BODY}": "pypi",
    f"shpat_{HEX}": "shopify",
    f"hvs.{BODY}": "vault",
    f"dop_v1_{HEX}{HEX}": "digitalocean",
    f"SG.{BODY[:22]}.{BODY}": "sendgrid",
    f"eyJhbGciOiJkaXIifQ..{BODY}.{BODY}.{BODY}": "jwt",
    **{secret: kind for kind, secret in SECRETS.items()},
}


@pytest.mark.parametrize("before", ["", "密钥", "_", "x", "9", "key=", "\\n", "task-"])
@pytest.mark.parametrize(("secret", "kind"), SHAPES.items())
def test_a_shape_is_known_whatever_it_is_glued_to(secret: str, kind: str, before: str) -> None:
    fingerprint = hashlib.sha256(secret.encode()).hexdigest()[:8]
    assert mask(f"{before}{secret}，") == f"{before}[secret:{kind}:{fingerprint}]，"


HANDED_OVER = (
    ("Authorization: Basic {}", "dXNlcjpwYXNzd29yZA=="),
    ("-H 'authorization: basic {}'", "YWRtaW46aHVudGVyMg=="),
    ("Basic {}", "dXNlcjpwYXNzd29yZA=="),
    ("Bearer {}", BODY),
    ('password = "{}"', "Tr0ub4dor&3xyz"),
    ('"password": "{}"', "S3cr3t!Passw0rd#2024"),
    ('{{"q": "{{\\"password\\": \\"{}\\"}}"}}', "S3cr3t!Passw0rd#2024"),
    ('"passphrase": "{}"', "correct horse 8attery9x staple"),
    ('password: str = "{}"', "Tr0ub4dor&3xyz"),
    ("password: {}", "hunter2secret!"),
    ("password: {}", "hunter2"),
    ("(password: {})", "hunter2secret!"),
    ("password={}, user=bob", "hunter2,secret!"),
    ("my password is {}", "hunter2secret!"),
    ("**Password:** {}", "hunter2secret!"),
    ("`password`: `{}`", "Tr0ub4dor&3"),
    ("密码：{}，谢谢", "hunter2secret!"),
    ("<password>{}</password>", "Tr0ub4dor&3"),
    ("password={}", "$ecretP4ss"),
    ("password={}", "correcthorsebatterystaple"),
    ("password: {}", "es123abc!x"),
    ("DB_PASS={}", "hunter22"),
    ("user: bob, pass: {}", "hunter22"),
    ("if password == '{}':", "hunter22"),
    ("https://h/x?user=b&password={}&x=1", "Tr0ub4dor&3"),
    ("Server=x;Password={};Database=y", "Tr0ub4dor;3"),
    ("AWS_SESSION_TOKEN={}", "FwoGZXIvYXdzEBYaDHqa0AP1234567890/abc+def=="),
    ("AccountName=x;AccountKey={};EndpointSuffix=y", f"{BODY}+/{BODY}=="),
    ("?sv=2024&sig={}", f"{BODY}%3D"),
    ("token: {}", HEX),
    ("secret: {}", HEX),
    ('os.environ["API_KEY"] = "{}"', "abc12345defg"),
    ("client_secret={}", BODY),
    ("postgres://user:{}@host/db", "pw"),
    ("postgres://user:{}@host/db", "p@ss:w0rd"),
    ("redis://:{}@host:6379", "hunter2"),
    ("token: {}", HEX + "+" * 300 + "tail"),
)


@pytest.mark.parametrize(("text", "secret"), HANDED_OVER)
def test_of_a_value_that_is_handed_over_nothing_stays_and_nothing_else_goes(text: str, secret: str) -> None:
    fingerprint = hashlib.sha256(secret.encode()).hexdigest()[:8]
    before, after = text.format("\0").split("\0")
    masked = mask(text.format(secret))
    assert masked.startswith(f"{before}[secret:")
    assert masked.endswith(f":{fingerprint}]{after}")
    assert mask(masked) == masked


ORDINARY = (
    "a task-oriented-approach-to-everything",
    "the risk-averse-and-conservative-investor",
    "task-3f2b8c1e-9a4d-4c2b-8e1f-1a2b3c4d5e6f",
    "sk-learn-compatible-estimators",
    "eyJust a word",
    "AKIA",
    "xoxo-forever-yours-truly",
    "hf_hub_download_from_repository and npm_config_registry_url_of_project",
    "my password is short",
    "the password is case-sensitive and base64-encoded",
    "How do I choose a strong password? At least 12 characters, please.",
    "password: must be at least 8 characters",
    "Password: 12-character minimum",
    "Password: required",
    "password: base64",
    '"password": "string"',
    "password = getpass()",
    'password = getpass("Password: ")',
    'password = os.environ["DB_PASSWORD"]',
    'password=os.environ.get("DB_PASSWORD2")',
    "password = user.password",
    "password: ${DB_PASSWORD}",
    "password: <your password>",
    'password: "********"',
    "password=None",
    "def login(user: str, password: str) -> Token:",
    "password: String!",
    "PWD=/home/user1/projects",
    "passwordless: yes",
    "bypass: 12tests",
    "pass: test_seventh_law2",
    "keyboard: qwerty12345",
    "token = next(tokens)",
    "token = self.tokens2[i + 1]",
    "const token = await getToken(user2)",
    "token: str = Field(default=None)",
    "token: 128256",
    "secret_key: Uint8Array",
    "max_tokens: 4096",
    "token: GPT-4-turbo",
    'eos_token = "<|endoftext|>"',
    "api_key = settings.OPENAI_API_KEY",
    'access_token = response.json()["access_token"]',
    "secret: how do I keep one",
    "secret: sha256-digest",
    "the secret: never give up on 2nd tries",
    "token_type: bearer",
    "Authorization: required",
    "Bearer authentication/authorization is described",
    "Basic understanding of Information Theory",
    "basic Understanding1234",
    "fixed in commit 3f2b8c1e9a4d5b6c7d8e9f0a1b2c3d4e5f6a7b8c yesterday",
    "http://localhost:8080/@scope/pkg and https://user@host/path",
    "postgres://user:${DB_PASSWORD}@host",
)


@pytest.mark.parametrize("text", ORDINARY)
def test_ordinary_text_stays_as_it_is(text: str) -> None:
    assert mask(text) == text


_WHOLE = [*SHAPES, *(text.format(secret) for text, secret in HANDED_OVER), *ORDINARY]
_SCRAPS = [
    "password",
    "token",
    "secret",
    "[secret:",
    "[secret:aws:",
    "1234abcd",
    "]",
    "://",
    "@",
    "sk-",
    "is",
    *":=\"'`\\ \n\v\u3000&,;<>.(){}$x9é！",
]


@pytest.mark.slow
@given(st.lists(st.sampled_from(_WHOLE + _SCRAPS * 4) | st.text(max_size=6), max_size=12).map("".join))
@example("password: [secret:aws:1234abcd]!x9y8")
def test_masking_is_final_and_every_text_it_changes_is_suspected(text: str) -> None:
    masked = mask(text)
    assert mask(masked) == masked
    assert masked == text or pc.match_substring_regex(pa.array([text.encode("utf-8", "replace").decode()]), SUSPECT)[0].as_py()


@pytest.mark.parametrize("text", _WHOLE)
def test_columns_are_masked_like_every_single_text(text: str) -> None:
    assert mask_array(pa.array([text, None, ""])).to_pylist() == [mask(text), None, ""]


def test_masking_twice_changes_nothing_more() -> None:
    once = mask(" and ".join(SECRETS.values()))
    assert mask(once) == once


def test_columns_are_masked_like_single_texts() -> None:
    texts = [f"here: {secret}" for secret in SECRETS.values()] + ["nothing here", None, "Bearer abcdefghijklmnopqrst"]
    assert mask_array(pa.array(texts)).to_pylist() == [None if text is None else mask(text) for text in texts]


@pytest.mark.parametrize(
    ("text", "piece"),
    [("Authorization: Basic dXNlcjpwYXNzd29yZA==", "dxnlcjpwyxnzd"), ("password: correctHorseBattery!", "correcthorsebattery")],
)
def test_no_piece_of_a_masked_value_becomes_the_label_of_a_subject(text: str, piece: str) -> None:
    texts = [text] * 60
    owners = [f"owner-{place % 10}" for place in range(60)]
    assert piece in "".join(fit_codebook(texts, owners, generator(1, "labels")).labels)
    masked = mask_array(pa.array(texts)).to_pylist()
    assert piece not in "".join(fit_codebook(masked, owners, generator(1, "labels")).labels)


HOSTILE = (
    *("a", "sk-", "ask-", "eyJ-", "eyJaaaaaaaaa.", "xoxb-", "-----BEGIN PRIVATE KEY-----", "SG.aaaaaaaaaaaaaaaa.", "basic a", 'bearer "'),
    *(
        "password=",
        "password='",
        'password="',
        "password: ",
        "password:\\",
        "password is ",
        "password=a_",
        "password=[",
        "api_key = ",
        "token=a,",
    ),
    *("://", "://a:", "a:b@", "\\", "[secret:", "[secret:aws:", "token=[secret:aws:12345678]", "密码："),
)


@pytest.mark.slow
@pytest.mark.parametrize("piece", HOSTILE)
@pytest.mark.parametrize("before", ["", "password=", "http://a:"])
def test_hostile_text_is_masked_in_linear_time(piece: str, before: str, masks_in_linear_time: Callable[[str, str], bool]) -> None:
    assert masks_in_linear_time(before, piece)


@pytest.mark.slow
@pytest.mark.parametrize("text", ["a" * 10**6, "sk-" * 300_000, "password=" * 100_000])
def test_a_megabyte_of_hostile_text_takes_seconds(text: str) -> None:
    started = perf_counter()
    mask(text)
    mask_array(pa.array([text]))
    assert perf_counter() - started < 30.0


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
