"""Tables of ejections and of their fronts' heights: how they lie in a product, and how they are read.

A product's frame is an array of numbers with named axes, so a table is an image: a row for each entry, a
column for each quantity, which QNAMEn and QUNITn in the header name; rows that are not needed are NaN and
flagged as missing. ``python -m pipeline.cme.table FILE -o X.ecsv`` (or ``X.fits``, a binary table) writes it
for other programs.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import astropy.units as u
import numpy as np
from astropy.io import fits
from astropy.table import QTable
from astropy.time import Time
from numpy.typing import NDArray

from pipeline.cme.ejection import Ejection
from pipeline.errors import BadInput

Columns = Mapping[str, tuple[str, str]]
#: Unit and meaning of each column of the catalogue.
CATALOGUE: Final[Columns] = {
    "number": ("", "in order of time"),
    "start": ("s", "first frame with the front, after DATEREF"),
    "position_angle": ("deg", "middle, from north through east"),
    "width": ("deg", "from edge to edge, 360 of a full halo"),
    "front_angle": ("deg", "where heights were measured"),
    "speed": ("km/s", "of a line through the heights"),
    "speed_error": ("km/s", "one standard deviation"),
    "acceleration": ("m/s2", "of a parabola through the heights"),
    "acceleration_error": ("m/s2", "one standard deviation"),
    "speed_middle": ("km/s", "of the parabola, in its middle"),
    "speed_median": ("km/s", "over position angles, by lines tried"),
    "speed_least": ("km/s", "over position angles, by lines tried"),
    "speed_most": ("km/s", "over position angles, by lines tried"),
    "lowest": ("solRad", "lowest height of the front"),
    "highest": ("solRad", "highest height of the front"),
    "frames": ("", "that show the front"),
    "score": ("", "significance of the strongest line"),
    "confidence": ("", "rank from 0 to 1, no probability"),
}
#: Those of the table of heights.
HEIGHT_TIME: Final[Columns] = {
    "number": ("", "of the ejection in the catalogue"),
    "seconds": ("s", "middle of the exposure, after DATEREF"),
    "position_angle": ("deg", "where the height was measured"),
    "height": ("solRad", "of the front's crest, from the Sun's centre"),
    "height_error": ("solRad", "scatter about the fit"),
}


def catalogue(found: Sequence[Ejection], most: int) -> NDArray[np.float32]:
    """One row for each ejection; what is not needed is NaN."""
    made = np.full((most, len(CATALOGUE)), np.nan, np.float32)
    for row, (number, one) in zip(made, enumerate(found, start=1), strict=False):
        row[:] = (
            *(number, one.seconds[0], one.position_angle, one.width, one.front_angle),
            *(one.line.speed, one.line.speed_error),
            *(one.parabola.acceleration, one.parabola.acceleration_error, one.parabola.speed),
            *(one.speed_median, one.speed_least, one.speed_most),
            *(one.heights.min(), one.heights.max(), len(one.heights), one.score, one.confidence),
        )
    return made


def height_time(found: Sequence[Ejection], most: int) -> NDArray[np.float32]:
    """One row for each height of a front; what is not needed is NaN."""
    rows = [
        (number, second, one.front_angle, height, one.scatter)
        for number, one in enumerate(found, start=1)
        for second, height in zip(one.seconds, one.heights, strict=True)
    ][:most]
    made = np.full((most, len(HEIGHT_TIME)), np.nan, np.float32)
    made[: len(rows)] = np.array(rows, np.float32).reshape(len(rows), len(HEIGHT_TIME))
    return made


def describe(header: fits.Header, columns: Columns) -> None:
    """Say in a header what the columns are."""
    for number, (name, (unit, meaning)) in enumerate(columns.items(), start=1):
        header[f"QNAME{number}"] = (name, meaning)
        header[f"QUNIT{number}"] = unit


def table(values: NDArray[np.float32], header: fits.Header) -> QTable:
    """The rows of a product, with times as such.

    Parameters
    ----------
    values, header
        Data and header of a product whose columns `describe` named.

    Raises
    ------
    BadInput
        When the header does not name the columns, or DATEREF is no date.
    """
    names = [str(header[f"QNAME{k + 1}"]) for k in range(values.shape[1]) if f"QNAME{k + 1}" in header]
    reference = str(header.get("DATEREF", ""))
    if len(names) != values.shape[1] or not reference:
        raise BadInput(
            "the file holds no table of ejections",
            file=str(header.get("FILENAME", "")),
            keyword="QNAME1, DATEREF",
            found="absent",
            advice="give a catalogue or a table of heights that a recipe with find_ejections made",
        )
    held = values[np.isfinite(values[:, 0])].astype(np.float64)
    made = QTable()
    for k, name in enumerate(names, start=1):
        column, unit = held[:, k - 1], str(header.get(f"QUNIT{k}", ""))
        if name in ("start", "seconds"):
            name, made_of = "time", Time(reference, scale="utc") + column * u.s
        elif name in ("number", "frames"):
            made_of = column.astype(int)
        else:
            made_of = column * u.Unit(unit) if unit else column
        made[name] = made_of
        made[name].info.description = header.comments[f"QNAME{k}"]
    made.meta.update({name: header[name] for name in header if name.startswith("CAVEAT")})
    made.meta["SIMULATD"] = bool(header.get("SIMULATD", False))
    return made


def read(path: Path) -> QTable:
    """The rows of a product's file."""
    with fits.open(path) as units:
        unit = next(one for one in units if one.header.get("NAXIS", 0) == 2)
        return table(np.asarray(unit.data, np.float32), unit.header)


def main(arguments: Sequence[str] | None = None) -> int:
    """Write a product's table as ECSV or as a binary table."""
    parser = argparse.ArgumentParser(description="A table of ejections of a product, for other programs.")
    parser.add_argument("file", type=Path, help="catalogue or table of heights")
    parser.add_argument("-o", "--output", type=Path, help="file to write, .ecsv or .fits; else the terminal")
    chosen = parser.parse_args(arguments)
    try:
        found = read(chosen.file)
    except (BadInput, OSError, StopIteration) as error:
        print(f"{chosen.file}: {error or 'holds no table'}", file=sys.stderr)
        return 2
    if chosen.output is not None and chosen.output.suffix == ".fits":
        found.write(chosen.output, overwrite=True)
    else:
        found.write(chosen.output or sys.stdout, format="ascii.ecsv", overwrite=chosen.output is not None)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
