"""What is told beside the pictures of a file: numbers by which any part of it is drawn alike."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, NonNegativeInt, ValidationError

from lake.archive.copies import holder
from lake.catalogue.models import Release
from lake.entries import FileEntry
from lake.errors import BadInput, Reason
from lake.grant import Grant
from lake.lake import Lake
from lake.storage import previews
from lake.storage.previews import preview_key
from lake.storage.store import Store

_EDGES: Final = 254
_COLOURS: Final = 3 * 256


class Flag(BaseModel):
    """A flag of quality: its number in pictures, its colour, and how many pixels have it."""

    number: int = Field(ge=1, le=64)
    bit: int = Field(ge=1, le=1 << 15)
    name: str = Field(max_length=64)
    colour: str = Field(pattern=r"^#[0-9a-f]{6}$")
    pixels: NonNegativeInt


class Axis(BaseModel):
    """An axis of the data, the slowest first: its name, its length, and the value at each place."""

    name: str = Field(max_length=64)
    length: NonNegativeInt
    unit: str = ""
    values: list[FiniteFloat | str] = []


class Sky(BaseModel):
    """Where the last two axes lie on the sky, in the terms of FITS; angles in degrees."""

    projection: str = Field(max_length=8)
    names: list[str]
    units: list[str]
    crpix: list[FiniteFloat]
    crval: list[FiniteFloat]
    matrix: list[list[FiniteFloat]]
    lonpole: FiniteFloat = 180.0
    latpole: FiniteFloat = 90.0
    pv: FiniteFloat = 0.0


class Scene(BaseModel):
    """How the pictures of a file were drawn."""

    model_config = ConfigDict(extra="ignore")

    made_of: str
    drawn_by: str = Field(pattern=r"^[0-9a-f]{1,64}$")
    hdu: NonNegativeInt = 0
    blank_is_missing: bool = True
    plane: list[NonNegativeInt] = []
    edges: list[FiniteFloat] = []
    colours: str = ""
    flags: list[Flag] = []
    unit: str = Field(default="", max_length=80)
    axes: list[Axis] = []
    sky: Sky | None = None

    @property
    def palette(self) -> NDArray[np.uint8]:
        """Red, green and blue of each number of a colour; that of what has no value is the first."""
        return np.frombuffer(base64.b64decode(self.colours), np.uint8).reshape(-1, 3)

    @property
    def draws(self) -> bool:
        """Whether it says how a plane is drawn."""
        try:
            known = len(base64.b64decode(self.colours, validate=True))
        except (ValueError, binascii.Error):
            return False
        rising = all(one <= other for one, other in zip(self.edges, self.edges[1:], strict=False))
        return known == _COLOURS and len(self.edges) == _EDGES and rising


@dataclass(frozen=True)
class Pictured:
    """The pictures of a file, where they lie, and what is told beside them."""

    store: Store
    key: str
    scene: Scene

    def piece(self, *names: str) -> tuple[str, bytes] | None:
        """The first of some pictures that is there, and its name."""
        found = ((name, previews.piece(self.store, self.key, name)) for name in names)
        return next(((name, data) for name, data in found if data is not None), None)


def pictured(lake: Lake, _grant: Grant, file: FileEntry) -> Pictured:
    """The pictures of a file; for those to whom they were granted.

    Raises
    ------
    BadInput
        When there are none, or they are of other bytes than the file's.
    """
    key = preview_key(file.scope, file.name)
    store = holder(lake, key)
    told: Any = previews.scene(store, key)
    try:
        scene = None if told is None else Scene.model_validate(told)
    except ValidationError:
        scene = None
    if scene is None or scene.made_of != file.sha256:
        raise no_picture(file.name)
    return Pictured(store, key, scene)


def film_of(lake: Lake, _grant: Grant, release: Release) -> bytes | None:
    """The film of a release, if there is one; for those to whom it was granted."""
    key = preview_key(release.scope, release.dataset)
    return previews.piece(holder(lake, key), key, "movie.webp")


def blank_is_missing(lake: Lake, given: Grant, file: FileEntry) -> bool:
    """Whether a whole number may say that there is no value: of a file without pictures nobody said so."""
    try:
        return pictured(lake, given, file).scene.blank_is_missing
    except BadInput:
        return False


def no_picture(name: str) -> BadInput:
    """The answer to who asks for a picture that is not there."""
    return BadInput(
        "there is no such picture of this",
        keyword="file",
        found=name[:100],
        advice="only what is ACTIVE has pictures; the data centre makes them with `heliolake preview`",
        code=Reason.NOT_FOUND,
    )
