"""Stacks: frames along time, as an `xarray.Dataset` whose chunks hold whole frames.

Variables of a stack
--------------------
image
    (time, y, x) float32; of other frames (time, *dims), such as (time, stokes, wavelength, y, x).
quality
    (time, y, x) uint16, bits of `pipeline.quality.Quality`; of other frames over all dims or the last.
header
    (time) text of the FITS header.
source
    (time) name of the file.
references
    (time) JSON of the references chosen for this very frame, ``{}`` if none.
outcome
    (time) JSON of `pipeline.outcome.Outcome`; a frame that is not ``done``
    holds NaN.
uncertainty
    Like `image`: one standard deviation of it in its unit, NaN where it is not
    known. Only where it was asked for.

Coordinates are the time of each frame and, for an axis on which every place
has one world coordinate whatever the others (a wavelength, a Stokes
parameter), that coordinate, with its unit in ``attrs``.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

from pipeline.dims import Dims, Layout
from pipeline.errors import BadInput
from pipeline.frame import Frame
from pipeline.outcome import Outcome, Status
from pipeline.step import Reach, ReferenceFile

if TYPE_CHECKING:  # xarray and Dask's arrays are loaded once a stack is made: most commands make none
    import xarray as xr

#: Per-frame text variables of a stack.
TEXTS: Final = ("header", "source", "references", "outcome")


def stack_of(frames: Sequence[Frame], *, chunk: int = 1) -> xr.Dataset:
    """A lazy stack of frames that are in memory.

    Parameters
    ----------
    frames
        Frames of one shape, in time order.
    chunk
        Frames in one Dask chunk.

    Raises
    ------
    BadInput
        When there is no frame, or their dims or shapes differ.
    """
    from pipeline.world import world

    layouts = {(frame.dims, frame.data.shape) for frame in frames}
    if len(layouts) != 1:
        raise BadInput(
            "a stack needs at least one frame, and all of one shape",
            keyword="NAXIS1, NAXIS2",
            found=", ".join(sorted(str(Layout(*one)) for one in layouts)) or "no frame",
            advice="make one stack for each shape",
        )
    ((dims, shape),) = layouts
    flagged = max(frame.quality.ndim for frame in frames)
    layout = Layout(dims, shape, flagged)
    block = assemble(
        layout,
        image=np.stack([frame.data for frame in frames]),
        quality=np.stack([flags_over(frame.quality, layout) for frame in frames]),
        header=[header_text(frame.header) for frame in frames],
        source=[frame.source for frame in frames],
        references=["{}"] * len(frames),
        outcome=[Outcome(caveats=frame.caveats).model_dump_json() for frame in frames],
        uncertainty=_planes_of(frames),
    )
    return block.chunk({"time": chunk}).assign_coords(world(layout, [frame.header for frame in frames]))


def _planes_of(frames: Sequence[Frame]) -> NDArray[np.float32] | None:
    """The uncertainties of frames; `None` where none has one."""
    found = [frame.uncertainty for frame in frames]
    if all(plane is None for plane in found):
        return None
    return planes(found, frames[0].data.shape, np.float32, np.nan)


def frames_of(stack: xr.Dataset) -> Iterator[Frame]:
    """The frames of a stack that are done, computed; the others are left out."""
    computed = stack.compute()
    for index in range(computed.sizes["time"]):
        outcome = outcome_at(computed, index)
        if outcome.status is Status.DONE:
            yield frame_at(computed, index, outcome)


def assemble(
    layout: Layout,
    image: NDArray[np.float32],
    quality: NDArray[np.uint16],
    header: Sequence[str],
    source: Sequence[str],
    references: Sequence[str],
    outcome: Sequence[str],
    uncertainty: NDArray[np.float32] | None = None,
) -> xr.Dataset:
    """A block of a stack from its parts; the one place that knows how they are called."""
    import xarray as xr

    texts = dict(zip(TEXTS, (header, source, references, outcome), strict=True))
    pixels = {"image": image} if uncertainty is None else {"image": image, "uncertainty": uncertainty}
    return xr.Dataset(
        {
            **{name: (("time", *layout.dims), values) for name, values in pixels.items()},
            "quality": (("time", *layout.of_quality.dims), quality),
            **{name: ("time", as_objects(values)) for name, values in texts.items()},
        }
    )


#: Between the name of a further output and that of its variable or dim in a stack.
_OF: Final = ":"


def joined(main: xr.Dataset, outputs: Mapping[str, xr.Dataset]) -> xr.Dataset:
    """A stack with the further frames of each time: variables and dims bear its name, ``profiles:image``."""
    return main.assign(
        {
            f"{output}{_OF}{name}": one.rename(
                {dim: f"{output}{_OF}{dim}" for dim in one.dims if dim != "time"}
            ).variable
            for output, stack in outputs.items()
            for name, one in stack.data_vars.items()
            if name in ("image", "quality", "header")
        }
    )


def part(stack: xr.Dataset, output: str = "") -> xr.Dataset:
    """The stack of one output alone, under the usual names; that of the recipe's main product by default."""
    if not output:
        return stack[[name for name in stack.data_vars if _OF not in str(name)]]
    start = f"{output}{_OF}"
    own = [name for name in stack.data_vars if str(name).startswith(start)]
    texts = [name for name in TEXTS if name != "header"]
    renamed = {name: str(name).removeprefix(start) for name in own}
    dims = {dim for name in own for dim in stack[name].dims if str(dim).startswith(start)}
    return stack[[*own, *texts]].rename({**renamed, **{dim: str(dim).removeprefix(start) for dim in dims}})


