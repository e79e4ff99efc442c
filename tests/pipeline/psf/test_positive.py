"""A kernel is light: nowhere negative, whole, and where it was, however strongly it leans."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from pipeline.psf.angular import Directions
from pipeline.psf.model import PARAMETERS, CoreModel, kernel_of, start_of
from pipeline.psf.pupil import Opening
from pipeline.psf.reference import Parameter

F64 = NDArray[np.float64]
SIZE = 61


def kernel(model: CoreModel, opening: Opening | None, **heights: float) -> F64:
    """Of a core as it is begun with, 4 pixels wide, with waves of such heights."""
    waves = Directions(tuple(Parameter(name, value, 0.01) for name, value in heights.items()), half=0.11)
    return kernel_of(start_of(model, 4.0), opening, model, SIZE, waves.lopsided)


def middle(values: F64) -> tuple[float, float]:
    y, x = np.indices(values.shape) - SIZE // 2
    return float((values * x).sum()), float((values * y).sum())


@pytest.mark.parametrize(
    ("model", "opening"),
    [
        ("stretched", None),
        ("moffat", None),
        ("halo", Opening(2.0)),
        ("halo", Opening(2.0, 0.3)),
        ("aperture", None),
        ("pupil", Opening(3.0)),
    ],
)
@pytest.mark.parametrize("height", [0.1, 0.6, 3.0])
def test_waves_of_any_height_leave_a_kernel_of_light(
    model: CoreModel, opening: Opening | None, height: float
) -> None:
    plain = kernel(model, opening)
    found = kernel(model, opening, c1=height, c2=-0.5 * height, t1=0.7 * height, t2=0.3 * height)
    assert found.min() >= 0.0
    assert found.sum() == pytest.approx(1.0, abs=1e-12)
    np.testing.assert_allclose(middle(found), 0.0, atol=1e-4)
    assert np.abs(found - plain).max() > 0.02 * height / (1.0 + height) * plain.max()
    # What was told by the mean round the circle stays as it is.
    np.testing.assert_allclose(0.5 * (found + found[::-1, ::-1]), plain, atol=1e-12)


def test_low_waves_are_what_edges_told() -> None:
    low, lower = (kernel("moffat", None, c1=height) - kernel("moffat", None) for height in (0.02, 0.01))
    np.testing.assert_allclose(low, 2.0 * lower, atol=0.01 * np.abs(low).max())


def test_a_core_as_steep_as_any_is_nowhere_negative() -> None:
    steep = start_of("stretched", 4.0)
    steep[1] = next(one.most for one in PARAMETERS if one.name == "n")
    found = kernel_of(steep, None, "stretched", SIZE)
    assert found.min() >= 0.0
    assert found.sum() == pytest.approx(1.0, abs=1e-12)
