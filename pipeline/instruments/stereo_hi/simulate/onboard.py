"""What the spacecraft's software does to an image: sums, bias, report, divisions, beacon (science.md §1)."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pipeline.instruments.stereo_hi.simulate import camera
from pipeline.instruments.stereo_hi.simulate.config import SimulationConfig

#: The mission's on-board programs for HI-1 and HI-2 sums (real headers), single images and beacon sums.
_PROGRAMS: Final = {
    ("HI1", "s4"): (41, 128, 31, 34, 37, 113, 121, 7, 41, 37, 120, 129, 7),
    ("HI2", "s4"): (41, 128, 31, 115, 38, 113, 121, 7, 41, 38, 120, 129, 7),
    ("HI1", "n4"): (41, 7),
    ("HI2", "n4"): (41, 7),
    ("HI1", "s7"): (41, 128, 31, 34, 37, 113, 121, 7, 41, 37, 120, 129, 7, 40, 16, 7),
    ("HI2", "s7"): (41, 128, 31, 115, 38, 113, 121, 7, 41, 38, 120, 129, 7, 40, 17, 47, 7),
}
_BUFFERS: Final = (37, 38)
#: Largest 16-bit number, where the beacon's numbers are clipped; pixels of them averaged along an axis.
WORD: Final = 65535.0
BEACON_BIN: Final = 4
#: A beacon image is undone as if 64 had been divided out of the sum over its pixels (codes 16 and 17).
_BEACON_DIVISOR: Final = 64.0
_HALVES, _ROOTS = 1, 2


def program(config: SimulationConfig) -> tuple[int, ...]:
    """The on-board codes of IP_00_19."""
    codes = _PROGRAMS[(config.detector, config.kind)]
    if config.bias_left:
        codes = tuple(code for code in codes if code not in _BUFFERS)
    return (*codes, *config.extra_codes)


def buffer_bin(config: SimulationConfig) -> int:
    """CCD pixels along an axis of a pixel of the summing buffer: a beacon image is made of a 2 × 2 sum."""
    return config.binning // BEACON_BIN if config.kind == "s7" else config.binning


def without_bias(config: SimulationConfig, total: NDArray[np.float64]) -> NDArray[np.float64]:
    """The sum without the camera's level of no light, in whole numbers.

    With `bias_left` the part stays in that the mission's ground program
    looks for: ``b − b/N`` for every CCD pixel (science.md §1, "Bias").
    """
    pixels = buffer_bin(config) ** 2
    level = config.summed * camera.BIAS * pixels
    if config.bias_left:
        level -= (camera.BIAS - camera.BIAS / config.summed) * pixels
    return np.asarray(total - (np.round(level) if config.photon_noise else level))


def step(config: SimulationConfig) -> float:
    """What one unit of the numbers sent stands for, DN of the sum over a pixel."""
    if config.kind == "s7":
        return _BEACON_DIVISOR * config.beacon_loss
    return float(1.0 / _divided(config, 1.0))


def sent(config: SimulationConfig, total: NDArray[np.float64]) -> tuple[NDArray[np.int32], NDArray[np.bool_]]:
    """The numbers sent, and where they were clipped on the way.

    A beacon image is divided until 16 bits hold it, clipped, and then averaged
    over 4 × 4 pixels: so a clipped column lifts its pixel by a quarter of what
    its neighbours miss to 65535, as in the real image of 2011-09-10.
    """
    if config.kind != "s7":
        stored = _divided(config, total)
        return np.round(stored).astype(np.int32), np.zeros(total.shape, dtype=bool)
    words = np.round(total * BEACON_BIN**2 / step(config))
    full = words >= WORD
    ny, nx = (side // BEACON_BIN for side in total.shape)
    blocks = np.minimum(words, WORD).reshape(ny, BEACON_BIN, nx, BEACON_BIN)
    clipped: NDArray[np.bool_] = np.any(full.reshape(blocks.shape), axis=(1, 3))
    return np.round(blocks.mean(axis=(1, 3))).astype(np.int32), clipped


def write_report(config: SimulationConfig, data: NDArray[np.int32], scrubbed: NDArray[np.int64]) -> None:
    """The scrubber's report: the counter, then one count per exposure, up to the last pixel."""
    if config.report == "lost":
        return
    count = config.summed
    # A report that lost its oldest entries has its counter nearer to the corner, with its own index.
    kept = count if config.report == "sound" else count - 3
    data[-1, -kept:] = scrubbed[-kept:]
    data[-1, -kept - 1] = kept


def _divided(config: SimulationConfig, total: Any) -> Any:
    """Divisions first, then roots, then halvings, as the list of codes is read on the ground."""
    codes = config.extra_codes
    for code in codes:
        total = total / 2.0 ** (code - 81) if 82 <= code <= 88 else total
    for _ in range(codes.count(_ROOTS)):
        total = np.sqrt(np.maximum(total, 0.0))
    return total / 2.0 ** codes.count(_HALVES)
