"""Values of logs as typed values: what counts as a number or a time, and what does not."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pytest

from stillwatch.ingest.convert import Refusals, from_array, from_values
from stillwatch.ingest.values import RefusedRowError, as_bool, as_float, as_int, as_time
from stillwatch.records.tables import EXCHANGES

MOMENT = int(datetime(2026, 11, 23, 19, 0, 0, 250_000, tzinfo=UTC).timestamp() * 1_000_000)


@pytest.mark.parametrize(
    "given",
    [
        *("2026-11-23T19:00:00.25Z", "2026-11-23T20:00:00.250+01:00", "2026-11-23 19:00:00.250000", "2026-11-23 19:00:00.250 UTC"),
        *(1795460400.25, 1795460400250, 1795460400250000, 1795460400250000000, "1795460400250000000", "1795460400.25"),
        datetime(2026, 11, 23, 19, 0, 0, 250_000),  # noqa: DTZ001 - a naive time is what this is about
    ],
)
def test_every_way_to_write_a_time_gives_the_same_moment(given: object) -> None:
    assert as_time(given) == MOMENT


@pytest.mark.parametrize("given", ["yesterday", "", True, [], {}, float("inf"), float("nan"), 2**80])
def test_what_is_no_time_is_refused(given: object) -> None:
    with pytest.raises(RefusedRowError):
        as_time(given)


@pytest.mark.parametrize(("given", "number"), [("812", 812), ("-3", -3), (4.0, 4), (0, 0)])
def test_plain_integers_may_be_spelled(given: object, number: int) -> None:
    assert as_int(given) == number


@pytest.mark.parametrize("given", ["abc", "1.5", "", " 1", "1e3", "0x10", "٣", True, 1.5, None, [], 2**63])
def test_what_is_no_integer_is_refused(given: object) -> None:
    with pytest.raises(RefusedRowError):
        as_int(given)


@pytest.mark.parametrize("given", ["nan", "inf", "1e999", float("inf"), True, 10**400])
def test_what_is_no_finite_number_is_refused(given: object) -> None:
    with pytest.raises(RefusedRowError):
        as_float(given)


def test_booleans_are_not_numbers() -> None:
    with pytest.raises(RefusedRowError):
        as_bool(1)
    assert as_bool("True") is True


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("started_at", ["2026-11-23T19:00:00Z", "2026-11-23T19:00:00.25Z", None]),
        ("started_at", ["2026-11-23 19:00:00", "2026-11-23T19:00:00.250001"]),
        ("started_at", [1795460400, 1795460400250, 1795460400250000, 1795460400250000000, None, 0]),
        ("started_at", [1795460400.25, 1795460400250.0, None]),
        ("input_tokens", [1, None, 2**62]),
        ("temperature", [1, 0.5, None, 2**52]),
        ("stream", [True, None, False]),
        ("model_requested", ["m", None, ""]),
    ],
)
def test_whole_columns_mean_what_single_values_mean(name: str, values: list[object]) -> None:
    column = EXCHANGES.column(name)
    together, apart = Refusals.none(len(values)), Refusals.none(1)
    array = from_values(values, column, together)
    singles = [from_values([value, "no such value"], column, Refusals.none(2))[0].as_py() for value in values]
    if column.type == "string":
        singles = values
    assert array.to_pylist() == singles
    assert not together.mask.any()
    assert not apart.mask.any()


def test_only_the_values_that_do_not_fit_are_refused() -> None:
    refusals = Refusals.none(4)
    array = from_values([1, "2", "x", 1.5], EXCHANGES.column("n"), refusals)
    assert array.to_pylist() == [1, 2, None, None]
    assert refusals.mask.tolist() == [False, False, True, True]
    assert refusals.why[2] == ("wrong_type", "n: expected an integer, got string")


@pytest.mark.parametrize(
    ("array", "name", "expected"),
    [
        (pa.array([1, 2], pa.int8()), "n", [1, 2]),
        (pa.array([1.0, None]), "n", [1, None]),
        (pa.array(["7", None]), "n", [7, None]),
        (pa.array(["a", "b"]).dictionary_encode(), "model_requested", ["a", "b"]),
        (pa.array(["a"], pa.large_string()), "model_requested", ["a"]),
        (pa.array([5]), "account_id", ["5"]),
        (pa.array([MOMENT * 1_000], pa.timestamp("ns")), "started_at", [datetime.fromtimestamp(MOMENT / 1e6, tz=UTC)]),
        (pa.array([MOMENT // 1_000]), "started_at", [datetime.fromtimestamp(MOMENT / 1e6, tz=UTC)]),
        (pa.array(["2026-11-23T19:00:00.25Z"]), "started_at", [datetime.fromtimestamp(MOMENT / 1e6, tz=UTC)]),
        (pa.nulls(2), "seed", [None, None]),
    ],
)
def test_columns_of_other_types_are_converted(array: pa.Array, name: str, expected: list[object]) -> None:
    refusals = Refusals.none(len(array))
    assert from_array(array, EXCHANGES.column(name), refusals).to_pylist() == expected
    assert not refusals.mask.any()


def test_a_column_of_the_wrong_kind_refuses_every_row() -> None:
    refusals = Refusals.none(2)
    array = from_array(pa.array([{"id": 1}, {"id": 2}]), EXCHANGES.column("account_id"), refusals)
    assert array.null_count == 2
    assert np.all(refusals.mask)
