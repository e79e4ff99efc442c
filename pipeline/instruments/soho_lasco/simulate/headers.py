"""Headers of simulated images, with the cards of the mission's level 0.5."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

from pipeline.instruments.soho_lasco import facts, tables
from pipeline.instruments.soho_lasco.simulate import camera
from pipeline.instruments.soho_lasco.simulate.config import SimulationConfig

_NOTE: Final = "SIMULATED by Heliolake from a model of the corona; this is no observation."


def bias(config: SimulationConfig) -> float:
    """DN of a CCD pixel without light."""
    usual = tables.bias(config.detector, "C", int(facts.mjd_of(config.start)))
    return config.bias if config.bias is not None else float(usual or 0.0)


def header(config: SimulationConfig, data: NDArray[np.int32]) -> fits.Header:
    """The level-0.5 header of an image, with the cards of the mission's."""
    result = fits.Header()
    for name, value in {**_exposure(config), **_place(config), **_statistics(data)}.items():
        result[name] = value
    result["SIMULATD"] = (True, "simulated image, no observation")
    result.add_history("V15 18 Jun 1997 MAKE_FITS_HDR")
    result.add_comment(_NOTE)
    result.add_comment(f"Assumed, without a document: {camera.ASSUMED}")
    return result


def _exposure(config: SimulationConfig) -> dict[str, Any]:
    begin, seconds = config.start, config.seconds / config.exposure_factor
    middle = facts.mjd_of(begin) + 0.5 * seconds / 86400.0
    return {
        "FILENAME": config.filename,
        "FILEORIG": f"{begin:%y%m%d_%H%M%S}.img",
        "DATE": f"{begin:%Y/%m/%d %H:%M:%S}.000",
        "DATE-OBS": f"{begin:%Y/%m/%d}",
        "TIME-OBS": f"{begin:%H:%M:%S}.{begin.microsecond // 1000:03d}",
        "P1COL": 20,
        "P1ROW": 1,
        "P2COL": 1043,
        "P2ROW": 1024,
        "VERSION": 2,
        "EXPTIME": seconds,
        "TELESCOP": "SOHO",
        "INSTRUME": "LASCO",
        "DETECTOR": config.detector,
        "READPORT": "C",
        "SUMROW": 0,
        "SUMCOL": 0,
        "LEBXSUM": config.summing,
        "LEBYSUM": config.summing,
        "SHUTTR": 0,
        "LAMP": 0,
        "FILTER": config.colour,
        "POLAR": config.polariser,
        "LP_NUM": "Normal",
        "OS_NUM": 3364,
        "IMGCTR": config.number,
        "IMGSEQ": 0,
        "COMPRSSN": "X%",
        "MID_DATE": int(middle),
        "MID_TIME": round((middle % 1.0) * 86400.0, 3),
        "PLATESCL": tables.PLATE_SCALE[config.detector],
        "OFFSET": bias(config),
    }


def _place(config: SimulationConfig) -> dict[str, Any]:
    """Where the image lies on the CCD and on the sky."""
    roll = config.roll if config.flipped else 0.0
    scale = tables.PLATE_SCALE[config.detector] * config.summing
    return {
        "R1COL": 20,
        "R1ROW": 1,
        "R2COL": 1043,
        "R2ROW": 1024,
        "EFFPORT": "C",
        "RECTIFY": "TRUE",
        "CRPIX1": config.sun_centre[0] / config.summing + 1.0,
        "CRPIX2": config.sun_centre[1] / config.summing + 1.0,
        "CRVAL1": 0.0,
        "CRVAL2": 0.0,
        "CROTA1": roll,
        "CROTA2": roll,
        "CTYPE1": "SOLAR-X",
        "CTYPE2": "SOLAR-Y",
        "CUNIT1": "ARCSEC",
        "CUNIT2": "ARCSEC",
        "CDELT1": scale,
        "CDELT2": scale,
    }


def _statistics(data: NDArray[np.int32]) -> dict[str, Any]:
    return {
        "DATAMIN": float(data[data > 0].min()),
        "DATAMAX": float(data.max()),
        "DATAZER": int(np.count_nonzero(data == 0)),
    }
