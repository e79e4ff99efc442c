"""A FITS file as it is, told without judging: its headers, its checksums, and its pixels a part at a time.

Unlike `lake.fits.check`, which refuses what must not come into the lake, this reads whatever can be read.
Memory is bounded by a few windows here too: what a file claims decides nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

from lake.fits.check import Limits, check_scaling, opened, reading
from lake.fits.pixels import TYPES
from lake.fits.structure import HduSpan, add_sums, ones_complement_sum, sum_states, walk
from lake.fits.tiles import check_claims, decoded, image_shape, is_compressed
from lake.fits.windows import GZIP, Content, Unpacked, windows
from lake.quiet import without_warnings

_PART: Final = 1 << 19  # values that are given at once


@dataclass(frozen=True)
class SurveyedHdu:
    """One HDU as readers see it.

    Parameters
    ----------
    index
        Its number, 0 is the primary.
    header
        Of a compressed image that of the image, with the sums of the table that holds it.
    shape
        Of an image, slowest axis first; () where there is none.
    kind
        ``image`` or ``table``, empty for others.
    sums
        State of DATASUM and CHECKSUM: absent, valid or wrong; unchecked where the bytes were not summed.
    """

    index: int
    header: fits.Header
    shape: tuple[int, ...]
    kind: str
    sums: dict[str, str]


class Survey:
    """An open file; see `survey`."""

    def __init__(self, content: Content, file: str, *, summed: bool = True) -> None:
        self._summed = summed
        self._content = content
        self._file = file
        self._spans = walk(content, file).spans
        for span in self._spans:
            check_claims(content, span, file)
        packed = any(is_compressed(span.header) for span in self._spans)
        self._decoder: Any = self._open() if packed else None
        self.hdus = tuple(map(self._surveyed, self._spans))

    def values(self, index: int) -> Iterator[NDArray[np.float64]]:
        """The pixels of an image in order, scaled, NaN where BLANK stands; some at a time, flat.

        Raises
        ------
        BadInput
            When they cannot be decoded, or BSCALE or BZERO is no number to scale by.
        """
        span = self._spans[index]
        check_scaling(span, self._file)
        header = self.hdus[index].header
        scale, zero = float(header.get("BSCALE", 1.0)), float(header.get("BZERO", 0.0))
        blank = header.get("BLANK")
        for raw in self.stored(index):
            missing = raw == blank if raw.dtype.kind in "iu" and isinstance(blank, (int, float)) else None
            values = raw.astype(np.float64)
            if (scale, zero) != (1.0, 0.0):
                values = values * scale + zero
            if missing is not None:
                values[missing] = np.nan
            yield values

    def stored(self, index: int) -> Iterator[NDArray[Any]]:
        """The numbers of an image as they are stored, some at a time, flat."""
        span = self._spans[index]
        if is_compressed(span.header):
            yield from self._decoded(index)
            return
        kind = np.dtype(TYPES[span.header["BITPIX"]])
        for part in windows(self._content, span.data_start, span.data_start + span.data_size):
            whole = part[: len(part) - len(part) % kind.itemsize]
            yield from _parts(np.frombuffer(whole, kind))

    def close(self) -> None:
        """Give back what is open."""
        if self._decoder is not None:
            self._decoder.close()

    def _decoded(self, index: int) -> Iterator[NDArray[Any]]:
        with reading(index, self._file), without_warnings():
            for block in decoded(self._decoder[index], self._content, self._spans[index]):
                yield from _parts(np.ascontiguousarray(block).reshape(-1))

    def _open(self) -> Any:
        with reading(0, self._file), without_warnings():
            return fits.open(
                self._content.opened(), memmap=False, do_not_scale_image_data=True, lazy_load_hdus=False
            )

    def _surveyed(self, span: HduSpan) -> SurveyedHdu:
        header, shape = span.header, image_shape(span.header)
        if is_compressed(header) and self._decoder is not None:
            with reading(span.index, self._file), without_warnings():
                header = self._decoder[span.index].header.copy()
            for name in ("DATASUM", "CHECKSUM"):
                header.remove(name, ignore_missing=True, remove_all=True)
                if name in span.header:
                    header[name] = span.header[name]
        kind = "image" if str(header.get("XTENSION", "IMAGE")).strip() == "IMAGE" else ""
        kind = "table" if str(header.get("XTENSION", "")).strip() in ("TABLE", "BINTABLE") else kind
        shape = shape if 0 not in shape else ()
        return SurveyedHdu(span.index, header, shape, kind, self._sums(span))

    def _sums(self, span: HduSpan) -> dict[str, str]:
        if not any(str(span.header.get(name, "")).strip() for name in ("DATASUM", "CHECKSUM")):
            return {"DATASUM": "absent", "CHECKSUM": "absent"}
        if not self._summed:
            return {name: "unchecked" for name in ("DATASUM", "CHECKSUM") if name in span.header}
        sums = []
        for start, end in ((span.header_start, span.data_start), (span.data_start, span.end)):
            total = 0
            for part in windows(self._content, start, end):
                total = add_sums(total, ones_complement_sum(part))
            sums.append(total)
        return sum_states(span, *sums)


@contextmanager
def survey(path: Path, *, summed: bool = True) -> Iterator[Survey]:
    """A FITS file, or a gzipped one, opened to be looked at.

    Parameters
    ----------
    path
        Of a regular file.
    summed
        Whether every byte is read for DATASUM and CHECKSUM; without, headers alone are.

    Raises
    ------
    BadInput
        When it cannot be read, is no FITS file, is cut off, or claims what cannot be.
    """
    file = str(path)
    with opened(path) as raw, without_warnings():
        packed = bytes(raw.read(0, len(GZIP))) == GZIP
        content: Content = Unpacked(raw, file, Limits().bytes) if packed else raw
        try:
            found = Survey(content, file, summed=summed)
            try:
                yield found
            finally:
                found.close()
        finally:
            if content is not raw:
                content.close()


def _parts(flat: NDArray[Any]) -> Iterator[NDArray[Any]]:
    for start in range(0, flat.size, _PART):
        yield flat[start : start + _PART]
