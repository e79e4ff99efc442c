"""Registration: north up, the Sun's centre on the grid's centre, a round plate scale."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray
from pydantic import Field

from pipeline.errors import BadInput
from pipeline.frame import Frame
from pipeline.instruments.sdo_aia.geometry import (
    FULL_SIZE,
    NOMINAL_SCALE,
    Pointing,
    contains_full_disk,
    grid_to_pixels,
    pointing_of,
)
from pipeline.instruments.sdo_aia.levels import require_sunlight, require_unregistered
from pipeline.kernels.resample import resample
from pipeline.kernels.resample_noise import APPROXIMATION, resample_uncertainty
from pipeline.step import Params, References, step
from pipeline.uncertainty import approximate

#: How close to a multiple of 0.6″ the plate scale of a binned frame is (level-1 scales are within 0.2 %).
_BINNING_TOLERANCE: Final = 0.02
#: Largest error of the registered coordinates, in input pixels.
_LARGEST_ERROR: Final = 0.01
#: Cards that describe the grid or orientation of the level-1 image and would contradict the new ones.
_STALE: Final = (
    *("CROTA1", "CROTA2", "PC1_1", "PC1_2", "PC2_1", "PC2_2", "CD1_1", "CD1_2", "CD2_1", "CD2_2"),
    *("XCEN", "YCEN", "PIXLUNIT", "LONPOLE", "LATPOLE"),
)


class RegisterParams(Params):
    """Parameters of the registration.

    Attributes
    ----------
    scale_arcsec
        [arcsec/pix] Plate scale of the result. Null: 0.6″ times the integer by which the
        frame was binned, and a grid of the frame's own shape. A number: the
        whole disk on a square grid of ``round(4096 · 0.6 / scale)`` pixels;
        cut-outs are refused then.
    missing
        [unit of the image] Value where the detector saw nothing; null: NaN. Such pixels are
        flagged either way.
    clip
        Keep the result within the range of the input, as sunpy does.
    """

    scale_arcsec: float | None = Field(default=None, ge=0.1, le=300.0)
    missing: float | None = None
    clip: bool = True


def _grid_size(scale: float) -> int:
    return round(FULL_SIZE * NOMINAL_SCALE / scale)


def _output_shape(params: RegisterParams, shape: tuple[int, int]) -> tuple[int, int]:
    if params.scale_arcsec is None:
        return shape
    side = _grid_size(params.scale_arcsec)
    return side, side


@step(
    "register",
    version=1,
    prstep="DEROTATION,SPATIAL-ALIGNMENT",
    instrument="sdo_aia",
    memory_factor=5.0,
    libraries=("numpy", "numba"),
    output_shape=_output_shape,
    uncertainty=approximate(APPROXIMATION),
)
def register(frame: Frame, params: RegisterParams, references: References) -> Frame:
    """Turn north up, put the Sun's centre on the grid, bring the plate scale to a round value.

    The image is interpolated with a cubic spline at the positions its WCS
    gives (science.md §3). Full-disk frames get the Sun's centre in the middle
    of the image; cut-outs keep their shape, and their pixel centres fall on
    those of the full-disk grid of the same scale.

    Raises
    ------
    BadInput
        When the frame is registered already or shows no Sun, or its header does
        not say where its pixels point.
    """
    require_unregistered(frame, "register")
    frame = require_sunlight(frame)
    pointing = pointing_of(frame)
    radius = frame.keyword("RSUN_OBS", float)
    shape = frame.data.shape[0], frame.data.shape[1]
    if min(shape) < 2:
        raise BadInput(
            "the image is a single line of pixels and cannot be turned",
            file=frame.source,
            keyword="NAXIS1, NAXIS2",
            found=f"{shape[1]} x {shape[0]}",
            advice="leave the file out",
        )
    full_disk = contains_full_disk(pointing, shape, radius)
    scale = _scale(frame, params, pointing, full_disk=full_disk)
    grid = _output_shape(params, shape)
    if full_disk:
        centre = np.array([(grid[1] - 1) / 2.0, (grid[0] - 1) / 2.0])
    else:
        centre = _on_full_disk_lattice(pointing, shape, scale)
    onto, error = grid_to_pixels(pointing, grid, centre, scale)
    if error > _LARGEST_ERROR:
        raise BadInput(
            "the image's tangent point is so far from the Sun's centre that a linear transformation would "
            f"misplace pixels by up to {error:.3f}",
            file=frame.source,
            keyword="CRVAL1, CRVAL2",
            found=pointing.reference_value.tolist(),
            advice="give the pointing relative to the Sun's centre (CRVAL 0) or cut out a smaller region",
        )
    missing = math.nan if params.missing is None else params.missing
    data, quality = resample(frame.data, frame.quality, onto, grid, missing=missing, clip=params.clip)
    header = _registered_header(frame.header, centre, scale, radius)
    if binning := _binning(pointing):
        for axis in (1, 2):
            header.set(f"NBIN{axis}", binning, "CCD pixels along this axis of a pixel")
    uncertainty = frame.uncertainty
    if uncertainty is not None:
        uncertainty = resample_uncertainty(uncertainty, onto, grid)
    result = frame.replace(data=data, quality=quality, header=header, uncertainty=uncertainty)
    if not full_disk and shape == (FULL_SIZE, FULL_SIZE):
        result = result.with_caveat(
            "register: the disk is not wholly inside this full-size frame (off-pointing); it was registered "
            "like a cut-out, and the Sun's centre is not the image's centre"
        )
    if onto.step < 0.75:
        result = result.with_caveat(
            f"register: the grid is {1 / onto.step:.3g} times finer than the frame; no detail was gained"
        )
    return result


def _scale(frame: Frame, params: RegisterParams, pointing: Pointing, *, full_disk: bool) -> float:
    if params.scale_arcsec is not None:
        if not full_disk:
            centre = pointing.to_pixels(np.zeros((1, 2)))[0] + 1.0
            raise BadInput(
                "the frame does not contain the full disk, and scale_arcsec asks for a full-disk grid",
                file=frame.source,
                keyword="CRPIX1, CRPIX2, CDELT1",
                found=f"Sun's centre at pixel {centre.round(1).tolist()}",
                advice="leave scale_arcsec empty: cut-outs are then registered on a grid of their own shape",
            )
        return params.scale_arcsec
    binning = _binning(pointing)
    if not binning:
        raise BadInput(
            "the plate scale is no whole multiple of AIA's 0.6 arcsec per pixel",
            file=frame.source,
            keyword="CDELT1, CDELT2",
            found=f"{pointing.scale:.6g}",
            advice="set the step's scale_arcsec to the scale you want, or correct the header",
        )
    return NOMINAL_SCALE * binning


def _binning(pointing: Pointing) -> int:
    """How many pixels of the CCD a pixel has along an axis; 0 where that is no whole number."""
    binning = round(pointing.scale / NOMINAL_SCALE)
    whole = binning >= 1 and abs(pointing.scale / (NOMINAL_SCALE * binning) - 1.0) <= _BINNING_TOLERANCE
    return binning if whole else 0


def _on_full_disk_lattice(pointing: Pointing, shape: tuple[int, int], scale: float) -> NDArray[np.float64]:
    """Position of the Sun's centre (x, y), counted from zero, that puts the pixels on the full-disk grid.

    Among these the one is taken that keeps the field's centre in the image's centre.
    """
    middle = np.array([(shape[1] - 1) / 2.0, (shape[0] - 1) / 2.0])
    wanted = middle - pointing.to_sky(middle[None])[0] / scale
    # With an even number of pixels the Sun's centre lies between two of them.
    phase = (_grid_size(scale) - 1) / 2.0 % 1.0
    lattice: NDArray[np.float64] = np.round(wanted - phase) + phase
    return lattice


def _registered_header(
    header: fits.Header, centre: NDArray[np.float64], scale: float, radius: float
) -> fits.Header:
    result = header.copy()
    unit = str(result.get("BUNIT") or result.get("PIXLUNIT") or "DN")
    for name in _STALE:
        result.remove(name, ignore_missing=True, remove_all=True)
    result["LVL_NUM"] = (1.5, "registered: north up, centred, round scale")
    result["BUNIT"] = (unit, "unit of the image")
    for axis in (1, 2):
        result[f"CTYPE{axis}"] = ("HPLN-TAN", "HPLT-TAN")[axis - 1]
        result[f"CUNIT{axis}"] = "arcsec"
        result[f"CRPIX{axis}"] = (
            float(centre[axis - 1]) + 1.0,
            "[pixel] centre of the Sun",
        )
        result[f"CRVAL{axis}"] = (0.0, "[arcsec]")
        result[f"CDELT{axis}"] = (scale, "[arcsec/pixel]")
    result["CROTA2"] = (0.0, "[deg] north is up")
    result["R_SUN"] = (radius / scale, "[pixel] radius of the Sun")
    return result
