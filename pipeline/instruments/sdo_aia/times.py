"""Times in AIA headers and tables."""

from __future__ import annotations

from datetime import datetime

import numpy as np

from pipeline.errors import BadInput
from pipeline.frame import Frame
from pipeline.instrument import parse_date


def observed_at(frame: Frame) -> np.datetime64:
    """T_OBS, the middle of the exposure, which the calibration tables refer to (UTC).

    Raises
    ------
    BadInput
        When T_OBS is absent or no ISO date.
    """
    text = frame.keyword("T_OBS", str)
    parsed = parse_date(text)
    if parsed is None:
        raise BadInput(
            "T_OBS is no date of the form YYYY-MM-DDThh:mm:ss",
            file=frame.source,
            keyword="T_OBS",
            found=text,
            advice="correct the header",
        )
    return to_datetime64(parsed)


def to_datetime64(moment: datetime) -> np.datetime64:
    """A UTC moment as NumPy keeps it, to the microsecond."""
    return np.datetime64(moment.replace(tzinfo=None), "us")


def table_time(text: str) -> np.datetime64:
    """A time cell of a table; NaT when it is no date."""
    parsed = parse_date(text)
    return np.datetime64("NaT", "us") if parsed is None else to_datetime64(parsed)


def days_between(start: np.datetime64, stop: np.datetime64) -> float:
    """Days from `start` to `stop`."""
    return float((stop - start) / np.timedelta64(1, "us")) / 86_400e6
