"""Level Q1: small images for the eye, and SDI and SCIUV composed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from pipeline.errors import BadInput
from pipeline.frame import Frame
from pipeline.instruments.aso_s_lst import facts
from pipeline.kernels.resample import AffineMap, resample
from pipeline.kernels.roll import sampled
from pipeline.quality import Quality, flagged
from pipeline.step import Params, References, gather, step

F32 = NDArray[np.float32]


class QuickLookParams(Params):
    """Parameters of the quick look.

    Attributes
    ----------
    size
        [pix] Side of the result; smaller images keep theirs.
    """

    size: int = Field(default=1024, ge=64, le=4096)


class ComposeParams(Params):
    """Parameters of the composite.

    Attributes
    ----------
    border
        [Rsun] Where the disk's image goes over into the corona's.
    occulted
        [Rsun] Up to where it does so too, if the occulter hides the corona there.
    range
        [1] Brightest over faintest value of the corona that is told apart.
    """

    border: float = Field(default=1.12, ge=1.0, le=1.5)
    occulted: float = Field(default=1.2, ge=1.0, le=1.6)
    range: float = Field(default=1000.0, gt=10)


def _size(params: QuickLookParams, shape: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(min(params.size, length) for length in shape)


def _one(params: ComposeParams, shape: tuple[int, ...]) -> tuple[int, ...]:
    return shape[1:]


@step(
    "quick_look",
    version=1,
    prstep="BINNING",
    instrument="aso_s_lst",
    memory_factor=3.0,
    libraries=("numpy", "numba"),
    output_shape=_size,
)
def quick_look(frame: Frame, params: QuickLookParams, references: References) -> Frame:
    """The whole field on fewer pixels, each the mean of what it covers."""
    shape = _size(params, frame.data.shape)
    span = frame.data.shape[1] / shape[1]
    factor = int(span)
    if span == 1.0:
        return frame
    rows, columns = (length // factor for length in frame.data.shape)
    blocks = (rows, factor, columns, factor)
    cut = (slice(rows * factor), slice(columns * factor))
    known = np.isfinite(frame.data[cut]).reshape(blocks)
    number = known.sum(axis=(1, 3))
    total = np.where(known, frame.data[cut].reshape(blocks), 0).sum(axis=(1, 3), dtype=np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        small = np.where(number > 0, total / number, np.nan).astype(np.float32)
    flags = np.bitwise_or.reduce(np.bitwise_or.reduce(frame.quality[cut].reshape(blocks), axis=3), axis=1)
    onto = AffineMap(np.eye(2) * span, np.full(2, 0.5 * (span - 1.0))).scaled_input(factor)
    data, quality = resample(small, flags, onto, (shape[0], shape[1]))
    lost = np.uint16(~(Quality.MISSING | Quality.SATURATED | Quality.COSMIC_RAY) & 0xFFFF)
    quality[flagged(quality, Quality.OUTSIDE_FIELD)] &= lost
    header = frame.header.copy()
    for axis in (1, 2):
        header[f"CRPIX{axis}"] = (frame.keyword(f"CRPIX{axis}", float) - 0.5) / span + 0.5
        header[f"CDELT{axis}"] = frame.keyword(f"CDELT{axis}", float) * span
    if "R_SUN" in header:
        header["R_SUN"] = frame.keyword("R_SUN", float) / span
    return frame.replace(data=data, quality=quality, header=header)


@gather(
    "compose",
    version=1,
    prstep="CONCATENATION",
    instrument="aso_s_lst",
    takes=(facts.RADIANCE,),
    gives="",
    memory_factor=4.0,
    libraries=("numpy", "numba"),
    output_shape=_one,
)
def compose(frames: Sequence[Frame], params: ComposeParams, references: References) -> Frame:
    """The disk of SDI within the corona of SCIUV, each on a scale of its own: a picture, from 0 to 1.

    The disk by the root of its brightness, the corona by its logarithm: no one scale shows both.
    """
    by_telescope = {facts.telescope(frame): frame for frame in frames}
    if set(by_telescope) != {"SDI", "SCIUV"} or len(frames) != 2:
        raise BadInput(
            "a composite is made of one image of SDI and one of SCIUV",
            file=frames[0].source,
            keyword="DETECTOR",
            found=", ".join(str(frame.header.get("DETECTOR")) for frame in frames),
            advice="choose observations of both",
        )
    inner, outer = by_telescope["SDI"], by_telescope["SCIUV"]
    there, here = facts.disk(inner), facts.disk(outer)
    y, x = np.indices(outer.data.shape, dtype=np.float64)
    west = np.asarray((x - here.x) / here.radius)
    north = np.asarray((y - here.y) / here.radius)
    distance = np.hypot(west, north)
    columns, rows = there.x + west * there.radius, there.y + north * there.radius
    disk = sampled(inner.data, np.asarray(columns), np.asarray(rows))
    # Behind the edge of the occulter there is no corona to be seen.
    near = (distance < params.border) | (~np.isfinite(outer.data) & (distance < params.occulted))
    picture = np.where(near, _root(disk), _logarithm(outer.data, distance, params))
    quality = outer.quality.copy()
    quality[near] = 0
    quality[~np.isfinite(picture)] |= np.uint16(Quality.OUTSIDE_FIELD)
    header = outer.header.copy()
    header["DETECTOR"] = ("SCIUV", "with the disk of SDI")
    header["COMPOSED"] = (str(inner.header.get("FILENAME", inner.source)), "image of the disk")
    header["BNAME"] = "Composite of SDI and SCIUV for the eye; no measurement"
    header["BTYPE"] = ("phot.radiance;arith.ratio;em.UV.100-200nm", "UCD 1+ of the values")
    return outer.replace(data=picture, quality=quality, header=header)


def _root(disk: F32) -> F32:
    top = float(np.nanpercentile(disk, 99.7)) if np.isfinite(disk).any() else 1.0
    return np.asarray(np.sqrt(np.clip(disk / np.float32(top), 0, 1)), dtype=np.float32)


def _logarithm(corona: F32, distance: NDArray[np.float64], params: ComposeParams) -> F32:
    seen = corona[np.isfinite(corona) & (distance > params.border)]
    top = float(np.percentile(seen, 99.8)) if seen.size else 1.0
    scaled = np.clip(corona / np.float32(top), 1.0 / params.range, 1.0)
    made = 1.0 + np.log10(scaled) / np.log10(params.range)
    return np.asarray(np.clip(made, 0.0, 1.0), dtype=np.float32)
