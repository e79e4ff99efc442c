"""What a stored file's header says, in the words of its instrument: for those who know no instrument."""

from __future__ import annotations

from datetime import datetime

from lake.errors import HeliolakeLakeError
from lake.fits.stored import stored_header
from lake.storage.store import Ref
from pipeline.errors import HeliolakeError
from pipeline.frame import with_primary
from pipeline.registry import recognise


def stored_dates(ref: Ref) -> tuple[datetime | None, datetime | None] | None:
    """Begin and end of what a stored file shows, read from its header as at ingest.

    Parameters
    ----------
    ref
        A file of the lake.

    Returns
    -------
    tuple or None
        None where the header cannot be read, or is of no instrument.
    """
    try:
        primary = stored_header(ref, 0)
        header = primary if primary.get("NAXIS") else with_primary(stored_header(ref, 1), primary)
        described = recognise(header, ref.name).describe(header, ref.name)
    except (HeliolakeLakeError, HeliolakeError):
        return None
    return described.date_beg, described.date_end
