"""Step 2: exposures of the comb around one of the Sun give the Sun's pixels their wavelengths."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final, NamedTuple

import numpy as np
from pydantic import Field

from pipeline.errors import BadInput
from pipeline.frame import Frame
from pipeline.instruments.kis_lars import facts
from pipeline.instruments.kis_lars.comb import Comb, NoComb, measure
from pipeline.instruments.kis_lars.dispersion import Solution, drift, solve
from pipeline.quality import Quality, flagged
from pipeline.step import Params, References, gather

_HOUR: Final = 3600.0
#: Median of |2x₀ - x₋₂ - x₂| of normal noise to its standard deviation (Stoehr et al. 2008, DER_SNR).
_TO_SIGMA: Final = 1.482602 / np.sqrt(6.0)


class CalibrateParams(Params):
    """How wavelengths are taken from the comb.

    Attributes
    ----------
    order
        [1] Of the polynomial from pixels to wavelengths.
    oldest
        [s] From the middle of the Sun's exposure to the comb's: beyond that the spectrum is flagged.
    most_drift
        [m/s] Between the two combs of a cycle: beyond that the spectrum is flagged.
    """

    order: int = Field(default=4, ge=1, le=9)
    oldest: float = Field(default=600.0, gt=0)
    most_drift: float = Field(default=30.0, gt=0)


class Found(NamedTuple):
    """What an exposure of the comb says: when, seconds after the Sun's, and which wavelengths."""

    seconds: float
    solution: Solution
    spoilt: int


class Wavelengths(NamedTuple):
    """For the Sun's exposure: coefficients, drift in m/s an hour (`None`: not known), doubts about them."""

    coefficients: facts.F64
    drift: float | None
    age: float
    doubts: tuple[tuple[str, str], ...]
    trusted: bool


def _of_one(params: CalibrateParams, shape: tuple[int, ...]) -> tuple[int, ...]:
    return shape[1:]


@gather(
    "calibrate_wavelength",
    version=1,
    prstep="SPECTRAL-COORDINATE-CORRECTION",
    instrument="kis_lars",
    takes=("DN",),
    dims=("wavelength",),
    memory_factor=4.0,
    libraries=("numpy",),
    output_shape=_of_one,
    output_dims=lambda params, dims: dims[1:],
)
def calibrate_wavelength(frames: Sequence[Frame], params: CalibrateParams, references: References) -> Frame:
    """Fit the lines of the combs before and after the Sun's exposure, and go through time between them.

    Wavelengths are those in vacuum, as they came to the telescope; their polynomial is kept in the header
    (DSPC0 …, Chebyshev, the detector from -1 to 1) with double precision.
    """
    sun = _the_sun(frames)
    at = facts.middle(sun)
    found, doubts = _combs(frames, sun, at, params)
    solved = _through_time(found, params)
    quality = sun.quality.copy()
    doubts = [*doubts, *solved.doubts]
    if not solved.trusted:
        quality |= np.uint16(Quality.LOW_CONFIDENCE)
    made = sun.replace(quality=quality, header=sun.header.copy())
    _write(made, found, solved, at, params)
    for sentence, mode in doubts:
        made = made.with_caveat(sentence, mode=mode)
    return made


def _the_sun(frames: Sequence[Frame]) -> Frame:
    suns = [frame for frame in frames if facts.phase(frame) == facts.SUN]
    if len(suns) != 1:
        raise BadInput(
            "a cycle has one exposure of the Sun",
            file=frames[0].source,
            keyword="PHASE",
            found=", ".join(facts.phase(frame) for frame in frames),
            advice="ingest the Sun's exposure of this cycle, or leave its combs out",
        )
    if not np.isfinite(suns[0].data).any():
        raise BadInput(
            "the Sun's exposure has no value",
            file=suns[0].source,
            keyword="PHASE",
            found="no pixel is a number",
            advice="fetch the file again, or leave the cycle out",
        )
    return suns[0]


def _combs(
    frames: Sequence[Frame], sun: Frame, at: datetime, params: CalibrateParams
) -> tuple[list[Found], list[tuple[str, str]]]:
    """The combs that can be used, in the order of time, and sentences about those that cannot."""
    found, doubts, refused = [], [], []
    there = {facts.phase(frame): frame for frame in frames if frame is not sun}
    for phase in (facts.BEFORE, facts.AFTER):
        if phase not in there:
            refused.append(f"there is no comb {phase} the Sun's exposure")
            continue
        try:
            found.append(_solved(there[phase], at, params.order))
        except NoComb as error:
            refused.append(f"the comb {phase} the Sun's exposure cannot be used: {error}")
    if not found:
        raise BadInput(
            "no exposure of the comb gives this spectrum its wavelengths",
            file=sun.source,
            keyword="PHASE",
            found="; ".join(refused),
            advice="observe the comb within some minutes of the Sun, and look at its exposures",
        )
    doubts += [(sentence, "ONE-COMB") for sentence in refused]
    doubts += [
        (f"{one.spoilt} lines of a comb are saturated or lost and were left out", "LINES-LEFT-OUT")
        for one in found
        if one.spoilt
    ]
    return sorted(found, key=lambda one: one.seconds), doubts


