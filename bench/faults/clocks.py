"""Processes whose clocks are wrong: libfaketime, where it is installed."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path
from typing import Final

_DEBIAN: Final = Path("/usr/lib")
_SLEPT: Final = Path(__file__).parent / "slept"


def library() -> Path | None:
    """The library, of Debian's package or of PyPI's."""
    found = importlib.util.find_spec("libfaketime")
    ours = (
        [] if found is None or found.origin is None else Path(found.origin).parent.rglob("libfaketime.so.1")
    )
    return next(iter([*_DEBIAN.glob("*/faketime/libfaketimeMT.so.1"), *ours]), None)


def ahead(seconds: int) -> dict[str, str]:
    """Variables of a process whose clock is so many seconds ahead; what it waits for takes no longer."""
    return {
        "LD_PRELOAD": str(library()),
        "FAKETIME": f"+{seconds}s",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "FAKETIME_NO_CACHE": "1",
        "PYTHONPATH": os.pathsep.join(filter(None, [str(_SLEPT), os.environ.get("PYTHONPATH")])),
    }
