"""Axes of an instrument's files, as its description says, and whether a file has them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from astropy.io import fits
from pydantic import BaseModel, ConfigDict, Field, field_validator

from pipeline.dims import IMAGE, Dims, Layout, written
from pipeline.errors import BadInput
from pipeline.level import Level

#: Names of variables and coordinates that every stack has.
_TAKEN: Final = {"time", "image", "quality", "uncertainty", "header", "source", "references", "outcome"}
_ADVICE: Final = "correct the header, or `axes` in the instrument's description"


class AxisRule(BaseModel):
    """One axis of a file.

    Attributes
    ----------
    name
        What steps call it.
    size
        Its length, where all files have the same.
    ctype, unit
        Patterns of the whole values of ``CTYPEn`` and ``CUNITn``, where these tell.
    drop
        The axis has one place, and frames go without it: the one step of a slit. Its world coordinate stays
        in the header, behind those of the other axes.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=r"^[a-z][a-z0-9_]{0,30}$")
    size: int | None = Field(default=None, ge=1)
    ctype: str = ""
    unit: str = ""
    drop: bool = False

    @field_validator("name")
    @classmethod
    def _is_free(cls, name: str) -> str:
        if name in _TAKEN:
            raise ValueError(f"{name} is what every stack calls something else; choose another name")
        return name


class AxesRule(BaseModel):
    """The axes of some of an instrument's files: those of a level, or whose header says so.

    Attributes
    ----------
    dims
        The axes, the slowest first, as numpy counts them; a plain name where nothing else is to be checked.
    levels
        Of which files; of all when empty.
    where
        Keyword → pattern of the whole value; an absent keyword has the empty value.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    dims: tuple[AxisRule, ...] = Field(min_length=1, max_length=9)
    levels: tuple[Level, ...] = ()
    where: dict[str, str] = Field(default_factory=dict)

    @field_validator("dims", mode="before")
    @classmethod
    def _names_are_axes(cls, value: object) -> object:
        if not isinstance(value, (list, tuple)):
            return value
        return [{"name": one} if isinstance(one, str) else one for one in value]

    @field_validator("dims")
    @classmethod
    def _each_once(cls, value: tuple[AxisRule, ...]) -> tuple[AxisRule, ...]:
        if len({one.name for one in value}) < len(value):
            raise ValueError("an axis stands there twice")
        if all(one.drop for one in value):
            raise ValueError("no axis is left when all are dropped")
        if any(one.drop and one.size not in (None, 1) for one in value):
            raise ValueError("an axis that is dropped has one place")
        return value

    @property
    def names(self) -> Dims:
        """The dims of a frame."""
        return tuple(one.name for one in self.dims if not one.drop)

    @property
    def stored(self) -> Dims:
        """The dims of the data in a file."""
        return tuple(one.name for one in self.dims)

    def concerns(self, header: fits.Header) -> bool:
        """Whether a header is of the files that have these axes."""
        return all(re.fullmatch(pattern, _text(header, name)) for name, pattern in self.where.items())

    def layout(self, header: fits.Header, shape: Sequence[int], source: str = "") -> Layout:
        """Dims and shape of the frame in a file.

        Parameters
        ----------
        header
            Of the data.
        shape
            Of the data as they are stored, the slowest axis first. Axes of length 1 before those that are
            described are left out; those that are described stay, but for those that are to be dropped.

        Raises
        ------
        BadInput
            When the number of axes, a length, a type or a unit is another.
        """
        extra = len(shape) - len(self.dims)
        if extra < 0 or any(length != 1 for length in shape[:extra]):
            raise BadInput(
                f"the data have other axes than {written(self.names)}",
                file=source,
                keyword="NAXIS",
                found=" x ".join(map(str, reversed(shape))) or "no axis",
                advice=_ADVICE,
            )
        lengths = tuple(shape[extra:])
        for number, (axis, length) in enumerate(zip(reversed(self.dims), reversed(lengths)), start=1):  # noqa: B905
            for keyword, found, allowed in _claims(axis, number, length, header):
                raise BadInput(
                    f"the axis {axis.name} should have {keyword} {allowed}",
                    file=source,
                    keyword=keyword,
                    found=found or "absent",
                    advice=_ADVICE,
                )
        kept = (length for axis, length in zip(self.dims, lengths, strict=True) if not axis.drop)
        return Layout(self.names, tuple(kept))


def _claims(axis: AxisRule, number: int, length: int, header: fits.Header) -> Iterator[tuple[str, str, str]]:
    """What a file says of an axis that its description does not allow: keyword, found, allowed."""
    size = 1 if axis.drop else axis.size
    if size is not None and length != size:
        yield f"NAXIS{number}", str(length), str(size)
    for name, pattern in (("CTYPE", axis.ctype), ("CUNIT", axis.unit)):
        found = _text(header, f"{name}{number}")
        if pattern and not re.fullmatch(pattern, found):
            yield f"{name}{number}", found, pattern


def layout_of(
    rules: Sequence[AxesRule], header: fits.Header, shape: Sequence[int], source: str = ""
) -> Layout:
    """Dims and shape of the frame in a file, by the first of several rules that holds for it.

    Raises
    ------
    BadInput
        When none does.
    """
    concerned = [rule for rule in rules if rule.concerns(header)]
    refusals = []
    for rule in concerned:
        try:
            return rule.layout(header, shape, source)
        except BadInput as error:
            refusals.append((len(rule.dims) != len(shape), error))
    if refusals:  # that of a rule with as many axes tells most
        raise min(refusals, key=lambda pair: pair[0])[1]
    keywords = sorted({name for rule in rules for name in rule.where})
    raise BadInput(
        "the header does not tell which of the described axes the file has",
        file=source,
        keyword=", ".join(keywords) or "LEVEL",
        found=", ".join(f"{name}={_text(header, name) or 'absent'}" for name in keywords) or "no such level",
        advice=_ADVICE,
    )


def stored_dims(rules: Sequence[AxesRule], dims: Dims) -> Dims:
    """The dims of the data in a raw file whose frame has these dims; the same where none is dropped."""
    return next((rule.stored for rule in rules if rule.names == dims), dims)


def as_rules(value: Any) -> Any:
    """What a description may write: one list of axes, or several with the files they are of."""
    if isinstance(value, (list, tuple)) and value and all(_is_axis(one) for one in value):
        return [{"dims": value}]
    return value


def _is_axis(one: Any) -> bool:
    return isinstance(one, str) or (isinstance(one, Mapping) and "name" in one)


def _text(header: fits.Header, keyword: str) -> str:
    value = header.get(keyword)
    return "" if value is None or isinstance(value, fits.card.Undefined) else str(value).strip()


#: The axes of files of which nothing else is said.
IMAGES: Final = (AxesRule(dims=tuple(AxisRule(name=name) for name in IMAGE)),)
