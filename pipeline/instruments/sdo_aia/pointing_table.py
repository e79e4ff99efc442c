"""The master pointing table: limb fits of every three hours.

LMSAL publishes it as ``master_aia_pointing3h.csv``; JSOC's series
``aia.master_pointing3h`` exported as CSV has the same columns (science.md §3):
T_START, T_STOP and, for each channel www, A_www_X0 and A_www_Y0 (centre of
the Sun in detector pixels, counted from zero), A_www_IMSCALE (arcsec/pixel)
and A_www_INSTROT (degrees).
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import BadInput
from pipeline.instruments.sdo_aia.times import table_time

_CELLS: Final = ("X0", "Y0", "IMSCALE", "INSTROT")


@dataclass(frozen=True)
class PointingTable:
    """Rows of the table; `cells` maps a column's name to its values, NaN where the table has none."""

    start: NDArray[np.datetime64]
    stop: NDArray[np.datetime64]
    cells: dict[str, NDArray[np.float64]]

    def row_at(self, moment: np.datetime64) -> int | None:
        """The first row with T_START ≤ moment < T_STOP; `None` where the table has a gap."""
        found = np.flatnonzero((self.start <= moment) & (moment < self.stop))
        return int(found[0]) if found.size else None

    def has_channel(self, channel: int) -> bool:
        """Whether the table has all columns of a channel."""
        return all(f"A_{channel:03d}_{cell}" in self.cells for cell in _CELLS)

    def values(self, channel: int, row: int) -> dict[str, float]:
        """X0, Y0, IMSCALE and INSTROT of a channel in a row; NaN where a cell is empty."""
        return {cell: float(self.cells[f"A_{channel:03d}_{cell}"][row]) for cell in _CELLS}


def read_pointing_table(path: str) -> PointingTable:
    """Read a pointing table from CSV.

    Raises
    ------
    BadInput
        When the file is no such table.
    """
    try:
        with Path(path).open(newline="", encoding="utf-8") as handle:
            rows = [row for row in csv.reader(handle) if row and not row[0].startswith("#")]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise BadInput(
            f"the pointing table cannot be read: {error}",
            file=path,
            advice="add the table to the context again",
        ) from error
    names = [name.strip().upper() for name in rows[0]] if rows else []
    if "T_START" not in names or "T_STOP" not in names:
        raise BadInput(
            "the file is no pointing table: its first line has no T_START and T_STOP",
            file=path,
            keyword="T_START, T_STOP",
            found=", ".join(names[:6]) or "an empty file",
            advice="use master_aia_pointing3h.csv, or export aia.master_pointing3h from JSOC as CSV",
        )
    body = [row for row in rows[1:] if len(row) == len(names)]
    columns = {name: [row[place].strip() for row in body] for place, name in enumerate(names)}
    return PointingTable(
        start=np.array([table_time(text) for text in columns["T_START"]], dtype="datetime64[us]"),
        stop=np.array([table_time(text) for text in columns["T_STOP"]], dtype="datetime64[us]"),
        cells={
            name: np.array([_number(text) for text in values])
            for name, values in columns.items()
            if name.startswith("A_") and name.rpartition("_")[2] in _CELLS
        },
    )


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:  # JSOC writes MISSING, others leave the cell empty
        return float("nan")
