"""SOLARNET's rules over FITS files: where those who read files meet those who know the rules."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import repeat
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lake.errors import BadInput
from lake.fits.check import QUALITY_EXTNAME
from lake.fits.survey import Survey, SurveyedHdu, survey
from pipeline.solarnet_check import pixels
from pipeline.solarnet_check.file import FitsFile
from pipeline.solarnet_check.finding import Finding, Grade
from pipeline.solarnet_check.header import Hdu
from pipeline.solarnet_check.report import Report, check_headers, report, unreadable


def check_file(path: Path, *, headers_only: bool = False) -> Report:
    """Hold a file against the SOLARNET recommendations and the FITS standard.

    Parameters
    ----------
    path
        Any FITS file: plain, gzipped, compressed in tiles, of several HDUs, with tables.
    headers_only
        Leave the pixels, their statistics and the sums of the bytes alone.

    Returns
    -------
    Report
        Also of a file that cannot be read, which has one finding then.
    """
    try:
        with survey(path, summed=not headers_only) as found:
            file = FitsFile(tuple(map(_hdu_of, found.hdus)), name=path.name)
            findings = check_headers(file)
            if not headers_only:
                findings += _pixel_findings(found, file)
    except BadInput as error:
        return unreadable(str(path), error.reason, error.found, error.advice)
    return report(file, str(path), findings)


def tally(paths: Iterable[Path]) -> dict[str, int]:
    """How many files are what by their headers, and how many errors they have together."""
    found: Counter[str] = Counter()
    for path in paths:
        one = check_file(path, headers_only=True)
        found[one.verdict.value] += 1
        found["errors"] += one.counts()["errors"]
    return dict(found)


def _hdu_of(one: SurveyedHdu) -> Hdu:
    return Hdu.of(one.header, index=one.index, shape=one.shape, kind=one.kind, sums=one.sums)


def _pixel_findings(found: Survey, file: FitsFile) -> Iterator[Finding]:
    for hdu in file.hdus:
        if hdu.index not in file.observing or not pixels.wants_pixels(hdu):
            continue
        flags = _flags_beside(hdu, file)
        bits = pixels.flags_of(flags)

        def parts(hdu: Hdu = hdu, flags: Hdu | None = flags) -> Iterator[pixels.Part]:
            return _paired(found, hdu.index, None if flags is None else flags.index)

        try:
            yield from pixels.check(hdu, parts, bits)
        except BadInput as error:
            advice = error.advice or "fetch the file again from its source"
            yield Finding(
                Grade.ERROR, hdu.index, "", error.reason, "pixels that can be read", advice, "FITS 3"
            )


def _flags_beside(hdu: Hdu, file: FitsFile) -> Hdu | None:
    """The plane of flags of an image, which may be kept for its last axes alone."""
    plane = file.by_name.get(QUALITY_EXTNAME)
    if plane is None or plane is hdu or not plane.shape or not pixels.flags_of(plane):
        return None
    return plane if hdu.shape[len(hdu.shape) - len(plane.shape) :] == plane.shape else None


def _paired(found: Survey, index: int, flags: int | None) -> Iterator[pixels.Part]:
    """An image's values with the flags of the same pixels; a plane's are repeated for all of a cube."""
    if flags is None:
        yield from ((values, None) for values in found.values(index))
        return
    planes = (part for plane in repeat(flags) for part in _flag_parts(found, plane))
    left: NDArray[Any] = np.empty(0, dtype=np.uint16)
    for values in found.values(index):
        start = 0
        while start < values.size:
            if not left.size:
                left = next(planes)
            size = min(left.size, values.size - start)
            yield values[start : start + size], left[:size]
            start, left = start + size, left[size:]


def _flag_parts(found: Survey, index: int) -> Iterator[NDArray[Any]]:
    """Flags as the unsigned numbers they are: stored they are shifted by BZERO."""
    for values in found.values(index):
        yield np.nan_to_num(values).astype(np.int64)
