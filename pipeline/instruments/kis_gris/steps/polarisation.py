"""Steps 6 to 8, and what is told of a map's polarisation: fringes, crosstalk, noise, pictures."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from pipeline.frame import Frame
from pipeline.instruments.kis_gris import crosstalk, facts, fringes, quicklook
from pipeline.instruments.kis_gris.flat import continuum_of
from pipeline.instruments.kis_gris.lines import LINES, Line
from pipeline.instruments.kis_gris.noise import continuum_mask, noise_of
from pipeline.instruments.kis_gris.wavelength import Scale, off_lines
from pipeline.step import Output, Params, References, step

CUBE: Final = ("stokes", "wavelength", "y", "x")
#: Card by which our own level 1 says that V and Q, U were not parted yet.
TO_DO: Final = "XTALK_V"
#: Spectra that crosstalk is measured by.
_MOST_SPECTRA: Final = 4000
#: Å by which wavelengths may be off and lines are still looked for, and above which it is told.
_LOOKED, _OFF = 1.5, 0.05
#: How much more than white noise the continuum may have.
_QUIET: Final = 1.5
F64 = NDArray[np.float64]


class FringeParams(Params):
    """Which waves count as fringes.

    Attributes
    ----------
    shortest
        [Angstrom] Of their periods.
    longest
        [Angstrom] Of their periods; at most 0.6 of the spectrum.
    most
        [1] How many there may be.
    surely
        [1] Standard deviations of noise by which a wave has to explain more.
    reach
        [Angstrom] On each side of a line where waves are not measured.
    """

    shortest: float = 0.5
    longest: float = 4.0
    most: int = 4
    surely: float = 8.0
    reach: float = 1.5


class IntensityParams(Params):
    """How the crosstalk from I may change along the slit.

    Attributes
    ----------
    degree
        [1] Of the polynomial along the slit.
    """

    degree: int = 1


class StokesParams(Params):
    """When crosstalk between V and Q, U is taken out.

    Attributes
    ----------
    reach
        [Angstrom] On each side of a line's centre.
    surely
        [1] Largest standard error of a coefficient that is used.
    always
        Whether files of the data centre, which were corrected there, are corrected too.
    """

    reach: float = 1.2
    surely: float = 0.01
    always: bool = False


class TellParams(Params):
    """What is shown beside the map.

    Attributes
    ----------
    line
        [Angstrom] Line whose polarisation is shown; 0: the one that is inverted.
    reach
        [Angstrom] Half width of what counts as that line.
    """

    line: float = 0.0
    reach: float = 0.9


@step(
    "remove_fringes",
    version=1,
    prstep="FILTERING",
    instrument="kis_gris",
    takes=("",),
    memory_factor=6.0,
    dims=CUBE,
)
def remove_fringes(frame: Frame, params: FringeParams, references: References) -> Frame:
    """Take waves along the wavelength out of Q, U, V: periods of the slit, phases of each row."""
    at, region = quicklook.wavelengths(frame), facts.wavelength_region(frame)
    if region is None or frame.data.shape[0] != 4:
        return frame
    intensity = frame.data[0].astype(np.float64).reshape(at.size, -1)
    spectra = frame.data[1:].astype(np.float64).reshape(3, at.size, -1) / np.where(
        intensity > 0, intensity, np.nan
    )
    series = np.moveaxis(spectra, 1, 0).reshape(at.size, -1)
    held = np.isfinite(series).all(axis=0)
    if not held.any():
        return frame
    found = fringes.fringes_of(
        series[:, held],
        at,
        _free(at, LINES[region], params.reach),
        shortest=params.shortest,
        longest=params.longest,
        most=params.most,
        surely=params.surely,
    )
    if not found.periods:
        return frame
    waves = np.zeros_like(series)
    waves[:, held] = found.waves
    taken = np.moveaxis(waves.reshape(at.size, 3, -1), 0, 1) * intensity
    data = frame.data.copy()
    data[1:] -= taken.reshape(data[1:].shape).astype(np.float32)
    header = frame.header.copy()
    header["FRINGES"] = (
        ", ".join(f"{period:.3f}" for period in found.periods),
        "[Angstrom] periods of fringes",
    )
    return frame.replace(data=data, header=header)


def _free(at: F64, lines: tuple[Line, ...], reach: float) -> NDArray[np.bool_]:
    """Wavelengths away from lines that may be polarised."""
    free = np.ones(at.size, dtype=bool)
    for line in lines:
        if not line.telluric:
            free &= np.abs(at - line.wavelength) > reach
    return free


@step(
    "intensity_crosstalk",
    version=1,
    prstep="CALIBRATION",
    instrument="kis_gris",
    takes=("",),
    memory_factor=3.0,
    dims=CUBE,
)
def intensity_crosstalk(frame: Frame, params: IntensityParams, references: References) -> Frame:
    """Take out of Q, U and V what leaked from I: the Sun's continuum is not polarised."""
    if frame.data.shape[0] != 4:
        return frame
    inside = continuum_mask(quicklook.wavelengths(frame), facts.wavelength_region(frame))
    header, data = frame.header.copy(), frame.data.copy()
    intensity = np.where(frame.data[0] > 0, frame.data[0], np.nan).astype(np.float64)
    for index, letter in enumerate("QUV", start=1):
        share = np.nanmean(frame.data[index][inside] / intensity[inside], axis=0)
        leak = np.stack([crosstalk.from_intensity(column, params.degree) for column in share.T], axis=1)
        data[index] -= (leak * frame.data[0]).astype(np.float32)
        header[f"XTALK_I{letter}"] = (round(float(np.mean(leak)), 6), f"of I was in {letter}, mean")
    header[TO_DO] = ("not corrected", "crosstalk between V and Q, U")
    return frame.replace(data=data, header=header)


