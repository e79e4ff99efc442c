"""Level 2: the slowly changing background taken away (science.md §1, "Products")."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

from pipeline.errors import BadInput
from pipeline.frame import Frame
from pipeline.instruments.stereo_hi import tables
from pipeline.quality import Quality
from pipeline.step import Params, ReferenceNeed, References, step


class BackgroundParams(Params):
    """`subtract_background` has nothing to choose: the reference is the choice."""


class Background(NamedTuple):
    """A background as read from its file."""

    values: NDArray[np.float32]
    unit: str
    kind: str


@step(
    "subtract_background",
    version=1,
    prstep="SUBTRACTION",
    instrument="stereo_hi",
    takes=tables.LEVEL_1_UNITS,
    memory_factor=3.0,
    libraries=("numpy", "astropy"),
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

    Pixels without a background become NaN. BKGTYPE names the kind (``br01``,
    ``br11``), as the mission's level-2 file names do.
    """
    reference = references["background"]
    background = reference.load(read_background)
    unit = frame.keyword("BUNIT", str)
    if background.values.shape != frame.data.shape or background.unit != unit:
        ny, nx = background.values.shape
        raise BadInput(
            f"the background {reference.did} does not belong to this image",
            file=frame.source,
            keyword="NAXIS1, NAXIS2, BUNIT",
            found=f"image {frame.data.shape[1]} × {frame.data.shape[0]} in {unit}, "
            f"background {nx} × {ny} in {background.unit}",
            advice="make a background from images of this camera, size and unit",
        )
    data = frame.data - background.values
    unknown = ~np.isfinite(background.values)
    quality = np.where(unknown, frame.quality | np.uint16(Quality.MISSING), frame.quality)
    header = frame.header.copy()
    header["BKGTYPE"] = (background.kind, "background subtracted")
    return frame.replace(data=data, quality=quality, header=header)


def read_background(path: str) -> Background:
    """A background file as `pipeline.instruments.stereo_hi.background.reference_file` makes it."""
    with fits.open(path) as hdus:
        header = hdus[0].header
        values = np.asarray(hdus[0].data, dtype=np.float32)
    return Background(values, str(header.get("BUNIT", "")).strip(), str(header.get("BKGTYPE", "")).strip())
