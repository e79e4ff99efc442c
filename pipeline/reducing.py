"""Reductions as authors write them: a class, its name and what its result is for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar

import numpy as np
from astropy.io import fits

from pipeline.dims import DimsTaken
from pipeline.reduction import (
    Origin,
    Reduced,
    Reduction,
    ReductionKind,
    Validity,
    register,
    while_they_last,
)

R = TypeVar("R", bound="type[Reduction[Any]]")


def reduction(
    name: str,
    *,
    instrument: str,
    level: str,
    need: str,
    alike: Sequence[str] = (),
    dims: DimsTaken = None,
    fewest: int = 1,
    few: int = 1,
    validity: Callable[[datetime, datetime], Validity] = while_they_last,
    write: Callable[[Reduced, Origin, Sequence[str]], fits.HDUList] | None = None,
) -> Callable[[R], R]:
    """Register a class as a reduction: ``heliolake reduce NAME --instrument INSTRUMENT`` then knows it.

    The class is made with the number of frames, and has `map`, `combine` and `finish` of
    `pipeline.reduction.Reduction`; the first line of its docstring is what people read.

    Parameters
    ----------
    name, instrument
        Its name, unique to the instrument.
    level
        Of the frames it takes.
    need
        The `ReferenceNeed` that its result answers.
    alike
        Searchable values in which all frames agree; a frame must have them to be given the result.
    dims
        Names of the axes it takes, as steps say them; any by default.
    fewest
        Frames below which there is no result.
    few
        Frames below which a pixel of it is uncertain.
    validity
        For which times it stands, from the begins of its first and its last frame.
    write
        How it is written; `reference_file` by default.
    """

    def made(kind: R) -> R:
        register(
            ReductionKind(
                name=name,
                instrument=instrument,
                level=level,
                need=need,
                alike=tuple(alike),
                dims=dims,
                prepare=kind,
                write=write or reference_file,
                fewest=fewest,
                few=few,
                validity=validity,
                summary=(kind.__doc__ or "").strip().split("\n")[0],
            )
        )
        return kind

    return made


def reference_file(reduced: Reduced, origin: Origin, caveats: Sequence[str] = ()) -> fits.HDUList:
    """A reference as FITS: values, the number of frames of each pixel, the names of all frames.

    Parameters
    ----------
    reduced
        Values (primary HDU) and counts (extension ``COUNT``).
    origin
        The frames (extension ``FRAMES``) and their unit.
    caveats
        Sentences for its users, as ``CAVEATn``.
    """
    header = fits.Header()
    header["BUNIT"] = (origin.unit, "unit of the values")
    header["DATE-BEG"] = (_date(origin.frames[0][1]), "begin of the first frame")
    header["DATE-END"] = (_date(origin.frames[-1][1]), "begin of the last frame")
    header["NFRAMES"] = (len(origin.frames), "frames used")
    for name, card in reduced.cards.items():
        header[name] = card
    header["NCAVEATS"] = (len(caveats), "caveats that follow, as CAVEATn")
    for n, sentence in enumerate(caveats, start=1):
        header[f"CAVEAT{n}"] = sentence
    names, dates = zip(*((name, _date(begin)) for name, begin in origin.frames), strict=True)
    columns = [
        fits.Column("NAME", f"{max(map(len, names))}A", array=np.array(names)),
        fits.Column("DATE-BEG", "26A", array=np.array(dates)),
    ]
    return fits.HDUList(
        [
            fits.PrimaryHDU(np.asarray(reduced.values, np.float32), header),
            fits.ImageHDU(np.asarray(reduced.count, np.int32), name="COUNT"),
            fits.BinTableHDU.from_columns(columns, name="FRAMES"),
        ]
    )


def _date(date: datetime) -> str:
    return date.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="milliseconds")
