"""Success, bias and scatter of the inversion of synthetic pixels, against the Cramér–Rao bound."""

from __future__ import annotations

import time
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bench.inversion.pixels import NOISE, Pixels
from pipeline.inversion.forms import AZIMUTH, FIELD
from pipeline.inversion.inversion import Inversion

F64 = NDArray[np.float64]

#: χ² over degrees of freedom below which a pixel is fitted.
FITTED: Final = 1.3
#: G; below, the field's positive sign is felt, and errors are not Gaussian.
_STRONG: Final = 300.0
#: Errors beyond so many deviations are not counted on in the scatter: they are told by the success.
_FAR: Final = 6.0


class Outcome(NamedTuple):
    """What came of a case.

    Attributes
    ----------
    name
        Of the case.
    rate
        Pixels a second and core: starts, fits and restarts.
    first, final
        Part of the pixels fitted from the first library, and in the end.
    ceiling
        Part that is fitted when the truth itself is where fits begin.
    bias
        The mean error that is largest among the parameters, in deviations by the bound.
    low, high
        Scatter over the bound: of the parameter that scatters least, and most.
    counted
        Pixels that bias and scatter are of.
    """

    name: str
    rate: float
    first: float
    final: float
    ceiling: float
    bias: float
    low: float
    high: float
    counted: int


def tried(case: Pixels, count: int, seed: int = 7) -> Outcome:
    """Draw pixels, invert them, and compare."""
    truth, data = case.drawn(count, seed)
    inversion = Inversion(case.model, 1.0 / NOISE, **case.settings)
    inversion(data[: min(count, 300)])
    begin = time.process_time()
    result = inversion(data)
    seconds = time.process_time() - begin
    fitted = result.chi2 < FITTED
    residual = data - case.model.synthesise(truth)
    at_truth = (residual.astype(np.float64) ** 2).sum(axis=(1, 2)) / NOISE**2
    z = errors(case, truth, result.unknowns)[:, ~inversion.limits.fixed]
    used = z[fitted & (truth[:, FIELD] > _STRONG) & (np.abs(z) < _FAR).all(axis=1)]
    scatter = used.std(axis=0)
    means = used.mean(axis=0)
    return Outcome(
        name=case.name,
        rate=count / seconds,
        first=float(np.mean((result.starts == 1) & fitted)),
        final=float(fitted.mean()),
        # So many values less are free at the truth.
        ceiling=float(np.mean((at_truth - (~inversion.limits.fixed).sum()) / inversion.freedom < FITTED)),
        bias=float(means[np.abs(means).argmax()]),
        low=float(scatter.min()),
        high=float(scatter.max()),
        counted=len(used),
    )


def errors(case: Pixels, truth: F64, found: F64) -> F64:
    """Errors of all unknowns over the Cramér–Rao bound at the truth."""
    slopes = case.model.slopes(truth)[1].astype(np.float64) / NOISE
    columns = slopes.reshape(*slopes.shape[:2], -1)
    columns[:, Inversion(case.model, **case.settings).limits.fixed] = 0.0
    fisher = columns @ columns.transpose(0, 2, 1)
    scale = 1.0 / np.sqrt(np.maximum(np.einsum("ijj->ij", fisher), 1e-30))
    bound = np.linalg.pinv(fisher * scale[:, :, None] * scale[:, None, :], hermitian=True)
    sigma = np.sqrt(np.einsum("ijj->ij", bound)) * scale
    off = found - truth
    off[:, AZIMUTH] = np.mod(off[:, AZIMUTH] + np.pi / 2, np.pi) - np.pi / 2
    return np.asarray(off / np.maximum(sigma, 1e-30))
