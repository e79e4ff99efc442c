"""A coordinate system of a header: its axes, their cards, and where they lead."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np

from pipeline.solarnet_check.header import Hdu
from pipeline.solarnet_check.kinds import coordinate

_OF_AXIS: Final = re.compile(r"(CTYPE|CUNIT|CRPIX|CRVAL|CDELT|CNAME|CRDER|CSYER)([1-9]\d?)([A-Z]?)")
_OF_MATRIX: Final = re.compile(r"(PC|CD)([1-9]\d?)_([1-9]\d?)([A-Z]?)")
#: Systems of more axes are not looked into: the standard allows 99, matrices of hostile headers cost time.
MOST_AXES: Final = 99


@dataclass(frozen=True)
class System:
    """One coordinate system.

    Attributes
    ----------
    hdu
        Whose.
    letter
        Of an alternate one; empty for the primary.
    coordinates
        Number of coordinates, which may be more than the data's axes.
    """

    hdu: Hdu
    letter: str
    coordinates: int

    @property
    def axes(self) -> range:
        """Numbers of the coordinates."""
        return range(1, self.coordinates + 1)

    def name(self, keyword: str, axis: int) -> str:
        """A card of an axis."""
        return f"{keyword}{axis}{self.letter}"

    def text(self, keyword: str, axis: int) -> str:
        """What a card of an axis says, as text."""
        return self.hdu.text(self.name(keyword, axis))

    def number(self, keyword: str, axis: int) -> float | None:
        """What a card of an axis says, as a number."""
        return self.hdu.number(self.name(keyword, axis))

    def kind(self, axis: int) -> str:
        """What an axis is of."""
        return coordinate(self.text("CTYPE", axis))

    def is_table(self, axis: int) -> bool:
        """Whether its coordinates are looked up in a table."""
        return self.text("CTYPE", axis).upper().endswith("-TAB")

    def has(self, matrix: str) -> bool:
        """Whether there is a card of a matrix, ``PC`` or ``CD``."""
        return any(
            (match := _OF_MATRIX.fullmatch(name)) and match[1] == matrix and match[4] == self.letter
            for name in self.hdu.values
        )

    def matrix(self) -> np.ndarray | None:
        """From pixels to intermediate coordinates; `None` where a card is no number."""
        size = self.coordinates
        kind = "CD" if self.has("CD") else "PC"
        made = np.zeros((size, size)) if kind == "CD" else np.eye(size)
        for name in self.hdu.values:
            match = _OF_MATRIX.fullmatch(name)
            if match is None or match[1] != kind or match[4] != self.letter:
                continue
            row, column, value = int(match[2]), int(match[3]), self.hdu.number(name)
            if value is None:
                return None
            if row <= size and column <= size:
                made[row - 1, column - 1] = value
        if kind == "PC":
            steps = [self.number("CDELT", axis) for axis in self.axes]
            made = np.diag([1.0 if step is None else step for step in steps]) @ made
        return made

    def span(self, axis: int) -> tuple[float, float] | None:
        """First and last value along an axis that runs with no other; `None` where that is not known."""
        value, pixel = self.number("CRVAL", axis), self.number("CRPIX", axis)
        matrix = self.matrix()
        shape = self.hdu.shape
        if value is None or matrix is None:
            return None
        row = matrix[axis - 1]
        if np.count_nonzero(np.delete(row, axis - 1)):
            return None
        length = shape[-axis] if axis <= len(shape) else 1
        pixel = 0.0 if pixel is None else pixel
        ends = (value + row[axis - 1] * (1 - pixel), value + row[axis - 1] * (length - pixel))
        return ends if all(map(math.isfinite, ends)) else None


def systems(hdu: Hdu) -> Iterator[System]:
    """The coordinate systems of an HDU, the primary one first."""
    highest: dict[str, int] = {}
    for name in hdu.values:
        if match := _OF_AXIS.fullmatch(name):
            number, letter = int(match[2]), match[3]
        elif match := _OF_MATRIX.fullmatch(name):
            number, letter = int(match[2]), match[4]
        else:
            continue
        highest[letter] = max(highest.get(letter, 0), number)
    for letter in sorted(highest):
        said = hdu.whole(f"WCSAXES{letter}")
        count = said if said is not None and said > 0 else max(len(hdu.shape), highest[letter])
        yield System(hdu, letter, min(count, MOST_AXES))


def axes_of(hdu: Hdu, letter: str) -> int:
    """The highest number of an axis that a card of the system has."""
    found = (_OF_AXIS.fullmatch(name) or _OF_MATRIX.fullmatch(name) for name in hdu.values)
    return max((int(match[2]) for match in found if match and match[match.re.groups] == letter), default=0)
