"""From the sky to the numbers a spacecraft sends: the camera, its software and the telemetry.

Everything happens in the orientation of the CCD, as it does in flight; that
a stored image may be turned is left to the end.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import median_filter

from pipeline.instruments.stereo_hi import facts, telemetry
from pipeline.instruments.stereo_hi.simulate.config import SimulationConfig
from pipeline.instruments.stereo_hi.steps.onboard import division_factor, halving_factor
from pipeline.kernels.desmear import smear
from pipeline.quality import Quality

#: DN of one exposure at which a CCD pixel is full, a little above the 14000 that count as saturated.
FULL_WELL: Final = 15000.0
CLEARTIM: Final = 0.544247984886
RO_DELAY: Final = 0.0237600002438
BIAS: Final = 684.844
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
#: Clip of the 16-bit numbers a beacon image is binned from, and columns binned into one.
_WORD, _BEACON_BIN = 65535.0, 4


@dataclass(frozen=True)
class Exposed:
    """An image as the ground receives it, and what of it is no measurement of the sky.

    Attributes
    ----------
    data
        Level-0 numbers, int32, shape (y, x), in the orientation of the file.
    flags
        `Quality` bits of what was done to single pixels, uint16, same shape.
    scrubbed
        Counts of the cosmic-ray report, one per exposure.
    """

    data: NDArray[np.int32]
    flags: NDArray[np.uint16]
    scrubbed: NDArray[np.int64]


def program(config: SimulationConfig) -> tuple[int, ...]:
    """The on-board codes of IP_00_19."""
    codes = _PROGRAMS[(config.detector, config.kind)]
    if config.bias_left:
        codes = tuple(code for code in codes if code not in _BUFFERS)
    return (*codes, *config.extra_codes)


def diagonal(config: SimulationConfig) -> float:
    """Seconds a line collects light at rest in all exposures together."""
    return config.summed * (config.exposure + facts.ESTIMATED_CLEAR - CLEARTIM + RO_DELAY)


def expose(config: SimulationConfig, truth: NDArray[np.float32], frame: int) -> Exposed:
    """The level-0 image of one frame.

    Parameters
    ----------
    config
        What the camera and its software do.
    truth
        DN/s per CCD pixel, north up, shape (y, x).
    frame
        Number of the frame; selects its random numbers.
    """
    rng = np.random.default_rng([config.seed, 3, frame])
    flags = np.zeros(truth.shape, dtype=np.uint16)
    sky = truth[::-1, ::-1] if config.turned else truth
    weight = config.summed * config.binning
    signal = smear(
        np.ascontiguousarray(sky, dtype=np.float64) * config.binning**2,
        diagonal(config),
        weight * config.line_readout,
        weight * config.line_clear,
    )
    if config.photon_noise:
        signal += np.sqrt(signal / config.electrons_per_dn) * rng.standard_normal(signal.shape)
    _add_hits(config, signal, flags, rng)
    filled = _saturate(config, signal, flags)
    if config.bias_left:
        signal += (BIAS - BIAS / config.summed) * config.binning**2
    scrubbed = rng.poisson(config.scrubbed, config.summed)
    if config.kind == "s4":
        _write_report(config, signal, flags, scrubbed)
    data = _processed(config, signal, filled)
    flags[data >= _WORD] |= np.uint16(Quality.SATURATED if config.kind == "s7" else 0)
    _lose_telemetry(config, data, flags)
    if config.turned and config.rectified:
        data, flags = data[::-1, ::-1], flags[::-1, ::-1]
    # Flags are those of the product, which is always stored north up.
    if config.turned and not config.rectified:
        flags = flags[::-1, ::-1]
    return Exposed(np.ascontiguousarray(data), np.ascontiguousarray(flags), scrubbed)


def photon_noise(config: SimulationConfig, truth: NDArray[np.float32]) -> NDArray[np.float32]:
    """Standard deviation that counting photons leaves in a calibrated image.

    Parameters
    ----------
    config
        Of the series.
    truth
        DN/s per CCD pixel, north up.

    Returns
    -------
    numpy.ndarray
        DN/s per CCD pixel, float32.
    """
    weight = config.summed * config.binning
    sky = truth[::-1, ::-1] if config.turned else truth
    readout, clear = weight * config.line_readout, weight * config.line_clear
    signal = smear(np.ascontiguousarray(sky) * config.binning**2, diagonal(config), readout, clear)
    signal = signal[::-1, ::-1] if config.turned else signal
    sigma = np.sqrt(signal / config.electrons_per_dn) / (diagonal(config) * config.binning**2)
    return np.asarray(sigma, dtype=np.float32)


def _add_hits(
    config: SimulationConfig,
    signal: NDArray[np.float64],
    flags: NDArray[np.uint16],
    rng: np.random.Generator,
) -> None:
    """Cosmic rays the scrubber did not see: short tracks, not smeared because they take no time."""
    number = int(rng.poisson(config.cosmic_rays))
    ny, nx = signal.shape
    x, y = rng.integers(0, nx, number), rng.integers(0, ny - 3, number)
    charge = rng.exponential(2000.0, number) + 300.0
    for length in range(3):
        long_enough = rng.random(number) < 0.6**length
        np.add.at(signal, (y[long_enough] + length, x[long_enough]), charge[long_enough])
        flags[y[long_enough] + length, x[long_enough]] |= np.uint16(Quality.COSMIC_RAY)


def _saturate(
    config: SimulationConfig, signal: NDArray[np.float64], flags: NDArray[np.uint16]
) -> NDArray[np.bool_]:
    """Charge beyond the full well runs along the column until it finds room; where it stays full."""
    if config.kind == "s7":  # one CCD column among eight is full long before the pixel is
        full = median_filter(signal, size=(1, 9)) + FULL_WELL * config.summed * config.binning
    else:
        full = np.full_like(signal, FULL_WELL * config.summed * config.binning**2)
    spilling = np.flatnonzero((signal > full).any(axis=0))
    filled = np.zeros(signal.shape, dtype=bool)
    for column in spilling:
        line, limit = signal[:, column], full[:, column]
        over = np.flatnonzero(line > limit)
        spilled = float((line[over] - limit[over]).sum())
        room = np.maximum(limit - line, 0.0)
        order = np.argsort(np.abs(np.arange(line.size) - over.mean()), kind="stable")
        before = np.cumsum(room[order]) - room[order]
        line[order] += np.clip(spilled - before, 0.0, room[order])
        np.minimum(line, limit, out=line)
        filled[:, column] = line >= 0.95 * limit
        lost = slice(None) if np.count_nonzero(filled[:, column]) > 5 else filled[:, column]
        flags[lost, column] |= np.uint16(Quality.SATURATED)
    return filled


def _processed(
    config: SimulationConfig, signal: NDArray[np.float64], filled: NDArray[np.bool_]
) -> NDArray[np.int32]:
    """What the on-board software makes of the numbers: divisions, roots, whole numbers."""
    codes = list(program(config))
    stored = signal / division_factor(codes, summed=True)
    roots = codes.count(2)
    if roots:
        stored = np.maximum(stored, 0.0) ** (0.5**roots)
    stored = stored / halving_factor(codes, undone=False)
    if config.kind == "s7":
        stored = np.minimum(stored / config.beacon_loss, _WORD)
        sky = median_filter(stored, size=(1, 9))
        stored = np.where(filled, sky + (_WORD - sky) / _BEACON_BIN, stored)
    return np.round(stored).astype(np.int32)


def _write_report(
    config: SimulationConfig,
    signal: NDArray[np.float64],
    flags: NDArray[np.uint16],
    scrubbed: NDArray[np.int64],
) -> None:
    """The scrubber's report: the counter, then one count per exposure, up to the last pixel."""
    count = config.summed
    flags[-1, -count - 1 :] |= np.uint16(Quality.INTERPOLATED)
    if config.report == "lost":
        return
    # A report that lost its oldest entries has its counter nearer to the corner, with its own index.
    kept = count if config.report == "sound" else count - 3
    signal[-1, -kept:] = scrubbed[-kept:]
    signal[-1, -kept - 1] = kept


def _lose_telemetry(config: SimulationConfig, data: NDArray[np.int32], flags: NDArray[np.uint16]) -> None:
    if config.missing_blocks:
        ny, nx = data.shape
        boxes = telemetry.boxes(
            list(config.missing_blocks), config.compression, (ny, nx), summing=config.binning
        )
        for x0, y0, x1, y1 in boxes:
            here = (slice(max(y0, 0), y1), slice(max(x0, 0), x1))
            data[here] = 0
            flags[here] |= np.uint16(Quality.MISSING)
    if config.half_sent:
        data[:, : data.shape[1] // 2] = 0
        flags[:, : data.shape[1] // 2] |= np.uint16(Quality.MISSING)
