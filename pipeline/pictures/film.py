"""A film of pictures that were drawn one by one: in common colours, with times, and gaps that are seen."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pipeline.preview import require_colours
from pipeline.scale import Scale

#: Milliseconds that an image is shown, and a gap at most.
_STEP: Final = 90
_LONGEST: Final = 900
#: Rows below the image for its time.
_STRIP: Final = 18
_WHITE: Final = (235, 238, 245)
_QUALITY: Final = 70


@dataclass(frozen=True)
class Still:
    """One image of a film.

    Attributes
    ----------
    numbers
        Of the colours of its own scale, the upper row first; None for a gap.
    scale
        Its own; None for a gap.
    caption
        What stands below it.
    missing
        Images that a gap stands for.
    """

    numbers: NDArray[np.uint8] | None
    scale: Scale | None
    caption: str
    missing: int = 0


def stills_of(png: bytes) -> NDArray[np.uint8]:
    """The numbers in a picture that `pipeline.pictures.drawing` made.

    Raises
    ------
    ValueError
        When it is none.
    """
    from PIL import Image

    picture = Image.open(io.BytesIO(png))
    if picture.mode != "P":
        raise ValueError("not a picture of numbers")
    return np.asarray(picture)


def common(scales: Sequence[Scale]) -> Scale:
    """The scale in the middle of several, in the colours of the first."""
    edges = np.median(np.stack([one.edges for one in scales]), axis=0)
    return Scale(np.maximum.accumulate(edges), scales[0].colours)


def film(stills: Iterator[Still], scale: Scale, shape: tuple[int, int]) -> bytes:
    """An animated WebP.

    Parameters
    ----------
    stills
        In their order; an image of another shape is shown as a gap.
    scale
        Of all.
    shape
        Rows and columns of the images.

    Raises
    ------
    pipeline.errors.Fatal
        When there is nothing to draw with.
    """
    require_colours()
    # The lowest two colours become one: the place of the first is for letters.
    palette = scale.colours.copy()
    palette[1] = _WHITE
    frames, durations = [], []
    for still in stills:
        frames.append(_frame(still, scale, palette, shape))
        durations.append(min(_LONGEST, _STEP * max(1, still.missing)))
    stream = io.BytesIO()
    first, *others = frames
    options: Mapping[str, Any] = {"quality": _QUALITY, "method": 0, "loop": 0, "minimize_size": False}
    first.save(stream, "WEBP", save_all=True, append_images=others, duration=durations, **options)
    return stream.getvalue()


def _frame(still: Still, scale: Scale, palette: NDArray[np.uint8], shape: tuple[int, int]) -> Any:
    from PIL import Image, ImageDraw

    shown = np.zeros((shape[0] + _STRIP, shape[1]), np.uint8)
    caption = still.caption
    if still.numbers is not None and still.scale is not None and still.numbers.shape == shape:
        lookup = scale.numbers(still.scale.values().astype(np.float32))
        lookup[lookup == 1] = 2
        shown[: shape[0]] = lookup[still.numbers]
    elif still.numbers is not None:
        caption = f"{caption}  other shape"
    picture = Image.fromarray(shown)
    picture.putpalette(palette.tobytes())
    ImageDraw.Draw(picture).text((4, shape[0] + 2), caption, fill=1)
    return picture
