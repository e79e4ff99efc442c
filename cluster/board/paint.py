"""Makes small pictures of frames, apart from the scheduler: reading a large file is not for its process.

Run as ``python -m cluster.board.paint``: reads a JSON list of orders from stdin, writes a line for each
picture: number, PNG in base64. It gives way to everything else, and ends by itself, whoever started it.
"""

from __future__ import annotations

import base64
import json
import logging
import os
import resource
import signal
import sys
from typing import Any, Final

import numpy as np

from lake.errors import HeliolakeLakeError
from lake.fits.check import QUALITY_EXTNAME
from lake.fits.io import find_hdu, read_image
from lake.storage.opening import local_copy
from lake.storage.store import Ref
from pipeline.errors import HeliolakeError
from pipeline.preview import render, rule_for
from pipeline.registry import instruments

#: Seconds of a processor, and of the clock.
_SECONDS: Final = 60
_CLOCK: Final = 200
_MEMORY: Final = 8 << 30
_SIZE: Final = 224
"""Pixels of a picture: twice what the page shows, for screens that have so many."""

_log = logging.getLogger(__name__)


def main() -> None:
    """Make the pictures that are asked for on stdin."""
    os.nice(10)
    signal.alarm(_CLOCK)
    resource.setrlimit(resource.RLIMIT_CPU, (_SECONDS, _SECONDS))
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    for order in json.load(sys.stdin):
        try:
            png = picture(order)
        except (HeliolakeLakeError, HeliolakeError, OSError, ValueError, MemoryError) as error:
            _log.warning("no picture of %s: %s", order["ref"], error)
        else:
            print(order["id"], base64.b64encode(png).decode("ascii"), flush=True)


def picture(order: dict[str, Any]) -> bytes:
    """A PNG of one frame.

    Parameters
    ----------
    order
        ``ref`` of the file, ``hdu`` and ``shape`` of the image, ``instrument``, ``level``, and ``meta`` for
        its colours.
    """
    known = instruments().get(order["instrument"])
    axes = len(order["shape"]) or 2
    with local_copy(Ref.of_text(order["ref"])) as path:
        url = path.as_uri()
        blank = known.blank_is_missing if known else True
        read = read_image(url, order["hdu"], blank_is_missing=blank, axes=axes)
        flags = find_hdu(url, QUALITY_EXTNAME) if axes == 2 else None
        quality = None if flags is None else read_image(url, flags).data.astype(np.uint16)
    rule = rule_for(known.preview if known else (), order["level"])
    return render(read.data, quality, rule, order["meta"], size=_SIZE)


if __name__ == "__main__":
    main()
