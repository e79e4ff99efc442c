"""One module per subject; each has ``rows(setting)``, which yields the rows it measured."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from typing import Final, cast

from bench.measure import Row, Skipped
from bench.setting import Setting

#: Modules of this package, in the order they run.
NAMES: Final = (
    "desmear",
    "registration",
    "statistics",
    "files",
    "memory",
    "chain",
    "dask",
    "deconvolution",
    "restoration",
    "photometry",
    "series",
    "ingest",
    "reductions",
    "access",
    "search",
    "load",
    "lasco",
    "lars",
    "fluctuation",
    "milne",
    "chrotel",
    "lst",
    "psf",
)

Rows = Callable[[Setting], Iterator[Row | Skipped]]


def rows_of(name: str) -> Rows:
    """The function of a module; imported only now, so that a row alone starts fast."""
    return cast("Rows", importlib.import_module(f"bench.rows.{name}").rows)
