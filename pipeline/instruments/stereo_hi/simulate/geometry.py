"""Where the pixels of a simulated camera look: its attitude, and the AZP projection of its optics.

Written from Calabretta & Greisen 2002 (A&A 395, 1077, section 5.1.1) and the mission's mounting
angles (science.md §1, "Pointing"), with nothing of the pipeline's own steps. Directions are unit vectors in a
right-handed frame: x to the origin of longitude, y to the east, z to the north. A camera is three of
them: to the right and up in the image as stored, north up, and ahead.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.instruments.stereo_hi import tables
from pipeline.instruments.stereo_hi.simulate.config import SimulationConfig

Vector = NDArray[np.float64]


@dataclass(frozen=True)
class Camera:
    """Orientation of a camera and its projection.

    Attributes
    ----------
    right, up, ahead
        Unit vectors.
    mu
        Distance of AZP's point of projection, in radii of the sphere.
    scale
        Degrees per CCD pixel on the axis.
    """

    right: Vector
    up: Vector
    ahead: Vector
    mu: float
    scale: float

    def directions(self, x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
        """Directions of points of the image, CCD pixels from its centre; shape (..., 3)."""
        radius = np.hypot(x, y)
        # R = (180/pi)(mu + 1) sin(chi)/(mu + cos(chi)), solved for the angle chi from the axis.
        rho = np.radians(radius * self.scale) / (self.mu + 1.0)
        chi = np.arctan(rho) + np.arcsin(np.clip(rho * self.mu / np.hypot(1.0, rho), -1.0, 1.0))
        across = np.sin(chi) / np.where(radius > 0, radius, 1.0)
        directions: NDArray[np.float64] = (
            np.cos(chi)[..., None] * self.ahead
            + (across * x)[..., None] * self.right
            + (across * y)[..., None] * self.up
        )
        return directions

    def pixels(self, directions: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """The inverse of `directions`; NaN behind the camera."""
        cosine, x, y = (directions @ axis for axis in (self.ahead, self.right, self.up))
        scaled = np.degrees((self.mu + 1.0) / np.where(cosine > 0.0, self.mu + cosine, np.nan)) / self.scale
        return x * scaled, y * scaled

    def coordinates(self, suffix: str) -> dict[str, float]:
        """Cards of a coordinate system whose frame this camera's directions are in.

        Longitudes grow to the east in the celestial system ("A") and to the west in the helioprojective one.
        """
        longitude = math.atan2(self.ahead[1], self.ahead[0])
        north = np.array([0.0, 0.0, 1.0])
        west = np.array([math.sin(longitude), -math.cos(longitude), 0.0])
        upwards = np.cross(self.ahead, west)  # towards the north, at right angles to the axis
        upwards = upwards if upwards @ north > 0 else -upwards
        turn = math.atan2(float(self.right @ upwards), float(self.right @ west))
        side = 1.0 if suffix else -1.0
        cosine, sine = math.cos(turn), math.sin(turn)
        cards = {
            "CRVAL1": side * math.degrees(longitude),
            "CRVAL2": math.degrees(math.asin(self.ahead[2])),
            "CDELT1": -side * self.scale,
            "CDELT2": self.scale,
            "PC1_1": cosine,
            "PC1_2": -sine,
            "PC2_1": sine,
            "PC2_2": cosine,
            "PV2_1": self.mu,
        }
        return {name + suffix: value for name, value in cards.items()}

    def roll(self) -> float:
        """Degrees by which the image is turned, as CROTA has it."""
        cards = self.coordinates("")
        return -math.degrees(math.atan2(cards["PC2_1"], cards["PC1_1"]))


def camera(config: SimulationConfig, yaw: float, pitch: float, roll: float) -> Camera:
    """A camera of a spacecraft with this attitude, degrees.

    Parameters
    ----------
    config
        Which camera; a rolled spacecraft's images are stored turned back.
    yaw, pitch
        Direction of the spacecraft's axis: longitude to the east, latitude.
    roll
        About that axis; the 180° of a rolled spacecraft included.
    """
    mounting = tables.MOUNTINGS[(config.detector, config.spacecraft)]
    w, p = math.radians(yaw), math.radians(pitch)
    ahead = np.array([math.cos(p) * math.cos(w), math.cos(p) * math.sin(w), math.sin(p)])
    right, up = _upright(ahead, np.array([0.0, 0.0, 1.0]), roll)
    o, p = math.radians(mounting.offset), math.radians(mounting.pitch)
    axis = math.cos(p) * math.sin(o) * right + math.sin(p) * up + math.cos(p) * math.cos(o) * ahead
    x, y = _upright(axis, up, mounting.roll)
    back = -1.0 if config.rolled else 1.0
    return Camera(back * x, back * y, axis, mounting.mu, plate_scale(mounting))


def plate_scale(mounting: tables.Mounting) -> float:
    """Degrees per CCD pixel on the axis, such that the field of view fills the CCD's side."""
    edge = math.radians(mounting.field / 2.0)
    return math.degrees((mounting.mu + 1.0) * math.sin(edge) / (mounting.mu + math.cos(edge))) / (
        tables.CCD_SIZE / 2.0
    )


def offsets(config: SimulationConfig) -> NDArray[np.float64]:
    """CCD pixels from the middle of the image along an axis."""
    return np.arange(config.ccd_pixels, dtype=np.float64) - (config.ccd_pixels - 1) / 2.0


def attitude_of(config: SimulationConfig, template: Any, suffix: str) -> Camera:
    """The camera under the attitude that a template of a header has for a coordinate system."""
    yaw, pitch, roll = {
        "": ("SC_YAW", "SC_PITCH", "SC_ROLL"),
        "A": ("SC_YAWA", "SC_PITA", "SC_ROLLA"),
    }[suffix]
    sign = 1.0 if suffix else -1.0
    turned = 180.0 if config.rolled else 0.0
    return camera(
        config, float(template[yaw]), float(template[pitch]), sign * (float(template[roll]) + turned)
    )


def _upright(ahead: Vector, towards: Vector, roll: float) -> tuple[Vector, Vector]:
    """Right and up of a viewer who looks ahead with the head to `towards`, then turned by `roll` degrees."""
    up = towards - (towards @ ahead) * ahead
    up /= np.linalg.norm(up)
    right = np.cross(ahead, up)
    c, s = math.cos(math.radians(roll)), math.sin(math.radians(roll))
    return c * right - s * up, s * right + c * up
