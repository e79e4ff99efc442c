"""What the pixels of an image are, seen in passing: numbers at all, and not all alike."""

from __future__ import annotations

import re
from typing import Any, Final

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

TYPES: Final = {8: "u1", 16: ">i2", 32: ">i4", 64: ">i8", -32: ">f4", -64: ">f8"}
#: EXTNAMEs of what stands beside an image: flags, errors, weights and small pictures of it.
BESIDE: Final = re.compile(
    r"QUALITY|DQ|DATA_?QUALITY|FLAGS?|(BAD_?PIX(EL)?_?)?MASK|BPM|BADPIX(ELS?)?|UNCERT(AINTY)?|ERR(ORS?)?|SIGMA|"
    r"STD(DEV)?|VAR(IANCE)?|NOISE|WEIGHTS?|WHT|CONFIDENCE|COVERAGE|THUMB(NAIL)?|PREVIEW"
)
_STRIDE: Final = 61  # a few pixels nearly always tell that they are not all alike


class Pixels:
    """What was seen of an image so far; once its pixels differ, nothing more is looked at.

    Parameters
    ----------
    header
        Of the image as it is stored; None for what is none.
    """

    def __init__(self, header: fits.Header | None) -> None:
        self._header = header
        self._range: tuple[float, float] | None = None
        plain = header is not None and header.get("ZIMAGE") is not True
        self._type = np.dtype(TYPES[header["BITPIX"]]) if header is not None and plain else None

    def add(self, data: memoryview) -> None:
        """Bytes of an image that is not compressed, whole numbers of it."""
        if self._type is not None and len(data) and not self._differ():
            self.look(np.frombuffer(data, self._type))

    def look(self, values: NDArray[Any]) -> None:
        """Some pixels."""
        flat = values.reshape(-1)
        for some in (flat[::_STRIDE], flat):
            if self._differ():
                return
            numbers = some[np.isfinite(some)] if some.dtype.kind == "f" else some
            if numbers.size:
                lowest, highest = self._range or (np.inf, -np.inf)
                self._range = (min(lowest, numbers.min().item()), max(highest, numbers.max().item()))

    def caveats(self) -> tuple[str, ...]:
        """Sentences about an image that cannot be of a sky."""
        if self._header is None or self._differ():
            return ()
        if self._range is None:
            return ("no pixel of the raw image is a number",)
        value = self._range[0] * self._header.get("BSCALE", 1.0) + self._header.get("BZERO", 0.0)
        return (f"all pixels of the raw image have the value {value:g}",)

    def _differ(self) -> bool:
        return self._range is not None and self._range[0] < self._range[1]
