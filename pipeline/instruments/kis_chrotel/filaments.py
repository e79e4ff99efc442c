"""Filaments in a flattened image of Hα: which pixels they are, and what is told of each.

After the classical way (Fuller, Aboudarham and Bentley 2005, as the EGSO solar feature catalogue has it):
dark seeds against the quiet Sun around, grown into what is moderately dark beside them, closed, cut off where
they are half as dark as inside, thinned. Spots are told from filaments by their shape.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from pipeline.instruments.kis_chrotel.facts import Disk
from pipeline.kernels.skeleton import longest_way, skeleton

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
Labels = NDArray[np.int32]

#: Windows along a side of the image in which the quiet Sun is measured.
_WINDOWS: Final = 16
_NORMAL: Final = 1.4826
_EIGHT: Final = np.ones((3, 3), bool)
#: Solar radius in Mm.
_MEGAMETRES: Final = 695.7


@dataclass(frozen=True)
class Search:
    """How filaments are looked for; lengths in solar radii, so that it holds for disks of any size.

    Attributes
    ----------
    seed, grow
        Standard deviations below the quiet Sun of seeds, and of what they grow into.
    edge
        Part of a filament's own depth at which it ends.
    closing
        Gaps that are closed.
    least_area, least_seed
        Parts of the disk's area below which a filament, or a seed, is none (EGSO: 1/18000 and 1/55000).
    elongation
        Squared length over area below which something is a spot.
    reach
        Part of the radius within which filaments are looked for.
    """

    seed: float = 4.0
    grow: float = 2.5
    edge: float = 0.5
    closing: float = 0.006
    least_area: float = 1 / 18000
    least_seed: float = 1 / 55000
    elongation: float = 2.0
    reach: float = 0.96


class Filament(NamedTuple):
    """What is told of a filament; the columns of the table, in order.

    Attributes
    ----------
    number
        Of its pixels in the mask, from 1.
    hpln, hplt
        [arcsec] Helioprojective place of its middle.
    longitude, latitude
        [deg] The same, Carrington.
    area
        Millionths of the Sun's hemisphere, foreshortening taken into account.
    length
        [Mm] Of its spine on the Sun.
    tilt
        [deg] From solar east-west; above 0 where the western end is nearer to the north pole.
    depth
        Mean brightness missing, over the quiet Sun's.
    confidence
        From 0 to 1: depth over the quiet Sun's scatter, elongation, and distance from the limb together; a
        rank, no probability.
    """

    number: float
    hpln: float
    hplt: float
    longitude: float
    latitude: float
    area: float
    length: float
    tilt: float
    depth: float
    confidence: float


class Observer(NamedTuple):
    """Where the Sun is looked at from: apparent radius (arcsec), B0 and Carrington longitude (deg)."""

    rsun: float
    b0: float
    l0: float


def find(image: F32, disk: Disk, search: Search) -> Labels:
    """Number of the filament at each pixel, from 1 for the largest; 0 where there is none.

    Parameters
    ----------
    image
        Brightness over the quiet Sun's, about 1, solar north up; NaN beyond the limb.
    disk
        Where the Sun lies in it.
    search
        How.
    """
    box = _box(image.shape, disk)
    part = Disk(disk.x - box[1].start, disk.y - box[0].start, disk.radius, disk.scale)
    labels = np.zeros(image.shape, np.int32)
    labels[box] = _found(image[box], part, search)
    return labels


def _found(image: F32, disk: Disk, search: Search) -> Labels:
    inside = _within(image.shape, disk, search.reach) & np.isfinite(image)
    depth, scatter = _depth(image, inside, disk)
    dark = depth > search.grow * scatter
    close = max(1, round(search.closing * disk.radius))
    closed = (_mean(dark, close) > 0.35) | dark
    # Seeds have some extent: a single dark pixel is noise.
    seeds, number = ndimage.label(depth > search.seed * scatter, structure=_EIGHT)
    area = math.pi * disk.radius**2
    large = np.bincount(seeds.ravel(), minlength=number + 1) >= search.least_seed * area
    large[0] = False
    regions, _ = ndimage.label(closed & inside, structure=_EIGHT)
    boxes = ndimage.find_objects(regions)
    chosen = np.unique(regions[large[seeds]])
    kept = np.zeros(image.shape, bool)
    for one in chosen[chosen > 0]:
        box = boxes[one - 1]
        own = regions[box] == one
        inner = np.percentile(depth[box][own & (depth[box] > search.seed * scatter)], 75)
        kept[box] |= own & (depth[box] > search.edge * inner)
    return _numbered(kept, search, area)


def numbered(mask: NDArray[np.bool_], disk: Disk, search: Search) -> Labels:
    """Labels of what is large and long enough in a mask made by other means, the largest first."""
    kept = mask & _within(mask.shape, disk, search.reach)
    return _numbered(kept, search, math.pi * disk.radius**2)


def _numbered(kept: NDArray[np.bool_], search: Search, area: float) -> Labels:
    regions, _ = ndimage.label(kept, structure=_EIGHT)
    sizes = np.bincount(regions.ravel())
    boxes = ndimage.find_objects(regions)
    chosen = [
        one
        for one, box in enumerate(boxes, start=1)
        if sizes[one] >= search.least_area * area and _is_long(regions[box] == one, search.elongation)
    ]
    chosen.sort(key=lambda one: -sizes[one])
    numbers = np.zeros(sizes.size, np.int32)
    numbers[chosen] = np.arange(1, len(chosen) + 1)
    return np.asarray(numbers[regions], dtype=np.int32)


def _box(shape: tuple[int, ...], disk: Disk) -> tuple[slice, slice]:
    """The square about the disk."""
    reach = disk.radius + 1
    return (
        slice(max(0, int(disk.y - reach)), min(shape[0], int(disk.y + reach) + 2)),
        slice(max(0, int(disk.x - reach)), min(shape[1], int(disk.x + reach) + 2)),
    )


def _mean(mask: NDArray[np.bool_], reach: int) -> F32:
    return np.asarray(ndimage.uniform_filter(mask.astype(np.float32), 2 * reach + 1))


def describe(labels: Labels, image: F32, disk: Disk, observer: Observer, most: int) -> list[Filament]:
    """What is told of each filament of a mask; of the largest `most` where there are more."""
    _, scatter = _quiet(image, _within(image.shape, disk, 0.96) & np.isfinite(image), disk)
    found = ndimage.find_objects(labels)[:most]
    told = []
    for number, box in enumerate(found, start=1):
        if box is not None:
            corner = (int(box[0].start), int(box[1].start))
            mask = labels[box] == number
            told.append(_described(number, mask, image[box], corner, disk, observer, scatter))
    return told


def _within(shape: tuple[int, ...], disk: Disk, reach: float) -> NDArray[np.bool_]:
    i, j = np.ogrid[: shape[0], : shape[1]]
    return np.asarray((j - disk.x) ** 2 + (i - disk.y) ** 2 < (reach * disk.radius) ** 2)


def _quiet(image: F32, inside: NDArray[np.bool_], disk: Disk) -> tuple[float, float]:
    held = image[inside]
    middle = float(np.median(held))
    return middle, float(_NORMAL * np.median(np.abs(held - middle)))


def _depth(image: F32, inside: NDArray[np.bool_], disk: Disk) -> tuple[F32, float]:
    """What brightness misses to the quiet Sun's around, and the scatter of the quiet Sun."""
    middle, scatter = _quiet(image, inside, disk)
    smooth = ndimage.gaussian_filter(np.where(inside, image, np.float32(middle)), 0.0012 * disk.radius)
    step = max(1, round(2 * disk.radius / _WINDOWS))
    rows = np.arange(disk.y - disk.radius, disk.y + disk.radius, step / 2)
    columns = np.arange(disk.x - disk.radius, disk.x + disk.radius, step / 2)
    levels = np.full((rows.size, columns.size), np.nan)
    for k, row in enumerate(rows):
        for m, column in enumerate(columns):
            box = (
                slice(max(0, int(row - step / 2)), max(0, int(row + step / 2)), 2),
                slice(max(0, int(column - step / 2)), max(0, int(column + step / 2)), 2),
            )
            held = smooth[box][inside[box]]
            quiet = held[np.abs(held - middle) < 3 * scatter]
            if held.size > step * step // 16 and quiet.size:
                levels[k, m] = np.median(quiet)
    levels = np.where(np.isfinite(levels), levels, middle)
    level = _between(levels, (np.arange(image.shape[0]) - rows[0]) / (step / 2), 0)
    level = _between(level, (np.arange(image.shape[1]) - columns[0]) / (step / 2), 1)
    depth = np.where(inside, level - smooth, 0.0).astype(np.float32)
    return depth, max(float(_NORMAL * np.median(np.abs(depth[inside]))), 1e-6)


