"""How a PSF differs across the field: the field's own, its core stretched in each quarter until it fits.

One number is asked of a quarter, by how much its core is wider than the mean: wings, and how light is shared
between core and wing, are the field's. A PSF that is elliptical everywhere is wider in two quarters, too, for
the limb of a quarter has a quarter of all directions; where the ellipticity is known that is taken off.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares

from pipeline.psf.angular import Directions
from pipeline.psf.fit import Fit
from pipeline.psf.hankel import Series
from pipeline.psf.model import CoreModel, Wing, kernel_of, transfer
from pipeline.psf.pupil import Opening
from pipeline.psf.quarters import MIDDLE, QUARTERS, Quarters
from pipeline.psf.reference import Measured, Psf, Verdict
from pipeline.psf.shape import Widths
from pipeline.psf.terms import LimbTerm

F64 = NDArray[np.float64]

#: Relative error that a quarter's width may have; the part of it that no frames make smaller, and what an
#: ellipticity that is not known adds.
_KNOWN: Final = 0.05
_FLOOR: Final = 0.01
_ELLIPSE: Final = 0.05
_CHI2: Final = 12.0
#: A field varies where a quarter differs by so much, and by so many standard deviations.
_VARIES: Final = (0.04, 3.0)


@dataclass(frozen=True)
class Quarter:
    """The core of a quarter: how much wider it is than the field's, its error, why it cannot be told."""

    stretch: float = 1.0
    error: float = np.nan
    why: str = ""


def across_the_field(
    psf: Psf,
    fit: Fit,
    opening: Opening | None,
    quarters: Quarters,
    sided: Directions,
    series: Series,
    widths: Widths,
) -> Psf:
    """A PSF with a kernel for each quarter, where they differ; else the same, with a word on how much.

    Parameters
    ----------
    psf, fit, opening, sided
        Of the whole field.
    quarters
        What frames tell of each quarter.
    series, widths
        For transfer functions.
    """
    if psf.core is not Verdict.IDENTIFIED or not quarters.frames:
        return psf
    told = [_quarter(n, fit, opening, quarters, sided, series) for n in range(len(QUARTERS))]
    known = [one for one in told if not one.why]
    least, sure = _VARIES
    if not any(abs(np.log(one.stretch)) > max(least, sure * one.error) for one in known):
        most = max((abs(one.stretch - 1.0) + one.error for one in known), default=np.nan)
        word = (
            f"the field: one PSF, for no quarter of it differs (at most {100.0 * most:.0f} %)"
            if known
            else f"the field: one PSF, for no quarter of it can be told: {told[0].why}"
        )
        return replace(psf, reasons=(*psf.reasons, word))
    size = psf.kernel.shape[0]
    kernels, fwhms, reasons = [], [], []
    for n, one in enumerate(told):
        parameters, cut = stretched(fit.parameters[:9], opening, fit.model, one.stretch)
        wing = Wing.at(series.nodes)
        fwhm = widths(transfer(parameters, wing, cut, fit.model)).fwhm
        parameters[2:4] = [sided.height(name) for name in ("e1", "e2")]
        turned = replace(sided, half=sided.half / one.stretch)
        kernels.append(kernel_of(parameters, cut, fit.model, size, turned.lopsided))
        error = np.nan if one.why else float(np.hypot(one.error * fwhm, psf.fwhm.error))
        fwhms.append(Measured(fwhm, error, psf.fwhm.floor))
        if one.why:
            reasons.append(f"tile {n + 1} has the PSF of the whole field, for {one.why}")
    return replace(
        psf,
        kernels=np.stack(kernels).astype(np.float32),
        centres=quarters.centres,
        tiles=tuple(fwhms),
        reasons=(*psf.reasons, *reasons),
    )


def stretched(
    parameters: F64, opening: Opening | None, model: CoreModel, by: float
) -> tuple[F64, Opening | None]:
    """The parameters and the aperture of a core that is wider by a factor."""
    found = parameters.copy()
    found[0] -= np.log(by)
    if model == "aperture":
        found[1] *= by
    return found, opening._replace(q=opening.q * by) if opening else None


def _quarter(
    number: int, fit: Fit, opening: Opening | None, quarters: Quarters, sided: Directions, series: Series
) -> Quarter:
    """How much wider the core is in a quarter."""
    rings = quarters.rings[number]
    if rings.frames < 0.5 * quarters.frames or not rings.weight.any():
        return Quarter(why="its limb was not seen")
    term, wing = LimbTerm(rings, series), Wing.at(series.nodes)
    if not term.bins.place.size:  # rings without a sector that all frames have
        return Quarter(why="its limb was not seen")

    def residuals(x: F64) -> F64:
        parameters, cut = stretched(fit.parameters[:9], opening, fit.model, float(np.exp(x[0])))
        return term.residuals(transfer(parameters, wing, cut, fit.model), parameters, x[1:], 0.0)

    found = least_squares(residuals, [0.0, 0.0], bounds=([-0.7, -2.5], [0.7, 2.5]), x_scale=[0.1, 0.1])
    rest = residuals(found.x)[: term.bins.place.size]
    chi2 = float(np.mean(rest**2))
    if not chi2 <= _CHI2:
        return Quarter(why=f"its limb is not what the field's PSF makes of it, stretched (chi2 {chi2:.1f})")
    covariance = np.linalg.pinv(found.jac.T @ found.jac) * max(1.0, chi2)
    across, up = QUARTERS[number]
    known = sided.ellipse is not Verdict.UNKNOWN
    errors: Sequence[float] = [one.error for one in sided.parameters if one.name == "e2"] if known else [0.0]
    drawn_out = np.sqrt(1.0 + MIDDLE * across * up * sided.height("e2")) if known else 1.0
    error = float(
        np.sqrt(
            covariance[0, 0]
            + _FLOOR**2
            + (0.5 * MIDDLE * float(np.nan_to_num(errors[0]))) ** 2
            + (0.0 if known else 0.5 * MIDDLE * _ELLIPSE) ** 2
        )
    )
    if not error <= _KNOWN:
        return Quarter(why=f"its width is known to {100.0 * error:.0f} % only")
    return Quarter(float(np.exp(found.x[0]) / drawn_out), error)
