"""An image in overlapping tiles whose weights add up to one: where a PSF varies across the field."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Tile:
    """One tile.

    Attributes
    ----------
    number
        Which centre it is about.
    inner
        Rows and columns that it has a weight in.
    outer
        The same and a margin around, as far as the image goes.
    weight
        Over `inner`, float32: 1 at the centre, falling to 0 at the next.
    """

    number: int
    inner: tuple[slice, slice]
    outer: tuple[slice, slice]
    weight: NDArray[np.float32]

    @property
    def within(self) -> tuple[slice, slice]:
        """`inner`, counted from the beginning of `outer`."""
        rows, columns = (
            slice(one.start - two.start, one.stop - two.start)
            for one, two in zip(self.inner, self.outer, strict=True)
        )
        return rows, columns


def tiles(shape: tuple[int, int], centres: Sequence[tuple[float, float]], margin: int) -> Iterator[Tile]:
    """The tiles about centres that lie on a grid.

    Parameters
    ----------
    shape
        (ny, nx) of the image.
    centres
        (x, y) in pixels, counted from 0; every x of a grid with every y, in any order.
    margin
        Pixels around a tile that it is computed with.

    Raises
    ------
    ValueError
        When the centres are no grid.
    """
    columns, rows = (sorted({round(one[axis], 3) for one in centres}) for axis in (0, 1))
    if len(columns) * len(rows) != len(centres):
        raise ValueError(f"{len(centres)} centres of tiles are no grid of {len(rows)} x {len(columns)}")
    ny, nx = shape
    for number, (x, y) in enumerate(centres):
        down, first = _weights(ny, rows, rows.index(round(y, 3)))
        along, left = _weights(nx, columns, columns.index(round(x, 3)))
        if not down.size or not along.size:
            continue
        inner = slice(first, first + down.size), slice(left, left + along.size)
        yield Tile(
            number,
            inner,
            _pair(_widened(one, margin, size) for one, size in zip(inner, shape, strict=True)),
            np.outer(down, along).astype(np.float32),
        )


def _pair(found: Iterator[slice]) -> tuple[slice, slice]:
    rows, columns = found
    return rows, columns


def _widened(inner: slice, margin: int, size: int) -> slice:
    return slice(max(inner.start - margin, 0), min(inner.stop + margin, size))


def _weights(size: int, centres: Sequence[float], which: int) -> tuple[NDArray[np.float64], int]:
    """cos² between neighbouring centres, 1 beyond the outermost: where it is not 0, and from where on."""
    at, here = np.arange(size, dtype=np.float64), centres[which]
    weight = np.ones(size)
    for neighbour in centres[max(which - 1, 0) : which + 2]:
        if neighbour != here:
            part = np.clip((at - here) / (neighbour - here), 0.0, 1.0)
            weight *= np.cos(0.5 * np.pi * part) ** 2
    inside = np.flatnonzero(weight > 0)
    return (weight[inside[0] : inside[-1] + 1], int(inside[0])) if inside.size else (weight[:0], 0)
