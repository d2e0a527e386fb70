"""A log broken in every way is read to its end, and every row is either out or in quarantine."""

from __future__ import annotations

import gzip
import hashlib
import tracemalloc
from collections import Counter
from pathlib import Path

import orjson
import pytest
import zstandard

from stillwatch.ingest import IngestSettings

pytestmark = pytest.mark.slow

SMALL = IngestSettings(max_record_bytes=100_000, batch_rows=1_000)


def breakages(exchange) -> dict[str, tuple[bytes, str]]:
    """Ways to break a line, and the reason that each is refused for."""
    sound = orjson.dumps(exchange(1))

    def changed(**changes) -> bytes:
        return orjson.dumps(exchange(1) | {"exchange_id": "unique"} | changes)

    return {
        "cut": (sound[:-20], "truncated"),
        "garbage": (b"127.0.0.1 - - GET /v1/chat 200", "invalid_json"),
        "nul": (sound.replace(b"question", b"ques\0tion"), "nul_byte"),
        "utf8": (sound.replace(b"question", b"ques\xff\xfetion"), "invalid_utf8"),
        "scalar": (b"42", "not_an_object"),
        "string": (b'"hello"', "not_an_object"),
        "array": (b"[1, 2]", "not_an_object"),
        "deep": (b'{"a":' + b"[" * 50_000 + b"]" * 50_000 + b"}", "record_too_long"),
        "deepish": (b'{"a":' + b"[" * 20_000 + b"]" * 20_000 + b"}", "too_deep"),
        "long": (changed(prompt_text="x" * 150_000), "record_too_long"),
        "word": (changed(input_tokens="abc"), "wrong_type"),
        "fraction": (changed(input_tokens=1.5), "wrong_type"),
        "boolean": (changed(input_tokens=True), "wrong_type"),
        "object": (changed(account_id={"id": 1}), "wrong_type"),
        "list": (changed(prompt_text=["a"]), "wrong_type"),
        "flag": (changed(stream="maybe"), "wrong_type"),
        "huge": (changed().replace(b'"input_tokens":10', b'"input_tokens":99999999999999999999'), "out_of_range"),
        "status": (changed(status=2**40), "out_of_range"),
        "negative": (changed(output_tokens=-1), "negative_number"),
        "year 1": (changed(started_at="0001-01-01T00:00:00Z"), "time_out_of_range"),
        "year 9999": (changed(started_at="9999-12-31T23:59:59Z"), "time_out_of_range"),
        "huge time": (changed(started_at=2**62), "time_out_of_range"),
        "no time": (changed(started_at="yesterday"), "wrong_type"),
        "backwards": (changed(ended_at="2026-11-23T18:00:00Z"), "ended_before_started"),
        "no account": (changed(account_id=None), "missing_account_id"),
        "blank account": (changed(account_id=" \t"), "missing_account_id"),
        "rate": (changed(sampling_rate=0), "out_of_range"),
        "state": (changed(text_state="partial"), "unknown_text_state"),
        "twice": (orjson.dumps(exchange(0)), "duplicate_id"),
    }


def test_each_breakage_is_refused_for_its_own_reason(run, lines, exchange) -> None:
    kinds = breakages(exchange)
    outcome = run(lines(orjson.dumps(exchange(0)), *(line for line, _ in kinds.values())), settings=SMALL)
    reasons = {kind: line["reason"] for kind, line in zip(kinds, sorted(outcome.refused, key=lambda line: line["line"]), strict=True)}
    assert reasons == {kind: reason for kind, (_, reason) in kinds.items()}
    assert [row["exchange_id"] for row in outcome.rows] == ["x-0"]


def test_every_refusal_points_at_its_line(run, tmp_path: Path, exchange) -> None:
    kinds = breakages(exchange)
    path = tmp_path / "log.jsonl"
    path.write_bytes(b"".join(orjson.dumps(exchange(10 + i)) + b"\r\n\r\n" + line + b"\n" for i, (line, _) in enumerate(kinds.values())))
    outcome = run(path, settings=SMALL)
    data = path.read_bytes()
    for line in outcome.refused:
        start = data[: line["byte_offset"]]
        assert start.count(b"\n") == line["line"] - 1
        assert start.endswith(b"\n")
        assert len(line["head"]) <= 200
        assert "expected" in line["detail"]
        assert "got" in line["detail"]


def _mixed(exchange, count: int) -> tuple[bytes, int, Counter[str]]:
    """`count` rows of which 1 % are broken, and how many are sound."""
    kinds = list(breakages(exchange).values())
    out: list[bytes] = []
    reasons: Counter[str] = Counter()
    broken = 0
    for number in range(count):
        if number % 100 == 99:
            line, reason = kinds[broken % len(kinds)]
            broken += 1
            reasons[reason] += 1
            out += [line, b"", b"   "]
        else:
            out.append(orjson.dumps(exchange(number)))
    return b"\xef\xbb\xbf" + b"\n".join(out), count - broken, reasons


