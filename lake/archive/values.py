"""Values of a stored image or cube: a plane, a window, a profile; no more is read than is asked for."""

from __future__ import annotations

import logging
import math
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any, Final, Literal

import numpy as np
from fastapi import APIRouter, Query, Request, Response
from numpy.typing import NDArray

from lake.archive.bricks import Bricks
from lake.archive.copies import copy_of
from lake.archive.gate import READING
from lake.archive.looks import Viewer, cache_control
from lake.archive.scenes import blank_is_missing
from lake.errors import BadInput, Reason
from lake.fits.section import Stored, stored
from lake.governance.policy import Action

_log = logging.getLogger(__name__)
router = APIRouter(tags=["pictures"])

MOST: Final = 1 << 22
"""Values in one answer."""
_BYTES: Final = "application/octet-stream"
_PART: Final = re.compile(r"(\d{0,12})(?:(:)(\d{0,12})(?::(\d{1,9}))?)?")
_PERCENTILES: Final = (0.5, 99.5)
_ANSWER: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "description": "The values, the last axis the fastest.",
        "content": {_BYTES: {}},
        "headers": {
            "Heliolake-Shape": {
                "description": "Of the values, without axes of which one place was asked for."
            },
            "Heliolake-Limits": {"description": "The lowest and the highest; for uint8 those of 1 and 255."},
        },
    }
}


@router.get(
    "/releases/{product}/files/{name}/values",
    summary="Values of a file",
    response_class=Response,
    responses=_ANSWER,
)
def values(
    request: Request,
    viewer: Viewer,
    product: str,
    name: str,
    at: Annotated[
        str,
        Query(
            description="For each axis, the slowest first: a place, or `from:to:every` as Python has it, "
            "separated by commas: `0,12,:,:` is a plane of a cube, `:,:,40,7` its profiles at a pixel.",
            pattern=r"^[0-9:,]{1,200}$",
        ),
    ],
    form: Annotated[
        Literal["float32", "uint8"],
        Query(description="Little-endian; uint8 has 0 for no value, else 1 to 255 between the limits."),
    ] = "float32",
    low: Annotated[float | None, Query(allow_inf_nan=False, description="Limit for uint8.")] = None,
    high: Annotated[float | None, Query(allow_inf_nan=False, description="Limit for uint8.")] = None,
) -> Response:
    """Scaled to their unit. Without limits uint8 takes those that leave out one value of a hundred."""
    release, file, given = viewer.file(product, name, Action.BYTES)
    ref = copy_of(viewer.lake, given, file)
    with whole_bytes(file.name):
        found = stored(ref, file.image_hdu)
        wanted, shape = _asked(at, found)
        with READING.passed():
            blank = blank_is_missing(viewer.lake, given, file)
            bricks: Bricks = request.app.state.bricks
            read = bricks.section(ref, found, wanted, blank_is_missing=blank).reshape(shape)
    low, high = _limits(read, form, low, high)
    headers = {
        "Heliolake-Shape": ",".join(map(str, shape)),
        "Heliolake-Limits": f"{low!r},{high!r}",
        **cache_control(release),
    }
    content = read.astype("<f4").tobytes() if form == "float32" else _eight_bits(read, low, high).tobytes()
    return Response(content, media_type=_BYTES, headers=headers)


@contextmanager
def whole_bytes(name: str) -> Iterator[None]:
    """Tell no more of a file that cannot be read than that it cannot; the log has the rest."""
    try:
        yield
    except BadInput as error:
        if error.code in (Reason.NOT_FOUND, Reason.BAD_KEYWORD, Reason.TOO_LARGE, Reason.NO_IMAGE):
            raise
        _log.exception("%s cannot be read: `heliolake fsck --deep` tells more", name)
        raise BadInput(
            "the bytes of this file cannot be given now",
            file=name,
            advice="tell the data centre: it restores them",
            code=Reason.MISSING_FILE,
        ) from error


def _asked(at: str, found: Stored) -> tuple[list[slice], tuple[int, ...]]:
    """What is asked for of each axis, and the shape of the answer."""
    parts = at.split(",")
    if len(parts) != len(found.shape):
        raise _wrong(at, f"the data have {len(found.shape)} axes: {', '.join(map(str, found.shape))}")
    wanted: list[slice] = []
    shape: list[int] = []
    for part, length in zip(parts, found.shape, strict=True):
        match = _PART.fullmatch(part)
        if match is None or not part:
            raise _wrong(at, "write a place, or from:to:every, for each axis")
        first, colon, last, every = match.groups()
        if not colon:
            if int(first) >= length:
                raise _wrong(at, f"there is no place {first} on an axis of {length}")
            wanted.append(slice(int(first), int(first) + 1))
            continue
        start, stop, step = int(first or 0), min(length, int(last or length)), int(every or 1)
        if step < 1 or start >= stop:
            raise _wrong(at, f"{part} is nothing of an axis of {length}")
        wanted.append(slice(start, stop, step))
        shape.append(len(range(start, stop, step)))
    if math.prod(shape) > MOST:
        raise BadInput(
            f"these are {math.prod(shape)} values; {MOST} are given at once",
            keyword="at",
            found=at,
            advice="ask for a part, or for every n-th: ::4",
            code=Reason.TOO_LARGE,
        )
    return wanted, tuple(shape)


def _wrong(at: str, advice: str) -> BadInput:
    return BadInput(
        "this is no part of the data", keyword="at", found=at, advice=advice, code=Reason.BAD_KEYWORD
    )


def _limits(read: NDArray[Any], form: str, low: float | None, high: float | None) -> tuple[float, float]:
    known = read[np.isfinite(read)]
    if not known.size:
        found = (0.0, 0.0)
    elif form == "float32":
        found = (float(known.min()), float(known.max()))
    else:
        lowest, highest = np.percentile(known, _PERCENTILES)
        found = (float(lowest), float(highest))
    return found[0] if low is None else low, found[1] if high is None else high


def _eight_bits(read: NDArray[Any], low: float, high: float) -> NDArray[np.uint8]:
    known = np.isfinite(read)
    span = (high - low) or 1.0
    with np.errstate(invalid="ignore", over="ignore"):
        parts = np.nan_to_num(np.clip((read.astype(np.float64) - low) / span, 0.0, 1.0))
    return np.where(known, np.rint(1.0 + 254.0 * parts), 0).astype(np.uint8)
