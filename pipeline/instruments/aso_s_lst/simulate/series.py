"""Simulated images, in memory or as FITS files, with their truth."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

from pipeline.instruments.aso_s_lst.facts import Disk
from pipeline.instruments.aso_s_lst.simulate import camera, headers
from pipeline.instruments.aso_s_lst.simulate.config import SimulationConfig
from pipeline.instruments.aso_s_lst.simulate.optics import Pupil, blurred, physical_psf
from pipeline.instruments.aso_s_lst.simulate.scene import scene as modelled
from pipeline.quality import Quality

F32 = NDArray[np.float32]


class SimulatedFrame(NamedTuple):
    """One simulated image and what is behind it.

    Attributes
    ----------
    filename
        Begins with ``sim_``.
    header
        Marked as simulated.
    data
        Shape (y, x): uint16 as read out, or float32 of level 1 (`observed`).
    truth
        The scene with perfect optics, in numbers of level 1.
    blurred
        The same behind the optics, without noise.
    noise
        One standard deviation of level 1.
    flags
        `Quality` bits of hot and dead pixels, cosmic rays and lost rows.
    psf
        What it was blurred by.
    disk
        Where the Sun's disk lies; pixels counted from 0.
    """

    filename: str
    header: fits.Header
    data: NDArray[Any]
    truth: F32
    blurred: F32
    noise: F32
    flags: NDArray[np.uint16]
    psf: F32
    disk: Disk


def simulate(config: SimulationConfig, *, psf: F32 | None = None, scene: F32 | None = None) -> SimulatedFrame:
    """A raw image; the same configuration gives the same bytes.

    Parameters
    ----------
    config
        The exposure. The other channel of it: the same with another `gain`.
    psf
        Of odd sides, its sum 1; that of the configuration's pupil when empty.
    scene
        As `scene` or `scene_of_image` makes it; that of the configuration when empty.
    """
    truth, light, kernel = _light(config, psf, scene)
    exposure = camera.exposed(config, light)
    flags = camera.fixed(config).abnormal.copy()
    flags[exposure.cosmic] |= np.uint16(Quality.COSMIC_RAY)
    if config.lost_rows is not None:
        flags[slice(*config.lost_rows)] |= np.uint16(Quality.MISSING)
    data = camera.read_out(config, exposure.electrons)
    return _frame(config, "0.0", data, truth, light, flags, kernel)


def observed(config: SimulationConfig, *, psf: F32 | None = None, scene: F32 | None = None) -> SimulatedFrame:
    """An image of level 1 with photon and read-out noise alone: no dark, flat, cosmic ray, hot or dead pixel.

    Parameters
    ----------
    config, psf, scene
        As for `simulate`.
    """
    truth, light, kernel = _light(config, psf, scene)
    numbers = np.float32(camera.numbers_of(config))
    data = light * camera.striped(config) * numbers
    if config.noise:
        data = data + camera.level_1_noise(config, light) * config.random(4).standard_normal(
            data.shape, np.float32
        )
    flags = np.zeros(data.shape, np.uint16)
    return _frame(config, "1.0", data.astype(np.float32), truth, light, flags, kernel)


def _light(config: SimulationConfig, psf: F32 | None, scene: F32 | None) -> tuple[F32, F32, F32]:
    truth = modelled(config) if scene is None else scene
    kernel = pupil_psf(config) if psf is None else psf
    return truth, blurred(truth, kernel), kernel


def pupil_psf(config: SimulationConfig, size: int = 129) -> F32:
    """The point spread function of a configuration's own pupil."""
    return physical_psf(
        Pupil(blur=config.blur, aberration=config.aberration, wings=config.wings, seed=config.seed + 7), size
    )


def _frame(
    config: SimulationConfig,
    level: str,
    data: NDArray[Any],
    truth: F32,
    light: F32,
    flags: NDArray[np.uint16],
    psf: F32,
) -> SimulatedFrame:
    numbers = np.float32(camera.numbers_of(config))
    return SimulatedFrame(
        config.filename,
        headers.header(config, level),
        data,
        truth * numbers,
        light * numbers,
        camera.level_1_noise(config, light),
        flags,
        psf,
        config.disk,
    )


def write(folder: Path, frame: SimulatedFrame) -> Path:
    """Write an image as a FITS file."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / frame.filename
    fits.PrimaryHDU(frame.data, frame.header).writeto(path, overwrite=True)
    return path
