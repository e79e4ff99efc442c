"""Where the optics of C2 and C3 put what they see: the mesh that takes the distortion off."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.instruments.soho_lasco import tables
from pipeline.instruments.soho_lasco.facts import Readout
from pipeline.kernels.mesh import Places, places_of


class Mesh(NamedTuple):
    """Control points on an image: where each is taken from, in its pixels, and how they lie on it.

    Attributes
    ----------
    x, y
        Columns and rows counted from 0, shape (rows, columns) of points.
    pitch
        Pixels between points along x and y.
    origin
        Pixel (x, y) of the first point; it lies outside a part of the CCD.
    """

    x: NDArray[np.float64]
    y: NDArray[np.float64]
    pitch: tuple[float, float]
    origin: tuple[float, float]


@lru_cache(maxsize=6)
def places(readout: Readout, centre: tuple[float, float]) -> Places:
    """Where each pixel is taken from (`mesh`), found once for images that are read out alike.

    The least recently used are forgotten: a campaign meets both cameras, whole and summed, at 12 MB each.
    """
    found = mesh(readout, centre)
    return places_of(readout.shape, found.x, found.y, found.pitch, found.origin)


def mesh(readout: Readout, centre: tuple[float, float]) -> Mesh:
    """Where the pixels of an image without distortion lie on the image as it was taken.

    Points every 32 CCD pixels, 33 by 33. As c2_warp.pro and c3_warp.pro call it, ``warp_tri(x, y, x0, y0,
    image)``: the pixel (x, y) of the result is the one at (x0, y0), as far along the radius as the polynomial
    says.

    Parameters
    ----------
    readout
        Of the image.
    centre
        Of the optics, CCD pixels counted from 0.
    """
    along = np.arange(tables.CCD_SIZE // tables.GRID + 1, dtype=np.float64) * tables.GRID
    x, y = np.meshgrid(along, along)
    east, north = x - centre[0], y - centre[1]
    distance = np.hypot(east, north)
    moved = np.array([tables.displacement(readout.detector, one) for one in distance.ravel()])
    growth = 1.0 + moved.reshape(distance.shape) / np.maximum(distance, 1e-9)
    across, up = readout.summing
    taken = (
        (centre[0] + growth * east - readout.first[0]) / across,
        (centre[1] + growth * north - readout.first[1]) / up,
    )
    pitch = tables.GRID / across, tables.GRID / up
    return Mesh(*taken, pitch, (-readout.first[0] / across, -readout.first[1] / up))


def turned_about(centre: tuple[float, float], degrees: float, shape: tuple[int, int]) -> Mesh:
    """The mesh, of one cell, that turns an image counterclockwise about a place (x, y), counted from 0."""
    ny, nx = shape
    x, y = np.meshgrid([0.0, nx - 1.0], [0.0, ny - 1.0])
    angle = np.radians(degrees)
    east, north = x - centre[0], y - centre[1]
    return Mesh(
        centre[0] + np.cos(angle) * east + np.sin(angle) * north,
        centre[1] - np.sin(angle) * east + np.cos(angle) * north,
        (max(nx - 1.0, 1.0), max(ny - 1.0, 1.0)),
        (0.0, 0.0),
    )
