"""What the optics and the pixels do to the light: uneven response, and the images of stars."""

from __future__ import annotations

from typing import Final

import numba
import numpy as np
from numpy.typing import NDArray

from pipeline.instruments.stereo_hi import tables
from pipeline.instruments.stereo_hi.simulate import camera
from pipeline.instruments.stereo_hi.simulate.config import SimulationConfig
from pipeline.instruments.stereo_hi.simulate.geometry import offsets

_EDGE: Final = tables.CCD_SIZE / 2.0
#: Where the image of a star is cut, standard deviations.
_REACH: Final = 4.5


def response(config: SimulationConfig) -> NDArray[np.float32]:
    """Share of the light that every CCD pixel records, shape (y, x), in the orientation of the read-out.

    The optics lose light with the fourth power of the distance from the axis; pixels
    differ by a normal law of their own seed, so that all series of a seed have one camera.
    """
    place = (offsets(config) / _EDGE) ** 2
    radius4 = (place[:, None] + place[None, :]) ** 2
    rng = np.random.default_rng([config.seed, 4])
    uneven = camera.PIXEL_RESPONSE * rng.standard_normal(radius4.shape)
    result = 1.0 + config.flat * (uneven - camera.VIGNETTING * np.minimum(radius4, 2.0))
    return np.asarray(result, dtype=np.float32)


def add_stars(
    image: NDArray[np.float32],
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    rate: NDArray[np.float64],
    sigma: float,
) -> None:
    """Add images of point sources, wider towards the edge of the field and drawn out along the radius.

    Parameters
    ----------
    image
        DN/s per CCD pixel, shape (y, x); changed.
    x, y
        Places in CCD pixels from the centre of the image.
    rate
        DN/s altogether.
    sigma
        Standard deviation of a star's image on the axis, CCD pixels.
    """
    along, across = camera.PSF_GROWTH
    _add_stars(image, x, y, rate, sigma, along, across)


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _add_stars(
    image: NDArray[np.float32],
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    rate: NDArray[np.float64],
    sigma: float,
    along: float,
    across: float,
) -> None:
    ny, nx = image.shape
    for k in range(x.size):
        u2 = (x[k] ** 2 + y[k] ** 2) / _EDGE**2
        long, short = sigma * (1.0 + along * u2), sigma * (1.0 + across * u2)
        radius = np.sqrt(x[k] ** 2 + y[k] ** 2)
        c, s = (x[k] / radius, y[k] / radius) if radius > 0.0 else (1.0, 0.0)
        column, row = x[k] + (nx - 1) / 2.0, y[k] + (ny - 1) / 2.0
        reach = int(np.ceil(_REACH * long))
        first_x, first_y = int(np.floor(column)) - reach, int(np.floor(row)) - reach
        total = 0.0
        for part in range(2):  # its sum first, so that all of its light is in it
            for i in range(first_y, first_y + 2 * reach + 2):
                for j in range(first_x, first_x + 2 * reach + 2):
                    dx, dy = j - column, i - row
                    value = np.exp(
                        -0.5 * (((c * dx + s * dy) / long) ** 2 + ((c * dy - s * dx) / short) ** 2)
                    )
                    if part == 0:
                        total += value
                    elif 0 <= i < ny and 0 <= j < nx:
                        image[i, j] += rate[k] * value / total
