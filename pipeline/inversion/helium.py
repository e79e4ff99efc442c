"""The Zeeman pattern of He I 10830 Å: three lines whose upper levels a field mixes.

2s ³S₁ – 2p ³P₀,₁,₂: in weak fields each line has the pattern of its Landé factors (2; 0, 3/2, 3/2). J = 1
and J = 2 of the upper term are only 0.09 Å apart, which a field of 1 kG splits as much: from a few hundred
Gauss on places and strengths of the components are no longer those (Socas-Navarro, Trujillo Bueno & Landi
Degl'Innocenti 2004, ApJ 612, 1175). Here the term's nine states are those of the whole Hamiltonian
(incomplete Paschen–Back effect), or, for comparison, those of the linear effect.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.inversion.lines import BLUE, PI, RED, ZEEMAN, Level, Line

F64 = NDArray[np.float64]

#: [Å] In air, of J = 0, 1 and 2 of the upper term (NIST Atomic Spectra Database).
WAVELENGTHS: Final = (10829.0911, 10830.2501, 10830.3398)
REFERENCE: Final = WAVELENGTHS[2]
#: Strengths of the three lines: those of J = 1 and 2, which are one line to the eye, add up to one.
STRENGTHS: Final = (1.0 / 8.0, 3.0 / 8.0, 5.0 / 8.0)
#: [G] Greatest field, and steps between which the pattern is interpolated.
_GREATEST: Final = 6000.0
SPACING: Final = 10.0
_KINDS: Final = {1: BLUE, 0: PI, -1: RED}
_MAGNETIC: Final = (-1, 0, 1)


class Pattern(NamedTuple):
    """Components of the multiplet at fields in equal steps.

    Attributes
    ----------
    kind
        Of each component.
    nodes
        Shape (components, 2, fields): [Å] shift to the blue from `REFERENCE`, and strength.
    spacing
        [G] Of the fields.
    """

    kind: NDArray[np.int64]
    nodes: F64
    spacing: float


def lines() -> tuple[Line, ...]:
    """The three lines as they are in weak fields."""
    lower = Level.ls("3S1")
    return tuple(
        Line(f"He I {wavelength:.2f}", wavelength, lower, Level.ls(f"3P{j}"), strength=strength)
        for j, (wavelength, strength) in enumerate(zip(WAVELENGTHS, STRENGTHS, strict=True))
    )


@lru_cache
def pattern(*, paschen_back: bool = True) -> Pattern:
    """Places and strengths of all components.

    Parameters
    ----------
    paschen_back
        Whether the field mixes the upper levels; otherwise each line splits as in a weak field.
    """
    fields = np.arange(0.0, _GREATEST + SPACING, SPACING)
    kind, nodes = _mixed(fields) if paschen_back else _linear(fields)
    nodes.flags.writeable = False
    return Pattern(np.array(kind, np.int64), nodes, SPACING)


def _linear(fields: F64) -> tuple[list[int], F64]:
    kinds, nodes = [], []
    for line in lines():
        for one in line.components():
            kinds.append(one.kind)
            shift = REFERENCE - line.wavelength + ZEEMAN * REFERENCE**2 * one.shift * fields
            nodes.append([shift, np.full_like(fields, one.strength * line.strength)])
    return kinds, np.array(nodes)


def _mixed(fields: F64) -> tuple[list[int], F64]:
    """Components between each lower state and all states of the upper term that a dipole reaches."""
    kinds, nodes = [], []
    # A dipole acts on the orbit alone: a line has the share of |M_L = q, M_S> in its upper state.
    whole = sum(STRENGTHS) / len(_MAGNETIC)
    for magnetic in range(-2, 3):
        states = [(orbit, magnetic - orbit) for orbit in _MAGNETIC if abs(magnetic - orbit) <= 1]
        energies, vectors = np.linalg.eigh(_hamiltonian(states, fields))
        for place, (orbit, spin) in enumerate(states):
            lower = 2.0 * spin * ZEEMAN * REFERENCE**2 * fields
            for upper in range(len(states)):
                kinds.append(_KINDS[orbit])
                nodes.append([energies[:, upper] - lower, whole * vectors[:, place, upper] ** 2])
    return kinds, np.array(nodes)


def _hamiltonian(states: list[tuple[int, int]], fields: F64) -> F64:
    """[Å to the blue] Fine structure and field among states |M_L, M_S> of one M, for each field."""
    made = np.zeros((len(fields), len(states), len(states)))
    for j, wavelength in enumerate(WAVELENGTHS):
        along = np.array([_clebsch(orbit, spin, j) for orbit, spin in states])
        made += (REFERENCE - wavelength) * along[:, None] * along[None, :]
    for place, (orbit, spin) in enumerate(states):
        made[:, place, place] += ZEEMAN * REFERENCE**2 * (orbit + 2 * spin) * fields
    return made


def _clebsch(orbit: int, spin: int, j: int) -> float:
    """⟨1 M_L 1 M_S | J M⟩."""
    m = orbit + spin
    if abs(m) > j:
        return 0.0
    if j == 2:
        table = {2: [1.0], 1: [0.5, 0.5], 0: [1 / 6, 4 / 6, 1 / 6]}[abs(m)]
        index = 0 if abs(m) == 2 else (orbit + 1 if m == 0 else int(orbit == 0))
        return float(np.sqrt(table[index]))
    if j == 1:
        return float(np.sign(orbit - spin) * np.sqrt(0.5))
    return float((-1.0) ** (1 - orbit) * np.sqrt(1.0 / 3.0))
