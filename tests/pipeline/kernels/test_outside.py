"""Flags of pixels outside the field: nothing there was lost, and where nothing was seen none was guessed."""

from __future__ import annotations

import numpy as np

from pipeline.kernels.outside import nothing_approximated_outside, nothing_lost_outside
from pipeline.quality import Quality

OUTSIDE, LOST = Quality.OUTSIDE_FIELD, Quality.MISSING | Quality.SATURATED | Quality.COSMIC_RAY
NAN = np.nan


def test_outside_the_field_nothing_was_lost_full_or_hit() -> None:
    flags = np.array([[OUTSIDE | LOST | Quality.HOT, LOST], [OUTSIDE, 0]], np.uint16)
    nothing_lost_outside(flags)
    assert flags.tolist() == [[OUTSIDE | Quality.HOT, LOST], [OUTSIDE, 0]]


def test_only_without_a_value_in_any_plane_was_nothing_approximated() -> None:
    flags = np.full(4, Quality.INTERPOLATED | OUTSIDE, np.uint16)
    flags[3] = Quality.INTERPOLATED
    data = np.array([[NAN, 1.0, np.inf, NAN], [NAN, NAN, NAN, NAN]], np.float32)
    nothing_approximated_outside(flags, data)
    kept = Quality.INTERPOLATED | OUTSIDE
    assert flags.tolist() == [OUTSIDE, kept, OUTSIDE, Quality.INTERPOLATED]
