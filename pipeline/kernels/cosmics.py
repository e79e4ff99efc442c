"""Cosmic rays in a single image: pixels that stand out more sharply than optics can make them.

A hit pixel stands far above the darker of the 5 × 5 pixels about it, in terms of the noise; and in two of
four directions it stands about as far above its two neighbours as above those. Behind optics that blur a
point over two pixels and more nothing does: neighbours of a point, of a thread, of a slope share what it
has. Neighbours of a hit pixel are asked again with lower thresholds, so that faint ends of tracks go too.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from pipeline.read_only import read_only

F32 = NDArray[np.float32]


def find_cosmics(
    image: F32,
    left_out: NDArray[np.bool_],
    *,
    electrons: float,
    read_noise: float,
    sigma: float = 6.0,
    around: float = 4.0,
    sharpness: float = 0.8,
) -> NDArray[np.bool_]:
    """Where cosmic rays hit.

    Parameters
    ----------
    image
        float32, shape (ny, nx), background of no light 0; NaN does not count.
    left_out
        Pixels that are known to be wrong and are not looked at.
    electrons, read_noise
        Electrons of a number; noise of the read-out in electrons.
    sigma
        Standard deviations of the noise by which a hit pixel stands out.
    around
        The same for the neighbours of a hit pixel.
    sharpness
        Part of its height over the darker surroundings that it has over two neighbours in some direction.
    """
    hit = np.zeros(image.shape, np.bool_)
    _find(read_only(image), read_only(left_out), electrons, read_noise, sigma, sharpness, hit)
    rows, columns = np.nonzero(hit)
    faint = around, 0.85 * sharpness
    _grow(read_only(image), read_only(left_out), electrons, read_noise, *faint, rows, columns, hit)
    return hit


@njit(cache=True, nogil=True, error_model="numpy")
def _surroundings(
    image: F32, left_out: NDArray[np.bool_], hit: NDArray[np.bool_], i: int, j: int, buffer: F32
) -> float:
    """A fifth of the 5 × 5 pixels about one, itself and hit ones left out, are darker; NaN of too few."""
    number = 0
    for a in range(max(0, i - 2), min(image.shape[0], i + 3)):
        for b in range(max(0, j - 2), min(image.shape[1], j + 3)):
            if (a != i or b != j) and not left_out[a, b] and not hit[a, b] and np.isfinite(image[a, b]):
                buffer[number] = image[a, b]
                number += 1
    if number < 10:
        return np.nan
    return float(np.sort(buffer[:number])[number // 5])


@njit(cache=True, nogil=True, error_model="numpy")
def _step_down(image: F32, left_out: NDArray[np.bool_], i: int, j: int) -> float:
    """How far a pixel stands above two neighbours, in the second best of four directions; NaN of one."""
    best, second = -np.inf, -np.inf
    for di, dj in ((0, 1), (1, 0), (1, 1), (1, -1)):
        if left_out[i + di, j + dj] or left_out[i - di, j - dj]:
            continue
        down = image[i, j] - 0.5 * (image[i + di, j + dj] + image[i - di, j - dj])
        if down > best:
            best, second = down, best
        elif down > second:
            second = down
    return second if np.isfinite(second) else np.nan


@njit(cache=True, nogil=True, error_model="numpy")
def _find(
    image: F32,
    left_out: NDArray[np.bool_],
    electrons: float,
    read_noise: float,
    sigma: float,
    sharpness: float,
    hit: NDArray[np.bool_],
) -> None:
    ny, nx = image.shape
    buffer = np.empty(25, np.float32)
    none = np.zeros(image.shape, np.bool_)
    for i in range(1, ny - 1):
        for j in range(1, nx - 1):
            value = image[i, j]
            # Most pixels do not stand out of the lowest of their four neighbours; asked first, for it is
            # cheap.
            low = min(image[i, j - 1], image[i, j + 1], image[i - 1, j], image[i + 1, j])
            noise = np.sqrt(max(low, np.float32(0.0)) * electrons + read_noise * read_noise) / electrons
            if value - low < sigma * noise or left_out[i, j] or not np.isfinite(value):
                continue
            dark = _surroundings(image, left_out, none, i, j, buffer)
            noise = np.sqrt(max(dark, 0.0) * electrons + read_noise * read_noise) / electrons
            if value - dark > sigma * noise:
                down = _step_down(image, left_out, i, j)
                hit[i, j] = down > sharpness * (value - dark) and down > sigma * noise


@njit(cache=True, nogil=True, error_model="numpy")
def _grow(
    image: F32,
    left_out: NDArray[np.bool_],
    electrons: float,
    read_noise: float,
    around: float,
    sharpness: float,
    rows: NDArray[np.int64],
    columns: NDArray[np.int64],
    hit: NDArray[np.bool_],
) -> None:
    buffer = np.empty(25, np.float32)
    for p in range(rows.size):
        for i in range(max(1, rows[p] - 1), min(image.shape[0] - 1, rows[p] + 2)):
            for j in range(max(1, columns[p] - 1), min(image.shape[1] - 1, columns[p] + 2)):
                if hit[i, j] or left_out[i, j] or not np.isfinite(image[i, j]):
                    continue
                dark = _surroundings(image, left_out, hit, i, j, buffer)
                noise = np.sqrt(max(dark, 0.0) * electrons + read_noise * read_noise) / electrons
                down = _step_down(image, left_out, i, j)
                if down > around * noise and down > sharpness * (image[i, j] - dark):
                    hit[i, j] = True
