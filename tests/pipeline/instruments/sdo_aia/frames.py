"""Level-1 frames of AIA, made for tests: the keywords of a real header and a Sun of our own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

from pipeline import Frame

RADIUS = 971.812597

#: Cards of a real level-1 header (171 Å, 2011-02-15), as far as a step or aiapy looks at them.
REAL_CARDS: dict[str, Any] = {
    "TELESCOP": "SDO/AIA",
    "INSTRUME": "AIA_3",
    "DETECTOR": "AIA",
    "LVL_NUM": 1.0,
    "DATE-OBS": "2011-02-15T00:00:00.34",
    "T_OBS": "2011-02-15T00:00:01.34Z",
    "EXPTIME": 2.000191,
    "WAVELNTH": 171,
    "WAVEUNIT": "angstrom",
    "WAVE_STR": "171_THIN",
    "IMG_TYPE": "LIGHT",
    "PIXLUNIT": "DN",
    "CTYPE1": "HPLN-TAN",
    "CTYPE2": "HPLT-TAN",
    "CUNIT1": "arcsec",
    "CUNIT2": "arcsec",
    "CRVAL1": 0.0,
    "CRVAL2": 0.0,
    "CROTA2": 0.019413,
    "SAT_ROT": 8.6e-05,
    "INST_ROT": 0.019327,
    "RSUN_OBS": RADIUS,
    "R_SUN": 1622.185913,
    "RSUN_REF": 696000000.0,
    "DSUN_OBS": 147707300000.0,
    "HGLN_OBS": 0.0,
    "HGLT_OBS": -6.8,
    "CRLN_OBS": 20.9,
    "CRLT_OBS": -6.8,
    "X0_MP": 2055.060059,
    "Y0_MP": 2042.719971,
    "NSPIKES": 18263,
    "QUALITY": 0,
}


def level1_header(shape: tuple[int, int], **cards: Any) -> fits.Header:
    """A header for the whole detector, binned to `shape`; `cards` change or (None) remove cards."""
    binning = 4096 / shape[1]
    header = fits.Header()
    header.update(REAL_CARDS)
    header["NAXIS1"], header["NAXIS2"] = shape[1], shape[0]
    header["CDELT1"] = header["CDELT2"] = 0.599489 * binning
    header["CRPIX1"] = (header["X0_MP"] + 0.5) / binning + 0.5
    header["CRPIX2"] = (header["Y0_MP"] + 0.5) / binning + 0.5
    change(header, cards)
    return header


def cutout_header(shape: tuple[int, int], corner: tuple[int, int], **cards: Any) -> fits.Header:
    """A header for a cut-out of the detector whose first pixel is detector pixel `corner` (x, y)."""
    header = level1_header((4096, 4096))
    header["NAXIS1"], header["NAXIS2"] = shape[1], shape[0]
    header["CRPIX1"] -= corner[0]
    header["CRPIX2"] -= corner[1]
    change(header, cards)
    return header


def change(header: fits.Header, cards: dict[str, Any]) -> None:
    for name, value in cards.items():
        keyword = name.replace("__", "-")
        if value is None:
            header.remove(keyword, ignore_missing=True)
        else:
            header[keyword] = value


def sun(header: fits.Header, seed: int = 0) -> NDArray[np.float32]:
    """A disk with a limb, loops and noise, float32, where the header's WCS has the Sun (roll ignored)."""
    shape = header["NAXIS2"], header["NAXIS1"]
    scale = header["CDELT1"]
    rng = np.random.default_rng(seed)
    x = ((np.arange(shape[1]) + 1 - header["CRPIX1"]) * scale + header["CRVAL1"]).astype(np.float32)
    y = ((np.arange(shape[0]) + 1 - header["CRPIX2"]) * scale + header["CRVAL2"]).astype(np.float32)[:, None]
    height = np.hypot(x, y) / np.float32(RADIUS) - 1
    image = 300.0 * np.exp(-np.abs(height) * np.where(height > 0, np.float32(9), np.float32(1)))
    for _ in range(12):
        a, b, width = rng.uniform(-600, 600), rng.uniform(-600, 600), rng.uniform(1.5, 6.0) * scale + 8.0
        spot = np.exp(-((x - a) ** 2) / (2 * width**2)) * np.exp(-((y - b) ** 2) / (2 * width**2))
        image += np.float32(rng.uniform(500, 9000)) * spot.astype(np.float32)
    noise = rng.standard_normal(shape, dtype=np.float32) * np.sqrt(image + 1.5)
    return np.asarray((image + noise).clip(-8, 16383), dtype=np.float32)


def frame(data: NDArray[Any], header: fits.Header, source: str = "aia.lev1.fits") -> Frame:
    return Frame.of(data, header, source)


def small(**cards: Any) -> Frame:
    """A full-disk frame of 128 × 128 pixels."""
    header = level1_header((128, 128), **cards)
    return frame(sun(level1_header((128, 128))), header)


def real_frame(folder: Path, name: str) -> Frame:
    """A frame from a real file."""
    with fits.open(folder / "aia" / name, memmap=False) as units:
        unit = next(unit for unit in units if unit.data is not None)
        return Frame.of(unit.data.astype(np.float32), unit.header.copy(), name)


def real_cutout(folder: Path, **cards: Any) -> Frame:
    found = real_frame(folder, "aia_171_cutout_20130310.fits")
    change(found.header, cards)
    return found
