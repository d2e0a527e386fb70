"""How much of a response has the shape of worked reasoning."""

from __future__ import annotations

import numpy as np
import pytest

from stillwatch.sketch.shapes import reasoning_share


def _share(text: str) -> float:
    data = np.frombuffer(text.encode() or b" ", dtype=np.uint8)
    return float(reasoning_share(data, 0, len(text.encode())))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "The river rises in the hills and runs down to the sea. In spring it floods the meadows.",
        "La rivière prend sa source dans les collines.\n\nElle coule vers la mer.",
        "这条河发源于山中，流向大海。春天它会淹没草地。",
        "In 1998 the town had 3 bridges; today there are 12 of them.",
    ],
)
def test_plain_prose_has_none(text: str) -> None:
    assert _share(text) == 0


@pytest.mark.parametrize(
    "text",
    [
        "1. First take the length of the side\n2. Then square it to get the area\n3. At last multiply by six",
        "- take the length of the side\n- square it to get the area\n- multiply it by six at last",
        "**1. First take the length** of the side\n**2. Then square it** to get the area",
        "side a = 12 and so\narea = a * a = 144\nsurface = 6 * 144 = 864",
        "rain falls on the hill → the stream fills\nthe stream fills ⇒ the meadow floods\n∴ the cattle are moved",
        "第一步很重要 = 起点\n1) 先计算边长再平方\n2) 然后乘以六得到结果",
        "<think>the side is twelve so the area must be a gross and the surface six times that</think> 864",
        "\n  <reasoning>no tag closes this one and so all of it is thought",
    ],
)
def test_steps_equations_and_tagged_blocks_have_much(text: str) -> None:
    assert _share(text) > 0.8


def test_the_share_grows_with_the_steps() -> None:
    prose = "The river rises in the hills and runs down to the sea.\n"
    step = "1. The river rises in the hills, so it runs downwards.\n"
    shares = [_share(prose * (8 - steps) + step * steps) for steps in range(9)]
    assert shares == sorted(shares)
    assert shares[0] == 0
    assert shares[8] > 0.9


@pytest.mark.parametrize("text", ["< 5 is small", "a < b and c > d", "</think> closes nothing", "<", "<a", "<3 you"])
def test_a_stray_bracket_opens_no_block(text: str) -> None:
    assert _share(text) < 1
