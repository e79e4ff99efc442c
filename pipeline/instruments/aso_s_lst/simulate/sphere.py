"""What is on the Sun, fixed to its turning surface: network, granules, plage, spots, filaments.

A map in longitude and latitude of the half that is seen when the clock starts, as fine as the pixels are; and
where the places of an image lie on it.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Final, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import fft
from scipy.ndimage import map_coordinates
from scipy.special import expit

from pipeline.kernels.sun import turned_since

F64 = NDArray[np.float64]
F32 = NDArray[np.float32]
Light = Literal["lyman alpha", "white light"]

#: Degrees of longitude to both sides of the first central meridian that the map covers.
_REACH: Final = 125.0
#: Columns at most; finer structure than that of a map is not needed for any test.
_COLUMNS: Final = 6000
#: Active regions of a seed, and filaments.
_REGIONS, _FILAMENTS = 7, 9


class Map(NamedTuple):
    """Brightness over the quiet Sun's, and how many of its pixels span a radian."""

    values: F32
    per_radian: float


def brightness(
    light: Light, west: F64, north: F64, radius: float, tilt: float, days: float, seed: int
) -> F64:
    """Brightness over the quiet Sun's at places of the sky; 1 beyond the limb.

    Parameters
    ----------
    west, north
        Solar radii from the Sun's centre.
    radius
        Of the disk in pixels: how fine the map has to be.
    tilt
        Degrees by which the Sun's north pole leans towards the observer.
    days
        Since the clock started; surface has turned on since then.
    """
    made = np.ones(west.shape)
    inside = np.nonzero(west**2 + north**2 < 1.0)
    longitude, latitude = turned_since(west[inside], north[inside], math.radians(tilt), -days)
    chart = _chart(light, round(radius), seed)
    rows = (latitude + math.pi / 2) * chart.per_radian
    columns = (longitude + math.radians(_REACH)) * chart.per_radian
    made[inside] = map_coordinates(chart.values, [rows, columns], order=1, mode="grid-wrap")
    return made


@lru_cache(maxsize=2)
def _chart(light: Light, radius: int, seed: int) -> Map:
    wide = math.radians(2 * _REACH)
    columns = min(_COLUMNS, fft.next_fast_len(int(wide * radius)))
    per_radian = columns / wide
    rows = fft.next_fast_len(int(math.pi * per_radian))
    random = np.random.default_rng((seed, light == "white light"))
    latitude = (np.arange(rows)[:, None] / per_radian - math.pi / 2).astype(np.float32)
    longitude = (np.arange(columns)[None, :] / per_radian - wide / 2).astype(np.float32)
    if light == "lyman alpha":
        values = _chromosphere(random, longitude, latitude, per_radian)
    else:
        values = _photosphere(random, longitude, latitude, per_radian)
    return Map(values.astype(np.float32), per_radian)


def _regions(random: np.random.Generator) -> list[tuple[float, float, float]]:
    """Longitude, latitude and size in radians, in two belts."""
    made = []
    for _ in range(_REGIONS):
        belt = math.copysign(math.radians(random.uniform(8, 30)), random.uniform(-1, 1))
        made.append((random.uniform(-1.7, 1.7), belt, math.radians(random.uniform(2.5, 6.5))))
    return made


def _chromosphere(random: np.random.Generator, longitude: F32, latitude: F32, per_radian: float) -> F32:
    """Network cells of 30 Mm and finer structure, plage, dark filaments; contrasts of Lyman alpha."""
    shape = (latitude.size, longitude.size)
    cells = _noise(random, shape, 0.045 * per_radian, 1.6)
    fine = _noise(random, shape, 0.012 * per_radian, 1.3)
    made = np.exp(0.42 * cells + 0.25 * fine - 0.12).astype(np.float32)
    for where, belt, size in _regions(random):
        away = (((longitude - where) * np.cos(belt)) ** 2 + 1.6 * (latitude - belt) ** 2) / size**2
        made *= 1.0 + 3.2 * np.exp(-(away**1.2)) * (1.0 + 0.5 * np.tanh(cells + fine))
    for _ in range(_FILAMENTS):
        where, belt = random.uniform(-1.6, 1.6), math.radians(random.uniform(-50, 50))
        slant, length = random.normal(0.0, 0.5), math.radians(random.uniform(4, 14))
        along = (longitude - where) + slant * (latitude - belt)
        across = (latitude - belt) - slant * (longitude - where)
        made *= 1.0 - 0.45 * np.exp(-((along / length) ** 4) - (across / 0.011) ** 2)
    return made


def _photosphere(random: np.random.Generator, longitude: F32, latitude: F32, per_radian: float) -> F32:
    """Granulation, spots with their penumbrae, faculae."""
    shape = (latitude.size, longitude.size)
    grains = _noise(random, shape, max(0.004 * per_radian, 2.5), 0.8)
    made = 1.0 + 0.035 * grains
    for where, belt, size in _regions(random):
        away = (((longitude - where) * np.cos(belt)) ** 2 + 1.6 * (latitude - belt) ** 2) / size**2
        made *= 1.0 + 0.05 * np.exp(-away) * np.clip(grains, 0, None)
        for step in (-0.6, 0.5):
            apart = (longitude - where - step * size) ** 2 * np.cos(belt) ** 2 + (latitude - belt) ** 2
            spot = np.sqrt(apart) / (0.17 * size * (1.3 if step < 0 else 0.8))
            made *= 1.0 - 0.22 * expit(12.0 * (2.0 - spot)) - 0.5 * expit(14.0 * (1.0 - spot))
    return np.asarray(made, dtype=np.float32)


def _noise(random: np.random.Generator, shape: tuple[int, int], scale: float, slope: float) -> F32:
    """Noise of standard deviation 1 whose structures are about as large as `scale`, falling off above it."""
    spectrum = fft.rfft2(random.normal(size=shape).astype(np.float32))
    k = np.hypot(fft.fftfreq(shape[0])[:, None], fft.rfftfreq(shape[1])[None, :]) * scale
    made = fft.irfft2(spectrum * (k / (1.0 + k ** (2.0 + slope))).astype(np.float32), shape)
    return np.asarray(made / made.std(), dtype=np.float32)
