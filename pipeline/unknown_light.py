"""Light of an unknown amount: what saturated pixels, gaps and all outside the field scattered."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from pipeline.frame import Frame
from pipeline.kernels.backend import BackendName
from pipeline.kernels.deconvolve import Transfer, convolved
from pipeline.kernels.fill import continued
from pipeline.quality import Quality, flagged
from pipeline.read_only import read_only


def flag_unknown_light(
    before: Frame,
    after: Frame,
    transfer: Transfer,
    *,
    step: str,
    variance_at: Callable[[NDArray[np.float32]], NDArray[np.floating]],
    fraction: float,
    where: BackendName = "numpy",
) -> Frame:
    """Flag `LOW_CONFIDENCE` what light of an unknown amount was scattered into.

    That is light of saturated pixels, which had at least the counts they show,
    and of gaps, for which the mean of their neighbourhood stands. A pixel is
    flagged where at least `fraction` of what was measured there came from such
    pixels; what is less than the noise counts as the noise.

    Parameters
    ----------
    before, after
        The frame before and after deconvolution.
    transfer
        That the frame was deconvolved with.
    step
        Its name, for the caveat.
    variance_at
        Variance of the noise of an image with these counts.
    fraction
        Between 0 and 1.
    where
        Backend.
    """
    gaps = np.isnan(before.data)
    saturated = flagged(before.quality, Quality.SATURATED) & ~gaps
    lost, over = int(gaps.sum()), int(saturated.sum())
    if not lost + over or gaps.all():
        return after
    unknown = gaps | saturated
    filled = continued(before.data, gaps) if lost else before.data
    sources = np.where(unknown, np.maximum(filled, np.float32(0.0)), np.float32(0.0))
    scattered = convolved(sources, transfer, where=where)
    least = np.sqrt(variance_at(filled)).astype(np.float32)
    doubtful = saturated | (scattered >= np.float32(fraction) * np.maximum(filled, least))
    doubtful &= ~gaps
    quality = after.quality.copy()
    quality[doubtful] |= np.uint16(Quality.LOW_CONFIDENCE)
    kinds = " and ".join(
        text for number, text in ((over, f"{over} saturated"), (lost, f"{lost} missing")) if number
    )
    return after.replace(quality=quality).with_caveat(
        f"{step}: how much light {kinds} pixels had is not known, nor so what they scattered; "
        f"{int(doubtful.sum())} pixels with {fraction:.0%} or more of their light from there are flagged "
        "LOW_CONFIDENCE",
        mode="UNKNOWN-LIGHT",
    )


@lru_cache(maxsize=4)
def edge_of_field(transfer: Transfer, shape: tuple[int, int], fraction: float) -> NDArray[np.bool_]:
    """Where at least `fraction` of the PSF lies outside an image: what came from there was not seen.

    Parameters
    ----------
    transfer
        For a larger shape than the image's.
    shape
        (ny, nx) of the image.
    fraction
        Between 0 and 1.
    """
    inside = convolved(np.ones(shape, np.float32), transfer)
    return read_only(inside <= np.float32(1.0 - fraction))
