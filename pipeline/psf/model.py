"""The model of a PSF: diffraction, a core that may be elliptical, a second core, a wing that is a power law.

    H(k, θ) = (1 − w) T(kQ) [(1 − f) C(kₑ) + f exp(−(kₑ eˡ / k₀)²)] + w W(k)

with kₑ = k √(1 + e₁ cos 2θ + e₂ sin 2θ); T is the transfer function of an aperture, C a stretched
exponential or that of a Moffat function, W the transform of (1 + (r/r₀)²)^(−p/2) out to `WING` pixels. All
parameters are shared by all frames. Where λ/D is known, the core may also be that of an annular pupil with
aberrations (`pipeline.psf.pupil`), seen by pixels, in motion; where it is not, and the Sun's limb is an edge,
one that was learned (`pipeline.psf.learned`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Literal, NamedTuple

import numpy as np
import scipy.fft
from numpy.typing import NDArray
from scipy import special

from pipeline.psf.learned import learned
from pipeline.psf.positive import held
from pipeline.psf.pupil import MOST, Opening, aberrated, annular

F64 = NDArray[np.float64]
CoreModel = Literal["stretched", "moffat", "halo", "aperture", "pupil", "learned"]

#: Pixels beyond which no light is scattered: what goes farther cannot be told from a loss.
WING: Final = 200.0
MODELS: Final[tuple[CoreModel, ...]] = ("stretched", "moffat", "halo")
#: Where λ/D is known.
KNOWN_APERTURE: Final[tuple[CoreModel, ...]] = (*MODELS, "pupil")
#: Where λ/D is not known, it may be fitted.
UNKNOWN_APERTURE: Final[tuple[CoreModel, ...]] = (*MODELS, "aperture")
#: And with the Sun's limb; of edges that are seen in part, more freedom finds answers that are wrong.
WITH_LIMB: Final[tuple[CoreModel, ...]] = (*UNKNOWN_APERTURE, "learned")


class Bounds(NamedTuple):
    """A parameter: its limits, what it is near and within (1 σ; 0: anything), its meaning."""

    name: str
    least: float
    most: float
    near: float
    within: float
    meaning: str


PARAMETERS: Final = (
    Bounds("lnk0", -6.0, 1.5, 0.0, 0.0, "ln of the wavenumber where the core falls to 1/e [cycle/pixel]"),
    Bounds("n", 0.8, 2.6, 1.6, 0.5, "exponent of the core; of a Moffat function beta"),
    Bounds("e1", -0.7, 0.7, 0.0, 0.2, "ellipticity along x and y"),
    Bounds("e2", -0.7, 0.7, 0.0, 0.2, "ellipticity along the diagonals"),
    Bounds("f", 0.0, 0.6, 0.0, 0.25, "share of the second core"),
    Bounds("l", 0.4, 2.0, 0.9, 0.35, "ln of how much wider the second core is"),
    Bounds("w", 0.0, 0.5, 0.0, 0.15, "share of the wing"),
    Bounds("lnr0", np.log(2.0), np.log(25.0), np.log(6.0), 0.6, "ln of the radius where the wing begins"),
    Bounds("p", 2.05, 4.5, 2.8, 0.5, "exponent of the wing"),
)
NAMES: Final = tuple(one.name for one in PARAMETERS)
#: What the exponent of a Moffat core is near, within, between.
BETA: Final = Bounds("n", 1.6, 8.0, 3.0, 1.2, "exponent of the Moffat core")


#: A Gaussian core of any height in a halo: what aberrations make of a pupil.
HALO: Final = {
    "n": Bounds("n", 0.8, 4.0, 2.0, 0.5, "exponent of the second core"),
    "f": Bounds("f", 0.0, 0.9, 0.3, 0.3, "share of the second core"),
    "l": Bounds("l", 0.2, 3.5, 1.2, 0.6, "ln of how much wider the second core is"),
}
#: The same behind a circular aperture of any size.
APERTURE: Final = {
    "n": Bounds("n", 0.3, 14.0, 0.0, 0.0, "wavelength over the diameter of the aperture [pixel]")
}
#: An annular pupil whose wavefront is not plane; what remains of the core is motion, a Gaussian.
PUPIL: Final = {
    "n": Bounds("obstruction", 0.0, MOST, 0.15, 0.15, "diameter of the obstruction over the aperture's"),
    "f": Bounds("low", 0.0, 1.0, 0.0, 0.3, "variance of astigmatism and trefoil [rad2]"),
    "l": Bounds("high", 0.0, 1.0, 0.0, 0.3, "variance of coma and spherical aberration [rad2]"),
}
#: A learned core has scores of its directions in their places.
LEARNED: Final = {
    place: Bounds(name, -5.0, 5.0, 0.0, 1.0, f"score of the {which} learned direction")
    for place, name, which in (("n", "s1", "first"), ("f", "s2", "second"), ("l", "s3", "third"))
}
#: In cut-offs: where a Gaussian as wide as diffraction falls to 1/e. Of a pupil `lnk0` is of diffraction and
#: motion together, so that no motion at all is a place like any other, and the limit of the parameter.
_DIFFRACTION: Final = 0.485
#: Of each model, what differs from `PARAMETERS`; of a pupil, what is told counts, too.
_CHANGED: Final[dict[CoreModel, dict[str, Bounds]]] = {
    "moffat": {"n": BETA},
    "halo": HALO,
    "aperture": HALO | APERTURE,
    "learned": LEARNED,
}
#: What the second core is begun with, or what stands in its place.
_SECOND: Final[dict[CoreModel, tuple[float, float]]] = {
    "halo": (0.3, 1.2),
    "aperture": (0.3, 1.2),
    "pupil": (0.1, 0.1),
    "learned": (0.0, 0.0),
}
#: By how much an obstruction may differ from what was told.
_TOLD: Final = 0.02


def parameters_of(model: CoreModel, opening: Opening | None = None) -> tuple[Bounds, ...]:
    """The parameters of a model, in their order."""
    if model == "pupil":
        return _of_pupil(_known(opening))
    changed = _CHANGED.get(model, {})
    return tuple(changed.get(one.name, one) for one in PARAMETERS)


def _of_pupil(opening: Opening) -> tuple[Bounds, ...]:
    most = float(np.log(_DIFFRACTION / opening.q))
    sharpest = PARAMETERS[0]._replace(
        most=most, meaning="ln of the wavenumber where diffraction and motion fall to 1/e [cycle/pixel]"
    )
    found = {**PUPIL, "lnk0": sharpest}
    if opening.obstruction is not None:
        middle = opening.obstruction
        found["n"] = PUPIL["n"]._replace(
            least=max(middle - _TOLD, 0.0), most=middle + _TOLD, near=middle, within=0.5 * _TOLD
        )
    return tuple(found.get(one.name, one) for one in PARAMETERS)


def start_of(model: CoreModel, fwhm: float) -> F64:
    """Values to begin with, for a width."""
    aperture = 0.7 * fwhm
    exponent = {"stretched": 1.7, "moffat": 3.0, "halo": 2.0, "aperture": aperture, "pupil": 0.15}.get(
        model, 0.0
    )
    second = _SECOND.get(model, (0.05, 0.9))
    return np.array(
        [
            np.log({"aperture": 0.8, "pupil": 0.53}.get(model, 0.53) / fwhm),
            exponent,
            0.0,
            0.0,
            *second,
            0.04,
            np.log(6.0),
            2.8,
        ]
    )


def _known(opening: Opening | None) -> Opening:
    if opening is None:
        raise ValueError("a pupil is fitted where λ/D is known")
    return opening


def pixel(k: F64, theta: F64 | float | None = None) -> F64:
    """The transfer function of a square pixel; its azimuthal mean without `theta`."""
    if theta is not None:
        seen: F64 = np.sinc(k * np.cos(theta)) * np.sinc(k * np.sin(theta))
        return seen
    angles = np.pi * (np.arange(8) + 0.5) / 32.0  # of an eighth of a turn: the others are the same
    along, across = np.multiply.outer(np.cos(angles), k), np.multiply.outer(np.sin(angles), k)
    found: F64 = np.mean(np.sinc(along) * np.sinc(across), axis=0)
    return found


def moffat(k: F64, lnk0: float, beta: float) -> F64:
    """That of a Moffat function as wide at half maximum as a Gaussian that falls to 1/e at k0."""
    # α such that the half width is that of a Gaussian of the same k0: FWHM = 0.53 / k0 = 2 α √(2^(1/β) − 1).
    alpha = 0.265 / np.exp(lnk0) / np.sqrt(2.0 ** (1.0 / beta) - 1.0)
    mu = beta - 1.0
    z = np.maximum(2.0 * np.pi * k * alpha, 1e-9)
    found: F64 = 2.0 ** (1.0 - mu) / special.gamma(mu) * z**mu * special.kv(mu, z)
    return np.where(z < 1e-6, 1.0, found)


@dataclass(frozen=True, eq=False)
class Wing:
    """Transforms of wings at given wavenumbers; made once, for they cost most."""

    k: F64
    radii: F64
    matrix: F64

    @classmethod
    def at(cls, k: F64, reach: float = WING) -> Wing:
        """For wavenumbers, cycles per pixel."""
        edges = np.concatenate([np.arange(0.0, 12.0, 0.1), np.geomspace(12.0, reach, 240)])
        radii, steps = 0.5 * (edges[1:] + edges[:-1]), np.diff(edges)
        areas = 2.0 * np.pi * radii * steps
        return cls(k, radii, special.j0(2.0 * np.pi * np.outer(k, radii)) * areas)

    def __call__(self, lnr0: float, p: float) -> F64:
        """Their transform, 1 at k = 0."""
        values = self.values(lnr0, p)
        found: F64 = self.matrix @ values
        return found

    def values(self, lnr0: float, p: float) -> F64:
        """The wing at `radii`, its integral 1."""
        values = (1.0 + (self.radii / np.exp(lnr0)) ** 2) ** (-0.5 * p)
        edges = np.concatenate([[0.0], 0.5 * (self.radii[1:] + self.radii[:-1]), [WING]])
        total = float(np.sum(values * np.pi * np.diff(edges**2)))
        found: F64 = values / total
        return found


def core(
    parameters: F64, k: F64, opening: Opening | None, model: CoreModel, theta: F64 | float | None = None
) -> F64:
    """The transfer function of diffraction and both cores, 1 at k = 0; its azimuthal mean without `theta`."""
    lnk0, n, e1, e2, f, spread = parameters[:6]
    if theta is None:
        ke = k
    else:
        stretch = 1.0 + e1 * np.cos(2.0 * np.asarray(theta)) + e2 * np.sin(2.0 * np.asarray(theta))
        ke = k * np.sqrt(np.maximum(stretch, 0.05))
    width = np.exp(lnk0)
    if model == "pupil":
        q = _known(opening).q
        motion = max(np.exp(-2.0 * lnk0) - (q / _DIFFRACTION) ** 2, 0.0)
        seen: F64 = np.exp(-motion * ke**2) * pixel(k, theta) * aberrated(k * q, n, f, spread)
        return seen
    if model == "learned":
        return learned(ke, lnk0, parameters[[1, 4, 5]])
    if model == "moffat":
        first, second = moffat(ke, lnk0, n), np.exp(-((ke * np.exp(spread) / width) ** 2))
    elif model == "stretched":
        first, second = np.exp(-((ke / width) ** n)), np.exp(-((ke * np.exp(spread) / width) ** 2))
    else:
        exponent = n if model == "halo" else 2.0
        first, second = np.exp(-((ke / width) ** 2)), np.exp(-((ke * np.exp(spread) / width) ** exponent))
    shape: F64 = (1.0 - f) * first + f * second
    if model == "aperture":
        opening = Opening(n, opening.obstruction if opening else None)
    return shape * annular(k * opening.q, opening.obstruction or 0.0) if opening else shape


def transfer(
    parameters: F64,
    wing: Wing,
    opening: Opening | None,
    model: CoreModel,
    theta: F64 | float | None = None,
) -> F64:
    """The transfer function at the wing's wavenumbers."""
    w, lnr0, p = parameters[6:9]
    found: F64 = (1.0 - w) * core(parameters, wing.k, opening, model, theta) + w * wing(lnr0, p)
    return found


