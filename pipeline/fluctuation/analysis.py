"""The analysis of a stack, in passes over its pixels that Dask carries out.

Pixels come in blocks that hold all times of each. The first pass takes a sample for the bounds of states, the
second counts transitions square by square, the third walks all paths, for the estimated chain and for every
chain that the bootstrap draws: squares are drawn with replacement, and the chain is estimated anew each time.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import BadInput
from pipeline.fluctuation import assumptions
from pipeline.fluctuation.chain import F64, Chain, estimated
from pipeline.fluctuation.clock import Clock, clock
from pipeline.fluctuation.result import Fluctuation
from pipeline.fluctuation.settings import Settings
from pipeline.fluctuation.states import edges_of, squares, states_of, states_of_each, values_of
from pipeline.fluctuation.theorem import Theorem, judged
from pipeline.kernels.transitions import count, path_sums, word_sums, words

if TYPE_CHECKING:
    import xarray as xr

#: Values that bounds of states are taken from.
_SAMPLE: Final = 1 << 20
#: Bytes of one block of pixels, about.
_BLOCK: Final = 64 << 20
#: Kinds of paths that are counted before any chain walks them, and squares that are at once.
_WORDS: Final = 1 << 16
_TOGETHER: Final = 32
#: Largest |s| with a bin of its own.
_LARGEST: Final = 40.0


class Block(NamedTuple):
    """Some pixels through all times: values and flags, lazy."""

    values: Any
    quality: Any | None


class Counted(NamedTuple):
    """What one block has: transitions by square and part of the time, triples, pixels, values, its digest."""

    pairs: NDArray[np.int64]
    triples: NDArray[np.int64]
    pixels: int
    digest: str


class Task(NamedTuple):
    """What every block is done with."""

    settings: Settings
    clock: Clock
    edges: F64


def analyse(stack: xr.Dataset, settings: Settings | None = None, *, name: str = "") -> Fluctuation:
    """The fluctuation theorem in the series of a stack's pixels.

    Parameters
    ----------
    stack
        With a time axis; as `heliolake stack --for series` writes it, or any with such variables.
    settings
        What is chosen; defaults where not given.
    name
        What the stack is called.

    Raises
    ------
    BadInput
        When it has no such observable, no common time step, or too few values.
    """
    import dask

    chosen = settings or Settings()
    ticking = clock(np.asarray(stack["time"].values), chosen.regular)
    blocks = list(_blocks(stack, chosen))
    share = min(1.0, _SAMPLE / max(1, sum(int(np.prod(one.values.shape)) for one in blocks)))
    edges = np.array(chosen.bounds, dtype=np.float64)
    if not (chosen.each_pixel or chosen.bounds):
        samples = [
            dask.delayed(_sample)(one, chosen, share, number) for number, one in enumerate(map(_late, blocks))
        ]
        edges = edges_of(np.concatenate(dask.compute(*samples)), chosen.number)
    task = Task(chosen, ticking, edges)
    counted = dask.compute(*[dask.delayed(_counted)(one, task) for one in map(_late, blocks)])
    units = np.concatenate([one.pairs for one in counted])
    _require_transitions(units)
    drawn = _drawn(units, chosen)
    theorems = _walked(blocks, counted, units, drawn, task)
    pairs = units.sum(axis=0)
    scale = assumptions.spread(units.sum(axis=1))
    chain = estimated(pairs.sum(axis=0), chosen.smoothing)
    triples = np.sum([one.triples for one in counted], axis=0)
    tests = (
        assumptions.enough(pairs, {one.length: one.paths for one in theorems}),
        assumptions.stationary(pairs, scale, chosen),
        assumptions.balanced(pairs, chain, chosen),
        assumptions.markov(triples, scale, chosen),
        assumptions.both_ways(pairs),
    )
    return Fluctuation(
        chosen,
        _origin(stack, ticking, counted, name, chosen),
        edges,
        pairs,
        chain,
        scale,
        int(np.count_nonzero(units.sum(axis=(1, 2, 3)))),
        sum(one.pixels for one in counted),
        tests,
        theorems,
        (*ticking.told(), *_failed(stack)),
    )


def _blocks(stack: xr.Dataset, settings: Settings) -> Iterator[Block]:
    """Pixels through all times, some at once."""
    chosen = settings.observable
    if chosen not in stack or "time" not in stack[chosen].dims or stack[chosen].dtype.kind != "f":
        series = (one for one in stack.data_vars.values() if "time" in one.dims and one.dtype.kind == "f")
        there = [str(one.name) for one in series]
        raise BadInput(
            "the stack has no such observable",
            keyword="observable",
            found=chosen,
            advice=f"it has {', '.join(there) or 'none'}",
        )
    values = _at(stack[chosen], settings).transpose("time", ...)
    quality = stack.get("quality")
    if quality is not None:
        # A plane of flags stands for all wavelengths: it is chosen only along the axes it has.
        quality = _at(quality, settings).transpose("time", ...)
    # Chunks of the store that hold few pixels are taken together, large ones are cut.
    sizes = dict.fromkeys(map(str, values.dims), "auto") | {"time": -1}
    import dask

    with dask.config.set({"array.chunk-size": _BLOCK}):
        lazy = values.chunk(sizes).data
    flags = None
    if quality is not None:
        chunks = dict(zip(map(str, values.dims), lazy.chunks, strict=True))
        flags = quality.chunk({str(dim): chunks[str(dim)] for dim in quality.dims}).data
    for place in np.ndindex(lazy.numblocks):
        own = None if flags is None else flags.blocks[(0, *place[len(place) - flags.ndim + 1 :])]
        yield Block(lazy.blocks[place], own)


def _at(values: xr.DataArray, settings: Settings) -> xr.DataArray:
    wanted = {dim: place for dim, place in settings.at.items() if dim in values.dims}
    for dim, place in wanted.items():
        if not 0 <= place < values.sizes[dim]:
            raise BadInput(
                "there is no such place along an axis",
                keyword="at",
                found=f"{dim}={place}",
                advice=f"{dim} has {values.sizes[dim]} places, counted from 0",
            )
    strange = [dim for dim in settings.at if dim not in values.dims]
    if strange and values.name == settings.observable:
        raise BadInput(
            "the observable has no such axis",
            keyword="at",
            found=", ".join(strange),
            advice=f"it has {', '.join(map(str, values.dims))}",
        )
    return values.isel(wanted)


def _late(block: Block) -> Any:
    """The block as one thing that is computed where it is used."""
    import dask

    return dask.delayed(Block)(block.values, block.quality)


def _states(block: Block, task: Task) -> tuple[NDArray[np.int16], NDArray[np.int64], int]:
    """States (pixels, times) square by square, where each square ends, and how many pixels have a value."""
    values = values_of(block.values, block.quality, task.settings)
    if task.settings.each_pixel:
        states = states_of_each(values, task.settings.number)
    else:
        states = states_of(values, task.edges)
    unit = squares(block.values.shape[1:], task.settings.side)
    order = np.argsort(unit, kind="stable")
    ends = np.cumsum(np.bincount(unit)) if unit.size else np.zeros(0, np.int64)
    return np.ascontiguousarray(states[order]), ends, int(np.count_nonzero((states >= 0).any(axis=1)))


def _sample(block: Block, settings: Settings, share: float, number: int) -> NDArray[np.float32]:
    values = values_of(block.values, block.quality, settings).ravel()
    wanted = round(share * values.size)
    if wanted >= values.size:
        return values
    return np.random.default_rng((settings.seed, number)).choice(values, wanted, replace=False)


def _counted(block: Block, task: Task) -> Counted:
    states, ends, pixels = _states(block, task)
    settings = task.settings
    times = states.shape[1]
    part = np.minimum(np.arange(times) * settings.parts // times, settings.parts - 1)
    found = [
        count(one, task.clock.linked, part, settings.parts, settings.number) for one in _split(states, ends)
    ]
    number = settings.number
    pairs = np.array([one for one, _ in found], np.int64).reshape(-1, settings.parts, number, number)
    triples = np.array([one for _, one in found], np.int64).reshape(-1, number, number, number).sum(axis=0)
    digest = hashlib.sha256(np.ascontiguousarray(block.values).tobytes()).hexdigest()
    return Counted(pairs, triples, pixels, digest)


def _split(states: NDArray[np.int16], ends: NDArray[np.int64]) -> Iterator[NDArray[np.int16]]:
    first = 0
    for last in ends:
        yield states[first:last]
        first = last


def _require_transitions(units: NDArray[np.int64]) -> None:
    if units.sum() == 0:
        raise BadInput(
            "no two values of a pixel follow each other",
            keyword="observable",
            found="0 transitions",
            advice="every second frame has no value, or none is followed by the next step: look at quality "
            "and times of the stack",
        )


def _drawn(units: NDArray[np.int64], settings: Settings) -> NDArray[np.int64]:
    """How often each square counts: once for the estimate, then as drawn; shape (1 + draws, squares)."""
    random = np.random.default_rng(settings.seed)
    number = len(units)
    held = np.flatnonzero(units.sum(axis=(1, 2, 3)))
    times = np.zeros((settings.draws + 1, number), np.int64)
    times[0] = 1
    for row in times[1:]:
        np.add.at(row, random.choice(held, len(held)), 1)
    return times


def _walked(
    blocks: Sequence[Block],
    counted: Sequence[Counted],
    units: NDArray[np.int64],
    drawn: NDArray[np.int64],
    task: Task,
) -> tuple[Theorem, ...]:
    import dask

    settings = task.settings
    pairs = units.sum(axis=1)
    chains = [estimated(np.tensordot(row, pairs, axes=1), settings.smoothing) for row in drawn]
    weights, first = [], 0
    for one in counted:
        weights.append(drawn[:, first : first + len(one.pairs)])
        first += len(one.pairs)
    known = dask.delayed(chains)
    made = dask.compute(
        *[
            dask.delayed(_walked_block)(_late(block), task, known, weight)
            for block, weight in zip(blocks, weights, strict=True)
        ]
    )
    theorems = []
    held = int(np.count_nonzero(pairs.any(axis=(1, 2))))
    for number, length in enumerate(settings.lengths):
        bins = np.sum([one[number][0] for one in made], axis=0)
        sums = np.sum([one[number][1] for one in made], axis=0)
        expected = length * chains[0].production
        theorems.append(judged(length, bins, sums, expected, settings.width, settings.interval, held))
    return tuple(theorems)


def _walked_block(
    block: Block, task: Task, chains: Sequence[Chain], weights: NDArray[np.int64]
) -> list[tuple[F64, F64]]:
    settings = task.settings
    states, ends, _ = _states(block, task)
    log_p = np.array([one.log_p for one in chains])
    gain = np.array([np.where(np.isfinite(one.gain), one.gain, 0.0) for one in chains])
    bins = round(_LARGEST / settings.width)
    result = []
    for length in settings.lengths:
        if settings.number ** (length + 1) <= _WORDS:
            held = _counted_words(states, ends, weights, length, task)
            result.append(word_sums(held, length, log_p, gain, settings.width, bins))
            continue
        total: list[F64] = [np.zeros((len(chains), 3, bins)), np.zeros((len(chains), 6))]
        for unit, part in enumerate(_split(states, ends)):
            weight = weights[:, unit].astype(np.float64)
            found = path_sums(part, task.clock.linked, length, log_p, gain, weight, settings.width, bins)
            total = [one + other for one, other in zip(total, found, strict=True)]
        result.append((total[0], total[1]))
    return result


def _counted_words(
    states: NDArray[np.int16], ends: NDArray[np.int64], weights: NDArray[np.int64], length: int, task: Task
) -> F64:
    """How often each path counts for each chain, squares as often as they were drawn."""
    number = task.settings.number
    total = np.zeros((len(weights), number ** (length + 1)))
    units = _split(states, ends)
    for first in range(0, len(ends), _TOGETHER):
        some = islice(units, _TOGETHER)
        counts = np.array([words(part, task.clock.linked, length, number) for part in some])
        total += weights[:, first : first + _TOGETHER].astype(np.float64) @ counts
    return total


def _origin(
    stack: xr.Dataset, ticking: Clock, counted: Sequence[Counted], name: str, settings: Settings
) -> dict[str, Any]:
    times = stack["time"].values
    digest = hashlib.sha256("".join(one.digest for one in counted).encode()).hexdigest()
    releases = sorted({str(one) for one in stack["release"].values}) if "release" in stack else []
    frames = ""
    if "sha256" in stack and "source" in stack:
        lines = [
            f"{source} {sha256}\n"
            for source, sha256 in zip(stack["source"].values, stack["sha256"].values, strict=True)
        ]
        frames = hashlib.sha256("".join(lines).encode()).hexdigest()
    return {
        "stack": name,
        "values_sha256": digest,
        "frames_sha256": frames,
        "releases": releases,
        "unit": str(stack[settings.observable].attrs.get("units", "")),
        "frames": int(stack.sizes["time"]),
        "first": str(np.datetime_as_string(times[0], unit="ms")),
        "last": str(np.datetime_as_string(times[-1], unit="ms")),
        "step": ticking.step,
    }


def _failed(stack: xr.Dataset) -> tuple[str, ...]:
    if "outcome" not in stack:
        return ()
    failed = sum('"done"' not in str(one) for one in stack["outcome"].values)
    return (f"{failed} frames could not be read and have no values",) if failed else ()
