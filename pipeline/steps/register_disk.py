"""Registration of full-disk images: north up, the Sun's centre in the middle, one plate scale."""

from __future__ import annotations

import math
import re
from typing import Any, Final

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray
from pydantic import Field

from pipeline.errors import BadInput
from pipeline.frame import Frame
from pipeline.kernels.outside import nothing_approximated_outside, nothing_lost_outside
from pipeline.kernels.resample import AffineMap, resample
from pipeline.step import Params, References, step

#: Cards of the grid that was left, and of alternate systems of it.
_STALE: Final = re.compile(
    r"(CROTA[12]?|(PC|CD)[12]_[12]|[XY]CEN|LONPOLE|LATPOLE"
    r"|(CTYPE|CUNIT|CRPIX|CRVAL|CDELT|CNAME)[12][A-Z]|(PC|CD)[12]_[12][A-Z]|WCSNAME[A-Z])"
)


class RegisterDiskParams(Params):
    """Parameters of the registration.

    Attributes
    ----------
    scale_arcsec
        [arcsec/pix] Plate scale of the result; null: that of the frame.
    size
        [pix] Side of the result; null: the frame's own shape.
    clip
        Keep the result within the range of the input.
    """

    scale_arcsec: float | None = Field(default=None, ge=0.05, le=60.0)
    size: int | None = Field(default=None, ge=32, le=16384)
    clip: bool = True


def _output_shape(params: RegisterDiskParams, shape: tuple[int, ...]) -> tuple[int, ...]:
    return shape if params.size is None else (*shape[:-2], params.size, params.size)


@step(
    "register_disk",
    version=3,
    prstep="DEROTATION,SPATIAL-ALIGNMENT",
    memory_factor=5.0,
    libraries=("numpy", "numba"),
    dims=(..., "y", "x"),
    output_shape=_output_shape,
)
def register_disk(frame: Frame, params: RegisterDiskParams, references: References) -> Frame:
    """Turn solar north up and put the Sun's centre in the middle, by the header's coordinates; cubic splines.

    Raises
    ------
    BadInput
        When the header does not say where the pixels point.
    """
    matrix, centre = _grid(frame)
    scale = params.scale_arcsec or math.sqrt(abs(float(np.linalg.det(matrix))))
    rows, columns = _output_shape(params, frame.data.shape)[-2:]
    middle = np.array([(columns - 1) / 2.0, (rows - 1) / 2.0])
    back = np.asarray(np.linalg.inv(matrix) * scale, dtype=np.float64)
    onto = AffineMap(back, centre - back @ middle)
    images = frame.data.reshape(-1, *frame.data.shape[-2:])
    flags = np.broadcast_to(frame.quality, frame.data.shape).reshape(images.shape)
    made = [
        resample(image, np.ascontiguousarray(flag), onto, (rows, columns), clip=params.clip)
        for image, flag in zip(images, flags, strict=True)
    ]
    leading = frame.data.shape[:-2]
    quality = _beside([flag for _, flag in made]).reshape(*leading, rows, columns)
    nothing_lost_outside(quality)
    if frame.quality.ndim < frame.data.ndim:
        quality = np.bitwise_or.reduce(
            quality.reshape(-1, *frame.quality.shape[:-2], rows, columns), axis=0
        ).astype(np.uint16)
    data = _beside([image for image, _ in made]).reshape(*leading, rows, columns)
    nothing_approximated_outside(quality, data)
    return frame.replace(data=data, quality=quality, header=_header(frame.header, matrix, middle, scale))


def _beside(planes: list[NDArray[Any]]) -> NDArray[Any]:
    """Planes as one array; a single one is not copied."""
    return planes[0] if len(planes) == 1 else np.stack(planes)


def _grid(frame: Frame) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Arcseconds (west, north) of a pixel's steps, and where the Sun's centre lies, counted from 0."""
    unit = str(frame.header.get("CUNIT1", "arcsec")).strip().lower()
    factor = {"arcsec": 1.0, "deg": 3600.0}.get(unit)
    steps = np.array([frame.keyword("CDELT1", float), frame.keyword("CDELT2", float)])
    if factor is None or not steps.all():
        raise BadInput(
            "the header does not give the plate scale in arcsec or deg",
            file=frame.source,
            keyword="CUNIT1, CDELT1, CDELT2",
            found=f"{unit}, {steps.tolist()}",
            advice="run limb_fit first, or correct the header",
        )
    steps = steps * factor
    if "PC1_1" in frame.header:
        turn = np.array(
            [[frame.keyword(f"PC{i}_{j}", float, default=float(i == j)) for j in (1, 2)] for i in (1, 2)]
        )
    else:
        angle = math.radians(frame.keyword("CROTA2", float, default=0.0))
        ratio = steps[1] / steps[0]
        turn = np.array(
            [
                [math.cos(angle), -math.sin(angle) * ratio],
                [math.sin(angle) / ratio, math.cos(angle)],
            ]
        )
    matrix = steps[:, None] * turn
    if abs(np.linalg.det(matrix)) < 1e-12:
        raise BadInput(
            "the header's matrix of coordinates cannot be inverted",
            file=frame.source,
            keyword="PCi_j, CDELTi",
            found=matrix.tolist(),
            advice="correct the header",
        )
    value = np.array([frame.keyword(f"CRVAL{axis}", float, default=0.0) for axis in (1, 2)]) * factor
    pixel = np.array([frame.keyword(f"CRPIX{axis}", float) - 1.0 for axis in (1, 2)])
    return matrix, pixel - np.linalg.inv(matrix) @ value


def _header(
    header: fits.Header, matrix: NDArray[np.float64], middle: NDArray[np.float64], scale: float
) -> fits.Header:
    result = header.copy()
    for name in [name for name in result if _STALE.fullmatch(name)]:
        result.remove(name, ignore_missing=True, remove_all=True)
    for axis in (1, 2):
        result[f"CTYPE{axis}"] = ("HPLN-TAN", "HPLT-TAN")[axis - 1]
        result[f"CUNIT{axis}"] = "arcsec"
        result[f"CRPIX{axis}"] = (float(middle[axis - 1]) + 1.0, "[pixel] centre of the Sun")
        result[f"CRVAL{axis}"] = (0.0, "[arcsec]")
        result[f"CDELT{axis}"] = (scale, "[arcsec/pixel]")
    for i in (1, 2):
        for j in (1, 2):
            result[f"PC{i}_{j}"] = (float(i == j), "solar north is up")
    before = math.sqrt(abs(float(np.linalg.det(matrix))))
    for name in ("R_SUN", "R_ERROR"):
        if name in result:
            result[name] = float(result[name]) * before / scale
    return result
