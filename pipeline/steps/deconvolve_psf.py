"""Deconvolution with an estimated point spread function: what is more than noise is sharpened."""

from __future__ import annotations

from functools import lru_cache
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from scipy.ndimage import minimum_filter

from pipeline.errors import BadInput
from pipeline.frame import Frame
from pipeline.kernels.deconvolve import Transfer, padded_shape, transfer_function
from pipeline.kernels.fill import continued
from pipeline.kernels.misfit import UNKNOWN, Misfit
from pipeline.kernels.noise_level import noise_level
from pipeline.kernels.restore import Restored, RestoreSettings, restore
from pipeline.kernels.starlet import smoothed
from pipeline.kernels.tiles import Tile, tiles
from pipeline.psf.reference import Psf, Verdict, read_psf
from pipeline.quality import Quality, flagged
from pipeline.step import Params, ReferenceNeed, References, step
from pipeline.uncertainty import approximate
from pipeline.unknown_light import edge_of_field, flag_unknown_light

#: What is left unexplained (`pipeline.kernels.misfit`), from which on the PSF, and off by which factor the
#: noise, is not the image's. With the true ones structure is 0.1 to 1.4, and noise 0.84 to 1.19
#: (docs/deconvolution.md): what is a little less than significant is left too, and a sign of neither.
_UNEXPLAINED: Final = 2.0
_NOISE_OFF: Final = 1.7
_ABNORMAL: Final = Quality.COSMIC_RAY | Quality.HOT | Quality.DEAD
#: Of float32 in sums and transforms, as a part of the brightest value.
_ROUNDING: Final = 1e-6


class DeconvolvePsfParams(Params):
    """Parameters of the deconvolution.

    Attributes
    ----------
    significance
        [1] How sure a structure has to be to be sharpened, in standard deviations by which the power of
        noise scatters. Lower values resolve more and let more noise in; -1 takes everything, as a linear
        filter does.
    rounds
        [1] At most so many; each regularises ten times less. Fewer are taken when what is left unexplained is
        as large as the noise, or does not become less.
    scales
        [1] Planes of structure that are cleaned of noise, each twice as coarse as the one before; what is
        larger stays as it is.
    lowest
        [1] Values that lie further below zero than so many deviations of the noise are lifted to there.
    read_noise
        [DN] Noise without light; null: of the uncertainty plane, or else as found in the image itself.
    event
        [DN] Signal of one photon event, whose noise grows with the light; null: as `read_noise`.
    margin
        [pix] Of mirrored image around the field, and of overlap around tiles.
    fill
        [pix] Gaps are filled up to this distance from a measured pixel, and flagged; deeper inside they stay.
    doubtful_fraction
        [1] Pixels are flagged `LOW_CONFIDENCE` from this share of their light on that came from saturated or
        missing pixels, or from outside the field.
    on_unavailable
        What to do where the reference's core is a guess: ``refuse`` the frame, or ``keep`` it as it is and
        say so.
    """

    significance: float = Field(default=5.0, ge=-1.0, le=100.0)
    rounds: int = Field(default=5, ge=1, le=8)
    scales: int = Field(default=3, ge=2, le=8)
    lowest: float = Field(default=3.0, ge=0.0, le=100.0)
    read_noise: float | None = Field(default=None, gt=0.0)
    event: float | None = Field(default=None, ge=0.0)
    margin: int = Field(default=64, ge=8, le=1024)
    fill: int = Field(default=4, ge=0, le=64)
    doubtful_fraction: float = Field(default=0.05, gt=0.0, le=1.0)
    on_unavailable: Literal["refuse", "keep"] = "refuse"


@step(
    "deconvolve_psf",
    version=2,
    prstep="PSF-DECONVOLUTION",
    memory_factor=16.0,
    libraries=("numpy", "numba", "scipy"),
    needs=(
        ReferenceNeed(
            "psf",
            "the point spread function, as `heliolake reduce psf` makes it of many frames",
        ),
    ),
    uncertainty=approximate(
        "variance that comes with the structures which were kept, 0.8 to 0.9 of the true deviation; what was "
        "taken for noise and left out is not in it, nor are the PSF's error and the correlation of neighbours"
    ),
)
def deconvolve_psf(frame: Frame, params: DeconvolvePsfParams, references: References) -> Frame:
    """Sharpen an image with its PSF where its structures are more than noise (`pipeline.kernels.restore`).

    Means over more pixels than the largest structure are linear in the image: flux and faint emission keep
    no bias. What saturated pixels, gaps and all outside the field scattered is not known: pixels with much
    of it are of `LOW_CONFIDENCE`. Small gaps, and hot, dead and cosmic-ray pixels that no step replaced, are
    filled: `INTERPOLATED` and of `LOW_CONFIDENCE`. Values that light cannot have are lifted and
    `NEGATIVE_CLIPPED`. Where the PSF varies, the field is deconvolved in overlapping tiles.

    Raises
    ------
    BadInput
        When the PSF is for frames of another size, its tiles are no grid, its core is a guess and
        `on_unavailable` is ``refuse``, or the image tells no noise.
    """
    psf = references["psf"].load(read_psf)
    _check_size(frame, psf)
    frame = _named(frame, references["psf"].did, psf)
    if psf.core is Verdict.UNKNOWN:
        return _without_core(frame, params, psf)
    frame = _observed(frame)
    missing = np.isnan(frame.data)
    if missing.all():
        return frame
    variance = _variance(frame, params, missing)
    made = _restored(frame, params, variance, psf)
    result = _with_flags(frame, made, params, variance, missing)
    whole = _transfer(psf, None, _padded(frame.data.shape, params.margin))
    quality = result.quality.copy()
    edge = edge_of_field(whole, _shape(frame.data), params.doubtful_fraction)
    quality[edge] |= np.uint16(Quality.LOW_CONFIDENCE)
    result = flag_unknown_light(
        frame,
        result.replace(quality=quality),
        whole,
        step="deconvolve_psf",
        variance_at=lambda _: variance,
        fraction=params.doubtful_fraction,
    )
    return _said(_explained(result, made.left), psf)


