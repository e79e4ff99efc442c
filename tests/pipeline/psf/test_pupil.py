"""A pupil's transfer function is that of the pupil, plane or aberrated; a kernel of it is light."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.fft
from numpy.typing import NDArray

from bench.psf.scenes import seen, white_light
from bench.psf.truth import FINE, HALF, Truth, pupil, truth
from pipeline.kernels.limb import find_limb
from pipeline.psf.estimate import Design, estimate
from pipeline.psf.model import core, kernel_of, parameters_of, start_of
from pipeline.psf.pupil import Opening, aberrated, annular
from pipeline.psf.reference import Verdict
from pipeline.psf.shape import profile_of_kernel, shape_of
from pipeline.psf.statistics import Statistics, of_disk

F64 = NDArray[np.float64]


def overlap(obstruction: float, v: float) -> float:
    """Share of an annular aperture that it has in common with itself, shifted; counted."""
    x, y = np.meshgrid(np.linspace(-1.0, 1.0, 2001), np.linspace(-1.0, 1.0, 2001))

    def open_(shift: float) -> NDArray[np.bool_]:
        r = np.hypot(x - shift, y)
        return (r <= 1.0) & (r >= obstruction)

    return float((open_(v) & open_(-v)).sum() / open_(0.0).sum())


@pytest.mark.parametrize("obstruction", [0.0, 0.2, 0.45])
def test_an_annulus_is_what_it_has_in_common_with_itself(obstruction: float) -> None:
    v = np.array([0.0, 0.1, 0.25, 0.4, 0.6, 0.8])
    counted = [overlap(obstruction, float(one)) for one in v]
    np.testing.assert_allclose(annular(v, obstruction), counted, atol=1e-3)
    assert annular(np.array([1.0, 1.7]), obstruction) == pytest.approx([0.0, 0.0], abs=1e-12)


def exact(rms: float, seed: int, q: float) -> tuple[F64, F64]:
    """The mean over directions of the transfer function of an aberrated pupil that does not move."""
    psf = pupil(q, rms, 0.0, np.random.default_rng(seed))
    values = scipy.fft.fft2(scipy.fft.ifftshift(psf / psf.sum()))
    f = scipy.fft.fftfreq(2 * FINE * HALF + 1) * FINE
    k = np.hypot(*np.meshgrid(f, f))
    ring = np.rint(k * FINE * HALF).astype(np.int64)
    number = np.bincount(ring.ravel())
    # Its height: where a pupil is turned to does not matter then.
    return (
        np.bincount(ring.ravel(), k.ravel()) / number,
        np.bincount(ring.ravel(), np.abs(values).ravel()) / number,
    )


@pytest.mark.parametrize("seed", [1, 2, 3, 4])
def test_the_mean_of_an_aberrated_pupil_is_one_of_the_family(seed: int) -> None:
    q = 3.0
    k, true = exact(0.35, seed, q)
    inside = k * q < 0.9
    v, true = k[inside] * q, true[inside]
    grid = np.linspace(0.0, 0.13, 14)
    apart = min(
        float(np.abs(aberrated(v, e, low, high) - true).max())
        for e in (0.0, 0.1, 0.2, 0.3)
        for low in grid
        for high in grid
    )
    assert apart < 0.02
    assert np.abs(annular(v, 0.15) - true).max() > 2.0 * apart


@pytest.mark.parametrize("obstruction", [None, 0.0, 0.3, 0.6])
def test_a_kernel_has_the_rings_of_its_pupil_and_no_negative_light(obstruction: float | None) -> None:
    opening, size = Opening(4.0, obstruction), 101
    bounds = parameters_of("pupil", opening)
    at = start_of("pupil", 4.0)
    least, most = (np.array([getattr(one, name) for one in bounds]) for name in ("least", "most"))
    at[0], at[1] = bounds[0].most, bounds[1].near  # no motion
    at[4:7] = 0.0
    assert np.all((least <= at) & (at <= most))
    found = kernel_of(at, opening, "pupil", size)
    assert found.min() >= 0.0
    middle = found[size // 2, size // 2 :]
    rings = [n for n in range(1, 40) if middle[n] > middle[n - 1] and middle[n] >= middle[n + 1]]
    # The first bright ring of a clear aperture is 1.63 λ/D from the middle (1.75 % of the maximum there).
    assert rings[0] == pytest.approx(1.63 * 4.0, abs=1.0)
    assert 0.008 < middle[rings[0]] / middle[0] < 0.3


def test_ellipticity_turns_what_is_not_diffraction() -> None:
    opening = Opening(2.0)
    at = start_of("pupil", 6.0)
    at[2] = 0.3
    k = np.full(2, 0.1)
    along, across = core(at, k, opening, "pupil", np.array([0.0, 0.5 * np.pi]))
    assert along < across


def sharp(fwhm: float, seed: int) -> Truth:
    """A pupil that hardly moves."""
    q = 0.9 * fwhm
    core_ = pupil(q, 0.2, 0.04 * fwhm, np.random.default_rng(seed))
    radii, mean, within = profile_of_kernel(core_)
    return Truth("pupil", core_ / core_.sum(), shape_of(radii / FINE, mean, within), 0.0, q)


@pytest.mark.parametrize("injected", [sharp(4.0, 31), truth("pupil", 4.0, 0.1, seed=613)])
def test_a_pupil_that_is_known_is_found_by_the_limb(injected: Truth) -> None:
    rng = np.random.default_rng(91)
    total = Statistics.none()
    for _ in range(3):
        image = seen(white_light(512, 180.0, rng), injected, 2e4, rng)
        limb = find_limb(image)
        assert limb is not None
        total = total + of_disk(image, limb.circle)
    psf = estimate(total, Design(q=injected.q, size=61, terms=frozenset({"limb"})))
    assert (psf.core, psf.model) == (Verdict.IDENTIFIED, "pupil")
    assert psf.fwhm.value == pytest.approx(injected.shape.fwhm, rel=0.06)
    assert psf.ee50.value == pytest.approx(injected.shape.ee50, rel=0.06)
    assert "obstruction" in {one.name for one in psf.parameters}
