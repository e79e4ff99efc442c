"""Alignment with a reference frame: roll, and where the Sun's centre is not seen, that too."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, NamedTuple

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray
from pydantic import Field, model_validator

from pipeline.errors import BadInput
from pipeline.frame import Frame
from pipeline.instrument import header_text, parse_date
from pipeline.kernels.roll import Roll, find_roll, ring_places, sampled
from pipeline.kernels.sun import moved
from pipeline.step import Params, ReferenceNeed, References, step
from pipeline.uncertainty import KEPT

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]

#: Days from which on the Sun's rotation between frame and reference is taken out.
_TURNED: Final = 1.0 / 1440.0
#: Samples along a side of the square on which centre and roll are matched, at most; and how often.
_SIDE: Final = 512
_ROUNDS: Final = 5
#: Samples for each unknown below which nothing is matched.
_FEWEST: Final = 20
#: Degrees from where a match begins beyond which it has lost its way.
_NEAR: Final = 6.0
#: The reference frame.
NEED: Final = ReferenceNeed(
    "alignment",
    "an image of the same structures whose coordinates are right, of about the same time: a registered frame "
    "of this telescope or of another one in similar light",
    optional=True,
)


class AlignParams(Params):
    """Parameters of the alignment.

    Attributes
    ----------
    inner, outer
        [Rsun] Of the ring that is compared; below 1 the disk, where the Sun's rotation is taken out.
    clearness
        [1] Height over that of the next peak from which on the turn of best correlation is believed.
    tolerance
        [deg] How far CROTA2 may be off without a caveat.
    shift
        Whether the Sun's centre is taken from the reference too: where no limb is seen.
    most_days
        [d] Largest time between frame and reference.
    """

    inner: float = Field(default=0.15, ge=0)
    outer: float = Field(default=0.93, gt=0)
    clearness: float = Field(default=1.5, gt=1)
    tolerance: float = Field(default=0.1, gt=0)
    shift: bool = False
    most_days: float = Field(default=2.0, gt=0)

    @model_validator(mode="after")
    def _is_a_ring(self) -> AlignParams:
        if self.inner >= self.outer or self.inner < 1.0 < self.outer:
            raise ValueError("the ring lies on the disk or beyond the limb, inner before outer")
        return self


@dataclass(frozen=True)
class Pointing:
    """How an image lies on the sky: the Sun in pixels from 0, CROTA2 and B0 in degrees, time."""

    x: float
    y: float
    radius: float
    roll: float
    date: datetime | None
    tilt: float


class Matched(NamedTuple):
    """A pointing, and one standard deviation of its roll in radians; NaN where there is no match."""

    pointing: Pointing
    error: float


@dataclass(frozen=True)
class Aligned:
    """A reference frame: an image, how it lies, and whether it was simulated."""

    image: F32
    pointing: Pointing
    simulated: bool


def pointing_of(header: fits.Header, source: str = "") -> Pointing:
    """How an image with square pixels, west to the right of north, lies on the sky.

    Raises
    ------
    BadInput
        When the header does not say.
    """
    try:
        factor = 3600.0 if header_text(header, "CUNIT1").lower() == "deg" else 1.0
        scale = [float(header[f"CDELT{axis}"]) * factor for axis in (1, 2)]
        offset = [float(header.get(f"CRVAL{axis}", 0.0)) * factor for axis in (1, 2)]
        roll = float(header.get("CROTA2", 0.0))
        if "PC1_1" in header:
            roll = math.degrees(math.atan2(float(header.get("PC2_1", 0.0)), float(header["PC1_1"])))
        if min(scale) <= 0 or abs(scale[0] / scale[1] - 1.0) > 0.01:
            raise ValueError(f"CDELT1 = {scale[0]:g}, CDELT2 = {scale[1]:g}")
        radius = float(header.get("R_SUN", 0.0)) or float(header["RSUN_OBS"]) / scale[0]
        turn = math.radians(roll)
        west, north = (value / scale[0] for value in offset)
        x = float(header["CRPIX1"]) - 1.0 - (math.cos(turn) * west + math.sin(turn) * north)
        y = float(header["CRPIX2"]) - 1.0 - (-math.sin(turn) * west + math.cos(turn) * north)
    except (KeyError, ValueError, TypeError) as error:
        raise BadInput(
            "the header does not say how the image lies on the Sun",
            file=source,
            keyword="CRPIXi, CDELTi, CROTA2 or PCi_j, R_SUN or RSUN_OBS",
            found=str(error),
            advice="run limb_fit first, or correct the header; pixels have to be square and not mirrored",
        ) from error
    tilt = header.get("HGLT_OBS", header.get("SOLAR_B0", 0.0))
    date = parse_date(header_text(header, "DATE-OBS") or header_text(header, "DATE_OBS"))
    return Pointing(x, y, radius, roll, date, float(tilt) if isinstance(tilt, (int, float)) else 0.0)


def read_reference(path: str) -> Aligned:
    """A reference frame: the first image of a FITS file."""
    with fits.open(path) as hdus:
        unit = next((one for one in hdus if one.header.get("NAXIS", 0) == 2 and one.is_image), None)
        if unit is None:
            raise BadInput("the reference frame holds no image", file=path, advice="add another")
        image = np.ascontiguousarray(unit.data, dtype=np.float32)
        simulated = bool(unit.header.get("SIMULATD", False) or hdus[0].header.get("SIMULATD", False))
        return Aligned(image, pointing_of(unit.header, path), simulated)


@step(
    "align_to_reference",
    version=1,
    prstep="SPATIAL-COORDINATE-CORRECTION",
    memory_factor=2.0,
    libraries=("numpy", "numba", "scipy"),
    needs=(NEED,),
    uncertainty=KEPT,
)
def align_to_reference(frame: Frame, params: AlignParams, references: References) -> Frame:
    """Check CROTA2 by correlation with a reference frame and correct it; where asked, the Sun's centre too.

    Raises
    ------
    BadInput
        When the header does not say where the Sun lies, or the reference is of another time.
    """
    if "alignment" not in references:
        return frame.with_caveat(
            f"align_to_reference: no reference frame was at hand, {_inherited(frame.header)} and was not "
            "checked",
            mode="ROLL-UNCHECKED",
        )
    reference = references["alignment"]
    onto = reference.load(read_reference)
    here = pointing_of(frame.header, frame.source)
    days = _days(frame, here, onto.pointing, params)
    roll = _roll(frame.data, here, onto, params, days)
    clear = roll.clearness >= params.clearness
    if not clear and not params.shift:
        return frame.with_caveat(
            f"align_to_reference: the image is too unlike its reference (clearness {roll.clearness:.1f}); "
            f"{_inherited(frame.header)}",
            mode="ROLL-UNCHECKED",
        )
    found = here
    if params.shift:
        # A smooth corona may look like itself turned: then the match begins where the header has it.
        start = dataclasses.replace(here, roll=roll.degrees if clear else here.roll)
        found, error = _matched(frame.data, start, onto, params, days)
        if math.isnan(error) or abs(found.roll - start.roll) > _NEAR:
            raise BadInput(
                "the image does not match its reference anywhere near",
                file=frame.source,
                keyword="CRPIX1, CRPIX2",
                found=f"{here.x + 1:.1f}, {here.y + 1:.1f}",
                advice="add a reference frame that shows the same structures",
            )
        roll = Roll(math.remainder(found.roll, 360.0), math.degrees(error), roll.clearness)
    made = frame.replace(header=_header(frame.header, here, found, roll, reference.did))
    off = math.remainder(roll.degrees - here.roll, 360.0)
    if abs(off) > params.tolerance:
        made = made.with_caveat(
            f"align_to_reference: CROTA2 of the header was off by {off:+.2f} degrees and was corrected"
        )
    if onto.simulated:
        made = made.with_caveat("the reference frame was simulated", mode="SIMULATED-CALIBRATION")
    return made


def _inherited(header: fits.Header) -> str:
    """What stands for the roll where it is not found."""
    told = any(name in header for name in ("CROTA2", "PC1_1"))
    return (
        "CROTA2 is inherited"
        if told
        else "the header has no CROTA2: north is taken to be up, which is a guess"
    )


def _days(frame: Frame, here: Pointing, there: Pointing, params: AlignParams) -> float:
    """Days from the reference to the frame."""
    if here.date is None or there.date is None:
        return 0.0
    days = (here.date - there.date).total_seconds() / 86400.0
    if abs(days) > params.most_days:
        raise BadInput(
            "the reference frame is of another time: the Sun has other structures by now",
            file=frame.source,
            keyword="DATE-OBS",
            found=f"{abs(days):.3f} days apart, at most {params.most_days:g} are taken",
            advice="add a reference frame of the day to the context, or raise the step's most_days",
        )
    return days


def _places(pointing: Pointing, west: F64, north: F64, roll: float) -> tuple[F64, F64]:
    """Pixels of places on the sky, in radii."""
    turn = math.radians(roll)
    x = math.cos(turn) * west + math.sin(turn) * north
    y = -math.sin(turn) * west + math.cos(turn) * north
    return pointing.x + pointing.radius * x, pointing.y + pointing.radius * y


def _of_reference(onto: Aligned, tilt: float, west: F64, north: F64, days: float, *, disk: bool) -> F32:
    """The reference where the places of a frame were when it was taken."""
    if disk and abs(days) > _TURNED:
        west, north = moved(west, north, math.radians(tilt), -days)
    x, y = _places(onto.pointing, west, north, onto.pointing.roll)
    return sampled(onto.image, x, y)


def _roll(image: F32, here: Pointing, onto: Aligned, params: AlignParams, days: float) -> Roll:
    distance, angle = ring_places(here.radius, params.inner, params.outer)
    west, north = distance * np.cos(angle), distance * np.sin(angle)
    moving = sampled(image, here.x + here.radius * west, here.y + here.radius * north)
    return find_roll(moving, _of_reference(onto, here.tilt, west, north, days, disk=params.outer < 1.0))


def _matched(image: F32, start: Pointing, onto: Aligned, params: AlignParams, days: float) -> Matched:
    """Sun's centre and roll for which the image is the reference times a factor plus a constant.

    The factor may go with twice the position angle and with the distance, as that of a polariser does.
    Least squares on the ring, each pixel over the mean at its distance, so that the inner corona does not
    decide alone; pixels far off (stars, ejections) are left out.
    """
    side = int(min(_SIDE, 2 * params.outer * start.radius))
    spacing = 2 * params.outer / side
    along = (np.arange(side) - (side - 1) / 2) * spacing
    west, north = np.meshgrid(along, along)
    distance = np.hypot(west, north)
    target = _of_reference(onto, start.tilt, west, north, days, disk=params.outer < 1.0)
    up, right = (np.asarray(slope / spacing) for slope in np.gradient(target))
    ring = np.isfinite(target + up + right) & (distance > params.inner) & (distance < params.outer)
    course = _course(target, distance, ring)
    ring &= course > 0
    turning = np.asarray(west * up - north * right)
    double = 2.0 * np.arctan2(north, west)
    free = [np.ones_like(target)]
    for wave in (target * np.cos(double), target * np.sin(double)):
        free += [wave, wave * distance]
    found, error = start, math.nan
    for _ in range(_ROUNDS):
        values = sampled(image, *_places(found, west, north, found.roll))
        used = ring & np.isfinite(values)
        columns = [one[used] for one in (target, right, up, turning, *free)]
        if np.count_nonzero(used) < _FEWEST * len(columns):
            return Matched(start, math.nan)
        design = np.stack(columns, axis=1) / course[used][:, None]
        try:
            factor, shifts, error = _solved(design, values[used] / course[used])
        except np.linalg.LinAlgError:  # the image, or the reference, shows nothing that could be matched
            return Matched(start, math.nan)
        if not factor > 0:
            return Matched(start, math.nan)
        dw, dn, turn = shifts
        roll = math.radians(found.roll)
        found = dataclasses.replace(
            found,
            x=found.x - found.radius * (math.cos(roll) * dw + math.sin(roll) * dn),
            y=found.y - found.radius * (-math.sin(roll) * dw + math.cos(roll) * dn),
            roll=found.roll + math.degrees(turn),
        )
    return Matched(found, error)


def _solved(design: F64, values: F64) -> tuple[float, F64, float]:
    """Factor, shifts (west, north, turn), and one standard deviation of the turn; outliers left out."""
    used = np.ones(values.size, bool)
    for _ in range(3):
        inverse = np.linalg.inv(design[used].T @ design[used])
        solution = inverse @ (design[used].T @ values[used])
        residual = values - design @ solution
        spread = 1.4826 * float(np.median(np.abs(residual[used])))
        used = np.abs(residual) < 4.0 * spread
    return (
        float(solution[0]),
        np.asarray(solution[1:4] / solution[0]),
        float(spread * math.sqrt(inverse[3, 3]) / abs(solution[0])),
    )


def _course(image: F32, distance: F64, known: NDArray[np.bool_]) -> F64:
    """The mean at each distance from the centre."""
    ring = np.minimum((distance * 200).astype(int), 2000)
    number = np.maximum(np.bincount(ring[known], minlength=2001), 1)
    mean = np.bincount(ring[known], image[known].astype(np.float64), minlength=2001) / number
    return np.asarray(mean[ring])


def _header(header: fits.Header, here: Pointing, found: Pointing, roll: Roll, name: str) -> fits.Header:
    result = header.copy()
    for card in ("PC1_1", "PC1_2", "PC2_1", "PC2_2"):
        result.remove(card, ignore_missing=True)
    cards: dict[str, tuple[Any, str]] = {
        "CROTA2": (roll.degrees, "[deg] by correlation with the reference"),
        "ROLLFND": (roll.degrees, "[deg] the same, kept where CROTA2 goes"),
        "CROTAOLD": (here.roll, "[deg] CROTA2 before that"),
        "ROLLERR": (roll.error, "[deg] one standard deviation of CROTA2"),
        "ROLLCLR": (roll.clearness, "peak of the correlation over the next one"),
        "ALIGNREF": (name.partition(":")[2] or name, "reference frame"),
    }
    if found is not here:
        for axis, before, after in ((1, here.x, found.x), (2, here.y, found.y)):
            cards[f"CRPIX{axis}"] = (after + 1.0, "[pixel] centre of the Sun, by the reference")
            cards[f"CRVAL{axis}"] = (0.0, "[arcsec]")
            cards[f"SHIFT{axis}"] = (after - before, "[pixel] by which the header was off")
    for card, value in cards.items():
        result[card] = value
    return result
