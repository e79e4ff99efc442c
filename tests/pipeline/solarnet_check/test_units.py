"""Units as the FITS standard writes them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.solarnet_check.units import Written, length_exponent, written


@pytest.mark.parametrize(
    "text", ["", "adu", "ct/s", "erg/(cm2 s sr)", "W m-2 sr-1 nm-1", "deg-2", "Angstrom", "arcsec"]
)
def test_units_of_the_standard_are_known(text: str) -> None:
    assert written(text) is Written.STANDARD


@pytest.mark.parametrize("text", ["DN", "DN/s", "DN / s"])
def test_units_that_readers_know_are_told_apart(text: str) -> None:
    assert written(text) not in (Written.STANDARD, Written.NOT)


@pytest.mark.parametrize("text", ["MSB", "counts per blink", "((((", "m" * 100])
def test_what_is_no_unit_is_none(text: str) -> None:
    assert written(text) is Written.NOT


@pytest.mark.parametrize(
    ("text", "power"), [("m", 0), ("nm", -9), ("Angstrom", -10), ("s", None), ("2 nm", None), ("x", None)]
)
def test_units_of_wavelengths_are_powers_of_ten(text: str, power: int | None) -> None:
    assert length_exponent(text) == power


@given(st.text(max_size=80))
def test_no_text_is_too_wild(text: str) -> None:
    assert isinstance(written(text), Written)
    length_exponent(text)
