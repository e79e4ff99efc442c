"""Polarised brightness of three images: Sun's centre and north by the header, and the noise of the result."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import pytest
from astropy.io import fits

from pipeline.frame import Frame
from pipeline.kernels.triplet import ANGLES
from pipeline.steps.polarising import PolarisationParams, polarisation

_SIDE = 160
_SIGMAS = (0.02, 0.05, 0.03)


def images(roll: float = 0.0, *, uncertain: bool = True, noise: float = 1.0) -> tuple[list[Frame], Any]:
    """Light of which 0.6 is polarised along the limb, the polarisers' zero north; and this truth."""
    header = fits.Header({"CRPIX1": 20.0, "CRPIX2": 61.0, "CROTA2": roll, "EXPTIME": 1.0})
    j, i = np.indices((_SIDE, _SIDE)) + 1.0
    i, j = i - 20.0, j - 61.0
    turn = np.radians(roll)
    west, north = i * np.cos(turn) - j * np.sin(turn), i * np.sin(turn) + j * np.cos(turn)
    plane = np.arctan2(-west, north) + np.pi / 2
    made = []
    for number, (angle, sigma) in enumerate(zip(ANGLES, _SIGMAS, strict=True)):
        random = np.random.default_rng(number)
        values = 0.5 * (1.0 + 0.6 * np.cos(2 * (np.radians(angle) - plane)))
        values += noise * sigma * random.normal(size=values.shape)
        frame = Frame.of(values.astype(np.float32), header, f"{angle}.fits")
        plane_of = np.full(values.shape, sigma, np.float32)
        made.append(frame.replace(uncertainty=plane_of) if uncertain else frame)
    return made, 0.6


@pytest.mark.parametrize("roll", [0.0, 30.0, -75.0])
def test_the_zero_is_told_from_north_whatever_the_image_is_rolled_by(roll: float) -> None:
    frames, wanted = images(roll, noise=0.0)
    found = polarisation(frames, PolarisationParams())
    assert found.along
    assert abs((found.limb.zero + 90.0) % 180.0 - 90.0) < 0.1
    centre = (slice(60, 61), slice(19, 20))
    known = np.ones(found.polarised.shape, bool)
    known[centre] = False
    np.testing.assert_allclose(found.polarised[known], wanted, atol=1e-4)
    np.testing.assert_allclose(found.degree[known], wanted, atol=1e-4)


@pytest.mark.parametrize("part", ["limb", "length"])
def test_the_uncertainty_is_what_the_polarised_brightness_scatters_by(
    part: Literal["limb", "length"],
) -> None:
    frames, wanted = images()
    found = polarisation(frames, PolarisationParams(part=part))
    assert found.uncertainty is not None
    away = np.delete(((found.polarised - wanted) / found.uncertainty).ravel(), 60 * _SIDE + 19)
    assert np.std(away) == pytest.approx(1.0, abs=0.03)
    # It is not the same everywhere: the images' noise is not.
    assert found.uncertainty.max() > 1.3 * found.uncertainty.min()


def test_images_without_uncertainty_give_none() -> None:
    assert polarisation(images(uncertain=False)[0], PolarisationParams()).uncertainty is None
