"""Pictures beside a map: its continuum, and circular and linear polarisation in one line."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from pipeline.coordinates import reordered
from pipeline.dims import IMAGE
from pipeline.frame import Frame
from pipeline.instruments.kis_gris import facts
from pipeline.instruments.kis_gris.lines import INVERTED
from pipeline.instruments.kis_gris.noise import continuum_mask

#: Spectra whose continuum is at least this part of the brightest tenth are taken for the quiet Sun.
_BRIGHT: Final = 0.93
#: Spectra that are looked at for it, about.
_SPECTRA: Final = 4000


def wavelengths(frame: Frame) -> NDArray[np.float64]:
    """Å along the second axis of a cube (stokes, wavelength, y, x); else pixel numbers."""
    header, number = frame.header, frame.data.shape[1]
    first, step = header.get("CRVAL3"), header.get("CDELT3")
    if not (isinstance(first, (int, float)) and isinstance(step, (int, float))):
        return np.arange(number, dtype=np.float64)
    before = 1.0 - frame.keyword("CRPIX3", float, default=1.0)
    return np.asarray(float(first) + (np.arange(number) + before) * float(step), dtype=np.float64)


def quiet_spectrum(frame: Frame) -> tuple[NDArray[np.float64], int]:
    """The mean intensity of the brightest spectra of a cube, which are quiet Sun, and how many these are."""
    flat = frame.data[0].reshape(frame.data.shape[1], -1)
    some = flat[:, :: max(1, flat.shape[1] // _SPECTRA)].T.astype(np.float64)
    held = some[np.isfinite(some).all(axis=1)]
    if not held.size:
        return np.full(frame.data.shape[1], np.nan), 0
    bright = np.percentile(held, 90, axis=1)
    chosen = bright >= _BRIGHT * np.percentile(bright, 90)
    return np.asarray(held[chosen].mean(axis=0)), int(chosen.sum())


def circular_of(
    v: NDArray[np.float32], at: NDArray[np.float64], centre: float, reach: float
) -> NDArray[np.float32]:
    """Circular polarisation in a line: half the mean of V over its blue half less that over its red half.

    Its sign is that of the field towards the observer. `v` has wavelengths first.
    """
    blue, red = (at >= centre - reach) & (at < centre), (at > centre) & (at <= centre + reach)
    return np.asarray(0.5 * (v[blue].mean(axis=0) - v[red].mean(axis=0)), dtype=np.float32)


def with_pictures(made: Frame, line: float, reach: float) -> Frame:
    """The map with its pictures as further outputs.

    Parameters
    ----------
    made
        (stokes, wavelength, y, x).
    line
        Å; 0 for the line of the region that is inverted.
    reach
        Å to both sides.

    Notes
    -----
    Circular polarisation is that of `circular_of`; linear polarisation is the mean of the root of Q² + U²;
    both are over the continuum.
    """
    at, region = wavelengths(made), facts.wavelength_region(made)
    continuum = _mean(made.data[0][continuum_mask(at, region)])
    centre = line or (INVERTED[region] if region else float(at[at.size // 2]))
    pictures = {"continuum": (continuum, "Intensity of the continuum", str(made.header.get("BUNIT", "")))}
    blue, red = (at >= centre - reach) & (at < centre), (at > centre) & (at <= centre + reach)
    whole = made.data.shape[0] == 4 and blue.any() and red.any()
    nothing = np.full(continuum.shape, np.nan, dtype=np.float32)
    circular = linear = nothing
    if whole:
        q, u, v = made.data[1:]
        with np.errstate(divide="ignore", invalid="ignore"):
            circular = circular_of(v, at, centre, reach) / continuum
            linear = np.hypot(q[blue | red], u[blue | red]).mean(axis=0) / continuum
    elif made.data.shape[0] == 4:
        made = made.with_caveat(
            f"the line at {centre:.2f} Angstrom is not in the spectrum: no picture of its polarisation"
        )
    pictures["circular"] = (
        circular,
        f"Circular polarisation at {centre:.2f} Angstrom over the continuum",
        "",
    )
    pictures["linear"] = (linear, f"Linear polarisation at {centre:.2f} Angstrom over the continuum", "")
    quality = np.bitwise_and.reduce(made.quality, axis=0)
    for name, (values, what, unit) in pictures.items():
        header = reordered(made.header, made.dims, IMAGE)
        header["BNAME"], header["BUNIT"] = what, (unit, "unit of the image")
        header["BTYPE"] = "phot.radiance" if name == "continuum" else "phys.polarization"
        picture = Frame(np.asarray(values, dtype=np.float32), quality, header, made.source)
        made = made.with_output(name, picture)
    return made


def _mean(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """The mean over the first axis of what was measured; NaN where nothing was."""
    number = np.isfinite(values).sum(axis=0)
    return np.where(number > 0, np.nansum(values, axis=0) / np.maximum(number, 1), np.float32(np.nan))
