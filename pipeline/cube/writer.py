"""The one way a stack gets on disk: whole shards, each written once, by the one writer of its span.

Two writers in one shard corrupt it without a word: each reads it, changes its part and writes the whole back.
So nobody writes anything here but `write_span`, which refuses a span that is none of the layout's, and puts
every array through `write_shards`, which refuses a region that cuts a shard.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from math import prod
from pathlib import Path
from typing import Any, Final

import numpy as np
import xarray as xr
import zarr
from numpy.typing import NDArray
from zarr.codecs import BloscCodec

from pipeline.cube.layout import Layout
from pipeline.cube.world import MEANING, NUMBERS, world_of
from pipeline.cube.world import TEXTS as WORLD_TEXTS
from pipeline.errors import Fatal
from pipeline.stack import header_of

#: Variables of a stack that hold pixels, with what stands where there is none.
PIXELS: Final[Mapping[str, Any]] = {"image": np.nan, "quality": 0, "uncertainty": np.nan}
#: Dimensions that only the world coordinates have.
_AXES: Final = ("axis", "axis_of_world")


def create(store: Path, stack: xr.Dataset, count: int, layout: Layout) -> None:
    """Make the arrays of a store, empty.

    Parameters
    ----------
    store
        Folder that does not exist yet.
    stack
        Some of the frames: which variables there are, of which kind.
    count
        Frames the store is to hold.
    layout
        How they lie.
    """
    root = zarr.create_group(store, zarr_format=3)
    sizes = frame_sizes(stack)
    for name, fill in PIXELS.items():
        if name not in stack:
            continue
        dims = tuple(map(str, stack[name].dims[1:]))
        own = {dim: sizes[dim] for dim in dims}
        root.create_array(
            name,
            shape=(count, *own.values()),
            dtype=stack[name].dtype,
            chunks=layout.chunks(dims),
            shards=layout.shards(own),
            compressors=BloscCodec(cname="zstd", clevel=1, shuffle="shuffle"),
            fill_value=fill,
            dimension_names=("time", *dims),
        )
    texts = [str(name) for name, one in stack.data_vars.items() if one.dims == ("time",)]
    facts = {**dict.fromkeys(texts, ()), **WORLD_TEXTS, **NUMBERS}
    for name, dims in facts.items():
        rest = (len(sizes),) * len(dims)
        root.create_array(
            name,
            shape=(count, *rest),
            dtype="float64" if name in NUMBERS else "string",
            chunks=(layout.chunk, *rest),
            shards=(layout.span, *rest),
            fill_value=np.nan if name in NUMBERS else "",
            dimension_names=("time", *dims),
            attributes={"long_name": MEANING[name]} if name in MEANING else {},
        )


def frame_sizes(stack: xr.Dataset) -> dict[str, int]:
    """Pixels along each dimension of a frame, slowest first."""
    image = stack["image"]
    return {str(name): int(size) for name, size in zip(image.dims[1:], image.shape[1:], strict=True)}


def write_span(store: Path, stack: xr.Dataset, start: int, layout: Layout) -> None:
    """Compute the frames of one span, one Dask chunk after the other, and write its shards.

    What it holds meanwhile lies in a file beside the store: no more than a shard and a chunk are in memory.

    Parameters
    ----------
    store
        Made by `create`.
    stack
        The frames of the span, lazy.
    start
        Number of the first of them in the store.
    layout
        That of the store.

    Raises
    ------
    pipeline.errors.Fatal
        When the frames are not exactly one span: its shards would be written by others too.
    """
    root = zarr.open_group(store, mode="r+", use_consolidated=False)
    count, sizes = stack.sizes["time"], frame_sizes(stack)
    if (start, start + count) not in set(layout.spans(_array(root, "image").shape[0])):
        raise Fatal(f"frames {start} to {start + count} are no span of this store: {layout.span} frames each")
    kept = {name: _Kept(store.parent, stack[name]) for name in PIXELS if name in stack}
    texts: dict[str, list[Any]] = {}
    try:
        for part in _parts(stack):
            block = part.compute(scheduler="synchronous")
            for name, one in kept.items():
                one.add(block[name].values)
            for name, values in _facts(block, len(sizes)).items():
                texts.setdefault(name, []).extend(values)
        for name, one in kept.items():
            _write_pixels(_array(root, name), one, slice(start, start + count), layout.along)
    finally:
        for one in kept.values():
            one.close()
    for name, values in texts.items():
        array = _array(root, name)
        whole = tuple(slice(0, size) for size in array.shape[1:])
        kind = np.float64 if name in NUMBERS else object
        write_shards(array, (slice(start, start + count), *whole), np.array(values, dtype=kind))
    _settle(store, start // layout.span)


def write_shards(array: zarr.Array[Any], region: Sequence[slice], values: NDArray[Any]) -> None:
    """Write a region of whole shards.

    Raises
    ------
    pipeline.errors.Fatal
        When the region cuts a shard: somebody else may be writing its other part.
    """
    for part, step, size in zip(region, array.shards or array.chunks, array.shape, strict=True):
        if part.start % step or (part.stop % step and part.stop != size) or part.stop > size:
            raise Fatal(
                f"{array.basename}: {part.start} to {part.stop} is cut out of shards of {step} in {size}; "
                "two writers of one shard corrupt it"
            )
    array[tuple(region)] = values


def _write_pixels(array: zarr.Array[Any], kept: _Kept, time: slice, along: str) -> None:
    whole = [slice(0, size) for size in array.shape[1:]]
    dims = list(array.metadata.dimension_names or ())[1:]  # type: ignore[union-attr]
    if along not in dims:
        write_shards(array, (time, *whole), kept.cut(0, whole[0]))
        return
    axis = dims.index(along)
    band = (array.shards or array.chunks)[1 + axis]
    for low in range(0, whole[axis].stop, band):
        part = slice(low, min(whole[axis].stop, low + band))
        write_shards(array, (time, *whole[:axis], part, *whole[axis + 1 :]), kept.cut(axis, part))


def _parts(stack: xr.Dataset) -> Iterator[xr.Dataset]:
    chunks = stack["image"].chunks
    start = 0
    for number in chunks[0] if chunks else (stack.sizes["time"],):
        yield stack.isel(time=slice(start, start + number))
        start += number


def _facts(block: xr.Dataset, axes: int) -> dict[str, list[Any]]:
    """What is known of each frame besides its pixels."""
    facts = {
        str(name): [str(text) for text in one.values]
        for name, one in block.data_vars.items()
        if one.dims == ("time",)
    }
    worlds = [world_of(header_of(text), axes) for text in facts["header"]]
    return facts | {name: [world[name] for world in worlds] for name in (*NUMBERS, *WORLD_TEXTS)}


class _Kept:
    """Frames one behind the other in a file that has no name and so never outlives its writer."""

    def __init__(self, folder: Path, like: xr.DataArray) -> None:
        self.file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 -- closed by its owner
        self.dtype = like.dtype
        self.shape = tuple(like.shape[1:])
        self.count = 0

    def add(self, frames: NDArray[Any]) -> None:
        self.file.write(np.ascontiguousarray(frames, dtype=self.dtype).data)
        self.count += len(frames)

    def cut(self, axis: int, part: slice) -> NDArray[Any]:
        """All frames, cut along one of their dimensions."""
        before, behind = prod(self.shape[:axis]), prod(self.shape[axis + 1 :])
        made = np.empty((self.count * before, part.stop - part.start, behind), self.dtype)
        row = self.dtype.itemsize * behind
        for number, run in enumerate(made):
            self.file.seek((number * self.shape[axis] + part.start) * row)
            if self.file.readinto(memoryview(run).cast("B")) != run.nbytes:
                raise OSError("what was just written cannot be read back")
        return made.reshape(self.count, *self.shape[:axis], part.stop - part.start, *self.shape[axis + 1 :])

    def close(self) -> None:
        self.file.close()


def _settle(store: Path, number: int) -> None:
    """Have the shards of a span on disk before anybody relies on them."""
    for array in store.iterdir():
        shard = array / "c" / str(number)
        files = [shard] if shard.is_file() else shard.rglob("*") if shard.is_dir() else []
        for file in files:
            if file.is_file():
                sync(file)


def sync(path: Path) -> None:
    """Have a file or a folder on disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _array(root: zarr.Group, name: str) -> zarr.Array[Any]:
    found = root[name]
    if not isinstance(found, zarr.Array):
        raise Fatal(f"{name} of {root.store_path} is no array; the store was made by something else")
    return found
