"""Spectral lines and their Zeeman patterns, from the quantum numbers of their levels.

Wavelengths are in air. Patterns are those of the anomalous Zeeman effect in LS or any other coupling, told by
J and the Landé factor of each level (Landi Degl'Innocenti & Landolfi 2004, Polarization in Spectral Lines,
§3.2-3.3).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple

from pipeline.errors import Fatal

#: e/(4π mₑ c²), in 1/(Å G): a component of factor g is shifted by this times g λ² B.
ZEEMAN: Final = 4.66864e-13
#: Kinds of components: the one shifted to the blue (ΔM = +1), unshifted, to the red.
BLUE, PI, RED = 0, 1, 2
_ORBITAL: Final = "SPDFGHIKLM"


class Component(NamedTuple):
    """One Zeeman component: its kind, its shift to the blue in units of ``ZEEMAN λ² B``, and its share."""

    kind: int
    shift: float
    strength: float


@dataclass(frozen=True)
class Level:
    """A level of an atom.

    Attributes
    ----------
    j
        Total angular momentum.
    g
        Landé factor.
    """

    j: float
    g: float

    @classmethod
    def ls(cls, term: str) -> Level:
        """A level in LS coupling, from its term: ``5P2`` is a quintet P with J = 2."""
        spin, orbital, j = (int(term[0]) - 1) / 2, _ORBITAL.index(term[1]), float(term[2:])
        return cls(j, lande(spin, orbital, j))


def lande(spin: float, orbital: float, j: float) -> float:
    """Landé factor in LS coupling; 0 where J is 0."""
    if j == 0:
        return 0.0
    return 1.5 + (spin * (spin + 1) - orbital * (orbital + 1)) / (2 * j * (j + 1))


@dataclass(frozen=True)
class Line:
    """A spectral line.

    Attributes
    ----------
    name
        As recipes write it.
    wavelength
        [Å] In air.
    lower, upper
        Its levels.
    strength
        Of its opacity, relative to the other lines that are inverted with it.
    source
        Where wavelength and levels are known from.
    caveat
        What Milne-Eddington inversions of it should be told with; '' for nothing.
    """

    name: str
    wavelength: float
    lower: Level
    upper: Level
    strength: float = 1.0
    source: str = ""
    caveat: str = ""

    @property
    def effective(self) -> float:
        """Effective Landé factor."""
        g1, g2, j1, j2 = self.lower.g, self.upper.g, self.lower.j, self.upper.j
        return 0.5 * (g1 + g2) + 0.25 * (g1 - g2) * (j1 * (j1 + 1) - j2 * (j2 + 1))

    def components(self) -> tuple[Component, ...]:
        """Its Zeeman components; strengths add up to one for each kind. Equal shifts are one component."""
        found: dict[tuple[int, float], float] = {}
        for kind, shift, strength in self._each():
            key = (kind, round(shift, 9) + 0.0)
            found[key] = found.get(key, 0.0) + strength
        return tuple(
            Component(kind, shift, strength)
            for (kind, shift), strength in sorted(found.items())
            if strength > 0
        )

    def _each(self) -> Iterator[Component]:
        steps = round(2 * self.lower.j)
        for number in range(steps + 1):
            m = -self.lower.j + number
            for kind, to in ((BLUE, m + 1), (PI, m), (RED, m - 1)):
                if abs(to) <= self.upper.j:
                    # A higher energy is a shorter wavelength: to the blue is positive here.
                    shift = self.upper.g * to - self.lower.g * m
                    yield Component(
                        kind, shift, _strength(self.lower.j, self.upper.j - self.lower.j, m, kind)
                    )


def _strength(j: float, change: float, m: float, kind: int) -> float:
    """Share of a component among those of its kind (Landi Degl'Innocenti & Landolfi 2004, table 3.1)."""
    sign = {BLUE: 1, PI: 0, RED: -1}[kind] * m
    if change == 1:
        whole = (j + 1) * (2 * j + 1) * (2 * j + 3)
        if kind == PI:
            return 3 * (j - m + 1) * (j + m + 1) / whole
        return 3 * (j + sign + 1) * (j + sign + 2) / (2 * whole)
    if change == 0:
        whole = j * (j + 1) * (2 * j + 1)
        return 3 * m * m / whole if kind == PI else 3 * (j - sign) * (j + sign + 1) / (2 * whole)
    whole = j * (2 * j - 1) * (2 * j + 1)
    if kind == PI:
        return 3 * (j - m) * (j + m) / whole
    return 3 * (j - sign) * (j - sign - 1) / (2 * whole)


_SIR: Final = "LINES of SIR (Ruiz Cobo & del Toro Iniesta 1992)"
_NIST: Final = "NIST Atomic Spectra Database"


def _catalogue() -> dict[str, Line]:
    ls = Level.ls
    made = (
        Line("Fe I 5250.2", 5250.208, ls("5D0"), ls("7D1"), source=_SIR),
        Line("Fe I 6173.3", 6173.3352, ls("5P1"), ls("5D0"), source=_SIR),
        Line("Fe I 6301.5", 6301.5012, Level(2, 1.84), Level(2, 1.50), source=f"{_SIR}; g as in pyMilne"),
        # 0.45 of its neighbour: what fits Hinode's spectra best; gf values and excitation give 0.335.
        Line(
            "Fe I 6302.5",
            6302.4936,
            Level(1, 2.49),
            Level(0, 0.0),
            strength=0.45,
            source=f"{_SIR}; g as measured",
        ),
        Line(
            "Si I 10827.1",
            10827.089,
            ls("3P2"),
            ls("3P2"),
            source=_SIR,
            caveat="the core of Si I 10827 is not in local thermodynamic equilibrium: the source function "
            "is not linear where it forms, so S0, S1 and the damping mean little",
        ),
        Line("Ca I 10839.0", 10838.970, ls("3P2"), ls("3P2"), source=f"{_NIST}; terms as recalled, g 1.5"),
        Line("Fe I 15648.5", 15648.514, ls("7D1"), ls("7D1"), source=_SIR),
        Line("Fe I 15662.0", 15662.017, ls("5F5"), ls("5F4"), source=_SIR),
    )
    return {line.name: line for line in made}


#: The lines that are known by name.
LINES: Final = _catalogue()


def line(name: str) -> Line:
    """A line of the catalogue.

    Raises
    ------
    Fatal
        When it is not in it; the message lists those that are.
    """
    if name not in LINES:
        raise Fatal(f"no spectral line is called {name!r}; there are {', '.join(sorted(LINES))}")
    return LINES[name]
