"""What steps that invert maps of Stokes profiles share, whatever their model of a spectrum."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final, NamedTuple

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
from pipeline.inversion.inversion import Inversion
from pipeline.inversion.model import Model, Parameter, Ranges
from pipeline.quality import Quality
from pipeline.step import Output, Params, ReferenceNeed, References, StepOptions
from pipeline.uncertainty import approximate
from pipeline.world import world

F64 = NDArray[np.float64]
Shape = tuple[int, ...]
CUBE: Final = ("stokes", "wavelength", "y", "x")
MAPS: Final = ("parameter", "y", "x")
AMBIGUOUS: Final = "azimuths are known up to 180 degrees"
SPECTRAL_PSF: Final = ReferenceNeed(
    "spectral_psf",
    "a text file of two columns: offset from the middle in mÅ, and the spectrograph's response",
    optional=True,
)
_NO_WINDOW: Final = (
    "none of the continuum's windows is in the map: continuum and noise are those of all wavelengths"
)
#: Fewer wavelengths than this of a line say nothing.
_FEWEST: Final = 8
#: Part of the pixels that may be doubtful before the product says so.
_DOUBTS: Final = 0.01
#: Part of the pixels in which a parameter may be undetermined before the product says so.
_VAGUE: Final = 0.1
#: Flags that make a measurement useless.
_USELESS: Final = Quality.MISSING | Quality.SATURATED | Quality.DEAD


class InversionParams(Params):
    """What can be chosen of any inversion.

    Attributes
    ----------
    continuum
        [Angstrom] Windows with nothing in them, for continuum and noise; all wavelengths when empty.
    shift
        [Angstrom] Added to the wavelengths that the header tells.
    noise
        [1] Standard deviation of Q, U and V over the continuum; measured when not given.
    weights
        [1] Of I, of Q and U, and of V in the fit, beside what their noise gives them; errors and chi-squared
        are those of the noise.
    psf_fwhm
        [mAngstrom] Of a Gaussian spectral PSF; 0: none, or that of the reference spectral_psf.
    oversampling
        Wavelengths of the model for each of the data where there is a spectral PSF.
    fixed
        Parameters that are held, and at what, in the units of the result; the width in km/s.
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

    continuum: tuple[tuple[float, float], ...] = ()
    shift: float = 0.0
    noise: float | None = Field(default=None, gt=0)
    weights: tuple[float, float, float] = (1.0, 1.0, 1.0)
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

    @property
    def model_parameters(self) -> Mapping[str, Parameter]:
        """What the model's parameters are."""
        raise NotImplementedError

    @field_validator("weights")
    @classmethod
    def _weigh_something(cls, value: tuple[float, float, float]) -> tuple[float, float, float]:
        if min(value) < 0 or not value[0] > 0:
            raise ValueError("weights are not negative, and that of I is positive")
        return value

    @model_validator(mode="after")
    def _name_parameters(self) -> InversionParams:
        known = self.model_parameters
        for name in (*self.fixed, *self.bounds):
            if name not in known:
                raise ValueError(f"no parameter is called {name}; there are {', '.join(known)}")
        if any(low > high for low, high in (*self.bounds.values(), *self.continuum)):
            raise ValueError("bounds and windows are two numbers, the lower one first")
        for name, least in (*self.fixed.items(), *((name, low) for name, (low, _) in self.bounds.items())):
            if known[name].logarithm and not least > 0:
                raise ValueError(f"{name} is above 0, and so are its bounds and what it is held at")
        if "filling" in {*self.fixed, *self.bounds} and not getattr(self, "filling_factor", True):
            raise ValueError("the filling factor is held or bounded only where filling_factor is true")
        if "azimuth" in self.bounds:
            raise ValueError("azimuths go round and have no bounds; fixed holds them")
        return self


def _planes(params: InversionParams, shape: Shape) -> Shape:
    """A map of each parameter, and of chi-squared."""
    return (len(params.model_parameters) + 1, *shape[2:])


