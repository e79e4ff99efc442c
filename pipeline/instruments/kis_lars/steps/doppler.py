"""Steps 3 to 5: motions of observatory and Sun, the Sun's rotation, gravity; each a factor of wavelengths.

A Doppler shift multiplies wavelengths in vacuum, so these steps come before the wavelengths in air. Each
writes what it took out, and `DOPPLER`, the product of all: observed wavelengths over true ones.
"""

from __future__ import annotations

import math

from astropy.io import fits

from pipeline.errors import BadInput
from pipeline.frame import Frame
from pipeline.instruments.kis_lars import facts, sight
from pipeline.step import Params, References, step

#: What HPLN and HPLT are given in, to radians.
_UNITS = {"arcsec": math.pi / 648_000.0, "deg": math.pi / 180.0}

#: Metres from the Earth's centre between which its surface lies.
_LOWEST, _HIGHEST = 6.35e6, 6.39e6


class NoParams(Params):
    """Nothing to choose."""


class RotationParams(Params):
    """Sidereal rotation ``a + b sin²B + c sin⁴B`` (Snodgrass & Ulrich 1990, ApJ 351, 309: Doppler features).

    Attributes
    ----------
    a, b, c
        [deg/day] Of the Sun's surface.
    """

    a: float = 14.713
    b: float = -2.396
    c: float = -1.787


@step(
    "observer_motion",
    version=1,
    prstep="SPECTRAL-COORDINATE-CORRECTION",
    instrument="kis_lars",
    takes=("DN",),
    dims=("wavelength",),
    libraries=("numpy", "astropy"),
)
def observer_motion(frame: Frame, params: NoParams, references: References) -> Frame:
    """Take out the motion of the observatory against the Sun: rotation and orbit of the Earth, light's delay.

    Positions at the time the light left the Sun and at the time it came; the transverse part is included.
    """
    seen, place = _sight(frame)
    header = frame.header.copy()
    _take_out(header, seen.motion, "HELIOCEN")
    header["OBS_VR"] = (round((seen.motion - 1.0) * facts.LIGHT, 4), "[m/s] observatory away from the Sun")
    header["DSUN_OBS"] = (round(seen.distance, 1), "[m] from the observatory to the Sun's centre")
    header["LIGHTTIM"] = (round(seen.delay, 3), "[s] that the light took")
    made = frame.replace(header=header)
    if place is None:
        made = made.with_caveat(
            "the header does not say where on the Sun the telescope looked: its centre was taken for the "
            "motion along the line of sight",
            mode="NO-POINTING",
        )
    if not seen.certain:
        made = made.with_caveat(
            "no table of the Earth's rotation reaches this date: the velocity may be off by some cm/s",
            mode="EXTRAPOLATED",
        )
    return made


@step(
    "solar_rotation",
    version=1,
    prstep="SPECTRAL-COORDINATE-CORRECTION",
    instrument="kis_lars",
    takes=("DN",),
    dims=("wavelength",),
    libraries=("numpy", "astropy"),
)
def solar_rotation(frame: Frame, params: RotationParams, references: References) -> Frame:
    """Take out the Sun's rotation where the telescope looked."""
    seen, place = _sight(frame)
    if place is None:
        return frame.with_caveat(
            "the Sun's rotation is still in the wavelengths: the header does not say where the telescope "
            "looked",
            mode="NO-POINTING",
        )
    if math.isnan(seen.mu):
        raise BadInput(
            "the telescope looked beside the Sun's disk",
            file=frame.source,
            keyword="CRVAL2, CRVAL3",
            found=f"{frame.header.get('CRVAL2')}, {frame.header.get('CRVAL3')}",
            advice="correct the pointing in the header; it is in helioprojective coordinates",
        )
    speed = sight.rotation(seen, sight.Rotation(params.a, params.b, params.c))
    header = frame.header.copy()
    _take_out(header, 1.0 + speed / facts.LIGHT, "SOURCE")
    header["ROTVEL"] = (round(speed, 4), "[m/s] of the Sun's rotation, away from us")
    header["MU"] = (round(seen.mu, 6), "cosine of the heliocentric angle")
    header["HGLAT"] = (round(seen.latitude, 4), "[deg] heliographic latitude looked at")
    return frame.replace(header=header)


@step(
    "gravitational_redshift",
    version=1,
    prstep="SPECTRAL-COORDINATE-CORRECTION",
    instrument="kis_lars",
    takes=("DN",),
    dims=("wavelength",),
)
def gravitational_redshift(frame: Frame, params: NoParams, references: References) -> Frame:
    """Take out the gravitational redshift from the Sun's surface to the observatory (633 m/s).

    The potential of the Sun at its surface, less those of Sun and Earth at the observatory.
    """
    seen, _ = _sight(frame)
    ratio = sight.gravity(seen.distance, _observatory(frame))
    header = frame.header.copy()
    _take_out(header, ratio, str(header.get("SPECSYS", "SOURCE")))
    header["GRAVVEL"] = (round((ratio - 1.0) * facts.LIGHT, 4), "[m/s] of the gravitational redshift")
    return frame.replace(header=header)


def _sight(frame: Frame) -> tuple[sight.Sight, sight.Place | None]:
    place = _place(frame)
    seen = sight.sight(facts.middle(frame), _observatory(frame), place or sight.Place(0.0, 0.0))
    return seen, place


def _observatory(frame: Frame) -> tuple[float, float, float]:
    """Where the header says the telescope stands; else the VTT's place."""
    if "OBSGEO-X" in frame.header:
        x, y, z = (frame.keyword(f"OBSGEO-{axis}", float) for axis in "XYZ")
        if not _LOWEST <= math.hypot(x, y, z) <= _HIGHEST:
            raise BadInput(
                "the observatory does not stand on the Earth",
                file=frame.source,
                keyword="OBSGEO-X, OBSGEO-Y, OBSGEO-Z",
                found=f"{x:.6g}, {y:.6g}, {z:.6g}",
                advice="correct the header: geocentric metres (ITRS)",
            )
        return x, y, z
    return sight.geocentric(*facts.VTT)


def _place(frame: Frame) -> sight.Place | None:
    """Where the telescope looked; `None` where the header does not say so, as for the whole disk."""
    found = []
    for axis, kind in ((2, "HPLN"), (3, "HPLT")):
        if not str(frame.header.get(f"CTYPE{axis}", "")).startswith(kind):
            return None
        unit = str(frame.header.get(f"CUNIT{axis}", "deg")).strip()
        if unit not in _UNITS:
            raise BadInput(
                "the unit of the pointing is not known",
                file=frame.source,
                keyword=f"CUNIT{axis}",
                found=unit,
                advice=f"write one of {', '.join(_UNITS)}",
            )
        found.append(frame.keyword(f"CRVAL{axis}", float) * _UNITS[unit])
    return sight.Place(*found)


def _take_out(header: fits.Header, ratio: float, system: str) -> None:
    """Divide the wavelengths by a factor."""
    product = float(header["DOPPLER"]) * ratio
    header["DOPPLER"] = (product, "observed over true wavelengths")
    header["SPECSYS"] = (system, "in whose rest the wavelengths are")
    header["VELOSYS"] = (round((product - 1.0) * facts.LIGHT, 4), "[m/s] taken out of the wavelengths")
