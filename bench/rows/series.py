"""The course of single pixels over many frames: from a zarr store made for it, and from the FITS files."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
import xarray as xr
from astropy.io import fits
from numpy.typing import NDArray

from bench.measure import Aim, Row, Skipped, duration, race
from bench.setting import Setting
from cluster.stack.build import build
from cluster.stack.order import Order
from pipeline import Frame
from pipeline.cube.layout import Use, layout_for
from pipeline.stack import as_objects, stack_of

_AIM: Final = Aim(ratio=5.0)
_PIXEL: Final = (5, 7)


def rows(setting: Setting) -> Iterator[Row | Skipped]:
    """Files and store come from the page cache; the store is opened anew every time, as the files are."""
    size, count = setting.pick(512, 32), setting.pick(500, 12)
    folder = setting.folder("series")
    paths = _files(folder, size, count)
    begin = time.perf_counter()
    store = build(_order(paths, size), folder / "s.zarr").path
    spent = time.perf_counter() - begin
    run = race(
        {"ours": lambda: _from_store(store), "peer": lambda: _from_files(paths)}, rounds=setting.pick(5, 2)
    )
    same = bool(np.array_equal(run.results["ours"], run.results["peer"]))
    stored = sum(file.stat().st_size for file in store.rglob("*") if file.is_file())
    yield Row(
        f"time series of a pixel, {count} frames of {size}²",
        run.times["ours"],
        run.times["peer"],
        "astropy, one pixel of every memory-mapped FITS file",
        aim=_AIM,
        notes=(
            f"writing the store took {duration(spent)}, {duration(spent / count)} per frame, in one process",
            f"the store takes {stored / sum(path.stat().st_size for path in paths):.2f} of the files' bytes",
            f"values are {'equal' if same else 'NOT equal'}",
        ),
        numbers={"write_seconds_per_frame": spent / count, "equal": float(same)},
    )


def _files(folder: Path, size: int, count: int) -> list[Path]:
    rng = np.random.default_rng(1)
    sky = rng.normal(1000, 100, (size, size))
    paths = [folder / f"f{number:04d}.fits" for number in range(count)]
    for path in paths:
        image = np.round(sky + rng.normal(0, 30, (size, size)), 1).astype(np.float32)
        fits.writeto(path, image, fits.Header({"BUNIT": "DN"}))
    return paths


def _order(paths: list[Path], size: int) -> Order:
    def frames(start: int, stop: int) -> xr.Dataset:
        chosen = paths[start:stop]
        made = stack_of([Frame.of(fits.getdata(path), fits.getheader(path), path.name) for path in chosen])
        names = as_objects([path.name for path in chosen])
        return made.assign(release=("time", names), sha256=("time", names))

    minutes = np.arange(len(paths)) * np.timedelta64(60, "s")
    layout = layout_for(Use.SERIES, {"y": size, "x": size})
    return Order(frames, [path.name for path in paths], np.datetime64("2020-01-01", "ns") + minutes, layout)


def _from_store(store: Path) -> NDArray[Any]:
    y, x = _PIXEL
    return np.asarray(xr.open_zarr(store)["image"][:, y, x].values)


def _from_files(paths: list[Path]) -> NDArray[Any]:
    made = np.empty(len(paths), np.float32)
    for number, path in enumerate(paths):
        with fits.open(path, memmap=True) as units:
            made[number] = units[0].data[_PIXEL]
    return made
