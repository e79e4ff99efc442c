"""An image in polar coordinates about the Sun: height over position angle."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray
from pydantic import Field

from pipeline.dims import Dims
from pipeline.errors import BadInput
from pipeline.frame import Frame
from pipeline.quality import NOT_MEASURED, Quality, flagged
from pipeline.step import Params, References, step

F64 = NDArray[np.float64]
#: Arcseconds of what CUNIT1 may be.
_UNITS = {"arcsec": 1.0, "arcmin": 60.0, "deg": 3600.0}
#: Share of a cell's pixels below which it has no value.
_LEAST = 0.3
#: Cards of the image's grid, which a polar map has none of.
_GRID = ("CTYPE", "CUNIT", "CRPIX", "CRVAL", "CDELT", "CNAME", "PC1_", "PC2_", "CROTA", "LONPOLE", "LATPOLE")


class PolarParams(Params):
    """Parameters of the polar map.

    Attributes
    ----------
    heights
        [Rsun] Lowest and highest place, by DETECTOR.
    rings
        Steps of height.
    angles
        Steps of position angle.
    clip
        [sigma] Pixels this far above their cell's mean are stars, planets or cosmic rays and left out.
    """

    heights: dict[str, tuple[float, float]]
    rings: int = Field(default=70, ge=10, le=500)
    angles: int = Field(default=180, ge=36, le=720)
    clip: float = Field(default=4.0, ge=2.5)


class _Sun(NamedTuple):
    """Where the Sun is in an image: pixels counted from 0, solar radii of a pixel, degrees."""

    x: float
    y: float
    across: float
    up: float
    roll: float


def _shape(params: PolarParams, shape: tuple[int, ...]) -> tuple[int, ...]:
    return params.rings, params.angles


def _dims(params: PolarParams, dims: Dims) -> Dims:
    return "height", "position_angle"


@step(
    "polar_map",
    version=1,
    prstep="SPATIAL-RESAMPLING",
    memory_factor=8.0,
    output_shape=_shape,
    output_dims=_dims,
)
def polar_map(frame: Frame, params: PolarParams, references: References) -> Frame:
    """Means over cells of height and position angle; the Sun's centre, scale and roll are the header's.

    Raises
    ------
    BadInput
        When the header does not tell them, or DETECTOR is none that `heights` names.
    """
    low, high = _heights(frame, params)
    sun = _sun(frame)
    y, x = np.ogrid[: frame.data.shape[0], : frame.data.shape[1]]
    turn = math.radians(sun.roll)
    across, up = (x - sun.x) * sun.across, (y - sun.y) * sun.up
    west = math.cos(turn) * across - math.sin(turn) * up
    north = math.sin(turn) * across + math.cos(turn) * up
    row = np.floor((np.hypot(west, north) - low) / (high - low) * params.rings)
    column = np.floor(np.degrees(np.arctan2(-west, north)) % 360.0 / 360.0 * params.angles)
    inside = (row >= 0) & (row < params.rings)
    cell = (row * params.angles + np.minimum(column, params.angles - 1))[inside].astype(np.intp)
    unusable = NOT_MEASURED | Quality.COSMIC_RAY | Quality.SATURATED
    values = np.where(flagged(frame.quality, unusable), np.nan, frame.data)[inside].astype(np.float64)
    made = _means(cell, values, params).reshape(params.rings, params.angles)
    quality = np.where(np.isfinite(made), 0, int(Quality.MISSING)).astype(np.uint16)
    return frame.replace(
        data=made, quality=quality, header=_header(frame.header, params, low, high), dims=_dims(params, ())
    )


def _heights(frame: Frame, params: PolarParams) -> tuple[float, float]:
    detector = frame.keyword("DETECTOR", str)
    low, high = params.heights.get(detector, (0.0, 0.0))
    if 0.0 < low < high:
        return low, high
    raise BadInput(
        "the recipe does not say from which height to which this coronagraph sees",
        file=frame.source,
        keyword="DETECTOR",
        found=detector,
        advice=f"polar_map.heights has {', '.join(params.heights) or 'none'}; add it, lowest first, in "
        "solar radii",
    )


def _sun(frame: Frame) -> _Sun:
    unit = str(frame.header.get("CUNIT1", "arcsec")).strip().lower()
    ctype = str(frame.header.get("CTYPE1", "")).strip().upper()
    if unit not in _UNITS or not ctype.startswith(("HPLN", "SOLAR-X", "SOLAR_X")):
        raise BadInput(
            "a polar map needs helioprojective coordinates",
            file=frame.source,
            keyword="CTYPE1, CUNIT1",
            found=f"{ctype or 'absent'}, {unit}",
            advice="correct the header: HPLN-TAN in arcsec or deg",
        )
    seen = next(
        (
            value
            for name in ("RSUN_OBS", "RSUN", "SOLAR_R")
            if (value := frame.keyword(name, float, default=0.0)) > 0
        ),
        0.0,
    )
    steps = [frame.keyword(f"CDELT{axis}", float) * _UNITS[unit] for axis in (1, 2)]
    if seen <= 0 or 0.0 in steps:
        raise BadInput(
            "the header does not tell the Sun's radius in pixels",
            file=frame.source,
            keyword="RSUN_OBS, CDELT1",
            found=f"{seen:g}, {steps[0]:g}",
            advice="add RSUN_OBS [arcsec] and CDELT1, CDELT2 to the header",
        )
    across, up = steps[0] / seen, steps[1] / seen
    roll = _roll(frame, up / across)
    # Places of the sky at the reference pixel, turned back onto the pixels' axes.
    west, north = (frame.keyword(f"CRVAL{axis}", float, default=0.0) * _UNITS[unit] / seen for axis in (1, 2))
    turn = math.radians(roll)
    x = (math.cos(turn) * west + math.sin(turn) * north) / across
    y = (-math.sin(turn) * west + math.cos(turn) * north) / up
    return _Sun(
        frame.keyword("CRPIX1", float) - 1.0 - x, frame.keyword("CRPIX2", float) - 1.0 - y, across, up, roll
    )


def _roll(frame: Frame, ratio: float) -> float:
    """Degrees from the image's vertical to solar north: of the matrix, else of CROTA2."""
    if "PC2_1" in frame.header or "PC1_1" in frame.header:
        sine = frame.keyword("PC2_1", float, default=0.0) / ratio
        return math.degrees(math.atan2(sine, frame.keyword("PC1_1", float, default=1.0)))
    for name in ("CROTA2", "CROTA", "CROTA1"):
        if name in frame.header:
            return frame.keyword(name, float)
    return 0.0