def test_a_broken_log_reconciles_to_the_row(run, tmp_path: Path, exchange) -> None:
    data, sound, _ = _mixed(exchange, 20_000)
    path = tmp_path / "log.jsonl"
    path.write_bytes(data)
    outcome = run(path, settings=SMALL)
    (count,) = outcome.result.files
    assert (count.rows_in, count.rows_out) == (20_000, sound)
    assert outcome.result.input_hashes == {"log.jsonl": hashlib.sha256(data).hexdigest()}


def test_a_million_lines_reconcile_to_the_row(run, tmp_path: Path, exchange) -> None:
    data, sound, _ = _mixed(exchange, 1_000_000)
    path = tmp_path / "log.jsonl.gz"
    path.write_bytes(gzip.compress(data, 1))
    outcome = run(path, settings=SMALL)
    (count,) = outcome.result.files
    assert (count.rows_in, count.rows_out) == (1_000_000, sound)


def test_a_line_of_fifty_megabytes_is_passed_over_without_being_held(run, tmp_path: Path, exchange) -> None:
    path = tmp_path / "log.jsonl"
    with path.open("wb") as stream:
        stream.write(orjson.dumps(exchange(0)) + b'\n{"prompt_text":"')
        for _ in range(50):
            stream.write(b"x" * 1_000_000)
        stream.write(b'"}\n' + orjson.dumps(exchange(1)) + b"\n")
    run(path, settings=SMALL)
    tracemalloc.start()
    outcome = run(path, settings=SMALL)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert outcome.reasons == ["record_too_long"]
    assert "50000018" in outcome.refused[0]["detail"]
    assert [row["exchange_id"] for row in outcome.rows] == ["x-0", "x-1"]
    assert peak < 40_000_000


def test_one_broken_value_does_not_touch_its_neighbours(run, lines, exchange) -> None:
    outcome = run(lines(exchange(0, input_tokens="812"), exchange(1, input_tokens="abc"), exchange(2, input_tokens=3.0)))
    assert {row["exchange_id"]: row["input_tokens"] for row in outcome.rows} == {"x-0": 812, "x-2": 3}


def test_a_broken_row_takes_no_id_from_a_sound_one(run, lines, exchange) -> None:
    outcome = run(lines(exchange(0, output_tokens=-1), exchange(0)))
    assert outcome.reasons == ["negative_number"]
    assert len(outcome.rows) == 1


def test_ids_are_unique_over_all_files_of_a_run(run, lines, exchange) -> None:
    outcome = run(lines(exchange(0), exchange(1), name="a.jsonl"), lines(exchange(1), exchange(2), name="b.jsonl"))
    assert [(line["file"], line["line"], line["reason"]) for line in outcome.refused] == [("b.jsonl", 1, "duplicate_id")]


def _torn(data: bytes, kind: str) -> bytes:
    packed = gzip.compress(data) if kind == "gzip" else zstandard.ZstdCompressor().compress(data)
    return packed[: len(packed) * 2 // 3]


@pytest.mark.parametrize("kind", ["gzip", "zstd"])
def test_what_a_torn_archive_still_holds_is_kept_and_the_tear_is_one_row(run, tmp_path: Path, exchange, kind: str) -> None:
    records = [orjson.dumps(exchange(i, prompt_text=hashlib.sha256(b"%d" % i).hexdigest() * 20)) for i in range(5_000)]
    path = tmp_path / "log.bin"
    path.write_bytes(_torn(b"\n".join(records), kind))
    outcome = run(path)
    assert outcome.reasons == ["torn_archive"]
    assert 1_000 < len(outcome.rows) < 5_000
    assert outcome.rows[-1]["exchange_id"] == f"x-{len(outcome.rows) - 1}"
    assert outcome.refused[0]["byte_offset"] == len(b"\n".join(records[: len(outcome.rows)])) + 1
    assert outcome.result.input_hashes["log.bin"] == hashlib.sha256(path.read_bytes()).hexdigest()


def test_damage_inside_a_gzip_member_keeps_what_came_before(run, tmp_path: Path, exchange) -> None:
    data = b"\n".join(orjson.dumps(exchange(i)) for i in range(20_000))
    packed = bytearray(gzip.compress(data))
    packed[len(packed) // 2 : len(packed) // 2 + 40] = b"\xff" * 40
    path = tmp_path / "log.gz"
    path.write_bytes(packed)
    outcome = run(path)
    assert "torn_archive" in outcome.reasons
    assert len(outcome.rows) > 5_000


@pytest.mark.parametrize("kind", ["gzip", "zstd"])
def test_archives_of_several_members_are_read_through(run, tmp_path: Path, exchange, kind: str) -> None:
    pack = gzip.compress if kind == "gzip" else zstandard.ZstdCompressor().compress
    path = tmp_path / "log.bin"
    path.write_bytes(b"".join(pack(orjson.dumps(exchange(i)) + b"\n") for i in range(30)))
    outcome = run(path)
    assert len(outcome.rows) == 30
    assert outcome.refused == []
