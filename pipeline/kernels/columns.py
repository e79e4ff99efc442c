"""Filtering along columns of 4096 pixels in Fourier space, sixteen columns at a time.

`scipy.fft` transforms one line after the other with four lanes; here sixteen
columns go through the lanes of a register together, real and imaginary parts
apart, so that every load and store is a whole cache line. Forward transform,
product with the filter and inverse transform happen while a strip of columns
is in the cache: the spectrum is read and written once. Stockham's autosorting
radix-4 algorithm (Van Loan 1992, Computational Frameworks for the Fast
Fourier Transform, §1.7) needs no bit reversal.
"""

from __future__ import annotations

from typing import Final, TypeAlias

import numpy as np
from numba import njit
from numpy.typing import NDArray

F32: TypeAlias = NDArray[np.float32]

#: The length that is compiled for: the detectors of AIA and HMI. With strides that it knows, the compiler can
#: prove that loads and stores do not overlap.
LENGTH: Final = 4096
_LANES: Final = 16
_PAIR: Final = 2 * _LANES
_ANGLES: Final = np.exp(-2j * np.pi * np.arange(LENGTH) / LENGTH)
_TWIDDLES: Final = np.stack([_ANGLES.real, _ANGLES.imag], axis=1).astype(np.float32)


@njit(error_model="numpy", nogil=True, fastmath=True, forceinline=True)
def _stage(x: F32, y: F32, twiddles: F32, m: int, groups: int) -> None:
    """One radix-4 stage from `x` to `y`; both hold rows of 16 real and 16 imaginary parts."""
    here, apart = m * _PAIR, groups * m * _PAIR
    for j in range(groups):
        w1r, w1i = twiddles[j * m, 0], twiddles[j * m, 1]
        w2r, w2i = w1r * w1r - w1i * w1i, np.float32(2.0) * w1r * w1i
        w3r, w3i = w2r * w1r - w2i * w1i, w2r * w1i + w2i * w1r
        for k in range(m):
            a = x[j * here + k * _PAIR :]
            o = y[4 * j * here + k * _PAIR :]
            for q in range(_LANES):
                p = q + _LANES
                sum_r, sum_i = a[q] + a[q + 2 * apart], a[p] + a[p + 2 * apart]
                dif_r, dif_i = a[q] - a[q + 2 * apart], a[p] - a[p + 2 * apart]
                odd_r, odd_i = a[q + apart] + a[q + 3 * apart], a[p + apart] + a[p + 3 * apart]
                # −i times the difference of the odd terms
                turn_r, turn_i = a[p + apart] - a[p + 3 * apart], a[q + 3 * apart] - a[q + apart]
                o[q], o[p] = sum_r + odd_r, sum_i + odd_i
                ur, ui = dif_r + turn_r, dif_i + turn_i
                o[q + here], o[p + here] = ur * w1r - ui * w1i, ur * w1i + ui * w1r
                ur, ui = sum_r - odd_r, sum_i - odd_i
                o[q + 2 * here], o[p + 2 * here] = ur * w2r - ui * w2i, ur * w2i + ui * w2r
                ur, ui = dif_r - turn_r, dif_i - turn_i
                o[q + 3 * here], o[p + 3 * here] = ur * w3r - ui * w3i, ur * w3i + ui * w3r


@njit(cache=True, error_model="numpy", nogil=True, fastmath=True)
def _transform(x: F32, y: F32, twiddles: F32) -> None:
    """Fourier transform along 4096 rows of `x`, in place; `y` is scratch space."""
    _stage(x, y, twiddles, 1, 1024)
    _stage(y, x, twiddles, 4, 256)
    _stage(x, y, twiddles, 16, 64)
    _stage(y, x, twiddles, 64, 16)
    _stage(x, y, twiddles, 256, 4)
    _stage(y, x, twiddles, 1024, 1)


@njit(error_model="numpy", nogil=True, forceinline=True)
def _take(source: F32, target: F32, width: int) -> None:
    for q in range(width):
        target[q], target[q + _LANES] = source[2 * q], source[2 * q + 1]


@njit(error_model="numpy", nogil=True, forceinline=True)
def _put(source: F32, target: F32, width: int) -> None:
    for q in range(width):
        target[2 * q], target[2 * q + 1] = source[q + _LANES], source[q]


@njit(error_model="numpy", nogil=True, forceinline=True)
def _multiply(row: F32, factor: F32, scale: np.float32, width: int) -> None:
    # The inverse transform is the forward one with real and imaginary parts exchanged.
    for q in range(width):
        real, imaginary, weight = row[q], row[q + _LANES], factor[q] * scale
        row[q], row[q + _LANES] = imaginary * weight, real * weight


@njit(error_model="numpy", nogil=True, forceinline=True)
def _filter_strip(
    spectrum: F32, filter_values: F32, twiddles: F32, x: F32, y: F32, left: int, width: int
) -> None:
    rows = spectrum.shape[0]
    scale = np.float32(1.0 / rows)
    for i in range(rows):
        _take(spectrum[i, 2 * left :], x[i * _PAIR :], width)
    _transform(x, y, twiddles)
    for i in range(rows):
        _multiply(x[i * _PAIR :], filter_values[i, left:], scale, width)
    _transform(x, y, twiddles)
    for i in range(rows):
        _put(x[i * _PAIR :], spectrum[i, 2 * left :], width)


@njit(cache=True, error_model="numpy", nogil=True, fastmath={"contract"})
def _filter_strips(spectrum: F32, filter_values: F32, twiddles: F32) -> None:
    rows, columns = filter_values.shape
    x = np.zeros(rows * _PAIR, np.float32)
    y = np.zeros(rows * _PAIR, np.float32)
    whole = columns - columns % _LANES
    for left in range(0, whole, _LANES):
        _filter_strip(spectrum, filter_values, twiddles, x, y, left, _LANES)
    if whole < columns:
        _filter_strip(spectrum, filter_values, twiddles, x, y, whole, columns - whole)


def filter_columns(spectrum: NDArray[np.complex64], filter_values: NDArray[np.float32]) -> None:
    """Multiply by a real filter in the Fourier space of the columns, in place.

    Parameters
    ----------
    spectrum
        complex64, shape (`LENGTH`, columns), C-contiguous.
    filter_values
        float32, same shape: real, so that it is its own adjoint.
    """
    _filter_strips(spectrum.view(np.float32), filter_values, _TWIDDLES)
