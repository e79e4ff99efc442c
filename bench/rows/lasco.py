"""LASCO level 0.5 → 1 in memory, against a straightforward chain of numpy and scipy."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray
from scipy.interpolate import LinearNDInterpolator
from scipy.ndimage import map_coordinates

from bench.measure import Aim, Row, Skipped, race
from bench.setting import Setting
from pipeline.frame import Frame
from pipeline.instruments.soho_lasco import tables
from pipeline.instruments.soho_lasco.simulate import SimulationConfig, simulate, write_calibration
from pipeline.known_references import recognise_reference
from pipeline.recipe import recipes
from pipeline.registry import instrument
from pipeline.running import run_chain
from pipeline.step import ReferenceFile
from pipeline.testing import reference

_AIM: Final = Aim(ratio=10.0)
_MORE: Final = (
    "both make the image and all statistics, and know what did not come; ours carries every flag, and writes "
    "the header and the provenance of every step besides"
)
_KEPT: Final = (
    "the peer looks for the places of pixels in each image, as c2_warp.pro does, ours once for all alike; a "
    "peer that is given them"
)
F64 = NDArray[np.float64]


def rows(setting: Setting) -> Iterator[Row | Skipped]:
    """One row: C2 at full resolution, and its half in a quick run."""
    config = SimulationConfig(summing=setting.pick(1, 2), front=4.0)
    made = simulate(config)
    frame = Frame.of(made.data, made.header, made.filename)
    references = _references(setting.folder("lasco"), config)
    instrument("soho_lasco")
    chain = recipes()["soho_lasco-l1"].bind()
    vignetting = _vignetting(references["vignetting"].path)
    peer = partial(_plain, made.data, made.header, vignetting)
    kept = partial(_plain, made.data, made.header, vignetting, _displaced(made.data.shape, config.summing))
    ours = partial(run_chain, frame, chain, references, level="1")
    found, outcome = ours()
    if found is None:
        raise RuntimeError(f"the frame of the benchmark was {outcome.status}: {outcome.reason}")
    image, _ = peer()
    away = _difference(found.data, image)
    run = race({"ours": ours, "peer": peer, "kept": kept}, rounds=setting.pick(7, 2), budget=120.0)
    mapped = run.times["kept"].median
    yield Row(
        f"LASCO C2 level 0.5 → 1, {made.data.shape[0]}²",
        run.times["ours"],
        run.times["peer"],
        "numpy + scipy, in memory",
        aim=_AIM,
        notes=(
            _MORE,
            f"{_KEPT}: {1e3 * mapped:.0f} ms, {mapped / run.times['ours'].median:.1f}× ours",
            f"results differ by {away:.1e} of the value (median of pixels both have)",
        ),
        numbers={f"ours {name}": seconds for name, seconds in outcome.seconds.items()},
    )


def _references(folder: Path, config: SimulationConfig) -> dict[str, ReferenceFile]:
    found = {}
    for path in write_calibration(folder, [config]):
        known = recognise_reference(path)
        if known is not None:
            found[known.need] = reference(known.need, path)
    return found


def _vignetting(path: str) -> F64:
    """Read once, as it is by ours."""
    return np.asarray(np.clip(fits.getdata(path).astype(np.float64), 0.0, 100.0))


def _plain(
    data: NDArray[np.int32], header: fits.Header, vignetting: F64, places: F64 | None = None
) -> tuple[F64, dict[str, float]]:
    """The mission's steps as ports of its programs write them; `places`: what `_displaced` found, if kept."""
    summing, mjd = int(header["LEBXSUM"]), int(header["MID_DATE"])
    image = data.astype(np.float64)
    absent = _absent(image)
    bias = (tables.bias("C2", "C", mjd) or 0.0) * summing**2
    factor = (tables.calibration_factor("C2", "ORANGE", "CLEAR", mjd) or 0.0) / summing**2
    side = tables.CCD_SIZE // summing
    rebinned = vignetting.reshape(side, summing, side, summing).mean(axis=(1, 3))
    image = (image - bias) * factor / (header["EXPTIME"] * 1.00108) * rebinned
    seen = np.where(absent | (rebinned == 0), 0.0, 1.0)
    places = _displaced(image.shape, summing) if places is None else places
    image, seen = (map_coordinates(plane, places, order=1, cval=np.nan) for plane in (image, seen))
    image = np.where(seen > 0.999, image, np.nan)
    return image, _statistics(image) | _mission_statistics(image)


def _absent(image: F64) -> NDArray[np.bool_]:
    """Pixels of blocks of telemetry in which nothing came."""
    rows, columns = (size // tables.BLOCK for size in image.shape)
    empty = image.reshape(rows, tables.BLOCK, columns, tables.BLOCK).max(axis=(1, 3)) <= 0
    return np.repeat(np.repeat(empty, tables.BLOCK, axis=0), tables.BLOCK, axis=1)


def _displaced(shape: tuple[int, ...], summing: int) -> F64:
    """Rows and columns that pixels are taken from: control points, a triangulation, linear between them."""
    along = np.arange(33.0) * tables.GRID
    x, y = (plane.ravel() for plane in np.meshgrid(along, along))
    xc, yc = tables.OPTICAL_CENTRE["C2"]
    distance = np.hypot(x - xc, y - yc)
    moved = distance + np.array([tables.displacement("C2", one) for one in distance])
    angle = np.arctan2(y - yc, x - xc)
    tie = np.column_stack([x, y]) / summing
    rows, columns = np.indices(shape, dtype=np.float64)
    taken = np.column_stack([yc + moved * np.sin(angle), xc + moved * np.cos(angle)]) / summing
    return np.moveaxis(LinearNDInterpolator(tie, taken)(columns, rows), -1, 0)


_PERCENTILES: Final = (1, 10, 25, 50, 75, 90, 95, 98, 99)


def _statistics(image: F64) -> dict[str, float]:
    """Those that SOLARNET asks for."""
    used = image[np.isfinite(image)]
    mean, sigma = used.mean(), used.std()
    away = (used - mean) / sigma
    square = away * away
    return {
        "min": used.min(),
        "max": used.max(),
        "mean": mean,
        "rms": sigma,
        "skewness": (square * away).mean(),
        "kurtosis": (square * square).mean() - 3.0,
        "mad": np.abs(away).mean() * sigma,
        **_percentiles(used),
    }


def _mission_statistics(image: F64) -> dict[str, float]:
    """Those of reduce_statistics2.pro, but for its way of counting percentiles."""
    used = image[image > 0]
    return {
        "DATAMIN": used.min(),
        "DATAMAX": used[used < used.max()].max(),
        "DATAZER": image.size - used.size,
        "DATAAVG": used.mean(),
        "DATASIG": used.std(ddof=1),
        **{f"DATAP{percent}": value for percent, value in _percentiles(used).items()},
    }


def _percentiles(values: F64) -> dict[str, float]:
    which = (1, 10, 25, 50, 75, 90, 95, 98, 99)
    return {
        f"{percent:02d}": found for percent, found in zip(which, np.percentile(values, which), strict=True)
    }


def _difference(ours: NDArray[Any], peer: NDArray[Any]) -> float:
    both = np.isfinite(ours) & np.isfinite(peer) & (peer > 0)
    return float(np.median(np.abs(ours[both] / peer[both] - 1)))
