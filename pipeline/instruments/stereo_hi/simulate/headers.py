"""Headers of simulated images: real ones, with the simulated facts put in."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import lru_cache
from importlib import resources
from typing import Any, Final

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

from pipeline.instruments.stereo_hi import tables
from pipeline.instruments.stereo_hi.simulate import camera, detector, geometry, onboard, telemetry
from pipeline.instruments.stereo_hi.simulate.config import SimulationConfig

_TEMPLATES: Final = {
    ("HI1", "s4"): "hi1a_s4.header",
    ("HI2", "s4"): "hi2a_s4.header",
    ("HI1", "n4"): "hi1a_s4.header",
    ("HI2", "n4"): "hi2a_s4.header",
    ("HI1", "s7"): "hi2a_s7.header",
    ("HI2", "s7"): "hi2a_s7.header",
}
#: From the first to the last exposure of a sum, as in the mission's headers (science.md §1, "Beacon dates").
_SPANS: Final = {30: timedelta(minutes=29, seconds=40), 99: timedelta(hours=1, minutes=38, seconds=50)}
_PERCENTILES: Final = (1, 10, 25, 50, 75, 90, 95, 98, 99)
_NOTE: Final = "SIMULATED by Heliolake from a model of the sky; this is no observation."


def file_name(config: SimulationConfig, frame: int) -> str:
    """Name of a simulated file: like the mission's, with `sim_` before it."""
    number = config.detector[-1]
    return f"sim_{begin(config, frame):%Y%m%d_%H%M%S}_{config.kind}h{number}{config.spacecraft}.fts"


def begin(config: SimulationConfig, frame: int) -> datetime:
    """When the first exposure of a frame begins."""
    return config.start + timedelta(minutes=config.cadence * frame)


def header(config: SimulationConfig, frame: int, exposed: detector.Exposed) -> fits.Header:
    """The level-0 header of one frame."""
    result = template(config).copy()
    for cards in (
        _identity(config, frame),
        _dates(config, frame),
        _camera(config),
        _coordinates(config),
        _statistics(config, exposed),
    ):
        for name, value in cards.items():
            result[name] = value
    result["SIMULATD"] = (True, "simulated image, no observation")
    result.add_comment(_NOTE)
    result.add_comment(f"Assumed, without a document: {camera.ASSUMED}")
    return result


def template(config: SimulationConfig) -> fits.Header:
    """The real header that one of this camera is made from; not to be changed."""
    return _template(_TEMPLATES[(config.detector, config.kind)])


@lru_cache(maxsize=4)
def _template(name: str) -> fits.Header:
    text = (resources.files("pipeline.instruments.stereo_hi") / "resources" / name).read_text(
        encoding="ascii"
    )
    return fits.Header.fromstring("\n".join(line.ljust(80) for line in text.splitlines()), sep="\n")


def _identity(config: SimulationConfig, frame: int) -> dict[str, Any]:
    return {
        "NAXIS1": config.pixels,
        "NAXIS2": config.pixels,
        "DETECTOR": config.detector,
        "OBSRVTRY": f"STEREO_{config.spacecraft}",
        "OBJECT": "SIMULATED",
        "ORIGIN": "Heliolake simulator",
        "FILENAME": file_name(config, frame),
        "FILEORIG": "none",
        "IMGCTR": frame,
    }


def _dates(config: SimulationConfig, frame: int) -> dict[str, Any]:
    """Beacon headers speak of the last exposure only, as the real ones do."""
    first = begin(config, frame)
    last_for = timedelta(seconds=config.exposure)
    single = config.summed == 1
    span = last_for if single else _SPANS.get(config.summed, last_for * config.summed)
    end = first + span
    if config.kind == "s7":
        first = end - last_for
    return {
        "DATE-OBS": _stamp(first),
        "DATE-CMD": _stamp(first),
        "DATE-AVG": _stamp(first + (end - first) / 2),
        "DATE-END": _stamp(end),
        "DATE": _stamp(end),
        "DATE-CLR": _stamp(end - last_for - timedelta(seconds=0.71)),
        "DATE-RO": _stamp(end),
    }


