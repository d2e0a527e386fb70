"""What a case store holds of any text comes back as it was, and no two texts become one."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from stillwatch.cases.columns import escaped, storable, unescaped
from stillwatch.ledger.canonical import canonical_json

ANY = st.text(st.characters(exclude_categories=()), max_size=40) | st.text(alphabet="\\u0d8f\x00\ud800\udc00", max_size=20)


@given(ANY)
def test_any_text_comes_back(text: str) -> None:
    assert unescaped(escaped(text)) == text
    assert "\x00" not in escaped(text)
    assert escaped(text).encode().decode() == escaped(text)


@given(ANY, ANY)
def test_two_texts_stay_two(one: str, other: str) -> None:
    assert (escaped(one) == escaped(other)) == (one == other)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | ANY,
        lambda inner: st.lists(inner) | st.dictionaries(ANY, inner),
        max_leaves=8,
    )
)
def test_any_value_has_canonical_json_once_it_is_storable(value: object) -> None:
    assert json.loads(canonical_json(storable(value))) == storable(value)
