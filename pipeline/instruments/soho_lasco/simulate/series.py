"""Simulated images, in memory or as FITS files, with their truth."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

from pipeline.instruments.soho_lasco import blocks, facts, tables
from pipeline.instruments.soho_lasco.simulate import camera, headers
from pipeline.instruments.soho_lasco.simulate.config import SimulationConfig
from pipeline.instruments.soho_lasco.simulate.scene import F64, Light

#: Degrees of the polarisers.
_ANGLES: Final = {"0 Deg": 0.0, "+60 Deg": 60.0, "-60 Deg": -60.0}


class SimulatedFrame(NamedTuple):
    """One simulated level-0.5 image and what is behind it.

    Attributes
    ----------
    filename
        Begins with ``sim_``; else like the mission's.
    header
        Level-0.5 header, marked as simulated.
    data
        int32, shape (y, x), as read out.
    truth
        MSB without distortion, right side up; what level 1 should be for images that are rolled by less than
        1 degree or turned upside down.
    noise
        What photons and read-out leave in a pixel before it is resampled, one standard deviation, MSB; NaN in
        the occulter's shadow.
    """

    filename: str
    header: fits.Header
    data: NDArray[np.int32]
    truth: NDArray[np.float32]
    noise: NDArray[np.float32]


def simulate(config: SimulationConfig) -> SimulatedFrame:
    """An image; the same configuration gives the same bytes."""
    per_pixel = factor(config)
    x, y = camera.without_distortion(config, *camera.grid())
    through = camera.transmission(config)
    light = _through_polariser(config, camera.sky(config, x, y)) + camera.stray_light(config)
    counts = light * through / per_pixel * config.seconds
    numbers = _read_out(config, counts)
    data = _summed(numbers, config.summing).astype(np.int32)
    readout = facts.Readout(config.detector, (1, 1), (config.summing,) * 2, (0, 0), data.shape)
    gone = blocks.never_sent(readout)
    for row, column in config.lost_blocks:
        gone[row, column] = True
    data[blocks.pixels(gone, data.shape)] = 0
    variance = np.where(through > 0.01, counts / camera.ELECTRONS, np.nan)
    variance = variance + (camera.READ_NOISE / camera.ELECTRONS) ** 2 + 1.0 / 12.0
    with np.errstate(divide="ignore", invalid="ignore"):
        single = np.sqrt(variance) * per_pixel / config.seconds / through
    noise = np.sqrt(_summed(single**2, config.summing)) / config.summing**2
    return SimulatedFrame(
        config.filename,
        headers.header(config, data),
        data,
        _right_side_up(config, truth(config)),
        _right_side_up(config, noise.astype(np.float32)),
    )


def truth(config: SimulationConfig) -> NDArray[np.float32]:
    """Brightness without distortion on the pixels of the image, as taken."""
    light = _through_polariser(config, camera.sky(config, *camera.grid()))
    return (_summed(light, config.summing) / config.summing**2).astype(np.float32)


def factor(config: SimulationConfig) -> float:
    """MSB of one DN/s of a CCD pixel."""
    found = tables.calibration_factor(
        config.detector,
        tables.word(config.colour),
        tables.word(config.polariser),
        int(facts.mjd_of(config.start)),
    )
    if found is None:
        raise ValueError(f"{config.detector} has no factor for {config.colour} and {config.polariser}")
    return found


def _through_polariser(config: SimulationConfig, light: Light) -> F64:
    if config.polariser == "Clear":
        return light.total
    # The polariser stands on the camera, whose columns point as far to the east of north as it is rolled.
    angle = np.radians(2.0 * (_ANGLES[config.polariser] + config.roll))
    return np.asarray(0.5 * (light.total + light.q * np.cos(angle) + light.u * np.sin(angle)))


def _read_out(config: SimulationConfig, counts: F64) -> F64:
    """Numbers of the 14-bit converter."""
    electrons = counts * camera.ELECTRONS
    if config.noise:
        random = np.random.default_rng((config.seed, config.number, int(facts.mjd_of(config.start))))
        electrons = random.normal(electrons, np.sqrt(np.maximum(electrons, 0.0)))
        electrons = electrons + random.normal(0.0, camera.READ_NOISE, electrons.shape)
    numbers = np.rint(electrons / camera.ELECTRONS + headers.bias(config))
    return np.asarray(np.clip(numbers, 0.0, tables.LARGEST_NUMBER))


def _summed(values: NDArray[Any], number: int) -> NDArray[Any]:
    side = values.shape[0] // number
    made: NDArray[Any] = values.reshape(side, number, side, number).sum(axis=(1, 3))
    return made


def _right_side_up(config: SimulationConfig, image: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.ascontiguousarray(image[::-1, ::-1]) if config.flipped else image


def write(folder: Path, frame: SimulatedFrame) -> Path:
    """Write an image as a FITS file."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / frame.filename
    fits.PrimaryHDU(frame.data, frame.header).writeto(path, overwrite=True)
    return path
