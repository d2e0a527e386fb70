"""Files are recognised by what is in them; what is left aside is said."""

from __future__ import annotations

import gzip
import pickle
from pathlib import Path

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stillwatch.errors import UnknownFormatError, UsageError
from stillwatch.ingest import available_columns, plan_inputs


@pytest.fixture
def folder(tmp_path: Path, exchange) -> Path:
    top = tmp_path / "logs"
    (top / "deep").mkdir(parents=True)
    (top / "a.txt").write_bytes(orjson.dumps(exchange(0)))
    (top / "deep" / "b.gz").write_bytes(gzip.compress(orjson.dumps(exchange(1))))
    (top / ".hidden.jsonl").write_bytes(orjson.dumps(exchange(2)))
    (top / "notes.md").write_text("some notes")
    (top / "empty.jsonl").touch()
    (top / "access.log").write_bytes(orjson.dumps({"x-request-id": "r", "x-forwarded-for": "203.0.113.7"}))
    pq.write_table(pa.table({"account_id": ["a"], "created_at": ["2026-01-01"]}), top / "accounts.parquet")
    pq.write_table(pa.table({"account_id": ["a"], "campaign_id": ["c"]}), top / "ground.parquet")
    pq.write_table(pa.Table.from_pylist([exchange(3)]), top / "c.parquet")
    return top


def test_a_folder_is_read_by_content_and_the_rest_is_named(folder: Path) -> None:
    plan = plan_inputs([folder])
    assert [(file.name, file.format, file.compression) for file in plan.files] == [
        ("logs/a.txt", "native", "none"),
        ("logs/c.parquet", "parquet", "none"),
        ("logs/deep/b.gz", "native", "gzip"),
    ]
    assert [file.name for file in plan.access_logs] == ["logs/access.log"]
    assert dict(plan.ignored) == {
        "logs/accounts.parquet": "an account table; it is given by --accounts",
        "logs/empty.jsonl": "not recognised: an empty file",
        "logs/ground.parquet": "not recognised: a truth table, which only benchmarks read",
        "logs/notes.md": "not recognised: text that is not JSON",
    }


def test_patterns_and_files_given_twice_are_read_once(folder: Path) -> None:
    plan = plan_inputs([folder / "**/*.gz", folder / "deep" / "b.gz"])
    assert [file.path for file in plan.files] == [folder / "deep" / "b.gz"]


def test_the_order_in_which_paths_are_given_changes_nothing(folder: Path) -> None:
    paths = [folder / "a.txt", folder / "deep" / "b.gz", folder / "c.parquet"]
    assert [file.path for file in plan_inputs(paths[::-1]).files] == paths
    assert plan_inputs(paths) == plan_inputs(paths[::-1])


def test_relative_paths_are_shown_as_given(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder.parent)
    assert [file.name for file in plan_inputs([Path("logs/a.txt")]).files] == ["logs/a.txt"]


def test_two_files_of_one_name_are_told_apart(tmp_path: Path, exchange) -> None:
    paths = [tmp_path / folder / "log.jsonl" for folder in ("a", "b")]
    for number, path in enumerate(paths):
        path.parent.mkdir()
        path.write_bytes(orjson.dumps(exchange(number)))
    assert [file.name for file in plan_inputs(paths).files] == ["a/log.jsonl", "b/log.jsonl"]


def test_what_is_not_there_is_a_usage_error(tmp_path: Path) -> None:
    for paths in ([tmp_path / "none.jsonl"], [tmp_path / "*.jsonl"], []):
        with pytest.raises(UsageError):
            plan_inputs(paths)
    (tmp_path / "nothing-here").mkdir()
    with pytest.raises(UsageError, match="nothing-here: no log file"):
        plan_inputs([tmp_path / "nothing-here"])
    with pytest.raises(UsageError, match="format"):
        plan_inputs([tmp_path], format="syslog")


def test_a_folder_without_a_log_says_what_it_holds(tmp_path: Path) -> None:
    (tmp_path / "notes.md").write_text("some notes")
    with pytest.raises(UsageError, match=r"notes\.md: not recognised: text that is not JSON"):
        plan_inputs([tmp_path])


@pytest.mark.parametrize(
    ("data", "seen"),
    [
        (b"a,b\n1,2\n", "text that is not JSON"),
        (b'{"colour":"red","size":3}\n', '"colour", "size"'),
        (b"", "an empty file"),
        (b"\x7fELF\0\0\0", "bytes that are not text"),
        (b"PAR1 but not really", "footer cannot be read"),
        (b'{"broken', "without a single readable object"),
    ],
)
def test_an_unknown_file_named_by_itself_is_an_error_that_shows_both_sides(tmp_path: Path, data: bytes, seen: str) -> None:
    path = tmp_path / "thing.jsonl"
    path.write_bytes(data)
    with pytest.raises(UnknownFormatError) as error:
        plan_inputs([path])
    assert "thing.jsonl" in str(error.value)
    assert seen in str(error.value)
    assert "litellm" in str(error.value)


def test_a_named_format_wins_over_recognition(tmp_path: Path, run) -> None:
    path = tmp_path / "log.jsonl"
    path.write_bytes(orjson.dumps({"id": "1", "metadata": {"user_api_key_user_id": "a"}, "startTime": 1795460400.0}))
    outcome = run(path, wanted="litellm")
    assert [row["account_id"] for row in outcome.rows] == ["a"]


