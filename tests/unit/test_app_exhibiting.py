"""Excerpts: masked before they are cut, and bounded."""

from __future__ import annotations

import pytest

from stillwatch.app.exhibiting import EXCERPT_CHARS, _excerpt

SECRET = "sk-proj-Qwertyuiopasdfghjklzxcvbnm1234567890"


@pytest.mark.parametrize("before", [0, 10, 555, 560, 580, 595, 600, 2380, 2400, 4780, 4795])
def test_no_part_of_a_secret_is_shown_wherever_it_stands(before: int) -> None:
    filler = ("word " * 1000)[:before]
    shown = _excerpt(f"{filler} {SECRET} and more words after it")
    assert SECRET[:12] not in shown
    assert len(shown) <= EXCERPT_CHARS + 2


def test_many_secrets_do_not_push_half_a_one_into_view() -> None:
    for keys in range(60, 140, 7):
        assert "Qwertyuiop" not in _excerpt(" ".join([SECRET] * keys))


def test_short_text_is_shown_whole_and_long_text_says_that_it_was_cut() -> None:
    assert _excerpt("a short question") == "a short question"
    assert _excerpt(None) == ""
    assert _excerpt("") == ""
    assert _excerpt("word " * 500).endswith(" …")
    assert len(_excerpt("字" * 9000)) == EXCERPT_CHARS + 2