@step(
    "stokes_crosstalk",
    version=1,
    prstep="CALIBRATION",
    instrument="kis_gris",
    memory_factor=2.4,
    dims=CUBE,
)
def stokes_crosstalk(frame: Frame, params: StokesParams, references: References) -> Frame:
    """Part V from Q and U by symmetry: Zeeman profiles of Q and U are even about a line, those of V are odd.

    Level 1 of the data centre was corrected there and stays as it is.
    """
    region = facts.wavelength_region(frame)
    if frame.data.shape[0] != 4 or region is None or not (params.always or TO_DO in frame.header):
        return frame
    lines = [line for line in LINES[region] if line.lower is not None]
    at = quicklook.wavelengths(frame)
    even, odd = crosstalk.parted(_strongest(frame.data, at, lines, params.reach), at, lines, params.reach)
    if not even.shape[2]:
        return frame.with_caveat(
            "crosstalk between V and Q, U is left: no line to measure it by", mode="NOT-MEASURED"
        )
    return _parted(frame, crosstalk.leak_of(even, odd), params.surely)


def _strongest(data: NDArray[np.float32], at: F64, lines: list[Line], reach: float) -> F64:
    """The spectra with most polarisation in their lines, shape (4, wavelength, n): they say nearly all."""
    flat = data.reshape(4, at.size, -1)
    power = np.zeros(flat.shape[2])
    for index in np.flatnonzero(~_free(at, tuple(lines), reach)):
        power += np.sum(flat[1:, index] ** 2, axis=0)
    order = np.argsort(np.where(np.isfinite(power), power, -1.0))[-_MOST_SPECTRA:]
    chosen = np.asarray(flat[..., np.sort(order)], dtype=np.float64)
    return chosen[..., np.isfinite(chosen).all(axis=(0, 1))]


