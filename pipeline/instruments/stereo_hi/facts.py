"""What a HI header says, read once and in one place.

Section numbers of science.md are given where a rule comes from it; "§1"
always means its chapter on HI level 0 to 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Literal

from pipeline.errors import BadInput
from pipeline.frame import Frame
from pipeline.instrument import parse_date

#: STEREO-A flew rolled by 180° between these dates. Sources disagree on the first (§1, "Post-conjunction
#: boundaries disagree": 2015-05-19 in hi_desmear, 2015-07-01 in another port). The earlier one is taken
#: because hi_desmear is the program that uses it for the smear itself; dates decide only where the
#: header does not.
ROLLED_FROM: Final = datetime(2015, 5, 19, tzinfo=UTC)
ROLLED_UNTIL: Final = datetime(2023, 8, 12, tzinfo=UTC)
_DISPUTED_UNTIL: Final = datetime(2015, 7, 1, tzinfo=UTC)

#: Seconds the ground software takes for a clear when it computes EXPTIME (the headers' own comment,
#: "Est. clear duration = 0.700000 sec."; §1, d = EXPTIME + N (0.70 − CLEARTIM + RO_DELAY)).
ESTIMATED_CLEAR: Final = 0.70

#: On-board codes "HI SPW divide by 64" of HI-1 and HI-2 (§1, "SEB-IP undo").
BEACON_CODES: Final = frozenset({16, 17})

Detector = Literal["HI1", "HI2"]
Spacecraft = Literal["A", "B"]


@dataclass(frozen=True)
class Orientation:
    """Whether the stored image is turned by 180° against the readout, and how that is known."""

    turned: bool
    evidence: str
    doubt: str = ""


def detector(frame: Frame) -> Detector:
    """The camera.

    Raises
    ------
    BadInput
        When DETECTOR is neither HI1 nor HI2.
    """
    found = frame.keyword("DETECTOR", str)
    if found == "HI1":
        return "HI1"
    if found == "HI2":
        return "HI2"
    raise BadInput(
        "this is no image of a heliospheric imager",
        file=frame.source,
        keyword="DETECTOR",
        found=found,
        advice="use a recipe of the instrument that took it",
    )


def spacecraft(frame: Frame) -> Spacecraft:
    """The spacecraft, A (ahead) or B (behind).

    Raises
    ------
    BadInput
        When OBSRVTRY is neither STEREO_A nor STEREO_B.
    """
    found = frame.keyword("OBSRVTRY", str)
    if found == "STEREO_A":
        return "A"
    if found == "STEREO_B":
        return "B"
    raise BadInput(
        "OBSRVTRY names no STEREO spacecraft",
        file=frame.source,
        keyword="OBSRVTRY",
        found=found,
        advice="correct the header",
    )


def images_summed(frame: Frame) -> int:
    """Exposures added up on board (N_IMAGES), at least 1.

    Raises
    ------
    BadInput
        When N_IMAGES is absent or below 1.
    """
    number = frame.keyword("N_IMAGES", int)
    if number < 1:
        raise BadInput(
            "an image of no exposures cannot be normalised",
            file=frame.source,
            keyword="N_IMAGES",
            found=number,
            advice="correct N_IMAGES, or leave the file out",
        )
    return number


def binning(frame: Frame, keyword: Literal["IPSUM", "SUMMED"] = "IPSUM") -> int:
    """CCD pixels per image pixel along one axis, 2^(IPSUM − 1) (or of SUMMED).

    Raises
    ------
    BadInput
        When the keyword is absent or no plausible power.
    """
    power = frame.keyword(keyword, float)
    factor = 2 ** (power - 1)
    if not 1 <= factor <= 64 or factor != int(factor):
        raise BadInput(
            "the image is summed by no power of two",
            file=frame.source,
            keyword=keyword,
            found=power,
            advice=f"correct {keyword}; 1 means no summing, 2 means 2 × 2 pixels",
        )
    return int(factor)


def codes(frame: Frame) -> list[int]:
    """The on-board image-processing codes of IP_00_19, in order, without the zeros that fill it up.

    The text holds 20 codes of three characters, right-aligned; FITS may have
    cost it leading blanks. What stands before code 117 belongs to another
    product of the same exposure (§1, "SEB-IP undo").

    Raises
    ------
    BadInput
        When the text is not made of numbers.
    """
    text = str(frame.header.get("IP_00_19", ""))
    padded = text.rjust(60)
    try:
        found = [int(padded[i : i + 3].strip() or 0) for i in range(0, len(padded), 3)]
    except ValueError as error:
        raise BadInput(
            "the list of on-board processing codes cannot be read",
            file=frame.source,
            keyword="IP_00_19",
            found=repr(text),
            advice="correct the header; it should hold 20 numbers of three characters each",
        ) from error
    if 117 in found:
        found = found[found.index(117) :]
    return [code for code in found if code]


def is_beacon(frame: Frame) -> bool:
    """Whether the image went through the division for the space-weather beacon (codes 16 and 17)."""
    return bool(BEACON_CODES & set(codes(frame)))


def is_science_sum(frame: Frame) -> bool:
    """Whether the pixels carry a cosmic-ray report: only ``s4h`` files do (§1, "Cosmic-ray report")."""
    name = str(frame.header.get("FILENAME", "")) or frame.source
    return "s4h" in name


def orientation(frame: Frame) -> Orientation:
    """How the stored image lies against the readout of the CCD.

    Level-0 images were turned so that north is up ("rectified", §1): those of
    STEREO-B always, those of STEREO-A while that spacecraft flew rolled. What
    was done stands in RECTROTA; without it, `usual_orientation` is taken.

    Raises
    ------
    BadInput
        When RECTROTA is a rotation HI images never have.
    """
    if not frame.keyword("RECTIFY", bool, default=False):
        return Orientation(turned=False, evidence="RECTIFY=F")
    rotation = frame.header.get("RECTROTA")
    if not isinstance(rotation, (int, float)) or isinstance(rotation, bool):
        return usual_orientation(frame)
    if rotation not in (0, 2):
        raise BadInput(
            "HI images are turned by 180° or not at all",
            file=frame.source,
            keyword="RECTROTA",
            found=rotation,
            advice="correct RECTROTA: 0 (as read out) or 2 (turned by 180°)",
        )
    usual = usual_orientation(frame)
    doubt = ""
    if usual.turned != (rotation == 2) and not usual.evidence.startswith("DATE-OBS"):
        doubt = (
            f"RECTROTA={rotation:g} was believed, though {usual.evidence} tells otherwise how the image lies"
        )
    return Orientation(rotation == 2, f"RECTROTA={rotation:g}", doubt)


def usual_orientation(frame: Frame) -> Orientation:
    """Whether north comes up by turning an image of this camera and time; the frame's own state is not asked.

    STEREO-B: always. STEREO-A: while it flew rolled; the side of the Sun the
    camera looks to (sign of CRVAL1) tells, and without it the date.

    Raises
    ------
    BadInput
        When there is neither CRVAL1 nor a readable DATE-OBS.
    """
    if spacecraft(frame) == "B":
        return Orientation(turned=True, evidence="STEREO-B")
    longitude = frame.header.get("CRVAL1")
    if isinstance(longitude, (int, float)) and abs(longitude) > 1.0:
        return Orientation(longitude > 0, f"CRVAL1={longitude:g}")
    text = frame.keyword("DATE-OBS", str)
    date = parse_date(text)
    if date is None:
        raise BadInput(
            "DATE-OBS is no date, and nothing else tells how the image lies",
            file=frame.source,
            keyword="DATE-OBS",
            found=text,
            advice="write it as YYYY-MM-DDThh:mm:ss.sss, or add RECTROTA",
        )
    doubt = ""
    if ROLLED_FROM <= date < _DISPUTED_UNTIL:
        doubt = "sources disagree whether STEREO-A images of this date are turned; they were taken as turned"
    return Orientation(ROLLED_FROM <= date < ROLLED_UNTIL, f"DATE-OBS={text}", doubt)


def light_window(frame: Frame) -> tuple[slice, slice] | None:
    """The part of the image that saw light, where it has an underscan (§1, "Underscan"); else `None`.

    Raises
    ------
    BadInput
        When DSTART and DSTOP describe no part of the image.
    """
    ny, nx = frame.data.shape
    if ny == nx or frame.keyword("DSTART1", int, default=1) <= 1:
        return None
    x0, x1 = frame.keyword("DSTART1", int) - 1, frame.keyword("DSTOP1", int)
    y0, y1 = frame.keyword("DSTART2", int) - 1, frame.keyword("DSTOP2", int)
    if not (0 <= x0 < x1 <= nx and 0 <= y0 < y1 <= ny):
        raise BadInput(
            "the part of the CCD that saw light does not lie in the image",
            file=frame.source,
            keyword="DSTART1, DSTOP1, DSTART2, DSTOP2",
            found=f"{x0 + 1}, {x1}, {y0 + 1}, {y1} in {nx} × {ny}",
            advice="correct these keywords",
        )
    return slice(y0, y1), slice(x0, x1)