#: What every inversion says of itself where it is registered.
ANNOUNCED: Final = StepOptions(
    gives="",
    needs=(SPECTRAL_PSF,),
    memory_factor=2.6,
    libraries=("numpy", "numba"),
    dims=CUBE,
    output_shape=_planes,
    output_dims=lambda params, dims: MAPS,
    uncertainty=approximate("curvature of chi-squared at the minimum, noise of Q, U, V alike everywhere"),
    outputs={
        "errors": Output(_planes, MAPS),
        "profiles": Output(lambda params, shape: shape, CUBE, switch="profiles"),
    },
)


class Spectrum(NamedTuple):
    """What a model is made for.

    Attributes
    ----------
    wavelengths
        [Å] In air, of all of the cube.
    places
        Which of them are inverted.
    continuum
        What the cube is divided by.
    psf
        Weights of the spectral PSF; empty for none.
    oversampling
        Wavelengths of the model for each of the data.
    """

    wavelengths: F64
    places: NDArray[np.intp]
    continuum: float
    psf: F64
    oversampling: int


class Told(NamedTuple):
    """How the products call what was done.

    Attributes
    ----------
    prefix
        Of cards.
    title
        Of the model, for people.
    lines
        Names of what was inverted, with their wavelengths.
    ranges
        Of the library; the field's and the velocity's are those of the parameters.
    """

    prefix: str
    title: str
    lines: Sequence[tuple[str, float]]
    ranges: Ranges


def inverted(
    frame: Frame,
    params: InversionParams,
    references: References,
    windows: Sequence[tuple[float, float]],
    build: Callable[[Spectrum], Model],
    told: Told,
) -> Frame:
    """Maps of a model's parameters, with errors and fitted profiles beside them.

    Parameters
    ----------
    frame
        Stokes profiles (stokes, wavelength, y, x).
    params, references
        Of the step.
    windows
        [Å] What is inverted.
    build
        Makes the model.
    told
        What products say.

    Raises
    ------
    BadInput
        When the header does not tell wavelengths, or those that are wanted are not there.
    """
    wavelengths = wavelengths_of(frame) + params.shift
    places = np.flatnonzero(cubes.within(wavelengths, windows))
    _require_lines(wavelengths, windows, told, frame)
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
    psf, response = psf_of(wavelengths[places], params, references)
    if not noise > 0 or (psf.size and places[-1] - places[0] != len(places) - 1):
        raise BadInput(
            "noise cannot be measured, or the lines' wavelengths have a gap that no spectral PSF goes over",
            file=frame.source,
            keyword="CRVAL3",
            found=f"noise {noise:g}, {len(places)} wavelengths",
            advice="say noise=..., or a reach within which the lines' wavelengths are one piece",
        )
    model = build(Spectrum(wavelengths, places, continuum, psf, params.oversampling if psf.size else 1))
    made = cubes.inverted(
        frame.data,
        places,
        _inversion(model, params, noise, told),
        continuum=continuum,
        doubtful_above=params.doubtful_above,
        fitted=params.profiles,
        used=_usable(frame, places),
    )
    header = _header(frame, told, wavelengths[places])
    for name, value, comment in (
        ("NOISE", noise, "noise of Q, U, V over the continuum"),
        ("CONT", continuum, "what the map was divided by"),
        ("PSF", response, "spectral PSF"),
        ("DOUBT", int(made.doubtful.sum()), "pixels flagged as doubtful"),
        ("LOST", int(made.lost.sum()), "pixels that were not inverted"),
    ):
        header[told.prefix + name] = (
            float(f"{value:.6g}") if isinstance(value, float) else value,
            comment,
        )
    result = _judged(_with_outputs(frame, made, header, told, model.parameters), made, model.parameters)
    return result.with_caveat(_NO_WINDOW) if params.continuum and not runs.any() else result