def _parted(frame: Frame, leak: crosstalk.Leak, surely: float) -> Frame:
    """The frame without the leaks whose coefficients are known well enough."""
    linear, circular = max(leak.from_v_error) <= surely, max(leak.into_v_error) <= surely
    made = frame
    if not (linear and circular):
        left = " and ".join(
            text for text, done in (("V in Q and U", linear), ("Q and U in V", circular)) if not done
        )
        made = made.with_caveat(f"crosstalk of {left} is left: too little polarisation to measure it by")
    if not (linear or circular):
        return made
    header, data = made.header.copy(), made.data.copy()
    for index in range(data.shape[1]):  # a wavelength at a time, for maps are large
        data[1:, index] = leak.undone(
            made.data[1:, index].astype(np.float64), linear=linear, circular=circular
        )
    values = (*leak.from_v, *leak.into_v)
    errors = (*leak.from_v_error, *leak.into_v_error)
    done = (linear, linear, circular, circular)
    for name, value, error, one in zip(("VQ", "VU", "QV", "UV"), values, errors, done, strict=True):
        if one:
            header[f"XTALK_{name}"] = (round(value, 5), f"of {name[0]} was in {name[1]}, +- {error:.5f}")
    header[TO_DO] = ("corrected", "crosstalk between V and Q, U")
    return made.replace(data=data, header=header)


def _image(params: TellParams, shape: tuple[int, ...]) -> tuple[int, ...]:
    return shape[2:]


@step(
    "tell_polarisation",
    version=1,
    prstep="CALIBRATION",
    instrument="kis_gris",
    memory_factor=2.4,
    dims=CUBE,
    outputs={"continuum": Output(_image), "circular": Output(_image), "linear": Output(_image)},
)
def tell_polarisation(frame: Frame, params: TellParams, references: References) -> Frame:
    """Measure the noise of Q, U, V, hold wavelengths against lines, and make pictures beside the map."""
    return quicklook.with_pictures(_against_lines(_with_noise(frame)), params.line, params.reach)


def _against_lines(frame: Frame) -> Frame:
    """The frame saying by how much its wavelengths are off those of known lines in the quiet Sun."""
    region = facts.wavelength_region(frame)
    spectrum, number = quicklook.quiet_spectrum(frame)
    if region is None or not number or not np.isfinite(spectrum).all():
        return frame
    at = quicklook.wavelengths(frame)
    scale = Scale(float(at[0]), float(at[1] - at[0]), 0.0, 0, 1.0)
    off = off_lines(1.0 - spectrum / continuum_of(spectrum), scale, LINES[region], _LOOKED)
    if off is None:
        return frame.with_caveat(f"no line of the {region} nm region was found where wavelengths say it is")
    header = frame.header.copy()
    header["WAVEOFF"] = (round(1000.0 * off, 2), "[mAngstrom] quiet Sun less laboratory")
    made = frame.replace(header=header)
    if abs(off) > _OFF:
        made = made.with_caveat(
            f"lines of the quiet Sun are {off:+.3f} Angstrom off those of the laboratory: velocities "
            "need another zero"
        )
    return made


def _with_noise(frame: Frame) -> Frame:
    """The frame saying how much noise Q, U and V have."""
    if frame.data.shape[0] != 4:
        return frame
    header = frame.header.copy()
    inside = continuum_mask(quicklook.wavelengths(frame), facts.wavelength_region(frame))
    bright = frame.data[0][inside]
    continuum = float(np.nanmedian(bright)) if np.isfinite(bright).any() else 0.0
    found = {
        letter: noise
        for letter, values in zip("QUV", frame.data[1:], strict=True)
        if (noise := noise_of(values, continuum, inside)) is not None
    }
    for letter, noise in found.items():
        header[f"NOISE_{letter}"] = (
            float(f"{noise.white:.4g}"),
            f"white noise of {letter} over the continuum",
        )
        header[f"NOISEC_{letter}"] = (float(f"{noise.whole:.4g}"), f"RMS of {letter} in the continuum")
    made = frame.replace(header=header)
    if len(found) < 3:
        return made.with_caveat("the noise of Q, U and V could not be measured")
    told = ", ".join(f"{noise.white:.1e} ({letter})" for letter, noise in found.items())
    made = made.with_caveat(f"polarisation below the noise means nothing: {told} of the continuum")
    loud = ", ".join(letter for letter, noise in found.items() if noise.whole > _QUIET * noise.white)
    if loud:
        made = made.with_caveat(
            f"the continuum of {loud} varies by more than noise: fringes or crosstalk are left"
        )
    return made
