"""The chromosphere that a simulated ChroTel looks at: network, plage, spots and filaments, drawn.

Places are solar: `west` and `north` in radii from the disk's centre, orthographic. Everything is drawn anew
for each line from the same features.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, map_coordinates
from scipy.spatial import cKDTree

from pipeline.instruments.kis_chrotel.facts import Line

F64 = NDArray[np.float64]

#: Centre-to-limb course: brightness at the limb over that at the centre, and the power of µ. Assumed.
COURSE: Final[dict[Line, tuple[float, float]]] = {"ha": (0.32, 0.7), "ca": (0.42, 0.9), "he": (0.38, 0.75)}
#: Root mean square of the network, relative. Assumed.
NETWORK: Final[dict[Line, float]] = {"ha": 0.025, "ca": 0.05, "he": 0.006}
#: Size of its cells, radii.
_CELL: Final = 0.018
_PLAGE: Final[dict[Line, float]] = {"ha": 0.28, "ca": 0.7, "he": 0.0}
_FILAMENT: Final[dict[Line, float]] = {"ha": 0.32, "ca": 0.04, "he": 0.0}
#: Central depth of the He I line, as the filter sees it: quiet, in plage, in filaments.
_DEPTHS: Final = (0.02, 0.07, 0.14)


class Filament(NamedTuple):
    """A filament: points along it (solar radii), and half its width."""

    west: F64
    north: F64
    half: float


class Region(NamedTuple):
    """An active region: where it lies, how wide its plage is, and the radius of its spot (0: none)."""

    west: float
    north: float
    width: float
    spot: float


@dataclass(frozen=True)
class Features:
    """What is on the disk."""

    filaments: tuple[Filament, ...]
    regions: tuple[Region, ...]


@lru_cache(maxsize=16)
def features(seed: int, filaments: int) -> Features:
    """Filaments and active regions of a seed; filaments keep clear of each other and of spots."""
    random = np.random.default_rng((1868, seed))
    regions: list[Region] = []
    for number in range(5):
        north = float(random.choice((-1, 1)) * random.uniform(0.15, 0.4))
        west = float(random.uniform(-0.75, 0.75))
        regions.append(Region(west, north, float(random.uniform(0.04, 0.08)), 0.018 if number < 3 else 0.0))
    made: list[Filament] = []
    for _ in range(60 * filaments):
        if len(made) == filaments:
            break
        one = _filament(random)
        distance = np.hypot(one.west, one.north)
        clear = all(
            np.hypot(one.west[:, None] - other.west, one.north[:, None] - other.north).min() > 0.07
            for other in made
        ) and all(
            np.hypot(one.west - region.west, one.north - region.north).min() > 1.6 * region.width
            for region in regions
        )
        if clear and distance.max() < 0.86:
            made.append(one)
    return Features(tuple(made), tuple(regions))


def _filament(random: np.random.Generator) -> Filament:
    """An arc: its middle, length, tilt and bend are random."""
    length, half = random.uniform(0.09, 0.42), random.uniform(0.006, 0.0115)
    tilt, bend = random.uniform(-np.pi / 2, np.pi / 2), random.uniform(-0.6, 0.6)
    along = np.linspace(-0.5, 0.5, 300) * length
    across = bend * (along**2 / length - length / 12)
    west = random.uniform(-0.8, 0.8) + np.cos(tilt) * along - np.sin(tilt) * across
    north = random.uniform(-0.75, 0.75) + np.sin(tilt) * along + np.cos(tilt) * across
    return Filament(west, north, float(half))


def filament_labels(west: F64, north: F64, what: Features) -> NDArray[np.int32]:
    """Number of the filament at each place, from 1; 0 where there is none."""
    labels = np.zeros(west.size, np.int32)
    at = np.flatnonzero(west**2 + north**2 < 1.0)
    x, y = west.ravel()[at], north.ravel()[at]
    for number, one in enumerate(what.filaments, start=1):
        near = np.flatnonzero(
            (np.abs(x - 0.5 * (one.west.min() + one.west.max())) < 0.5 * np.ptp(one.west) + one.half)
            & (np.abs(y - 0.5 * (one.north.min() + one.north.max())) < 0.5 * np.ptp(one.north) + one.half)
        )
        distance, _ = cKDTree(np.column_stack([one.west, one.north])).query(
            np.column_stack([x[near], y[near]]), distance_upper_bound=one.half
        )
        labels[at[near[np.isfinite(distance)]]] = number
    return labels.reshape(west.shape)


@lru_cache(maxsize=4)
def _canvas(radius: float, seed: int) -> F64:
    """Structures of one size over the square about the disk; the quiet Sun is uniform over larger ones."""
    side = 2 * round(1.05 * radius) + 1
    noise = np.random.default_rng((1610, seed)).normal(size=(side, side))
    cell = _CELL * radius / 2.0
    made = gaussian_filter(noise, cell) - gaussian_filter(noise, 2.0 * cell)
    return np.asarray(made / made.std())


def _network(west: F64, north: F64, radius: float, seed: int) -> F64:
    """The network at places of the Sun, so that it moves with it."""
    canvas = _canvas(radius, seed)
    middle = (canvas.shape[0] - 1) / 2
    made = np.zeros_like(west)
    disk = west**2 + north**2 < 1.0
    at = [middle + north[disk] * radius, middle + west[disk] * radius]
    made[disk] = map_coordinates(canvas, at, order=3, mode="nearest")
    return made


def _patches(west: F64, north: F64, what: Features) -> tuple[F64, F64]:
    """Plage and spots, 0 to 1."""
    plage, spots = np.zeros_like(west), np.zeros_like(west)
    for one in what.regions:
        near = (np.abs(west - one.west) < 5 * one.width) & (np.abs(north - one.north) < 5 * one.width)
        far = np.hypot(west[near] - one.west, (north[near] - one.north) * 1.3)
        plage[near] += np.exp(-0.5 * (far / one.width) ** 2)
        if one.spot:
            away = np.minimum((far - one.spot) / (0.12 * one.spot), 50.0)
            spots[near] = np.maximum(spots[near], 1.0 / (1.0 + np.exp(away)))
    return np.minimum(plage, 1.2), spots


def contrast(line: Line, west: F64, north: F64, radius: float, seed: int, filaments: int) -> F64:
    """Brightness over that of the quiet Sun at the same distance from the centre."""
    what = features(seed, filaments)
    network = _network(west, north, radius, seed)
    plage, spots = _patches(west, north, what)
    dark = filament_labels(west, north, what) > 0
    made = 1.0 + NETWORK[line] * network + _PLAGE[line] * plage * (1.0 + 0.25 * network)
    made = made * (1.0 - _FILAMENT[line] * dark * (1.0 + 0.1 * network))
    return np.asarray(made * (1.0 - 0.45 * spots))


def helium(west: F64, north: F64, radius: float, seed: int, filaments: int) -> F64:
    """Central depth of the He I line."""
    what = features(seed, filaments)
    plage, _ = _patches(west, north, what)
    dark = filament_labels(west, north, what) > 0
    quiet, active, filament = _DEPTHS
    network = _network(west, north, radius, seed + 77)
    return np.asarray(quiet * (1 + 0.15 * network) + active * plage + filament * dark)


def velocity(west: F64, north: F64, largest: float) -> F64:
    """km/s away from the observer: waves as wide as filaments are long."""
    return np.asarray(largest * np.sin(9.0 * west + 1.0) * np.cos(7.0 * north - 0.5))


def course(line: Line, west: F64, north: F64) -> F64:
    """Brightness of the quiet Sun from centre (1) to limb."""
    limb, power = COURSE[line]
    cosine = np.sqrt(np.clip(1.0 - west**2 - north**2, 0.0, 1.0))
    return np.asarray(limb + (1.0 - limb) * cosine**power)