def _observed(frame: Frame) -> Frame:
    """The frame without the values of pixels that did not see the sky, unless a step replaced them."""
    abnormal = flagged(frame.quality, _ABNORMAL) & ~flagged(frame.quality, Quality.INTERPOLATED)
    abnormal |= ~np.isfinite(frame.data)
    if not abnormal.any():
        return frame
    return frame.replace(data=np.where(abnormal, np.float32(np.nan), frame.data))


def _check_size(frame: Frame, psf: Psf) -> None:
    if psf.frame != (0, 0) and psf.frame != frame.data.shape:
        raise BadInput(
            "the point spread function was made of frames of another size, whose pixels are not this frame's",
            file=frame.source,
            keyword="NAXIS1, NAXIS2",
            found=f"{frame.data.shape[::-1]}, the reference is for {psf.frame[::-1]}",
            advice="give a reference made of such frames, or switch deconvolve_psf off",
        )


def _without_core(frame: Frame, params: DeconvolvePsfParams, psf: Psf) -> Frame:
    why = "; ".join(psf.reasons) or "nothing was known of it before"
    if params.on_unavailable == "keep":
        return frame.with_caveat(
            f"deconvolve_psf: not deconvolved, for the core of the point spread function is a guess ({why})"
        )
    raise BadInput(
        "the core of the point spread function is a guess, and nothing that rests on it would count",
        file=frame.source,
        keyword="PSFCORE",
        found=f"unknown ({why})",
        advice="make the reference of more frames, or set deconvolve_psf.on_unavailable to keep",
    )


