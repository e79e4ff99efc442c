"""He I: velocities along the line of sight from the filter's seven positions."""

from __future__ import annotations

from typing import Final

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray
from pydantic import Field

from pipeline.errors import BadInput
from pipeline.frame import Frame
from pipeline.instruments.kis_chrotel import facts, profile
from pipeline.kernels.line_shift import line_shift
from pipeline.quality import Quality
from pipeline.step import Output, Params, References, step

#: km/s to both sides that are looked at.
_REACH: Final = 60.0
_STEP: Final = 0.5
#: Standard deviation over median absolute deviation.
_NORMAL: Final = 1.4826


class DopplerParams(Params):
    """Parameters of the velocities.

    Attributes
    ----------
    least_depth
        [1] Depth of the line, beyond the quiet Sun's, below which no velocity is given.
    quiet_depth
        [1] Depth of the line in the quiet Sun, which the normalisation took out; it is put back.
    sigma
        [sigma] How many times its error the depth has to be.
    """

    least_depth: float = Field(default=0.03, gt=0, lt=1)
    quiet_depth: float = Field(default=0.0, ge=0, lt=0.5)
    sigma: float = Field(default=5.0, ge=1)


def _plane(params: DopplerParams, shape: tuple[int, ...]) -> tuple[int, ...]:
    return shape[1:]


@step(
    "doppler",
    version=1,
    prstep="LINE-INVERSION",
    instrument="kis_chrotel",
    takes=("",),
    gives="km/s",
    memory_factor=2.0,
    libraries=("numpy", "numba"),
    dims=("wavelength", "y", "x"),
    output_shape=_plane,
    output_dims=lambda params, dims: dims[1:],
    outputs={"error": Output(_plane), "depth": Output(_plane)},
)
def doppler(frame: Frame, params: DopplerParams, references: References) -> Frame:
    """Velocity of what absorbs in He I, away from the observer; its error and the line's depth beside it.

    A straight continuum less the line's shape behind the filter, of known width, is fitted to the seven
    values of each pixel. Zero is the quiet Sun around: what it does, solar rotation included, the large-scale
    correction has taken out.
    """
    wavelengths = _wavelengths(frame)
    cube = frame.data
    if params.quiet_depth:
        at_rest = 1.0 - params.quiet_depth * profile.shape(wavelengths, 0.0)
        cube = cube * at_rest.astype(np.float32)[:, None, None]
    noise = _noise(cube, wavelengths)
    shifts = np.arange(-_REACH, _REACH + _STEP, _STEP)
    shapes = profile.shape(wavelengths[None, :], shifts[:, None])
    least = max(params.least_depth, params.sigma * noise)
    found = line_shift(cube, wavelengths, shifts, shapes, noise, least)
    flags = np.bitwise_or.reduce(np.broadcast_to(frame.quality, frame.data.shape), axis=0)
    without = ~np.isfinite(found.shift) & ((flags & np.uint16(Quality.OUTSIDE_FIELD)) == 0)
    quality = flags | np.where(without, np.uint16(Quality.MISSING), np.uint16(0))
    if not np.isfinite(found.shift).any():
        raise BadInput(
            "nowhere on the disk is the line deep enough for a velocity",
            file=frame.source,
            keyword="",
            found=f"noise {noise:.4f}, least depth {least:.3f}",
            advice="set the step's least_depth lower, or leave the scan out",
        )
    made = _frame(frame, found.shift, quality, "Velocity away from the observer", "phys.veloc;em.line")
    made.header["LINENOIS"] = (noise, "of the values, beside the line")
    made.header["LINELEAS"] = (least, "least depth for which a velocity is given")
    for name, values, unit, what, ucd in (
        ("error", found.error, "km/s", "One standard deviation of the velocity", "stat.error;phys.veloc"),
        ("depth", found.depth, "", "Depth of He I in its centre, behind the filter", "spect.line.strength"),
    ):
        output = _frame(frame, values, quality, what, ucd)
        output.header["BUNIT"] = (unit, "unit of the image")
        made = made.with_output(name, output)
    return made


def _frame(
    frame: Frame, values: NDArray[np.float32], quality: NDArray[np.uint16], what: str, ucd: str
) -> Frame:
    header = frame.header.copy()
    _without_third_axis(header)
    header["BNAME"], header["BTYPE"] = what, ucd
    return frame.replace(data=values, quality=quality, header=header, dims=("y", "x"))


def _without_third_axis(header: fits.Header) -> None:
    for name in ("CTYPE3", "CUNIT3", "CRPIX3", "CRVAL3", "CDELT3", "CNAME3", "PC3_3", "WCSAXES"):
        header.remove(name, ignore_missing=True)


def _wavelengths(frame: Frame) -> NDArray[np.float64]:
    """Of the planes: WAVEn, else the filter's positions, of files that are not of our own level 1."""
    number = frame.data.shape[0]
    if "WAVE1" in frame.header:
        return np.array([frame.keyword(f"WAVE{plane}", float) for plane in range(1, number + 1)])
    if number == len(facts.POSITIONS):
        return np.array(facts.POSITIONS)
    raise BadInput(
        "the header does not say at which wavelengths the planes lie",
        file=frame.source,
        keyword="WAVEn",
        found=f"{number} planes",
        advice="make the cube by the recipe kis_chrotel-he-l1",
    )


def _noise(cube: NDArray[np.float32], wavelengths: NDArray[np.float64]) -> float:
    """Of one value: neighbouring pixels' differences of the two positions that are farthest from the line."""
    away = np.argsort(np.abs(wavelengths - 10830.3))[-2:]
    ratio = cube[away[0]] - cube[away[1]]
    step = ratio[:, 1:] - ratio[:, :-1]
    held = step[np.isfinite(step)]
    # Four values stand in each difference.
    return float(_NORMAL * np.median(np.abs(held)) / 2.0) if held.size else float("nan")
