"""Pictures of files and releases, tiles of them, and films: for those who may have what they show."""

from __future__ import annotations

import hashlib
from http import HTTPStatus
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import BaseModel

from lake.archive.copies import copy_of
from lake.archive.looks import Viewer, cache_control
from lake.archive.png import TYPE
from lake.archive.scenes import Axis, Flag, Sky, film_of, no_picture, pictured
from lake.archive.tiles import SIZE, TileCache, levels, tile
from lake.archive.values import whole_bytes
from lake.catalogue.models import Release
from lake.governance.policy import Action

router = APIRouter(tags=["pictures"])

_TYPES: Final = {"png": TYPE, "webp": "image/webp"}
_FILE: Final = "/releases/{product}/files/{name}"
_PLACE: Final = 1 << 24


def _pictures(*kinds: str) -> dict[int | str, dict[str, Any]]:
    return {
        200: {"description": "A picture.", "content": {kind: {} for kind in kinds}},
        304: {"description": "It is what `If-None-Match` names."},
    }


class Tiles(BaseModel):
    """Squares of `size` pixels; of the `levels` the last one has every pixel of the image."""

    size: int
    levels: int


class SceneDocument(BaseModel):
    """How the pictures of a file were drawn, and what its axes mean.

    `edges` are the values between the colours 1 to 255 of `colours` (red, green and blue of 256 in base64;
    the first is that of what has no value); `plane` tells which one is shown, where there are several.
    """

    hdu: int
    plane: list[int]
    unit: str
    edges: list[float]
    colours: str
    flags: list[Flag]
    axes: list[Axis]
    sky: Sky | None
    tiles: Tiles | None


@router.get(
    f"{_FILE}/preview",
    summary="A picture of a file",
    response_class=Response,
    responses=_pictures(*_TYPES.values()),
)
def preview(
    request: Request,
    viewer: Viewer,
    product: str,
    name: str,
    size: Annotated[
        Literal["small", "medium", "large"], Query(description="192, 512 or 1024 pixels at most.")
    ] = "medium",
) -> Response:
    """In the instrument's colours, north above; what has no value is grey-blue."""
    release, file, given = viewer.file(product, name, Action.PREVIEW)
    found = pictured(viewer.lake, given, file).piece(f"{size}.webp", f"{size}.png")
    if found is None:
        raise no_picture(name)
    return _shown(request, release, found[1], _TYPES[found[0].rpartition(".")[2]])


@router.get(
    f"{_FILE}/quality",
    summary="A picture of a file's flags",
    response_class=Response,
    responses=_pictures(TYPE),
)
def quality(request: Request, viewer: Viewer, product: str, name: str) -> Response:
    """Each flag in its colour, which the scene tells; clear where there is none, to lie over the preview."""
    release, file, given = viewer.file(product, name, Action.PREVIEW)
    found = pictured(viewer.lake, given, file).piece("quality.png")
    if found is None:
        raise no_picture(name)
    return _shown(request, release, found[1], TYPE)


@router.get(f"{_FILE}/scene", summary="How the pictures were drawn", response_model=SceneDocument)
def scene(response: Response, viewer: Viewer, product: str, name: str) -> dict[str, Any]:
    """Colours, flags, axes and where they lie on the sky: what a page needs to tell about what it shows."""
    release, file, given = viewer.file(product, name, Action.PREVIEW)
    told = pictured(viewer.lake, given, file).scene
    response.headers.update(cache_control(release))
    lengths = tuple(axis.length for axis in told.axes)
    tiles = {"size": SIZE, "levels": levels(lengths)} if told.draws and len(lengths) > 1 else None
    return told.model_dump() | {"tiles": tiles}


@router.get(
    f"{_FILE}/tiles/{{zoom}}/{{column}}/{{row}}",
    summary="A square of an image",
    response_class=Response,
    responses=_pictures(TYPE),
)
def square(
    request: Request,
    viewer: Viewer,
    product: str,
    name: str,
    zoom: Annotated[
        int,
        Path(ge=0, le=24, description="0: the whole image is one square; each next has twice the pixels."),
    ],
    column: Annotated[int, Path(ge=0, le=_PLACE)],
    row: Annotated[int, Path(ge=0, le=_PLACE, description="From the top.")],
    layer: Annotated[Literal["image", "quality"], Query(description="Of what.")] = "image",
) -> Response:
    """256 x 256 pixels, fewer at the edges, drawn from the file; the scene says how many levels there are."""
    release, file, given = viewer.file(product, name, Action.PREVIEW)
    told = pictured(viewer.lake, given, file).scene
    kept: TileCache = request.app.state.tiles
    key = (file.sha256, told.drawn_by, layer, zoom, column, row)
    drawn = kept.get(key)
    if drawn is None:
        ref = copy_of(viewer.lake, given, file)
        with whole_bytes(file.name):
            drawn = tile(ref, told, layer, zoom, column, row)
        kept.put(key, drawn)
    return _shown(request, release, drawn, TYPE)


@router.get(
    "/releases/{product}/movie",
    summary="A release in motion",
    response_class=Response,
    responses=_pictures("image/webp"),
)
def movie(request: Request, viewer: Viewer, product: str) -> Response:
    """Its images in time, in common colours; of many every n-th. Where one is missing it says so."""
    release, _, given = viewer.release(product, Action.PREVIEW)
    found = film_of(viewer.lake, given, release)
    if found is None:
        raise no_picture(product)
    return _shown(request, release, found, "image/webp")


def _shown(request: Request, release: Release, picture: bytes, kind: str) -> Response:
    tag = f'"{hashlib.sha256(picture).hexdigest()[:32]}"'
    headers = {"ETag": tag, **cache_control(release)}
    known = {one.strip().removeprefix("W/") for one in request.headers.get("if-none-match", "").split(",")}
    if tag in known or "*" in known:
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
    return Response(picture, media_type=kind, headers=headers)
