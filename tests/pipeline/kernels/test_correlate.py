"""Shifts between images, against shifts that were put in."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import fourier_shift, gaussian_filter

from pipeline.kernels.correlate import Shift, disk_window, shift, spectrum

SIDE = 256
WINDOW = disk_window((SIDE, SIDE), SIDE / 2, SIDE / 2, 0.42 * SIDE)


def structures(seed: int = 0) -> NDArray[np.float64]:
    made = gaussian_filter(np.random.default_rng(seed).normal(size=(SIDE, SIDE)), 1.8, mode="wrap")
    return np.asarray(made / made.std())


def moved(image: NDArray[np.float64], x: float, y: float) -> NDArray[np.float64]:
    return np.fft.ifft2(fourier_shift(np.fft.fft2(image), (y, x))).real


def measured(first: NDArray[np.float64], second: NDArray[np.float64]) -> Shift:
    one, other = (spectrum(image.astype(np.float32), WINDOW) for image in (first, second))
    return shift(one, other, (SIDE, SIDE))


@pytest.mark.parametrize(("x", "y"), [(0.0, 0.0), (0.3, -0.45), (-5.62, 3.71), (11.5, 0.5)])
def test_a_shift_is_found_through_noise_a_gradient_and_another_contrast(x: float, y: float) -> None:
    texture, random = structures(), np.random.default_rng(5)
    first = 1 + 0.05 * texture + random.normal(0, 0.01, texture.shape)
    second = (1 + 0.02 * moved(texture, x, y)) * (1 - 0.4 * np.linspace(0, 1, SIDE))
    found = measured(first, second + random.normal(0, 0.01, texture.shape))
    # The window stands still: the farther the shift, the less of one image is in the other.
    # Noise of half the contrast leaves some hundredths of a pixel.
    assert (found.x, found.y) == pytest.approx((x, y), abs=0.05 + 0.005 * max(abs(x), abs(y)))
    assert max(abs(found.x - x), abs(found.y - y)) < 3 * found.error + 0.005 * max(abs(x), abs(y))
    assert found.clearness > 15


def test_images_that_have_nothing_in_common_show_no_clear_peak() -> None:
    assert measured(structures(1), structures(2)).clearness < 10


def test_what_lies_outside_the_window_does_not_count() -> None:
    texture = structures()
    odd = moved(texture, 2.0, 1.0)
    odd[WINDOW == 0] = 100.0 * structures(7)[WINDOW == 0]
    found = measured(texture, odd)
    assert (found.x, found.y) == pytest.approx((2.0, 1.0), abs=0.05)


def test_pixels_without_a_value_leave_the_shift_of_the_others() -> None:
    texture = structures()
    holed = moved(texture, -1.4, 0.8)
    holed[100:120, 90:150] = np.nan
    found = measured(texture, holed)
    assert (found.x, found.y) == pytest.approx((-1.4, 0.8), abs=0.05)
