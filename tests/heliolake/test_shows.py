"""Ranges and places are read as people write them."""

from __future__ import annotations

from typing import Any

import pytest

from heliolake.shows import place, spans
from lake.errors import BadInput


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("630.2", {"wave_min": 630.2, "wave_max": 630.2}),
        ("630:631", {"wave_min": 630.0, "wave_max": 631.0}),
        ("630:", {"wave_min": 630.0}),
        (":631", {"wave_max": 631.0}),
        ((None, 631.0), {"wave_max": 631.0}),
        (630.0, {"wave_min": 630.0, "wave_max": 630.0}),
        (None, {}),
    ],
)
def test_a_range_is_two_ends_of_which_one_may_be_left_out(written: Any, read: dict[str, float]) -> None:
    assert spans(wavelength=written) == read


def test_a_place_has_two_coordinates_and_perhaps_a_radius() -> None:
    assert place("200,-150") == place((200, -150)) == {"x": 200.0, "y": -150.0}
    assert place("1,2,3") == {"x": 1.0, "y": 2.0, "radius": 3.0}


@pytest.mark.parametrize("odd", ["", "a:b", ":", "a"])
def test_what_is_no_range_is_refused(odd: str) -> None:
    with pytest.raises(BadInput, match="A:B"):
        spans(mu=odd)


@pytest.mark.parametrize("odd", ["", "1", "1,2,3,4", "a,b"])
def test_what_is_no_place_is_refused(odd: str) -> None:
    with pytest.raises(BadInput, match="X,Y"):
        place(odd)
