"""Calibration constants of C2 and C3, each with its source.

All numbers stand in science.md §2 and kis_lasco.md §1, which took them from the mission's programs:
``offset_bias.pro`` 1.26 and the later table of its Python port, ``c2_calfactor.pro`` 1.9,
``c3_calfactor.pro`` 1.17, ``distortion_coeffs.pro``, ``occltr_cntr.pro``, ``get_sun_center.pro``. The
photometry of C3 is due to Thernisien et al. 2006.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

Detector = Literal["C2", "C3"]

#: Pixels along a side of the CCD, and along one of the blocks that telemetry is sent in.
CCD_SIZE: Final = 1024
BLOCK: Final = 32
#: Columns and rows of the read-out that the image begins with: 20 columns of underscan, rows counted from 1.
FIRST_COLUMN: Final = 20
FIRST_ROW: Final = 1
#: Largest number of the 14-bit converter.
LARGEST_NUMBER: Final = 16383.0
#: Width of a CCD pixel in the polynomials of the distortion, mm.
PIXEL_MM: Final = 0.021
#: Pixels of the CCD between the control points of the distortion.
GRID: Final = 32

#: Arcseconds per CCD pixel (subtense.pro).
PLATE_SCALE: Final[dict[Detector, float]] = {"C2": 11.9, "C3": 56.0}
#: Displacement in mm of what is mm from the optical centre: odd powers of the distance
#: (distortion_coeffs.pro).
DISTORTION: Final[dict[Detector, tuple[float, float, float]]] = {
    "C2": (5.1344125e-3, -1.2233862e-4, 1.0978595e-7),
    "C3": (-0.0151657, 1.65455e-4, 0.0),
}
#: Centre of the optics, CCD pixels counted from 0 (occltr_cntr.pro, "default"), where no file says better.
OPTICAL_CENTRE: Final[dict[Detector, tuple[float, float]]] = {
    "C2": (512.634, 505.293),
    "C3": (516.284, 529.489),
}
#: Sun's centre, CCD pixels counted from 0, and roll in degrees, where no table says better: the mission's
#: medians (get_sun_center.pro, get_roll_or_xy.pro).
SUN_MEDIAN: Final[dict[Detector, tuple[float, float, float]]] = {
    "C2": (510.2, 506.5, 0.5),
    "C3": (518.2, 532.5, -0.23),
}

#: Bias of the read-out ports other than C, DN.
_OTHER_PORTS: Final[dict[Detector, dict[str, float]]] = {
    "C2": {"A": 364.0, "B": 540.0, "D": 526.0},
    "C3": {"A": 314.0, "B": 346.0, "D": 283.0},
}


@dataclass(frozen=True)
class BiasPiece:
    """Bias of port C on the days before `until`: a polynomial in days since `since`."""

    until: float
    since: int
    terms: tuple[float, ...]


_END: Final = float("inf")
#: Modified Julian days (science.md §2, "offset_bias").
BIAS: Final[dict[Detector, tuple[BiasPiece, ...]]] = {
    "C2": (
        BiasPiece(51058, 50079, (470.97732, 0.12792513, -3.6621933e-5)),
        BiasPiece(51819, 51099, (551.67277, 0.091365902, -1.2637790e-4, 7.4049597e-8)),
        BiasPiece(51915, 51558, (574.5788, 0.019772032)),
        BiasPiece(54792, 51915, (581.81517, 0.019221920, -2.3110489e-6)),
        BiasPiece(55044, 54792, (617.70556, 0.010290491, -6.0131545e-6)),
        BiasPiece(56450, 55044, (619.99733, 0.0059081617, -3.3932229e-7)),
        BiasPiece(57388, 56450, (627.61246, 0.0049003351, -5.3812001e-7)),
        BiasPiece(58571, 57290, (631.20515, 0.0056815108, -1.3439596e-6)),
        BiasPiece(58802, 58578, (651.50189, -0.028926206, 7.8531807e-5, -5.8964538e-8)),
        BiasPiece(_END, 58802, (648.41904, -0.0020514176, 1.8072963e-5)),
    ),
    "C3": (
        BiasPiece(50072, 50072, (319.0,)),
        BiasPiece(51058, 50072, (322.21639, 0.011775379, 4.4256968e-5, -3.167423e-8)),
        BiasPiece(51697, 51099, (354.50857, 0.062196067, -8.8114799e-5, 5.0505447e-8)),
        BiasPiece(51915, 51558, (369.02719, 0.014994955, -4.0873204e-6)),
        BiasPiece(54792, 51915, (374.11139, 0.010731823, -1.0726207e-6)),
        BiasPiece(55044, 54792, (395.85091, 0.0079344115, -6.2530780e-6)),
        BiasPiece(56170, 55044, (397.52040, 0.0040765192)),
        BiasPiece(56360, 56170, (407.04606, -0.024819780, 1.1694347e-4)),
        BiasPiece(56478, 56360, (406.01009, 0.0046765547, -9.912626e-7)),
        BiasPiece(56597, 56478, (406.72179, 0.0045780623, -2.3134855e-6)),
        BiasPiece(57024, 56597, (406.77706, 0.0040538719, -1.6571028e-6)),
        BiasPiece(_END, 57024, (408.38117, 0.0027558157, -1.3694218e-7)),
    ),
}


def bias(detector: Detector, port: str, mjd: int) -> float | None:
    """Bias of one CCD pixel in DN on a day; `None` for a port that is none."""
    if port != "C":
        return _OTHER_PORTS[detector].get(port)
    piece = next(one for one in BIAS[detector] if mjd < one.until)
    days = float(mjd - piece.since)
    return float(sum(term * days**power for power, term in enumerate(piece.terms)))


#: What the polarisers let through, as a factor of the clear position ("absolute value of +60").
_POLARISER: Final = 0.25256
#: Factors of the polarisers at 0 and -60 degrees beside that at +60 (c3_calfactor.pro; those of C2 are
#: alike).
_ANGLES: Final[dict[str, dict[str, float]]] = {
    "ORANGE": {"0DEG": 0.9648, "-60DEG": 1.0798},
    "BLUE": {"0DEG": 0.9734, "-60DEG": 1.0613},
    "CLEAR": {"0DEG": 0.9832, "-60DEG": 1.0235},
    "DEEPRD": {"0DEG": 0.9983, "-60DEG": 1.0300},
    "IR": {"0DEG": 0.9833, "-60DEG": 1.0288},
}
_POLARISERS: Final = ("+60DEG", "0DEG", "-60DEG")


def _clear_factor(detector: Detector, colour: str, mjd: int) -> float | None:
    """Factor of a colour with nothing in the polariser wheel, in 1e-10 MSB per DN/s."""
    if detector == "C2":
        if colour == "ORANGE":
            return 4.60403e-7 * mjd + 0.0374116
        return {"BLUE": 0.1033, "DEEPRD": 0.1033, "HALPHA": 0.01055, "LENS": 0.01055}.get(colour)
    if colour == "CLEAR":
        return 7.43e-8 * (mjd - 50000) + 5.96e-3
    return {"ORANGE": 0.0297, "BLUE": 0.0975, "DEEPRD": 0.0259, "IR": 0.0887}.get(colour)


def calibration_factor(detector: Detector, colour: str, polariser: str, mjd: int) -> float | None:
    """MSB that one DN/s of one CCD pixel stands for.

    Parameters
    ----------
    detector
        Camera.
    colour, polariser
        Positions of the wheels, in capitals and without blanks (`word`).
    mjd
        Modified Julian day of the exposure; Orange of C2 and Clear of C3 lose sensitivity with the years.

    Returns
    -------
    float or None
        `None` where the mission's programs have no factor: a colour the camera does not have, or a position
        of the polariser wheel they give 0.
    """
    clear = _clear_factor(detector, colour, mjd)
    if clear is None:
        return None
    factor: float | None = clear
    if polariser in _POLARISERS:
        angle = _ANGLES[colour].get(polariser, 1.0) if detector == "C3" else 1.0
        factor = clear / _POLARISER * angle
    elif (detector, colour) == ("C3", "CLEAR") and polariser in ("H_ALPHA", "HALPHA"):
        factor = 1.541
    elif polariser != "CLEAR" and (detector, colour) in (("C3", "CLEAR"), ("C2", "DEEPRD")):
        factor = None
    return None if factor is None else factor * 1e-10


def word(value: str) -> str:
    """A position of a wheel as the tables have it: capitals, no blanks."""
    return "".join(value.upper().split())


#: Colours whose factors the mission's own source calls wrong (c2_calfactor.pro).
DOUBTED: Final = (("C2", "HALPHA"), ("C2", "LENS"))
#: What was computed of polarised images holds neither bias nor ramp (c2_calibrate.pro, c3_calibrate.pro).
DERIVED: Final = frozenset({"PB", "TI", "UP", "JY", "JZ", "QS", "US", "QT", "JR", "JT"})


def displacement(detector: Detector, distance: float) -> float:
    """CCD pixels by which the distortion moves what is `distance` CCD pixels from the optical centre."""
    mm = PIXEL_MM * distance
    first, third, fifth = DISTORTION[detector]
    return mm * (first + third * mm**2 + fifth * mm**4) / PIXEL_MM


#: Largest value of packed C3 Clear images, MSB (reduce_level_1.pro 1.68).
PACKED_LARGEST: Final = 6.5e-9
