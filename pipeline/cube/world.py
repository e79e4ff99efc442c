"""Where a frame lies in the world, as numbers: its linear coordinate system, taken from its header."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

#: Numbers of every frame, with their dimensions behind ``time``; axes in the order of FITS, fastest first.
NUMBERS: Final[Mapping[str, tuple[str, ...]]] = {
    "crpix": ("axis",),
    "crval": ("axis",),
    "cdelt": ("axis",),
    "pc": ("axis", "axis_of_world"),
}
#: Texts of every frame.
TEXTS: Final[Mapping[str, tuple[str, ...]]] = {"ctype": ("axis",), "cunit": ("axis",), "unit": ()}
#: What they mean.
MEANING: Final[Mapping[str, str]] = {
    "crpix": "FITS CRPIXj: pixel of the reference point, the first pixel being 1",
    "crval": "FITS CRVALi: world coordinate of the reference point",
    "cdelt": "FITS CDELTi: world coordinate per pixel",
    "pc": "FITS PCi_j: linear transformation, indexed by world axis and pixel axis",
    "ctype": "FITS CTYPEi: kind of the world coordinate",
    "cunit": "FITS CUNITi: unit of the world coordinate",
    "unit": "FITS BUNIT: unit of the image",
}
#: Half a field beyond which the gnomonic projection leaves its tangent line by more than 1e-4 of itself.
_FLAT_DEGREES: Final = 1.0
#: Elements of a matrix below which it turns nothing.
_TURNED: Final = 1e-9
_DEGREES: Final[Mapping[str, float]] = {"arcsec": 1 / 3600, "deg": 1.0, "arcmin": 1 / 60}


def world_of(header: fits.Header, axes: int) -> dict[str, Any]:
    """Numbers and texts of one frame.

    Parameters
    ----------
    header
        Of the frame.
    axes
        Dimensions of the frame.

    Returns
    -------
    dict
        By the names of `NUMBERS` (float64 arrays, NaN where the header is silent) and `TEXTS`.
    """
    each = range(1, axes + 1)
    found: dict[str, Any] = {
        name: np.array([_number(header, f"{name.upper()}{axis}") for axis in each])
        for name in ("crpix", "crval", "cdelt")
    }
    found["pc"] = _matrix(header, axes)
    if f"CDELT{axes}" not in header and _has_cd(header):
        found["cdelt"] = np.ones(axes)
    for name in ("ctype", "cunit"):
        found[name] = [str(header.get(f"{name.upper()}{axis}", "")).strip() for axis in each]
    found["unit"] = str(header.get("BUNIT", "")).strip()
    return found


def common_axes(
    world: Mapping[str, NDArray[Any]], dims: Sequence[str], sizes: Mapping[str, int]
) -> dict[str, tuple[NDArray[np.float64], dict[str, str]]]:
    """The coordinates along the dimensions of a frame, where all frames share them and they are straight.

    Parameters
    ----------
    world
        For all frames that have pixels: the arrays of `NUMBERS` and `TEXTS`, along ``time`` first.
    dims
        Dimensions of a frame, slowest first.
    sizes
        Pixels along each.

    Returns
    -------
    dict
        Name of the dimension → values (float64) and attributes. Along an axis on which frames look elsewhere,
        or which is turned, or bent by the projection, there are none: only the numbers of each frame tell.
    """
    if not len(world["crpix"]):
        return {}
    made: dict[str, tuple[NDArray[np.float64], dict[str, str]]] = {}
    unit = np.eye(len(dims))
    for axis, dim in enumerate(reversed(dims)):
        mine = [world[name][:, axis] for name in ("crpix", "crval", "cdelt", "ctype", "cunit")]
        turned = np.abs(world["pc"] - unit)
        if not all(map(_alike, mine)) or max(turned[:, axis].max(), turned[:, :, axis].max()) > _TURNED:
            continue
        crpix, crval, cdelt, kind, named = (values[0] for values in mine)
        offsets = (np.arange(1, sizes[dim] + 1) - crpix) * cdelt
        if np.isfinite(crval + offsets).all() and _straight(str(kind), str(named), offsets):
            made[dim] = (crval + offsets, {"units": str(named), "long_name": str(kind)})
    return made


def _alike(values: NDArray[Any]) -> bool:
    return bool((values == values[:1]).all())


def _straight(kind: str, unit: str, offsets: NDArray[np.float64]) -> bool:
    projection = kind[5:8] if len(kind) >= 8 else ""
    if projection in ("", "CAR") or kind in ("WAVE", "STOKES"):
        return True
    return projection == "TAN" and np.abs(offsets).max() * _DEGREES.get(unit, math.inf) <= _FLAT_DEGREES


def _matrix(header: fits.Header, axes: int) -> NDArray[np.float64]:
    kind, default = ("CD", 0.0) if _has_cd(header) else ("PC", None)
    made = np.eye(axes)
    for i in range(axes):
        for j in range(axes):
            value = _number(header, f"{kind}{i + 1}_{j + 1}")
            if not math.isnan(value):
                made[i, j] = value
            elif default is not None:
                made[i, j] = default
    angle = _number(header, "CROTA2")
    if kind == "PC" and "PC1_1" not in header and axes == 2 and not math.isnan(angle):
        ratio = _number(header, "CDELT2") / (_number(header, "CDELT1") or math.nan)
        cosine, sine = math.cos(math.radians(angle)), math.sin(math.radians(angle))
        made = np.array([[cosine, -sine * ratio], [sine / ratio, cosine]])
    return made


def _has_cd(header: fits.Header) -> bool:
    return "CD1_1" in header


def _number(header: fits.Header, keyword: str) -> float:
    value = header.get(keyword)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return math.nan
    return float(value)
