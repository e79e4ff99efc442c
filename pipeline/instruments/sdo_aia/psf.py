"""The point spread function of AIA's EUV channels.

Grigis, Su, Weber et al. 2012, "AIA PSF Characterization and Deconvolution"
(SolarSoft, sdo/aia/idl/psf/DOC/psfreport.pdf), as aia_calc_psf.pro and
aiapy.psf.psf compute it: a narrow core, and the diffraction pattern of the
meshes that carry the entrance and the focal-plane filters. Each mesh's
pattern is a sum of equal Gaussians along its arms, of orders −100 to 100,
with the intensity sinc²(m · wire width / pitch); the two are convolved.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
import scipy.fft
from numba import njit
from numpy.typing import NDArray

from pipeline.instruments.sdo_aia.channels import EUV
from pipeline.instruments.sdo_aia.geometry import FULL_SIZE
from pipeline.kernels.deconvolve import Transfer, transfer_function


@dataclass(frozen=True)
class Mesh:
    """Diffraction by a channel's two filter meshes (Grigis et al. 2012, Table 2; aiapy 0.10.2, psf.py).

    Attributes
    ----------
    arms
        Angles of the four arms of the entrance filter's pattern, degrees.
    entrance, focal_plane
        Distance between diffraction orders of the two filters, pixels.
    preflight_width
        Steepness w of the core exp(−w r²) measured before flight, pixel⁻².
    """

    arms: tuple[float, float, float, float]
    entrance: float
    focal_plane: float
    preflight_width: float


MESHES: Final[dict[int, Mesh]] = {
    94: Mesh((49.81, 40.16, -40.28, -49.92), 8.99, 0.207, 0.951),
    131: Mesh((50.27, 40.17, -39.70, -49.95), 12.37, 0.289, 1.033),
    171: Mesh((49.81, 39.57, -40.13, -50.38), 16.26, 0.377, 0.962),
    193: Mesh((49.82, 39.57, -40.12, -50.37), 18.39, 0.425, 1.512),
    211: Mesh((49.78, 40.08, -40.34, -49.95), 19.97, 0.465, 1.199),
    304: Mesh((49.76, 40.18, -40.14, -49.90), 28.87, 0.670, 1.247),
    335: Mesh((50.40, 39.80, -39.64, -50.25), 31.83, 0.738, 0.962),
}
#: Arms of the focal-plane filter's pattern, degrees (aia_calc_psf.pro).
_FOCAL_PLANE_ARMS: Final = (45.0, -45.0)
#: Mesh pitch 363 µm, wire width 34 µm (science.md §3).
_PITCH_OVER_WIRE: Final = 363.0 / 34.0
#: Share of a filter's area that is not mesh, and so of the light that is not diffracted (science.md §3).
_OPEN_AREA: Final = 0.82
#: Steepness of the core in flight: "width" of aiapy's table for every channel, pixel⁻².
_WIDTH: Final = 4.5
ORDERS: Final = 100
# exp(−37) = 1e-16: farther out a Gaussian does not change a float64 sum.
_NEGLIGIBLE_EXPONENT: Final = 37.0


@njit(cache=True, nogil=True, error_model="numpy")
def _add_gaussian(
    pattern: NDArray[np.float64], x: float, y: float, width: float, intensity: float, reach: int
) -> None:
    """Add intensity · exp(−width · r²) about (x, y), as far as it counts and inside the array."""
    ny, nx = pattern.shape
    column, row = int(np.rint(x)), int(np.rint(y))
    for i in range(max(row - reach, 0), min(row + reach + 1, ny)):
        vertical = intensity * np.exp(-width * (i - y) ** 2)
        for j in range(max(column - reach, 0), min(column + reach + 1, nx)):
            pattern[i, j] += vertical * np.exp(-width * (j - x) ** 2)


def _filter_pattern(
    arms: tuple[float, ...], spacing: float, width: float, orders: int, size: int
) -> NDArray[np.float64]:
    """Pattern of one filter, sum 1, centred at pixel (size // 2, size // 2)."""
    centre = size / 2.0
    reach = int(np.ceil(np.sqrt(_NEGLIGIBLE_EXPONENT / width)))
    core, diffracted = np.zeros((size, size)), np.zeros((size, size))
    _add_gaussian(core, centre, centre, width, 1.0, reach)
    for order in (*range(-orders, 0), *range(1, orders + 1)):
        intensity = float(np.sinc(order / _PITCH_OVER_WIRE)) ** 2
        for arm in np.deg2rad(arms):
            x, y = centre + spacing * order * np.cos(arm), centre + spacing * order * np.sin(arm)
            _add_gaussian(diffracted, x, y, width, intensity, reach)
    diffracted *= (1.0 - _OPEN_AREA) / diffracted.sum()
    diffracted += core * (_OPEN_AREA / core.sum())
    return diffracted


def point_spread_function(
    channel: int, *, preflight_core: bool = False, orders: int = ORDERS, size: int = FULL_SIZE
) -> NDArray[np.float64]:
    """The composite PSF of a channel.

    Parameters
    ----------
    channel
        Wavelength in Å, one of the seven EUV channels.
    preflight_core
        Use the widths of the core measured before flight.
    orders
        Highest diffraction order.
    size
        Pixels along one side; even.

    Returns
    -------
    NDArray[np.float64]
        Shape (size, size), centred at pixel (size // 2, size // 2), sum 1.
    """
    spectrum = _spectrum(channel, preflight_core, orders, size)
    psf: NDArray[np.float64] = np.abs(
        scipy.fft.fftshift(scipy.fft.irfft2(spectrum, s=(size, size), workers=1))
    )
    return psf


def _spectrum(channel: int, preflight_core: bool, orders: int, size: int) -> NDArray[np.complex128]:
    """`rfft2` of the composite PSF, its centre at pixel (0, 0): the product of both filters' transforms."""
    mesh = MESHES[channel]
    width = mesh.preflight_width if preflight_core else _WIDTH
    entrance = _filter_pattern(mesh.arms, mesh.entrance, width, orders, size)
    focal_plane = _filter_pattern(_FOCAL_PLANE_ARMS, mesh.focal_plane, width, orders, size)
    spectrum: NDArray[np.complex128] = scipy.fft.rfft2(scipy.fft.ifftshift(entrance), workers=1)
    spectrum *= scipy.fft.rfft2(scipy.fft.ifftshift(focal_plane), workers=1)
    return spectrum


@lru_cache(maxsize=len(EUV))
def channel_transfer(channel: int, shape: tuple[int, int], preflight_core: bool = False) -> Transfer:
    """The transfer function of a channel for arrays of a shape; computed once per process.

    In float32, 34 MB for the full detector: the PSF is point-symmetric and
    its transform real.
    """
    if shape == (FULL_SIZE, FULL_SIZE):
        spectrum = _spectrum(channel, preflight_core, ORDERS, FULL_SIZE)
        return Transfer(shape, spectrum.real.astype(np.float32))
    return transfer_function(_cached_psf(channel, preflight_core), shape)


# Cut-outs of one channel differ in shape and share the PSF; keeping more than one would fill the memory.
@lru_cache(maxsize=1)
def _cached_psf(channel: int, preflight_core: bool) -> NDArray[np.float64]:
    return point_spread_function(channel, preflight_core=preflight_core)
