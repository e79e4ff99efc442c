"""Step 6: wavelengths in air, on a grid that all spectra of one setting share."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from astropy.io import fits

from pipeline.errors import BadInput
from pipeline.frame import Frame
from pipeline.instruments.kis_lars import air, dispersion, facts
from pipeline.instruments.kis_lars.grid import put
from pipeline.step import Params, References, step

#: Å: steps of the grid are whole multiples of it, so that spectra of one setting have the same.
_FINEST: Final = 1e-5
#: A power of ten of a metre that an Ångström is.
_ANGSTROM: Final = -10


class GridParams(Params):
    """`air_wavelengths` has nothing to choose."""


@step(
    "air_wavelengths",
    version=1,
    prstep="SPECTRAL-COORDINATE-CORRECTION",
    instrument="kis_lars",
    takes=("DN",),
    dims=("wavelength",),
    memory_factor=6.0,
    libraries=("numpy", "scipy"),
)
def air_wavelengths(frame: Frame, params: GridParams, references: References) -> Frame:
    """Give wavelengths in standard air (Ciddor 1996), and put the spectrum on equal steps of them.

    The grid follows from the setting of the grating alone: spectra of a time sequence share it. What their
    detector did not reach is NaN.
    """
    length = len(frame.data)
    coefficients = [
        frame.keyword(f"DSPC{number}", float) for number in range(frame.keyword("DSPORD", int) + 1)
    ]
    vacuum = dispersion.wavelengths(np.array(coefficients), length) / frame.keyword("DOPPLER", float)
    wavelength, values, quality = air.in_air(vacuum), frame.data.astype(np.float64), frame.quality
    if wavelength[0] > wavelength[-1]:
        wavelength, values, quality = wavelength[::-1], values[::-1], quality[::-1]
    if not (np.diff(wavelength) > 0).all():
        raise BadInput(
            "wavelengths go up and down along the detector: the dispersion is no solution",
            file=frame.source,
            keyword="DSPORD",
            found=str(len(coefficients) - 1),
            advice="choose a lower order: --set calibrate_wavelength.order=3",
        )
    first, step_size = _grid(facts.nominal(frame), length)
    made = put(wavelength, values, quality, first + step_size * np.arange(length, dtype=np.float64))
    header = frame.header.copy()
    _describe(header, first, step_size, length)
    return frame.replace(data=made.values, quality=made.quality, header=header)


def _grid(nominal: facts.Nominal, length: int) -> tuple[float, float]:
    """First wavelength and step, Å in air."""
    ends = air.in_air(nominal.at(np.array([0.0, length - 1.0])))
    step_size = _FINEST * max(1, round(abs(ends[1] - ends[0]) / (length - 1) / _FINEST))
    return step_size * math.floor(float(ends.min()) / step_size), step_size


def _describe(header: fits.Header, first: float, step_size: float, length: int) -> None:
    header["CTYPE1"] = ("AWAV", "wavelength in standard air (Ciddor 1996)")
    header["CUNIT1"] = "Angstrom"
    header["CRPIX1"] = 1.0
    header["CRVAL1"] = (round(first, 8), "[Angstrom] of the first value")
    header["CDELT1"] = (round(step_size, 8), "[Angstrom]")
    header["WAVEUNIT"] = (_ANGSTROM, "wavelengths are in 10^-10 m")
    header["WAVEREF"] = ("air", "wavelengths are those in air")
    header["WAVEMIN"] = (round(first, 6), "[Angstrom]")
    header["WAVEMAX"] = (round(first + step_size * (length - 1), 6), "[Angstrom]")
