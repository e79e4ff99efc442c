"""Pictures put beside the file they show: by the worker that made it, or from the file as it lies."""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

from lake.errors import BadInput, Reason
from lake.fits.check import QUALITY_EXTNAME
from lake.fits.section import extension, section, stored
from lake.storage import previews
from lake.storage.opening import open_store
from lake.storage.previews import preview_key
from lake.storage.store import Ref
from pipeline.coordinates import reordered
from pipeline.dims import IMAGE, Dims
from pipeline.frame import Frame
from pipeline.instrument import Instrument
from pipeline.pictures.drawing import Drawn, axes_told, draw, draw_plane, rule_digest
from pipeline.pictures.sky import sky_told
from pipeline.preview import PreviewRule, rule_for
from pipeline.registry import instruments

_log = logging.getLogger(__name__)
#: Values of a plane beyond which it is not drawn: two gigabytes.
_LARGEST: Final = 1 << 29


@dataclass(frozen=True)
class Shown:
    """A file of which there are to be pictures: all that a worker has to know of it.

    Attributes
    ----------
    ref
        Where it lies; its pictures come into the same store.
    scope, name
        Its DID.
    level, hdu, dims, meta
        As it was registered.
    """

    ref: Ref
    scope: str
    name: str
    level: str
    hdu: int = 0
    dims: Dims = ()
    meta: dict[str, Any] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """Key of its pictures."""
        return preview_key(self.scope, self.name)

    @property
    def rule(self) -> PreviewRule:
        """How it is drawn."""
        return _rule(instruments().get(self.scope), self.level)


def keep_pictures(shown: Shown, frame: Frame, header: fits.Header) -> None:
    """Draw a frame that was just written, and keep the pictures.

    Parameters
    ----------
    shown
        The file; its ``ref`` has the sha256 of its bytes.
    frame, header
        What is in it.
    """
    drawn = draw(frame.data, frame.quality, shown.rule, shown.meta)
    _keep(shown, drawn, header, frame.dims, frame.data.shape)


def try_keeping(shown: Shown, frame: Frame, header: fits.Header) -> None:
    """The same, for a worker in a run: a product is there and good, whatever becomes of its pictures."""
    try:
        keep_pictures(shown, frame, header)
    except Exception as error:  # `heliolake preview` says it again, to a person
        _log.warning("no pictures of %s: %s: %s", shown.name, type(error).__name__, error)


def draw_stored(shown: Shown) -> None:
    """Draw a file as it lies in its store, of which no more is read than is shown, and keep the pictures.

    Raises
    ------
    lake.errors.BadInput
        When it holds nothing to be drawn.
    pipeline.errors.Fatal
        When there is nothing to draw with.
    lake.errors.Retriable, lake.errors.Fatal
        When the storage fails.
    """
    found = stored(shown.ref, shown.hdu)
    entry = instruments().get(shown.scope)
    dims = shown.dims or IMAGE
    laid = (
        entry.stored_dims(shown.level, dims) if entry is not None and "UNIT_ID" not in found.header else dims
    )
    if len(laid) > len(found.shape) or (set(laid) > set(dims) and len(laid) != len(found.shape)):
        laid = dims
    lengths = (*(1,) * max(0, len(laid) - len(found.shape)), *found.shape[-len(laid) :])
    shape = tuple(length for name, length in zip(laid, lengths, strict=True) if name in dims)
    blank = entry.blank_is_missing if entry is not None else True
    if not shape or math.prod(shape[-2:]) > _LARGEST or min(shape) < 1:
        raise BadInput(
            "there is no image that could be drawn",
            file=shown.name,
            found=" x ".join(map(str, found.shape)) or "no image",
            code=Reason.NO_IMAGE,
        )
    ahead = [slice(0, 1)] * (len(found.shape) - len(laid))
    for places in (*shown.rule.planes(shape), shown.rule.places(shape)):  # the last: none holds anything
        wanted = [*ahead, *_wanted(laid, dims, shape, places)]
        plane = section(shown.ref, found, wanted, blank_is_missing=blank).reshape(shape[-2:])
        if np.isfinite(plane).any():
            break
    header = found.header
    if laid != dims:
        header = reordered(header, laid, (*(name for name in laid if name not in dims), *dims))
    if len(shape) == 1:
        drawn = draw(plane, None, shown.rule, shown.meta)
    else:
        drawn = draw_plane(plane, _flags(shown.ref, shape, places), shown.rule, shown.meta, places)
    _keep(shown, drawn, header, dims, shape)


def stands(shown: Shown, told: dict[str, Any] | None) -> bool:
    """Whether what is told beside pictures says that they are of the file, as they would be drawn now."""
    if told is None:
        return False
    return bool(
        told.get("made_of") == shown.ref.sha256
        and told.get("drawn_by") == rule_digest(shown.rule, shown.meta)
    )


def _rule(entry: Instrument | None, level: str) -> PreviewRule:
    return rule_for(entry.preview if entry is not None else (), level)


def _wanted(laid: Dims, dims: Dims, shape: Sequence[int], places: Sequence[int]) -> list[slice]:
    """The plane at some places, along the axes of the file; with those of one place that frames lack."""
    along = [slice(place, place + 1) for place in places] + [
        slice(0, length) for length in shape[len(places) :]
    ]
    of = dict(zip(dims, along, strict=True))
    return [of.get(name, slice(0, 1)) for name in laid]


def _flags(ref: Ref, shape: Sequence[int], places: Sequence[int]) -> NDArray[np.uint16] | None:
    """The flags of the plane, where the file has any for it."""
    found = extension(ref, QUALITY_EXTNAME)
    if (
        found is None
        or found.shape != tuple(shape[len(shape) - len(found.shape) :])
        or len(found.shape) < len(IMAGE)
    ):
        return None
    before = len(found.shape) - len(IMAGE)
    wanted = [slice(place, place + 1) for place in places[len(places) - before :]] if before else []
    wanted += [slice(0, length) for length in shape[-2:]]
    values = section(ref, found, wanted, blank_is_missing=False)
    return values.reshape(tuple(shape[-2:])).astype(np.uint16)


def _keep(shown: Shown, drawn: Drawn, header: fits.Header, dims: Dims, shape: Sequence[int]) -> None:
    entry = instruments().get(shown.scope)
    scene = {
        **drawn.scene,
        "made_of": shown.ref.sha256,
        "hdu": shown.hdu,
        "blank_is_missing": entry.blank_is_missing if entry is not None else True,
        "unit": str(header.get("BUNIT", "")),
        "axes": axes_told(header, dims, shape),
        "sky": sky_told(header) if len(shape) > 1 else None,
    }
    previews.keep(open_store(shown.ref.store), shown.key, drawn.pictures, scene)
