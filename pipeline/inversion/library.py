"""Where a fit begins: at the most alike of some thousand synthetic profiles.

Levenberg–Marquardt finds the nearest minimum, so the start decides on success: among fields of 0–3 kG the
classical estimates by moments lead to the right one in half of the pixels, a library in 99 of 100.

Profiles are compared without what the source function and the azimuth do to them: the mean of I is subtracted
(S₀), all are of unit length (S₁), and Q and U are turned so that Q has most of the linear polarisation. That
axis says the azimuth up to 90°: which of the two it is, the sign of the scalar product of Q and U tells.
Scalar products are taken of a few principal components.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pipeline.inversion.forms import (
    AZIMUTH,
    DAMPING,
    FIELD,
    FILLING,
    GRADIENT,
    INCLINATION,
    LIGHT,
    STRENGTH,
    SURFACE,
    UNKNOWNS,
    VELOCITY,
    WIDTH,
)
from pipeline.inversion.model import Model, Ranges

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]

#: Principal components of I and V, and of Q and U.
_COMPONENTS: Final = 12
#: Pixels compared at once: their scores stay in the cache.
_BATCH: Final = 256
#: Source function over the background below which no slab begins.
_DARKEST: Final = 0.1
#: [G] Field below which none begins.
_WEAKEST: Final = 100.0


def drawn(ranges: Ranges, count: int, unknowns: int, reference: float, rng: np.random.Generator) -> F64:
    """Unknowns of so many pixels, at azimuth 0 and with S₀ = 0, S₁ = 1."""
    made = np.zeros((count, unknowns))
    share = rng.uniform(0.0, 1.0, count)
    made[:, FIELD] = ranges.field * share**2
    made[:, INCLINATION] = np.arccos(rng.uniform(-1.0, 1.0, count))
    made[:, VELOCITY] = rng.uniform(-ranges.velocity, ranges.velocity, count)
    for place, (low, high) in (
        (WIDTH, ranges.width),
        (STRENGTH, ranges.strength),
        (DAMPING, ranges.damping),
    ):
        made[:, place] = rng.uniform(np.log(low), np.log(high), count)
    made[:, WIDTH] += np.log(reference / LIGHT)
    made[:, GRADIENT] = 1.0
    if unknowns > UNKNOWNS:
        made[:, FILLING] = 1.0
    return made


class Library:
    """Synthetic profiles of a model, ready to be compared with measured ones."""

    def __init__(
        self,
        model: Model,
        weights: NDArray[Any],
        ranges: Ranges,
        *,
        size: int,
        seed: int,
        filling: float = 1.0,
    ) -> None:
        """Draw and synthesise.

        Parameters
        ----------
        model
            The forward problem.
        weights
            1/σ of I, of Q and U, and of V, shape (3, wavelengths).
        ranges
            What the profiles are made of.
        size
            How many.
        seed
            Of the random draws: the same seed, the same library.
        filling
            Filling factor to begin with, where it is free: profiles alone hardly tell it from the field.
        """
        self.filling = filling
        self.slab = model.slab
        self.weights = np.ascontiguousarray(weights, np.float32)
        rng = np.random.default_rng(seed)
        self.unknowns = drawn(ranges, size, model.unknowns, model.atoms.reference, rng)
        profiles = model.synthesise(self.unknowns).astype(np.float32)
        self.means, self.turns, along, across = self._features(profiles)
        norms = np.sqrt((along**2).sum(axis=1) + (across**2).sum(axis=1))
        self.norms = np.maximum(norms, np.finfo(np.float32).tiny)
        along, across = along / self.norms[:, None], across / self.norms[:, None]
        self._bases = _principal(along), _principal(across)
        self._codes = along @ self._bases[0], across @ self._bases[1]

    def _features(self, profiles: F32) -> tuple[F32, F32, F32, F32]:
        """Means of I, turns of Q and U in their plane, and the two sets of numbers that are compared."""
        wi, wq, wv = self.weights
        squares = wi * wi
        means = profiles[:, 0] @ (squares / squares.sum())
        q, u = profiles[:, 1] * wq, profiles[:, 2] * wq
        turns = 0.5 * np.arctan2(2.0 * (q * u).sum(axis=1), (q * q - u * u).sum(axis=1))
        c, s = np.cos(turns)[:, None], np.sin(turns)[:, None]
        along = np.concatenate([(profiles[:, 0] - means[:, None]) * wi, profiles[:, 3] * wv], axis=1)
        across = np.concatenate([c * q + s * u, c * u - s * q], axis=1)
        return means, turns, along, across

    def starts(self, profiles: F32) -> F64:
        """Unknowns to begin with for measured profiles, shape (pixels, 4, wavelengths)."""
        made = np.empty((len(profiles), self.unknowns.shape[1]))
        for first in range(0, len(profiles), _BATCH):
            part = slice(first, first + _BATCH)
            made[part] = self._starts(profiles[part])
        return made

    def _starts(self, profiles: F32) -> F64:
        means, turns, along, across = self._features(profiles)
        plain = (along @ self._bases[0]) @ self._codes[0].T
        turned = (across @ self._bases[1]) @ self._codes[1].T
        score = np.abs(turned)
        score += plain
        best = score.argmax(axis=1)
        rows = np.arange(len(best))
        made = self.unknowns[best].copy()
        # The other of the two azimuths is 90° away, which is the opposite of both Q and U.
        turn = turns - self.turns[best] + np.where(turned[rows, best] < 0, np.pi, 0.0)
        made[:, AZIMUTH] = np.mod(0.5 * turn, np.pi)
        made[:, GRADIENT] = np.maximum(score[rows, best], 0.0) / self.norms[best]
        if made.shape[1] > UNKNOWNS:
            made[:, FILLING] = self.filling
            made[:, GRADIENT] /= self.filling
        made[:, SURFACE] = means - made[:, GRADIENT] * self.means[best]
        if self.slab:
            _as_a_slab(made)
        return np.asarray(made)


def _as_a_slab(made: F64) -> None:
    """S₀ and S₁ become source function and background; what is too deep for its source has more depth."""
    apart = made[:, GRADIENT].copy()
    made[:, GRADIENT] += made[:, SURFACE]
    np.maximum(made[:, SURFACE], _DARKEST * made[:, GRADIENT], out=made[:, SURFACE])
    left = np.maximum(made[:, GRADIENT] - made[:, SURFACE], np.finfo(np.float32).tiny)
    made[:, STRENGTH] += np.log(np.maximum(apart / left, 1.0))
    # Without a field nothing turns it: fits that begin there stay there.
    np.maximum(made[:, FIELD], _WEAKEST, out=made[:, FIELD])


def _principal(rows: F32) -> F32:
    """The directions along which rows differ most, without centring."""
    _, vectors = np.linalg.eigh(rows.T.astype(np.float64) @ rows)
    return np.ascontiguousarray(vectors[:, ::-1][:, :_COMPONENTS], np.float32)
