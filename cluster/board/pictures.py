"""Small pictures of the latest frames, made by a process of its own and kept for a while."""

from __future__ import annotations

import base64
import binascii
import json
import logging
import math
import subprocess
import sys
import threading
import time
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from typing import IO, Any, Final, NamedTuple, cast

from cluster.board.named import PAINTER
from cluster.board.source import Source
from lake.errors import HeliolakeLakeError
from lake.grant import Grant
from lake.lake import Lake
from lake.releases.latest import LatestFrame

_log = logging.getLogger(__name__)

_KEPT: Final = 64
#: Pixels of a frame beyond which no picture is made of it.
_LARGEST: Final = 1 << 26
#: Seconds that all pictures of one round may take on a busy machine, and after which one that failed is tried
#: again.
PATIENCE: Final = 180.0
_AGAIN: Final = 120.0


class Picture(NamedTuple):
    """A PNG in base64; '' where none could be made."""

    png: str
    made: float

    @property
    def stands(self) -> bool:
        """Whether it need not be made again."""
        return bool(self.png) or time.monotonic() - self.made < _AGAIN


class Gallery:
    """Pictures of frames that may be seen by everybody; no call waits.

    Whether a frame may be seen is decided at every look (`LatestFrame.grant`): a picture that was made before
    its frame was withdrawn is kept here for a while, and shown no more.

    Parameters
    ----------
    source
        Where the lake is.
    """

    def __init__(self, source: Source) -> None:
        self._source = source
        self._kept: OrderedDict[int, Picture] = OrderedDict()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self.version = 0

    def of(self, frame: LatestFrame) -> str | None:
        """The picture of a frame; '' where none can be made, None where it is not made yet or not allowed."""
        kept = self._kept.get(frame.id)
        return None if frame.grant is None or kept is None else kept.png

    def want(self, frames: Sequence[LatestFrame]) -> None:
        """Have pictures made of those that are allowed and have none."""
        with self._lock:
            if self._thread is not None:
                return
            absent = [
                frame
                for frame in frames
                if frame.grant is not None and not ((kept := self._kept.get(frame.id)) and kept.stands)
            ]
            if absent:
                self._thread = threading.Thread(
                    target=self._make, args=(absent,), name="heliolake-pictures", daemon=True
                )
                self._thread.start()

    def _make(self, frames: Sequence[LatestFrame]) -> None:
        made: set[int] = set()
        try:
            with self._source.lake() as lake:
                orders = [
                    _order(lake, frame.grant, frame)
                    for frame in frames
                    if frame.grant is not None and math.prod(frame.shape) <= _LARGEST
                ]
            for number, png in painted(orders):
                self._keep(number, png)
                made.add(number)
        except (HeliolakeLakeError, OSError) as error:
            _log.info("no pictures for the dashboard: %s", error)
        except Exception:
            _log.exception("no pictures for the dashboard")
        for frame in frames:
            if frame.id not in made:
                self._keep(frame.id, "")
        with self._lock:
            self._thread = None

    def _keep(self, number: int, png: str) -> None:
        with self._lock:
            self._kept[number] = Picture(png, time.monotonic())
            self._kept.move_to_end(number)
            while len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
            self.version += 1


def _order(lake: Lake, grant: Grant, frame: LatestFrame) -> dict[str, Any]:
    """What the painter has to know of a frame."""
    return {
        "id": frame.id,
        "ref": lake.ref(grant, frame.scope, frame.name, frame.sha256).text,
        "hdu": frame.image_hdu,
        "shape": frame.shape,
        "instrument": frame.scope,
        "level": frame.level,
        "meta": frame.meta,
    }


def painted(orders: Sequence[dict[str, Any]], patience: float = PATIENCE) -> Iterator[tuple[int, str]]:
    """Pictures, each with the number of its file, as a process of its own makes them.

    Parameters
    ----------
    orders
        What `cluster.board.paint` reads.
    patience
        Seconds after which the process is ended.
    """
    wanted = {int(one["id"]) for one in orders}
    if not wanted:
        return
    with subprocess.Popen(
        [sys.executable, "-m", PAINTER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as painter:
        late = threading.Timer(patience, painter.kill)
        late.daemon = True
        late.start()
        try:
            with cast("IO[bytes]", painter.stdin) as asked:
                asked.write(json.dumps(list(orders), default=str).encode())
            for line in cast("IO[bytes]", painter.stdout):
                number, _, png = line.decode("ascii", "replace").rstrip().partition(" ")
                if number.isdigit() and int(number) in wanted and _is_png(png):
                    yield int(number), png
        finally:
            late.cancel()
            painter.kill()


def _is_png(text: str) -> bool:
    """Whether it is what goes into the page as it is: nothing but a PNG in base64."""
    try:
        return base64.b64decode(text, validate=True).startswith(b"\x89PNG")
    except (ValueError, binascii.Error):
        return False
