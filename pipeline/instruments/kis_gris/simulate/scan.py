"""Simulated level-1 files, one for each slit position, with the truth of each map."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

from pipeline.instruments.kis_gris.simulate import headers
from pipeline.instruments.kis_gris.simulate.config import SimulationConfig
from pipeline.instruments.kis_gris.simulate.forward import stokes
from pipeline.instruments.kis_gris.simulate.scene import Scene, opacities, scene, veil
from pipeline.instruments.kis_gris.simulate.zeeman import F64


class SlitFile(NamedTuple):
    """One file: its name, its header, and what it holds."""

    filename: str
    header: fits.Header
    data: NDArray[np.generic]


class Scan(NamedTuple):
    """A simulated scan.

    Attributes
    ----------
    files
        Of all maps, in order of time; float32, shape (stokes, wavelength, y, 1).
    truths
        What is true of each map, shape (y, x).
    profiles
        Of each map without noise: float32, shape (stokes, wavelength, y, x).
    """

    files: list[SlitFile]
    truths: list[Scene]
    profiles: list[NDArray[np.float32]]


def profiles_of(config: SimulationConfig, truth: Scene) -> F64:
    """Stokes profiles of all pixels of a map, shape (stokes, wavelength, y, x)."""
    lines, through = opacities(config.region), veil(config.region, config.wavelengths)[:, None]
    made = np.empty((4, config.wavelengths.size, *truth.west.shape))
    for column in range(truth.west.shape[1]):
        slit = type(truth.atmosphere)(*(one[:, column] for one in truth.atmosphere))
        made[..., column] = stokes(config.wavelengths, slit, lines) * through
    return made


def simulate(config: SimulationConfig) -> Scan:
    """A scan; the same configuration gives the same bytes."""
    found = Scan([], [], [])
    for number in range(1, config.maps + 1):
        truth = scene(config, number)
        profiles = profiles_of(config, truth)
        random = np.random.default_rng((config.seed, 5, number))
        for position in range(1, config.steps + 1):
            slit = profiles[..., position - 1 : position]
            # Modulated, I has less noise than the others have.
            spread = config.noise * np.array([1 / np.sqrt(3), 1.0, 1.0, 1.0])[:, None, None, None]
            noisy = slit + spread * random.normal(size=slit.shape)
            header = headers.level_1(config, truth, number, position)
            found.files.append(SlitFile(header["FILENAME"], header, noisy.astype(np.float32)))
        found.truths.append(truth)
        found.profiles.append(profiles.astype(np.float32))
    return found


def write(folder: Path, files: Sequence[SlitFile]) -> list[Path]:
    """Write files as FITS."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for one in files:
        path = folder / one.filename
        fits.PrimaryHDU(one.data, one.header).writeto(path, overwrite=True)
        paths.append(path)
    return paths


def write_truth(folder: Path, config: SimulationConfig, scan: Scan) -> list[Path]:
    """Write what is true of each map beside its files: a FITS file of named planes."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    units = {"field": "G", "inclination": "deg", "azimuth": "deg", "velocity": "km/s"}
    for number, truth in enumerate(scan.truths, start=1):
        planes = [fits.PrimaryHDU(header=headers.mark(fits.Header()))]
        for name, plane in truth.atmosphere._asdict().items():
            planes.append(fits.ImageHDU(plane.astype(np.float32), name=name))
            planes[-1].header["BUNIT"] = units.get(name, "")
        path = folder / f"sim_gris_{config.start:%Y%m%d}_{config.run:03d}_{number:02d}_truth.fits"
        fits.HDUList(planes).writeto(path, overwrite=True)
        paths.append(path)
    return paths