def flags_over(plane: NDArray[np.uint16], layout: Layout) -> NDArray[np.uint16]:
    """Flags over the dims that a stack keeps them for.

    Those of one plane hold for every image behind it; of several, a pixel has what any of them says.
    """
    shape = layout.of_quality.shape
    if plane.ndim > len(shape):
        plane = np.bitwise_or.reduce(plane, axis=tuple(range(plane.ndim - len(shape))))
    return np.broadcast_to(plane, shape) if plane.ndim < len(shape) else plane


class Planes:
    """The arrays of a block, put behind one another as they come.

    A block of one image, as large images are, is that image itself and no copy.

    Parameters
    ----------
    count, shape, dtype
        How many there will be, and of which form.
    absent
        What one that is missing is filled with.
    """

    def __init__(self, count: int, shape: tuple[int, ...], dtype: type, absent: float) -> None:
        self._count, self._shape, self._dtype, self._absent = count, shape, dtype, absent
        self._taken = 0
        self.values: NDArray[Any] = np.zeros((0, *shape), dtype)

    def add(self, image: NDArray[Any] | None) -> None:
        """Put the next one in its place."""
        if self._count == 1 and image is not None:
            self.values = image[np.newaxis]
            return
        if not self._taken:
            self.values = np.zeros((self._count, *self._shape), self._dtype)
        if image is None:
            self.values[self._taken] = self._absent
        elif self._absent or image.any():  # zeros that nobody writes take no memory
            self.values[self._taken] = image
        self._taken += 1


def planes(
    images: Sequence[NDArray[Any] | None], shape: tuple[int, ...], dtype: type, absent: float
) -> NDArray[Any]:
    """The arrays of a block behind one another; see `Planes`."""
    made = Planes(len(images), shape, dtype, absent)
    for image in images:
        made.add(image)
    return made.values


@lru_cache(maxsize=64)
def template(chunks: tuple[int, ...], layout: Layout, *, uncertainty: bool = False) -> xr.Dataset:
    """A lazy stack of the given layout without any content, for `xarray.map_blocks`.

    Parameters
    ----------
    chunks
        Number of frames in each Dask chunk.
    layout
        Of the frames.
    uncertainty
        Whether the stack has the variable ``uncertainty``.

    Returns
    -------
    xarray.Dataset
        Not to be changed: blocks of one layout share it, because making it takes
        longer than all the rest of a block's graph.
    """
    import dask.array as da
    import xarray as xr

    count = sum(chunks)
    kinds = {"image": (layout, np.float32), "quality": (layout.of_quality, np.uint16)}
    if uncertainty:
        kinds["uncertainty"] = (layout, np.float32)
    pixels: dict[str, Any] = {
        name: (
            ("time", *of.dims),
            da.zeros((count, *of.shape), dtype=dtype, chunks=(chunks, *((length,) for length in of.shape))),
        )
        for name, (of, dtype) in kinds.items()
    }
    for name in TEXTS:
        pixels[name] = ("time", da.full((count,), "", dtype=object, chunks=(chunks,)))
    return xr.Dataset(pixels)


def dims_of(stack: xr.Dataset) -> Dims:
    """The dims of the frames of a stack."""
    return tuple(str(name) for name in stack["image"].dims[1:])


def frame_at(block: xr.Dataset, index: int, outcome: Outcome) -> Frame:
    """One frame of a computed block."""
    return Frame(
        data=block["image"].values[index],
        quality=block["quality"].values[index],
        header=header_of(str(block["header"].values[index])),
        source=str(block["source"].values[index]),
        caveats=outcome.caveats,
        uncertainty=_uncertainty_at(block, index),
        dims=dims_of(block),
    )


def _uncertainty_at(block: xr.Dataset, index: int) -> NDArray[np.float32] | None:
    """A frame's plane; one that is known nowhere is none."""
    if "uncertainty" not in block:
        return None
    plane: NDArray[np.float32] = block["uncertainty"].values[index]
    return plane if np.isfinite(plane).any() else None


def outcome_at(block: xr.Dataset, index: int) -> Outcome:
    """What has become so far of one frame of a computed block."""
    return Outcome.model_validate_json(str(block["outcome"].values[index]))


def references_at(block: xr.Dataset, index: int, reach: Reach | None = None) -> dict[str, ReferenceFile]:
    """The references chosen for one frame, and how their bytes are reached."""
    entries: Mapping[str, dict[str, str]] = json.loads(str(block["references"].values[index]))
    return {name: ReferenceFile(name=name, reach=reach, **entry) for name, entry in entries.items()}


def references_text(references: Mapping[str, ReferenceFile]) -> str:
    """The inverse of `references_at`."""
    return json.dumps(
        {
            name: {"did": entry.did, "path": entry.path, "sha256": entry.sha256}
            for name, entry in sorted(references.items())
        }
    )


def header_text(header: fits.Header) -> str:
    """A header as text without padding."""
    text: str = header.tostring(sep="", endcard=False, padding=False)
    return text


def header_of(text: str) -> fits.Header:
    """The header a text of `header_text` stands for."""
    return fits.Header.fromstring(text, sep="")


def as_objects(values: Sequence[str]) -> NDArray[np.object_]:
    """Texts as an object array, so that no length is cut."""
    array = np.empty(len(values), dtype=object)
    array[:] = list(values)
    return array
