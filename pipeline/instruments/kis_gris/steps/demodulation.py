"""Step 3: from states of the modulation in two beams to Stokes parameters."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import BadInput
from pipeline.frame import Frame
from pipeline.instruments.kis_gris import facts
from pipeline.instruments.kis_gris.calibration_file import read_image, told
from pipeline.instruments.kis_gris.geometry import Place
from pipeline.instruments.kis_gris.steps.detector import RAW
from pipeline.step import Params, ReferenceNeed, References, step

CUBE: Final = ("stokes", "wavelength", "y", "x")
_PARAMETERS: Final = 4
#: Condition number of a modulation that tells nothing; those of polarimeters are 2 to 5.
_UNSOLVABLE: Final = 100.0


class DemodulationParams(Params):
    """How states and beams lie in a raw file.

    Attributes
    ----------
    states
        [1] States of the modulation, one image each.
    beams
        [1] Spectra above one another.
    slit_scale
        [arcsec] Of a pixel along the slit, where the header has no SLITSCAL.
    """

    states: int = 4
    beams: int = 2
    slit_scale: float = 0.135


def _shape(params: DemodulationParams, shape: tuple[int, ...]) -> tuple[int, ...]:
    return _PARAMETERS, shape[1], shape[2] // params.beams, max(1, shape[0] // params.states)


@step(
    "demodulate",
    version=2,
    prstep="DEMODULATION",
    instrument="kis_gris",
    takes=("ADU",),
    needs=(
        ReferenceNeed(
            "modulation",
            "the modulation matrix of the polarimetric calibration, FITS (beam, state, Stokes)",
            optional=True,
        ),
    ),
    memory_factor=4.0,
    dims=RAW,
    output_shape=_shape,
    output_dims=lambda params, dims: CUBE,
)
def demodulate(frame: Frame, params: DemodulationParams, references: References) -> Frame:
    """Stokes parameters of the states of both beams together, by the pseudoinverse of the modulation matrix.

    Beams are put together before they are demodulated, so that what differs between states (seeing, clouds)
    cancels in Q, U and V. Without a calibration the coefficients of the header are taken (COEFI-1 …).
    """
    steps = frame.data.shape[0] // params.states
    if frame.data.shape[0] % params.states or frame.data.shape[2] % params.beams or not steps:
        raise BadInput(
            f"the file does not hold {params.states} states of {params.beams} beams",
            file=frame.source,
            keyword="NAXIS3, NAXIS1",
            found=f"{frame.data.shape[0]} images of {frame.data.shape[2]} rows",
            advice="set demodulate.states and demodulate.beams to what it holds",
        )
    made, inverse = _inverse(frame, params, references)
    rows = frame.data.shape[2] // params.beams
    parts = frame.data.reshape(steps, params.states, frame.data.shape[1], params.beams, rows)
    data = np.einsum("pbs,xswby->pwyx", inverse.astype(np.float32), parts, optimize=True)
    flags = frame.quality.reshape(-1, frame.data.shape[1], params.beams, rows)
    flags = np.bitwise_or.reduce(flags, axis=0)
    quality = np.repeat(np.bitwise_or.reduce(flags, axis=1)[..., None], steps, axis=-1)
    header = made.header.copy()
    header["DATAVERS"] = (1, "data version (0 means raw data)")
    facts.add_exposure(header)
    header["WCSAXES"] = 4
    made = _placed(made.replace(data=data, quality=quality, header=header, dims=CUBE), params)
    for name, value in (("CTYPE", "STOKES"), ("CRPIX", 1.0), ("CRVAL", 1.0), ("CDELT", 1.0)):
        header[f"{name}4"] = value
    return made


def _inverse(
    frame: Frame, params: DemodulationParams, references: References
) -> tuple[Frame, NDArray[np.float64]]:
    """Shape (Stokes, beam, state), and the frame with what is to be said of it."""
    wanted = (params.beams, params.states, _PARAMETERS)
    if "modulation" in references:
        matrix = references["modulation"].load(read_image)
        if matrix.values.shape != wanted:
            raise BadInput(
                "the modulation matrix does not fit states and beams",
                file=frame.source,
                keyword="modulation",
                found=" x ".join(map(str, matrix.values.shape)),
                advice=f"write it as beam x state x Stokes: {' x '.join(map(str, wanted))}",
            )
        _require_solvable(matrix.values.reshape(-1, _PARAMETERS), references["modulation"].path)
        whole = matrix.values / matrix.values[..., 0].mean()
        found = np.linalg.pinv(whole.reshape(-1, _PARAMETERS)).reshape(_PARAMETERS, *wanted[:2])
        return told(frame, references["modulation"], simulated=matrix.simulated), found
    names = [[f"COEF{letter}-{state + 1}" for state in range(params.states)] for letter in "IQUV"]
    absent = [name for row in names for name in row if name not in frame.header]
    if absent:
        raise BadInput(
            "neither is a modulation matrix at hand nor are there coefficients in the header",
            file=frame.source,
            keyword=absent[0],
            found="absent",
            advice="add the matrix of the day's polarimetric calibration to the context",
        )
    one = np.array([[frame.keyword(name, float) for name in row] for row in names])
    _require_solvable(one, frame.source)
    both = np.stack(
        [one if beam == 0 else one * [[1.0], [-1.0], [-1.0], [-1.0]] for beam in range(params.beams)]
    )
    found = np.moveaxis(both, 0, 1) / params.beams
    return frame.with_caveat(
        "demodulated by the coefficients of the header, with the second beam as opposite as it should be: "
        "no polarimetric calibration was at hand",
        mode="HEADER-COEFFICIENTS",
    ), found


def _require_solvable(matrix: NDArray[np.float64], file: str) -> None:
    """Refuse a modulation that does not tell the four parameters apart: what comes of it is none of them."""
    condition = float(np.linalg.cond(matrix)) if np.isfinite(matrix).all() else np.inf
    if not condition < _UNSOLVABLE:
        raise BadInput(
            "the modulation does not tell the four Stokes parameters apart",
            file=file,
            keyword="modulation",
            found=f"condition number {condition:.3g}, more than {_UNSOLVABLE:g}",
            advice="use the matrix of the day's polarimetric calibration, beam x state x Stokes",
        )


def _placed(made: Frame, params: DemodulationParams) -> Frame:
    """The frame with coordinates on the Sun, where its header says where the slit was."""
    header = made.header
    names = ("SLITPOSX", "SLITPOSY", "SLITORIE")
    if any(not isinstance(header.get(name), (int, float)) for name in names):
        return made
    west, north, angle = (made.keyword(name, float) for name in names)
    scale = facts.positive(header, "SLITSCAL") or params.slit_scale
    width = facts.positive(header, "STEPSIZE") or scale
    cosine, sine = np.cos(np.radians(angle)), np.sin(np.radians(angle))
    place = Place((west, north), (width * cosine, width * sine), (-scale * sine, scale * cosine), 0.0)
    place.write(header, made.data.shape[3], made.data.shape[2])
    return made
