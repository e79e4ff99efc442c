"""Simulated frames, in memory or as FITS files, with their truth."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

from pipeline.instruments.kis_chrotel import facts, profile
from pipeline.instruments.kis_chrotel.simulate import camera, headers, scene
from pipeline.instruments.kis_chrotel.simulate.config import SimulationConfig

F32 = NDArray[np.float32]


class SimulatedFrame(NamedTuple):
    """One simulated raw frame and what is behind it.

    Attributes
    ----------
    filename
        Begins with ``sim_``; else like the telescope's.
    header
        Raw header, marked as simulated.
    data
        uint16, shape (y, x).
    centre, radius
        Of the disk in this frame, shake included; pixels counted from 0.
    field
        Large-scale pattern of filter and sky that level 2 takes out; NaN beyond the limb.
    contrast
        Brightness over the quiet Sun's, without blur; NaN beyond the limb.
    filaments
        Number of the filament at each pixel, from 1; 0 where there is none.
    velocity
        km/s away from the observer, of He I; NaN beyond the limb.
    """

    filename: str
    header: fits.Header
    data: NDArray[np.uint16]
    centre: tuple[float, float]
    radius: float
    field: F32
    contrast: F32
    filaments: NDArray[np.int32]
    velocity: F32


def simulate(config: SimulationConfig) -> SimulatedFrame:
    """A frame; the same configuration gives the same bytes."""
    random = np.random.default_rng((config.seed, config.position, int(config.begin.timestamp()), 7))
    moved = random.normal(0.0, config.shake, 2) if config.shake else np.zeros(2)
    centre = (float(config.centre[0] + moved[0]), float(config.centre[1] + moved[1]))
    west, north = camera.places(config, centre)
    contrast = scene.contrast(config.line, west, north, config.radius, config.seed, config.filaments)
    speed = scene.velocity(west, north, config.velocity)
    if config.line == "he":
        depth = scene.helium(west, north, config.radius, config.seed, config.filaments)
        contrast = contrast * profile.transmitted(config.wavelength, depth, speed)
    light = scene.course(config.line, west, north) * contrast * camera.coverage(config, centre)
    field = camera.lyot(config) * camera.sky(config)
    data = camera.read_out(config, field * camera.seen(config, light))
    disk = west**2 + north**2 <= 1.0
    labels = scene.filament_labels(west, north, scene.features(config.seed, config.filaments))
    return SimulatedFrame(
        config.filename,
        headers.header(config),
        data,
        centre,
        config.radius,
        _on(disk, field),
        _on(disk, contrast),
        np.where(disk, labels, 0).astype(np.int32),
        _on(disk, speed),
    )


def _on(disk: NDArray[np.bool_], values: NDArray[np.float64]) -> F32:
    return np.where(disk, values, np.nan).astype(np.float32)


def scan(config: SimulationConfig) -> list[SimulationConfig]:
    """The seven positions of a He I scan."""
    return [
        config.model_copy(update={"line": "he", "position": place}) for place in range(len(facts.POSITIONS))
    ]


def write(folder: Path, frame: SimulatedFrame) -> Path:
    """Write a frame as a FITS file."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / frame.filename
    fits.PrimaryHDU(frame.data, frame.header).writeto(path, overwrite=True)
    return path
