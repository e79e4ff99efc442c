"""Lines whose velocities are measured, with the wavelengths in air that velocities are counted from."""

from __future__ import annotations

from typing import Final, NamedTuple


class Line(NamedTuple):
    """A spectral line.

    Attributes
    ----------
    name
        Element, ion, Å.
    wavelength
        At rest, in standard air, Å.
    source
        Where that is known from.
    """

    name: str
    wavelength: float
    source: str


_PAPER: Final = "Löhner-Böttcher et al. 2018, A&A 611, A4, table 2"
_LIST: Final = "line list of SIR (BasilioRuiz/SIR-code)"
LINES: Final = (
    Line("Fe I 5250.2", 5250.208, _LIST),
    Line("Fe I 6173.3", 6173.3352, _LIST),
    Line("Fe I 6301.5", 6301.5008, _PAPER),
    Line("Fe I 6302.5", 6302.4932, _PAPER),
)


def within(first: float, last: float) -> tuple[Line, ...]:
    """Lines between two wavelengths in air, Å, in their order."""
    return tuple(line for line in LINES if first < line.wavelength < last)
