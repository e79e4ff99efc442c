"""Levels 2.0 and 2.5: numbers to radiance, or to the brightness of the mean solar disk."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

from pipeline.errors import BadInput
from pipeline.frame import Frame
from pipeline.instrument import header_text, parse_date
from pipeline.instruments.aso_s_lst import facts
from pipeline.instruments.aso_s_lst.calibration_file import told
from pipeline.step import Params, ReferenceNeed, References, step
from pipeline.uncertainty import exact


class Response(NamedTuple):
    """Level 2 of one number a second, by date (modified Julian)."""

    mjd: NDArray[np.float64]
    factor: NDArray[np.float64]
    unit: str
    simulated: bool


class ResponseParams(Params):
    """Parameters of the radiometric calibration.

    Attributes
    ----------
    unit
        Of the result; the response has to be in it.
    """

    unit: Literal["erg s-1 cm-2 sr-1", "MSB"] = "erg s-1 cm-2 sr-1"


def read_response(path: str) -> Response:
    """A table of the response."""
    with fits.open(path) as hdus:
        table: Any = hdus["RESPONSE"]
        mjd, factor = (np.array(table.data[name], dtype=np.float64) for name in ("MJD", "FACTOR"))
        simulated = bool(hdus[0].header.get("SIMULATD", False))
        if not (
            mjd.size and (np.diff(mjd) > 0).all() and np.isfinite([mjd, factor]).all() and (factor > 0).all()
        ):
            raise BadInput(
                "the table of the response is none: dates have to rise, factors to be positive",
                file=path,
                keyword="MJD, FACTOR",
                found=f"{mjd.size} rows",
                advice="add a table in the order of its dates, without gaps",
            )
        return Response(mjd, factor, str(table.header.get("UNIT", "")).strip(), simulated)


@step(
    "radiometric_calibration",
    version=1,
    prstep="RADIOMETRIC-CALIBRATION",
    instrument="aso_s_lst",
    takes=("DN",),
    gives=lambda params: str(params.unit),
    memory_factor=2.5,
    needs=(ReferenceNeed("response", "level 2 of one number a second, by date, of the telescope"),),
    uncertainty=exact("multiplied by the response, like the image; that of the response is left out"),
)
def radiometric_calibration(frame: Frame, params: ResponseParams, references: References) -> Frame:
    """Divide by the exposure time and multiply by the response of the date, linear between its dates."""
    reference = references["response"]
    response = reference.load(read_response)
    date = parse_date(header_text(frame.header, "DATE-OBS"))
    seconds = frame.keyword("EXPTIME", float)
    if response.unit != params.unit or not 0 < seconds < np.inf or date is None:
        raise BadInput(
            "the image cannot be calibrated in this unit, or not without its date and exposure time",
            file=frame.source,
            keyword="UNIT of the response, EXPTIME, DATE-OBS",
            found=f"{response.unit}, {seconds}, {date}",
            advice=f"the recipe gives {params.unit}: take the one of this telescope, or correct the header",
        )
    mjd = date.timestamp() / 86400.0 + 40587.0
    factor = float(np.interp(mjd, response.mjd, response.factor)) / seconds
    header = frame.header.copy()
    header["RESPONSE"] = (factor * seconds, f"[{params.unit}] of 1 DN/s at this date")
    band = facts.OPTICS[facts.telescope(frame)].band
    header["BTYPE"] = (f"phot.radiance;{band}", "UCD 1+ of the values")
    made = frame.replace(
        data=frame.data * np.float32(factor), header=header, uncertainty=frame.uncertainty_times(factor)
    )
    if not response.mjd[0] <= mjd <= response.mjd[-1]:
        made = made.with_caveat(
            "radiometric_calibration: the response is that of its nearest date, for its table does not reach "
            "the image's",
            mode="EXTRAPOLATED",
        )
    return told(made, reference, simulated=response.simulated)
