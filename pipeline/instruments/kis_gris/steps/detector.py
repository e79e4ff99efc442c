"""Steps 1 and 2: dark, flat and bad pixels."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from pipeline.errors import BadInput
from pipeline.frame import Frame
from pipeline.instruments.kis_gris import facts
from pipeline.instruments.kis_gris.calibration_file import read_image, require_shape, told
from pipeline.instruments.kis_gris.flat import Gain, gain_of
from pipeline.quality import Quality
from pipeline.step import Params, ReferenceFile, ReferenceNeed, References, step

#: Frames of the detector: states of the modulation, wavelengths, rows of both beams.
RAW: Final = ("state", "wavelength", "y")
#: Part of a flat's pixels that have to be numbers.
_FEWEST: Final = 0.5
DARK: Final = ReferenceNeed(
    "dark", "the mean dark of the day, FITS, of the detector's shape (wavelength, x)", optional=True
)


class DarkParams(Params):
    """What is known of the camera.

    Attributes
    ----------
    saturated
        [ADU] Level of a single image, dark included, at which the camera is full: pixels that reach it in
        every accumulated image are flagged. When not given, that of the dark's header (SATLEVEL); where
        neither tells, saturation is not looked for.
    """

    saturated: float | None = Field(default=None, gt=0)


class FlatParams(Params):
    """What can be chosen of the flat.

    Attributes
    ----------
    beams
        [1] Spectra above one another on the detector.
    deepest_continuum
        [1] Depth of the continuum below which something is a line.
    smooth
        [pix] Wavelengths over which the Sun's mean profile is smoothed within lines.
    """

    beams: int = 2
    deepest_continuum: float = 0.006
    smooth: int = 5


@step(
    "subtract_dark",
    version=2,
    prstep="DARK-SUBTRACTION",
    instrument="kis_gris",
    takes=("ADU",),
    needs=(DARK,),
    memory_factor=3.0,
    dims=RAW,
)
def subtract_dark(frame: Frame, params: DarkParams, references: References) -> Frame:
    """Flag what is saturated; subtract the mean dark, scaled to the number of accumulated images."""
    if "dark" not in references:
        return _flagged(frame, params.saturated, 1.0).with_caveat(
            "dark current and bias are still in the values: no dark was at hand", mode="NO-DARK"
        )
    dark = references["dark"].load(read_image)
    require_shape(dark, frame.data.shape[1:], references["dark"], frame)
    frame = _flagged(frame, params.saturated or dark.saturated, dark.images)
    images = facts.positive(frame.header, "ACCUMULA") or dark.images
    level = (dark.values * (images / dark.images)).astype(np.float32)
    return told(frame.replace(data=frame.data - level), references["dark"], simulated=dark.simulated)


def _flagged(frame: Frame, level: float | None, otherwise: float) -> Frame:
    """The frame with what is saturated flagged, and with the level; with a caveat where nobody knows one.

    Parameters
    ----------
    level
        [ADU] Of a single image.
    otherwise
        How many images were accumulated where the header does not say.
    """
    if level is None:
        return frame.with_caveat(
            "saturation was not looked for: neither subtract_dark.saturated nor SATLEVEL of the dark tells "
            "the level of the camera"
        )
    full = frame.data >= np.float32(level * (facts.positive(frame.header, "ACCUMULA") or otherwise))
    header = frame.header.copy()
    header["SATLEVEL"] = (level, "[ADU] of one image: from here on saturated")
    quality = frame.quality | np.where(full, np.uint16(Quality.SATURATED), np.uint16(0))
    return frame.replace(quality=quality, header=header)


@step(
    "flat_field",
    version=1,
    prstep="FLATFIELDING",
    instrument="kis_gris",
    takes=("ADU",),
    needs=(
        ReferenceNeed(
            "flat",
            "the mean flat of the day and region, FITS, of the detector's shape (wavelength, x), of the "
            "quiet Sun at disk centre, with its dark still in it",
            unity_allowed=True,
        ),
        DARK,
    ),
    memory_factor=4.0,
    libraries=("numpy", "scipy"),
    dims=RAW,
)
def flat_field(frame: Frame, params: FlatParams, references: References) -> Frame:
    """Divide by the flat without the Sun's spectrum; bad pixels are interpolated along the wavelength."""
    if "flat" not in references:
        return frame
    flat = references["flat"].load(read_image)
    require_shape(flat, frame.data.shape[1:], references["flat"], frame)
    found = gain(references["flat"], references.get("dark"), params)
    with np.errstate(invalid="ignore"):
        data = np.asarray(frame.data / found.gain.astype(np.float32), dtype=np.float32)
    bad = ~np.isfinite(found.gain)
    quality = np.where(bad, np.uint16(Quality.INTERPOLATED), 0).astype(np.uint16) | frame.quality
    header = frame.header.copy()
    images = facts.positive(header, "ACCUMULA") or flat.images
    header["QSCONT"] = (
        round(found.level * images / flat.images, 3),
        "[ADU] quiet Sun's continuum, by the flat",
    )
    header["NBADPIX"] = (int(bad.sum()), "pixels of the detector that were interpolated")
    made = frame.replace(data=_across(data, bad), quality=quality, header=header)
    if "dark" not in references:
        made = made.with_caveat("the flat still has its dark current: no dark was at hand", mode="NO-DARK")
    return told(made, references["flat"], simulated=flat.simulated)


@lru_cache(maxsize=4)
def gain(flat: ReferenceFile, dark: ReferenceFile | None, params: FlatParams) -> Gain:
    """The gain; the same for all frames of a scan, and made once in a process."""
    light = flat.load(read_image)
    black = dark.load(read_image) if dark is not None else None
    none = np.zeros_like(light.values)
    level = none if black is None else black.values * (light.images / black.images)
    lit = light.values - level
    known = np.isfinite(lit)
    if known.mean() < _FEWEST or not np.median(lit[known]) > 0:
        raise BadInput(
            "the flat has no light above its dark",
            file=flat.path,
            found=f"{known.mean():.0%} of its pixels are numbers, median "
            f"{np.median(lit[known]) if known.any() else np.nan:g}",
            advice="add the mean flat and dark of the day anew: heliolake context add",
        )
    return gain_of(light.values, level, params.beams, deepest=params.deepest_continuum, smooth=params.smooth)


def _across(data: NDArray[np.float32], bad: NDArray[np.bool_]) -> NDArray[np.float32]:
    """The data with bad pixels on straight lines between their neighbours along the wavelength."""
    filled = data.copy()
    at = np.arange(data.shape[1])
    for row in np.flatnonzero(bad.any(axis=0)):
        held = ~bad[:, row]
        if not held.any():
            continue
        for state in filled:
            state[~held, row] = np.interp(at[~held], at[held], state[held, row])
    return filled
