"""Where a camera looks, from the attitude of its spacecraft and how it is mounted.

science.md §1, "Pointing" (hi_calib_point): mounting angles fitted to stars,
spacecraft angles from the header. Written as rotations; the reference pixel
is the centre of the image, which lies on the optical axis.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.instruments.stereo_hi.tables import Mounting

Matrix = NDArray[np.float64]


@dataclass(frozen=True)
class Pointing:
    """Direction of the optical axis and turn of the image about it.

    Attributes
    ----------
    longitude, latitude
        Degrees, in the frame of the attitude: right-handed about the axis that
        points north, longitude growing to the east.
    roll
        Degrees from the side of decreasing longitude to the image's x axis,
        counted to the north.
    """

    longitude: float
    latitude: float
    roll: float

    def rotation(self) -> tuple[float, float, float, float]:
        """PC1_1, PC1_2, PC2_1, PC2_2."""
        c, s = math.cos(math.radians(self.roll)), math.sin(math.radians(self.roll))
        return c, -s, s, c


def pointing(mounting: Mounting, yaw: float, pitch: float, roll: float, *, turned: bool) -> Pointing:
    """Pointing of a camera.

    Parameters
    ----------
    mounting
        Mounting angles of the camera.
    yaw, pitch, roll
        Attitude of the spacecraft in degrees: SC_YAW, SC_PITCH, −SC_ROLL for
        helioprojective coordinates, SC_YAWA, SC_PITA, SC_ROLLA for celestial.
    turned
        Whether the image was turned by 180° because the spacecraft flew rolled.
    """
    camera = spacecraft_matrix(yaw, pitch, roll) @ camera_matrix(mounting)
    axis, right = camera[:, 2], camera[:, 0] * (-1.0 if turned else 1.0)
    longitude = math.atan2(axis[1], axis[0])
    latitude = math.asin(max(-1.0, min(1.0, float(axis[2]))))
    west = np.array([math.sin(longitude), -math.cos(longitude), 0.0])
    north = np.array(
        [
            -math.sin(latitude) * math.cos(longitude),
            -math.sin(latitude) * math.sin(longitude),
            math.cos(latitude),
        ]
    )
    return Pointing(
        longitude=math.degrees(longitude),
        latitude=math.degrees(latitude),
        roll=math.degrees(math.atan2(float(right @ north), float(right @ west))),
    )


def camera_matrix(mounting: Mounting) -> Matrix:
    """Columns: the image's x, y and optical axis in the spacecraft's frame (x right, y up, z to the Sun)."""
    p, o = math.radians(mounting.pitch), math.radians(mounting.offset)
    axis = np.array([math.cos(p) * math.sin(o), math.sin(p), math.cos(p) * math.cos(o)])
    up = _upright(np.array([0.0, 1.0, 0.0]), axis)
    return np.column_stack([np.cross(up, axis), up, axis]) @ _about_axis(mounting.roll)


def spacecraft_matrix(yaw: float, pitch: float, roll: float) -> Matrix:
    """Columns: the spacecraft's x, y, z in the outer frame (x to its origin of longitude, z north)."""
    p, w = math.radians(pitch), math.radians(yaw)
    axis = np.array([math.cos(p) * math.cos(w), math.cos(p) * math.sin(w), math.sin(p)])
    up = _upright(np.array([0.0, 0.0, 1.0]), axis)
    return np.column_stack([np.cross(axis, up), up, axis]) @ _about_axis(roll)


def _upright(up: Matrix, axis: Matrix) -> Matrix:
    part = up - (up @ axis) * axis
    return np.asarray(part / np.linalg.norm(part))


def _about_axis(degrees: float) -> Matrix:
    c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return np.array([[c, s, 0.0], [-s, c, 0.0], [0.0, 0.0, 1.0]])
