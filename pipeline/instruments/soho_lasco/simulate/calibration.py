"""Calibration files of a simulated camera, in the mission's formats, with `sim_` before its names."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

from pipeline.instruments.soho_lasco import centres, expfactor, facts, tables
from pipeline.instruments.soho_lasco.calibration_file import SIMULATED
from pipeline.instruments.soho_lasco.expfactor import Correction
from pipeline.instruments.soho_lasco.simulate import camera, headers, series
from pipeline.instruments.soho_lasco.simulate.config import SimulationConfig
from pipeline.instruments.soho_lasco.simulate.saved import write_saved
from pipeline.instruments.soho_lasco.simulate.scene import F64

_NOTE: Final = f"{SIMULATED} by Heliolake; this is no calibration of the mission"
#: The largest inverse vignetting that a file has; what is cut off more is behind the occulter.
_MOST: Final = 100.0
_BACKGROUND_SECONDS: Final = 19.1
#: Days before and behind the images that tables reach.
_REACH: Final = timedelta(days=2)


def write_calibration(folder: Path, configs: Sequence[SimulationConfig]) -> list[Path]:
    """Write all that the images of these configurations are calibrated with.

    Images of one camera have to share all that is not of one exposure: Sun's centre, roll, clock.
    """
    folder.mkdir(parents=True, exist_ok=True)
    made = []
    for detector in sorted({config.detector for config in configs}):
        of_camera = [config for config in configs if config.detector == detector]
        made += [*_images(folder, of_camera[0]), *_day_files(folder, of_camera)]
        made += [_sun_table(folder, of_camera), _optical_centre(folder, of_camera[0])]
    return [*made, _clock(folder, configs), _last_day(folder, configs)]


def _images(folder: Path, config: SimulationConfig) -> list[Path]:
    through = camera.transmission(config)
    inverse = np.where(through > 1.0 / _MOST, 1.0 / np.maximum(through, 1e-9), 0.0)
    if config.detector == "C2":
        return [_image(folder / "sim_c2vig_final.fts", inverse)]
    epoch = "pre" if facts.mjd_of(config.start) < 51000 else "post"
    light = camera.sky(config.model_copy(update={"front": None}), *_undistorted(config)).total
    background = (light + camera.stray_light(config)) * through / series.factor(config) * _BACKGROUND_SECONDS
    return [
        _image(folder / f"sim_c3vig_{epoch}int_final.fts", inverse),
        _image(folder / "sim_c3_cl_mask_lvl1.fts", camera.seen(config)),
        _image(folder / "sim_C3ramp.fts", camera.stray_light(config)),
        _image(folder / "sim_3m_clcl_all.fts", background, EXPTIME=_BACKGROUND_SECONDS),
    ]


def _undistorted(config: SimulationConfig) -> tuple[F64, F64]:
    return camera.without_distortion(config, *camera.grid())


def _image(path: Path, values: NDArray[Any], **cards: Any) -> Path:
    header = fits.Header()
    header.update(cards)
    header["SIMULATD"] = (True, "simulated, not measured")
    header.add_comment(_NOTE)
    fits.PrimaryHDU(values.astype(np.float32), header).writeto(path, overwrite=True)
    return path


def _day_files(folder: Path, configs: Sequence[SimulationConfig]) -> list[Path]:
    """Exposure corrections, one file for each day of a camera."""
    lines: dict[str, list[tuple[Correction, str, str]]] = {}
    for config in configs:
        seconds = config.seconds / config.exposure_factor
        middle = facts.mjd_of(config.start) + 0.5 * seconds / 86400.0
        one = Correction(
            file=config.filename[4:],
            factor=config.exposure_factor,
            bias=round(headers.bias(config) * config.summing**2, 1),
            mjd=int(middle),
            second=(middle % 1.0) * 86400.0,
            regions=10,
            sigma=0.00114,
        )
        day = f"{facts.date_of(one.mjd):%y%m%d}"
        lines.setdefault(day, []).append((one, config.colour, config.polariser))
    made = []
    for day, corrections in lines.items():
        path = folder / f"sim_{configs[0].detector.lower()}_expfactor_{day}.dat"
        path.write_text(expfactor.written(corrections, _NOTE), encoding="ascii")
        made.append(path)
    return made


def _sun_table(folder: Path, configs: Sequence[SimulationConfig]) -> Path:
    first, last = min(one.start for one in configs), max(one.start for one in configs)
    config = configs[0]
    tai = np.array([centres.tai_of(first - _REACH), centres.tai_of(last + _REACH)])
    columns: dict[str, NDArray[np.float64] | str] = {
        "c_tai": tai,
        "c_xmed": np.full(2, config.sun_centre[0]),
        "c_ymed": np.full(2, config.sun_centre[1]),
        "c_rmed": np.full(2, config.roll),
        SIMULATED: _NOTE,
    }
    epoch = "pre" if facts.mjd_of(config.start) < 50995 else "post"
    path = folder / f"sim_{config.detector.lower()}_{epoch}_recovery_adj_xyr_medv2.sav"
    write_saved(path, columns)
    return path


def _optical_centre(folder: Path, config: SimulationConfig) -> Path:
    x, y = tables.OPTICAL_CENTRE[config.detector]
    since = f"{config.start - _REACH:%Y/%m/%d}"
    if config.detector == "C3":
        path = folder / "sim_c3_occltr_cntr.dat"
        path.write_text(f"{_NOTE}\ndate x y\n{since} {x:.3f} {y:.3f}\n", encoding="ascii")
    else:
        path = folder / "sim_occulter_center.dat"
        path.write_text(f"{_NOTE}\n{x:7.3f} {y:7.3f} {since}     C2 {config.colour}\n\n", encoding="ascii")
    return path


def _clock(folder: Path, configs: Sequence[SimulationConfig]) -> Path:
    path = folder / "sim_c2_time_offsets.dat"
    days = {
        int(facts.mjd_of(config.start)) + step: config.clock_error for config in configs for step in (-1, 1)
    }
    rows = [f"{day} 0 0.0 0.0 {seconds:.3f}" for day, seconds in sorted(days.items())]
    path.write_text("\n".join([_NOTE, "mjd time xpos moved offset", *rows]) + "\n", encoding="ascii")
    return path


def _last_day(folder: Path, configs: Sequence[SimulationConfig]) -> Path:
    path = folder / "sim_c2_c3_last_post_recovery_day.sav"
    last = max(config.start for config in configs) + _REACH
    write_saved(path, {"last_day": f"{last:%Y/%m/%d}", SIMULATED: _NOTE})
    return path
