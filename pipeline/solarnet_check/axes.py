"""Coordinate systems: complete, and consistent in themselves."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import Final

import astropy.units as u
import numpy as np

from pipeline.solarnet_check.file import FitsFile
from pipeline.solarnet_check.finding import Finding
from pipeline.solarnet_check.header import Hdu, shown
from pipeline.solarnet_check.keywords import needed_grade
from pipeline.solarnet_check.kinds import is_spectral, is_time
from pipeline.solarnet_check.systems import System, axes_of, systems
from pipeline.solarnet_check.times import check_axis
from pipeline.solarnet_check.units import check_unit, is_a

_SECTION: Final = "FITS 8.2"
#: FITS standard 4.0, table 23, and the look-up of coordinates in tables.
_PROJECTIONS: Final = frozenset(
    [
        "AZP",
        "SZP",
        "TAN",
        "STG",
        "SIN",
        "ARC",
        "ZPN",
        "ZEA",
        "AIR",
        "CYP",
        "CEA",
        "CAR",
        "MER",
        "SFL",
        "PAR",
        "MOL",
        "AIT",
        "COP",
        "COE",
        "COD",
        "COO",
        "BON",
        "PCO",
        "TSC",
        "CSC",
        "QSC",
        "HPX",
        "XPH",
        "TAB",
    ]
)
#: Of registered and common conventions, which the standard does not have.
_CONVENTIONS: Final = frozenset(("TPV", "TPD", "TPU", "TNX", "ZPX", "TPA", "TPC", "DSS"))
#: Celestial coordinates that only make sense together.
_PAIRS: Final = {"RA": "DEC", "HCCX": "HCCY", "SOLX": "SOLY"}
_LONGITUDES: Final = re.compile(r"([A-Z]{2}LN|[A-Z]LON)")
_LATITUDES: Final = re.compile(r"([A-Z]{2}LT|[A-Z]LAT)")
_OLD_NAMES: Final = re.compile(r"SOLAR[-_]?[XY]|(X|Y)?ARCSEC|HELIO.*", re.IGNORECASE)
#: A matrix whose determinant is this small beside its entries turns everything onto a line.
_SINGULAR: Final = 1e-10
_STOKES: Final = (-8, 4)
_RIGHT: Final = 90.0
#: Degrees by which an old CROTA may differ from the matrix beside it.
_TURNED: Final = 0.01


def check(hdu: Hdu, file: FitsFile) -> Iterator[Finding]:
    """What rules about coordinates find in one HDU with data."""
    if not hdu.shape:
        return
    found = list(systems(hdu))
    if not any(system.letter == "" for system in found) and hdu.index in file.observing:
        advice = "write CTYPEi, CUNITi, CRPIXj, CRVALi and CDELTi for every axis"
        yield hdu.find(
            needed_grade(hdu, "full"),
            "CTYPE1",
            "no coordinates",
            "a coordinate system",
            advice,
            "SOLARNET 15.2",
        )
    yield from _count(hdu, found)
    for system in found:
        if hdu.index in file.observing:
            yield from _complete(hdu, system)
            yield from check_axis(hdu, system)
        yield from _matrix(hdu, system)
        yield from _pairs(hdu, system)
        for axis in system.axes:
            yield from _type(hdu, system, axis)
            yield from _unit(hdu, system, axis)
            yield from _values(hdu, system, axis)
            yield from _looked_up(hdu, system, axis, file)


def _count(hdu: Hdu, found: list[System]) -> Iterator[Finding]:
    for system in found:
        keyword = f"WCSAXES{system.letter}"
        said = hdu.get(keyword)
        if said is None:
            continue
        highest = axes_of(hdu, system.letter)
        if hdu.whole(keyword) is not None and highest > (hdu.whole(keyword) or 0):
            advice = "WCSAXES is the number of coordinates, and may be more than the data's axes"
            yield hdu.error(
                keyword, shown(said), f"{highest} at least: so many axes have cards", advice, _SECTION
            )
        names = list(hdu.values)
        first = next(
            (name for name in names if re.fullmatch(rf"(CTYPE|CRPIX|CRVAL|CDELT)\d+{system.letter}", name)),
            keyword,
        )
        if names.index(first) < names.index(keyword):
            advice = "move it before them"
            yield hdu.warning(
                keyword, f"behind {first}", "before all other cards of its system", advice, _SECTION
            )


def _complete(hdu: Hdu, system: System) -> Iterator[Finding]:
    needed = ["CTYPE", "CUNIT", "CRPIX", "CRVAL", *([] if system.has("CD") else ["CDELT"])]
    for axis in system.axes:
        if not hdu.says(system.name("CTYPE", axis)) and axis > max(
            len(hdu.shape), axes_of(hdu, system.letter)
        ):
            continue
        for keyword in needed:
            name = system.name(keyword, axis)
            if hdu.says(name) or (keyword == "CUNIT" and system.kind(axis) in ("STOKES", "PIXEL", "COMPLEX")):
                continue
            advice = "write it; readers put defaults of their own in its place"
            grade = needed_grade(hdu, "full" if not system.letter else "wanted")
            yield hdu.find(grade, name, "absent", "a value", advice, "SOLARNET 15.2")


def _matrix(hdu: Hdu, system: System) -> Iterator[Finding]:
    if system.has("PC") and system.has("CD"):
        advice = "leave PCi_j with CDELTi, or CDi_j alone"
        yield hdu.error(f"CD1_1{system.letter}", "CDi_j beside PCi_j", "one matrix", advice, _SECTION)
        return
    matrix = system.matrix()
    if matrix is None:
        return
    size = np.abs(matrix).max(axis=1, initial=0.0)
    if (
        not np.isfinite(matrix).all()
        or (size == 0).any()
        or abs(np.linalg.det(matrix / size[:, None])) < _SINGULAR
    ):
        name = next(
            (system.name("CDELT", axis) for axis in system.axes if system.number("CDELT", axis) == 0), ""
        )
        keyword = name or f"{'CD' if system.has('CD') else 'PC'}1_1{system.letter}"
        advice = "an axis whose steps are zero, or two that run alike, lead nowhere: correct the numbers"
        yield hdu.error(keyword, "a matrix that cannot be inverted", "one that can", advice, _SECTION)
    yield from _turned(hdu, system)


def _turned(hdu: Hdu, system: System) -> Iterator[Finding]:
    """CROTA beside a matrix: the standard forbids it, and where both differ readers differ too."""
    old = next((name for name in ("CROTA2", "CROTA1", "CROTA") if hdu.number(name) is not None), None)
    if old is None or system.letter or not (system.has("PC") or system.has("CD")):
        return
    matrix = system.matrix()
    said = hdu.number(old) or 0.0
    if matrix is None or len(matrix) < 2:
        return
    # An old rotation turns square pixels; of others, and of mirrored ones, it is not to be compared.
    angle = math.degrees(math.atan2(matrix[1, 0], matrix[1, 1]))
    away = abs((angle - said + 180.0) % 360.0 - 180.0)
    if away > _TURNED and np.linalg.det(matrix[:2, :2]) > 0:
        advice = "take it away: the matrix counts"
        yield hdu.warning(
            old,
            f"{said:g} degrees beside a matrix that turns by {angle:.6g}",
            "no CROTA beside PCi_j",
            advice,
            _SECTION,
        )
    else:
        yield hdu.note(old, f"{said:g} beside a matrix", "no CROTA beside PCi_j", "take it away", _SECTION)


def _type(hdu: Hdu, system: System, axis: int) -> Iterator[Finding]:
    name, text = system.name("CTYPE", axis), system.text("CTYPE", axis).upper()
    if _OLD_NAMES.fullmatch(text):
        advice = "write HPLN-TAN and HPLT-TAN for what is seen on the sky about the Sun"
        yield hdu.warning(
            name, shown(hdu.get(name)), "a coordinate of the standard", advice, "Thompson 2006, 3"
        )
        return
    match = re.fullmatch(r"([A-Z0-9_]{1,4})-+([A-Z0-9]{3})(-SIP)?", text)
    if match is None or is_spectral(match[1]) or is_time(match[1]):
        return
    code = match[2]
    celestial = _partner(match[1]) is not None
    if code in _CONVENTIONS or match[3]:
        advice = "readers that know the standard alone take it for the plain projection, or for none"
        yield hdu.note(name, shown(hdu.get(name)), "a projection of the standard", advice, "FITS 8.3")
    elif celestial and code not in _PROJECTIONS:
        advice = "correct the last three letters; most solar images are TAN"
        yield hdu.error(
            name, shown(hdu.get(name)), "a projection of FITS standard 4.0, table 23", advice, "FITS 8.3"
        )


def _partner(kind: str) -> str | None:
    """The coordinate that belongs to another one on a sphere, or in a plane."""
    both = _PAIRS | {second: first for first, second in _PAIRS.items()}
    if kind in both:
        return both[kind]
    if _LONGITUDES.fullmatch(kind):
        return kind.replace("LN", "LT") if kind.endswith("LN") else kind.replace("LON", "LAT")
    if _LATITUDES.fullmatch(kind):
        return kind.replace("LT", "LN") if kind.endswith("LT") else kind.replace("LAT", "LON")
    return None


def _pairs(hdu: Hdu, system: System) -> Iterator[Finding]:
    kinds = {axis: system.kind(axis) for axis in system.axes}
    for axis, kind in kinds.items():
        partner = _partner(kind)
        if partner is None or system.is_table(axis):
            continue
        name = system.name("CTYPE", axis)
        others = [other for other, its in kinds.items() if its == partner]
        if len(others) != 1:
            found = f"{shown(hdu.get(name))} beside {len(others) or 'no'} {partner}"
            advice = (
                "a longitude and a latitude are projected together; of one pixel's width they are written too"
            )
            yield hdu.error(name, found, f"one axis of {partner}", advice, "FITS 8.3")
        elif others[0] > axis and _code(system, axis) != _code(system, others[0]):
            found = f"{system.text('CTYPE', axis)} beside {system.text('CTYPE', others[0])}"
            yield hdu.error(name, found, "one projection for both", "correct one of the two", "FITS 8.3")
        elif others[0] > axis and system.text("CUNIT", axis) != system.text("CUNIT", others[0]):
            found = f"{system.text('CUNIT', axis)} beside {system.text('CUNIT', others[0])}"
            advice = "write both in the same unit"
            yield hdu.warning(
                system.name("CUNIT", axis), found, "one unit for both", advice, "Thompson 2006, 2"
            )


def _code(system: System, axis: int) -> str:
    return system.text("CTYPE", axis).upper()[-3:] if "-" in system.text("CTYPE", axis) else ""


def _unit(hdu: Hdu, system: System, axis: int) -> Iterator[Finding]:
    name, kind = system.name("CUNIT", axis), system.kind(axis)
    yield from check_unit(hdu, name)
    text = system.text("CUNIT", axis)
    wanted = _wanted_unit(kind)
    if text and wanted is not None and not is_a(text, wanted[0]):
        advice = f"coordinates of {kind} are measured in {wanted[1]}"
        yield hdu.error(name, shown(hdu.get(name)), wanted[1], advice, _SECTION)


def _wanted_unit(kind: str) -> tuple[u.UnitBase, str] | None:
    if kind in ("RA", "DEC") or _LONGITUDES.fullmatch(kind) or _LATITUDES.fullmatch(kind):
        return u.deg, "an angle, as deg or arcsec"
    if kind in ("WAVE", "AWAV"):
        return u.m, "a length, as m or nm"
    if kind == "FREQ":
        return u.Hz, "a frequency, as Hz"
    if kind in ("VELO", "VRAD", "VOPT"):
        return u.m / u.s, "a speed, as m/s"
    return (u.s, "a time, as s") if is_time(kind) else None


def _values(hdu: Hdu, system: System, axis: int) -> Iterator[Finding]:
    kind, value, name = system.kind(axis), system.number("CRVAL", axis), system.name("CRVAL", axis)
    if value is None:
        return
    if (kind == "DEC" or _LATITUDES.fullmatch(kind)) and is_a(system.text("CUNIT", axis) or "deg", u.deg):
        degrees = float(u.Unit(system.text("CUNIT", axis) or "deg").to(u.deg) * value)
        if abs(degrees) > _RIGHT:
            advice = "correct the number, or its unit"
            yield hdu.error(
                name, f"{degrees:g} degrees", "a latitude from -90 to 90 degrees", advice, "FITS 8.3"
            )
    span = None if system.is_table(axis) else system.span(axis)
    if span is None:
        return
    if kind == "STOKES":
        yield from _stokes(hdu, name, span)
    elif kind in ("WAVE", "AWAV", "FREQ") and min(span) <= 0:
        advice = "correct CRVAL, CRPIX or CDELT of the axis"
        yield hdu.error(
            name, f"an axis from {span[0]:.6g} to {span[1]:.6g}", "values above zero", advice, "FITS 8.4"
        )


def _stokes(hdu: Hdu, name: str, span: tuple[float, float]) -> Iterator[Finding]:
    low, high = _STOKES
    whole = all(abs(value - round(value)) < 1e-6 and low <= round(value) <= high for value in span)
    if not whole or round(span[0]) * round(span[1]) <= 0:
        advice = "1, 2, 3, 4 stand for I, Q, U, V"
        found = f"an axis from {span[0]:g} to {span[1]:g}"
        yield hdu.error(name, found, "whole numbers from 1 to 4, or from -1 to -8", advice, "FITS 8.5")


def _looked_up(hdu: Hdu, system: System, axis: int, file: FitsFile) -> Iterator[Finding]:
    """A table of coordinates that the file should hold."""
    if not system.is_table(axis) or not file.complete:
        return
    keyword = f"PS{axis}_0{system.letter}"
    table, column = hdu.text(keyword), hdu.text(f"PS{axis}_1{system.letter}")
    if not table or table not in file.by_name:
        advice = "name the extension that holds the coordinates"
        yield hdu.error(
            keyword, shown(hdu.get(keyword)), "the EXTNAME of a table of this file", advice, "FITS 8.2"
        )
    elif column not in file.columns(table):
        advice = "name the column that holds the coordinates"
        keyword = f"PS{axis}_1{system.letter}"
        yield hdu.error(keyword, shown(column), f"a column of {table}", advice, "FITS 8.2")
