"""Where a deconvolved image is worth less than it looks: said in a caveat.

Noise grows by deconvolution: where there is little light, or little structure, it
grows by more than blur becomes less.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from pipeline.frame import Frame
from pipeline.instruments.sdo_aia.noise import ChannelNoise
from pipeline.kernels.blocks import block_changes
from pipeline.kernels.deconvolve import NoiseFigures

#: Side of the blocks that are judged: 4096 pixels tell a variance to 2 %.
BLOCK: Final = 64
#: Blocks with fewer pixels than this tell nothing.
_LEAST_PIXELS: Final = 256


def say_where_noise_wins(before: Frame, after: Frame, *, noise: ChannelNoise, figures: NoiseFigures) -> Frame:
    """A caveat on where the image was nearer to the truth before its deconvolution.

    Of white noise n, whose variance σ² the counts tell, a filter f makes noise
    of the variance ``Σf² · σ²``, and changes it by ``Σ(f − δ)² · σ²``; what it
    changes the image by beyond that is the blur b it took away. Noise wins
    where ``Σf² · σ² > σ² + b²``. Judged over blocks of 64 × 64 pixels.
    """
    found = noise_wins(before.data, after.data, noise=noise, figures=figures)
    if found is None:
        return after
    share, brightest, median = found
    return after.with_caveat(
        f"psf_deconvolve: in {share:.0%} of the image it added more noise than it took away blur (blocks of "
        f"{BLOCK} x {BLOCK} pixels with up to {brightest:.3g} DN, half of them below {median:.2g} DN): there "
        "single pixels were nearer to the truth before; sums over many are better now"
    )


def noise_wins(
    before: NDArray[np.float32], after: NDArray[np.float32], *, noise: ChannelNoise, figures: NoiseFigures
) -> tuple[float, float, float] | None:
    """Share of the judged pixels that lie in such blocks, and the blocks' greatest and median counts (DN).

    `None` where there are no such blocks.
    """
    blocks = block_changes(before, after, BLOCK)
    worse = worse_blocks(blocks.mean, blocks.change, noise=noise, figures=figures)
    judged = blocks.count >= _LEAST_PIXELS
    worse &= judged
    if not worse.any():
        return None
    counts = blocks.mean[worse]
    share = float(blocks.count[worse].sum() / blocks.count[judged].sum())
    return share, float(counts.max()), float(np.median(counts))


def worse_blocks(
    mean: NDArray[np.float64], change: NDArray[np.float64], *, noise: ChannelNoise, figures: NoiseFigures
) -> NDArray[np.bool_]:
    """Where more noise was added than blur taken away.

    Parameters
    ----------
    mean
        Counts before, DN; NaN where there are none.
    change
        Mean of the squared change, DN².
    noise, figures
        Of the channel, and of the deconvolution.
    """
    variance = noise.variance_at(np.where(np.isnan(mean), 0.0, mean))
    result: NDArray[np.bool_] = ~np.isnan(mean) & (change < (figures.gain + figures.change - 1.0) * variance)
    return result