def test_broken_first_lines_do_not_hide_the_format(lines, exchange) -> None:
    path = lines(b"\0\0\0", b"[1", b'{"half', exchange(0), exchange(1))
    assert [file.format for file in plan_inputs([path]).files] == ["native"]


def test_columns_are_the_ones_that_really_have_values(folder: Path) -> None:
    columns = available_columns(plan_inputs([folder]))
    expected = ("exchange_id", "source", "started_at", "account_id", "input_tokens", "prompt_text", "response_text", "text_state")
    assert columns["parquet"] == expected
    assert columns["native"] == (*expected, "raw_sha256")


def test_filled_columns_match_what_the_shards_hold(folder: Path, run) -> None:
    outcome = run(folder)
    held = {name for row in outcome.rows for name, value in row.items() if value is not None}
    assert set(outcome.result.filled_columns) == held


def test_progress_never_goes_back_and_ends_at_the_whole(folder: Path, tmp_path: Path) -> None:
    from stillwatch.ingest import IngestSettings, ingest

    plan = plan_inputs([folder])
    work = tmp_path / "work"
    work.mkdir()
    told: list[tuple[int, int]] = []
    result = ingest(plan, work=work, settings=IngestSettings(), progress=lambda rows, read: told.append((rows, read)))
    assert told == sorted(told)
    assert told[-1] == (3, sum(file.bytes for file in (*plan.files, *plan.access_logs)))
    assert pickle.loads(pickle.dumps(result.shards)) == result.shards


@pytest.mark.parametrize("name", ["a.txt", "c.parquet"])
def test_a_file_that_is_gone_by_the_time_it_is_read_is_an_error_that_names_it(folder: Path, tmp_path: Path, name: str) -> None:
    from stillwatch.errors import UnreadableInputError
    from stillwatch.ingest import IngestSettings, ingest

    plan = plan_inputs([folder / name])
    (folder / name).unlink()
    work = tmp_path / "work"
    work.mkdir()
    with pytest.raises(UnreadableInputError, match=name):
        ingest(plan, work=work, settings=IngestSettings(), progress=lambda rows, read: None)


def test_what_a_stopped_run_left_behind_does_not_disturb_the_next(folder: Path, tmp_path: Path) -> None:
    from stillwatch.ingest import IngestSettings, ingest

    plan = plan_inputs([folder])
    work = tmp_path / "work"
    work.mkdir()
    for name in ("joins.sqlite", "batches.sqlite", "quarantine.jsonl"):
        (work / name).write_bytes(b"left over")
    result = ingest(plan, work=work, settings=IngestSettings(), progress=lambda rows, read: None)
    assert sum(count.rows_out for count in result.files) == 3
    assert result.quarantine.read_bytes() == b""


def test_many_broken_lines_do_not_hide_the_sound_ones_after_them(run, lines, exchange) -> None:
    for broken, head in ((b"BROKEN LINE {{{", 40), (b'{"half', 41), (b"[1", 40), (b"x" * 100_000, 40)):
        path = lines(*[broken] * head, *(exchange(number) for number in range(30)), name=f"log-{len(broken)}.jsonl")
        outcome = run(path)
        assert len(outcome.rows) == 30
        assert len(outcome.refused) == head


def test_a_torn_log_beside_sound_ones_is_counted_and_quarantined(run, folder: Path, tmp_path: Path, exchange) -> None:
    whole = (folder / "c.parquet").read_bytes()
    (folder / "d.parquet").write_bytes(whole[: len(whole) // 2])
    (folder / "e.parquet").write_bytes(b"no magic at all")
    (folder / "f.jsonl").write_bytes(orjson.dumps(exchange(8)))
    (folder / "g.jsonl").write_bytes(b'{"exchange_id": "x-9", "acc')
    outcome = run(folder)
    lost = [f"logs/{name}" for name in ("d.parquet", "e.parquet", "g.jsonl")]
    assert [(line["file"], line["reason"]) for line in outcome.refused] == [(name, "unreadable_file") for name in lost]
    counts = [(file.path, file.rows_in, file.rows_out, file.quarantined) for file in outcome.result.files if file.format == "unreadable"]
    assert counts == [(name, 1, 0, 1) for name in lost]
    plan = plan_inputs([folder])
    assert {path for path, _ in plan.left_aside()} == {*lost, *(path for path, _ in plan.ignored)}
    assert {"logs/notes.md", "logs/empty.jsonl"} <= {path for path, _ in plan.ignored}


def test_a_file_that_may_not_be_opened_is_a_lost_log(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from stillwatch.ingest import plan

    def refusing(path: Path) -> object:
        if path.name == "a.txt":
            raise PermissionError(13, "Permission denied", str(path))
        return sniff(path)

    sniff = plan.sniff
    monkeypatch.setattr(plan, "sniff", refusing)
    assert [(file.name, file.reason) for file in plan_inputs([folder]).unreadable] == [
        ("logs/a.txt", "cannot be opened (Permission denied)")
    ]


def test_objects_of_another_kind_beside_a_log_are_no_lost_log(folder: Path, lines) -> None:
    (folder / "deep" / "log.json").write_bytes(b'{"account_id": "a", "started_at": "2026-11-23T19:00:00Z"}')
    (folder / "deep" / "settings.json").write_bytes(b'{"colour": "red"}')
    plan = plan_inputs([folder])
    assert plan.unreadable == ()
    assert "logs/deep/settings.json" in dict(plan.ignored)
