"""Where the pixels of an AIA image point: the header's WCS, checked, and maps between grids.

Only what AIA writes is accepted: gnomonic (TAN) helioprojective axes in
arcsec with CROTA2, PCi_j or CDi_j (Thompson 2006, A&A 449, 791). Everything
else is refused by name, because a wrong guess would move the Sun silently.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import BadInput
from pipeline.frame import Frame
from pipeline.kernels.resample import AffineMap

#: Plate scale of the registered full-resolution grid, arcsec per pixel (science.md §3).
NOMINAL_SCALE: Final = 0.6
#: Pixels along one side of the full CCD, and so of the full-disk grid at the nominal scale.
FULL_SIZE: Final = 4096

#: Plate scales of the level-1 grid are within this of the nominal one (science.md §3: 1 % is suspect).
_NATIVE_TOLERANCE: Final = 0.01
#: Rounding of the pointing keywords, in pixels.
_CORNER_TOLERANCE: Final = 0.02

_ARCSEC: Final = np.pi / 180.0 / 3600.0
_MATRIX: Final = ("1_1", "1_2", "2_1", "2_2")


@dataclass(frozen=True)
class Pointing:
    """The linear part of a helioprojective TAN WCS.

    Attributes
    ----------
    reference_pixel
        (x, y) of the reference pixel, counted from zero.
    reference_value
        Helioprojective longitude and latitude there, arcsec.
    matrix
        Arcsec per pixel, shape (2, 2): intermediate coordinates = matrix · (pixel − reference_pixel).
    """

    reference_pixel: NDArray[np.float64]
    reference_value: NDArray[np.float64]
    matrix: NDArray[np.float64]

    @property
    def scale(self) -> float:
        """Arcsec per pixel, geometric mean of both axes."""
        return float(np.sqrt(abs(np.linalg.det(self.matrix))))

    def to_sky(self, pixels: NDArray[np.float64]) -> NDArray[np.float64]:
        """Pixels (n, 2) → gnomonic coordinates about the centre of the Sun (n, 2), arcsec."""
        plane = (pixels - self.reference_pixel) @ self.matrix.T * _ARCSEC
        centre, east, north = _tangent_frame(self.reference_value)
        direction = centre + plane[:, :1] * east + plane[:, 1:] * north
        return _project(direction, np.zeros(2))

    def to_pixels(self, sky: NDArray[np.float64]) -> NDArray[np.float64]:
        """Gnomonic coordinates about the centre of the Sun (n, 2), arcsec → pixels (n, 2)."""
        centre, east, north = _tangent_frame(np.zeros(2))
        direction = centre + sky[:, :1] * _ARCSEC * east + sky[:, 1:] * _ARCSEC * north
        plane = _project(direction, self.reference_value)
        pixels: NDArray[np.float64] = plane @ np.linalg.inv(self.matrix).T + self.reference_pixel
        return pixels


def _tangent_frame(
    arcsec: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Unit vectors of a direction and of growing longitude and latitude there."""
    longitude, latitude = arcsec * _ARCSEC
    cos_lon, sin_lon = np.cos(longitude), np.sin(longitude)
    cos_lat, sin_lat = np.cos(latitude), np.sin(latitude)
    return (
        np.array([cos_lat * cos_lon, cos_lat * sin_lon, sin_lat]),
        np.array([-sin_lon, cos_lon, 0.0]),
        np.array([-sin_lat * cos_lon, -sin_lat * sin_lon, cos_lat]),
    )


def _project(direction: NDArray[np.float64], about: NDArray[np.float64]) -> NDArray[np.float64]:
    centre, east, north = _tangent_frame(about)
    along = direction @ centre
    plane: NDArray[np.float64] = np.stack([direction @ east, direction @ north], axis=1)
    return plane / along[:, None] / _ARCSEC


