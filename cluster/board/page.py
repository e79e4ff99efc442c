"""The page itself: a Bokeh document whose parts are filled anew when something else was seen."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import distributed
from bokeh.models import ColumnDataSource, Div, HoverTool, InlineStyleSheet, NumeralTickFormatter, Range1d
from bokeh.plotting import figure
from jinja2 import ChoiceLoader, Environment, FileSystemLoader

from cluster.board import parts
from cluster.board.board import Board
from cluster.board.watch import Seen
from cluster.board.workers import workers_of
from lake.ledger.overview import HOUR, Overview

NAME: Final = "heliolake"
_EVERY_MS: Final = 1000
_HERE: Final = Path(__file__).parent
_DASKS: Final = Path(distributed.__file__).parent / "http" / "templates"
#: What is filled, in the order of the template.
_PARTS: Final = ("headline", "figures", "runs", "steps", "sites", "frames", "workers", "quarantine")
_INK: Final = "#808893"
"""Reads on light ground and on dark."""


def document(board: Board, scheduler: Any, extra: dict[str, Any], doc: Any) -> None:
    """Fill one browser's document; what Dask calls for every page that is opened.

    Parameters
    ----------
    board
        Who looks at the lake.
    scheduler
        The scheduler.
    extra
        What Dask's templates are given.
    doc
        The document.
    """
    # Dask's frame around the page holds nothing from outside; the text of the page is escaped by itself.
    loaders = [FileSystemLoader(_HERE), FileSystemLoader(_DASKS)]
    doc.title = "Heliolake"
    doc.template = Environment(loader=ChoiceLoader(loaders), autoescape=False).get_template(  # noqa: S701
        "page.html"
    )
    doc.template_variables.update(extra)
    page = Page(board, scheduler)
    for root in (*page.parts.values(), page.speed):
        doc.add_root(root)
    page.update()
    doc.add_periodic_callback(page.update, _EVERY_MS)


class Page:
    """What one browser shows.

    Parameters
    ----------
    board
        Who looks at the lake.
    scheduler
        The scheduler, whose workers are shown.
    """

    def __init__(self, board: Board, scheduler: Any) -> None:
        self._board, self._scheduler = board, scheduler
        style = InlineStyleSheet(css=(_HERE / "page.css").read_text())
        # Without mathematics: a name with two dollar signs is a name.
        self.parts = {
            name: Div(
                name=name, stylesheets=[style], sizing_mode="stretch_width", margin=0, disable_math=True
            )
            for name in _PARTS
        }
        self._bars = ColumnDataSource(data=_bars(None, {}))
        self.speed = _speed(self._bars)
        self._shown: tuple[Seen | None, int] = (None, -1)

    def update(self) -> None:
        """Show what was seen last; nothing is asked of anybody who could keep us waiting."""
        seen, gallery = self._board.watch.ask(), self._board.gallery
        gallery.want(seen.frames)
        known = workers_of(self._scheduler)
        self._fill("headline", parts.headline(seen))
        self._fill("workers", parts.workers(known))
        overview = seen.overview
        if overview is None:
            return
        self._fill("figures", parts.figures(overview, known))
        if self._shown == (seen, gallery.version):
            return
        self._shown = (seen, gallery.version)
        self._fill("runs", parts.runs(overview))
        self._fill("steps", parts.steps(overview))
        self._fill("sites", parts.sites(overview, seen.sites))
        self._fill("quarantine", parts.quarantine(overview))
        self._fill("frames", parts.frames(overview, seen.frames, gallery.of))
        self._bars.data = _bars(overview, parts.colours(seen.sites))
        self.speed.x_range.start, self.speed.x_range.end = _hour(overview.at)

    def _fill(self, name: str, text: str) -> None:
        if self.parts[name].text != text:  # what is the same is not sent again
            self.parts[name].text = text


def _bars(overview: Overview | None, inks: Mapping[str, str]) -> dict[str, list[Any]]:
    """Units of each minute of the last hour, site on site."""
    columns: dict[str, list[Any]] = {
        name: [] for name in ("left", "right", "bottom", "top", "colour", "site", "units", "troubles")
    }
    found = overview.minutes if overview else ()
    height: dict[datetime, int] = {}
    for one in found:
        begin, bottom = 1000.0 * one["minute"].timestamp(), height.get(one["minute"], 0)
        height[one["minute"]] = bottom + one["units"]
        row = {
            "left": begin + 4_000,
            "right": begin + 56_000,
            "bottom": bottom,
            "top": bottom + one["units"],
            "colour": inks.get(one["site"], _INK),
            "site": one["site"],
            "units": one["units"],
            "troubles": one["troubles"],
        }
        for name, value in row.items():
            columns[name].append(value)
    return columns


def _hour(now: datetime) -> tuple[float, float]:
    end = 1000.0 * now.timestamp() + 60_000
    return end - 60_000 * (HOUR + 1), end


def _speed(bars: ColumnDataSource) -> Any:
    """Units per minute over the last hour."""
    drawn = figure(
        name="speed",
        x_axis_type="datetime",
        x_range=Range1d(*_hour(datetime.now(UTC))),
        height=190,
        sizing_mode="stretch_width",
        margin=0,
        toolbar_location=None,
        tools="",
        background_fill_alpha=0.0,
        border_fill_alpha=0.0,
        outline_line_color=None,
        min_border=8,
    )
    drawn.quad(
        left="left", right="right", bottom="bottom", top="top", color="colour", line_alpha=0.0, source=bars
    )
    drawn.add_tools(
        HoverTool(
            tooltips=[("site", "@site"), ("units", "@units"), ("put aside or failed", "@troubles")],
            attachment="above",
        )
    )
    drawn.y_range.start = 0
    drawn.xgrid.grid_line_color = None
    drawn.ygrid.grid_line_color, drawn.ygrid.grid_line_alpha = _INK, 0.25
    drawn.yaxis.formatter = NumeralTickFormatter(format="0,0")
    for axis in (drawn.xaxis, drawn.yaxis):
        axis.axis_line_color = axis.major_tick_line_color = _INK
        axis.minor_tick_line_color = None
        axis.major_label_text_color = _INK
    return drawn
