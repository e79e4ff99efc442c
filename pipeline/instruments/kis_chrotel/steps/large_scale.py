"""Level 2: the large-scale pattern of the Lyot filter taken out, brightness over the quiet Sun's."""

from __future__ import annotations

from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from pipeline.errors import BadInput
from pipeline.frame import Frame
from pipeline.instruments.kis_chrotel import facts
from pipeline.kernels.rings import flag_disk, over_course, ring_medians, smooth_course
from pipeline.kernels.zernike import Field as LargeScale
from pipeline.kernels.zernike import fit_field, modes, over_field
from pipeline.quality import Quality
from pipeline.step import Params, References, step

#: Part of the radius beyond which blur mixes disk and sky.
_SURE: Final = 0.98
#: How often, and beyond how many standard deviations, pixels are left out of the quiet Sun.
_PASSES: Final = 2
_FAR: Final = 2.5
_NORMAL: Final = 1.4826
#: Pixels along the radius that are enough to tell what is left out.
_SAMPLED: Final = 150
#: Root mean square of a pattern that is more than the filter's and the sky's, and of one that is no pattern.
_CLOUDY, _CLOUDED = 0.1, 0.5
#: What may be left of a pattern without a word being said: the aim for a clear disk.
_UNCERTAIN: Final = 0.002


class LargeScaleParams(Params):
    """Parameters of the large-scale correction.

    Attributes
    ----------
    order
        Largest degree of the Zernike polynomials; null: that of `orders` with the smallest Bayesian
        information criterion.
    orders
        Degrees that are tried.
    clip
        [sigma] Deviation from which on pixels (filaments, plage, spots) are left out of the fit.
    spread
        [sigma] The same for means over a neighbourhood, in the last rounds: faint surroundings of plage.
    passes
        How often pixels are left out anew.
    rounds
        How often the course from centre to limb and the pattern are fitted in turn.
    """

    order: int | None = Field(default=None, ge=1, le=10)
    orders: tuple[int, ...] = (2, 3, 4, 5, 6, 7, 8)
    clip: float = Field(default=3.0, ge=1.0, le=10.0)
    spread: float = Field(default=3.5, ge=1.0, le=10.0)
    passes: int = Field(default=5, ge=1, le=20)
    rounds: int = Field(default=5, ge=1, le=10)


@step(
    "large_scale",
    version=3,
    prstep="INTENSITY-CORRECTION",
    instrument="kis_chrotel",
    memory_factor=3.0,
    libraries=("numpy", "numba"),
    dims=(..., "y", "x"),
)
def large_scale(frame: Frame, params: LargeScaleParams, references: References) -> Frame:
    """Divide by the lopsided large-scale pattern, fitted with Zernike polynomials (after Shen et al. 2018).

    What is the same all round the centre belongs to the course from centre to limb and stays.
    """
    disk = facts.disk(frame)
    images = frame.data.reshape(-1, *frame.data.shape[-2:])
    fields = [
        fit_field(
            image,
            disk.x,
            disk.y,
            disk.radius,
            order=params.order,
            orders=params.orders,
            clip=params.clip,
            spread=params.spread,
            passes=params.passes,
            rounds=params.rounds,
        )
        for image in images
    ]
    found = [one for one in fields if one is not None]
    if len(found) != len(fields):
        raise BadInput(
            "too few pixels on the disk have a value for its large-scale pattern to be fitted",
            file=frame.source,
            keyword="R_SUN",
            found=f"{disk.radius:.1f}",
            advice="leave the frame out",
        )
    _require_disk(found, frame.source)
    data = np.empty(images.shape, np.float32)
    for image, one, plane in zip(images, found, data, strict=True):
        over_field(image, disk.x, disk.y, disk.radius, one.polynomial, out=plane)
    return _told(frame.replace(data=data.reshape(frame.data.shape)), found)


def _amplitude(one: LargeScale) -> float:
    return float(np.sqrt((one.coefficients**2).sum()))


def _require_disk(found: list[LargeScale], source: str) -> None:
    """Refuse a pattern that is no filter's: divided by it, the image would be none of the Sun."""
    worst = max(map(_amplitude, found))
    if not worst < _CLOUDED:
        raise BadInput(
            "the large-scale pattern is as large as the Sun's own light",
            file=source,
            keyword="ZERNAMP",
            found=f"{worst:.3g} root mean square, over the brightness of the disk",
            advice="leave the frame out (clouds, no disk); or correct less of it: --set large_scale.order=2",
        )


