"""A small network that learns parameters from profiles on inversions that were made: where a fit may begin.

A perceptron of two hidden layers, trained by Adam in numpy alone. It is a hook, and is used where it is given
to `pipeline.inversion.inversion.Inversion` as `first`; docs/milne_eddington.md has what it is worth.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pipeline.inversion.forms import AZIMUTH, FIELD, INCLINATION, UNKNOWNS

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]

_RATE: Final = 2e-3
_BATCH: Final = 256
_DECAYS: Final = (0.9, 0.999)
_TINY: Final = 1e-6


@dataclass(frozen=True)
class Network:
    """A trained network.

    Attributes
    ----------
    layers
        Weights and offsets of each layer, float32.
    scale, middle
        Standard deviations and means of what goes in.
    spread, level
        The same of what comes out.
    """

    layers: tuple[tuple[F32, F32], ...]
    scale: F32
    middle: F32
    spread: F32
    level: F32

    def starts(self, profiles: F32) -> F64:
        """Unknowns of measured profiles, shape (pixels, 4, wavelengths), as a library gives them."""
        values = (profiles.reshape(len(profiles), -1) - self.middle) / self.scale
        for weights, offsets in self.layers[:-1]:
            values = np.maximum(values @ weights + offsets, np.float32(0.0))
        weights, offsets = self.layers[-1]
        return _unknowns((values @ weights + offsets) * self.spread + self.level)


def trained(
    profiles: F32, unknowns: F64, *, hidden: tuple[int, ...] = (128, 64), turns: int = 40, seed: int = 1
) -> Network:
    """A network that gives unknowns for profiles, learnt from inverted pixels.

    Parameters
    ----------
    profiles
        Shape (pixels, 4, wavelengths), over the continuum.
    unknowns
        What an inversion found in them, shape (pixels, 9); rows that are not finite do not count.
    hidden
        Sizes of the hidden layers.
    turns
        How often it goes over all pixels.
    seed
        Of weights and order: the same seed, the same network.
    """
    good = np.isfinite(unknowns).all(axis=1) & np.isfinite(profiles).all(axis=(1, 2))
    given = profiles[good].reshape(int(good.sum()), -1).astype(np.float32)
    wanted = _targets(unknowns[good])
    middle, scale = given.mean(axis=0), given.std(axis=0) + np.float32(_TINY)
    level, spread = wanted.mean(axis=0), wanted.std(axis=0) + np.float32(_TINY)
    rng = np.random.default_rng(seed)
    sizes = (given.shape[1], *hidden, wanted.shape[1])
    layers = [
        (
            (rng.normal(size=(before, behind)) * np.sqrt(2.0 / before)).astype(np.float32),
            np.zeros(behind, np.float32),
        )
        for before, behind in pairwise(sizes)
    ]
    _descend(layers, (given - middle) / scale, (wanted - level) / spread, turns, rng)
    return Network(tuple(layers), scale, middle, spread, level)


def _targets(unknowns: F64) -> F32:
    """Unknowns without the ambiguities of angles: the field's parts that Stokes parameters go with."""
    field, gamma, chi = unknowns[:, FIELD], unknowns[:, INCLINATION], unknowns[:, AZIMUTH]
    across = field * np.sin(gamma)
    parts = [field * np.cos(gamma), across * np.cos(2 * chi), across * np.sin(2 * chi)]
    rest = [unknowns[:, place] for place in _others()]
    return np.stack([*parts, *rest], axis=1).astype(np.float32)


def _unknowns(found: NDArray[Any]) -> F64:
    along, turned = found[:, 0], np.hypot(found[:, 1], found[:, 2])
    made = np.empty((len(found), UNKNOWNS))
    made[:, FIELD] = np.hypot(along, turned)
    made[:, INCLINATION] = np.arctan2(turned, along)
    made[:, AZIMUTH] = np.mod(0.5 * np.arctan2(found[:, 2], found[:, 1]), np.pi)
    for column, place in enumerate(_others(), start=3):
        made[:, place] = found[:, column]
    return made


def _others() -> Iterator[int]:
    return (place for place in range(UNKNOWNS) if place not in (FIELD, INCLINATION, AZIMUTH))


def _descend(
    layers: list[tuple[F32, F32]], given: F32, wanted: F32, turns: int, rng: np.random.Generator
) -> None:
    """Adam on the mean square, with a rate that falls to nothing; changes the layers."""
    moments = [[np.zeros_like(one) for one in (*layer, *layer)] for layer in layers]
    steps, number = turns * -(-len(given) // _BATCH), 0
    for _ in range(turns):
        order = rng.permutation(len(given))
        for first in range(0, len(order), _BATCH):
            chosen = order[first : first + _BATCH]
            number += 1
            rate = 0.5 * _RATE * (1.0 + np.cos(np.pi * number / steps))
            slopes = _slopes(layers, given[chosen], wanted[chosen])
            for layer, kept, found in zip(layers, moments, slopes, strict=True):
                for k in range(2):
                    _step(layer[k], kept[k], kept[2 + k], found[k], rate, number)


def _step(values: Any, first: Any, second: Any, slope: Any, rate: float, number: int) -> None:
    one, two = _DECAYS
    first += (1 - one) * (slope - first)
    second += (1 - two) * (slope * slope - second)
    corrected = np.sqrt(second / (1 - two**number)) + 1e-8
    values -= np.float32(rate / (1 - one**number)) * first / corrected


def _slopes(layers: list[tuple[F32, F32]], given: F32, wanted: F32) -> list[tuple[F32, F32]]:
    """Derivatives of the mean square by weights and offsets, layer by layer."""
    passed = [given]
    for weights, offsets in layers[:-1]:
        passed.append(np.maximum(passed[-1] @ weights + offsets, np.float32(0.0)))
    weights, offsets = layers[-1]
    behind = (passed[-1] @ weights + offsets - wanted) * np.float32(2.0 / wanted.size)
    made: list[tuple[F32, F32]] = []
    for place in reversed(range(len(layers))):
        made.append((passed[place].T @ behind, behind.sum(axis=0)))
        if place:
            behind = (behind @ layers[place][0].T) * (passed[place] > 0)
    return made[::-1]
