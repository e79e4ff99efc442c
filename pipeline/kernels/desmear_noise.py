"""The uncertainty behind the de-smearing: exact for independent pixels, in O(n) per column.

With M = L + a·11ᵀ, L lower triangular with d − a on its diagonal and b − a
below (see `pipeline.kernels.desmear`), s = 1/(d − a), κ = (b − a)/(d − a) and
ρ = 1 − κ, the recurrence gives ``L⁻¹ᵢⱼ = −κ s ρ^(i−1−j)`` below its diagonal s,
``L⁻¹1 = (s ρⁱ)ᵢ`` and ``1ᵀL⁻¹ = (s ρ^(n−1−j))ⱼ``. Sherman and Morrison (1950,
Ann. Math. Statist. 21, 124) then give with ``c = a s²/(1 + a s Σ ρᵏ)``::

    M⁻¹ᵢⱼ = −(κ s + c ρⁿ) ρ^(i−1−j)   for j < i
          =  s − c ρ^(n−1)            for j = i
          = −c ρ^(n−1+i−j)            for j > i

Each of the three is a power of ρ along a column, so that the sum of squares
``σ²(xᵢ) = Σⱼ (M⁻¹ᵢⱼ)² σ²(yⱼ)`` needs two recurrences in ρ² and no matrix.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from pipeline.kernels.desmear import COMPILED, constants, prepared


def desmear_uncertainty(
    uncertainty: NDArray[Any], diagonal: float, below: float, above: float
) -> NDArray[Any]:
    """One standard deviation of what `pipeline.kernels.desmear.desmear` gives.

    Parameters
    ----------
    uncertainty
        One standard deviation of the smeared image, shape (ny, nx), float32
        or float64, DN. The noise of its pixels counts as independent. A NaN
        spoils its column, as it does in the image.
    diagonal, below, above
        Seconds, as for `desmear`.

    Returns
    -------
    numpy.ndarray
        Same shape and type, DN/s. Lines of one column are correlated in the
        result, weakly; that is not part of it.

    Raises
    ------
    ValueError
        As `desmear` does.
    """
    lines, times = prepared(uncertainty, diagonal, below, above)
    result = np.empty_like(lines)
    n = lines.shape[0]
    if not lines.size:
        return result
    rho, kappa, scale, rank_one, reverse = constants(n, *times)
    shared = rank_one * scale  # c
    # ρ^(2(n−1−j)): what the sum over a whole column has of line j.
    weights = np.power(rho * rho, np.arange(n - 1, -1, -1, dtype=np.float64))
    _propagate(
        lines,
        result,
        weights,
        rho * rho,
        (scale - shared * rho ** (n - 1)) ** 2,
        (kappa * scale + shared * rho**n) ** 2,
        shared**2,
        reverse,
    )
    return result


@numba.njit(**COMPILED)
def _propagate(
    sigma: NDArray[Any],
    out: NDArray[Any],
    weights: NDArray[np.float64],
    rho2: float,
    own: float,
    earlier: float,
    later: float,
    reverse: bool,
) -> None:
    ny, nx = sigma.shape
    first, stride = (ny - 1, -1) if reverse else (0, 1)
    left = np.zeros(nx, dtype=np.float64)  # Σ over this line and later ones of weights · σ²
    before = np.zeros(nx, dtype=np.float64)  # Σ over earlier lines of ρ^(2(i−1−j)) σ²
    for i in range(ny):
        weight = weights[i]
        for j in range(nx):
            value = np.float64(sigma[first + stride * i, j])
            left[j] += weight * value * value
    power = 1.0  # ρ^(2i)
    for i in range(ny):
        weight, factor = weights[i], later * power
        for j in range(nx):
            value = np.float64(sigma[first + stride * i, j])
            square = value * value
            left[j] -= weight * square
            rest = left[j] if left[j] > 0.0 or np.isnan(left[j]) else 0.0  # below zero by rounding only
            out[first + stride * i, j] = np.sqrt(own * square + earlier * before[j] + factor * rest)
            before[j] = rho2 * before[j] + square
        power *= rho2
