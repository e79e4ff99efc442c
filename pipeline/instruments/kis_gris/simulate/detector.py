"""What stands between the Sun and the numbers of a raw file; assumed throughout, for no document tells it.

Two beams of opposite polarisation, one above the other on the detector; four states of modulation; gain, dark
and bad pixels; crosstalk between Stokes parameters; polarised fringes.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np

from pipeline.instruments.kis_gris.simulate.config import SimulationConfig
from pipeline.instruments.kis_gris.simulate.zeeman import F64

BEAMS: Final = 2
STATES: Final = 4
#: Numbers that the quiet Sun's continuum at disk centre makes in one image.
LEVEL: Final = 6000.0
_BIAS: Final = 420.0
#: Light of the second beam over that of the first.
_SECOND_BEAM: Final = 0.93
#: Share of the pixels that are stuck, and rows of each beam behind dust on the slit, with what these let
#: through.
_STUCK: Final = 4e-4
_DUST: Final = ((0.23, 0.82), (0.71, 0.91))
#: What leaks from I into Q, U, V; from V into Q, U; from Q, U into V.
FROM_I: Final = (0.012, -0.008, 0.015)
FROM_V: Final = (0.06, -0.04)
INTO_V: Final = (-0.05, 0.03)
#: Fringes of Q, U and V: period in Å, amplitude over the intensity, and turn of their phase per row.
FRINGES: Final = ((2.63, 0.0030, 0.10), (1.10, 0.0018, -0.06))


class Detector(NamedTuple):
    """The detector and the modulator of a night.

    Attributes
    ----------
    gain
        Shape (wavelength, both beams' rows); 0 of pixels that are stuck.
    dark
        Numbers of one image without light, same shape.
    modulation
        Shape (beam, state, Stokes).
    """

    gain: F64
    dark: F64
    modulation: F64


def detector(config: SimulationConfig) -> Detector:
    """The detector of a configuration; the same for all of one seed."""
    random = np.random.default_rng((config.seed, 404))
    number, rows = config.wavelengths.size, config.rows
    shape = (number, BEAMS * rows)
    along = np.linspace(-1.0, 1.0, number)[:, None]
    gain = (1.0 + 0.03 * random.normal(size=shape)) * (1.0 + 0.06 * along - 0.05 * along**2)
    for beam in range(BEAMS):
        for place, through in _DUST:
            gain[:, beam * rows + int(place * rows)] *= through
    gain[:, rows:] *= _SECOND_BEAM
    dark = _BIAS + 12.0 * random.normal(size=shape)
    stuck = random.random(shape) < _STUCK
    gain[stuck] = 0.0
    dark[stuck] = np.where(random.random(int(stuck.sum())) < 0.5, 16000.0, 3.0)
    return Detector(gain, dark, _modulation(random))


def _modulation(random: np.random.Generator) -> F64:
    """States at the corners of a tetrahedron, a little off; the beams are opposite, nearly."""
    corners = np.array([(1, 1, 1), (1, -1, -1), (-1, 1, -1), (-1, -1, 1)]) / np.sqrt(3.0)
    made = np.ones((BEAMS, STATES, 4))
    made[0, :, 1:] = corners + 0.05 * random.normal(size=corners.shape)
    made[1, :, 1:] = -made[0, :, 1:] + 0.02 * random.normal(size=corners.shape)
    return 0.5 * made


def crosstalk() -> F64:
    """The matrix by which true Stokes parameters become those at the modulator."""
    made = np.eye(4)
    made[1:, 0] = FROM_I
    made[1:3, 3] = FROM_V
    made[3, 1:3] = INTO_V
    return made


def fringes(wavelengths: F64, rows: int) -> F64:
    """Over the intensity, shape (Stokes, wavelength, row); none in I."""
    made = np.zeros((4, wavelengths.size, rows))
    for period, amplitude, turn in FRINGES:
        for index, (size, phase) in enumerate(((1.0, 0.3), (0.7, 1.9), (0.5, 4.0)), start=1):
            angle = 2.0 * np.pi * wavelengths[:, None] / period + turn * np.arange(rows) + phase
            made[index] += size * amplitude * np.sin(angle)
    return made
