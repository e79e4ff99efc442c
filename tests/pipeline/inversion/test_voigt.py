"""The Faddeeva function against scipy's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.special import wofz

from pipeline.inversion.voigt import evaluate


@pytest.mark.parametrize(("kind", "most"), [(np.float32, 8e-7), (np.float64, 2e-13)])
def test_it_is_as_exact_as_it_says(kind: Any, most: float) -> None:
    u, a = np.meshgrid(np.linspace(-60, 60, 2001), np.geomspace(1e-4, 10, 30))
    u, a = u.astype(kind), a.astype(kind)
    h, f = evaluate(u, a)
    expected = wofz(u.astype(float) + 1j * a.astype(float))
    assert np.abs(h - expected.real).max() < most
    assert np.abs(f - expected.imag).max() < most