def _between(levels: F64, places: F64, axis: int) -> F64:
    """Straight lines between levels along one axis."""
    last = levels.shape[axis] - 1
    at = np.clip(places, 0.0, last)
    low = np.minimum(at.astype(int), last - 1)
    part = (at - low)[:, None] if axis == 0 else at - low
    return np.asarray(np.take(levels, low, axis) * (1 - part) + np.take(levels, low + 1, axis) * part)


def _is_long(mask: NDArray[np.bool_], elongation: float) -> bool:
    rows, columns = np.nonzero(mask)
    part = mask[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    return bool(_spine(part).shape[0] ** 2 >= elongation * part.sum())


def _spine(mask: NDArray[np.bool_]) -> NDArray[np.int64]:
    return longest_way(skeleton(mask))


def heliographic(x: F64, y: F64, disk: Disk, observer: Observer) -> tuple[F64, F64, F64]:
    """Carrington longitude and latitude (degrees), and the cosine of the heliocentric angle, of pixels.

    The observer is taken to be as far away as the apparent radius says.
    """
    half = math.radians(observer.rsun / 3600.0)
    west, north = (x - disk.x) / disk.radius, (y - disk.y) / disk.radius
    rho = np.clip(np.hypot(west, north), 0.0, 1.0)
    # Seen from a finite distance the limb lies before the poles of the line of sight.
    angle = np.arcsin(np.clip(rho, 0, 1)) - rho * half
    turn = np.arctan2(-west, north)
    b0 = math.radians(observer.b0)
    latitude = np.arcsin(
        np.clip(math.sin(b0) * np.cos(angle) + math.cos(b0) * np.sin(angle) * np.cos(turn), -1, 1)
    )
    longitude = np.arctan2(
        -np.sin(angle) * np.sin(turn),
        math.cos(b0) * np.cos(angle) - math.sin(b0) * np.sin(angle) * np.cos(turn),
    )
    return (np.degrees(longitude) + observer.l0) % 360.0, np.degrees(latitude), np.cos(angle)


def _described(
    number: int,
    mask: NDArray[np.bool_],
    image: F32,
    corner: tuple[int, int],
    disk: Disk,
    observer: Observer,
    scatter: float,
) -> Filament:
    below, left = float(corner[0]), float(corner[1])
    rows, columns = (np.asarray(one, np.float64) for one in np.nonzero(mask))
    _, _, cosine = heliographic(columns + left, rows + below, disk, observer)
    weight = 1.0 / np.maximum(cosine, 0.1)
    spine = _spine(mask)
    x, y = np.asarray(spine[:, 1] + left, np.float64), np.asarray(spine[:, 0] + below, np.float64)
    longitude, latitude, _ = heliographic(x, y, disk, observer)
    longitude = np.degrees(np.unwrap(np.radians(longitude)))
    length, tilt = _on_the_sun(longitude, latitude, mask, disk)
    middle = spine.shape[0] // 2
    depth = float(1.0 - np.nanmean(image[mask]))
    place = float(np.hypot(x[middle] - disk.x, y[middle] - disk.y) / disk.radius)
    shape = spine.shape[0] ** 2 / rows.size
    confidence = (1 - math.exp(-depth / (4 * scatter))) * (1 - math.exp(-shape / 8))
    confidence *= 1.0 if place < 0.9 else max(0.3, 1.0 - 5.0 * (place - 0.9))
    return Filament(
        number,
        float((x[middle] - disk.x) * disk.scale),
        float((y[middle] - disk.y) * disk.scale),
        float(longitude[middle] % 360.0),
        float(latitude[middle]),
        float(1e6 * weight.sum() / (2 * math.pi * disk.radius**2)),
        length,
        tilt,
        depth,
        confidence,
    )


def _on_the_sun(longitude: F64, latitude: F64, mask: NDArray[np.bool_], disk: Disk) -> tuple[float, float]:
    """Length of a spine in Mm, without the steps of its pixels, and its tilt in degrees."""
    if longitude.size < 3:
        return float(_MEGAMETRES * longitude.size / disk.radius), 0.0
    width = min(9, longitude.size // 2 * 2 - 1)
    smooth = [ndimage.uniform_filter1d(one, width, mode="nearest") for one in (longitude, latitude)]
    parallel = np.cos(np.radians(smooth[1]))
    east = np.radians(np.diff(smooth[0])) * 0.5 * (parallel[1:] + parallel[:-1])
    length = float(np.hypot(east, np.radians(np.diff(smooth[1]))).sum()) * _MEGAMETRES
    # A skeleton stops short of both ends by half the width, and smoothing by some more.
    half = mask.sum() / (2.0 * longitude.size) + width / 4
    length += 2.0 * half * _MEGAMETRES / disk.radius
    across, up = np.sum(east), np.radians(latitude[-1] - latitude[0])
    tilt = math.degrees(math.atan2(up, across))
    return length, (tilt + 90.0) % 180.0 - 90.0
