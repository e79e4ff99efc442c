"""Level 2: the slowly changing background taken away (science.md §1, "Products")."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray
from pydantic import Field

from pipeline.errors import BadInput
from pipeline.frame import Frame
from pipeline.instrument import parse_date
from pipeline.instruments.stereo_hi import tables
from pipeline.instruments.stereo_hi.background import FEW, FEWEST, fits_date
from pipeline.quality import Quality
from pipeline.step import Params, ReferenceFile, ReferenceNeed, References, step
from pipeline.uncertainty import approximate

#: What a product repeats of its background.
_COPIED: Final = ("BKGTYPE", "BKGNUM", "BKGDAYS", "BKGBIAS", "BKGCORR")


class BackgroundParams(Params):
    """What `subtract_background` asks of a background.

    Attributes
    ----------
    fewest
        Frames a background must be made of; a pixel of fewer has none.
    few
        Frames below which a pixel is of low confidence.
    """

    fewest: int = Field(default=FEWEST, ge=1)
    few: int = Field(default=FEW, ge=1)


@dataclass(frozen=True)
class Background:
    """A background as read from its file.

    Attributes
    ----------
    values
        float32, shape (y, x).
    count
        Frames that every pixel is made of, int32; `None` where the file does not tell.
    header
        Of the file.
    begins
        When the frames it is made of began, as FITS dates; empty where the file does not tell.
    caveats
        What the file says about itself.
    """

    values: NDArray[np.float32]
    count: NDArray[np.int32] | None
    header: fits.Header
    begins: frozenset[str]
    caveats: tuple[str, ...]

    @property
    def unit(self) -> str:
        """BUNIT."""
        return str(self.header.get("BUNIT", "")).strip()


@step(
    "subtract_background",
    version=2,
    prstep="SUBTRACTION",
    instrument="stereo_hi",
    takes=tables.LEVEL_1_UNITS,
    memory_factor=4.0,
    libraries=("numpy", "astropy"),
    uncertainty=approximate("that of the image; the background's own, a mean of many images, is left out"),
    needs=(
        ReferenceNeed(
            "background",
            "the mean of the lowest quarter of 1 or 11 days of level-1 images of the same camera, image type "
            "and unit",
        ),
    ),
)
def subtract_background(frame: Frame, params: BackgroundParams, references: References) -> Frame:
    """Subtract the mean of the lowest quarter of many days, which holds F-corona and stray light.

    Pixels without a background become NaN, those with one of few frames are
    of low confidence. BKGTYPE names the kind (``br01``, ``br11``), as the
    mission's level-2 file names do; BKGBIAS is what a lowest quarter of noisy
    values lies below their mean, and so what the image keeps too much of
    unless BKGCORR is T. A frame that is one of those its background was made
    of is told, not left out of it: the mission's own backgrounds hold their
    frames, and without it every frame would get a background of its own.
    """
    reference = references["background"]
    background = reference.load(read_background)
    _require_fitting(background, frame, reference)
    _require_enough(background, frame, reference, params.fewest)
    unknown = ~np.isfinite(background.values)
    scarce = np.zeros_like(unknown)
    if background.count is None:
        frame = frame.with_caveat("the background does not tell how many frames its pixels are made of")
    else:
        unknown |= background.count < params.fewest
        scarce = (background.count < params.few) & ~unknown
    data = np.where(unknown, np.float32(np.nan), frame.data - background.values)
    quality = frame.quality | np.where(unknown, np.uint16(Quality.MISSING), np.uint16(0))
    quality |= np.where(scarce, np.uint16(Quality.LOW_CONFIDENCE), np.uint16(0))
    for caveat in (*background.caveats, *_own_share(background, frame)):
        frame = frame.with_caveat(caveat)
    header = frame.header.copy()
    for name in _COPIED:
        if name in background.header:
            header[name] = (background.header[name], background.header.comments[name])
    return frame.replace(data=data, quality=quality, header=header)


def read_background(path: str) -> Background:
    """A background file as `pipeline.instruments.stereo_hi.background.reference_file` makes it."""
    with fits.open(path) as hdus:
        header = hdus[0].header.copy()
        values = np.asarray(hdus[0].data, dtype=np.float32)
        count = np.asarray(hdus["COUNT"].data, dtype=np.int32) if "COUNT" in hdus else None
        begins = frozenset(map(str, hdus["FRAMES"].data["DATE-BEG"])) if "FRAMES" in hdus else frozenset()
    told = int(header.get("NCAVEATS", 0))
    caveats = tuple(str(header[f"CAVEAT{n}"]) for n in range(1, told + 1) if f"CAVEAT{n}" in header)
    return Background(values, count, header, begins, caveats)


def _require_fitting(background: Background, frame: Frame, reference: ReferenceFile) -> None:
    unit = frame.keyword("BUNIT", str)
    if background.values.shape == frame.data.shape and background.unit == unit:
        return
    ny, nx = background.values.shape
    raise BadInput(
        f"the background {reference.did} does not belong to this image",
        file=frame.source,
        keyword="NAXIS1, NAXIS2, BUNIT",
        found=f"image {frame.data.shape[1]} × {frame.data.shape[0]} in {unit}, "
        f"background {nx} × {ny} in {background.unit}",
        advice="make a background from images of this camera, size and unit",
    )


def _require_enough(background: Background, frame: Frame, reference: ReferenceFile, fewest: int) -> None:
    number = background.header.get("BKGNUM")
    if not isinstance(number, int) or number >= fewest:
        return
    raise BadInput(
        f"the background {reference.did} is made of too few frames",
        file=frame.source,
        keyword="BKGNUM",
        found=f"{number}, and {fewest} are needed",
        advice="make one of more frames with `heliolake reduce background`; "
        "subtract_background.fewest says how many are enough",
    )


def _own_share(background: Background, frame: Frame) -> tuple[str, ...]:
    """Says whether an image is one of those its background was made of."""
    begin = parse_date(str(frame.header.get("DATE-OBS", "")))
    if begin is None or fits_date(begin) not in background.begins:
        return ()
    share = f"one of the {len(background.begins)} its background was made of"
    return (f"this image is {share}; what stands still in them was taken off with it",)
