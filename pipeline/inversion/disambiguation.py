"""Which of two azimuths: the one at an acute angle to the potential field of the line-of-sight component.

Stokes profiles are the same for azimuths 180° apart. The potential field that has the measured line-of-sight
component at the surface is, in Fourier space, ``B_x = −i (k_x/|k|) B_z`` and likewise for y (Alissandrakis
1981, A&A 100, 197); of the two transverse vectors the one nearer to it is taken. The method is the oldest and
plainest there is (Metcalf et al. 2006, Solar Phys. 237, 267, compare it with others): it takes the line of
sight for the vertical, so it suits maps near the disk's centre, and fails where the field is sheared.
"""

from __future__ import annotations

import numpy as np
import scipy.fft
from numpy.typing import NDArray

F64 = NDArray[np.float64]


def potential_transverse(longitudinal: NDArray[np.floating], steps: tuple[float, float]) -> tuple[F64, F64]:
    """Components along x and y of the potential field at the surface.

    Parameters
    ----------
    longitudinal
        Along the line of sight, towards the observer, shape (y, x); NaN counts as no field. Beyond the map
        there is none.
    steps
        Distances of pixels along y and x.
    """
    ny, nx = longitudinal.shape
    shape = tuple(scipy.fft.next_fast_len(2 * length) for length in (ny, nx))
    spectrum = scipy.fft.fft2(np.nan_to_num(longitudinal).astype(np.float64), s=shape)
    ky = scipy.fft.fftfreq(shape[0], steps[0])[:, None]
    kx = scipy.fft.fftfreq(shape[1], steps[1])[None, :]
    length = np.hypot(kx, ky)
    length[0, 0] = np.inf
    along_x = scipy.fft.ifft2(-1j * kx / length * spectrum).real
    along_y = scipy.fft.ifft2(-1j * ky / length * spectrum).real
    return along_x[:ny, :nx], along_y[:ny, :nx]


def disambiguated(
    field: NDArray[np.floating],
    inclination: NDArray[np.floating],
    azimuth: NDArray[np.floating],
    *,
    steps: tuple[float, float] = (1.0, 1.0),
    axis: float = 0.0,
) -> F64:
    """Azimuths in degrees from 0 to 360, from the same axis as those given.

    Parameters
    ----------
    field, inclination, azimuth
        Maps, angles in degrees; azimuths modulo 180°.
    steps
        Distances of pixels along y and x.
    axis
        Degrees from the x axis of the map, towards y, in which azimuths begin.
    """
    longitudinal = field * np.cos(np.radians(inclination))
    along_x, along_y = potential_transverse(longitudinal, steps)
    angle = np.radians(azimuth + axis)
    against = np.cos(angle) * along_x + np.sin(angle) * along_y < 0
    return np.asarray(np.mod(azimuth + np.where(against, 180.0, 0.0), 360.0), np.float64)