def pointing_of(frame: Frame) -> Pointing:
    """The pointing in a frame's header.

    Raises
    ------
    BadInput
        Naming the keyword that is missing, not finite, contradictory or of a
        kind AIA does not write.
    """
    for axis, wanted in ((1, "HPLN-TAN"), (2, "HPLT-TAN")):
        found = frame.keyword(f"CTYPE{axis}", str).upper()
        if found != wanted:
            raise BadInput(
                f"the image is not in helioprojective coordinates (CTYPE{axis} should be {wanted})",
                file=frame.source,
                keyword=f"CTYPE{axis}",
                found=found,
                advice="only level-1 images on the detector's own grid can be registered",
            )
        unit = frame.keyword(f"CUNIT{axis}", str, default="arcsec").lower()
        if unit != "arcsec":
            raise BadInput(
                f"CUNIT{axis} should be arcsec",
                file=frame.source,
                keyword=f"CUNIT{axis}",
                found=unit,
                advice="convert CDELT and CRVAL to arcsec",
            )
    matrix = _linear_part(frame)
    _require_square_pixels(frame, matrix)
    return Pointing(
        reference_pixel=np.array([frame.keyword(f"CRPIX{axis}", float) - 1.0 for axis in (1, 2)]),
        reference_value=np.array([frame.keyword(f"CRVAL{axis}", float, default=0.0) for axis in (1, 2)]),
        matrix=matrix,
    )


def _require_square_pixels(frame: Frame, matrix: NDArray[np.float64]) -> None:
    """Refuse two different plate scales: AIA's pixels are square, so one of the two is wrong."""
    x, y = np.linalg.norm(matrix, axis=0)
    if abs(x / y - 1.0) <= _NATIVE_TOLERANCE:
        return
    names = ("CDELT1", "CDELT2") if "CDELT1" in frame.header else tuple(f"CD{place}" for place in _MATRIX)
    raise BadInput(
        f"the plate scales along x and y differ ({x:.6g} and {y:.6g} arcsec per pixel), and AIA's pixels are "
        "square",
        file=frame.source,
        keyword=", ".join(names),
        found=", ".join(f"{name} = {frame.header.get(name, 'absent')}" for name in names),
        advice="correct the one that is wrong; level-1 images have 0.6 arcsec per pixel times their binning",
    )


def _linear_part(frame: Frame) -> NDArray[np.float64]:
    header = frame.header
    if any(f"CD{place}" in header for place in _MATRIX):
        matrix = np.array([frame.keyword(f"CD{place}", float, default=0.0) for place in _MATRIX])
        return _checked(matrix.reshape(2, 2), frame, "CD1_1")
    scale = np.array([_positive(frame, "CDELT1"), _positive(frame, "CDELT2")])
    has_matrix = any(f"PC{place}" in header for place in _MATRIX)
    if "CROTA2" not in header and has_matrix:
        rotation = _pc_matrix(frame)
    else:
        angle = np.deg2rad(frame.keyword("CROTA2", float))
        skew = scale[1] / scale[0]
        rotation = np.array([[np.cos(angle), -skew * np.sin(angle)], [np.sin(angle) / skew, np.cos(angle)]])
        if has_matrix and not np.allclose(rotation, _pc_matrix(frame), rtol=0, atol=1e-5):
            raise BadInput(
                "CROTA2 and the PCi_j matrix describe different rotations",
                file=frame.source,
                keyword="CROTA2, PC1_1, PC1_2, PC2_1, PC2_2",
                found=f"{np.rad2deg(angle):.6g}° and {_pc_matrix(frame).ravel().tolist()}",
                advice="remove the one that is not true",
            )
    return _checked(scale[:, None] * rotation, frame, "PC1_1")


def _pc_matrix(frame: Frame) -> NDArray[np.float64]:
    defaults = (1.0, 0.0, 0.0, 1.0)
    values = [
        frame.keyword(f"PC{place}", float, default=unit)
        for place, unit in zip(_MATRIX, defaults, strict=True)
    ]
    return np.array(values).reshape(2, 2)


def _positive(frame: Frame, name: str) -> float:
    value = frame.keyword(name, float)
    if value <= 0:
        raise BadInput(
            f"{name} should be a positive plate scale in arcsec per pixel",
            file=frame.source,
            keyword=name,
            found=value,
            advice="correct the header",
        )
    return value


def _checked(matrix: NDArray[np.float64], frame: Frame, keyword: str) -> NDArray[np.float64]:
    if np.linalg.det(matrix) <= 0:
        raise BadInput(
            "the coordinate matrix is singular or mirrors the image",
            file=frame.source,
            keyword=keyword,
            found=matrix.ravel().tolist(),
            advice="correct the header",
        )
    return matrix


