"""Canonical JSON is that of RFC 8785, whichever way it is written."""

from __future__ import annotations

import hashlib
import json
import math
import struct
from collections.abc import Iterator
from itertools import islice
from typing import Any

import pytest
import rfc8785

from stillwatch.ledger.canonical import DEEPEST, canonical_json, read_canonical
from stillwatch.ledger.refusals import CanonicalError

# RFC 8785, appendix B: bits of a double, and its text.
NUMBERS = {
    "0000000000000000": "0",
    "8000000000000000": "0",
    "0000000000000001": "5e-324",
    "8000000000000001": "-5e-324",
    "7fefffffffffffff": "1.7976931348623157e+308",
    "ffefffffffffffff": "-1.7976931348623157e+308",
    "4340000000000000": "9007199254740992",
    "c340000000000000": "-9007199254740992",
    "4430000000000000": "295147905179352830000",
    "44b52d02c7e14af5": "9.999999999999997e+22",
    "44b52d02c7e14af6": "1e+23",
    "44b52d02c7e14af7": "1.0000000000000001e+23",
    "444b1ae4d6e2ef4e": "999999999999999700000",
    "444b1ae4d6e2ef4f": "999999999999999900000",
    "444b1ae4d6e2ef50": "1e+21",
    "3eb0c6f7a0b5ed8c": "9.999999999999997e-7",
    "3eb0c6f7a0b5ed8d": "0.000001",
    "41b3de4355555553": "333333333.3333332",
    "41b3de4355555554": "333333333.33333325",
    "41b3de4355555555": "333333333.3333333",
    "41b3de4355555556": "333333333.3333334",
    "41b3de4355555557": "333333333.33333343",
    "becbf647612f3696": "-0.0000033333333333333333",
    "43143ff3c1cb0959": "1424953923781206.2",
}


def _double(bits: str) -> float:
    return struct.unpack(">d", bytes.fromhex(bits))[0]


@pytest.mark.parametrize(("bits", "text"), NUMBERS.items())
def test_numbers_are_written_as_the_rfc_lists_them(bits: str, text: str) -> None:
    assert canonical_json(_double(bits)) == text.encode()
    assert canonical_json({"n": [_double(bits)]}) == f'{{"n":[{text}]}}'.encode()


def test_the_rfcs_own_example_comes_out_byte_for_byte() -> None:
    # RFC 8785, sections 3.2.2 and 3.2.4
    given = (
        '{"numbers": [333333333.33333329, 1E30, 4.50, 2e-3, 0.000000000000000000000000001],'
        '"string": "\\u20ac$\\u000F\\u000aA\'\\u0042\\u0022\\u005c\\\\\\"\\/", "literals": [null, true, false]}'
    )
    expected = (
        '{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],"string":"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}'
    )
    assert canonical_json(json.loads(given)) == expected.encode()


def test_names_are_sorted_by_utf_16_units() -> None:
    # RFC 8785, section 3.2.3: the order of code points would put U+FB33 before U+1F600
    names = {"\u20ac": "Euro Sign", "\r": "Carriage Return", "\ufb33": "Hebrew Letter Dalet With Dagesh", "1": "One",
             "\U0001f600": "Emoji: Grinning Face", "\u0080": "Control", "\u00f6": "Latin Small Letter O With Diaeresis"}  # fmt: skip
    values = list(json.loads(canonical_json(names)).values())
    assert [value.split()[0] for value in values] == ["Carriage", "One", "Control", "Latin", "Euro", "Emoji:", "Hebrew"]


def _published_doubles() -> Iterator[float]:
    """The sequence of doubles of the published test file for ECMAScript numbers, after its static part is passed over by its length.

    Beyond the static values it is 2,000 doubles from 0x0010000000000000 on, then the words of a chain of SHA-256.
    """
    yield from (struct.unpack(">d", (0x0010000000000000 + number).to_bytes(8, "big"))[0] for number in range(2000))
    block = bytes(32)
    while True:
        block = hashlib.sha256(block).digest()
        for found in struct.unpack("<4d", block):
            if found != 0 and math.isfinite(found):
                yield found


def test_numbers_read_back_as_the_same_double_in_the_shortest_way() -> None:
    # ECMA-262, Number::toString: the fewest digits that give the double back, which Python's repr finds too
    for number in islice(_published_doubles(), 4000):
        text = canonical_json(number).decode()
        assert float(text) == number
        assert len(_digits(text)) == len(_digits(repr(number)))
        exponent = math.floor(math.log10(abs(number)) + 1e-12)
        assert ("e" in text) == (not -7 <= exponent < 21) or abs(exponent) in (7, 21)


def _digits(text: str) -> str:
    return text.lstrip("-").split("e")[0].replace(".", "").strip("0")


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 2**53, -(2**53), "\ud800", {1: "a"}, b"x", {"a": {1, 2}}, object()])
def test_what_has_no_canonical_form_is_refused(value: Any) -> None:
    with pytest.raises(CanonicalError):
        canonical_json(value)
    with pytest.raises(CanonicalError):
        canonical_json({"within": [value]})


def test_depth_is_bounded_on_both_ways() -> None:
    value: Any = 1
    for _ in range(DEEPEST):
        value = [value]
    assert canonical_json(value) == b"[" * DEEPEST + b"1" + b"]" * DEEPEST
    for deep in ([value], {"ä": value, "x": 1.5}):
        with pytest.raises(CanonicalError, match="nested deeper"):
            canonical_json(deep)
    with pytest.raises(CanonicalError):
        read_canonical(b"[" * 100_000 + b"]" * 100_000)


@pytest.mark.parametrize(
    "data",
    [b'{"a":1,"a":1}', b'{"a":1,"a":2}', b'{"b":1,"a":2}', b'{"a": 1}', b"1.0", b"1e2", b"-0", b'"\\u0041"', b'"\\/"', b"[1,]", b"{", b"",
     b"\xef\xbb\xbf1", b"1 ", b"NaN", b"9007199254740993", b"1e400", b'"\xff"', b"'a'"],
)  # fmt: skip
def test_only_canonical_bytes_are_read(data: bytes) -> None:
    with pytest.raises(CanonicalError):
        read_canonical(data)


def test_the_fast_way_writes_what_the_library_writes() -> None:
    value = {"b": [1, -2, True, None, 'é\u2028\x7f\x00"\\/<>'], "a": {"z": "", "A": {}}, "n": 9007199254740991, "t": ("x", [])}
    assert canonical_json(value) == rfc8785.dumps(value)
    assert read_canonical(canonical_json(value)) == json.loads(json.dumps(value))