def _means(cell: NDArray[np.intp], values: F64, params: PolarParams) -> F64:
    size = params.rings * params.angles
    all_of = np.bincount(cell, minlength=size)
    held = np.isfinite(values)
    for _ in range(2):
        number, mean, scatter = _moments(cell[held], values[held], size)
        held &= np.abs(values - mean[cell]) <= params.clip * scatter[cell] + 1e-30
    number, mean, _ = _moments(cell[held], values[held], size)
    return np.where((number > 0) & (number >= _LEAST * all_of), mean, np.nan)


def _moments(cell: NDArray[np.intp], values: F64, size: int) -> tuple[NDArray[np.intp], F64, F64]:
    number = np.bincount(cell, minlength=size)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.bincount(cell, values, size) / number
        scatter = np.sqrt(np.bincount(cell, (values - mean[cell]) ** 2, size) / number)
    return number, mean, scatter


def _header(header: fits.Header, params: PolarParams, low: float, high: float) -> fits.Header:
    made = header.copy()
    for name in [name for name in made if name.startswith(_GRID)]:
        made.remove(name, ignore_missing=True, remove_all=True)
    ring, angle = (high - low) / params.rings, 360.0 / params.angles
    for axis, kind, unit, first, step_ in (
        (1, "PANGLE", "deg", 0.5 * angle, angle),
        (2, "HEIGHT", "solRad", low + 0.5 * ring, ring),
    ):
        made[f"CTYPE{axis}"] = (
            kind,
            ("position angle from north through east", "from the Sun's centre")[axis - 1],
        )
        made[f"CUNIT{axis}"] = unit
        made[f"CRPIX{axis}"] = 1.0
        made[f"CRVAL{axis}"] = first
        made[f"CDELT{axis}"] = step_
    return made