def _told(frame: Frame, found: list[LargeScale]) -> Frame:
    header = frame.header.copy()
    header["ZERNORD"] = (max(one.order for one in found), "largest degree of the Zernike polynomials")
    header["ZERNKEEP"] = (min(one.kept for one in found), "share of the disk the fit rests on")
    header["ZERNRMS"] = (max(one.scatter for one in found), "relative, of what it rests on")
    header["ZERNAMP"] = (max(map(_amplitude, found)), "root mean square of the pattern")
    error = max(one.error for one in found)
    header["ZERNERR"] = (float(f"{error:.3g}"), "root mean square of what may be left of it")
    if len(found) == 1:
        names = modes(found[0].order)
        for number, ((n, m), value) in enumerate(zip(names, found[0].coefficients, strict=True), start=1):
            header[f"ZERN{number}"] = (float(f"{value:.7g}"), f"n = {n}, m = {m}")
    frame = frame.replace(header=header)
    if header["ZERNKEEP"] < 0.6:
        frame = frame.with_caveat("large_scale: more than two fifths of the disk were left out of the fit")
    if header["ZERNAMP"] > _CLOUDY:
        frame = frame.with_caveat(
            f"large_scale: a pattern of {header['ZERNAMP']:.0%} is more than the filter's (clouds)"
        )
    if header["ZERNERR"] > _UNCERTAIN:
        frame = frame.with_caveat(
            f"large_scale: {header['ZERNERR']:.1%} root mean square of the pattern may be left in the values "
            "(clouds, much plage): no gradient across the disk is surer than that"
        )
    return frame


class NormaliseParams(Params):
    """Parameters of the normalisation.

    Attributes
    ----------
    to
        `course`: brightness over that of the quiet Sun at the same distance from the centre; `centre`: over
        that of the quiet Sun in the disk's centre.
    rings
        Rings of equal area in which the course is measured.
    """

    to: Literal["course", "centre"] = "course"
    rings: int = Field(default=200, ge=20, le=2000)


@step(
    "normalise",
    version=2,
    prstep="NORMALISATION",
    instrument="kis_chrotel",
    gives="",
    memory_factor=4.0,
    libraries=("numpy", "numba"),
    dims=(..., "y", "x"),
)
def normalise(frame: Frame, params: NormaliseParams, references: References) -> Frame:
    """Divide by the quiet Sun: medians of rings about the centre, made smooth by a polynomial in µ.

    What lies beyond the limb has no value; the outermost two hundredths of the radius are of low confidence.
    """
    disk = facts.disk(frame)
    images = frame.data.reshape(-1, *frame.data.shape[-2:])
    data, coefficients = np.empty(images.shape, np.float32), []
    for image, plane in zip(images, data, strict=True):
        course, polynomial = _quiet(image, disk, params.rings)
        centre = float(polynomial.sum())
        if not np.isfinite(course).all() or centre <= 0:
            raise BadInput(
                "the course from centre to limb cannot be measured",
                file=frame.source,
                keyword="CRPIX1, CRPIX2, R_SUN",
                found=f"{disk.x + 1:.1f}, {disk.y + 1:.1f}, {disk.radius:.1f}",
                advice="leave the frame out: too little of the disk has a value",
            )
        divisor = course if params.to == "course" else np.full_like(course, centre)
        over_course(image, disk.x, disk.y, disk.radius, divisor, out=plane)
        coefficients.append(polynomial / centre)
    header = frame.header.copy()
    if len(coefficients) == 1:
        for power, value in enumerate(coefficients[0]):
            header[f"CLV{power}"] = (float(f"{value:.7g}"), f"of mu^{power}, quiet Sun over its centre")
    header["BTYPE"] = ("arith.ratio;phot.radiance;em.opt", "UCD 1+ of the values")
    header["BNAME"] = "Brightness over the quiet Sun's" + (
        " at the same distance from the centre" if params.to == "course" else " in the disk's centre"
    )
    quality = frame.quality.copy()
    for flags in quality.reshape(-1, *quality.shape[-2:]):
        flag_disk(
            flags,
            disk.x,
            disk.y,
            disk.radius,
            sure=_SURE,
            doubtful=Quality.LOW_CONFIDENCE,
            outside=Quality.OUTSIDE_FIELD,
        )
    return frame.replace(data=data.reshape(frame.data.shape), quality=quality, header=header)


def _quiet(image: NDArray[np.float32], disk: facts.Disk, rings: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """The quiet Sun's course from centre to limb: medians of what does not deviate from them.

    What deviates is told by some of the pixels, and the medians are those of all.
    """
    every = max(1, int(disk.radius / _SAMPLED))
    some = np.ascontiguousarray(image[::every, ::every])
    circle = disk.x / every, disk.y / every, disk.radius / every
    course, _ = smooth_course(ring_medians(some, *circle, rings))
    for number in range(_PASSES):
        spread = _NORMAL * float(np.nanmedian(np.abs(over_course(some, *circle, course) - 1.0)))
        last = number == _PASSES - 1
        seen, place = (image, (disk.x, disk.y, disk.radius)) if last else (some, circle)
        course, polynomial = smooth_course(
            ring_medians(seen, *place, rings, near=course, within=_FAR * spread)
        )
    return course, polynomial
