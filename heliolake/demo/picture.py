"""Drawing of the demonstration's stories."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from heliolake.demo.stories import Panel, Profile, Story

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BACKGROUND = "#10141c"
TEXT = "#e8eaf0"
SOFT = "#9aa3b5"
ACCENT = "#ffb545"
NOTHING = "#3a4150"
"""Colour of pixels that hold no value."""
LINES = ("#7f8aa3", "#ffb545", "#5cc8ff")
DPI = 110
EXPLAINED = (
    "Grey pixels hold no value. Ticks: solar longitude and latitude (helioprojective); dotted: the limb."
)

_WIDTH, _GAP, _MARGIN = 3.45, 0.2, 0.3
"""Inches: width of a panel, space between panels, margin of the page."""
_HEAD, _TITLES, _FOOT = 0.65, 0.92, 0.8
"""Inches: head of the page, headings above a row's images, colour bars and space below them."""


def write_picture(stories: Sequence[Story], path: Path) -> None:
    """One PNG of all stories, a row each.

    Parameters
    ----------
    stories
        Rows, from top to bottom.
    path
        The file to write.
    """
    heights = [_row_height(story) for story in stories]
    page = _Page(_MARGIN + 4 * (_WIDTH + _GAP) + 0.1, _HEAD + sum(heights))
    page.text(_MARGIN, 0.34, "Heliolake", color=ACCENT, size=20, weight="bold")
    page.text(_MARGIN + 1.75, 0.36, "raw FITS in, versioned and science-ready FITS out", color=SOFT, size=13)
    right = _MARGIN + 4 * _WIDTH + 3 * _GAP
    page.text(right, 0.36, EXPLAINED, color=SOFT, size=10, ha="right")
    top = _HEAD
    for story, height in zip(stories, heights, strict=True):
        _draw_row(page, story, top)
        top += height
    page.figure.savefig(path, dpi=DPI, facecolor=BACKGROUND)


def panel_png(panel: Panel | Profile) -> bytes:
    """One panel as the bytes of a PNG, for the page."""
    width, foot = 2.9, 0.58  # inches; small, so that the numbers can be read when four stand side by side
    if isinstance(panel, Profile):
        page = _Page(width, width + foot)
        _draw_profile(page.axes(0.58, 0.08, width - 0.66, width - 0.1), panel)
    else:
        height = width * int(panel.image.shape[0]) / int(panel.image.shape[1])
        page = _Page(width, height + foot)
        bar = page.axes(0.06, height + 0.1, width - 0.12, 0.09)
        _draw_panel(page.figure, page.axes(0, 0, width, height), panel, bar)
    stream = io.BytesIO()
    page.figure.savefig(stream, dpi=170, facecolor=BACKGROUND, format="png")
    return stream.getvalue()


def bare_jpeg(panel: Panel) -> bytes:
    """The image alone, pixel for pixel (enlarged when small), for laying two over each other."""
    from PIL import Image as Pillow

    colours = _colours(panel)
    values = colours(_norm(panel)(np.ma.masked_invalid(panel.image[::-1])), bytes=True)
    image = Pillow.fromarray(np.ascontiguousarray(values[..., :3]))
    factor = max(1, round(640 / max(panel.image.shape)))
    if factor > 1:
        image = image.resize((image.width * factor, image.height * factor), Pillow.Resampling.NEAREST)
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=90)
    return stream.getvalue()


def _figure(width: float, height: float) -> Figure:
    # Figure and canvas directly: pyplot keeps figures alive and looks for a display.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), facecolor=BACKGROUND)
    FigureCanvasAgg(figure)
    return figure


@dataclass(frozen=True)
class _Page:
    """A figure measured in inches from its upper left corner."""

    width: float
    height: float

    @cached_property
    def figure(self) -> Figure:
        return _figure(self.width, self.height)

    def text(self, x: float, y: float, text: str, **style: Any) -> None:
        self.figure.text(x / self.width, 1 - y / self.height, text, va="center", **style)

    def axes(self, x: float, y: float, width: float, height: float) -> Axes:
        box = (x / self.width, 1 - (y + height) / self.height, width / self.width, height / self.height)
        return self.figure.add_axes(box)


def _row_height(story: Story) -> float:
    return _TITLES + _image_height(story) + _FOOT


def _image_height(story: Story) -> float:
    rows, columns = story.panels[0].image.shape
    return _WIDTH * int(rows) / int(columns)


def _draw_row(page: _Page, story: Story, top: float) -> None:
    height = _image_height(story)
    page.text(_MARGIN, top + 0.2, story.heading, color=TEXT, size=14.5, weight="bold")
    page.text(_MARGIN, top + 0.45, story.subheading, color=SOFT, size=9.5, family="monospace")
    if story.measure:
        right = _MARGIN + 4 * _WIDTH + 3 * _GAP
        page.text(
            right, top + 0.25, story.measure.split(" (")[0], color=ACCENT, size=14, weight="bold", ha="right"
        )
    for column, panel in enumerate((*story.panels, story.proof)):
        x = _MARGIN + column * (_WIDTH + _GAP)
        page.text(x, top + _TITLES - 0.14, panel.title, color=TEXT, size=11)
        if isinstance(panel, Profile):
            _draw_profile(page.axes(x + 0.52, top + _TITLES, _WIDTH - 0.52, height), panel)
        else:
            bar = page.axes(x, top + _TITLES + height + 0.1, _WIDTH, 0.1)
            _draw_panel(page.figure, page.axes(x, top + _TITLES, _WIDTH, height), panel, bar)


