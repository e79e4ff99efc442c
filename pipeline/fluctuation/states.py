"""From values to states."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import BadInput
from pipeline.fluctuation.settings import Settings
from pipeline.quality import NOT_MEASURED, flagged

NO_STATE: Final = -1


def values_of(
    values: NDArray[np.floating], quality: NDArray[np.uint16] | None, settings: Settings
) -> NDArray[np.float32]:
    """The observable of a block, shape (times, ...), as (pixels, times); NaN where it has no value."""
    made = np.asarray(values, dtype=np.float32)
    if quality is not None:
        spread = quality.reshape(quality.shape[:1] + (1,) * (made.ndim - quality.ndim) + quality.shape[1:])
        made = np.where(flagged(spread, NOT_MEASURED), np.float32(np.nan), made)
    made = made.reshape(len(made), -1).T
    if settings.of == "absolute":
        made = np.abs(made)
    below = np.abs(made) < settings.least
    if settings.of == "square":
        made = made * made
    return np.where(below, np.float32(np.nan), made) if settings.least > 0 else made


def edges_of(sample: NDArray[np.float32], number: int) -> NDArray[np.float64]:
    """Bounds between states that have equal shares of a sample.

    Raises
    ------
    BadInput
        When its values do not tell so many states apart.
    """
    held = sample[np.isfinite(sample)]
    if held.size < 10 * number:
        raise BadInput(
            "too few values of the observable can be used",
            keyword="observable",
            found=f"{held.size} values for {number} states",
            advice="choose another observable, or lower --least",
        )
    edges = np.quantile(held.astype(np.float64), np.arange(1, number) / number)
    if (np.diff(edges) <= 0).any():
        raise BadInput(
            "the observable has too few different values for so many states",
            keyword="states",
            found=f"{len(np.unique(held))} values, bounds {', '.join(f'{edge:g}' for edge in edges)}",
            advice="choose fewer: --states 3",
        )
    return edges


def states_of(values: NDArray[np.float32], edges: NDArray[np.float64]) -> NDArray[np.int16]:
    """States of values, by common bounds."""
    made = np.searchsorted(edges, values, side="right").astype(np.int16)
    return np.where(np.isfinite(values), made, np.int16(NO_STATE))


def states_of_each(values: NDArray[np.float32], number: int) -> NDArray[np.int16]:
    """States of values, by each pixel's own ranks: every state has the same share of its times."""
    finite = np.isfinite(values)
    order = np.argsort(np.where(finite, values, np.inf), axis=1, kind="stable")
    ranks = np.empty_like(order)
    np.put_along_axis(ranks, order, np.arange(values.shape[1])[None, :], axis=1)
    held = np.maximum(finite.sum(axis=1, keepdims=True), 1)
    made = np.minimum(ranks * number // held, number - 1).astype(np.int16)
    return np.where(finite, made, np.int16(NO_STATE))


def squares(shape: tuple[int, ...], side: int) -> NDArray[np.int64]:
    """Which square of pixels each pixel of a block belongs to, flattened."""
    number = np.zeros(shape, np.int64)
    for axis, length in enumerate(shape):
        along = np.arange(length) // side
        view = [1] * len(shape)
        view[axis] = length
        number = number * (along[-1] + 1) + along.reshape(view)
    return number.ravel()