def contains_full_disk(pointing: Pointing, shape: tuple[int, int], radius: float) -> bool:
    """Whether the whole solar disk lies inside the outermost pixel edges.

    Parameters
    ----------
    pointing
        Where the image points.
    shape
        (ny, nx).
    radius
        Apparent radius of the Sun, arcsec.
    """
    ny, nx = shape
    angle = np.linspace(0.0, 2.0 * np.pi, 73)
    limb = radius * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    pixels = pointing.to_pixels(limb)
    inside = (pixels >= -0.5) & (pixels <= np.array([nx, ny]) - 0.5)
    return bool(inside.all())


def grid_to_pixels(
    pointing: Pointing, shape: tuple[int, int], reference_pixel: NDArray[np.float64], scale: float
) -> tuple[AffineMap, float]:
    """The affine map from a north-up grid centred on the Sun to an image's pixels.

    Parameters
    ----------
    pointing
        Of the image.
    shape
        (rows, columns) of the grid.
    reference_pixel
        (x, y) of the Sun's centre on the grid, counted from zero; it may lie outside.
    scale
        Arcsec per grid pixel.

    Returns
    -------
    map, error
        The map, and its largest departure from the exact projection at the
        grid's corners and edges, in image pixels. It is zero up to rounding
        when the image's reference value is the Sun's centre; otherwise the
        tangent points differ, and the fit shares out what is not affine.
    """
    rows, columns = shape
    x, y = np.meshgrid(np.linspace(0.0, columns - 1.0, 5), np.linspace(0.0, rows - 1.0, 5))
    grid = np.stack([x.ravel(), y.ravel()], axis=1)
    exact = pointing.to_pixels((grid - reference_pixel) * scale)
    design = np.column_stack([grid, np.ones(len(grid))])
    solution, *_ = np.linalg.lstsq(design, exact, rcond=None)
    fitted = AffineMap(solution[:2].T.astype(np.float64), solution[2].astype(np.float64))
    return fitted, float(np.abs(design @ solution - exact).max())


def detector_corner(frame: Frame, pointing: Pointing) -> tuple[int, int]:
    """Where the first pixel of a frame lies on the full detector: (x, y), counted from zero.

    Full frames lie at (0, 0). A cut-out's place follows from the Sun's centre
    in its own pixels and on the detector (X0_MP, Y0_MP): the difference of
    the two is a whole number of pixels, and is checked to be.

    Raises
    ------
    BadInput
        When the frame is binned or interpolated, or the keywords do not agree
        on a whole number of pixels.
    """
    if abs(pointing.scale / NOMINAL_SCALE - 1.0) > _NATIVE_TOLERANCE:
        raise BadInput(
            "the frame is binned or resampled, not on the detector's own grid of 0.6 arcsec per pixel",
            file=frame.source,
            keyword="CDELT1, CDELT2",
            found=f"{pointing.scale:.6g}",
            advice="use the full-resolution level-1 file for steps that work in detector pixels",
        )
    if frame.data.shape == (FULL_SIZE, FULL_SIZE):
        return 0, 0
    on_detector = np.array([frame.keyword("X0_MP", float), frame.keyword("Y0_MP", float)])
    here = pointing.to_pixels(np.zeros((1, 2)))[0]
    corner = np.round(on_detector - here)
    ny, nx = frame.data.shape
    outside = (corner < 0).any() or (corner + np.array([nx, ny]) > FULL_SIZE).any()
    if outside or np.abs(on_detector - here - corner).max() > _CORNER_TOLERANCE:
        raise BadInput(
            "the header does not say where on the detector this cut-out lies: the Sun's centre in its pixels "
            "(CRPIX) and on the detector (X0_MP, Y0_MP) do not differ by whole pixels inside the detector",
            file=frame.source,
            keyword="CRPIX1, CRPIX2, X0_MP, Y0_MP",
            found=f"differences {np.round(on_detector - here, 4).tolist()}",
            advice="fetch the cut-out again without registration or tracking by fractions of a pixel",
        )
    return int(corner[0]), int(corner[1])
