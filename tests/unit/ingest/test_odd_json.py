"""What a caller can put into a request does not keep its row unread."""

from __future__ import annotations

import json

import pytest

from stillwatch.ingest.parsing import parse, parse_text
from stillwatch.ingest.values import RefusedRowError

DEPTH = 64


@pytest.mark.parametrize(
    ("data", "value"),
    [
        (b'{"prompt": "hello \\ud800 there"}', {"prompt": "hello \ufffd there"}),
        (b'{"prompt": "cut \\ud83d"}', {"prompt": "cut \ufffd"}),
        (b'{"prompt": "low first \\ude00\\ud83d"}', {"prompt": "low first \ufffd\ufffd"}),
        (b'{"prompt": "whole \\ud83d\\ude00 and \\ud83d half"}', {"prompt": "whole \U0001f600 and \ufffd half"}),
        (b'{"\\udfff": [{"a": "\\udfff"}]}', {"\ufffd": [{"a": "\ufffd"}]}),
        (b'{"temperature": NaN, "top_p": Infinity, "x": -Infinity}', {"temperature": None, "top_p": None, "x": None}),
    ],
)
def test_what_a_caller_can_make_python_s_writer_write_is_read(data: bytes, value: dict[str, object]) -> None:
    assert parse(data, DEPTH) == value
    assert parse_text(data.decode(), DEPTH) == value


def test_a_backslash_before_what_looks_like_half_a_pair_is_text() -> None:
    written = json.dumps({"prompt": "the escape \\ud800 in a lesson"}).encode()
    assert parse(written, DEPTH) == {"prompt": "the escape \\ud800 in a lesson"}


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b'{"a": nan}', "invalid_json"),
        (b"{'a': 1}", "invalid_json"),
        (b'{"a": NaN', "invalid_json"),
        (b'{"a": "\\ud800"', "invalid_json"),
        (b"NaN", "invalid_json"),
        (b'["\\ud800"]', "not_an_object"),
        (b'{"a": ' + b"9" * 5_000 + b', "b": NaN}', "invalid_json"),
    ],
)
def test_what_is_broken_stays_refused_with_its_reason(data: bytes, reason: str) -> None:
    with pytest.raises(RefusedRowError) as refused:
        parse(data, DEPTH)
    assert refused.value.reason == reason
