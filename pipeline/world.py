"""World coordinates of single axes: wavelengths, Stokes parameters, read from the FITS header."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Final

import numpy as np
import xarray as xr
from astropy.io import fits
from astropy.wcs import WCS, FITSFixedWarning

from pipeline.coordinates import missing
from pipeline.dims import IMAGE, Layout

#: The Stokes parameters by their FITS numbers (standard 4.0, table 29).
_STOKES: Final = {
    1: "I",
    2: "Q",
    3: "U",
    4: "V",
    -1: "RR",
    -2: "LL",
    -3: "RL",
    -4: "LR",
    -5: "XX",
    -6: "YY",
    -7: "XY",
    -8: "YX",
}
_TOLERANCE: Final = 1e-9


def world(layout: Layout, headers: Sequence[fits.Header]) -> dict[str, xr.Variable]:
    """Coordinates of the axes on which each place has one, whatever the place on the others.

    Parameters
    ----------
    layout
        Of the frames.
    headers
        Theirs; a coordinate in which they differ is none of the stack.

    Returns
    -------
    dict
        Dim → coordinate along it, float64 with ``units``; Stokes parameters by their letters. Places on the
        sky are not among them: there each coordinate depends on both axes.
    """
    if layout.dims == IMAGE or not headers:
        return {}
    first, *others = [_along_axes(layout, header) for header in _distinct(headers)]
    return {
        name: found
        for name, found in first.items()
        if all(name in other and _same(found, other[name]) for other in others)
    }


def _distinct(headers: Sequence[fits.Header]) -> list[fits.Header]:
    """Headers that differ in their coordinates: a scan of thousands of frames has one, or a few."""
    found: dict[str, fits.Header] = {}
    for header in headers:
        cards = [f"{card.keyword}={card.value}" for card in header.cards if card.keyword[:2] in _WCS]
        found.setdefault("|".join(cards), header)
    return list(found.values())


#: How cards that decide on linear coordinates begin.
_WCS: Final = ("CT", "CU", "CR", "CD", "PC", "PV", "PS", "RE", "WC", "WA")


def _along_axes(layout: Layout, header: fits.Header) -> dict[str, xr.Variable]:
    number = len(layout.dims)
    if missing(header, axes=number):
        return {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FITSFixedWarning)
        try:
            whole = WCS(header)  # with axes that frames go without: places on the sky need both
        except Exception:  # what wcslib cannot make sense of has no coordinates
            return {}
    matrix = whole.axis_correlation_matrix
    found = {}
    for place, name in enumerate(layout.dims):
        axis = number - 1 - place
        if matrix[axis].sum() != 1 or matrix[:, axis].sum() != 1 or not matrix[axis, axis]:
            continue
        values = _values(whole, axis, layout.shape[place])
        if values is not None:
            found[name] = _variable(name, whole, axis, values)
        listed = _listed(header, layout.shape[place]) if name == "wavelength" else None
        if listed is not None and not str(whole.wcs.ctype[axis]).startswith(("WAVE", "AWAV")):
            found[name] = xr.Variable((name,), listed, {"units": "Angstrom", "ctype": "AWAV"})
    return found


def _listed(header: fits.Header, length: int) -> np.ndarray | None:
    """Wavelengths that WAVEn says one by one, for they are not evenly spaced; `None` where it does not."""
    cards = [header.get(f"WAVE{number}") for number in range(1, length + 1)]
    told = [float(value) for value in cards if isinstance(value, (int, float))]
    return np.array(told) if len(told) == length else None


def _values(whole: WCS, axis: int, length: int) -> np.ndarray | None:
    pixels = [np.zeros(length) for _ in range(whole.naxis)]
    pixels[axis] = np.arange(length, dtype=float)
    try:
        values: np.ndarray = np.asarray(whole.wcs_pix2world(np.stack(pixels, axis=-1), 0)[:, axis])
    except Exception:  # a place that is nowhere on the sky says nothing of the other axes either
        return None
    return values if np.isfinite(values).all() else None


def _variable(name: str, whole: WCS, axis: int, values: np.ndarray) -> xr.Variable:
    kind = str(whole.wcs.ctype[axis])
    if kind.upper().startswith("STOKES"):
        letters = [_STOKES.get(round(value)) for value in values]
        if None not in letters:
            return xr.Variable((name,), np.array(letters), {"ctype": kind})
    return xr.Variable((name,), values, {"units": str(whole.wcs.cunit[axis]), "ctype": kind})


def _same(first: xr.Variable, second: xr.Variable) -> bool:
    if first.attrs != second.attrs or first.shape != second.shape:
        return False
    if first.dtype.kind != "f":
        return bool((first.values == second.values).all())
    return np.allclose(first.values, second.values, rtol=_TOLERANCE, atol=0.0)
