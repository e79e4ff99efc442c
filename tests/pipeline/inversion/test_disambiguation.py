"""The potential field's azimuths, for fields that are potential."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.errors import BadInput
from pipeline.inversion import cubes
from pipeline.inversion.disambiguation import disambiguated, potential_transverse
from pipeline.testing import run_step, toy_frame

Y, X = np.mgrid[-40:41, -50:51].astype(float)


def charge(x: float, y: float, depth: float, strength: float) -> list[np.ndarray]:
    """Field (x, y, z) of a charge below the surface: a potential field in closed form."""
    distance = np.sqrt((X - x) ** 2 + (Y - y) ** 2 + depth**2)
    return [strength * part / distance**3 for part in (X - x, Y - y, np.full_like(X, depth))]


FIELD = [a + b for a, b in zip(charge(-8, 0, 8, 1e5), charge(9, 3, 8, -8e4), strict=True)]


def test_the_potential_field_of_two_charges_is_theirs() -> None:
    along_x, along_y = potential_transverse(FIELD[2], (1.0, 1.0))
    inside = np.s_[20:61, 25:76]
    most = np.abs(FIELD[0]).max()
    assert np.abs(along_x - FIELD[0])[inside].max() < 0.05 * most
    assert np.abs(along_y - FIELD[1])[inside].max() < 0.05 * most


@pytest.mark.parametrize("axis", [0.0, 37.0])
def test_azimuths_of_a_potential_field_are_found(axis: float) -> None:
    strength = np.sqrt(sum(part**2 for part in FIELD))
    inclination = np.degrees(np.arccos(FIELD[2] / strength))
    whole = np.degrees(np.arctan2(FIELD[1], FIELD[0])) - axis
    found = disambiguated(strength, inclination, np.mod(whole, 180.0), axis=axis)
    inside = strength > 20.0
    apart = np.abs((found - whole + 180.0) % 360.0 - 180.0)
    assert np.mean(apart[inside] < 1.0) > 0.97


def test_the_step_says_what_it_did_and_refuses_other_maps() -> None:
    data = np.ones((len(cubes.PLANES), 8, 9), np.float32)
    names = {f"PARNAM{number}": name for number, name in enumerate(cubes.PLANES, start=1)}
    frame = toy_frame(data, data.shape, ("parameter", "y", "x"), **names)
    made = run_step("disambiguate_azimuth", frame, instrument="kis_gris")
    assert any("potential field" in caveat for caveat in made.caveats)
    with pytest.raises(BadInput, match="no plane of the field"):
        run_step("disambiguate_azimuth", toy_frame(data, data.shape, frame.dims), instrument="kis_gris")
