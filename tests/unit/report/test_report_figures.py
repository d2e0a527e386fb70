"""Pictures hold what they were given, and survive odd numbers and odd text."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest

from stillwatch.report import figures
from stillwatch.report.figures import Tie
from stillwatch.report.figures.network import sampled

pytestmark = pytest.mark.slow

DAYS = [datetime(2026, 6, 1, tzinfo=UTC) + timedelta(days=day) for day in range(10)]


def labels(svg: str) -> list[str]:
    return re.findall(r"<text[^>]*>([^<]*)</text>", svg)


def test_a_picture_is_one_svg_that_scales_and_names_no_outside_thing() -> None:
    svg = figures.activity(DAYS, range(10), range(100, 110), prefix="one")
    assert svg.startswith('<svg class="picture" viewBox="0 0 ')
    assert svg.endswith("</svg>")
    assert "://" not in svg
    assert "<style" not in svg
    assert "<metadata" not in svg
    assert "DejaVu" not in svg


def test_pictures_with_different_prefixes_share_no_identifier() -> None:
    first, second = (figures.activity(DAYS, range(10), range(10), prefix=prefix) for prefix in ("a", "b"))
    ids = [set(re.findall(r'\bid="([^"]+)"', svg)) for svg in (first, second)]
    assert ids[0]
    assert ids[0].isdisjoint(ids[1])
    assert first.replace('"a-', '"b-').replace("#a-", "#b-") == second


def test_a_waterfall_ends_at_the_strength_and_shows_what_the_signals_do_not_account_for() -> None:
    said = labels(figures.waterfall([("one", 3.0), ("two", -1.0)], 5.5, prefix="w"))
    assert {"one", "two", "taken together", "strength"} <= set(said)
    assert {text.strip() for text in said} >= {"+3.0", "−1.0", "+3.5", "5.5"}
    assert "taken together" not in labels(figures.waterfall([("one", 3.0), ("two", -1.0)], 2.0, prefix="w"))


def test_a_long_waterfall_pools_its_smallest_steps() -> None:
    said = labels(figures.waterfall([(f"signal {place}", 1.0) for place in range(20)], 20.0, prefix="w"))
    assert "8 smaller ones" in said
    assert " 20.0" in said


def test_sizes_stand_in_order_with_the_entity_among_them() -> None:
    said = labels(figures.sizes(48_112, [("large", 4_000_000), ("small", 1_000)], prefix="s"))
    names = [text for text in said if text in {"large", "small", "this entity"}]
    assert names == ["small", "this entity", "large"]
    assert " 48.1 k" in said


@pytest.mark.parametrize("ours", [0, 1, 10**12])
def test_sizes_are_drawn_for_any_amount(ours: int) -> None:
    assert figures.sizes(ours, [("set", 0)], prefix="s").endswith("</svg>")


def test_the_graph_draws_every_account_and_trace_of_its_sample_once() -> None:
    ties = [Tie(f"account {place}", "payment", "card", "card print", 3, 1.0) for place in range(3)]
    said = labels(figures.network(ties, prefix="n"))
    assert sorted(said) == ["account 0", "account 1", "account 2", "card print · card", "payment, shared by 3"]


def test_traces_with_the_same_label_can_be_told_apart() -> None:
    said = labels(figures.network([Tie("a", "prompt", f"key-{place}", "same prompts", 2, 1.0) for place in range(2)], prefix="n"))
    assert {"same prompts · key-0", "same prompts · key-1"} <= set(said)


def test_the_graph_keeps_the_heaviest_when_it_must_cut() -> None:
    ties = [Tie(f"a{place}", "kind", f"t{place % 40}", "label", 2, float(place)) for place in range(2000)]
    kept = sampled(ties)
    assert len({tie.account for tie in kept}) == 32
    assert len({tie.trace for tie in kept}) == 12
    assert Tie("a1999", "kind", "t39", "label", 2, 1999.0) in kept
    assert len(figures.network(ties, prefix="n")) < 60_000


def test_the_overview_pools_the_findings_that_have_no_colour_of_their_own() -> None:
    said = labels(figures.overview(DAYS, [100] * 10, [(f"finding {place}", [place] * 10) for place in range(12)], prefix="o"))
    assert "finding 6" in said
    assert "finding 7" not in said
    assert "5 more" in said


def test_the_narrow_overview_says_the_same_in_larger_letters() -> None:
    findings = [(f"finding {place}", [place] * 10) for place in range(12)]
    wide, narrow = (figures.overview(DAYS, [100] * 10, findings, prefix="o", narrow=narrow) for narrow in (False, True))
    assert {"finding 6", "5 more"} <= set(labels(narrow))

    def least(svg: str) -> float:
        """The smallest letters, as a share of the picture's width."""
        sizes = [float(size) for size in re.findall(r"font-size: ([\d.]+)px", svg)]
        return min(sizes) / float(re.findall(r'viewBox="0 0 ([\d.]+) ', svg)[0])

    assert least(narrow) > 1.5 * least(wide)


def test_pictures_of_nothing_are_drawn() -> None:
    assert figures.overview([], [], [], prefix="o").endswith("</svg>")
    assert figures.overview([], [], [], prefix="o", narrow=True).endswith("</svg>")
    assert figures.activity(DAYS, [0] * 10, [0] * 10, prefix="a").endswith("</svg>")
    assert figures.week([0.0] * 168, [], prefix="k").endswith("</svg>")
    assert figures.coverage([("none", 0, 0)], prefix="c").endswith("</svg>")
    assert figures.waterfall([], 0.0, prefix="w").endswith("</svg>")
    assert figures.network([], prefix="n").endswith("</svg>")


def test_labels_are_neither_parsed_nor_obeyed() -> None:
    for text in ("$x^2$", "\\frac{", "<script>", "a\nb", "\x1b[31m", "蒸馏🧪", "_", ""):
        svg = figures.coverage([(text, 3, 4)], prefix="c")
        assert "<script" not in svg
        assert "\x1b" not in svg
    assert "$x^2$" in labels(figures.coverage([("$x^2$", 3, 4)], prefix="c"))


@pytest.mark.parametrize("top", [0, 1, 2, 3, 7, 9, 10, 11, 19, 99, 100, 101, 999, 12_345, 10**9])
def test_an_axis_has_two_to_six_levels_that_rise(top: int) -> None:
    svg = figures.activity(DAYS, [top] * 10, [0] * 10, prefix="a")
    levels = [text for text in labels(svg) if re.fullmatch(r"[\d.]+( [kMG])?", text)]
    assert 3 <= len(levels) <= 9
