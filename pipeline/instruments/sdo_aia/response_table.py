"""The response table of the instrument team: effective areas at calibration epochs.

``aia_V*_response_table.txt`` of SolarSoft: one line per channel and epoch,
columns separated by blanks, named in the first line (science.md §3).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from pipeline.errors import BadInput
from pipeline.instruments.sdo_aia.times import days_between, table_time

_COLUMNS: Final = (
    *("DATE", "T_START", "T_STOP", "VER_NUM", "WAVE_STR"),
    *("EFF_AREA", "EFFA_P1", "EFFA_P2", "EFFA_P3"),
)


@dataclass(frozen=True)
class Epoch:
    """One line of the table; `terms` are the coefficients of δt, δt² and δt³ (days) within the epoch."""

    made: np.datetime64
    start: np.datetime64
    stop: np.datetime64
    version: int
    channel: str
    area: float
    terms: tuple[float, float, float]


@dataclass(frozen=True)
class ResponseTable:
    """All lines of a response table."""

    epochs: tuple[Epoch, ...]

    def versions(self, channel: str) -> tuple[int, ...]:
        """The calibration versions that have lines for a channel."""
        return tuple(sorted({epoch.version for epoch in self.epochs if epoch.channel == channel}))

    def degradation(self, channel: str, version: int, moment: np.datetime64) -> float | None:
        """Sensitivity at a moment relative to the first epoch, by one version of the calibration.

        ``A(t_e)/A(t_0) · (1 + p₁δt + p₂δt² + p₃δt³)`` with δt in days since the
        start of the moment's epoch e (science.md §3; aia_bp_corrections.pro).
        Of lines for the same epoch the most recently made one counts.
        `None` where no epoch covers the moment.
        """
        chosen = [e for e in self.epochs if e.channel == channel and e.version == version]
        covering = [e for e in chosen if e.start <= moment < e.stop]
        if not covering:
            return None
        epoch = max(covering, key=lambda e: e.made)
        earliest = min(e.start for e in chosen)
        first = max((e for e in chosen if e.start == earliest), key=lambda e: e.made)
        days = days_between(epoch.start, moment)
        p1, p2, p3 = epoch.terms
        return epoch.area / first.area * (1.0 + p1 * days + p2 * days**2 + p3 * days**3)

    def last_epoch(self, channel: str, version: int) -> Epoch | None:
        """The line with the latest start: what happened since is not in the table."""
        chosen = [e for e in self.epochs if e.channel == channel and e.version == version]
        return max(chosen, key=lambda e: (e.start, e.made), default=None)


def read_response_table(path: str) -> ResponseTable:
    """Read a response table.

    Raises
    ------
    BadInput
        When the file is no such table.
    """
    try:
        lines = [line.split() for line in Path(path).read_text(encoding="utf-8").splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(
            f"the response table cannot be read: {error}",
            file=path,
            advice="add the table to the context again",
        ) from error
    names = lines[0] if lines else []
    lacking = [name for name in _COLUMNS if name not in names]
    if lacking:
        raise BadInput(
            f"the file is no AIA response table: its first line lacks {', '.join(lacking)}",
            file=path,
            keyword=", ".join(lacking),
            found=" ".join(names[:6]) or "an empty file",
            advice="use aia_V*_response_table.txt of SolarSoft",
        )
    try:
        return ResponseTable(tuple(_epoch(dict(zip(names, line, strict=True))) for line in lines[1:]))
    except ValueError as error:
        raise BadInput(
            f"a line of the response table is not complete: {error}",
            file=path,
            advice="fetch the table again",
        ) from error


def _epoch(cells: dict[str, str]) -> Epoch:
    start, stop = table_time(cells["T_START"]), table_time(cells["T_STOP"])
    if np.isnat(start) or np.isnat(stop):
        raise ValueError(f"{cells['T_START']} – {cells['T_STOP']} are no dates")
    return Epoch(
        made=table_time(cells["DATE"]),
        start=start,
        stop=stop,
        version=int(cells["VER_NUM"]),
        channel=cells["WAVE_STR"],
        area=float(cells["EFF_AREA"]),
        terms=(float(cells["EFFA_P1"]), float(cells["EFFA_P2"]), float(cells["EFFA_P3"])),
    )
