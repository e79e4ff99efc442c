"""Pictures of frames, as the instrument's description says: colours, stretch, and what is black and white."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from string import Formatter
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, NonNegativeInt, model_validator

from pipeline.choices import nearest, shortly
from pipeline.curve import curve
from pipeline.errors import Fatal
from pipeline.quality import NOT_MEASURED

Stretch = Literal["linear", "sqrt", "log", "asinh"]

#: Grey of pixels without a value, red, green and blue.
_NOTHING: Final = (58, 64, 80)
#: What a stretch does to numbers from 0 to 1; log and asinh show a range of about a thousand.
_STRETCHES: Final[Mapping[str, Callable[[NDArray[Any]], NDArray[Any]]]] = {
    "linear": lambda values: values,
    "sqrt": np.sqrt,
    "log": lambda values: np.log1p(1000.0 * values) / np.log1p(1000.0),
    "asinh": lambda values: np.arcsinh(30.0 * values) / np.arcsinh(30.0),
}


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
    _require_colours()
    from matplotlib.image import imsave

    if np.ndim(image) == 1:
        stream = io.BytesIO()
        imsave(stream, curve(image, size, _NOTHING), format="png")
        return stream.getvalue()
    plane = _plane(np.asarray(image), rule.plane)
    measured = np.isfinite(plane)
    if quality is not None:
        measured &= (_plane(np.asarray(quality), rule.plane) & np.uint16(NOT_MEASURED)) == 0
    plane, measured = _smaller(np.where(measured, plane, np.nan), size)
    scaled = _scaled(plane, measured, rule)
    picture = _colours_of(rule, meta or {})(scaled, bytes=True)[..., :3]
    picture[~measured] = _NOTHING
    stream = io.BytesIO()
    imsave(stream, np.ascontiguousarray(picture), format="png", origin="lower")
    return stream.getvalue()


def _plane(values: NDArray[Any], places: tuple[int, ...]) -> NDArray[Any]:
    """One plane; flags that are kept for the last axes alone have fewer axes before it."""
    before = values.ndim - 2
    wanted = places[max(0, len(places) - before) :] if before > 0 else ()
    while values.ndim > 2:
        place, wanted = (wanted[0], wanted[1:]) if wanted else (len(values) // 2, ())
        values = values[min(place, len(values) - 1)]
    return np.atleast_2d(values)


def _smaller(plane: NDArray[Any], size: int) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """Means of squares of pixels that have a value, so that nothing small vanishes between them."""
    factor = -(-max(plane.shape) // size)
    if factor > 1:
        ny, nx = (-(-length // factor) * factor for length in plane.shape)
        padded = np.full((ny, nx), np.nan)
        padded[: plane.shape[0], : plane.shape[1]] = plane
        squares = padded.reshape(ny // factor, factor, nx // factor, factor)
        number = np.isfinite(squares).sum((1, 3))
        plane = np.where(number > 0, np.nansum(squares, axis=(1, 3)) / np.maximum(number, 1), np.nan)
    return plane, np.isfinite(plane)


def _scaled(plane: NDArray[Any], measured: NDArray[np.bool_], rule: PreviewRule) -> NDArray[Any]:
    """Numbers from 0 to 1; 0 where nothing was measured."""
    if not measured.any():
        return np.zeros(plane.shape)
    filled = np.where(measured, plane, 0.0).astype(np.float64)
    if rule.symmetric:
        most = float(np.percentile(np.abs(filled[measured]), rule.percentiles[1])) or 1.0
        part = np.clip(filled / most, -1.0, 1.0)
        return np.asarray(0.5 + 0.5 * np.sign(part) * _STRETCHES[rule.stretch](np.abs(part)))
    low, high = np.percentile(filled[measured], rule.percentiles)
    part = np.clip((filled - low) / ((high - low) or 1.0), 0.0, 1.0)
    return _STRETCHES[rule.stretch](part)


def _require_colours() -> None:
    try:
        import matplotlib as mpl  # noqa: F401 - of the extra `embedded`
    except ImportError as error:
        raise Fatal(
            "pictures need matplotlib, which is not installed: pip install 'heliolake[embedded]'"
        ) from error


def colour_map(name: str) -> Any:
    """A colour map of matplotlib or sunpy.

    Raises
    ------
    pipeline.errors.Fatal
        When there is none of this name.
    """
    _require_colours()
    import matplotlib as mpl

    if name not in mpl.colormaps:
        from sunpy.visualization import colormaps  # noqa: F401 - registers the colours of solar instruments
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
