"""Maps put in their place on an image of the whole disk, where there is one."""

from __future__ import annotations

from datetime import datetime

import numpy as np
from pydantic import Field

from pipeline.errors import BadInput
from pipeline.frame import Frame
from pipeline.instruments.kis_gris import context, facts, quicklook
from pipeline.instruments.kis_gris.noise import continuum_mask
from pipeline.step import Params, ReferenceNeed, References, step


class ContextParams(Params):
    """What is taken for the same place.

    Attributes
    ----------
    apart
        [min] Between map and image, at most.
    most
        [arcsec] Largest error of the map's coordinates that is looked for.
    clear
        [1] Height of the correlation's peak over its scatter, below which coordinates stay as they are.
    correlation
        [1] Of map and image, below which coordinates stay as they are.
    """

    apart: float = Field(default=30.0, gt=0)
    most: float = Field(default=30.0, gt=0, le=300)
    clear: float = Field(default=6.0, gt=0)
    correlation: float = Field(default=0.3, ge=0, le=1)


@step(
    "align_context",
    version=1,
    prstep="POINTING-CORRECTION",
    instrument="kis_gris",
    needs=(
        ReferenceNeed(
            "context_image",
            "an image of the whole disk in the continuum about the time of the map, as HMI takes it",
            optional=True,
        ),
    ),
    memory_factor=2.0,
    libraries=("numpy", "scipy"),
    dims=("stokes", "wavelength", "y", "x"),
)
def align_context(frame: Frame, params: ContextParams, references: References) -> Frame:
    """Shift a map's coordinates to where its continuum lies on a context image; none, and nothing is done.

    Raises
    ------
    BadInput
        When the image is of another time, or does not cover the map.
    """
    if "context_image" not in references:
        return frame
    reference = references["context_image"]
    image = reference.load(context.read_context)
    when = _middle(frame)
    apart = abs((image.taken - when).total_seconds()) / 60.0
    if apart > params.apart:
        raise BadInput(
            f"the context image {reference.did} is {apart:.0f} minutes from the map, "
            f"more than {params.apart:g}",
            file=frame.source,
            keyword="DATE-BEG",
            found=str(frame.header.get("DATE-BEG")),
            advice="add an image of the map's time to the context, take this one out, or say a larger apart",
        )
    found = context.found(_continuum(frame), context.plane_of(frame.header), when, image, params.most)
    if found is None:
        raise BadInput(
            f"the context image {reference.did} does not cover the map",
            file=frame.source,
            keyword="CRVAL1, CRVAL2",
            found=f"{frame.header.get('CRVAL1')}, {frame.header.get('CRVAL2')}",
            advice="give an image of the whole disk, or take this one out of the context",
        )
    header = frame.header.copy()
    sure = found.clearness >= params.clear and found.correlation >= params.correlation
    header["CTXFILE"] = (reference.did.rpartition(":")[2], "context image")
    header["CTXAPART"] = (round(apart, 2), "[min] between map and context image")
    header["CTXSHX"] = (round(found.west, 3), "[arcsec] to the west, added to CRVAL1 if used")
    header["CTXSHY"] = (round(found.north, 3), "[arcsec] to the north, added to CRVAL2 if used")
    header["CTXCORR"] = (round(found.correlation, 4), "correlation with the context image")
    header["CTXCLEAR"] = (round(found.clearness, 2), "peak over scatter of the correlation")
    header["CTXUSED"] = (sure, "whether the coordinates were shifted")
    if sure:
        header["CRVAL1"] = round(float(header["CRVAL1"]) + found.west, 6)
        header["CRVAL2"] = round(float(header["CRVAL2"]) + found.north, 6)
    if image.simulated:
        header["SIMULATD"] = (True, "made from a model, or with references that are")
    made = frame.replace(header=header)
    if sure:
        return made
    return made.with_caveat(
        f"align_context: the map is not clearly found in the context image (peak {found.clearness:.1f}, "
        f"correlation {found.correlation:.2f}); its coordinates are those of the telescope"
    )


def _middle(frame: Frame) -> datetime:
    """The middle of a map's time."""
    begin = datetime.fromisoformat(frame.keyword("DATE-BEG", str))
    end = datetime.fromisoformat(str(frame.header.get("DATE-END", frame.header["DATE-BEG"])))
    return (begin + (end - begin) / 2).replace(tzinfo=None)


def _continuum(frame: Frame) -> context.F32:
    """Intensity beside lines; empty where a position is missing."""
    region = facts.wavelength_region(frame)
    values = frame.data[0][continuum_mask(quicklook.wavelengths(frame), region)]
    held = np.isfinite(values)
    sums, counts = np.where(held, values, np.float32(0.0)).sum(axis=0), held.sum(axis=0)
    return np.where(counts > 0, sums / np.maximum(counts, 1), np.float32(np.nan)).astype(np.float32)
