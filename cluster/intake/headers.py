"""What a stored file's header says, in the words of its instrument: for those who know no instrument."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from lake.errors import HeliolakeLakeError
from lake.fits.io import read_header
from pipeline.errors import HeliolakeError
from pipeline.frame import with_primary
from pipeline.registry import recognise


def stored_dates(path: Path) -> tuple[datetime | None, datetime | None] | None:
    """Begin and end of what a stored file shows, read from its header as at ingest.

    Parameters
    ----------
    path
        A file of the lake.

    Returns
    -------
    tuple or None
        None where the header cannot be read, or is of no instrument.
    """
    try:
        primary = read_header(str(path), 0)
        header = primary if primary.get("NAXIS") else with_primary(read_header(str(path), 1), primary)
        described = recognise(header, str(path)).describe(header, str(path))
    except (HeliolakeLakeError, HeliolakeError):
        return None
    return described.date_beg, described.date_end