def _draw_panel(figure: Figure, axes: Axes, panel: Panel, bar: Axes) -> None:
    # Noise that is averaged before it is drawn would look better than it is.
    exact = max(panel.image.shape) <= 300 or panel.stretch == "symmetric"
    drawn = axes.imshow(
        panel.image,
        origin="lower",
        norm=_norm(panel),
        cmap=_colours(panel),
        interpolation="nearest" if exact else "antialiased",
        aspect="equal",
    )
    for edge in axes.spines.values():
        edge.set_visible(False)
    _draw_sky(axes, panel)
    legend = figure.colorbar(drawn, cax=bar, orientation="horizontal", ticks=_ticks(panel))
    legend.outline.set_visible(False)
    legend.ax.xaxis.set_major_formatter(lambda value, _: _number(value))
    legend.ax.minorticks_off()
    labels = legend.ax.get_xticklabels()
    labels[0].set_horizontalalignment("left")  # within the width of the panel
    labels[-1].set_horizontalalignment("right")
    legend.ax.tick_params(colors=SOFT, labelsize=8.5, length=2, pad=2)
    legend.ax.set_xlabel(panel.unit, color=SOFT, size=9, labelpad=1)


def _draw_sky(axes: Axes, panel: Panel) -> None:
    """Ticks in solar coordinates within the image, and the limb; nothing where the header tells nothing."""
    from matplotlib.patheffects import withStroke

    sky = panel.sky
    rows, columns = panel.image.shape[:2]
    # In the corner labels of both edges would lie over each other, and one at the end would be cut off.
    x = [one for one in (sky.x if sky else ()) if 0.08 * columns < one[0] < 0.93 * columns]
    y = [one for one in (sky.y if sky else ()) if 0.09 * rows < one[0] < 0.97 * rows]
    axes.set_xticks([pixel for pixel, _ in x], labels=[label for _, label in x])
    axes.set_yticks([pixel for pixel, _ in y], labels=[label for _, label in y])
    axes.tick_params(direction="in", length=4, width=0.8, color=TEXT, labelcolor=TEXT, labelsize=7)
    axes.tick_params(axis="x", pad=-13)
    axes.tick_params(axis="y", pad=-7)
    for label in axes.get_yticklabels():
        label.set_horizontalalignment("left")
    for label in (*axes.get_xticklabels(), *axes.get_yticklabels()):
        label.set_path_effects([withStroke(linewidth=2, foreground=BACKGROUND)])
    if sky is not None and sky.limb.size:
        limits = axes.get_xlim(), axes.get_ylim()
        axes.plot(sky.limb[0], sky.limb[1], color=TEXT, linewidth=0.9, linestyle=(0, (2, 3)))
        axes.set(xlim=limits[0], ylim=limits[1])


def _draw_profile(axes: Axes, profile: Profile) -> None:
    axes.set_facecolor("#161b26")
    for (label, values), colour, width in zip(profile.lines.items(), LINES, (2.6, 1.1, 1.1), strict=False):
        axes.plot(values, color=colour, linewidth=width, label=label)
    axes.margins(x=0)
    axes.tick_params(colors=SOFT, labelsize=8.5)
    axes.set_xlabel(profile.along, color=SOFT, size=9)
    axes.set_ylabel(profile.unit, color=SOFT, size=9)
    axes.grid(color="#2a3140", linewidth=0.6)
    for edge in axes.spines.values():
        edge.set_color("#2a3140")
    axes.legend(facecolor="#161b26", edgecolor="none", labelcolor=TEXT, fontsize=9, loc="best")


def _norm(panel: Panel) -> Any:
    from matplotlib import colors

    low, high = panel.limits
    if panel.stretch == "sqrt":
        return colors.PowerNorm(0.5, low, high, clip=True)
    if panel.stretch == "log":
        return colors.LogNorm(max(low, high / 1e4), high, clip=True)
    return colors.Normalize(low, high, clip=True)


def _ticks(panel: Panel) -> list[float]:
    low, high = panel.limits
    if panel.stretch == "sqrt":
        return [low + (high - low) * share**2 for share in (0.0, 0.25, 0.5, 0.75, 1.0)]
    if panel.stretch == "log":
        return [float(value) for value in np.geomspace(max(low, high / 1e4), high, 5)]
    return [float(value) for value in np.linspace(low, high, 5)]


def _number(value: float) -> str:
    """Three digits that count, without an exponent where people would not write one."""
    if 1000 <= abs(value) < 1e5:
        return f"{value:.0f}"
    return (
        f"{value:.3g}".replace("e+0", "e").replace("e-0", "e-").replace("e+", "e")
    )  # five fit below a panel


def _colours(panel: Panel) -> Any:
    import matplotlib as mpl

    if panel.colours not in mpl.colormaps:
        import sunpy.visualization.colormaps  # noqa: F401 - registers the instruments' own colours

    return mpl.colormaps[panel.colours].with_extremes(bad=NOTHING)
