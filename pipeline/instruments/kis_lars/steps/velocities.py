"""Step 8: velocities of the lines' cores and bisectors."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from astropy.io import fits
from pydantic import Field

from pipeline.frame import Frame
from pipeline.instruments.kis_lars import lines
from pipeline.instruments.kis_lars.facts import F64, LIGHT
from pipeline.instruments.kis_lars.profile import Bisector, Core, bisector, core, velocity
from pipeline.instruments.kis_lars.steps.normalise import axis
from pipeline.quality import Quality, flagged
from pipeline.step import Output, Params, References, step

#: Farther from its wavelength at rest than this a line is not looked for, Å: 6 km/s.
_REACH: Final = 0.13
_PERCENT: Final = 0.01


class VelocityParams(Params):
    """Which part of a line is used.

    Attributes
    ----------
    core
        [Angstrom] Half width of the part that the core's parabola is fitted to.
    wing
        [Angstrom] How far from the core its sides are followed.
    shallow, deep
        [percent] Depths between which the bisector is taken.
    rows
        [1] Lines for which the table of bisectors has room.
    """

    core: float = Field(default=0.02, gt=0)
    wing: float = Field(default=0.4, gt=0)
    shallow: int = Field(default=5, ge=1, le=98)
    deep: int = Field(default=97, ge=2, le=99)
    rows: int = Field(default=4, ge=1, le=20)

    @property
    def depths(self) -> F64:
        """Of the bisector, every percent."""
        return np.arange(self.shallow, self.deep + 1, dtype=np.float64) * _PERCENT


@step(
    "line_velocities",
    version=1,
    prstep="LINE-FITTING",
    instrument="kis_lars",
    takes=("",),
    dims=("wavelength",),
    memory_factor=6.0,
    libraries=("numpy", "scipy"),
    outputs={
        "bisectors": Output(lambda params, shape: (params.rows, len(params.depths)), dims=("line", "depth"))
    },
)
def line_velocities(frame: Frame, params: VelocityParams, references: References) -> Frame:
    """Measure known lines: core by a parabola, bisector at every percent of the depth, with errors.

    Velocities are ``c (λ - λ₀)/λ₀`` with λ₀ at rest in air, negative towards us. Errors are those of the
    noise and of the dispersion; those of λ₀ and of the pointing are not in them.
    """
    wavelength, intensity = axis(frame), frame.data.astype(np.float64)
    ratio = frame.keyword("SNR", float, default=0.0)
    sigma = np.sqrt(np.clip(intensity, 0.0, None)) / ratio if ratio > 0 else np.zeros_like(intensity)
    calibration = frame.keyword("DSPERR", float, default=0.0)
    header = frame.header.copy()
    table = np.full((params.rows, len(params.depths)), np.nan)
    known = lines.within(wavelength[0] + params.wing, wavelength[-1] - params.wing)[: params.rows]
    lost = []
    for number, line in enumerate(known, start=1):
        start = _lowest(wavelength, intensity, line.wavelength)
        bottom = None if start is None else core(wavelength, intensity, sigma, start, params.core)
        if bottom is None:
            lost.append(line.name)
            continue
        sides = bisector(wavelength, intensity, sigma, bottom, params.depths, params.wing)
        _write(header, number, line, bottom, sides, calibration)
        if sides is not None:
            table[number - 1] = velocity(sides.wavelength, line.wavelength)
    made = frame.replace(header=header)
    made = made.with_output("bisectors", _bisectors(made, table, params, [line.name for line in known]))
    return _judged(made, wavelength, known, lost)


def _lowest(wavelength: F64, intensity: F64, rest: float) -> float | None:
    near = np.flatnonzero((np.abs(wavelength - rest) < _REACH) & np.isfinite(intensity))
    return None if len(near) == 0 else float(wavelength[near[np.argmin(intensity[near])]])


def _write(
    header: fits.Header,
    number: int,
    line: lines.Line,
    bottom: Core,
    sides: Bisector | None,
    calibration: float,
) -> None:
    """The cards of one line."""

    def speed(error: float) -> float:
        return round(float(np.hypot(error / line.wavelength * LIGHT, calibration)), 4)

    cards: dict[str, tuple[Any, str]] = {
        "LINE": (line.name, ""),
        "REST": (line.wavelength, "[Angstrom] at rest, in air"),
        "VCOR": (round(float(velocity(bottom.wavelength, line.wavelength)), 4), "[m/s] of the core"),
        "ECOR": (speed(bottom.error), "[m/s] its error"),
        "DEPT": (round(1.0 - bottom.intensity, 5), "depth of the core"),
    }
    if sides is not None:
        cards |= {
            "VBIS": (round(float(velocity(sides.mean, line.wavelength)), 4), "[m/s] mean of the bisector"),
            "EBIS": (speed(sides.mean_error), "[m/s] its error"),
        }
    for name, card in cards.items():
        header[f"{name}{number}"] = card


def _bisectors(frame: Frame, table: F64, params: VelocityParams, names: list[str]) -> Frame:
    header = frame.header.copy()
    for name in [
        name for name in header if name[:5] in ("CTYPE", "CUNIT", "CRPIX", "CRVAL", "CDELT", "CNAME")
    ]:
        del header[name]
    header.remove("WCSAXES", ignore_missing=True)
    header["BUNIT"] = ("m/s", "unit of the image")
    header["BNAME"] = "Velocity of the bisectors, lines from below, depth from the continuum to the core"
    header["DEPTH0"] = (params.shallow * _PERCENT, "depth of the first column, 0 at the continuum")
    header["DEPTHSTP"] = (_PERCENT, "depth from column to column, 1 at the core")
    quality = np.where(np.isfinite(table), 0, int(Quality.MISSING)).astype(np.uint16)
    header["LINES"] = (", ".join(names), "of the rows")
    return Frame(table.astype(np.float32), quality, header, frame.source, dims=("line", "depth"))


def _judged(frame: Frame, wavelength: F64, known: tuple[lines.Line, ...], lost: list[str]) -> Frame:
    if not known:
        return frame.with_caveat(
            "no line whose wavelength at rest is known lies in this spectrum: it has no velocities",
            mode="NO-LINES",
        )
    if lost:
        frame = frame.with_caveat(f"{', '.join(lost)} could not be measured", mode="LINES-LEFT-OUT")
    for line in known:
        near = np.abs(wavelength - line.wavelength) < _REACH
        if flagged(frame.quality[near], Quality.SATURATED).any():
            frame = frame.with_caveat(f"{line.name} has saturated pixels: its velocity is not to be trusted")
    return frame
