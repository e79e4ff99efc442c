"""What an observation says of itself, number against number: wavelengths, binning, where the observer was."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import Final

from pipeline.solarnet_check.finding import Finding
from pipeline.solarnet_check.header import Hdu, shown
from pipeline.solarnet_check.systems import systems
from pipeline.solarnet_check.units import length_exponent

_AU: Final = 149_597_870_700.0  # m; IAU 2012, resolution B2
_EARTH: Final = 6.4e6  # m
#: Shares by which two ways of saying the same may differ.
_SAME: Final = 1e-3
#: Degrees.
_NEAR: Final = 0.01
_ARCSECONDS: Final = 206_264.806
_POLCCONV: Final = re.compile(r"\(\s*[+-]\w+\s*,\s*[+-]\w+\s*,\s*[+-]\w+\s*\)")


def check(hdu: Hdu) -> Iterator[Finding]:
    """What rules about the contents find in one HDU that observes."""
    yield from _range(hdu)
    yield from _medium(hdu)
    yield from _along_axis(hdu)
    yield from _binning(hdu)
    yield from _observer(hdu)
    yield from _polarisation(hdu)


def _range(hdu: Hdu) -> Iterator[Finding]:
    shortest, longest = hdu.number("WAVEMIN"), hdu.number("WAVEMAX")
    if shortest is not None and longest is not None and shortest > longest:
        found = f"{shortest:g} to {longest:g}"
        yield hdu.error("WAVEMIN", found, "no more than WAVEMAX", "exchange the two", "SOLARNET 5.4")
    nominal = hdu.number("WAVELNTH")
    if nominal and shortest is not None and longest is not None and not shortest <= nominal <= longest:
        found = f"{nominal:g} outside {shortest:g} to {longest:g}"
        advice = "all three are in the unit that WAVEUNIT says"
        yield hdu.warning("WAVELNTH", found, "a wavelength from WAVEMIN to WAVEMAX", advice, "SOLARNET 5.4")


def _medium(hdu: Hdu) -> Iterator[Finding]:
    medium = hdu.text("WAVEREF").lower()
    if medium == "vac":
        advice = "section 15.6 has this in an example, section 5.4 allows air and vacuum"
        yield hdu.note("WAVEREF", "'vac'", "'vacuum'", advice, "SOLARNET 5.4")
    for system in systems(hdu):
        for axis in system.axes:
            kind = system.kind(axis)
            wanted = {"AWAV": ("air",), "WAVE": ("vacuum", "vac")}.get(kind)
            if wanted and medium and medium not in wanted:
                found = f"{shown(medium)} beside an axis of {kind}"
                advice = "WAVE are wavelengths in vacuum, AWAV in air"
                yield hdu.error("WAVEREF", found, wanted[0], advice, "SOLARNET 5.4")


def _along_axis(hdu: Hdu) -> Iterator[Finding]:
    """The range of wavelengths beside what the axis spans."""
    power, low, high = hdu.whole("WAVEUNIT"), hdu.number("WAVEMIN"), hdu.number("WAVEMAX")
    for system in systems(hdu):
        for axis in system.axes:
            unit = length_exponent(system.text("CUNIT", axis) or "m")
            span = system.span(axis)
            if (
                system.kind(axis) not in ("WAVE", "AWAV")
                or unit is None
                or span is None
                or system.is_table(axis)
            ):
                continue
            if power is not None and power != unit:
                advice = "one unit for both is easier to read"
                found = f"{power} beside CUNIT{axis} = {system.text('CUNIT', axis)}"
                yield hdu.note("WAVEUNIT", found, str(unit), advice, "SOLARNET 5.4")
            if power is None or low is None or high is None or not -30 < power - unit < 30:
                continue
            first, last = (value * 10.0 ** (unit - power) for value in sorted(span))
            margin = max(abs(last - first), abs(last) * _SAME)
            if high < first - margin or low > last + margin:
                found = f"{low:g} to {high:g} beside an axis from {first:.6g} to {last:.6g}"
                advice = "correct the range, or WAVEUNIT"
                yield hdu.error("WAVEMIN", found, "a range that the axis lies in", advice, "SOLARNET 5.4")


def _binning(hdu: Hdu) -> Iterator[Finding]:
    factors = {name: hdu.whole(name) for name in hdu.values if re.fullmatch(r"NBIN[1-9]\d?", name)}
    whole = hdu.whole("NBIN")
    if whole is not None and factors and None not in factors.values():
        product = math.prod(factor for factor in factors.values() if factor is not None)
        if whole != product:
            found = f"{whole}, where {' times '.join(factors)} is {product}"
            yield hdu.error("NBIN", found, "the product of all NBINj", "correct it", "SOLARNET 5.2")
    for name in factors:
        if hdu.shape and int(name[4:]) > len(hdu.shape):
            advice = "NBINj is of axis j of the data"
            yield hdu.warning(
                name, f"data of {len(hdu.shape)} axes", "an axis of the data", advice, "SOLARNET 5.2"
            )


def _observer(hdu: Hdu) -> Iterator[Finding]:
    distance, units = hdu.number("DSUN_OBS"), hdu.number("DSUN_AU")
    if distance is not None and 0 < distance < _radius(hdu):
        advice = "DSUN_OBS is in metres"
        yield hdu.error("DSUN_OBS", f"{distance:g} m", "a distance outside the Sun", advice, "SOLARNET 3.2")
    elif (
        distance is not None and units is not None and not math.isclose(distance, units * _AU, rel_tol=_SAME)
    ):
        found = f"{units:g} au beside DSUN_OBS = {distance:.8g} m"
        yield hdu.error("DSUN_AU", found, f"{distance / _AU:.6g}", "correct one of the two", "SOLARNET 3.2")
    tilt, latitude = hdu.number("SOLAR_B0"), hdu.number("HGLT_OBS")
    if tilt is not None and latitude is not None and abs(tilt - latitude) > _NEAR:
        found = f"{tilt:g} beside HGLT_OBS = {latitude:g}"
        yield hdu.error(
            "SOLAR_B0", found, "the same number as HGLT_OBS", "correct one of the two", "SOLARNET 3.2"
        )
    seen = hdu.number("RSUN_ARC") or hdu.number("RSUN_OBS")
    radius = hdu.number("RSUN_REF")
    if seen and radius and distance and 0 < radius < distance:
        wanted = math.asin(radius / distance) * _ARCSECONDS
        if not math.isclose(seen, wanted, rel_tol=0.01):
            keyword = "RSUN_ARC" if hdu.number("RSUN_ARC") else "RSUN_OBS"
            advice = "radius in metres, radius in arcseconds and distance do not belong together: correct one"
            yield hdu.warning(
                keyword,
                f"{seen:.6g} arcsec",
                f"{wanted:.6g} arcsec by RSUN_REF and DSUN_OBS",
                advice,
                "Thompson 2006, 9.1",
            )
    place = [hdu.number(f"OBSGEO-{axis}") for axis in "XYZ"]
    if None not in place and not 0.98 < math.hypot(*place) / _EARTH < 1.02:  # type: ignore[arg-type]
        found = f"{math.hypot(*place):.4g} m from the Earth's centre"  # type: ignore[arg-type]
        advice = "OBSGEO-X, -Y and -Z are metres in the terrestrial frame; in orbit write GEOX_OBS and so on"
        yield hdu.warning("OBSGEO-X", found, "a place on the Earth", advice, "SOLARNET 3.2")


def _radius(hdu: Hdu) -> float:
    """The Sun's radius in metres: what the header says, where that can be."""
    said = hdu.number("RSUN_REF")
    return said if said is not None and 6e8 < said < 8e8 else 6.957e8


def _polarisation(hdu: Hdu) -> Iterator[Finding]:
    said = hdu.text("POLCCONV")
    if said and not _POLCCONV.fullmatch(said):
        advice = "name three coordinates with their signs"
        yield hdu.error("POLCCONV", shown(said), "as '(+HPLT,-HPLN,+HPRZ)'", advice, "SOLARNET 5.4.1")
