"""The table of filaments: how it lies in a product, and how it is read.

A product's frame is an array of numbers with named axes, so a table of filaments is an image of level 2t: a
row for each filament, a column for each quantity, which QNAMEn and QUNITn in the header name; rows that are
not needed are NaN and flagged as missing. As ECSV, which astropy, TOPCAT and people read, it is written by
``python -m pipeline.instruments.kis_chrotel.filament_table FILE``.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import astropy.units as u
import numpy as np
from astropy.io import fits
from astropy.table import QTable
from numpy.typing import NDArray

from pipeline.errors import BadInput
from pipeline.instruments.kis_chrotel.filaments import Filament

#: Unit and meaning of each column, in the order of `Filament`.
COLUMNS: Final = {
    "number": ("", "of the filament's pixels in the mask"),
    "hpln": ("arcsec", "helioprojective longitude of its middle"),
    "hplt": ("arcsec", "helioprojective latitude of its middle"),
    "longitude": ("deg", "Carrington longitude of its middle"),
    "latitude": ("deg", "Carrington latitude of its middle"),
    "area": ("", "millionths of the hemisphere, on the Sun"),
    "length": ("Mm", "of its spine, on the Sun"),
    "tilt": ("deg", "from east-west, western end north: > 0"),
    "depth": ("", "mean brightness missing, quiet Sun: 1"),
    "confidence": ("", "rank from 0 to 1, no probability"),
}


def rows(found: Sequence[Filament], most: int) -> NDArray[np.float32]:
    """An array of `most` rows; what is not needed is NaN."""
    made = np.full((most, len(COLUMNS)), np.nan, np.float32)
    for row, one in enumerate(found[:most]):
        made[row] = one
    return made


def describe_columns(header: fits.Header) -> None:
    """Say in a header what the columns are."""
    for number, (name, (unit, meaning)) in enumerate(COLUMNS.items(), start=1):
        header[f"QNAME{number}"] = (name, meaning)
        header[f"QUNIT{number}"] = unit


def table(values: NDArray[np.float32], header: fits.Header) -> QTable:
    """The filaments of a product.

    Parameters
    ----------
    values, header
        Image and header of a product of level 2t.

    Raises
    ------
    BadInput
        When the header does not name the columns.
    """
    names = [str(header[f"QNAME{k + 1}"]) for k in range(values.shape[1]) if f"QNAME{k + 1}" in header]
    if len(names) != values.shape[1]:
        raise BadInput(
            "the file holds no table of filaments",
            file=str(header.get("FILENAME", "")),
            keyword="QNAME1",
            found="absent",
            advice="give a product of level 2t of the recipe kis_chrotel-filaments",
        )
    held = values[np.isfinite(values[:, 0])]
    made = QTable()
    for k, name in enumerate(names, start=1):
        unit = str(header.get(f"QUNIT{k}", ""))
        column = held[:, k - 1]
        made[name] = column.astype(int) if name == "number" else column * u.Unit(unit) if unit else column
        made[name].info.description = header.comments[f"QNAME{k}"]
    made.meta["date"] = str(header.get("DATE-OBS", ""))
    made.meta["simulated"] = bool(header.get("SIMULATD", False))
    return made


def read(path: Path) -> QTable:
    """The filaments of a product's file."""
    with fits.open(path) as units:
        unit = next(one for one in units if one.header.get("NAXIS", 0) == 2)
        return table(np.asarray(unit.data, np.float32), unit.header)


def main(arguments: Sequence[str] | None = None) -> int:
    """Write a product's table as ECSV."""
    parser = argparse.ArgumentParser(description="The table of filaments of a product, as ECSV.")
    parser.add_argument("file", type=Path, help="product of level 2t")
    parser.add_argument("-o", "--output", type=Path, help="file to write; the terminal by default")
    chosen = parser.parse_args(arguments)
    try:
        found = read(chosen.file)
    except (BadInput, OSError, StopIteration) as error:
        print(f"{chosen.file}: {error or 'holds no table'}", file=sys.stderr)
        return 2
    found.write(chosen.output or sys.stdout, format="ascii.ecsv", overwrite=chosen.output is not None)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
