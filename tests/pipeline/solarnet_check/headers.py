"""Headers that conform to the last card, to be broken one rule at a time."""

from __future__ import annotations

from typing import Any

from astropy.io import fits

from pipeline.solarnet_check.file import FitsFile
from pipeline.solarnet_check.finding import Finding
from pipeline.solarnet_check.header import Hdu
from pipeline.solarnet_check.report import check_headers

SHAPE = (48, 64)
CUBE = (4, 20, 48, 64)
ABSENT = object()

IMAGE: dict[str, Any] = {
    "SIMPLE": True,
    "BITPIX": -32,
    "NAXIS": 2,
    "NAXIS1": 64,
    "NAXIS2": 48,
    "EXTNAME": "IMAGE",
    "SOLARNET": 1.0,
    "OBS_HDU": 1,
    "FILENAME": "toy_l1_20260102_030405.fits",
    "DATE": "2026-02-03T00:00:00",
    "ORIGIN": "a data centre",
    "DATASUM": "1",
    "CHECKSUM": "0000000000000000",
    "DATE-BEG": "2026-01-02T03:04:05.5",
    "DATE-AVG": "2026-01-02T03:04:06.5",
    "DATE-END": "2026-01-02T03:04:07.5",
    "DATEREF": "2026-01-02T03:04:05.5",
    "BTYPE": "phot.radiance;em.UV",
    "BUNIT": "adu/s",
    "XPOSURE": 2.0,
    "OBSRVTRY": "Toy observatory",
    "TELESCOP": "TOY",
    "INSTRUME": "CAM",
    "WAVEUNIT": -9,
    "WAVEREF": "vacuum",
    "WAVEMIN": 17.0,
    "WAVEMAX": 17.4,
    "WAVELNTH": 17.1,
    "POINT_ID": "20260102_000000",
    "HGLN_OBS": 0.0,
    "HGLT_OBS": -3.0,
    "DSUN_OBS": 1.47e11,
    "CTYPE1": "HPLN-TAN",
    "CTYPE2": "HPLT-TAN",
    "CUNIT1": "arcsec",
    "CUNIT2": "arcsec",
    "CRPIX1": 32.5,
    "CRPIX2": 24.5,
    "CRVAL1": 0.0,
    "CRVAL2": 0.0,
    "CDELT1": 2.4,
    "CDELT2": 2.4,
    "PC1_1": 1.0,
    "PC1_2": 0.0,
    "PC2_1": 0.0,
    "PC2_2": 1.0,
    "LEVEL": "1",
    "VERSION": 1,
    "PARENTXT": "../level0/toy.fits",
    "CREATOR": "toy pipeline",
    "VERS_SW": "1.2",
    "PRSTEP1": "FLATFIELDING",
    "PRPROC1": "toy.flat",
    "PRPVER1": 1,
    "PRLIB1A": "toy",
    "PRVER1A": "1.2.3",
    "PRSTEP2": "CALIBRATION",
    "PRPARA2": '{"gain":2.0}',
}

#: An image in four coordinates: on the sky, along the spectrum, and of polarisation.
SPECTRA: dict[str, Any] = {
    **IMAGE,
    "NAXIS": 4,
    "NAXIS3": 20,
    "NAXIS4": 4,
    "WCSAXES": 4,
    "CTYPE3": "AWAV",
    "CUNIT3": "nm",
    "CRPIX3": 1.0,
    "CRVAL3": 630.1,
    "CDELT3": 0.01,
    "CTYPE4": "STOKES",
    "CRPIX4": 1.0,
    "CRVAL4": 1.0,
    "CDELT4": 1.0,
    "WAVEREF": "air",
    "WAVEMIN": 630.0,
    "WAVEMAX": 630.4,
    "WAVELNTH": 630.2,
    "OBS_VR": 100.0,
    "SPECSYS": "TOPOCENT",
    "VELOSYS": 0.0,
    "POLCCONV": "(+HPLT,-HPLN,+HPRZ)",
    "GRATING": "G1",
    "SLIT_WID": 0.5,
}

#: Ten images one after the other.
SERIES: dict[str, Any] = {
    **IMAGE,
    "NAXIS": 3,
    "NAXIS3": 10,
    "WCSAXES": 3,
    "CTYPE3": "UTC",
    "CUNIT3": "s",
    "CRPIX3": 1.0,
    "CRVAL3": 0.0,
    "CDELT3": 10.0,
    "DATE-AVG": "2026-01-02T03:05:00",
    "DATE-END": "2026-01-02T03:05:45.5",
}


def header(base: dict[str, Any] = IMAGE, /, **changes: Any) -> fits.Header:
    """A header with some cards changed, or `ABSENT`; a dash in a name is written as two underscores."""
    cards = {**base, **{name.replace("__", "-"): value for name, value in changes.items()}}
    made = fits.Header()
    if "WCSAXES" in cards:  # which must stand before all other cards of coordinates
        cards = {"WCSAXES": cards.pop("WCSAXES"), **cards}
    for name, value in cards.items():
        if value is not ABSENT:
            made.append((name, value), end=True)
    return made


def shape_of(made: fits.Header) -> tuple[int, ...]:
    return tuple(made[f"NAXIS{axis}"] for axis in range(made.get("NAXIS", 0), 0, -1))


def hdu(base: dict[str, Any] = IMAGE, /, *, index: int = 0, kind: str = "image", **changes: Any) -> Hdu:
    made = header(base, **changes)
    sums = {"DATASUM": "valid", "CHECKSUM": "valid"}
    shape = shape_of(made) if kind == "image" else ()
    return Hdu.of(made, index=index, shape=shape, kind=kind, sums=sums)


def findings(base: dict[str, Any] = IMAGE, /, **changes: Any) -> list[Finding]:
    """What the rules find in a file of one HDU."""
    return check_headers(FitsFile((hdu(base, **changes),)))


def told(found: list[Finding]) -> list[tuple[str, str, str]]:
    """Grade, keyword and rule of each."""
    return [(one.grade.value, one.keyword, one.rule) for one in found]
