"""Milne–Eddington inversion of maps of Stokes profiles, of whatever instrument."""

from __future__ import annotations

from typing import Final

import astropy.units as u
import numpy as np
from astropy.io import fits
from numpy.typing import NDArray
from pydantic import Field, field_validator, model_validator

from pipeline.coordinates import reordered
from pipeline.dims import Dims, Layout
from pipeline.errors import BadInput
from pipeline.frame import Frame
from pipeline.inversion import cubes
from pipeline.inversion.atmosphere import Atmosphere
from pipeline.inversion.inversion import PARAMETERS, Inversion
from pipeline.inversion.library import Ranges
from pipeline.inversion.lines import Line, line
from pipeline.quality import Quality
from pipeline.step import Output, Params, ReferenceNeed, References, step
from pipeline.uncertainty import approximate
from pipeline.world import world

F64 = NDArray[np.float64]
Shape = tuple[int, ...]
CUBE: Final = ("stokes", "wavelength", "y", "x")
MAPS: Final = ("parameter", "y", "x")
#: What the planes are, with their units.
_MEANINGS: Final = {
    "field": "magnetic field strength",
    "inclination": "of the field from the line of sight",
    "azimuth": "of the field from +Q, modulo 180 deg",
    "velocity": "line of sight, away is positive",
    "width": "Doppler width of the first line",
    "strength": "line to continuum opacity, first line",
    "damping": "damping of the Voigt function",
    "surface": "S0, source function at optical depth 0",
    "gradient": "S1, its gradient with optical depth",
    "filling": "filling factor of the field",
    "chi2": "chi-squared over degrees of freedom",
}
AMBIGUOUS: Final = "azimuths are known up to 180 degrees"
#: Fewer wavelengths than this of a line say nothing.
_FEWEST: Final = 8
#: Part of the pixels that may be doubtful before the product says so.
_DOUBTS: Final = 0.01
#: Flags that make a measurement useless.
_USELESS: Final = Quality.MISSING | Quality.SATURATED | Quality.DEAD


