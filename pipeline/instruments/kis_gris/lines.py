"""Spectral lines and continuum windows of the two regions GRIS is used at; wavelengths in air, Å.

Positions and depths of the 1.56 µm lines agree within 10 mÅ and 0.02 with the FTS atlas of the disk's
centre (Livingston & Wallace 1991, N.S.O. Technical Report 91-001). Their levels are those of Borrero et
al. (2003, A&A 404, 749) and Bellot Rubio et al. (2000, ApJ 534, 989). Ca I 10838.970 and Fe I 15662.017
are what the data centre inverts. Of the 1.08 µm lines positions are those of the NIST database and, of
water vapour, of Kuckein et al. (2012, A&A 539, A131); the levels of calcium are set so that its effective
Landé factor is the published 1.5.
"""

from __future__ import annotations

from typing import Final, Literal, NamedTuple

Region = Literal["1083", "1565"]


class Line(NamedTuple):
    """A spectral line.

    Attributes
    ----------
    name
        Element and ion.
    wavelength
        Å in air, at rest.
    depth
        Of the quiet Sun's mean profile at disk centre, of the continuum.
    lower, upper
        Total angular momentum and Landé factor of each level; none of a line that is not of the photosphere.
    telluric
        Whether it is of the Earth's air.
    ruler
        Whether its position is sharp enough to measure wavelengths by.
    """

    name: str
    wavelength: float
    depth: float
    lower: tuple[float, float] | None = None
    upper: tuple[float, float] | None = None
    telluric: bool = False
    ruler: bool = True


LINES: Final[dict[Region, tuple[Line, ...]]] = {
    "1083": (
        Line("Si I", 10827.089, 0.56, (2.0, 1.5), (2.0, 1.5)),
        # Three blended lines of the chromosphere; their place changes with its motions.
        Line("He I", 10830.30, 0.17, ruler=False),
        Line("H2O", 10832.108, 0.12, telluric=True),
        Line("H2O", 10833.981, 0.10, telluric=True),
        Line("Ca I", 10838.970, 0.30, (2.0, 1.5), (2.0, 1.5)),
    ),
    "1565": (
        Line("Fe I", 15645.020, 0.108, (2.0, 2.0), (2.0, 2.0)),
        Line("Fe I", 15648.515, 0.294, (1.0, 3.0), (1.0, 3.0)),
        Line("Fe I", 15652.874, 0.231, (5.0, 1.6), (4.0, 1.65)),
        Line("Fe I", 15662.017, 0.414, (5.0, 1.4), (4.0, 1.35)),
    ),
}
#: Å of a pixel, about.
DISPERSION: Final[dict[Region, float]] = {"1083": 0.018, "1565": 0.040}
#: Wavelengths with nothing in them, Å: at least 0.985 of the continuum in the atlas (1.56 µm).
CONTINUUM: Final[dict[Region, tuple[tuple[float, float], ...]]] = {
    "1083": ((10824.2, 10825.0), (10835.6, 10837.3), (10840.3, 10841.5)),
    "1565": (
        (15640.5, 15643.0),
        (15650.2, 15651.4),
        (15654.6, 15656.3),
        (15657.4, 15658.4),
        (15663.7, 15664.3),
    ),
}
#: The line whose polarisation quick looks show: the one the data centre inverts.
INVERTED: Final[dict[Region, float]] = {"1083": 10838.970, "1565": 15662.017}


def region_of(wavelength: float) -> Region | None:
    """The region that a wavelength in Å lies in; none where it is another one."""
    if 10780.0 <= wavelength <= 10880.0:
        return "1083"
    return "1565" if 15500.0 <= wavelength <= 15750.0 else None
