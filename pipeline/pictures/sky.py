"""Where an image lies on the sky, as numbers by which a page tells the coordinates under the pointer."""

from __future__ import annotations

import warnings
from typing import Any, Final

from astropy.io import fits
from astropy.wcs import WCS

from pipeline.coordinates import missing

#: Projections around a point that pages know the formula of; "" for coordinates that are linear.
PROJECTIONS: Final = ("", "TAN", "AZP", "ARC", "SIN")


def sky_told(header: fits.Header) -> dict[str, Any] | None:
    """The coordinates of the first two axes of a header in FITS's terms, all defaults filled in.

    Returns
    -------
    dict or None
        ``projection``, ``names``, ``units``, ``crpix``, ``crval`` and ``matrix`` (of pixels to intermediate
        coordinates), for projections ``lonpole``, ``latpole`` and ``pv``, parameter 1 of the latitude; angles
        in degrees. `None` where there are none, or none that pages can tell exactly.
    """
    if missing(header, axes=2):
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            found = WCS(header).sub([1, 2])
            found.wcs.set()
        except Exception:  # what wcslib cannot make sense of has no coordinates
            return None
    wcs = found.wcs
    kinds = [str(kind) for kind in wcs.ctype]
    on_sphere = wcs.lng >= 0
    projection = kinds[0][5:8] if on_sphere else ""
    distorted = found.sip is not None or found.cpdis1 is not None or found.det2im1 is not None
    if distorted or projection not in PROJECTIONS:
        return None
    if on_sphere and (wcs.lng, wcs.lat) != (0, 1):
        return None
    parameters = {number: value for axis, number, value in wcs.get_pv() if axis == wcs.lat + 1}
    if projection in ("AZP", "SIN") and (parameters.get(2) or (projection == "SIN" and parameters.get(1))):
        return None
    matrix = wcs.get_pc() * wcs.get_cdelt()[:, None]
    told: dict[str, Any] = {
        "projection": projection,
        "names": [kind[:4] if on_sphere else kind for kind in kinds],
        "units": [str(unit) for unit in wcs.cunit],
        "crpix": [float(one) for one in wcs.crpix],
        "crval": [float(one) for one in wcs.crval],
        "matrix": [[float(one) for one in row] for row in matrix],
    }
    if projection:
        told |= {
            "lonpole": float(wcs.lonpole),
            "latpole": float(wcs.latpole),
            "pv": float(parameters.get(1, 0.0)),
        }
    return told
