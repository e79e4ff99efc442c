"""Small raw files for the tests of the cluster: headers of a real camera, images of their own."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits


def at(year: int, month: int, day: int, hour: int = 0) -> datetime:
    """A moment in UTC."""
    return datetime(year, month, day, hour, tzinfo=UTC)


def aia_file(folder: Path, moment: datetime, *, wavelength: int = 171, size: int = 64, **cards: Any) -> Path:
    """A binned full-disk level-1 frame as AIA would give it, with a disk that depends on the time."""
    y, x = np.mgrid[:size, :size] - (size - 1) / 2
    radius = np.hypot(x, y) / (size * 0.39)
    noise = np.random.default_rng(int(moment.timestamp() * 10) % 2**32).poisson(3.0, (size, size))
    data = (200 * np.exp(-np.maximum(radius - 1, 0) * 6) + noise).astype(np.int16)
    scale = 0.6 * 4096 / size
    header = fits.Header()
    header.update(
        {
            "TELESCOP": "SDO/AIA",
            "INSTRUME": "AIA_3",
            "WAVELNTH": wavelength,
            "WAVEUNIT": "angstrom",
            "LVL_NUM": 1.0,
            "DATE-OBS": _stamp(moment),
            "T_OBS": _stamp(moment + timedelta(seconds=1)) + "Z",
            "EXPTIME": 2.0,
            "QUALITY": 0,
            "CTYPE1": "HPLN-TAN",
            "CTYPE2": "HPLT-TAN",
            "CUNIT1": "arcsec",
            "CUNIT2": "arcsec",
            "CRVAL1": 0.0,
            "CRVAL2": 0.0,
            "CDELT1": scale,
            "CDELT2": scale,
            "CRPIX1": (size + 1) / 2 + 0.3,
            "CRPIX2": (size + 1) / 2 - 0.2,
            "CROTA2": 0.1,
            "RSUN_OBS": 960.0,
            "DSUN_OBS": 1.48e11,
            "HGLN_OBS": 0.0,
            "HGLT_OBS": 5.0,
            "BUNIT": "DN",
            **cards,
        }
    )
    path = folder / f"aia_{wavelength}_{moment:%Y%m%d_%H%M%S}.fits"
    fits.writeto(path, data, header, overwrite=True)
    return path


def aia_series(folder: Path, start: datetime, count: int, **cards: Any) -> list[Path]:
    """Frames twelve seconds apart."""
    folder.mkdir(parents=True, exist_ok=True)
    return [aia_file(folder, start + timedelta(seconds=12 * n), **cards) for n in range(count)]


def _stamp(moment: datetime) -> str:
    return moment.replace(tzinfo=None).isoformat(timespec="milliseconds")
