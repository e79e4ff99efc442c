"""Heliolake: the front door, for the command line and for notebooks.

Examples
--------
>>> import heliolake
>>> lake = heliolake.connect()                    # the services run: heliolake up
>>> found = lake.search(instrument="stereo_hi", level="1")
>>> found[0].stack()                              # a lazy xarray.Dataset
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from heliolake.neighbours import require_own

if TYPE_CHECKING:
    from heliolake.notebook import Connection, connect
    from heliolake.results import Observation, Results
    from heliolake.series import fluctuation

__all__ = ["Connection", "Observation", "Results", "connect", "fluctuation"]


require_own()


def __getattr__(name: str) -> Any:
    # The command line imports this package too and must start at once: xarray comes when it is asked for.
    if name == "fluctuation":
        from heliolake import series

        return series.fluctuation
    if name in __all__:
        from heliolake import notebook

        return getattr(notebook, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
