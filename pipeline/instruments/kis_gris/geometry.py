"""Where a scan lies on the Sun: one linear system through the coordinates of all slit positions."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final, NamedTuple

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

#: arcsec from the Sun's centre.
_FARTHEST: Final = 20_000.0
F64 = NDArray[np.float64]


class Place(NamedTuple):
    """A linear system of a map on the sky, helioprojective.

    Attributes
    ----------
    centre
        arcsec to the west and to the north of the map's middle.
    step, pixel
        arcsec to the west and to the north from one column, and from one row, to the next.
    scatter
        arcsec by which slit positions are off it (root mean square).
    """

    centre: tuple[float, float]
    step: tuple[float, float]
    pixel: tuple[float, float]
    scatter: float

    @property
    def scales(self) -> tuple[float, float]:
        """arcsec of a column and of a row."""
        return math.hypot(*self.step), math.hypot(*self.pixel)

    def write(self, header: fits.Header, columns: int, rows: int) -> None:
        """Write it as the system of axes 1 and 2."""
        for axis, (kind, size, value, scale) in enumerate(
            zip(("HPLN-TAN", "HPLT-TAN"), (columns, rows), self.centre, self.scales, strict=True), start=1
        ):
            header[f"CTYPE{axis}"] = kind
            header[f"CUNIT{axis}"] = "arcsec"
            header[f"CRPIX{axis}"] = 0.5 * (size + 1)
            header[f"CRVAL{axis}"] = round(value, 6)
            header[f"CDELT{axis}"] = round(scale, 9)
        for axis in (1, 2):
            for other, vector in ((1, self.step), (2, self.pixel)):
                header[f"PC{axis}_{other}"] = round(vector[axis - 1] / self.scales[axis - 1], 12)


class Slit(NamedTuple):
    """Coordinates of a slit file: arcsec of its middle, and from one column and row to the next."""

    centre: F64
    columns: F64
    rows: F64


def slit_of(header: fits.Header, columns: int, rows: int) -> Slit | None:
    """The coordinates of a slit file; none where its header has no helioprojective system in arcseconds."""
    kinds = [str(header.get(f"CTYPE{axis}", ""))[:4] for axis in (1, 2)]
    scale = {"arcsec": 1.0, "deg": 3600.0}.get(str(header.get("CUNIT1", "")).strip())
    if kinds != ["HPLN", "HPLT"] or scale is None or header.get("CUNIT1") != header.get("CUNIT2"):
        return None
    try:
        value, pixel, step = (
            np.array([float(header[f"{name}{axis}"]) for axis in (1, 2)])
            for name in ("CRVAL", "CRPIX", "CDELT")
        )
        turned = np.array([[float(header.get(f"PC{i}_{j}", i == j)) for j in (1, 2)] for i in (1, 2)])
    except (KeyError, TypeError, ValueError):
        return None
    matrix = scale * step[:, None] * turned
    middle = np.array([0.5 * (columns + 1), 0.5 * (rows + 1)])
    centre = scale * value + matrix @ (middle - pixel)
    # Beyond this, NaN included, it is no place near the Sun.
    near = (np.abs(centre) < _FARTHEST).all() and (np.abs(matrix) < _FARTHEST).all()
    return Slit(centre, matrix[:, 0], matrix[:, 1]) if near else None


def place_of(slits: Mapping[int, Slit], places: int) -> Place | None:
    """The system through the slit files of a map.

    Parameters
    ----------
    slits
        By position, counted from 0.
    places
        Number of positions of the map.

    Returns
    -------
    Place or None
        The step is fitted through all positions; of a single one it is the header's.
    """
    if not slits:
        return None
    at = np.array(sorted(slits), dtype=np.float64)
    centres = np.stack([slits[int(one)].centre for one in at])
    pixel = np.median([one.rows for one in slits.values()], axis=0)
    offsets = at - 0.5 * (places - 1)
    if at.size > 1:
        step, centre = np.polyfit(offsets, centres, 1)
    else:
        step = next(iter(slits.values())).columns
        centre = centres[0] - offsets[0] * step
    away = centres - (centre + offsets[:, None] * step)
    if math.hypot(*step) == 0.0 or math.hypot(*pixel) == 0.0:
        return None
    return Place(_pair(centre), _pair(step), _pair(pixel), float(np.sqrt(np.mean(np.sum(away**2, axis=1)))))


def _pair(vector: F64) -> tuple[float, float]:
    return float(vector[0]), float(vector[1])
