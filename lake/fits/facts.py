"""What a header says of an observation in the words that all of solar physics shares (SOLARNET, FITS, WCS).

Only what is said is taken: a wavelength without a unit, or a place without one, is none. Wavelengths are in
nanometres, places in arcseconds from the centre of the disk, exposures in seconds.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from typing import Any, Final

from astropy.io import fits

from lake.text import printable

#: Facts with numbers; each has a least and a greatest among the files of a release.
RANGES: Final = ("wave", "x", "y", "mu", "exposure")
#: Facts in words; a release has all those of its files.
WORDS: Final = ("targets", "campaigns", "kinds")
FLAGS: Final = ("polarimetric", "spectroscopic")
_NANOMETRES: Final = {
    "nm": 1.0, "nanometer": 1.0, "nanometre": 1.0, "angstrom": 0.1, "a": 0.1, "0.1 nm": 0.1, "um": 1e3,
    "micron": 1e3, "micrometer": 1e3, "mm": 1e6, "cm": 1e7, "m": 1e9, "pm": 1e-3,
}  # fmt: skip
_ARCSECONDS: Final = {"arcsec": 1.0, "deg": 3600.0, "degree": 3600.0, "arcmin": 60.0, "rad": 206264.806}
_SECONDS: Final = {
    "ms": 1e-3, "msec": 1e-3, "msecs": 1e-3, "millisec": 1e-3, "milliseconds": 1e-3, "us": 1e-6, "usec": 1e-6,
    "microsec": 1e-6, "microseconds": 1e-6, "min": 60.0, "minutes": 60.0,
}  # fmt: skip
_SUN: Final = 6.957e8
"""Radius of the Sun in metres (IAU 2015, B3)."""
_LONGEST: Final = 80
_MOST: Final = 20
_SPECTRAL: Final = ("WAVE", "AWAV", "FREQ", "ENER", "VELO", "VOPT", "VRAD")
_NOTHING: Final = ("", "none", "n/a", "unknown", "null", "undefined")


def facts_of(header: fits.Header, shape: Sequence[int] = ()) -> dict[str, Any]:
    """What of an observation can be searched for.

    Parameters
    ----------
    header
        Of the image, with what the primary one says.
    shape
        Of the data, slowest axis first, where the header does not say it yet.

    Returns
    -------
    dict
        `wave_min` … `exposure_max` as far as they are known, `targets`, `campaigns` and `kinds` in small
        letters, `polarimetric` and `spectroscopic`. Plain data.
    """
    if shape:
        header = header.copy()
        header.update({f"NAXIS{axis}": length for axis, length in enumerate(reversed(shape), start=1)})
        header["NAXIS"] = len(shape)
    found: dict[str, Any] = {}
    _add(found, "wave", _wavelengths(header))
    field = _field(header)
    if field is not None:
        _add(found, "x", [x for x, _ in field])
        _add(found, "y", [y for _, y in field])
    mu = _mu(header, field)
    _add(found, "mu", [] if mu is None else [mu])
    _add(found, "exposure", [one for one in [_exposure(header)] if one])
    for name, keywords in (
        ("targets", ("TARGET", "OBJECT")),
        ("campaigns", ("CAMPAIGN",)),
        ("kinds", ("OBS_TYPE", "OBSTYPE", "OBS_MODE")),
    ):
        if words := list(dict.fromkeys(_words(header, keywords)))[:_MOST]:
            found[name] = words
    axes = {str(header.get(f"CTYPE{axis}", "")).upper(): axis for axis in _axes(header)}
    found["spectroscopic"] = any(
        name.startswith(_SPECTRAL) and _long(header, at) for name, at in axes.items()
    )
    found["polarimetric"] = any(name == "STOKES" and _long(header, at) for name, at in axes.items())
    return found


def _add(found: dict[str, Any], name: str, numbers: list[float]) -> None:
    known = [one for one in numbers if math.isfinite(one)]
    if known:
        found[f"{name}_min"], found[f"{name}_max"] = min(known), max(known)


def _number(header: fits.Header, keyword: str) -> float | None:
    value = header.get(keyword)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        return None
    return float(value)


def _first(header: fits.Header, *keywords: str) -> float | None:
    """The first of several that is a number that can be."""
    return next((one for one in (_number(header, name) for name in keywords) if one and one > 0), None)


def _exposure(header: fits.Header) -> float | None:
    """Seconds; a comment that says another unit is believed: ``EXPTIME = 100 / integration time (msec)``."""
    for name in ("XPOSURE", "TEXPOSUR", "EXPTIME"):
        value = _number(header, name)
        if value is not None and value > 0:
            said = re.search(r"[\[(]\s*([a-zA-Z]+)\s*[\])]", str(header.comments[name]))
            return value * (_SECONDS.get(said[1].lower(), 1.0) if said else 1.0)
    return None


def _wavelengths(header: fits.Header) -> list[float]:
    unit = _wave_unit(header.get("WAVEUNIT"))
    if unit is not None:
        ends = [_first(header, "WAVEMIN"), _first(header, "WAVEMAX")]
        said = ends if any(ends) else [_first(header, "WAVELNTH")]
        if known := [one * unit for one in said if one is not None]:
            return known
    for axis in _axes(header):
        kind = str(header.get(f"CTYPE{axis}", "")).upper()
        scale = _NANOMETRES.get(str(header.get(f"CUNIT{axis}", "")).strip().lower())
        if kind.startswith(("WAVE", "AWAV")) and scale is not None:
            value, step = _number(header, f"CRVAL{axis}"), _number(header, f"CDELT{axis}")
            if value is not None and step is not None:
                at, number = _number(header, f"CRPIX{axis}") or 0.0, int(header.get(f"NAXIS{axis}", 1))
                return [(value + (pixel - at) * step) * scale for pixel in (1, number)]
    return []


def _wave_unit(said: object) -> float | None:
    """Nanometres in a unit: by its name, or (SOLARNET) as a power of ten of a metre."""
    if isinstance(said, (int, float)) and not isinstance(said, bool) and -20 <= said <= 0:
        return float(10.0 ** (said + 9))
    text = str(said or "").strip().lower()
    if re.fullmatch(r"-\d{1,2}", text):
        return _wave_unit(int(text))
    return _NANOMETRES.get(text) or _NANOMETRES.get(text.removesuffix("s"))


def _field(header: fits.Header) -> list[tuple[float, float]] | None:
    """The corners of the field on the sky, by the linear part of its coordinates; its centre at the end."""
    places = {}
    for axis in _axes(header):
        kind = str(header.get(f"CTYPE{axis}", "")).upper()[:4]
        if kind in ("HPLN", "HPLT"):
            places[kind] = axis
    if not {"HPLN", "HPLT"} <= places.keys():
        return None
    axes = (places["HPLN"], places["HPLT"])
    values = [_along(header, axis) for axis in axes]
    if any(one is None for one in values):
        return None
    (x0, xp), (y0, yp) = (one for one in values if one is not None)
    matrix = _matrix(header, axes)
    if matrix is None:
        return None
    a, b, c, d = matrix
    wide, high = (int(header.get(f"NAXIS{axis}", 1)) for axis in axes)
    pixels = [(x, y) for x in (0.5, wide + 0.5) for y in (0.5, high + 0.5)] + [
        ((wide + 1) / 2, (high + 1) / 2)
    ]
    return [(x0 + a * (x - xp) + b * (y - yp), y0 + c * (x - xp) + d * (y - yp)) for x, y in pixels]


def _scale(header: fits.Header, axis: int) -> float | None:
    return _ARCSECONDS.get(str(header.get(f"CUNIT{axis}", "")).strip().lower())


def _along(header: fits.Header, axis: int) -> tuple[float, float] | None:
    """Value in arcseconds, and place, of the reference pixel of an axis."""
    scale, value = _scale(header, axis), _number(header, f"CRVAL{axis}")
    at = _number(header, f"CRPIX{axis}")
    if scale is None or value is None or at is None:
        return None
    return value * scale, at


def _matrix(header: fits.Header, axes: tuple[int, int]) -> tuple[float, float, float, float] | None:
    """Arcseconds per pixel: PCi_j with CDELT, else CDi_j, which stands for both (FITS 4.0, 8.1), or CROTA."""
    places = [(i, j) for i in axes for j in axes]
    scales = [_scale(header, axis) or math.nan for axis in axes]
    steps = [_number(header, f"CDELT{axis}") for axis in axes]
    if any(f"CD{i}_{j}" in header for i, j in places) and not any(f"PC{i}_{j}" in header for i, j in places):
        said = [_number(header, f"CD{i}_{j}") or 0.0 for i, j in places]
        return said[0] * scales[0], said[1] * scales[0], said[2] * scales[1], said[3] * scales[1]
    if any(one is None for one in steps):
        return None
    dx, dy = ((step or 0.0) * scale for step, scale in zip(steps, scales, strict=True))
    if any(f"PC{i}_{j}" in header for i, j in places):
        found = [_number(header, f"PC{i}_{j}") for i, j in places]
        a, b, c, d = (one if one is not None else float(at in (0, 3)) for at, one in enumerate(found))
        return dx * a, dx * b, dy * c, dy * d
    angle = math.radians(_number(header, f"CROTA{axes[1]}") or 0.0)
    # The old form turns what is scaled already.
    return dx * math.cos(angle), -dy * math.sin(angle), dx * math.sin(angle), dy * math.cos(angle)


def _mu(header: fits.Header, field: list[tuple[float, float]] | None) -> float | None:
    """Cosine of the heliocentric angle, as said or of the centre of the field; none off the disk."""
    said = _number(header, "MU")
    if said is not None and 0 <= said <= 1:
        return said
    radius = _first(header, "RSUN_ARC", "RSUN_OBS")
    if radius is None and (distance := _first(header, "DSUN_OBS")) is not None and distance > _SUN:
        radius = math.degrees(math.asin(_SUN / distance)) * 3600
    if field is None or radius is None:
        return None
    away = math.hypot(*field[-1]) / radius
    return math.sqrt(1 - away * away) if away <= 1 else None


def _words(header: fits.Header, keywords: tuple[str, ...]) -> Iterator[str]:
    for keyword in keywords:
        value = header.get(keyword)
        if isinstance(value, str):
            for one in re.split(r"[,;]", value):
                word = printable(" ".join(one.split()).lower())[:_LONGEST]
                if word not in _NOTHING:
                    yield word


def _axes(header: fits.Header) -> range:
    number = header.get("WCSAXES") or header.get("NAXIS") or 0
    return range(1, min(int(number), 9) + 1) if isinstance(number, int) else range(0)


def _long(header: fits.Header, axis: int) -> bool:
    length = header.get(f"NAXIS{axis}")
    return isinstance(length, int) and length > 1