def _camera(config: SimulationConfig) -> dict[str, Any]:
    power = float(np.log2(config.binning) + 1)
    beacon = config.kind == "s7"
    number = 1 if beacon else config.summed
    size = config.pixels
    codes = onboard.program(config)
    # Columns and rows of the CCD that the whole field has as read out, and turned by 180° (secchi_rectify).
    place = (79, 2126, 129, 2176) if config.turned and config.rectified else (51, 2098, 1, 2048)
    return {
        "EXPTIME": config.exposure * number,
        "N_IMAGES": number,
        "IMGSEQ": config.summed - 1,
        "SUMMED": power,
        "IPSUM": power,
        "CCDSUM": 1.0,
        "DSTART1": 1,
        "DSTOP1": size,
        "DSTART2": 1,
        "DSTOP2": size,
        **dict(zip(("R1COL", "R2COL", "R1ROW", "R2ROW"), place, strict=True)),
        "RECTIFY": config.rectified,
        "RECTROTA": 2 if config.turned and config.rectified else 0,
        "CLEARTIM": camera.CLEARTIM,
        "RO_DELAY": camera.RO_DELAY,
        "LINE_CLR": config.line_clear,
        "LINE_RO": config.line_readout,
        "BIASMEAN": camera.BIAS,
        "OFFSETCR": camera.BIAS if config.kind == "s4" and not config.bias_left else 0.0,
        "COMPRSSN": config.compression,
        "NMISSING": float(len(config.missing_blocks)),
        "MISSLIST": telemetry.miss_list(config.missing_blocks),
        "IP_00_19": "".join(f"{code:3d}" for code in (*codes, *(0,) * (20 - len(codes)))),
        "DIV2CORR": False,
        "BLANK": 0,
    }


def _coordinates(config: SimulationConfig) -> dict[str, Any]:
    """Both coordinate systems of the calibrated mounting, for the attitude of the template, rolled or not."""
    cards: dict[str, Any] = {}
    flip = -1.0 if config.turned and not config.rectified else 1.0
    for suffix, roll in (("", "SC_ROLL"), ("A", "SC_ROLLA")):
        cards[roll] = float(template(config)[roll]) + (180.0 if config.rolled else 0.0)
        found = geometry.attitude_of(config, template(config), suffix)
        for name, value in found.coordinates(suffix).items():
            scaled = config.binning if name.startswith("CDELT") else flip if name.startswith("PC") else 1.0
            cards[name] = scaled * value
        cards[f"CRPIX1{suffix}"] = cards[f"CRPIX2{suffix}"] = (config.pixels + 1) / 2.0
        if not suffix:
            cards["CROTA"] = found.roll()
    cards["XCEN"], cards["YCEN"] = cards["CRVAL1"], cards["CRVAL2"]
    mounting = tables.MOUNTINGS[(config.detector, config.spacecraft)]
    cards["INS_X0"], cards["INS_Y0"], cards["INS_R0"] = -mounting.offset, mounting.pitch, -mounting.roll
    return cards


def _statistics(config: SimulationConfig, exposed: detector.Exposed) -> dict[str, Any]:
    data: NDArray[np.int32] = exposed.data
    limit = int(14000 * (1 if config.kind == "s7" else config.summed) * config.binning**2)
    used = data[(data > 0) & (data < limit)]
    used = used if used.size else np.zeros(1, dtype=np.int32)
    cards: dict[str, Any] = {
        "DATAMIN": float(used.min()),
        "DATAMAX": float(data.max()),
        "DATAZER": int(np.count_nonzero(data == 0)),
        "DATASAT": int(np.count_nonzero(data >= limit)),
        "DSATVAL": limit,
        "DATAAVG": float(used.mean()),
        "DATASIG": float(used.std()),
        "COSMICS": float(exposed.scrubbed.mean()) if config.kind == "s4" else 0.0,
    }
    # A ninth of the pixels is plenty for header percentiles and costs a ninth of the sorting.
    values = np.percentile(used[::9], _PERCENTILES)
    cards.update({f"DATAP{p:02d}": round(v) for p, v in zip(_PERCENTILES, values, strict=True)})
    return cards


def _stamp(date: datetime) -> str:
    return date.replace(tzinfo=None).isoformat(timespec="milliseconds")
