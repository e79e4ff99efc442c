"""Logs of Dask workers without escape sequences: what they log holds headers, reasons and names of files.

Loaded by every worker as it starts (``distributed.worker.preload``).
"""

from __future__ import annotations

import logging
from typing import Any

from lake.text import PlainFormatter


def dask_setup(worker: Any) -> None:
    """Let what has no handler of its own, our modules, and Dask itself log in plain text."""
    handlers = [*logging.getLogger().handlers, *logging.getLogger("distributed").handlers]
    for handler in (*handlers, logging.lastResort):
        if handler is not None:
            PlainFormatter.install(handler)
