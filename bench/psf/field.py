"""Frames whose PSF differs across the field: one on one side, another on the other, a mixture between."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bench.psf.scenes import Scene, seen
from bench.psf.truth import FINE, Truth
from pipeline.psf.shape import profile_of_kernel, shape_of

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
#: Of frames whose noise is added once they are mixed.
_MANY: Final = 1e9


def varying(
    scene: Scene, left: Truth, right: Truth, electrons: float, rng: np.random.Generator, angle: float = 0.0
) -> F32:
    """A frame of a scene, its PSF a mixture whose shares change evenly towards an angle from the x axis."""
    images = [seen(scene, one, _MANY, rng).astype(np.float64) for one in (left, right)]
    y, x = np.indices(images[0].shape).astype(np.float64)
    share = share_at(x, y, images[0].shape[0], angle)
    mixed = (1.0 - share) * images[0] / images[0].sum() + share * images[1] / images[1].sum()
    count = np.maximum(mixed, 0.0) * (electrons / np.percentile(mixed, 99.5))
    found: F32 = (rng.poisson(count) + rng.normal(0.0, 10.0, count.shape)).astype(np.float32)
    return found


def share_at(x: F64 | float, y: F64 | float, side: int, angle: float) -> F64:
    """The right one's share at a place of a square frame: none to all along its width, through its middle."""
    middle = 0.5 * (side - 1)
    along = (x - middle) * np.cos(angle) + (y - middle) * np.sin(angle)
    found: F64 = np.clip(0.5 + along / (side - 1), 0.0, 1.0)
    return found


def mixture(left: Truth, right: Truth, share: float) -> Truth:
    """The PSF where the right one has a share."""
    fine = (1.0 - share) * left.fine + share * right.fine
    radii, mean, within = profile_of_kernel(fine)
    return replace(left, kind="mixture", fine=fine, shape=shape_of(radii / FINE, mean, within))