class MilneEddingtonParams(Params):
    """What can be chosen of an inversion.

    Attributes
    ----------
    lines
        Lines that form in one atmosphere, by their names; what is told of a line is told of the first.
    reach
        [Angstrom] Half width of what is inverted around each line.
    continuum
        [Angstrom] Windows with nothing in them, for continuum and noise; all wavelengths when empty.
    shift
        [Angstrom] Added to the wavelengths that the header tells.
    noise
        [1] Standard deviation of Q, U and V over the continuum; measured when not given.
    weights
        [1] Of I, of Q and U, and of V beside what their noise gives them.
    filling_factor
        Whether a share of the light may come from outside the field, as from the least polarised pixels.
    psf_fwhm
        [mAngstrom] Of a Gaussian spectral PSF; 0: none, or that of the reference spectral_psf.
    oversampling
        Wavelengths of the model for each of the data where there is a spectral PSF.
    fixed
        Parameters that are held, and at what, in the units of the result.
    bounds
        Least and greatest value of parameters, in the units of the result; of the width in km/s.
    field
        [G] Greatest field of the synthetic profiles that fits begin from.
    velocity
        [km/s] Greatest velocity of these.
    library
        How many there are.
    restarts
        How often a fit is begun again that ends above restart_above.
    restart_above
        [1] Value of chi-squared over degrees of freedom.
    evaluations
        Greatest number of evaluations in a fit.
    doubtful_above
        [1] Value of chi-squared over degrees of freedom above which a pixel is flagged.
    profiles
        Whether the fitted profiles are made, as large as the cube itself.
    """

    lines: tuple[str, ...] = Field(min_length=1, max_length=4)
    reach: float = Field(default=0.8, gt=0)
    continuum: tuple[tuple[float, float], ...] = ()
    shift: float = 0.0
    noise: float | None = Field(default=None, gt=0)
    weights: tuple[float, float, float] = (1.0, 1.0, 1.0)
    filling_factor: bool = False
    psf_fwhm: float = Field(default=0.0, ge=0)
    oversampling: int = Field(default=2, ge=1, le=8)
    fixed: dict[str, float] = Field(default_factory=dict)
    bounds: dict[str, tuple[float, float]] = Field(default_factory=dict)
    field: float = Field(default=4000.0, gt=0)
    velocity: float = Field(default=4.0, gt=0)
    library: int = Field(default=1000, ge=10, le=100_000)
    restarts: int = Field(default=3, ge=0, le=20)
    restart_above: float = Field(default=1.3, gt=0)
    evaluations: int = Field(default=50, ge=2, le=1000)
    doubtful_above: float = Field(default=10.0, gt=0)
    profiles: bool = True

    @field_validator("lines")
    @classmethod
    def _are_known(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for name in value:
            try:
                line(name)
            except Exception as error:
                raise ValueError(str(error)) from error
        return value

    @field_validator("weights")
    @classmethod
    def _weigh_something(cls, value: tuple[float, float, float]) -> tuple[float, float, float]:
        if min(value) < 0 or not value[0] > 0:
            raise ValueError("weights are not negative, and that of I is positive")
        return value

    @model_validator(mode="after")
    def _name_parameters(self) -> MilneEddingtonParams:
        for name in (*self.fixed, *self.bounds):
            if name not in PARAMETERS:
                raise ValueError(f"no parameter is called {name}; there are {', '.join(PARAMETERS)}")
        if any(low > high for low, high in (*self.bounds.values(), *self.continuum)):
            raise ValueError("bounds and windows are two numbers, the lower one first")
        return self


def _maps(params: MilneEddingtonParams, shape: Shape) -> Shape:
    return (len(cubes.PLANES), *shape[2:])


def read_psf(path: str) -> tuple[F64, F64]:
    """A spectral PSF from a text file of two columns: offset in mÅ, and weight."""
    offsets, weights = np.loadtxt(path, unpack=True)[:2]
    return np.asarray(offsets, np.float64), np.asarray(weights, np.float64)


@step(
    "invert_milne_eddington",
    version=1,
    prstep="ATMOSPHERIC-INVERSION",
    gives="",
    needs=(
        ReferenceNeed(
            "spectral_psf",
            "a text file of two columns: offset from the middle in mÅ, and the spectrograph's response",
            optional=True,
        ),
    ),
    memory_factor=2.6,
    libraries=("numpy", "numba"),
    dims=CUBE,
    output_shape=_maps,
    output_dims=lambda params, dims: MAPS,
    uncertainty=approximate("curvature of chi-squared at the minimum, noise of Q, U, V alike everywhere"),
    outputs={
        "errors": Output(_maps, MAPS),
        "profiles": Output(lambda params, shape: shape, CUBE),
    },
)
def invert_milne_eddington(frame: Frame, params: MilneEddingtonParams, references: References) -> Frame:
    """Field, velocity and thermodynamics of every pixel by a Milne-Eddington inversion; errors beside it.

    Raises
    ------
    BadInput
        When the header does not tell wavelengths, or those of a line are not there.
    """
    wavelengths = _wavelengths(frame) + params.shift
    lines = [line(name) for name in params.lines]
    places = _places(wavelengths, lines, params, frame)
    runs = cubes.within(wavelengths, params.continuum)
    continuum = cubes.continuum_of(frame.data, runs)
    if not continuum > 0:
        raise BadInput(
            "the map has no continuum to be divided by",
            file=frame.source,
            keyword="DATAMEDN",
            found=continuum,
            advice="leave the file out; its intensity is blank, lost or negative",
        )
    noise = params.noise or cubes.noise_of(frame.data, runs, continuum)
    psf, told = _psf(wavelengths[places], params, references)
    if not noise > 0 or (psf.size and places[-1] - places[0] != len(places) - 1):
        raise BadInput(
            "noise cannot be measured, or the lines' wavelengths have a gap that no spectral PSF goes over",
            file=frame.source,
            keyword="CRVAL3",
            found=f"noise {noise:g}, {len(places)} wavelengths",
            advice="say noise=..., or a reach within which the lines' wavelengths are one piece",
        )
    atmosphere = Atmosphere(
        lines,
        wavelengths[places],
        psf=psf,
        oversampling=params.oversampling if psf.size else 1,
        stray=cubes.quiet_profile(frame.data, places) / continuum if params.filling_factor else None,
    )
    made = cubes.inverted(
        frame.data,
        places,
        _inversion(atmosphere, params, noise),
        continuum=continuum,
        doubtful_above=params.doubtful_above,
        fitted=params.profiles,
        used=_usable(frame, places),
    )
    header = _header(frame, params, places, wavelengths)
    for name, value, comment in (
        ("MENOISE", noise, "noise of Q, U, V over the continuum"),
        ("MECONT", continuum, "what the map was divided by"),
        ("MEPSF", told, "spectral PSF"),
        ("MEDOUBT", int(made.doubtful.sum()), "pixels flagged as doubtful"),
        ("MELOST", int(made.lost.sum()), "pixels that were not inverted"),
    ):
        header[name] = (float(f"{value:.6g}") if isinstance(value, float) else value, comment)
    return _judged(_with_outputs(frame, made, header), made, lines)


def _wavelengths(frame: Frame) -> F64:
    """[Å] In air, of the frame's places."""
    layout = Layout(frame.dims, frame.data.shape)
    found = world(layout, [frame.header])
    along, letters = found.get("wavelength"), found.get("stokes")
    wrong = letters is None or "".join(map(str, letters.values)) != "IQUV"
    if along is None or wrong:
        raise BadInput(
            "the header does not tell the wavelengths, or the Stokes parameters are not I, Q, U, V",
            file=frame.source,
            keyword="CTYPE3, CTYPE4",
            found=f"{frame.header.get('CTYPE3')}, {frame.header.get('CTYPE4')}",
            advice="add the world coordinates of the axes to the header, in the order of FITS axes 3 and 4",
        )
    values = (along.values * u.Unit(along.attrs["units"])).to_value(u.AA)
    in_air = str(frame.header.get("WAVEREF", "")).strip().lower() == "air"
    if str(along.attrs["ctype"]).startswith("WAVE") and not in_air:
        # Vacuum to air: Morton 1991, ApJS 77, 119.
        values = values / (1.0 + 2.735182e-4 + 131.4182 / values**2 + 2.76249e8 / values**4)
    return np.asarray(values, np.float64)


def _places(
    wavelengths: F64, lines: list[Line], params: MilneEddingtonParams, frame: Frame
) -> NDArray[np.intp]:
    """Where the wavelengths lie that are inverted."""
    for one in lines:
        near = np.abs(wavelengths - one.wavelength) <= params.reach
        covered = wavelengths.min() < one.wavelength < wavelengths.max()
        if near.sum() < _FEWEST or not covered:
            raise BadInput(
                f"the map does not have {_FEWEST} wavelengths around {one.name}",
                file=frame.source,
                keyword="CRVAL3",
                found=f"{wavelengths.min():.2f} to {wavelengths.max():.2f} Angstrom",
                advice="choose lines of this region, or a larger reach",
            )
    windows = [(one.wavelength - params.reach, one.wavelength + params.reach) for one in lines]
    return np.flatnonzero(cubes.within(wavelengths, windows))


def _psf(wavelengths: F64, params: MilneEddingtonParams, references: References) -> tuple[F64, str]:
    """Weights of the spectral PSF on the model's grid, and what it is."""
    step = (wavelengths[-1] - wavelengths[0]) / (wavelengths.size - 1) / params.oversampling
    if params.psf_fwhm:
        return cubes.gaussian(params.psf_fwhm * 1e-3, step), f"Gaussian of {params.psf_fwhm:g} mAngstrom"
    if "spectral_psf" in references:
        offsets, weights = references["spectral_psf"].load(read_psf)
        return cubes.tabulated(offsets * 1e-3, weights, step), "reference"
    return np.zeros(0), "none"


def _inversion(atmosphere: Atmosphere, params: MilneEddingtonParams, noise: float) -> Inversion:
    return Inversion(
        atmosphere,
        np.array(params.weights) / noise,
        ranges=Ranges(field=params.field, velocity=params.velocity),
        library=params.library,
        restarts=params.restarts,
        restart_above=params.restart_above,
        bounds=params.bounds,
        fixed=params.fixed,
        evaluations=params.evaluations,
    )


def _usable(frame: Frame, places: NDArray[np.intp]) -> NDArray[np.bool_]:
    """Pixels none of whose wavelengths is flagged as lost."""
    flags = frame.quality
    if flags.ndim > len(MAPS) - 1:
        flags = np.bitwise_or.reduce(flags[..., places, :, :], axis=tuple(range(flags.ndim - 2)))
    return np.asarray((flags & np.uint16(_USELESS)) == 0)


def _header(
    frame: Frame, params: MilneEddingtonParams, places: NDArray[np.intp], wavelengths: F64
) -> fits.Header:
    """What all products say of the inversion."""
    header = frame.header.copy()
    for number, name in enumerate(params.lines, start=1):
        header[f"MELINE{number}"] = (name, f"line inverted, {line(name).wavelength:.4f} Angstrom")
    used = wavelengths[places]
    header["MEWAVES"] = (len(places), "wavelengths inverted")
    header["WAVEMIN"] = (round(float(used.min()), 4), "[Angstrom] shortest wavelength inverted")
    header["WAVEMAX"] = (round(float(used.max()), 4), "[Angstrom] longest wavelength inverted")
    return header


def _named(header: fits.Header, dims: Dims, letter: str) -> fits.Header:
    """The header of maps of parameters: what each plane is, and an axis that counts them."""
    made = reordered(header, dims, MAPS)
    for name, value in (("CTYPE", "PIXEL"), ("CUNIT", "pixel"), ("CNAME", "parameter")):
        made[f"{name}3"] = value
    for name in ("CRPIX", "CRVAL", "CDELT"):
        made[f"{name}3"] = 1.0
    units = {**PARAMETERS, "chi2": ""}
    for number, name in enumerate(cubes.PLANES, start=1):
        made[f"PARNAM{number}"] = (name, _MEANINGS[name])
        made[f"PARUNI{number}"] = (units[name], f"unit of plane {number}")
    made["BTYPE"] = ("phys.magField", "with further planes: PARNAMn")
    made["BNAME"] = (f"{letter}Milne-Eddington parameters", "PARNAMn, in PARUNIn")
    made["BUNIT"] = ("", "each plane has its own: PARUNIn")
    return made


def _with_outputs(frame: Frame, made: cubes.Inverted, header: fits.Header) -> Frame:
    flags = frame.quality
    if flags.ndim > len(MAPS) - 1:
        kept = np.uint16(int(Quality.INTERPOLATED) | int(Quality.OUTSIDE_FIELD))
        flags = np.bitwise_or.reduce(flags, axis=tuple(range(flags.ndim - 2))) & kept
    quality = flags.copy()
    quality[made.lost] |= np.uint16(Quality.MISSING)
    quality[made.doubtful] |= np.uint16(Quality.LOW_CONFIDENCE)
    maps = _named(header, frame.dims, "")
    result = Frame(
        made.parameters,
        quality,
        maps,
        frame.source,
        frame.caveats,
        uncertainty=None if frame.uncertainty is None else made.errors,
        dims=MAPS,
        outputs=frame.outputs,
    )
    errors = Frame(
        made.errors, quality.copy(), _named(header, frame.dims, "Errors of "), frame.source, dims=MAPS
    )
    result = result.with_output("errors", errors)
    if made.fitted is None:
        return result
    told = header.copy()
    told["BNAME"] = ("Fitted Stokes profiles", "empty where nothing was inverted")
    return result.with_output("profiles", Frame(made.fitted, quality.copy(), told, frame.source, dims=CUBE))


def _judged(result: Frame, made: cubes.Inverted, lines: list[Line]) -> Frame:
    """The result saying what its user should know."""
    for one in lines:
        if one.caveat:
            result = result.with_caveat(one.caveat)
    result = result.with_caveat(AMBIGUOUS, mode="AZIMUTH-AMBIGUOUS")
    tried = int(np.count_nonzero(~made.lost))
    doubtful = int(np.count_nonzero(made.doubtful)) / max(tried, 1)
    if doubtful > _DOUBTS:
        result = result.with_caveat(
            f"{100 * doubtful:.1f} % of the pixels were not fitted well; they are flagged"
        )
    return result
