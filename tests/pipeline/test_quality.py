"""Which bit means what: written in products for ever, so no change may pass unnoticed."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.quality import CLASSES, MASKED, NOT_MEASURED, UNUSABLE, Quality, flagged, legend

BITS = {
    1: "MISSING",
    2: "SATURATED",
    4: "COSMIC_RAY",
    8: "HOT",
    16: "DEAD",
    32: "INTERPOLATED",
    64: "OUTSIDE_FIELD",
    128: "NEGATIVE_CLIPPED",
    256: "LOW_CONFIDENCE",
    512: "UNDETERMINED",
}


def names(bits: Quality) -> set[str]:
    return {name for value, name in BITS.items() if bits & value}


def test_every_bit_has_the_value_that_products_bear() -> None:
    assert legend() == BITS
    assert {int(flag): flag.name for flag in Quality} == BITS


def test_statistics_leave_out_what_is_no_measurement() -> None:
    assert names(NOT_MEASURED) == {"MISSING", "SATURATED", "DEAD", "OUTSIDE_FIELD"}


def test_masked_pixels_are_those_that_could_never_be_used() -> None:
    assert names(MASKED) == {"HOT", "DEAD", "OUTSIDE_FIELD"}


def test_usable_pixels_are_neither_masked_nor_lost_nor_saturated_nor_hit() -> None:
    assert names(UNUSABLE) == {"HOT", "DEAD", "OUTSIDE_FIELD", "MISSING", "SATURATED", "COSMIC_RAY"}


def test_solarnets_classes_count_their_own_flags() -> None:
    assert {card: names(bits) for card, _, bits in CLASSES} == {
        "NLOSTPIX": {"MISSING"},
        "NSATPIX": {"SATURATED"},
        "NSPIKPIX": {"COSMIC_RAY"},
        "NMASKPIX": {"HOT", "DEAD", "OUTSIDE_FIELD"},
        "NAPRXPIX": {"INTERPOLATED"},
    }
    assert [share for _, share, _ in CLASSES] == ["PCT_LOST", "PCT_SATP", "PCT_SPIK", "PCT_MASK", "PCT_APRX"]


@pytest.mark.parametrize("flag", Quality)
def test_a_pixel_is_flagged_by_its_own_bit_and_no_other(flag: Quality) -> None:
    plane = np.array([[int(other) for other in Quality]], dtype=np.uint16)
    assert flagged(plane, flag).tolist() == [[other is flag for other in Quality]]


def test_any_of_several_bits_flags_a_pixel() -> None:
    plane = np.array([0, 1, 2, 3, 4, 257], dtype=np.uint16)
    assert flagged(plane, Quality.MISSING | Quality.SATURATED).tolist() == [
        False,
        True,
        True,
        True,
        False,
        True,
    ]
