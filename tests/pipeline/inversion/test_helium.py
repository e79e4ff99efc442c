"""The Zeeman pattern of He I 10830: weak fields have that of the Landé factors, strong ones another."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.inversion import helium
from pipeline.inversion.lines import BLUE, PI, RED, ZEEMAN

PER_GAUSS = ZEEMAN * helium.REFERENCE**2


def at(field: float, *, paschen_back: bool = True) -> dict[int, np.ndarray]:
    """Shift and strength of the components of each kind."""
    known = helium.pattern(paschen_back=paschen_back)
    nodes = known.nodes[:, :, round(field / known.spacing)]
    return {kind: nodes[known.kind == kind] for kind in (BLUE, PI, RED)}


def test_lande_factors_are_those_of_the_terms() -> None:
    assert [one.upper.g for one in helium.lines()] == [0.0, 1.5, 1.5]
    assert [one.effective for one in helium.lines()] == pytest.approx([2.0, 1.75, 1.25])


def test_without_a_field_the_three_lines_are_one_three_five() -> None:
    for mixed in (True, False):
        for components in at(0.0, paschen_back=mixed).values():
            for wavelength, strength in zip(helium.WAVELENGTHS, (1 / 8, 3 / 8, 5 / 8), strict=True):
                near = np.abs(components[:, 0] - (helium.REFERENCE - wavelength)) < 1e-9
                assert components[near, 1].sum() == pytest.approx(strength)


@pytest.mark.parametrize("field", [0.0, 400.0, 3000.0])
def test_a_field_takes_no_strength_away(field: float) -> None:
    for components in at(field).values():
        assert components[:, 1].sum() == pytest.approx(9 / 8)


def test_weak_fields_split_as_the_lande_factors_say() -> None:
    field = helium.SPACING
    for wavelength, line in zip(helium.WAVELENGTHS, helium.lines(), strict=True):
        components = at(field)[BLUE]
        away = components[:, 0] - (helium.REFERENCE - wavelength)
        near = np.abs(away) < 0.03
        mean = (away * components[:, 1])[near].sum() / components[near, 1].sum()
        assert mean == pytest.approx(line.effective * PER_GAUSS * field, rel=0.02)


def test_the_mean_of_all_is_that_of_the_orbit_alone_at_any_field() -> None:
    # The whole of the σ components moves like an orbit without spin: g = 1 (sum rules of Paschen and Back).
    for field in (100.0, 2000.0, 5000.0):
        components = at(field)[BLUE]
        rest = at(0.0)[BLUE]
        moved = (components.prod(axis=1).sum() - rest.prod(axis=1).sum()) / (9 / 8)
        assert moved == pytest.approx(PER_GAUSS * field, rel=1e-6)


def test_strong_fields_are_no_longer_linear() -> None:
    mixed, linear = at(2000.0)[RED], at(2000.0, paschen_back=False)[RED]
    assert np.abs(np.sort(mixed[:, 0])[:3] - np.sort(linear[:, 0])[:3]).max() > 0.01