def _inversion(model: Model, params: InversionParams, noise: float, told: Told) -> Inversion:
    return Inversion(
        model,
        1.0 / noise,
        emphasis=params.weights,
        ranges=told.ranges,
        library=params.library,
        restarts=params.restarts,
        restart_above=params.restart_above,
        bounds=params.bounds,
        fixed=params.fixed,
        evaluations=params.evaluations,
    )


def _require_lines(
    wavelengths: F64, windows: Sequence[tuple[float, float]], told: Told, frame: Frame
) -> None:
    for (name, middle), (low, high) in zip(told.lines, windows, strict=True):
        near = (wavelengths >= low) & (wavelengths <= high)
        covered = wavelengths.min() < middle < wavelengths.max()
        if near.sum() < _FEWEST or not covered:
            raise BadInput(
                f"the map does not have {_FEWEST} wavelengths around {name}",
                file=frame.source,
                keyword="CRVAL3",
                found=f"{wavelengths.min():.2f} to {wavelengths.max():.2f} Angstrom",
                advice="choose lines of this region, or a larger reach",
            )


def read_psf(path: str) -> tuple[F64, F64]:
    """A spectral PSF from a text file of two columns: offset in mÅ, and weight."""
    try:
        rows = np.loadtxt(path, ndmin=2, usecols=(0, 1))
    except (ValueError, UnicodeDecodeError) as error:
        raise BadInput(
            f"the spectral PSF is no table of two columns: {error}",
            file=path,
            advice="write the offset in mÅ and the response in each line; # begins a remark",
        ) from error
    if len(rows) < 3 or not np.isfinite(rows).all() or not rows[:, 1].sum() > 0:
        raise BadInput(
            "the spectral PSF has no response that could be brought to a sum of one",
            file=path,
            found=f"{len(rows)} lines, sum {rows[:, 1].sum():g}",
            advice="give three lines or more, of numbers whose responses add up to more than 0",
        )
    return rows[:, 0], rows[:, 1]


def wavelengths_of(frame: Frame) -> F64:
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


def psf_of(wavelengths: F64, params: InversionParams, references: References) -> tuple[F64, str]:
    """Weights of the spectral PSF on the model's grid, and what it is."""
    step = (wavelengths[-1] - wavelengths[0]) / (wavelengths.size - 1) / params.oversampling
    if params.psf_fwhm:
        return cubes.gaussian(params.psf_fwhm * 1e-3, step), f"Gaussian of {params.psf_fwhm:g} mAngstrom"
    if "spectral_psf" in references:
        offsets, weights = references["spectral_psf"].load(read_psf)
        return cubes.tabulated(offsets * 1e-3, weights, step), "reference"
    return np.zeros(0), "none"


def _usable(frame: Frame, places: NDArray[np.intp]) -> NDArray[np.bool_]:
    """Pixels none of whose wavelengths is flagged as lost."""
    flags = frame.quality
    if flags.ndim > len(MAPS) - 1:
        flags = np.bitwise_or.reduce(flags[..., places, :, :], axis=tuple(range(flags.ndim - 2)))
    return np.asarray((flags & np.uint16(_USELESS)) == 0)


def _header(frame: Frame, told: Told, used: F64) -> fits.Header:
    """What all products say of the inversion."""
    header = frame.header.copy()
    for number, (name, wavelength) in enumerate(told.lines, start=1):
        header[f"{told.prefix}LINE{number}"] = (name, f"line inverted, {wavelength:.4f} Angstrom")
    header[f"{told.prefix}WAVES"] = (used.size, "wavelengths inverted")
    header["WAVEMIN"] = (round(float(used.min()), 4), "[Angstrom] shortest wavelength inverted")
    header["WAVEMAX"] = (round(float(used.max()), 4), "[Angstrom] longest wavelength inverted")
    return header


