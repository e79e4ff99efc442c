"""The simulator's forward model against closed forms and limits it shares no code with."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.special import voigt_profile

from pipeline.instruments.kis_gris.lines import LINES, Line
from pipeline.instruments.kis_gris.simulate.forward import (
    LARMOR,
    Atmosphere,
    Opacity,
    stokes,
    strength_for,
)
from pipeline.instruments.kis_gris.simulate.zeeman import pattern

F64 = NDArray[np.float64]
TRIPLET = LINES["1565"][1]
WIDTH, DAMPING, STRENGTH = 0.15, 0.2, 4.0
WAVELENGTHS: F64 = np.asarray(TRIPLET.wavelength + np.arange(-150, 151) * 0.01)


def profiles(
    field: float, inclination: float, azimuth: float, velocity: float = 0.0, line: Line = TRIPLET
) -> F64:
    values = (field, inclination, azimuth, velocity, 1.0, 0.7)
    atmosphere = Atmosphere(*(np.array([one]) for one in values))
    return stokes(WAVELENGTHS, atmosphere, [Opacity(line, WIDTH, DAMPING, STRENGTH)])[..., 0]


def closed(field: float, inclination: float, azimuth: float) -> F64:
    """Unno–Rachkovsky's solution of a triplet."""
    from scipy.special import wofz

    split = LARMOR * TRIPLET.wavelength**2 * 3.0 * field

    def h(shift: float) -> F64:
        away = WAVELENGTHS - TRIPLET.wavelength - shift
        scale = WIDTH * np.sqrt(np.pi)
        return np.asarray(scale * voigt_profile(away, WIDTH / np.sqrt(2), DAMPING * WIDTH))

    def f(shift: float) -> F64:
        return np.asarray(wofz((WAVELENGTHS - TRIPLET.wavelength - shift) / WIDTH + 1j * DAMPING).imag)

    def parts(p: F64, b: F64, r: F64) -> tuple[F64, F64, F64, F64]:
        g, x = np.radians(inclination), np.radians(2 * azimuth)
        linear = 0.5 * STRENGTH * (p - 0.5 * (b + r)) * np.sin(g) ** 2
        total = 0.5 * STRENGTH * (p * np.sin(g) ** 2 + 0.5 * (b + r) * (1 + np.cos(g) ** 2))
        return total, linear * np.cos(x), linear * np.sin(x), 0.5 * STRENGTH * (r - b) * np.cos(g)

    e, q, u, v = parts(h(0), h(-split), h(split))
    e = 1 + e
    _, rq, ru, rv = parts(f(0), f(-split), f(split))
    r = q * rq + u * ru + v * rv
    rho = rq**2 + ru**2 + rv**2
    delta = e**2 * (e**2 - q**2 - u**2 - v**2 + rho) - r**2
    s0, s1 = 0.3, 0.7
    return np.stack(
        [
            s0 + s1 * e * (e**2 + rho) / delta,
            -s1 * (e**2 * q + e * (v * ru - u * rv) + rq * r) / delta,
            -s1 * (e**2 * u + e * (q * rv - v * rq) + ru * r) / delta,
            -s1 * (e**2 * v + e * (u * rq - q * ru) + rv * r) / delta,
        ]
    )


@pytest.mark.parametrize("geometry", [(0.0, 0.0, 0.0), (800.0, 30.0, 75.0), (2500.0, 110.0, 160.0)])
def test_a_triplet_is_that_of_unno_and_rachkovsky(geometry: tuple[float, float, float]) -> None:
    np.testing.assert_allclose(profiles(*geometry), closed(*geometry), atol=1e-12)


def test_weak_fields_give_the_derivative_of_intensity() -> None:
    still, made = profiles(0.0, 0.0, 0.0), profiles(5.0, 40.0, 0.0)
    slope = np.gradient(still[0], WAVELENGTHS)
    expected = -LARMOR * TRIPLET.wavelength**2 * 3.0 * 5.0 * np.cos(np.radians(40.0)) * slope
    np.testing.assert_allclose(made[3], expected, atol=4e-3 * np.abs(expected).max())


def test_towards_the_observer_v_is_positive_on_the_blue_side_and_motion_away_shifts_to_the_red() -> None:
    made = profiles(2000.0, 0.0, 0.0, velocity=2.0)
    place = WAVELENGTHS[np.argmin(profiles(0.0, 0.0, 0.0, velocity=2.0)[0])]
    assert place == pytest.approx(TRIPLET.wavelength * (1 + 2 / 299792.458), abs=0.006)
    assert WAVELENGTHS[np.argmax(made[3])] < place < WAVELENGTHS[np.argmin(made[3])]


@pytest.mark.parametrize("line", [one for lines in LINES.values() for one in lines if one.lower], ids=str)
def test_components_balance_and_their_mean_is_the_effective_factor(line: Line) -> None:
    assert line.lower is not None
    assert line.upper is not None
    found = pattern(line.lower, line.upper)
    (low, g_low), (high, g_high) = line.lower, line.upper
    effective = 0.5 * (g_low + g_high) + 0.25 * (g_low - g_high) * (low * (low + 1) - high * (high + 1))
    for kind in (-1, 0, 1):
        mine = [one for one in found if one.kind == kind]
        assert sum(one.strength for one in mine) == pytest.approx(1.0)
        assert sum(one.strength * one.shift for one in mine) == pytest.approx(-kind * effective, abs=1e-12)


def test_inverted_lines_have_the_published_effective_factors() -> None:
    known = {10838.970: 1.5, 15648.515: 3.0, 15662.017: 1.5}
    for line in (one for lines in LINES.values() for one in lines if one.wavelength in known):
        assert line.lower is not None
        assert line.upper is not None
        blue = [one for one in pattern(line.lower, line.upper) if one.kind == 1]
        assert -sum(one.strength * one.shift for one in blue) == pytest.approx(known[line.wavelength])


def test_a_line_gets_the_depth_it_is_asked_for() -> None:
    strength = strength_for(0.4, 0.2, 0.7)
    nothing, one = np.zeros(1), np.ones(1)
    atmosphere = Atmosphere(nothing, nothing, nothing, nothing, one, 0.7 * one)
    made = stokes(np.array([TRIPLET.wavelength]), atmosphere, [Opacity(TRIPLET, 0.1, 0.2, strength)])
    assert 1 - made[0, 0, 0] == pytest.approx(0.4)
