"""How far the mean of the lowest values of some noisy measurements lies below their expectation.

For n independent Gaussian values of standard deviation 1 and mean 0 the
expected sum of the k smallest is the sum of the first k order statistics'
expectations, ``Σᵢ n C(n−1, i−1) ∫ z φ Φ^{i−1} (1−Φ)^{n−i} dz``. The terms are
those of a binomial distribution, so that the mean is a single integral::

    m(n, k) = (n/k) ∫ z φ(z) P[Bin(n−1, Φ(z)) ≤ k−1] dz

As n grows with k = n/4 it tends to −φ(z₀)/¼ = −1.2711, z₀ = −0.6745 being the
lower quartile: that much of its noise lies the mean of the lowest quarter of a
pixel's values below their mean.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import bdtr, ndtr

#: Beyond 9 σ nothing of any sample a background is made of is expected.
_Z: Final = np.linspace(-9.0, 9.0, 7201)


@lru_cache(maxsize=4096)
def lowest_mean(n: int, k: int) -> float:
    """Expected mean of the k smallest of n standard Gaussian values, ``m(n, k)``.

    Parameters
    ----------
    n
        Values, at least 1.
    k
        How many of the smallest are averaged, 1 to n.

    Returns
    -------
    float
        In standard deviations; zero where k = n, else negative.
    """
    density = np.exp(-0.5 * _Z**2) / np.sqrt(2.0 * np.pi)
    below = bdtr(float(k - 1), n - 1, ndtr(_Z)) if n > 1 else np.ones_like(_Z)
    return float(n / k * np.sum(_Z * density * below) * (_Z[1] - _Z[0]))


def noise_per_gap(n: NDArray[np.int32]) -> NDArray[np.float64]:
    """What turns the gap above the lowest quarter into the quarter's bias, for every number of values.

    The gap between the mean of the ⌈n/4⌉ smallest values and the next larger
    one is, in expectation, ``σ (E z₍ₖ₊₁₎ − m(n, k))``; the bias is ``σ m(n, k)``.
    Their ratio needs no σ, and looks only at the low end of the values, where
    stars and ejections are not.

    Parameters
    ----------
    n
        Numbers of values, any shape.

    Returns
    -------
    numpy.ndarray
        Same shape, float64, positive; NaN where n is below 2.
    """
    table = np.full(int(n.max(initial=0)) + 1, np.nan)
    for number in np.unique(n[n >= 2]):
        k = int(-(-number // 4))
        mean = lowest_mean(int(number), k)
        following = (k + 1) * lowest_mean(int(number), k + 1) - k * mean
        table[number] = -mean / (following - mean)
    return np.asarray(table[n])