def _named(header: fits.Header, dims: Dims, title: str, parameters: Mapping[str, Parameter]) -> fits.Header:
    """The header of maps of parameters: what each plane is, and an axis that counts them."""
    made = reordered(header, dims, MAPS)
    for name, value in (("CTYPE", "PIXEL"), ("CUNIT", "pixel"), ("CNAME", "parameter")):
        made[f"{name}3"] = value
    for name in ("CRPIX", "CRVAL", "CDELT"):
        made[f"{name}3"] = 1.0
    planes = [(name, one.meaning, one.unit) for name, one in parameters.items()]
    planes.append((cubes.PLANES[-1], "chi-squared over degrees of freedom", ""))
    for number, (name, meaning, unit) in enumerate(planes, start=1):
        made[f"PARNAM{number}"] = (name, meaning)
        made[f"PARUNI{number}"] = (unit, f"unit of plane {number}")
    made["BTYPE"] = ("phys.magField", "with further planes: PARNAMn")
    made["BNAME"] = (title, "PARNAMn, in PARUNIn")
    made["BUNIT"] = ("", "each plane has its own: PARUNIn")
    return made


def _with_outputs(
    frame: Frame,
    made: cubes.Inverted,
    header: fits.Header,
    told: Told,
    parameters: Mapping[str, Parameter],
) -> Frame:
    flags = frame.quality
    if flags.ndim > len(MAPS) - 1:
        kept = np.uint16(int(Quality.INTERPOLATED) | int(Quality.OUTSIDE_FIELD))
        flags = np.bitwise_or.reduce(flags, axis=tuple(range(flags.ndim - 2))) & kept
    quality = flags.copy()
    quality[made.lost] |= np.uint16(Quality.MISSING)
    quality[made.doubtful] |= np.uint16(Quality.LOW_CONFIDENCE)
    each = quality | np.where(made.undetermined, np.uint16(Quality.UNDETERMINED), np.uint16(0))
    maps = _named(header, frame.dims, f"{told.title} parameters", parameters)
    for number, vague in enumerate(made.undetermined[:-1], start=1):
        maps[f"PARUND{number}"] = (int(vague.sum()), f"pixels in which plane {number} is UNDETERMINED")
    result = Frame(
        made.parameters,
        each,
        maps,
        frame.source,
        frame.caveats,
        uncertainty=None if frame.uncertainty is None else made.errors,
        dims=MAPS,
        outputs=frame.outputs,
    )
    named = _named(header, frame.dims, f"Errors of {told.title} parameters", parameters)
    errors = Frame(made.errors, each.copy(), named, frame.source, dims=MAPS)
    result = result.with_output("errors", errors)
    if made.fitted is None:
        return result
    seen = header.copy()
    seen["BNAME"] = ("Fitted Stokes profiles", "empty where nothing was inverted")
    return result.with_output("profiles", Frame(made.fitted, quality.copy(), seen, frame.source, dims=CUBE))


def _judged(result: Frame, made: cubes.Inverted, parameters: Mapping[str, Parameter]) -> Frame:
    """The result saying what its user should know."""
    result = result.with_caveat(AMBIGUOUS, mode="AZIMUTH-AMBIGUOUS")
    tried = int(np.count_nonzero(~made.lost))
    doubtful = int(np.count_nonzero(made.doubtful)) / max(tried, 1)
    if doubtful > _DOUBTS:
        result = result.with_caveat(
            f"{100 * doubtful:.1f} % of the pixels were not fitted well; they are flagged"
        )
    parts = dict(zip(parameters, made.undetermined.sum(axis=(1, 2)) / max(tried, 1), strict=False))
    if vague := [f"{name} in {100 * part:.0f} %" for name, part in parts.items() if part > _VAGUE]:
        result = result.with_caveat(
            f"the profiles do not determine {', '.join(vague)} of the pixels: flagged UNDETERMINED in its "
            "plane, to be taken for no measurement",
            mode="UNDETERMINED",
        )
    return result
