"""The pictures of one frame in three sizes, that of its flags, and what has to be known to draw more."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

from pipeline.curve import curve
from pipeline.dims import IMAGE, Dims, Layout
from pipeline.pictures.flags import flag_numbers, legend, palette
from pipeline.preview import PreviewRule, plane_at, require_colours, smaller
from pipeline.scale import NOTHING, Scale, palette_text
from pipeline.world import world

#: Pixels along the longer side.
SIZES: Final[Mapping[str, int]] = {"small": 192, "medium": 512, "large": 1024}
#: Raised when the same frame gives other pictures.
VERSION: Final = 1
#: Places along an axis whose values are told one by one.
_MOST_VALUES: Final = 20_000
_QUALITY: Final = 82
#: How much longer than broad a picture is at most.
_SLIT: Final = 12


@dataclass(frozen=True)
class Drawn:
    """What was drawn of a frame.

    Attributes
    ----------
    pictures
        The bytes of files by name: ``small.png``, ``medium.png``, ``large.webp``, ``quality.png``.
    scene
        Plain data: how it was drawn, in numbers by which any part of it is drawn alike.
    """

    pictures: Mapping[str, bytes]
    scene: Mapping[str, Any]


def rule_digest(rule: PreviewRule, meta: Mapping[str, Any]) -> str:
    """What the pictures of a frame depend on besides its data."""
    asked = {name: str(meta.get(name)) for name in rule.values}
    told = json.dumps([VERSION, rule.model_dump(mode="json"), asked], sort_keys=True)
    return hashlib.sha256(told.encode()).hexdigest()[:16]


def draw(
    image: NDArray[np.float32],
    quality: NDArray[np.uint16] | None,
    rule: PreviewRule,
    meta: Mapping[str, Any],
) -> Drawn:
    """Pictures of a frame.

    Parameters
    ----------
    image
        Values along one axis, or (..., y, x): of more than two axes one plane is shown.
    quality
        Its flags, over the same or its last axes.
    rule, meta
        How, and searchable values for the name of the colour map.

    Raises
    ------
    pipeline.errors.Fatal
        When there is no such colour map, or nothing to draw with is installed.
    """
    if np.ndim(image) > 1:
        places = next(
            (one for one in rule.planes(np.shape(image)) if np.isfinite(plane_at(image, one)).any()),
            rule.places(np.shape(image)),
        )
        flags = None if quality is None else plane_at(quality, places)
        return draw_plane(plane_at(image, places), flags, rule, meta, places)
    require_colours()
    pictures = {
        f"{name}.png": _saved(curve(np.asarray(image), size, NOTHING), "PNG") for name, size in SIZES.items()
    }
    return Drawn(pictures, _scene(rule, meta, ()))


def draw_plane(
    plane: NDArray[np.float32],
    flags: NDArray[np.uint16] | None,
    rule: PreviewRule,
    meta: Mapping[str, Any],
    places: Sequence[int] = (),
) -> Drawn:
    """The same of one plane, which stands at these places along the axes before its own; raises as `draw`."""
    require_colours()
    shown = smaller(plane, flags, SIZES["large"])
    scale = rule.scale(shown, meta)
    pictures = dict(_in_sizes(shown, scale))
    scene = _scene(rule, meta, places) | {
        "edges": [float(f"{edge:.9g}") for edge in scale.edges],
        "colours": palette_text(scale.colours),
    }
    if flags is not None:
        numbers = flag_numbers(flags, SIZES["medium"])
        pictures["quality.png"] = _numbered(numbers, palette(), transparency=0)
        scene["flags"] = legend(flags)
    return Drawn(pictures, scene)


def axes_told(header: fits.Header, dims: Dims, shape: Sequence[int]) -> list[dict[str, Any]]:
    """The axes of a frame: name, length, and the value at each place where it depends on no other axis."""
    known = world(Layout(dims, tuple(shape)), [header]) if dims != IMAGE else {}
    return [
        {"name": name, "length": int(length)}
        | (
            {"unit": str(found.attrs.get("units", "")), "values": found.values.tolist()}
            if (found := known.get(name)) is not None and length <= _MOST_VALUES
            else {}
        )
        for name, length in zip(dims, shape, strict=True)
    ]


def _scene(rule: PreviewRule, meta: Mapping[str, Any], places: Sequence[int]) -> dict[str, Any]:
    return {"drawn_by": rule_digest(rule, meta), "plane": list(places)}


def _in_sizes(shown: NDArray[np.float32], scale: Scale) -> Iterator[tuple[str, bytes]]:
    """Small ones keep their values, to the colour: films are made of them. The large one is for eyes."""
    for name, size in SIZES.items():
        numbers = _no_line(scale.numbers(shown if name == "large" else smaller(shown, None, size)))
        if name == "large":
            yield "large.webp", _saved(scale.colours[numbers[::-1]], "WEBP", quality=_QUALITY, method=1)
        else:
            yield f"{name}.png", _numbered(numbers, scale.colours)


def _no_line(numbers: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A picture of one slit broad enough to be seen; any other as it is."""
    for axis in (0, 1):
        short, long = numbers.shape[axis], numbers.shape[1 - axis]
        if short * _SLIT < long:
            numbers = np.repeat(numbers, -(-long // (short * _SLIT)), axis=axis)
    return numbers


def _numbered(numbers: NDArray[np.uint8], colours: NDArray[np.uint8], **options: Any) -> bytes:
    """A PNG of numbers of colours, north above."""
    from PIL import Image

    made = Image.fromarray(np.ascontiguousarray(numbers[::-1]))
    made.putpalette(colours.tobytes())
    return _bytes_of(made, "PNG", **options)


def _saved(picture: NDArray[np.uint8], kind: str, **options: Any) -> bytes:
    """A picture in red, green and blue."""
    from PIL import Image

    return _bytes_of(Image.fromarray(np.ascontiguousarray(picture)), kind, **options)


def _bytes_of(image: Any, kind: str, **options: Any) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()
