"""How a stack lies on disk: which pixels share a chunk, and which chunks one writer writes together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import StrEnum
from math import prod
from typing import Final

from pydantic import BaseModel, ConfigDict, PositiveInt

#: Bytes of one pixel of the image; flags and uncertainty follow its layout.
_PIXEL: Final = 4
#: Bytes of whole frames in one chunk and in one shard, unless a single frame is larger.
_FRAMES_CHUNK: Final = 16 * 2**20
_FRAMES_SHARD: Final = 64 * 2**20
#: Bytes of one chunk and one shard of a time series, and of the frames it is cut from, which lie on disk.
_SERIES_CHUNK: Final = 2**20
_SERIES_SHARD: Final = 128 * 2**20
_SERIES_SPAN: Final = 2**30
#: Frames along time in one shard, however small they are.
_MOST: Final = 1024


class Use(StrEnum):
    """What a stack is for: whole frames to be processed, or the course of single pixels in time."""

    FRAMES = "frames"
    SERIES = "series"


class Layout(BaseModel):
    """Chunks and shards of a stack.

    Attributes
    ----------
    use
        What it is good for.
    span
        Frames in one shard. One writer writes all shards of a span, and nobody else writes into them.
    chunk
        Frames in one chunk; `span` is a multiple of it.
    tile
        Pixels in one chunk along each dimension of a frame.
    along, band
        The dimension of a frame that shards cut, and their pixels along it; a multiple of its tile.
    """

    model_config = ConfigDict(frozen=True)

    use: Use
    span: PositiveInt
    chunk: PositiveInt
    tile: dict[str, PositiveInt]
    along: str
    band: PositiveInt

    def spans(self, count: int) -> Iterator[tuple[int, int]]:
        """First and last frame (exclusive) of every span of a stack of `count` frames."""
        for start in range(0, count, self.span):
            yield start, min(count, start + self.span)

    def chunks(self, dims: tuple[str, ...]) -> tuple[int, ...]:
        """Chunk of a variable with these dimensions of a frame, `time` not among them."""
        return (self.chunk, *(self.tile[name] for name in dims))

    def shards(self, sizes: Mapping[str, int]) -> tuple[int, ...]:
        """Shard of a variable with these dimensions of a frame: whole chunks, and whole frames or bands."""
        whole = {name: -(-size // self.tile[name]) * self.tile[name] for name, size in sizes.items()}
        return (self.span, *(self.band if name == self.along else size for name, size in whole.items()))


def layout_for(use: Use, sizes: Mapping[str, int]) -> Layout:
    """The layout of a stack of frames of one size.

    Parameters
    ----------
    use
        What the stack is for.
    sizes
        Pixels along each dimension of a frame, slowest first: ``{"y": 4096, "x": 4096}``.

    Returns
    -------
    Layout
        It depends on nothing else, so that a stack can grow without being laid out anew.
    """
    frame = _PIXEL * prod(sizes.values())
    along = max(sizes, key=lambda name: sizes[name])
    if use is Use.FRAMES:
        chunk = _between(1, _FRAMES_CHUNK // frame, _MOST)
        span = chunk * _between(1, _FRAMES_SHARD // (chunk * frame), _MOST // chunk)
        return Layout(use=use, span=span, chunk=chunk, tile=dict(sizes), along=along, band=sizes[along])
    span = _between(1, _SERIES_SPAN // frame, _MOST)
    tile = dict(sizes)
    while span * _PIXEL * prod(tile.values()) > _SERIES_CHUNK and max(tile.values()) > 1:
        longest = max(tile, key=lambda name: tile[name])
        tile[longest] = -(-tile[longest] // 2)
    row = span * _PIXEL * prod(sizes.values()) // sizes[along]
    tiles = _between(1, _SERIES_SHARD // (row * tile[along]), -(-sizes[along] // tile[along]))
    return Layout(use=use, span=span, chunk=span, tile=tile, along=along, band=tiles * tile[along])


def _between(least: int, wanted: int, most: int) -> int:
    return max(least, min(wanted, most))
