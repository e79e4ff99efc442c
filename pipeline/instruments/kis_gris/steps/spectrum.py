"""Steps 4 and 5: the wavelength scale, and intensity over the quiet Sun's continuum."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import BadInput
from pipeline.frame import Frame
from pipeline.instruments.kis_gris import facts, quicklook, wavelength
from pipeline.instruments.kis_gris.calibration_file import read_atlas, told
from pipeline.instruments.kis_gris.flat import continuum_of
from pipeline.instruments.kis_gris.lines import DISPERSION, LINES, Region
from pipeline.instruments.kis_gris.noise import continuum_mask
from pipeline.instruments.kis_gris.quicklook import quiet_spectrum
from pipeline.instruments.kis_gris.steps.demodulation import CUBE
from pipeline.instruments.kis_gris.steps.detector import DARK, FlatParams, gain
from pipeline.step import Params, ReferenceNeed, References, step

#: Å of a pixel, and of the middle of what the camera sees.
_NOMINAL: Final[dict[Region, tuple[float, float]]] = {
    "1083": (DISPERSION["1083"], 10833.5),
    "1565": (DISPERSION["1565"], 15654.0),
}
_FEWEST_ROWS: Final = 3
#: nm by which WAVELENG may be off the name of a region.
_NEAR: Final = 12


class WavelengthParams(Params):
    """How the spectrum is looked for.

    Attributes
    ----------
    dispersion
        [Angstrom] Of a pixel, about; 0: 0.018 at 1.08 µm, 0.040 at 1.56 µm.
    middle
        [Angstrom] Wavelength of the spectrum's middle, about; 0: 10833.5, 15654.0.
    reach
        [Angstrom] By how much the middle may be elsewhere.
    tolerance
        [1] By what part the dispersion may be another.
    blueshift
        [m/s] Velocity, towards the observer, of the average quiet Sun in these lines.
    """

    dispersion: float = 0.0
    middle: float = 0.0
    reach: float = 5.0
    tolerance: float = 0.03
    blueshift: float = 0.0


class ContinuumParams(Params):
    """How intensity is normalised.

    Attributes
    ----------
    slope
        Whether what is left of a slope of the mean continuum is taken out.
    """

    slope: bool = True


@step(
    "wavelength_scale",
    version=1,
    prstep="SPECTRAL-COORDINATE-CORRECTION",
    instrument="kis_gris",
    needs=(
        ReferenceNeed(
            "atlas",
            "an atlas of the quiet Sun, text: wavelength in air (Angstrom) and intensity in each line",
            optional=True,
        ),
        ReferenceNeed("flat", "the mean flat of the day and region, for its mean spectrum", optional=True),
        DARK,
    ),
    memory_factor=3.0,
    libraries=("numpy", "scipy"),
    dims=CUBE,
)
def wavelength_scale(frame: Frame, params: WavelengthParams, references: References) -> Frame:
    """Find the wavelength scale: by an atlas where one is at hand, else by lines of known place.

    The mean spectrum of the flat, which is quiet Sun, or else of the brightest rows of the slit, is looked
    for in what is expected; then a straight line goes through cores of lines, or the atlas, blurred and
    veiled by stray light, is fitted. Slit positions of one flat have one scale.
    """
    region = _region(frame)
    frame, depth = _depth(frame, references)
    nominal, middle = (
        value or usual
        for value, usual in zip((params.dispersion, params.middle), _NOMINAL[region], strict=True)
    )
    atlas = references["atlas"].load(read_atlas) if "atlas" in references else None
    expected = wavelength.drawn(LINES[region]) if atlas is None else wavelength.of_atlas(atlas)
    guess = wavelength.found_by(
        depth, expected, middle, nominal, reach=params.reach, tolerance=params.tolerance
    )
    if guess.alike < wavelength.LEAST_ALIKE:
        raise BadInput(
            "the spectrum is not like that of its region, so no wavelength scale was found",
            file=frame.source,
            keyword="WAVELENG",
            found=f"{region}; correlation {guess.alike:.2f}",
            advice="set wavelength_scale.middle and wavelength_scale.dispersion to about what they are",
        )
    if atlas is None:
        scale = wavelength.by_lines(depth, guess, LINES[region])
    else:
        scale = wavelength.by_atlas(depth, guess, atlas)
    made = _with_scale(frame, scale, params.blueshift)
    if atlas is not None:
        return told(made, references["atlas"], simulated=atlas.simulated)
    if scale.number < 2:
        return made.with_caveat(
            "the wavelength scale rests on the likeness of the spectrum alone", mode="NO-LINES"
        )
    return made.with_caveat(
        f"the wavelength scale rests on {scale.number} lines, not on an atlas", mode="LINE-LIST"
    )


def _depth(frame: Frame, references: References) -> tuple[Frame, NDArray[np.float64]]:
    """Depths of the lines of the quiet Sun, by the flat or else by the slit itself, which is then told."""
    if "flat" in references:
        return frame, 1.0 - gain(references["flat"], references.get("dark"), FlatParams()).spectrum
    spectrum, rows = quiet_spectrum(frame)
    few = f", only {rows} of them" if rows < _FEWEST_ROWS else ""
    told = frame.with_caveat(
        f"wavelengths are those at which bright rows of this slit position{few} would stand still: no flat "
        "was at hand",
        mode="OWN-SPECTRUM",
    )
    return told, 1.0 - spectrum / continuum_of(spectrum)


def _region(frame: Frame) -> Region:
    said = str(frame.header.get("WAVELENG", "")).partition(".")[0].strip()
    for region in LINES:
        if said.isdigit() and abs(int(said) - int(region)) < _NEAR:
            return region
    raise BadInput(
        "no lines are known of this wavelength",
        file=frame.source,
        keyword="WAVELENG",
        found=said or "absent",
        advice="switch wavelength_scale off; 1083 and 1565 nm are known",
    )


def _with_scale(frame: Frame, scale: wavelength.Scale, blueshift: float) -> Frame:
    header = frame.header.copy()
    # At rest the quiet Sun would be seen where it is now only if it stood still.
    still = 1.0 - blueshift / 299792458.0
    header["CTYPE3"], header["CUNIT3"] = "AWAV", "Angstrom"
    header["CRPIX3"] = 1.0
    header["CRVAL3"] = (round(scale.first * still, 6), "[Angstrom] in air")
    header["CDELT3"] = round(scale.step * still, 10)
    header["WAVERMS"] = (round(1000.0 * scale.scatter, 4), "[mAngstrom] scatter of lines, or of the atlas")
    header["WAVENUM"] = (scale.number, "lines, or points of the atlas, it rests on")
    return frame.replace(header=header)


@step(
    "continuum",
    version=1,
    prstep="CALIBRATION",
    instrument="kis_gris",
    takes=("ADU",),
    gives=lambda params: "",
    memory_factor=3.0,
    dims=CUBE,
)
def continuum(frame: Frame, params: ContinuumParams, references: References) -> Frame:
    """Divide by the quiet Sun's continuum as the flat had it, and by what is left of a slope."""
    inside = continuum_mask(quicklook.wavelengths(frame), facts.wavelength_region(frame))
    spectrum, _ = quiet_spectrum(frame)
    level = facts.positive(frame.header, "QSCONT")
    made = frame
    if level is None:
        level = float(np.median(spectrum[inside]))
        made = made.with_caveat(
            "intensities are over the brightest rows of the same slit position, not over the quiet Sun's: "
            "no flat was at hand",
            mode="OWN-CONTINUUM",
        )
    shape = np.ones(spectrum.size)
    if params.slope:
        at = np.linspace(-1.0, 1.0, spectrum.size)
        fitted = np.polyval(np.polyfit(at[inside], spectrum[inside], 1), at)
        shape = fitted / fitted[inside].mean()
    divided = made.data / (level * shape).astype(np.float32)[:, None, None]
    header = made.header.copy()
    at_ends = quicklook.wavelengths(frame)
    header["WAVEMIN"] = (round(float(at_ends.min()), 4), "[Angstrom] shortest wavelength")
    header["WAVEMAX"] = (round(float(at_ends.max()), 4), "[Angstrom] longest wavelength")
    return made.replace(data=divided, header=header)
