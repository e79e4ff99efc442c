"""The picture of a result: distributions of the entropy production, and both theorems."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np

from pipeline.errors import Fatal
from pipeline.fluctuation.result import Fluctuation

_COLOURS: Final = "viridis"
_DOTS: Final = 110
#: Paths in a bin that its ratio is shown for.
_FEWEST: Final = 5


def draw(found: Fluctuation, path: Path) -> None:
    """Draw a result as a PNG file.

    Raises
    ------
    pipeline.errors.Fatal
        When there is nothing to draw with.
    """
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise Fatal(
            "pictures need matplotlib, which is not installed: pip install 'heliolake[embedded]'"
        ) from error
    figure = Figure(figsize=(12.0, 8.6), layout="constrained")
    FigureCanvasAgg(figure)
    first, second, third, fourth = figure.subplots(2, 2).ravel()
    colours = _map()(np.linspace(0.0, 0.85, len(found.theorems)))
    _distribution(first, found, colours)
    _detailed(second, found, colours)
    _integral(third, found)
    _transitions(figure, fourth, found)
    origin = found.origin
    figure.suptitle(
        f"{origin['stack'] or 'stack'}: {found.settings.observable}, {found.settings.number} states, "
        f"{found.pixels} pixels, {origin['frames']} frames of {origin['step']:g} s",
        fontsize=12,
    )
    figure.supxlabel(_sentence(found), fontsize=9)
    figure.savefig(path, dpi=_DOTS)


def _map() -> Any:
    import matplotlib as mpl

    return mpl.colormaps[_COLOURS]


def _sentence(found: Fluctuation) -> str:
    failed = [test.says for test in found.tests if not test.holds]
    text = "; ".join(failed) if failed else "no assumption failed"
    return text if len(text) < 160 else f"{text[:157]}…"


def _distribution(axes: Any, found: Fluctuation, colours: Any) -> None:
    for one, colour in zip(found.theorems, colours, strict=True):
        closed = np.isfinite(one.bins.high)
        middle = 0.5 * (one.bins.low + one.bins.high)[closed]
        share = max(one.paths, 1) * found.settings.width
        forward, backward = one.bins.forward[closed] / share, one.bins.backward[closed] / share
        s = np.concatenate([-middle[::-1], middle])
        p = np.concatenate([backward[::-1], forward])
        axes.plot(
            s[p > 0], p[p > 0], ".-", color=colour, markersize=3, linewidth=1, label=f"T = {one.length}"
        )
    axes.set(yscale="log", xlabel="entropy production of a path, s", ylabel="probability density")
    axes.axvline(0.0, color="0.7", linewidth=0.8)
    axes.legend(frameon=False)
    axes.set_title("distribution", loc="left")


def _detailed(axes: Any, found: Fluctuation, colours: Any) -> None:
    top = 1.0
    for one, colour in zip(found.theorems, colours, strict=True):
        bins = one.bins
        shown = np.isfinite(bins.ratio) & (bins.backward >= _FEWEST) & np.isfinite(bins.production)
        s, ratio = bins.production[shown], bins.ratio[shown]
        reach = np.array([ratio - bins.ratio_low[shown], bins.ratio_high[shown] - ratio])
        axes.errorbar(
            s,
            ratio,
            yerr=np.clip(np.nan_to_num(reach), 0.0, None),
            fmt="o",
            color=colour,
            markersize=3,
            linewidth=0.8,
            label=f"T = {one.length}: slope {one.detailed.value:.3f}",
        )
        top = max(top, float(s.max(initial=0.0)))
    axes.plot([0.0, top], [0.0, top], color="0.4", linewidth=1, linestyle="--", label="theorem")
    axes.set(xlabel="s", ylabel="ln p(+s) / p(−s)")
    axes.legend(frameon=False, fontsize=8)
    axes.set_title("detailed theorem", loc="left")


def _integral(axes: Any, found: Fluctuation) -> None:
    lengths = np.array([one.length for one in found.theorems], dtype=float)
    for name, shift, mark in (("integral", 0.97, "o"), ("detailed", 1.03, "s")):
        held = [getattr(one, name) for one in found.theorems]
        value = np.array([one.value for one in held])
        reach = np.array([[one.value - one.low for one in held], [one.high - one.value for one in held]])
        label = "mean of e⁻ˢ" if name == "integral" else "slope"
        axes.errorbar(
            lengths * shift, value, yerr=np.clip(np.nan_to_num(reach), 0.0, None), fmt=mark, label=label
        )
    axes.axhline(1.0, color="0.4", linewidth=1, linestyle="--")
    axes.set(xscale="log", xlabel="transitions of a path, T", xticks=lengths, xticklabels=lengths.astype(int))
    axes.minorticks_off()
    axes.legend(frameon=False)
    axes.set_title(f"both are 1 where they hold ({found.settings.interval:.0%} intervals)", loc="left")


def _transitions(figure: Any, axes: Any, found: Fluctuation) -> None:
    flow = found.chain.stationary[:, None] * found.chain.transition
    current = flow - flow.T
    most = float(np.abs(current).max()) or 1.0
    image = axes.imshow(current, cmap="RdBu_r", vmin=-most, vmax=most, origin="lower")
    figure.colorbar(image, ax=axes, label="p(a) w(a→b) − p(b) w(b→a)", shrink=0.8)
    states = range(0, len(current), max(1, len(current) // 8))
    axes.set(xlabel="to state b", ylabel="from state a", xticks=states, yticks=states)
    axes.set_title(f"net flow: {found.chain.production:.4g} a transition", loc="left")
