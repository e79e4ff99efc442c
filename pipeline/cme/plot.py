"""The picture of a day's ejections, of a recipe's products: ``python -m pipeline.cme.plot FILES -o cme.png``.

The clearest difference with the outline of what was found, the height-time map with the front's crests, and
all heights with their fits.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import astropy.units as u
import numpy as np
from astropy.io import fits
from astropy.table import QTable
from astropy.time import Time

from pipeline.cme import table
from pipeline.errors import BadInput, Fatal, HeliolakeError

#: What the four products are told by: a card, and the type of the second axis.
_KINDS: Final = ("catalogue", "heights", "map", "difference")
_SCALE: Final = 8.0


class Products(NamedTuple):
    """What a recipe with `find_ejections` made of one series."""

    catalogue: QTable
    heights: QTable
    map: fits.PrimaryHDU
    difference: fits.PrimaryHDU


def read(paths: Sequence[Path]) -> Products:
    """The four products of one series, in any order.

    Raises
    ------
    BadInput
        When one of them is missing.
    """
    found: dict[str, Any] = {}
    for path in paths:
        with fits.open(path) as units:
            unit = next(one for one in units if one.header.get("NAXIS", 0) == 2)
            data, header = np.asarray(unit.data, np.float32), unit.header.copy()
        if "QNAME1" in header:
            kind = "heights" if header.get("QNAME2") == "seconds" else "catalogue"
            found[kind] = table.table(data, header)
        else:
            kind = "difference" if "MAPTIME" in header else "map"
            found[kind] = fits.PrimaryHDU(data, header)
    if missing := [kind for kind in _KINDS if kind not in found]:
        raise BadInput(
            "a picture needs the four products of one series",
            file=str(paths[0]) if paths else "",
            keyword="QNAME1",
            found=f"no {', no '.join(missing)}",
            advice="give the files of levels cme, cat, ht and map",
        )
    return Products(*(found[kind] for kind in _KINDS))


def draw(given: Products, path: Path) -> None:
    """Draw them as a PNG file.

    Raises
    ------
    pipeline.errors.Fatal
        When there is nothing to draw with.
    """
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise Fatal("pictures need matplotlib: pip install 'heliolake[embedded]'") from error
    figure = Figure(figsize=(13.0, 8.0), layout="constrained")
    FigureCanvasAgg(figure)
    grid = figure.add_gridspec(2, 2)
    _difference(figure.add_subplot(grid[0, :]), given)
    _map(figure.add_subplot(grid[1, 0]), given)
    _fits(figure.add_subplot(grid[1, 1]), given)
    header = given.map.header
    simulated = "SIMULATED; " if header.get("SIMULATD") else ""
    number = len(given.catalogue)
    figure.suptitle(f"{header.get('DETECTOR', '')} {header['DATEREF'][:10]}: {number} ejections found")
    figure.supxlabel(f"{simulated}found by a program, not validated; plane of the sky", fontsize=9)
    figure.savefig(path, dpi=100)


def _shown(axes: Any, unit: fits.PrimaryHDU, across: float = 1.0) -> None:
    """An image over its coordinates."""
    ends = []
    for axis in (1, 2):
        first, step = unit.header[f"CRVAL{axis}"], unit.header[f"CDELT{axis}"]
        ends += [first - 0.5 * step, first + (unit.header[f"NAXIS{axis}"] - 0.5) * step]
    extent = (ends[0] / across, ends[1] / across, ends[2], ends[3])
    axes.imshow(unit.data, "gray", aspect="auto", vmin=-_SCALE, vmax=_SCALE, origin="lower", extent=extent)
    axes.set_ylabel("solar radii")


def _difference(axes: Any, given: Products) -> None:
    _shown(axes, given.difference)
    at = given.difference.header["MAPTIME"]
    zero = Time(given.difference.header["DATEREF"], scale="utc")
    for row in given.catalogue:
        own = given.heights[given.heights["number"] == row["number"]]
        seconds = (own["time"] - zero).to_value(u.s)
        if not seconds.min() <= at <= seconds.max():
            continue
        height = float(np.interp(at, seconds, own["height"].value))
        middle, half = row["position_angle"].value, 0.5 * row["width"].value
        for turn in (-360.0, 0.0, 360.0):
            axes.plot(
                [middle - half + turn, middle - half + turn, middle + half + turn, middle + half + turn],
                [given.difference.header["CRVAL2"], height, height, given.difference.header["CRVAL2"]],
                color="tab:orange",
            )
    axes.set_xlim(0.0, 360.0)
    axes.set_xlabel("position angle, degrees")
    axes.set_title(f"{(zero + at * u.s).isot[:19]}", fontsize=10)


def _map(axes: Any, given: Products) -> None:
    _shown(axes, given.map, 3600.0)
    angle = given.map.header["FRONTPA"]
    zero = Time(given.map.header["DATEREF"], scale="utc")
    own = given.heights[np.abs(given.heights["position_angle"].value - angle) < 0.01]
    axes.plot((own["time"] - zero).to_value(u.hour), own["height"].value, ".", color="tab:orange", ms=4)
    axes.set_title(f"at position angle {angle:.0f}°", fontsize=10)
    axes.set_xlabel("hours")


def _fits(axes: Any, given: Products) -> None:
    zero = Time(given.map.header["DATEREF"], scale="utc")
    for row in given.catalogue:
        own = given.heights[given.heights["number"] == row["number"]]
        hours = (own["time"] - zero).to_value(u.hour)
        (dots,) = axes.plot(hours, own["height"].value, ".")
        error, acceleration = row["speed_error"].value, row["acceleration"].value
        told = f"{row['number']}: {row['speed'].value:.0f} ± {error:.0f} km/s"
        if np.isfinite(acceleration):
            told += f", {acceleration:.0f} ± {row['acceleration_error'].value:.0f} m/s²"
        for degree in (1, 2) if np.isfinite(acceleration) else (1,):
            course = np.polyfit(hours, own["height"].value, degree)
            label = told if degree == 1 else None
            style = {"color": dots.get_color(), "ls": "-:"[degree - 1], "label": label}
            axes.plot(hours, np.polyval(course, hours), **style)
    axes.set_xlabel("hours")
    if len(given.catalogue):
        axes.legend(fontsize=9)


def main(arguments: Sequence[str] | None = None) -> int:
    """Draw the products of one series."""
    parser = argparse.ArgumentParser(description="The picture of a day's mass ejections.")
    parser.add_argument("files", type=Path, nargs="+", help="products of levels cme, cat, ht and map")
    parser.add_argument("-o", "--output", type=Path, required=True, help="PNG file")
    chosen = parser.parse_args(arguments)
    try:
        draw(read(chosen.files), chosen.output)
    except (HeliolakeError, OSError) as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
