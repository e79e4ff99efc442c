"""One exposure of a CCD without a shutter: clear, expose, bleed, transfer, amplify, count.

Line 0 lies at the register. During the clear all charge runs towards it, a line in
LINE_CLR; what is at line i when the clear ends came through all lines above, dark
before, and collected light at each of them for LINE_CLR. Then it rests. During the
read-out it runs on through all lines below, and collects light at each of
them for LINE_RO. `transfer_line_by_line` does exactly that, shift by shift;
`after_clear` and `add_readout` add up the same light in one pass.
"""

from __future__ import annotations

from typing import Any, Final

import numba
import numpy as np
from numpy.typing import NDArray

from pipeline.instruments.stereo_hi.simulate import camera

_COMPILED: Final = {"cache": True, "nogil": True, "error_model": "numpy"}
_FULL_WELL: Final = camera.FULL_WELL
_LARGEST: Final = camera.LARGEST_NUMBER
_SHARE: Final = camera.SCRUB_SHARE
Image = NDArray[np.float32]


def transfer_line_by_line(rate: NDArray[np.float64], clear: float, rest: float, readout: float) -> Any:
    """Charge of every line after clear, rest and read-out, followed shift by shift; slow, for small CCDs.

    Parameters
    ----------
    rate
        Electrons per second that the light makes at every place, shape (y, x).
    clear, rest, readout
        Seconds: per line of the clear, at rest, per line of the read-out.

    Returns
    -------
    numpy.ndarray
        Electrons as they leave the register, shape (y, x).
    """
    charge = np.zeros_like(rate)
    for _ in range(2 * rate.shape[0]):  # longer than it takes to run through all lines
        charge = np.vstack([charge[1:], np.zeros_like(charge[:1])])
        charge += rate * clear
    # The last shift of the clear has brought every line to its place; it rests there instead.
    charge += rate * (rest - clear)
    lines = []
    for _ in range(rate.shape[0]):
        lines.append(charge[0].copy())
        charge = np.vstack([charge[1:], np.zeros_like(charge[:1])])
        charge += rate * readout
    return np.array(lines)


@numba.njit(**_COMPILED)
def after_clear(rate: Image, clear: float, rest: float, charge: Image) -> None:
    """Electrons at the end of the exposure, put into `charge`: light of the clear, then at rest."""
    ny, nx = rate.shape
    above = np.zeros(nx)
    for back in range(ny):
        i = ny - 1 - back
        for j in range(nx):
            charge[i, j] = rest * rate[i, j] + clear * above[j]
            above[j] += rate[i, j]


def bleed(charge: Image, full: float) -> None:
    """Charge beyond the full well runs along its column to both sides until it finds room, or the edge."""
    _bleed(charge, full, np.flatnonzero(charge.max(axis=0) > full))


@numba.njit(**_COMPILED)
def _bleed(charge: Image, full: float, columns: NDArray[np.int64]) -> None:
    ny = charge.shape[0]
    for j in columns:
        up, down = np.zeros(ny), np.zeros(ny)
        for i in range(ny):
            if charge[i, j] > full:
                up[i] = down[i] = 0.5 * (charge[i, j] - full)
                charge[i, j] = full
        carried = 0.0
        for i in range(ny):
            room = full - charge[i, j]
            taken = min(carried, room)
            charge[i, j] += taken
            carried += up[i] - taken
        carried = 0.0
        for back in range(ny):
            i = ny - 1 - back
            room = full - charge[i, j]
            taken = min(carried, room)
            charge[i, j] += taken
            carried += down[i] - taken


@numba.njit(**_COMPILED)
def add_readout(rate: Image, readout: float, full: float, charge: Image) -> None:
    """Light that every line collects on its way through the lines before it."""
    ny, nx = rate.shape
    below = np.zeros(nx)
    for i in range(ny):
        for j in range(nx):
            charge[i, j] = min(charge[i, j] + readout * below[j], full)
            below[j] += rate[i, j]


@numba.njit(**_COMPILED)
def count(
    charge: Image,
    normal: Image,
    gain: float,
    read_noise: float,
    bias: float,
    curvature: float,
    noisy: bool,
    numbers: Image,
) -> None:
    """DN of every pixel, put into `numbers`: noise of photons and read-out, response of the amplifier, steps.

    Photons are counted by the normal law; pixels of the sky hold thousands of electrons.
    The amplifier gives ``v (1 − curvature · v/full well)``. Without noise
    there are no steps either: what dithers them is not there.
    """
    ny, nx = charge.shape
    variance = read_noise * read_noise
    for i in range(ny):
        for j in range(nx):
            electrons = charge[i, j]
            if noisy:
                electrons += np.sqrt(charge[i, j] + variance) * normal[i, j]
            level = electrons / gain
            level = bias + level * (1.0 - curvature * level / _FULL_WELL)
            if noisy:
                level = min(max(np.floor(level + 0.5), 0.0), _LARGEST)
            numbers[i, j] = level


@numba.njit(**_COMPILED)
def scrub(
    numbers: Image, before: Image, gain: float, read_noise: float, bias: float, threshold: float
) -> int:
    """Two-image scrub: a pixel far above its predecessor gets the predecessor's number; how many did."""
    ny, nx = numbers.shape
    variance = (read_noise / gain) ** 2
    found = 0
    for i in range(ny):
        for j in range(nx):
            excess = numbers[i, j] - before[i, j]
            if excess > 0.0:
                signal = max(before[i, j] - bias, 0.0)
                if (
                    excess * excess > threshold * threshold * (signal / gain + variance)
                    and excess > _SHARE * signal
                ):
                    numbers[i, j] = before[i, j]
                    found += 1
    return found


@numba.njit(**_COMPILED)
def add_binned(numbers: Image, binning: int, total: NDArray[np.float64]) -> None:
    """Add an exposure to the summing buffer, `binning` pixels along each axis to one."""
    ny, nx = numbers.shape
    for i in range(ny):
        for j in range(nx):
            total[i // binning, j // binning] += numbers[i, j]
