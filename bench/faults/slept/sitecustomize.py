"""Processes under libfaketime sleep by `select` here.

Python sleeps until a time of a clock that is not shifted, which libfaketime takes for one long past.
"""

import select
import time
from typing import Any


def _sleep(seconds: Any) -> None:
    if seconds < 0:
        raise ValueError("sleep length must be non-negative")
    select.select([], [], [], seconds)


time.sleep = _sleep
