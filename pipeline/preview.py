"""Pictures of frames, as the instrument's description says: colours, stretch, and what is black and white."""

from __future__ import annotations

import io
import math
from collections.abc import Iterator, Mapping
from contextlib import suppress
from string import Formatter
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, NonNegativeInt, model_validator

from pipeline.choices import nearest, shortly
from pipeline.curve import curve
from pipeline.errors import Fatal
from pipeline.kernels.shrink import means
from pipeline.quality import NOT_MEASURED
from pipeline.scale import COLOURS, NOTHING, Scale, Stretch, scale_of

#: Pixels that the shorter side of a picture has at least: of a slit a few rows would be a line.
_THIN = 24
#: Planes that are looked at for one that holds anything.
_OTHERS = 64


class PreviewRule(BaseModel):
    """How pictures are made of frames.

    Attributes
    ----------
    levels
        Levels the rule is for; all when empty. The first rule that fits is taken.
    colours
        Colour map of matplotlib or sunpy; ``{channel}`` stands for a searchable value: ``sdoaia{channel}``.
    stretch
        linear, sqrt, log or asinh.
    percentiles
        Of the measured pixels: what is black, and what is white.
    symmetric
        Zero lies in the middle of the colours, as for differences and magnetic fields.
    plane
        Place along each axis before the last two, counted from 0; the middle of each when empty.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    levels: tuple[str, ...] = ()
    colours: str = "gray"
    stretch: Stretch = "linear"
    percentiles: tuple[float, float] = Field(default=(1.0, 99.5))
    symmetric: bool = False
    plane: tuple[NonNegativeInt, ...] = ()

    @model_validator(mode="after")
    def _in_order(self) -> PreviewRule:
        low, high = self.percentiles
        if not 0 <= low < high <= 100:
            raise ValueError("percentiles are two numbers from 0 to 100, the lower one first")
        return self

    @property
    def values(self) -> tuple[str, ...]:
        """The searchable values its colours depend on."""
        return tuple(field for _, field, _, _ in Formatter().parse(self.colours) if field)

    def scale(self, values: NDArray[np.float32], meta: Mapping[str, Any]) -> Scale:
        """The colours of values.

        Raises
        ------
        pipeline.errors.Fatal
            When there is no such colour map, or nothing to draw with is installed.
        """
        steps = _colours_of(self, meta)(np.linspace(0.0, 1.0, COLOURS), bytes=True)[:, :3]
        return scale_of(values, steps, self.stretch, self.percentiles, symmetric=self.symmetric)

    def places(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Which plane of data of a shape is shown: a place along each axis before the last two."""
        lengths = shape[:-2]
        wanted = self.plane[max(0, len(self.plane) - len(lengths)) :]
        middles = (length // 2 for length in lengths[len(wanted) :])
        return tuple(
            min(place, length - 1) for place, length in zip((*wanted, *middles), lengths, strict=True)
        )

    def planes(self, shape: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
        """The plane that is shown, and others to look at where it holds nothing: some of very many."""
        yield self.places(shape)
        before = shape[:-2]
        number = math.prod(before)
        for index in range(0, number, max(1, number // _OTHERS)) if number > 1 else ():
            yield tuple(int(place) for place in np.unravel_index(index, before))


def rule_for(rules: tuple[PreviewRule, ...], level: str) -> PreviewRule:
    """The first rule for a level; a plain one where there is none."""
    return next((rule for rule in rules if not rule.levels or level in rule.levels), PreviewRule())


def render(
    image: NDArray[np.float32],
    quality: NDArray[np.uint16] | None,
    rule: PreviewRule,
    meta: Mapping[str, Any] | None = None,
    *,
    size: int = 512,
) -> bytes:
    """A PNG of an image, north (the last row) above; pixels without a value are grey-blue.

    Parameters
    ----------
    image
        Shape (..., y, x); of more than two axes the plane that the rule names. Of one axis: its curve.
    quality
        Its flags, over the same or its last axes; what was not measured decides on no colour.
    rule
        How.
    meta
        Searchable values, for the name of the colour map.
    size
        Pixels along the longer side of the picture, at most.

    Raises
    ------
    pipeline.errors.Fatal
        When there is no such colour map, or nothing to draw with is installed.
    """
    require_colours()
    if np.ndim(image) == 1:
        return as_png(curve(image, size, NOTHING))
    places = rule.places(np.shape(image))
    plane = smaller(plane_at(image, places), None if quality is None else plane_at(quality, places), size)
    scale = rule.scale(plane, meta or {})
    return as_png(scale.colours[scale.numbers(plane)[::-1]])


def plane_at(values: NDArray[Any], places: tuple[int, ...]) -> NDArray[Any]:
    """One plane; flags that are kept for the last axes alone have fewer axes before it."""
    before = max(0, np.ndim(values) - 2)
    found: NDArray[Any] = np.atleast_2d(values[places[len(places) - before :]] if before else values)
    return found


def smaller(plane: NDArray[np.float32], flags: NDArray[np.uint16] | None, size: int) -> NDArray[np.float32]:
    """A plane of `size` pixels at most along either side; NaN where nothing was measured.

    Parameters
    ----------
    plane, flags
        Values, and why some of them are no measurement.
    size
        Pixels of the longer side; the shorter one is in proportion unless it would be a line.
    """
    rows, columns = factors(plane.shape, size)
    return means(plane, flags, int(NOT_MEASURED), rows, columns)


def factors(shape: tuple[int, ...], size: int) -> tuple[int, int]:
    """How many rows and columns of an image fall into one pixel of a picture of it."""
    factor = -(-max(shape) // size)
    rows, columns = (min(factor, max(1, length // _THIN)) for length in shape)
    return rows, columns


def as_png(picture: NDArray[np.uint8]) -> bytes:
    """A PNG of red, green and blue; the first row is the upper one."""
    from PIL import Image

    stream = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(picture)).save(stream, "PNG")
    return stream.getvalue()


def require_colours() -> None:
    """See that there is something to draw with.

    Raises
    ------
    pipeline.errors.Fatal
        When there is not.
    """
    try:
        import matplotlib as mpl  # noqa: F401 - of the extra `embedded`
        import PIL  # noqa: F401 - of the extra `embedded`
    except ImportError as error:
        raise Fatal(
            f"pictures need matplotlib and Pillow; {error.name} is not installed: "
            "pip install 'heliolake[embedded]'"
        ) from error


def colour_map(name: str) -> Any:
    """A colour map of matplotlib or sunpy.

    Raises
    ------
    pipeline.errors.Fatal
        When there is none of this name.
    """
    require_colours()
    import matplotlib as mpl

    if name not in mpl.colormaps:
        with suppress(ImportError):  # where it is not installed those of matplotlib are all there are
            from sunpy.visualization import colormaps  # noqa: F401 - registers those of solar instruments
    if name not in mpl.colormaps:
        near = nearest(name, mpl.colormaps)
        hint = f"did you mean {near}?" if near else "matplotlib and sunpy list theirs in their documentation"
        raise Fatal(f"there is no colour map {shortly(name)}; {hint}")
    return mpl.colormaps[name]


def _colours_of(rule: PreviewRule, meta: Mapping[str, Any]) -> Any:
    """Those of the rule; grey for a frame that lacks the value they depend on, or has one of its own."""
    try:
        return colour_map(rule.colours.format(**meta))
    except (KeyError, ValueError, IndexError):
        return colour_map("gray")
    except Fatal:
        if not rule.values:
            raise
        return colour_map("gray")
