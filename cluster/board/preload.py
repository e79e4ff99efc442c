"""Puts the page into a scheduler's dashboard; loaded by each as it starts, before it makes its pages.

``distributed.scheduler.preload`` names it. A scheduler that was told of no lake (`cluster.board.source`), or
has no Bokeh, goes without the page.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from cluster.board.board import board


def _dashboard() -> Any:
    """Dask's module of its pages; None where there are none."""
    try:
        from distributed.dashboard import scheduler
    except ImportError:  # Bokeh is absent, or not one that Dask takes
        return None
    return scheduler


def _add_page() -> None:
    found, dashboard = board(), _dashboard()
    if found is not None and dashboard is not None:
        from cluster.board.page import NAME, document

        dashboard.applications[f"/{NAME}"] = partial(document, found)


def dask_setup(scheduler: Any) -> None:
    """Put the page into the navigation of all pages, where there are pages."""
    dashboard = _dashboard()
    if dashboard is None or board() is None:
        return
    from cluster.board.page import NAME

    pages = dashboard.template_variables(scheduler)["pages"]
    if NAME not in pages:
        pages.insert(0, NAME)


def dask_teardown(_scheduler: Any) -> None:
    """Look at the lake no more."""
    found = board()
    if found is not None:
        found.watch.close()


_add_page()
