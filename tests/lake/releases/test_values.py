"""Searchable values: one where all agree, the set of them where they differ."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from lake.releases.values import each, united

SCALARS = st.integers() | st.floats(allow_nan=False) | st.text(max_size=5) | st.booleans()
METAS = st.dictionaries(
    st.sampled_from("abc"), SCALARS | st.lists(SCALARS, min_size=2, max_size=3), max_size=3
)


def test_values_that_agree_stay_one_and_others_are_listed_in_order() -> None:
    several: list[dict[str, object]] = [
        {"position": 10, "filter": "Clear"},
        {"position": 9},
        {"position": 10, "filter": "Blue"},
    ]
    assert united(several) == {"position": [9, 10], "filter": ["Blue", "Clear"]}
    assert united([{"position": 1}, {"position": 1}]) == {"position": 1}
    assert united([]) == {}


def test_numbers_words_and_yes_or_no_are_not_mistaken_for_each_other() -> None:
    assert united([{"a": "1"}, {"a": 1}, {"a": True}]) == {"a": [1, True, "1"]}


@given(st.lists(METAS, max_size=4), st.lists(METAS, max_size=4))
def test_what_comes_later_joins_what_is_there_in_any_order(
    first: list[dict[str, object]], second: list[dict[str, object]]
) -> None:
    assert united([united(first), united(second)]) == united([*second, *first])
    for one in first:
        for name, value in one.items():
            assert all(single in each(united(first)[name]) for single in each(value))
