"""Deconvolution with the channel's point spread function."""

from __future__ import annotations

from typing import Literal

import numpy as np
from pydantic import Field

from pipeline.errors import BadInput
from pipeline.frame import Frame
from pipeline.instruments.sdo_aia.channels import EUV, channel_of
from pipeline.instruments.sdo_aia.geometry import FULL_SIZE, NOMINAL_SCALE, pointing_of
from pipeline.instruments.sdo_aia.levels import require_unregistered
from pipeline.instruments.sdo_aia.noise import BUILT_IN
from pipeline.instruments.sdo_aia.psf import channel_transfer
from pipeline.instruments.sdo_aia.trust import say_where_noise_wins
from pipeline.kernels.backend import BackendName
from pipeline.kernels.deconvolve import carried_variance, noise_figures, padded_shape, richardson_lucy
from pipeline.quality import Quality
from pipeline.step import Params, References, step
from pipeline.uncertainty import approximate
from pipeline.unknown_light import flag_unknown_light


class PsfDeconvolveParams(Params):
    """Parameters of the deconvolution.

    Attributes
    ----------
    result
        ``unbiased``: the estimate x of Richardson–Lucy and what it leaves
        unexplained, ``x + (y − Hx)``. The flux is exact, and means over faint
        emission (off the limb, in holes) are right: noise about zero stays
        about zero, so that values may be negative. Single faint pixels are
        noisier than with ``positive``, by a third at a disk of 1 DN and a
        tenth at 5 DN.
        ``positive``: x itself, never negative, as aiapy gives it. Below some
        10 DN it takes noise for light: at a read noise of 1.15 DN, means off
        the limb come out 4.4 times too high beside a disk of 1 DN and 1.5
        times beside one of 5 DN, the flux 37 % and 3 %.
    iterations
        [1] Of Richardson–Lucy. Three accelerated ones from a linear start, and the
        residual, come closer to the data than the 25 plain ones aiapy does.
    accelerate
        Biggs–Andrews extrapolation. With a positive result, 25 iterations, no
        acceleration, no linear start and a circular edge it is aiapy's.
    linear_start
        [1] Iterations of the linear method whose result, found by one filtering, is
        the start; 0 starts with the image.
    edge
        How a full frame continues: ``circular`` (its edges are dark), or
        ``mirror``. Cut-outs always continue mirrored.
    mirror_margin
        [pix] Width of the mirrored margin.
    total_variation
        [1] Weight of the total-variation penalty; 0 for none.
    preflight_core
        Use the core widths measured before flight.
    backend
        ``numpy``, ``cupy``, or ``auto``: CuPy where there is a GPU.
    doubtful_fraction
        [1] Pixels are flagged `LOW_CONFIDENCE` from this share of their light on
        that came from saturated or missing pixels.
    on_unavailable
        What to do with frames that have no PSF (UV channels, binned frames):
        ``refuse`` them, or ``keep`` them as they are and say so in a caveat.
    """

    result: Literal["unbiased", "positive"] = "unbiased"
    iterations: int = Field(default=3, ge=1, le=200)
    accelerate: bool = True
    linear_start: int = Field(default=10, ge=0, le=200)
    edge: Literal["circular", "mirror"] = "circular"
    mirror_margin: int = Field(default=128, ge=1, le=2048)
    total_variation: float = Field(default=0.0, ge=0.0, le=0.1)
    preflight_core: bool = False
    backend: BackendName = "numpy"
    doubtful_fraction: float = Field(default=0.05, gt=0.0, le=1.0)
    on_unavailable: Literal["refuse", "keep"] = "refuse"


@step(
    "psf_deconvolve",
    version=2,
    prstep="PSF-DECONVOLUTION",
    instrument="sdo_aia",
    memory_factor=15.0,
    libraries=("numpy", "numba", "scipy"),
    uncertainty=approximate(
        "variance carried by the squared response of the linear filter that the method comes close to; "
        "at 1 DN and less 1.2 to 1.4 times too large (positive: 1.6 and more); the correlation of neighbours "
        "is left out"
    ),
)
def psf_deconvolve(frame: Frame, params: PsfDeconvolveParams, references: References) -> Frame:
    """Remove the diffraction pattern of the filter meshes and sharpen the core.

    Works on the level-1 grid, which the PSF was measured on. Missing pixels
    stay missing and do not take part. Of an ``unbiased`` result nothing is
    clipped; for a ``positive`` one negative values become zero first and are
    flagged `NEGATIVE_CLIPPED`. Where light of an unknown amount was scattered
    to, from saturated or missing pixels, is flagged `LOW_CONFIDENCE`; where
    the image is too faint to gain by it, a caveat says so.

    Raises
    ------
    BadInput
        When the frame is registered already, or has no PSF and
        `on_unavailable` is ``refuse``.
    """
    require_unregistered(frame, "psf_deconvolve")
    channel = channel_of(frame)
    scale = pointing_of(frame).scale
    if channel not in EUV or abs(scale / NOMINAL_SCALE - 1.0) > 0.01:
        return _without_psf(frame, params, channel, scale)
    full = frame.data.shape == (FULL_SIZE, FULL_SIZE)
    shape = frame.data.shape[0], frame.data.shape[1]
    if not full or params.edge == "mirror":
        shape = padded_shape(shape, params.mirror_margin)
    unbiased = params.result == "unbiased"
    transfer = channel_transfer(channel, shape, params.preflight_core)
    data = richardson_lucy(
        frame.data,
        transfer,
        iterations=params.iterations,
        accelerate=params.accelerate,
        linear_start=params.linear_start,
        total_variation=params.total_variation,
        add_residual=unbiased,
        where=params.backend,
    )
    iterations = params.linear_start + params.iterations
    uncertainty = frame.uncertainty
    if uncertainty is not None:
        variance = carried_variance(np.square(uncertainty), transfer, iterations, add_residual=unbiased)
        uncertainty = np.sqrt(variance)
    result = frame.replace(data=data, uncertainty=uncertainty)
    if not unbiased:
        quality = frame.quality.copy()
        quality[frame.data < 0] |= np.uint16(Quality.NEGATIVE_CLIPPED)
        result = result.replace(quality=quality)
    noise = BUILT_IN[channel]
    figures = noise_figures(transfer, iterations, add_residual=unbiased)
    result = say_where_noise_wins(frame, result, noise=noise, figures=figures)
    result = flag_unknown_light(
        frame,
        result,
        transfer,
        step="psf_deconvolve",
        variance_at=noise.variance_at,
        fraction=params.doubtful_fraction,
        where=params.backend,
    )
    if full:
        return result
    return result.with_caveat(
        "psf_deconvolve: the light that was scattered into this cut-out from outside it is not known",
        mode="CUT-OUT",
    )


def _without_psf(frame: Frame, params: PsfDeconvolveParams, channel: int, scale: float) -> Frame:
    known = channel in EUV
    reason = (
        f"the frame's {scale:.4g} arcsec per pixel are not the detector's own, which the PSF is for"
        if known
        else f"the channel {channel} Å has no point spread function"
    )
    if params.on_unavailable == "keep":
        return frame.with_caveat(f"psf_deconvolve: not deconvolved, because {reason}")
    raise BadInput(
        reason,
        file=frame.source,
        keyword="CDELT1" if known else "WAVELNTH",
        found=scale if known else channel,
        advice="switch psf_deconvolve off, or set psf_deconvolve.on_unavailable to keep",
    )
