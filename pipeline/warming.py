"""Compiling ahead, into Numba's cache on disk, what a worker would else compile while a run waits for it."""

from __future__ import annotations

import importlib
import importlib.util

from pipeline import kernels
from pipeline.registry import modules


def warm() -> None:
    """Compile every kernel, and what instruments' recipes need beside them: ``warm()`` of their ``warming``.

    Takes a minute or two of one processor on a fresh machine and next to nothing afterwards.
    """
    kernels.warm()
    for module in modules().values():
        if importlib.util.find_spec(f"{module}.warming"):
            importlib.import_module(f"{module}.warming").warm()