def _variance(frame: Frame, params: DeconvolvePsfParams, missing: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Of the image's noise; from what is given, else the frame's plane, else the image; finite everywhere."""
    filled = continued(frame.data, missing) if missing.any() else frame.data
    plane = frame.uncertainty
    if params.read_noise is None and params.event is None and plane is not None and np.isfinite(plane).any():
        square = np.square(plane)
        unknown = ~np.isfinite(square) | (square <= 0)
        # A pixel's own noise must not decide how much of it is noise: its neighbours' is taken with it.
        return _faintly_smoothed(continued(square, unknown) if unknown.any() else square)
    constant, slope = _line(frame, params)
    light = np.maximum(_faintly_smoothed(np.ascontiguousarray(filled)), np.float32(0.0))
    return np.float32(constant) + np.float32(slope) * light


def _line(frame: Frame, params: DeconvolvePsfParams) -> tuple[float, float]:
    if params.read_noise is not None:
        return params.read_noise**2, params.event or 0.0
    found = noise_level(frame.data)
    if found is None:
        raise BadInput(
            "the image has too few values, or too equal ones, to tell its noise",
            file=frame.source,
            advice="set deconvolve_psf.read_noise and deconvolve_psf.event",
        )
    slope = found.slope if params.event is None else params.event
    # Where it is dark there is noise none the less, of rounding at least.
    brightest = float(np.nanmax(np.abs(frame.data)))
    return max(found.constant, (_ROUNDING * brightest) ** 2), slope


def _faintly_smoothed(image: NDArray[np.float32]) -> NDArray[np.float32]:
    return smoothed(smoothed(image, 0), 1)


def _padded(shape: tuple[int, ...], margin: int) -> tuple[int, int]:
    return padded_shape((shape[0], shape[1]), margin)


@lru_cache(maxsize=40)
def _transfer(psf: Psf, number: int | None, shape: tuple[int, int]) -> Transfer:
    return transfer_function(psf.kernel if number is None else psf.kernels[number], shape)


def _restored(frame: Frame, params: DeconvolvePsfParams, variance: NDArray[np.float32], psf: Psf) -> Restored:
    settings = RestoreSettings(
        rounds=params.rounds, scales=params.scales, significance=params.significance, lowest=params.lowest
    )
    saturated = flagged(frame.quality, Quality.SATURATED)
    with_variance = frame.uncertainty is not None

    def part(of: tuple[slice, slice], number: int | None) -> Restored:
        image = frame.data[of]
        transfer = _transfer(psf, number, _padded(image.shape, params.margin))
        return restore(
            image, variance[of], transfer, settings, at_least=saturated[of], with_variance=with_variance
        )

    if len(psf.kernels) == 1:
        return part((slice(None), slice(None)), None)
    data = np.zeros(frame.data.shape, np.float32)
    spread = np.zeros(frame.data.shape, np.float32) if with_variance else None
    left = UNKNOWN
    for tile in _tiles(frame, psf, params.margin):
        one = part(tile.outer, tile.number)
        data[tile.inner] += tile.weight * one.data[tile.within]
        if spread is not None and one.variance is not None:
            # Neighbouring tiles saw the same noise, so that their deviations add up.
            spread[tile.inner] += tile.weight * np.sqrt(one.variance[tile.within])
        left = left.worse(one.left)
    return Restored(data, None if spread is None else np.square(spread), left=left)


def _tiles(frame: Frame, psf: Psf, margin: int) -> list[Tile]:
    try:
        return list(tiles(_shape(frame.data), psf.centres, margin))
    except ValueError as error:
        raise BadInput(
            "the tiles of the point spread function are no grid",
            file=frame.source,
            found=str(error),
            advice="make the reference anew, its tiles on a grid",
        ) from error


def _shape(image: NDArray[np.float32]) -> tuple[int, int]:
    return image.shape[0], image.shape[1]


def _with_flags(
    frame: Frame,
    made: Restored,
    params: DeconvolvePsfParams,
    variance: NDArray[np.float32],
    missing: NDArray[np.bool_],
) -> Frame:
    quality = frame.quality.copy()
    data = made.data
    spread = None if made.variance is None else np.sqrt(made.variance)
    if params.significance >= 0:
        lifted = data <= np.float32(-0.98 * params.lowest) * np.sqrt(variance)
        quality[lifted & ~missing] |= np.uint16(Quality.NEGATIVE_CLIPPED)
    if missing.any():
        deep = minimum_filter(missing, 2 * params.fill + 1) | flagged(quality, Quality.OUTSIDE_FIELD)
        filled, empty = missing & ~deep, missing & deep
        quality[filled] &= np.uint16(~Quality.MISSING & 0xFFFF)
        quality[filled] |= np.uint16(Quality.INTERPOLATED | Quality.LOW_CONFIDENCE)
        quality[empty] |= np.uint16(Quality.MISSING)
        data = np.where(empty, np.float32(np.nan), data)
        if spread is not None:
            spread[missing] = np.nan
    return frame.replace(data=data, quality=quality, uncertainty=spread)


def _named(frame: Frame, did: str, psf: Psf) -> Frame:
    """The frame with the reference's name in its header, and how far that is believed."""
    header = frame.header.copy()
    header["PSFFILE"] = (did.partition(":")[2] or did, "point spread function")
    header["PSFCORE"] = (str(psf.core), "its core: identified, laboratory or unknown")
    header["PSFWING"] = (str(psf.wing), "its wing, likewise")
    header["PSFFWHM"] = (float(psf.fwhm.value), "[pixel] its full width at half maximum")
    header["PSFTILES"] = (len(psf.kernels), "kernels: tiles of the field")
    return frame.replace(header=header)


def _said(frame: Frame, psf: Psf) -> Frame:
    """What a user has to know of the PSF."""
    if psf.core is Verdict.LABORATORY:
        frame = frame.with_caveat(
            "deconvolve_psf: the core of the point spread function is the laboratory's value, for the frames "
            "do not determine it",
            mode="CORE-LABORATORY",
        )
    if psf.wing is not Verdict.IDENTIFIED:
        known = psf.wing is Verdict.LABORATORY
        frame = frame.with_caveat(
            "deconvolve_psf: the wing of the point spread function "
            + ("is the laboratory's value" if known else "is a guess")
            + ", for the frames do not determine it: how much light was scattered from bright to faint "
            "places is uncertain, and so is the photometry of faint ones",
            mode="WING-LABORATORY" if known else "WING-UNKNOWN",
        )
    if psf.simulated:
        frame = frame.with_caveat(
            "deconvolve_psf: the point spread function rests on simulated values", mode="SIMULATED"
        )
    return frame


def _explained(frame: Frame, left: Misfit) -> Frame:
    """With a caveat where the noise is not the image's; else, where structure is left, the PSF."""
    # Of noise that is wrong, structure says nothing: it is judged by it.
    if left.noise > _NOISE_OFF or left.noise < 1.0 / _NOISE_OFF:
        return frame.with_caveat(
            f"deconvolve_psf: the noise is not this image's: its variance is {left.noise:.2g} times what was "
            "taken for it, so that structure was lost or noise sharpened",
            mode="UNEXPLAINED",
        )
    if left.structure > _UNEXPLAINED:
        return frame.with_caveat(
            "deconvolve_psf: the point spread function is not this image's: where there is most structure, "
            f"the result leaves {left.structure:.2g} times as much unexplained as noise and the method do",
            mode="UNEXPLAINED",
        )
    return frame