def _solved(frame: Frame, at: datetime, order: int) -> Found:
    comb = Comb(frame.keyword("COMBF0", float), frame.keyword("COMBFREP", float))
    bad = flagged(frame.quality, Quality.MISSING | Quality.SATURATED)
    lines = measure(frame.data.astype(np.float64), bad, comb, facts.nominal(frame))
    solution = solve(lines, comb, len(frame.data), order)
    return Found((facts.middle(frame) - at).total_seconds(), solution, lines.spoilt)


def _through_time(found: Sequence[Found], params: CalibrateParams) -> Wavelengths:
    """Wavelengths at the time of the Sun's exposure, second 0."""
    nearest = min(found, key=lambda one: abs(one.seconds))
    doubts: list[tuple[str, str]] = []
    moved = rate = None
    coefficients = nearest.solution.coefficients
    if len(found) == 2:
        first, last = found
        apart = last.seconds - first.seconds
        moved = drift(first.solution, last.solution)
        rate = moved / apart * _HOUR if apart > 0 else None
        share = -first.seconds / apart if apart > 0 else -1.0
        if 0.0 <= share <= 1.0:
            coefficients = (1 - share) * first.solution.coefficients + share * last.solution.coefficients
        else:
            doubts.append(
                (
                    "the Sun's exposure does not lie between its combs: the nearer one was taken",
                    "EXTRAPOLATED",
                )
            )
    else:
        doubts.append(
            ("wavelengths are those of one comb: a drift of the spectrograph is not known", "EXTRAPOLATED")
        )
    between = not any(mode == "EXTRAPOLATED" for _, mode in doubts)
    age = max(abs(one.seconds) for one in found) if between else abs(nearest.seconds)
    if age > params.oldest:
        doubts.append((f"the comb is {age:.0f} s away from the Sun's exposure", "OLD-COMB"))
    if moved is not None and abs(moved) > params.most_drift:
        doubts.append(
            (f"the spectrograph drifted by {moved:.1f} m/s between the two combs, taken as steady", "DRIFT")
        )
    trusted = not {"EXTRAPOLATED", "OLD-COMB", "DRIFT"} & {mode for _, mode in doubts}
    return Wavelengths(coefficients, rate, age, tuple(doubts), trusted)


def _write(
    made: Frame, found: Sequence[Found], solved: Wavelengths, at: datetime, params: CalibrateParams
) -> None:
    header = made.header
    header["DATE-AVG"] = (
        at.replace(tzinfo=None).isoformat(timespec="milliseconds"),
        "middle of the exposure",
    )
    header["DSPORD"] = (params.order, "order of the dispersion's polynomial")
    for number, value in enumerate(solved.coefficients):
        header[f"DSPC{number}"] = (float(value), "[Angstrom] Chebyshev, -1 to 1")
    header["DSPNCOMB"] = (len(found), "exposures of the comb used")
    header["DSPLINES"] = (min(one.solution.lines for one in found), "lines of the comb used")
    header["DSPRMS"] = (
        round(max(one.solution.residual for one in found), 4),
        "[m/s] residuals of the comb, rms",
    )
    header["DSPERR"] = (
        round(max(one.solution.error for one in found), 4),
        "[m/s] error of the dispersion",
    )
    header["COMBAGE"] = (round(solved.age, 3), "[s] from the Sun to the comb, at most")
    header["COMBFWHM"] = (round(found[0].solution.width, 3), "[pixel] width of a line of the comb")
    if solved.drift is not None:
        header["DSPDRIFT"] = (round(solved.drift, 3), "[m/s per hour] drift of the spectrograph")
    header["SNR"] = (round(_signal_to_noise(made), 1), "of a pixel in the continuum")
    header["DOPPLER"] = (1.0, "observed over true wavelengths")
    header["SPECSYS"] = ("TOPOCENT", "wavelengths are those at the telescope")
    header["VELOSYS"] = (0.0, "[m/s] taken out of the wavelengths")


def _signal_to_noise(frame: Frame) -> float:
    """Of a bright pixel: noise from pixels two apart, between which no line changes; it goes as √signal."""
    values = frame.data.astype(np.float64)
    values = values[np.isfinite(values) & (values > 0)]
    if len(values) < 16:
        return 0.0
    bright = values > 0.8 * np.percentile(values, 98.0)
    second = np.abs(2.0 * values[2:-2] - values[:-4] - values[4:])
    near = bright[2:-2] & bright[:-4] & bright[4:]
    noise = _TO_SIGMA * float(np.median(second[near])) if near.any() else 0.0
    return float(np.median(values[bright])) / noise if noise > 0 else 0.0
