"""Calibration files of simulated telescopes: all that the recipes ask for, `sim_` before their names."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

from pipeline.instruments.aso_s_lst import facts
from pipeline.instruments.aso_s_lst.simulate import camera, headers
from pipeline.instruments.aso_s_lst.simulate.config import SimulationConfig
from pipeline.instruments.aso_s_lst.simulate.scene import scene
from pipeline.instruments.aso_s_lst.simulate.series import pupil_psf
from pipeline.psf.reference import Measured, Psf, Verdict, psf_file
from pipeline.psf.shape import profile_of_kernel, shape_of

_NOTE: Final = "SIMULATED by Heliolake; this is no calibration of the mission"
#: What a detector's two channels differ by from what its files say: gains are never known exactly.
_DRIFT: Final = 1.01
#: Part of its response that the telescope has lost at the date of the second row of its table, and days to
# it.
_LOST, _DAYS = 0.06, 365.0


def write_calibration(folder: Path, configs: Sequence[SimulationConfig]) -> list[Path]:
    """Write what images of these configurations are calibrated with; a telescope has one sensor."""
    folder.mkdir(parents=True, exist_ok=True)
    made = []
    for telescope in facts.TELESCOPES:
        own = [config for config in configs if config.telescope == telescope]
        if own:
            first = own[0]
            made += [*_patterns(folder, first), _camera(folder, first), response(folder, first)]
            made.append(alignment(folder, first))
            if first.optics.disk:
                made.append(_psf(folder, first))
    return made


def _path(folder: Path, config: SimulationConfig, kind: str) -> Path:
    return folder / f"sim_lst_{config.telescope.lower()}_{kind}_{config.start:%Y%m%d}.fits"


def _patterns(folder: Path, config: SimulationConfig) -> list[Path]:
    pattern, detector = camera.fixed(config), camera.DETECTORS[config.telescope]
    # Both channels in one file: a group of frames has one reference of a kind.
    planes: dict[str, NDArray[Any]] = {}
    for gain, channel in detector.channels.items():
        planes[f"BIAS{gain[:4]}"] = pattern.bias[gain]
        planes[f"RATE{gain[:4]}"] = pattern.dark / np.float32(channel.electrons)
    made = [_written(_path(folder, config, "dark"), planes, BUNIT="DN")]
    made.append(_written(_path(folder, config, "flat"), {"FLAT": pattern.flat}))
    made.append(_written(_path(folder, config, "bad"), {"BAD": pattern.abnormal}))
    if config.telescope == "SCIWL":
        rate = camera.stray_light(config) * np.float32(detector.rate / detector.channels["LOW"].electrons)
        made.append(_written(_path(folder, config, "stray"), {"STRAY": rate}, BUNIT="DN/s"))
    return made


def _camera(folder: Path, config: SimulationConfig) -> Path:
    cards: dict[str, Any] = {}
    for gain, channel in camera.DETECTORS[config.telescope].channels.items():
        word = gain[:4]
        cards |= {
            f"EPDN{word}": channel.electrons,
            f"READ{word}": channel.read_noise,
            f"TOP{word}": channel.top,
        }
    if "EPDNLOW" in cards:
        cards["HDRRATIO"] = cards["EPDNLOW"] / cards["EPDNHIGH"] * _DRIFT
    return _written(_path(folder, config, "camera"), {}, **cards)


def response(folder: Path, config: SimulationConfig) -> Path:
    """Level 2 of one number a second of level 1, at two dates."""
    detector = camera.DETECTORS[config.telescope]
    numbers = detector.rate / detector.channels[detector.level_1].electrons
    factor = detector.unit / numbers
    day = config.start.timestamp() / 86400.0 + 40587.0
    # So that the factor at the images' own date is the detector's.
    table = fits.BinTableHDU.from_columns(
        [
            fits.Column("MJD", "D", array=np.array([day - _DAYS, day, day + _DAYS]), unit="d"),
            fits.Column("FACTOR", "D", array=factor * np.array([1.0 - _LOST, 1.0, 1.0 / (1.0 - _LOST)])),
        ],
        name="RESPONSE",
    )
    table.header["UNIT"] = (config.optics.unit, "of level 2; FACTOR is that of 1 DN/s")
    path = _path(folder, config, "response")
    fits.HDUList([fits.PrimaryHDU(header=_header()), table]).writeto(path, overwrite=True)
    return path


def alignment(folder: Path, config: SimulationConfig) -> Path:
    """A frame of known roll and centre: the model's own, sharp, north up, in the middle."""
    upright = config.model_copy(
        update={
            "roll": 0.0,
            "header_roll": None,
            "offset": (0.0, 0.0),
            "jitter": 0.0,
            "eclipse": 0.0,
            "body": None,
            "stripes": 0.0,
            "polariser": None,
            "front": None,
        }
    )
    header = headers.header(upright, "1.5")
    header["R_SUN"] = (upright.radius, "[pixel]")
    path = _path(folder, config, "alignment")
    fits.PrimaryHDU(scene(upright), header).writeto(path, overwrite=True)
    return path


def _psf(folder: Path, config: SimulationConfig) -> Path:
    """The PSF that images are blurred with unless another is given, as if a laboratory had measured it."""
    kernel = pupil_psf(config)
    shape = shape_of(*profile_of_kernel(kernel.astype(np.float64)))
    fwhm, ee50, ee80 = (Measured(value, 0.01 * value) for value in shape[:3])
    psf = Psf(
        kernel[None],
        Verdict.LABORATORY,
        Verdict.LABORATORY,
        fwhm,
        ee50,
        ee80,
        model="aberrated pupil",
        frame=(config.size, config.size),
        simulated=True,
    )
    path = _path(folder, config, "psf")
    psf_file(psf).writeto(path, overwrite=True)
    return path


def _header(**cards: Any) -> fits.Header:
    header = fits.Header()
    header.update(cards)
    header["SIMULATD"] = (True, "simulated, not measured")
    header.add_comment(_NOTE)
    return header


def _written(path: Path, planes: dict[str, NDArray[Any]], **cards: Any) -> Path:
    units = [fits.ImageHDU(plane, name=name) for name, plane in planes.items()]
    fits.HDUList([fits.PrimaryHDU(header=_header(**cards)), *units]).writeto(path, overwrite=True)
    return path
