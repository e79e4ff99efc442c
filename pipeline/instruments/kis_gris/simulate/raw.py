"""Simulated raw files, one for each slit position, and the calibration files that go with them."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

from pipeline.instruments.kis_gris.simulate import headers
from pipeline.instruments.kis_gris.simulate.config import SimulationConfig
from pipeline.instruments.kis_gris.simulate.detector import (
    BEAMS,
    LEVEL,
    STATES,
    Detector,
    crosstalk,
    detector,
    fringes,
)
from pipeline.instruments.kis_gris.simulate.scan import SlitFile, profiles_of
from pipeline.instruments.kis_gris.simulate.scene import Scene, quiet, scene
from pipeline.instruments.kis_gris.simulate.zeeman import F64

#: Images that dark and flat are the mean of, over those of a slit position.
_MANY: Final = 60


class RawScan(NamedTuple):
    """A simulated raw scan.

    Attributes
    ----------
    files
        Of all maps, in order of time; int32, shape (state, wavelength, rows of both beams).
    truths
        What is true of each map.
    profiles
        Stokes profiles of each map without noise, shape (stokes, wavelength, y, x): what level 1 should be.
    """

    files: list[SlitFile]
    truths: list[Scene]
    profiles: list[NDArray[np.float32]]


def simulate_raw(config: SimulationConfig) -> RawScan:
    """A raw scan; the same configuration gives the same bytes."""
    camera, found = detector(config), RawScan([], [], [])
    for number in range(1, config.maps + 1):
        truth = scene(config, number)
        profiles = profiles_of(config, truth)
        random = np.random.default_rng((config.seed, 6, number))
        for position in range(1, config.steps + 1):
            light = _seen(config, profiles[..., position - 1])
            data = _counted(config, camera, light, random)
            header = _header(config, truth, number, position)
            found.files.append(SlitFile(header["FILENAME"], header, data))
        found.truths.append(truth)
        found.profiles.append(profiles.astype(np.float32))
    return found


def _seen(config: SimulationConfig, profiles: F64) -> F64:
    """Stokes parameters at the modulator, shape (stokes, wavelength, row)."""
    mixed = np.einsum("ij,jwy->iwy", crosstalk(), profiles)
    return np.asarray(mixed + fringes(config.wavelengths, config.rows) * mixed[0])


def _counted(
    config: SimulationConfig, camera: Detector, light: F64, random: np.random.Generator
) -> NDArray[np.int32]:
    """Numbers of a slit position: sums of the accumulated images."""
    states = np.einsum("bsp,pwy->swby", camera.modulation, light)
    states = states.reshape(STATES, light.shape[1], BEAMS * config.rows)
    counts = states * camera.gain * LEVEL * config.accumulations
    if config.noise:
        counts = counts + random.normal(size=counts.shape) * np.sqrt(
            np.maximum(counts, 0.0) / electrons(config)
        )
    return np.asarray(np.rint(counts + camera.dark * config.accumulations), dtype=np.int32)


def electrons(config: SimulationConfig) -> float:
    """Electrons of a number, so that Q, U and V of the quiet continuum get the noise that was asked for.

    Of N electrons in each of the 8 beams and states a tetrahedron leaves a variance of 3 / (8 N).
    """
    return 3.0 / (8.0 * config.noise**2) / (0.5 * LEVEL * config.accumulations)


def _header(config: SimulationConfig, truth: Scene, number: int, position: int) -> fits.Header:
    header = headers.common(config, number, position, "l0p")
    header["LEVEL"], header["DATAVERS"] = "0", (0, "data version (0 means raw data)")
    header["BUNIT"] = ("ADU", "numbers of all accumulated images")
    west, north = (float(plane[:, position - 1].mean()) for plane in (truth.west, truth.north))
    header["SLITPOSX"] = (round(west, 4), "[arcsec] middle of the slit, to the west")
    header["SLITPOSY"] = (round(north, 4), "[arcsec] middle of the slit, to the north")
    header["SLITORIE"] = (config.angle, "[deg] slit from north towards east")
    header["SLITSCAL"] = (config.scale, "[arcsec] of a pixel along the slit")
    return headers.mark(header)


def write_calibration(folder: Path, config: SimulationConfig) -> list[Path]:
    """Write dark, flat, modulation matrix and atlas, as the recipe wants them; names begin with ``sim_``."""
    folder.mkdir(parents=True, exist_ok=True)
    camera, random = detector(config), np.random.default_rng((config.seed, 7))
    day, many = f"{config.start:%Y%m%d}", config.accumulations
    sun = np.tile((0.5 * quiet(config.region, config.wavelengths))[:, None], (1, BEAMS * config.rows))
    light = sun * camera.gain * LEVEL * many
    spread = np.sqrt(light / electrons(config) / (_MANY * STATES)) if config.noise else 0.0
    dark = camera.dark * many
    flat = dark + light + spread * random.normal(size=light.shape)
    cards: dict[str, Any] = {"ACCUMULA": many, "EXPTIME": headers.EXPOSURE, "WAVELENG": int(config.region)}
    return [
        _image(folder / f"sim_gris_dark_{day}.fits", dark, cards),
        _image(folder / f"sim_gris_flat_{config.region}_{day}.fits", flat, cards),
        _image(folder / f"sim_gris_modulation_{config.region}_{day}.fits", camera.modulation, cards),
        _atlas(folder / f"sim_gris_atlas_{config.region}.txt", config),
    ]


def _image(path: Path, values: NDArray[np.floating], cards: dict[str, Any]) -> Path:
    header = headers.mark(fits.Header())
    header.update(cards)
    fits.PrimaryHDU(values.astype(np.float32), header).writeto(path, overwrite=True)
    return path


def _atlas(path: Path, config: SimulationConfig) -> Path:
    """The quiet Sun's spectrum on a fine grid, wider than the files."""
    first, step, number = config.sampling
    fine = np.arange(first - 4.0, first + step * number + 4.0, 0.01)
    spectrum = quiet(config.region, fine)
    rows = [f"{wave:.4f} {value:.6f}" for wave, value in zip(fine, spectrum, strict=True)]
    path.write_text("\n".join(["# SIMULATED; wavelength in air (Angstrom), intensity", *rows]) + "\n")
    return path
