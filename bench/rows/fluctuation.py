"""The fluctuation theorem in a stack, against plain numpy that does the same."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bench.measure import Row, Skipped, race
from bench.setting import Setting
from pipeline.fluctuation import Settings, analyse
from pipeline.fluctuation.chain import Chain, estimated
from pipeline.fluctuation.exact import simulated
from pipeline.fluctuation.recovery import CHAIN, stack_of

_BOUNDS: Final = (0.5, 1.5, 2.5, 3.5)
_LENGTH: Final = 4
_SIDE: Final = 8
_FRAMES: Final = 100


def rows(setting: Setting) -> Iterator[Row | Skipped]:
    """One row: the integral theorem's interval; ours finds the detailed one's, and tests assumptions, too."""
    side, draws = setting.pick(128, 64), setting.pick(50, 20)
    states = simulated(CHAIN, side * side, _FRAMES, 1)
    stack = stack_of(states, side)
    settings = Settings(bounds=_BOUNDS, lengths=(_LENGTH,), side=_SIDE, draws=draws)
    ours = partial(analyse, stack, settings)
    values = np.asarray(stack["image"].values)
    peer = partial(_plain, values, draws)
    mean, low, high = peer()
    found = ours().theorems[0].integral
    if abs(found.value - mean) > 1e-6:
        raise RuntimeError(f"ours has {found.value}, the peer {mean}")
    run = race({"ours": ours, "peer": peer}, rounds=setting.pick(3, 2), budget=120.0)
    yield Row(
        f"fluctuation theorem, {side}² pixels, {_FRAMES} frames, {draws} draws",
        run.times["ours"],
        run.times["peer"],
        "numpy, in memory",
        notes=(
            "ours with the slope of the detailed theorem, tests of what is assumed, and digests",
            (
                f"mean of e^-s {found.value:.5f} and {mean:.5f}; intervals {found.low:.3f} to "
                f"{found.high:.3f} and {low:.3f} to {high:.3f}, of other draws"
            ),
        ),
    )


def _plain(values: NDArray[np.float32], draws: int) -> tuple[float, float, float]:
    """Digitise, count square by square, draw squares, walk all paths by each chain drawn."""
    times, ny, nx = values.shape
    states = np.digitize(values, _BOUNDS).transpose(1, 2, 0)
    across = nx // _SIDE
    square = ((np.arange(ny) // _SIDE)[:, None] * across + np.arange(nx) // _SIDE).ravel()
    series = states.reshape(-1, times)
    number, kinds = int(square.max()) + 1, len(_BOUNDS) + 1
    pairs = np.zeros((number, kinds, kinds))
    np.add.at(pairs, (square[:, None], series[:, :-1], series[:, 1:]), 1)
    random = np.random.default_rng(1)
    again = (np.bincount(random.integers(0, number, number), minlength=number) for _ in range(draws))
    drawn = [np.ones(number), *(row.astype(np.float64) for row in again)]
    means = [_mean(series, square, row, estimated(np.tensordot(row, pairs, axes=1), 0.5)) for row in drawn]
    low, high = np.quantile(means[1:], (0.025, 0.975))
    return means[0], float(low), float(high)


def _mean(
    series: NDArray[np.int64], square: NDArray[np.int64], weight: NDArray[np.float64], chain: Chain
) -> float:
    gain = chain.gain[series[:, :-1], series[:, 1:]].cumsum(axis=1)
    gain = np.concatenate([np.zeros((len(gain), 1)), gain], axis=1)
    made = gain[:, _LENGTH:] - gain[:, :-_LENGTH]
    made += chain.log_p[series[:, :-_LENGTH]] - chain.log_p[series[:, _LENGTH:]]
    counts = weight[square]
    return float((counts[:, None] * np.exp(-made)).sum() / (counts.sum() * made.shape[1]))
