"""Real spectra: the slit of Hinode SP and the GREGOR profile of a spot, with what is known of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

from pipeline.inversion import cubes
from pipeline.inversion.atmosphere import Atmosphere
from pipeline.inversion.inversion import Inversion, Result
from pipeline.inversion.lines import line
from pipeline.inversion.slab import Slab
from pipeline.steps.invert_helium_slab import SlabParams, wing

F64 = NDArray[np.float64]
_FOLDER: Final = "spectropolarimetry"
#: Å by which this frame's wavelengths are off, measured on its quiet Sun's mean lines.
_OFFSET: Final = 0.040
#: Noise of Q, U and V, over the continuum, that the prototype took; white noise alone is 5.2e-4.
NOISE: Final = 8e-4
#: Å from the middle of Si I 10827.
_NEAR: Final = 1.9
#: How much worse I is fitted than Q, U and V: atmospheres are no Milne–Eddington atmospheres.
INTENSITY: Final = 5.0


class Spectra(NamedTuple):
    """Profiles, shape (pixels, 4, wavelengths), over the continuum; wavelengths in Å; noise of Q, U and V."""

    wavelengths: F64
    profiles: NDArray[np.float32]
    noise: float


class Fitted(NamedTuple):
    """Spectra, what was found, the fitted profiles, and by what they were found."""

    spectra: Spectra
    result: Result
    fitted: NDArray[Any]
    inversion: Inversion


def hinode(data: Path) -> Spectra:
    """The slit of 2014-03-01: SPBSHFT undone, wavelengths by the signed step, no polarised continuum."""
    with fits.open(data / _FOLDER / "HinodeSOT_SP_20140301.fits") as found:
        header, raw = found[0].header, found[0].data[:, 0].astype(np.float64)
    shift = int(header["SPBSHFT"])
    stokes = raw * np.array([2.0 if shift >= least else 1.0 for least in (1, 3, 3, 2)])[:, None, None]
    stokes[0] = np.where(stokes[0] < 0, stokes[0] + 65536.0, stokes[0])
    place = np.arange(stokes.shape[2]) + 1 - header["CRPIX1"]
    wavelengths = header["CRVAL1"] + place * header["CDELT1"] + _OFFSET
    order = np.argsort(wavelengths)
    wavelengths, stokes = wavelengths[order], stokes[:, :, order]
    continuum = np.median(np.quantile(stokes[0], 0.95, axis=1))
    quiet = cubes.within(wavelengths, [(6301.9, 6302.1), (6302.9, 6303.2)])
    # Crosstalk from I, which the Sun's continuum does not have: level 0 is not corrected for it.
    levels = stokes[1:, :, quiet].mean(axis=2) / stokes[0][:, quiet].mean(axis=1)
    stokes[1:] -= levels[:, :, None] * stokes[0]
    cube = stokes.transpose(0, 2, 1)[..., None] / continuum
    noise = cubes.noise_of(cube, quiet, 1.0)
    return Spectra(wavelengths, (stokes.transpose(1, 0, 2) / continuum).astype(np.float32), noise)


def hinode_fitted(
    data: Path, *, psf: Path | None = None, filling: bool = False, noise: float = NOISE
) -> Fitted:
    """Both lines with all components; the spectral PSF on a grid four times finer than the data's."""
    return inverted_pair(hinode(data)._replace(noise=noise), psf=psf, filling=filling)


def inverted_pair(spectra: Spectra, *, psf: Path | None = None, filling: bool = False) -> Fitted:
    """Spectra of 6301.5 and 6302.5 in equal steps, as `hinode_fitted` says."""
    weights, oversampling = np.zeros(0), 1
    if psf is not None:
        offsets, response = np.loadtxt(psf, unpack=True)
        oversampling = 4
        step = float(np.diff(spectra.wavelengths).mean()) / oversampling
        weights = cubes.tabulated(offsets * 1e-3, response, step)
    stray = None
    if filling:
        everything = spectra.profiles.transpose(1, 2, 0)[..., None]
        stray = cubes.quiet_profile(everything, np.arange(spectra.wavelengths.size))
    atmosphere = Atmosphere(
        [line("Fe I 6301.5"), line("Fe I 6302.5")],
        spectra.wavelengths,
        psf=weights,
        oversampling=oversampling,
        stray=stray,
    )
    return _fitted(spectra, atmosphere, np.array([1 / INTENSITY, 1.0, 1.0]) / spectra.noise)


def by_stokes(one: Fitted) -> F64:
    """Medians over pixels of mean squared residuals of I, Q, U and V, over the noise as it was weighted."""
    off = (one.spectra.profiles - one.fitted) / one.spectra.noise
    off[:, 0] /= INTENSITY
    return np.asarray(np.median((off**2).mean(axis=2), axis=0))


def gregor(data: Path) -> Spectra:
    """The profile of a spot that Hazel brings along; its wavelengths are 0.22 Å short of those at rest."""
    folder = data / _FOLDER
    table = np.loadtxt(folder / "10830_spot.1d", skiprows=7)
    wavelengths = np.loadtxt(folder / "10830_spot.wavelength", skiprows=1)
    return Spectra(wavelengths + 0.22, table[:, :4].T[None].astype(np.float32), float(table[0, 5]))


def gregor_fitted(data: Path) -> Fitted:
    """Si I 10827 alone: the wings of helium begin behind it."""
    whole = gregor(data)
    near = np.abs(whole.wavelengths - 10827.089) < _NEAR
    spectra = whole._replace(wavelengths=whole.wavelengths[near], profiles=whole.profiles[:, :, near])
    weights = np.array([1 / INTENSITY, 1.0, 1.0]) / spectra.noise
    atmosphere = Atmosphere([line("Si I 10827.1")], spectra.wavelengths)
    return _fitted(spectra, atmosphere, weights)


def _fitted(spectra: Spectra, atmosphere: Atmosphere, weights: F64) -> Fitted:
    return _of(Inversion(atmosphere, weights), spectra)


def helium_fitted(data: Path) -> Fitted:
    """He I 10830 of the same profile, above the wing of Si I, as the recipe for maps has it."""
    whole = gregor(data)
    low, high = SlabParams().span
    near = (whole.wavelengths > low) & (whole.wavelengths < high)
    beside = cubes.within(whole.wavelengths, SlabParams().wing)
    spectra = whole._replace(wavelengths=whole.wavelengths[near], profiles=whole.profiles[:, :, near])
    lit = wing(
        whole.wavelengths[beside], whole.profiles[0, 0, beside].astype(np.float64), spectra.wavelengths
    )
    weights = np.array([1 / INTENSITY, 1.0, 1.0]) / spectra.noise
    slab = Slab(spectra.wavelengths, background=lit)
    return _of(Inversion(slab, weights, library=2000, fixed=SlabParams().fixed), spectra)


def _of(inversion: Inversion, spectra: Spectra) -> Fitted:
    result = inversion(spectra.profiles)
    return Fitted(spectra, result, inversion.synthesised(result), inversion)
