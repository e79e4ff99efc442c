"""The result as a FITS file of tables, and the picture beside it; docs/fluctuation.md has the format."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterable
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any, Final

import numpy as np
from astropy.io import fits

from pipeline.fluctuation.plot import draw
from pipeline.fluctuation.result import Fluctuation

_LIBRARIES: Final = ("numpy", "scipy", "numba")


def write(found: Fluctuation, path: Path | str, *, picture: bool = True) -> tuple[Path, ...]:
    """Write a result.

    Parameters
    ----------
    found
        What an analysis found.
    path
        Of the FITS file.
    picture
        Whether a PNG of the same name is written beside it.

    Returns
    -------
    tuple of Path
        What was written.
    """
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    # Under a name of its own until it is whole.
    meanwhile = target.with_name(f".{target.name}.{os.getpid()}")
    units(found, target.name).writeto(meanwhile, overwrite=True, checksum=True)
    meanwhile.replace(target)
    if not picture:
        return (target,)
    beside = target.with_suffix(".png")
    draw(found, beside)
    return target, beside


def units(found: Fluctuation, name: str) -> fits.HDUList:
    """All parts of the file."""
    return fits.HDUList(
        [
            fits.PrimaryHDU(header=_header(found, name)),
            fits.ImageHDU(found.chain.transition, name="TRANSITION"),
            fits.ImageHDU(found.pairs, name="COUNTS"),
            _states(found),
            _assumptions(found),
            _theorems(found),
            _distributions(found),
        ]
    )


def _header(found: Fluctuation, name: str) -> fits.Header:
    settings, origin = found.settings, found.origin
    header = fits.Header()
    cards: dict[str, tuple[Any, str]] = {
        "FILENAME": (name, ""),
        "DATE": (f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S}", "when it was made, UTC"),
        "CREATOR": ("heliolake fluctuation", ""),
        "VERS_SW": (metadata.version("heliolake"), "version of Heliolake"),
        "LIBRARY": (", ".join(f"{one} {metadata.version(one)}" for one in _LIBRARIES), ""),
        "STACK": (str(origin["stack"]), "the stack"),
        "STACKSUM": (str(origin["values_sha256"]), ""),
        "FRAMESUM": (str(origin["frames_sha256"]), ""),
        "OBSERVAB": (settings.observable, "variable of the stack"),
        "OBSOF": (settings.of, "what of its values"),
        "OBSUNIT": (str(origin["unit"]), "unit of the variable"),
        "NFRAMES": (origin["frames"], "frames of the stack"),
        "DATE-BEG": (origin["first"], "first frame, UTC"),
        "DATE-END": (origin["last"], "last frame, UTC"),
        "CADENCE": (origin["step"], "[s] from frame to frame"),
        "NSTATES": (settings.number, "states"),
        "LENGTHS": (", ".join(map(str, settings.lengths)), "transitions of paths"),
        "SEED": (settings.seed, "of the bootstrap"),
        "DRAWS": (settings.draws, "of the bootstrap"),
        "INTERVAL": (settings.interval, "probability of intervals"),
        "NPIXELS": (found.pixels, "pixels with a value"),
        "NSQUARES": (found.squares, "squares of pixels that were drawn"),
        "NTRANSIT": (int(found.pairs.sum()), "transitions counted"),
        "SPREAD": (found.scale, "squares differ so much more than by chance"),
        "ENTROPY": (found.chain.production, "mean production of a transition"),
        "ASSUMED": (found.assumptions_hold, "whether no assumption failed"),
    }
    for keyword, card in cards.items():
        header[keyword] = card
    header["SETTINGS"] = json.dumps(settings.model_dump(mode="json"))
    for number, release in enumerate(origin["releases"], start=1):
        header[f"PARENT{number}"] = release
    for number, sentence in enumerate(found.said(), start=1):
        header[f"CAVEAT{number}"] = sentence
    return header


def _states(found: Fluctuation) -> fits.BinTableHDU:
    seen = found.pairs.sum(axis=(0, 1))
    number = len(found.chain.stationary)
    lower = np.full(number, np.nan)
    upper = np.full(number, np.nan)
    if len(found.edges):
        lower[0], lower[1:] = -math.inf, found.edges
        upper[-1], upper[:-1] = math.inf, found.edges
    return _table(
        "STATES",
        ("state", "lower", "upper", "reached", "stationary"),
        zip(range(number), lower, upper, seen, found.chain.stationary, strict=True),
    )


def _assumptions(found: Fluctuation) -> fits.BinTableHDU:
    return _table("ASSUMPTIONS", found.tests[0]._fields, found.tests)


def _theorems(found: Fluctuation) -> fits.BinTableHDU:
    names = ("length", "paths", "still", "mean", "deviation", "expected", "detailed", "detailed_low")
    more = ("detailed_high", "integral", "integral_low", "integral_high", "effective", "holds", "doubt")
    rows = [
        (
            *(one.length, one.paths, one.still, one.mean, one.deviation, one.expected),
            *(*one.detailed, *one.integral, one.effective),
            {True: "yes", False: "no", None: "not told"}[one.holds],
            one.doubt,
        )
        for one in found.theorems
    ]
    return _table("THEOREMS", (*names, *more), rows)


def _distributions(found: Fluctuation) -> fits.BinTableHDU:
    names = ("length", *found.theorems[0].bins._fields)
    rows = [(one.length, *row) for one in found.theorems for row in zip(*one.bins, strict=True)]
    return _table("DISTRIBUTION", names, rows)


def _table(name: str, columns: Iterable[str], rows: Iterable[Iterable[Any]]) -> fits.BinTableHDU:
    names, held = tuple(columns), [tuple(row) for row in rows]
    made = []
    for place, column in enumerate(names):
        values = [row[place] for row in held]
        if any(isinstance(value, str) for value in values):
            length = max((len(value) for value in values), default=1) or 1
            made.append(fits.Column(column, f"{length}A", array=np.array(values, dtype=f"U{length}")))
        elif all(isinstance(value, (bool, np.bool_)) for value in values) and values:
            made.append(fits.Column(column, "L", array=np.array(values)))
        elif all(isinstance(value, (int, np.integer)) for value in values) and values:
            made.append(fits.Column(column, "K", array=np.array(values, np.int64)))
        else:
            made.append(fits.Column(column, "D", array=np.array(values, np.float64)))
    return fits.BinTableHDU.from_columns(made, name=name)
