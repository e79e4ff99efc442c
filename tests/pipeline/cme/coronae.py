"""Simulated series made in polar coordinates: the corona of LST's simulator on a polar grid, and noise."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import numpy as np
from astropy.io import fits

from pipeline.cme import Series
from pipeline.frame import Frame
from pipeline.instruments.aso_s_lst.simulate.config import Ejection
from pipeline.instruments.aso_s_lst.simulate.scene import Front, corona

BEGIN: Final = datetime(2023, 4, 15, 6, tzinfo=UTC)
#: Noise of a cell over its brightness.
NOISE: Final = 0.003
HEIGHTS: Final = np.asarray(1.15 + (np.arange(40) + 0.5) * 1.3 / 40, np.float64)
ANGLES: Final = np.asarray(2.0 + 4.0 * np.arange(90), np.float64)


def ejection(**changes: Any) -> Ejection:
    """A moderate one that leaves the limb at `BEGIN`."""
    return Ejection.model_validate({"begin": BEGIN, "brightness": 0.1, **changes})


def series(
    *ejections: Ejection,
    times: Sequence[float] = tuple(range(-1200, 3000, 60)),
    seed: int = 0,
    gain: float = 0.0,
) -> Series:
    """The corona at times, seconds after `BEGIN`; `gain`: by which part of itself the exposure varies."""
    random = np.random.default_rng(seed)
    turn = np.radians(ANGLES)[None, :]
    west, north = -np.sin(turn) * HEIGHTS[:, None], np.cos(turn) * HEIGHTS[:, None]
    values = []
    for second in times:
        places = [(one, one.height(BEGIN + timedelta(seconds=second))) for one in ejections]
        fronts = [Front(one.position_angle, one.width / 2, at, one.brightness) for one, at in places if at]
        light = corona(west, north, ejections=fronts).total
        light = light * (1.0 + random.normal(0.0, NOISE, light.shape)) * (1.0 + gain * random.normal())
        values.append(light.astype(np.float32))
    return Series(np.array(times, np.float64), HEIGHTS, ANGLES, np.stack(values))


def frames(given: Series, **cards: Any) -> list[Frame]:
    """The same as `polar_map` makes them."""
    made = []
    for second, values in zip(given.seconds, given.values, strict=True):
        header = fits.Header()
        header.update({"TELESCOP": "ASO-S", "INSTRUME": "LST", "DETECTOR": "SCIWL", "LEVEL": "2.5r"})
        header.update({"BUNIT": "MSB", "EXPTIME": 0.0, "SIMULATD": True, "ORIGIN": "a data centre"})
        header["DATE-OBS"] = (BEGIN + timedelta(seconds=second)).replace(tzinfo=None).isoformat()
        header.update({"CTYPE1": "PANGLE", "CUNIT1": "deg", "CRPIX1": 1.0, "CRVAL1": 2.0, "CDELT1": 4.0})
        header.update({"CTYPE2": "HEIGHT", "CUNIT2": "solRad", "CRPIX2": 1.0})
        header.update({"CRVAL2": float(HEIGHTS[0]), "CDELT2": 1.3 / 40})
        header.update({"HGLN_OBS": 0.0, "HGLT_OBS": -5.6, "DSUN_OBS": 1.5e11, "RSUN_REF": 6.957e8})
        header.update(cards)
        made.append(Frame.of(values, header, f"{second:g}.fits", dims=("height", "position_angle")))
    return made
