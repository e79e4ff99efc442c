"""Synthetic pixels, of distributions that are not those of the libraries that fits begin from."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pipeline.inversion.atmosphere import Atmosphere
from pipeline.inversion.cubes import gaussian
from pipeline.inversion.forms import LIGHT
from pipeline.inversion.lines import Line, line
from pipeline.inversion.model import Model
from pipeline.inversion.slab import Slab

F64 = NDArray[np.float64]
NOISE: Final = 1e-3
#: Of helium: near that of radiation.
DAMPING: Final = 0.01
#: G; the strongest field of all pixels.
STRONGEST: Final = 3000.0


def evenly(count: int, unknowns: int, reference: float, rng: np.random.Generator) -> F64:
    """Every field from 0 to 3 kG as often as any other, like all other parameters."""
    p = np.zeros((count, unknowns))
    p[:, 0] = rng.uniform(0.0, STRONGEST, count)
    p[:, 1] = np.arccos(rng.uniform(-1.0, 1.0, count))
    p[:, 2] = rng.uniform(-2.0, 2.0, count)
    p[:, 3] = np.log(rng.uniform(0.95, 2.15, count) * reference / LIGHT)
    p[:, 4] = np.log(rng.uniform(3.0, 20.0, count))
    p[:, 5] = np.log(rng.uniform(0.05, 1.0, count))
    p[:, 6] = rng.uniform(0.0, np.pi, count)
    p[:, 7] = rng.uniform(0.1, 0.5, count)
    p[:, 8] = 1.0 - p[:, 7]
    return p


def of_a_spot(count: int, unknowns: int, reference: float, rng: np.random.Generator) -> F64:
    """A spot and its surroundings: what belongs together in one, at random distances from its middle."""
    p = np.zeros((count, unknowns))
    distance = 1.25 * np.sqrt(rng.uniform(0.0, 1.0, count))
    inside = 1.0 / (1.0 + np.exp((distance - 1.0) / 0.04))
    spread = rng.normal(size=(5, count))
    p[:, 0] = np.clip(
        inside * (2800.0 * np.exp(-((distance / 0.75) ** 2)) + 120.0 * spread[0])
        + (1 - inside) * np.exp(5.0 + 0.8 * spread[0]),
        0.0,
        STRONGEST,
    )
    p[:, 1] = np.clip(np.radians(75.0 * distance + 12.0 * spread[1]), 0.02, np.pi - 0.02)
    p[:, 6] = np.mod(rng.uniform(0.0, np.pi, count), np.pi)
    p[:, 2] = 1.5 * inside * distance * np.cos(2 * p[:, 6]) + 0.5 * spread[2]
    p[:, 3] = np.log((1.3 + 0.15 * np.tanh(spread[3])) * reference / LIGHT)
    p[:, 4] = np.log(14.0 - 6.0 * np.minimum(distance, 1.0)) + 0.2 * np.tanh(spread[4])
    p[:, 5] = np.log(0.3) + 0.4 * np.tanh(spread[3] - spread[4])
    brightness = 0.25 + 0.75 / (1.0 + np.exp(-(distance - 0.45) / 0.08))
    p[:, 7], p[:, 8] = 0.35 * brightness, 0.65 * brightness
    return p


def of_the_chromosphere(count: int, unknowns: int, reference: float, rng: np.random.Generator) -> F64:
    """Slabs of helium: every field from 0 to 3 kG as often as any other, optical depths of 0.2 to 2.5."""
    p = evenly(count, unknowns, reference, rng)
    p[:, 2] = rng.uniform(-8.0, 8.0, count)
    p[:, 3] = np.log(rng.uniform(5.0, 12.0, count) * reference / LIGHT)
    p[:, 4] = np.log(rng.uniform(0.2, 2.5, count))
    p[:, 5] = np.log(DAMPING)
    p[:, 7] = rng.uniform(0.2, 0.7, count)
    p[:, 8] = rng.uniform(0.95, 1.05, count)
    return p


def of_thin_helium(count: int, unknowns: int, reference: float, rng: np.random.Generator) -> F64:
    """The same with optical depths of 0.05 to 0.5 and fields of 0 to 1 kG."""
    p = of_the_chromosphere(count, unknowns, reference, rng)
    p[:, 0] /= 3.0
    p[:, 4] = np.log(rng.uniform(0.05, 0.5, count))
    return p


@dataclass(frozen=True)
class Pixels(ABC):
    """What is inverted, and how fast it should go.

    Attributes
    ----------
    name
        Of the row.
    precision
        float32 or float64.
    least
        Pixels a second and core that are aimed at; 0 for none.
    draw
        Where its pixels come from.
    """

    name: str
    precision: Any = field(default=np.float32, kw_only=True)
    least: float = field(default=0.0, kw_only=True)
    draw: Callable[[int, int, float, np.random.Generator], F64] = field(default=evenly, kw_only=True)

    @property
    @abstractmethod
    def model(self) -> Model:
        """The forward problem."""

    @property
    def settings(self) -> dict[str, Any]:
        """Of the inversion."""
        return {}

    def unknowns(self, count: int, rng: np.random.Generator) -> F64:
        """Of so many pixels."""
        return self.draw(count, self.model.unknowns, self.model.atoms.reference, rng)

    def drawn(self, count: int, seed: int) -> tuple[F64, NDArray[Any]]:
        """Unknowns of so many pixels, and their profiles with noise."""
        rng = np.random.default_rng((seed, 20))
        p = self.unknowns(count, rng)
        profiles = self.model.synthesise(p)
        return p, (profiles + rng.normal(0.0, NOISE, profiles.shape)).astype(self.precision)


@dataclass(frozen=True)
class SlabCase(Pixels):
    """Helium: 80 wavelengths from 10828 to 10832 Å.

    Attributes
    ----------
    held
        Whether the damping is held, as the recipe does.
    """

    held: bool = True

    @property
    def model(self) -> Slab:
        """The forward problem."""
        return Slab(10828.0 + 0.05 * np.arange(80, dtype=np.float64), dtype=self.precision)

    @property
    def settings(self) -> dict[str, Any]:
        """As the recipe has them."""
        return {"library": 2000, "fixed": {"damping": DAMPING} if self.held else {}}


@dataclass(frozen=True)
class Case(Pixels):
    """A Milne–Eddington atmosphere.

    Attributes
    ----------
    lines
        Names of lines.
    centre, reach, number
        [Å] Middle and half width of the wavelengths, and how many.
    smeared, filling
        Whether there are a spectral PSF and a filling factor.
    replaced
        Lines with other constants than ours, for the comparison with a code that has them.
    """

    lines: tuple[str, ...]
    centre: float
    reach: float
    number: int
    smeared: bool = False
    filling: bool = False
    replaced: tuple[Line, ...] = ()

    @property
    def atmosphere(self) -> Atmosphere:
        """The forward problem."""
        wavelengths = self.centre + np.linspace(-self.reach, self.reach, self.number)
        step = float(wavelengths[1] - wavelengths[0])
        lines = self.replaced or tuple(line(name) for name in self.lines)
        depth = sum(np.exp(-(((wavelengths - one.wavelength) / 0.06) ** 2)) for one in lines)
        return Atmosphere(
            lines,
            wavelengths,
            psf=gaussian(0.024, step) if self.smeared else np.zeros(0),
            stray=1.0 - 0.5 * np.asarray(depth) if self.filling else None,
            dtype=self.precision,
        )

    @property
    def model(self) -> Atmosphere:
        """The forward problem."""
        return self.atmosphere

    def unknowns(self, count: int, rng: np.random.Generator) -> F64:
        """Of so many pixels."""
        p = super().unknowns(count, rng)
        if self.filling:
            p[:, 9] = rng.uniform(0.1, 1.0, count)
        return p


_PAIR: Final[dict[str, Any]] = {
    "lines": ("Fe I 6301.5", "Fe I 6302.5"),
    "centre": 6302.09,
    "reach": 1.193,
    "number": 112,
}
_TRIPLET: Final[dict[str, Any]] = {
    "lines": ("Fe I 6302.5",),
    "centre": 6302.4936,
    "reach": 0.6,
    "number": 61,
}
TRIPLET: Final = Case("triplet 6302.5, 61 wavelengths", **_TRIPLET, least=30_000.0)
SMEARED: Final = Case("6301.5 + 6302.5, 15 components, PSF", **_PAIR, smeared=True, least=10_000.0)
FILLED: Final = Case(
    "6301.5 + 6302.5, PSF, filling factor", **_PAIR, smeared=True, filling=True, least=8_000.0
)
CASES: Final = (
    TRIPLET,
    Case("the same in a spot", **_TRIPLET, draw=of_a_spot),
    Case("the same, double precision", **_TRIPLET, precision=np.float64),
    Case("Fe I 6173.3, 61 wavelengths", ("Fe I 6173.3",), 6173.3352, 0.6, 61),
    Case("Fe I 15648.5, 61 wavelengths", ("Fe I 15648.5",), 15648.514, 2.0, 61),
    Case("Fe I 15662.0, 27 components, 61 wavelengths", ("Fe I 15662.0",), 15662.017, 1.6, 61),
    Case("Ca I 10839.0, 61 wavelengths", ("Ca I 10839.0",), 10838.970, 0.9, 61),
    Case("6301.5 + 6302.5, 15 components", **_PAIR),
    SMEARED,
    Case("the same in a spot", **_PAIR, smeared=True, draw=of_a_spot),
    FILLED,
)
HELIUM: Final = SlabCase("He I 10830, 80 wavelengths", draw=of_the_chromosphere, least=2_000.0)
SLABS: Final = (
    HELIUM,
    SlabCase("the same, double precision", draw=of_the_chromosphere, precision=np.float64),
    SlabCase("the same, damping free", draw=of_the_chromosphere, held=False),
    SlabCase("thin, fields of 0 to 1 kG", draw=of_thin_helium),
)