def kernel_of(
    parameters: F64,
    opening: Opening | None,
    model: CoreModel,
    size: int,
    lopsided: Callable[[F64, F64], F64] | None = None,
) -> NDArray[np.float64]:
    """The PSF on pixels: an odd square, nowhere negative, whose sum is 1.

    Parameters
    ----------
    parameters, opening, model
        Of the core and the wing.
    size
        Pixels along a side.
    lopsided
        The phase of the core's transfer function, to first order, from wavenumber and direction.
    """
    w, lnr0, p = parameters[6:9]
    fine = 2  # samples in a pixel, so that what pixels alias is in the kernel as it is in images
    number = scipy.fft.next_fast_len(fine * max(size, 255) + 32)
    ky, kx = np.meshgrid(scipy.fft.fftfreq(number), scipy.fft.rfftfreq(number), indexing="ij")
    k, theta = fine * np.hypot(kx, ky), np.arctan2(ky, kx)
    spectrum = core(parameters, k, opening, model, theta)
    half = size // 2
    at = (fine * np.arange(-half, half + 1)) % number

    def on_pixels(transformed: NDArray[Any]) -> F64:
        image = scipy.fft.irfft2(transformed, s=(number, number))
        picked: F64 = fine**2 * image[np.ix_(at, at)]
        return picked

    # A steep core that is fitted stands in for a cut-off, and is negative in places; no light is.
    found = (1.0 - w) * np.maximum(on_pixels(spectrum), 0.0)
    if lopsided is not None:
        found += held(found, (1.0 - w) * on_pixels(1j * lopsided(k, theta) * spectrum))
    y, x = np.indices((size, size)) - half
    r = np.hypot(x, y)
    wing = np.where(r <= WING, (1.0 + (r / np.exp(lnr0)) ** 2) ** (-0.5 * p), 0.0)
    scale = Wing.at(np.array([0.0])).values(lnr0, p)[0] if w > 0 else 0.0
    found += w * scale * wing
    result: F64 = found / found.sum()
    return result
