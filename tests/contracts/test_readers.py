"""Every reader, over a sample written to its source's documented shape, gives the rows that the sample says."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stillwatch.ingest import IngestResult, IngestSettings, available_columns, ingest, plan_inputs
from stillwatch.ingest.readers import READERS
from stillwatch.ingest.readers.base import Context
from stillwatch.ingest.readers.bedrock import BEDROCK
from stillwatch.records.tables import EXCHANGES, TEXT_COLUMNS

SAMPLES = Path(__file__).parent.parent / "samples"
KEY_ID = "key:" + hashlib.sha256(b"a key of account 42").hexdigest()[:32]
FORMATS = {
    "native.jsonl": "native",
    "litellm.jsonl": "litellm",
    "litellm_array.json": "litellm",
    "spend_logs.jsonl": "litellm-spend-logs",
    "otlp.jsonl": "otlp",
    "batch_input.jsonl": "openai-batch",
    "batch_output.jsonl": "openai-batch",
    "bedrock.jsonl": "bedrock",
    "vertex.jsonl": "vertex",
    "langfuse.jsonl": "langfuse",
    "langfuse_export.jsonl": "langfuse",
    "http_pair.jsonl": "http-pair",
}


@dataclass(frozen=True)
class Reading:
    """A result and its rows."""

    result: IngestResult
    rows: list[dict[str, Any]]

    def row(self, exchange_id: str) -> dict[str, Any]:
        (row,) = (row for row in self.rows if row["exchange_id"] == exchange_id)
        return row


@pytest.fixture
def read(tmp_path: Path) -> Callable[..., Reading]:
    """Ingest samples or other files, by name or path."""

    def call(*files: str | Path, settings: IngestSettings | None = None) -> Reading:
        paths = [SAMPLES / file if isinstance(file, str) else file for file in files]
        work = tmp_path / "work"
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir()
        result = ingest(plan_inputs(paths), work=work, settings=settings or IngestSettings(), progress=lambda rows, read: None)
        return Reading(result, [row for shard in result.shards for batch in shard.batches() for row in batch.to_pylist()])

    return call


def has(row: dict[str, Any], **expected: Any) -> None:
    assert {name: row[name] for name in expected} == expected


@pytest.mark.parametrize(("sample", "name"), FORMATS.items())
def test_each_sample_is_recognised_by_its_records(sample: str, name: str) -> None:
    assert [file.format for file in plan_inputs([SAMPLES / sample]).files] == [name]


@pytest.mark.parametrize("sample", [name for name in FORMATS if not name.startswith("batch")])
def test_no_record_of_a_sample_is_claimed_by_a_second_reader(sample: str) -> None:
    data = orjson.loads((SAMPLES / sample).read_bytes()) if sample.endswith(".json") else None
    records = data or [orjson.loads(line) for line in (SAMPLES / sample).read_bytes().splitlines()]
    for record in records:
        assert [name for name, reader in READERS.items() if reader.sniff(record)] == [FORMATS[sample]]


def test_every_reader_has_a_sample_and_declares_columns_of_the_table() -> None:
    assert set(FORMATS.values()) == set(READERS)
    for reader in READERS.values():
        assert set(reader.columns) <= set(EXCHANGES.names)


def test_readers_fill_only_what_they_declare(read) -> None:
    reading = read(*FORMATS)
    for row in reading.rows:
        filled = {name for name, value in row.items() if value is not None}
        assert filled - {"client_ip", "user_agent"} <= set(READERS[row["source"]].columns)


def test_counts_of_all_samples_reconcile(read) -> None:
    reading = read(*FORMATS)
    for count in reading.result.files:
        assert count.rows_in == count.rows_out + count.quarantined
    assert sum(count.rows_out for count in reading.result.files) == len(reading.rows) == 27
    assert reading.result.skipped == {"batch_input.jsonl": 2, "langfuse.jsonl": 1, "otlp.jsonl": 3}


def test_the_raw_record_is_hashed_as_it_stands(read) -> None:
    reading = read("native.jsonl")
    lines = (SAMPLES / "native.jsonl").read_bytes().splitlines()
    assert [row["raw_sha256"] for row in reading.rows] == [hashlib.sha256(line).hexdigest() for line in lines]
    assert reading.rows[1]["exchange_id"] == reading.rows[1]["raw_sha256"]


def test_native_lines(read) -> None:
    rows = read("native.jsonl").rows
    has(rows[0], exchange_id="n-1", account_id="acct_42", input_tokens=812, text_state="full", client_ip="203.0.113.7")
    assert rows[0]["key_id"] == "key:" + hashlib.sha256(b"not-a-known-shape-0042").hexdigest()[:32]
    has(rows[1], system_text="You are a patient tutor.", prompt_text="How is one cleaned?", turns=4)
    has(rows[1], response_text="With water and patience.", text_state="full")
    assert rows[2]["prompt_text"].startswith("My key is [secret:openai:")
    assert rows[0]["started_at"] == rows[1]["started_at"]


def test_native_parquet_gives_the_same_rows_as_native_lines(read, tmp_path: Path) -> None:
    lines = read("native.jsonl").rows
    path = tmp_path / "native.parquet"
    pq.write_table(pa.Table.from_pylist(lines), path)
    assert read(path).rows == lines


def test_litellm_payload(read) -> None:
    reading = read("litellm.jsonl")
    row = reading.row("chatcmpl-1")
    has(row, account_id="acct_42", org_id="org_7", key_id=KEY_ID, end_user_id="u9", trace_id="t-1", status=200, stream=True)
    has(row, client_ip="203.0.113.7", user_agent="python-httpx/0.28", model_requested="m-large", model_served="m-large-2026")
    has(row, temperature=1.0, n=4, logprobs=True, top_logprobs=5, logit_bias_size=1, tools_count=1, response_format="json_schema")
    has(row, input_tokens=812, cached_input_tokens=100, output_tokens=1503, reasoning_tokens=40, turns=4, finish_reason="stop")
    has(row, prompt_text="How is one cleaned?", response_text="With water and patience.", reasoning_text="Copper wants mild means.")
    assert (row["ended_at"] - row["started_at"]).total_seconds() == pytest.approx(3.2)
    redacted = reading.row("chatcmpl-2")
    has(redacted, text_state="redacted", **dict.fromkeys(TEXT_COLUMNS))
    has(reading.row("chatcmpl-3"), account_id=KEY_ID, status=429, error_code="429", response_text=None, text_state="full")


def test_litellm_payloads_in_one_array(read) -> None:
    reading = read("litellm_array.json")
    assert [row["exchange_id"] for row in reading.rows] == ["chatcmpl-a0", "chatcmpl-a1", "chatcmpl-a2"]
    assert {row["prompt_text"] for row in reading.rows} == {"How is one cleaned?"}


def test_litellm_spend_logs(read) -> None:
    reading = read("spend_logs.jsonl")
    row = reading.row("chatcmpl-s1")
    has(row, account_id="acct_42", org_id="org_7", key_id=KEY_ID, session_id="s-1", user_agent="python-httpx/0.28", text_state="full")
    has(row, prompt_text="How is one cleaned?", response_text="With water and patience.", turns=4)
    assert row["started_at"].isoformat() == "2026-11-23T19:00:00+00:00"
    assert reading.row("chatcmpl-s2")["text_state"] == "truncated"
    has(reading.row("chatcmpl-s3"), text_state="absent", input_tokens=812, **dict.fromkeys(TEXT_COLUMNS))


def test_otlp_spans_and_events(read) -> None:
    reading = read("otlp.jsonl")
    trace = "5b8efff798038103d269b633813fc60c"
    new, old, events = (reading.row(f"{trace}:eee19b7ec3c1b17{place}") for place in (4, 5, 7))
    has(new, account_id="acct_42", session_id="c-1", client_ip="203.0.113.7", user_agent="python-httpx/0.28", input_tokens=812)
    has(new, system_text="You are a tutor.", prompt_text="How is a still cleaned?", response_text="With water.", reasoning_text="Copper.")
    has(new, finish_reason="stop", model_served="m-large-2026", temperature=0.5, max_tokens=512, text_state="full")
    assert (new["ended_at"] - new["started_at"]).total_seconds() == pytest.approx(3.21)
    has(old, account_id="acct_43", input_tokens=5, output_tokens=7, system_text="Be brief.", prompt_text="And now?", turns=2)
    has(old, response_text="Now rest.")
    has(events, account_id="acct_44", prompt_text="Which copper?", response_text="Pure.")
    has(reading.row("6" * 32 + ":" + "7" * 16), account_id="acct_45", text_state="absent", client_ip=None)


def test_batch_pairs(read) -> None:
    reading = read("batch_input.jsonl", "batch_output.jsonl", settings=IngestSettings(default_account="acct_42"))
    assert [row["prompt_text"] for row in reading.rows] == ["Question 2?", "Question 1?"]
    has(reading.rows[0], exchange_id="batch_req_2", account_id="acct_42", max_tokens=1000, seed=7, status=200, output_tokens=1503)
    has(reading.rows[0], endpoint="/v1/chat/completions", response_text="With water and patience.")
    assert reading.result.reasons == {"unmatched_request": 1, "unmatched_response": 1}


def test_batches_that_reuse_custom_ids_are_kept_apart(read, tmp_path: Path) -> None:
    folders = [tmp_path / "logs" / name for name in ("acct_1", "acct_2")]
    for place, folder in enumerate(folders):
        folder.mkdir(parents=True)
        for name in ("batch_input.jsonl", "batch_output.jsonl"):
            data = (SAMPLES / name).read_bytes().replace(b"batch_req_", b"batch_%d_" % place)
            (folder / name).write_bytes(data.replace(b"Question", b"Question of %d:" % place).replace(b"r-", b"r-%d" % place))
    reading = read(tmp_path / "logs")
    assert sorted((row["account_id"], row["prompt_text"][:13]) for row in reading.rows) == [
        *[("acct_1", "Question of 0")] * 2,
        *[("acct_2", "Question of 1")] * 2,
    ]


@pytest.mark.parametrize("name", ["account_id", "accountId", "tenant_id", "tenantId", "customer_id", "customerId", "user_id", "userId"])
def test_bedrock_takes_the_account_from_the_tags_that_the_page_names_or_from_the_one_that_is_given(name: str) -> None:
    record = {"schemaType": "ModelInvocationLog", "accountId": "111", "requestMetadata": {name: "usual", "workspace": "own"}}
    context = Context(file="log.jsonl", folder="", default_account=None, max_depth=64)
    (row,) = BEDROCK.read(record, context)
    (own,) = BEDROCK.read(record, replace(context, account_tag="workspace"))
    (absent,) = BEDROCK.read(record, replace(context, account_tag="team"))
    assert row is not None
    assert own is not None
    assert absent is not None
    assert [found["account_id"] for found in (row, own, absent)] == ["usual", "own", "usual"]
    assert f"`{name}`" in (Path(__file__).parents[2] / "docs" / "how-to" / "read-your-logs.md").read_text("utf-8")


def test_an_account_tag_reaches_the_readers(read) -> None:
    assert {row["account_id"] for row in read("bedrock.jsonl", settings=IngestSettings(account_tag="traceId")).rows} >= {"t-9"}


def test_bedrock(read) -> None:
    reading = read("bedrock.jsonl")
    arn = "arn:aws:sts::111122223333:assumed-role/app/s1"
    row = reading.row("b-1")
    has(row, account_id=arn, org_id="111122223333", trace_id="t-9", temperature=0.2, max_tokens=99, input_tokens=35, output_tokens=446)
    has(row, system_text="Be kind.", prompt_text="How is a still cleaned?", response_text="With water.", reasoning_text="Copper.", turns=1)
    has(row, finish_reason="end_turn", text_state="full")
    streamed = reading.row("b-2")
    has(streamed, account_id="acct_42", stream=True, system_text="Be brief.", prompt_text="Hello?", response_text="Hello.", max_tokens=50)
    has(reading.row("b-3"), text_state="absent", error_code="ThrottlingException", status=None, input_tokens=90000)


def test_vertex(read) -> None:
    reading = read("vertex.jsonl")
    row = reading.row("1234567890123")
    has(
        row,
        account_id="acct_42",
        project_id="123",
        sampling_rate=0.25,
        n=2,
        max_tokens=64,
        input_tokens=7,
        output_tokens=12,
        reasoning_tokens=3,
    )
    has(row, system_text="Be kind.", prompt_text="How is a still cleaned?", response_text="With water.", reasoning_text="Copper.")
    assert row["started_at"].isoformat() == "2026-11-23T19:00:00.123456+00:00"
    has(reading.row("1234567890124"), account_id="123", stream=True, response_text="With water.", finish_reason="STOP", output_tokens=4)


def test_langfuse(read) -> None:
    reading = read("langfuse.jsonl", "langfuse_export.jsonl")
    row = reading.row("o1")
    has(row, account_id="acct_42", session_id="s1", trace_id="t1", project_id="p1", temperature=1.0, max_tokens=100)
    has(row, prompt_text="How is a still cleaned?", response_text="With water.", input_tokens=812, cached_input_tokens=12)
    has(reading.row("o3"), account_id="acct_43", prompt_text="And the lid?", response_text="Also.", input_tokens=8, output_tokens=15)


def test_http_pairs(read) -> None:
    reading = read("http_pair.jsonl")
    row = reading.row("hp-1")
    has(row, account_id="acct_42", client_ip="203.0.113.7", user_agent="python-httpx/0.28", trace_id="t-7", status=200, seed=7)
    has(row, prompt_text="How is a still cleaned?", response_text="With water and patience.")
    assert row["key_id"] == "key:" + hashlib.sha256(b"plain-secret-key-00042").hexdigest()[:32]
    assert (row["ended_at"] - row["started_at"]).total_seconds() == pytest.approx(1.5)
    second = reading.row("hp-2")
    has(second, account_id=second["key_id"], prompt_text="And then?", response_text="Dry it.", finish_reason="stop")


def test_access_logs_fill_only_what_is_missing(read) -> None:
    reading = read("bedrock.jsonl", "native.jsonl", "access_log.jsonl")
    has(reading.row("b-1"), client_ip="198.51.100.9", user_agent="curl/8.9")
    has(reading.row("b-2"), client_ip=None, user_agent=None)
    has(reading.row("n-1"), client_ip="203.0.113.7", user_agent="python-httpx/0.28")
    assert reading.result.skipped == {"access_log.jsonl": 2}
    apart = read("bedrock.jsonl", "access_log.jsonl", settings=IngestSettings(join_access_logs=False))
    has(apart.row("b-1"), client_ip=None, user_agent=None)


def test_an_answer_that_only_calls_tools_has_no_text_but_is_whole(read, tmp_path: Path) -> None:
    record = orjson.loads((SAMPLES / "litellm.jsonl").read_bytes().splitlines()[0])
    record["response"]["choices"][0]["message"] = {"role": "assistant", "content": None, "tool_calls": [{"id": "1"}]}
    path = tmp_path / "log.jsonl"
    path.write_bytes(orjson.dumps(record))
    has(read(path).rows[0], response_text=None, text_state="full")


@pytest.mark.parametrize("odd", ["abc", -5, {"a": 1}, [1], True, 10**30, None])
def test_no_caller_can_have_its_rows_refused_by_odd_parameters(read, tmp_path: Path, odd: object) -> None:
    record = orjson.loads((SAMPLES / "litellm.jsonl").read_bytes().splitlines()[0])
    names = (
        "temperature",
        "top_p",
        "n",
        "max_tokens",
        "seed",
        "logprobs",
        "top_logprobs",
        "logit_bias",
        "tools",
        "response_format",
        "user",
    )
    given = {name: float(odd) if isinstance(odd, int) and odd > 2**63 else odd for name in names}
    record |= {"model_parameters": given, "end_user": given["user"], "session_id": given["user"], "user_agent": given["user"]}
    path = tmp_path / "log.jsonl"
    path.write_bytes(orjson.dumps(record))
    reading = read(path)
    assert reading.result.reasons == {}
    assert len(reading.rows) == 1


def test_dry_run_columns_match_what_is_filled(read) -> None:
    for sample in ("native.jsonl", "litellm.jsonl", "vertex.jsonl", "langfuse.jsonl"):
        plan = plan_inputs([SAMPLES / sample])
        assert available_columns(plan)[FORMATS[sample]] == read(sample).result.filled_columns
