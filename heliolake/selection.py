"""The frames of several releases as one stack: which they are, and why they may not go together."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple, Protocol

from cluster.run.trial import datetimes
from cluster.stack.order import Order
from lake.entries import FileEntry
from lake.errors import BadInput, Reason
from pipeline.cube.layout import Use, layout_for
from pipeline.cube.writer import PIXELS, frame_sizes
from pipeline.stack import as_objects

if TYPE_CHECKING:
    import numpy as np
    import xarray as xr
    from numpy.typing import NDArray

Shape = tuple[int, ...]
_NAMED = 6
"""Values that are named in a refusal."""


class Release(Protocol):
    """A release whose files may be read."""

    @property
    def name(self) -> str:
        """``PRODUCT@vNNNN``."""
        ...

    @property
    def entries(self) -> tuple[FileEntry, ...]:
        """Its files, for somebody who may read them."""
        ...

    def frames(
        self, entries: Sequence[FileEntry], *, frames_per_block: int = 1, uncertainty: bool = False
    ) -> xr.Dataset:
        """Files of any release as a lazy stack."""
        ...

    def coordinates(self, entries: Sequence[FileEntry]) -> dict[str, xr.Variable]:
        """World coordinates that all of these files share."""
        ...


class Chosen(NamedTuple):
    """A frame, and the release it belongs to."""

    file: FileEntry
    release: str


@dataclass(frozen=True)
class Selection:
    """Frames that go together, in time order.

    Attributes
    ----------
    frames
        Each once, however many releases hold it.
    reader
        Opens them.
    world
        Finds the world coordinates along single axes that they share.
    """

    frames: tuple[Chosen, ...]
    reader: Callable[[Sequence[FileEntry]], xr.Dataset]
    world: Callable[[Sequence[FileEntry]], Mapping[str, xr.Variable]]

    @property
    def times(self) -> NDArray[np.datetime64]:
        """When each begins, UTC."""
        return datetimes(one.file.date_beg for one in self.frames)

    def open(self, start: int = 0, stop: int | None = None) -> xr.Dataset:
        """Some of them as a lazy stack, with the texts `release` and `sha256`."""
        chosen = self.frames[start:stop]
        return self.reader([one.file for one in chosen]).assign(
            release=("time", as_objects([one.release for one in chosen])),
            sha256=("time", as_objects([one.file.sha256 for one in chosen])),
        )

    def stack(self) -> xr.Dataset:
        """All of them as a lazy stack with their times."""
        world = self.world([one.file for one in self.frames])
        return self.open().assign_coords(time=("time", self.times), **world).assign_attrs(self._attributes())

    def order(self, use: Use) -> Order:
        """What a store of them is to hold."""
        first = self.open(0, 1)
        return Order(
            frames=self.open,
            sha256=[one.file.sha256 for one in self.frames],
            times=self.times,
            layout=layout_for(use, frame_sizes(first)),
            pixels=tuple(name for name in PIXELS if name in first),
            attributes=self._attributes(),
        )

    def _attributes(self) -> dict[str, str]:
        first = self.frames[0].file
        return {
            "title": f"{first.scope} level {first.level}",
            "instrument": first.scope,
            "level": first.level,
            "source": "Heliolake: every frame names its file and its release",
        }


def select(
    found: Iterable[Release],
    *,
    shape: Shape | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    frames_per_block: int = 1,
    uncertainty: bool = False,
) -> Selection:
    """The frames of releases that may be read, as one selection.

    Parameters
    ----------
    found
        The releases.
    shape
        (ny, nx) of the frames wanted; needed only where they have several.
    since, until
        Only frames in [since, until).
    frames_per_block
        Frames in one Dask chunk.
    uncertainty
        With the uncertainty of every pixel.

    Raises
    ------
    lake.errors.BadInput
        When there is no frame, a release may not be read, or frames are of several instruments, levels or
        shapes and it was not said which are meant.
    """
    releases = list(found)
    by_file: dict[str, Chosen] = {}
    for one in releases:
        for file in one.entries:
            if _within(file, since, until):
                by_file.setdefault(file.sha256, Chosen(file, one.name))
    frames = list(by_file.values())
    if not frames:
        raise BadInput(
            "no frame matches",
            found=f"{len(releases)} releases",
            advice="widen the query; `heliolake search` shows what there is",
            code=Reason.NOT_FOUND,
        )
    _require_one("instrument", {one.file.scope for one in frames}, "name one with --instrument")
    _require_one("level", {one.file.level for one in frames}, "name one with --level")
    chosen = [one for one in frames if shape is None or _has(one.file, shape)]
    shapes = {_plain(one.file.shape) for one in (chosen or frames)}
    if not chosen:
        raise BadInput(
            "no frame has this shape", keyword="shape", found=str(shape), advice=_there_are(shapes)
        )
    _require_one("layout", {", ".join(one.file.dims) or "y, x" for one in chosen}, "name one by --shape")
    _require_one("shape", {" x ".join(map(str, one)) for one in shapes}, "name one with --shape NYxNX")
    chosen.sort(key=lambda one: (one.file.date_beg or datetime.max.replace(tzinfo=UTC), one.file.name))

    def read(entries: Sequence[FileEntry]) -> xr.Dataset:
        return releases[0].frames(entries, frames_per_block=frames_per_block, uncertainty=uncertainty)

    return Selection(tuple(chosen), read, releases[0].coordinates)


def _within(file: FileEntry, since: datetime | None, until: datetime | None) -> bool:
    if file.date_beg is None:
        return since is None and until is None
    end = file.date_end or file.date_beg
    return (since is None or end >= since) and (until is None or file.date_beg < until)


def _require_one(what: str, found: set[str], advice: str) -> None:
    if len(found) > 1:
        named = sorted(found)
        more = f" and {len(named) - _NAMED} more" if len(named) > _NAMED else ""
        raise BadInput(
            f"frames of several {what}s do not make one stack",
            keyword=what,
            found=f"{', '.join(named[:_NAMED])}{more}",
            advice=f"{advice}, and make one stack of each",
            code=Reason.AMBIGUOUS,
        )


def _plain(shape: Shape) -> Shape:
    """A shape without axes of one place in front, which files may have or not."""
    while len(shape) > 2 and shape[0] == 1:
        shape = shape[1:]
    return tuple(shape)


def _has(file: FileEntry, wanted: Shape) -> bool:
    """Whether a frame has a shape; in files of images axes of one place may stand before it."""
    shape = file.shape if file.dims else file.shape[-len(wanted) :]
    return tuple(shape) == tuple(wanted)


def _there_are(shapes: Iterable[Shape]) -> str:
    return f"there are {', '.join(' x '.join(map(str, one)) for one in sorted(shapes))}"
