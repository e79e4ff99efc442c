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
F64 = NDArray[np.float64]


def rows(setting: Setting) -> Iterator[Row | Skipped]:
    """One row: C2 at full resolution, and its half in a quick run."""
    config = SimulationConfig(summing=setting.pick(1, 2), front=4.0)
    made = simulate(config)
    frame = Frame.of(made.data, made.header, made.filename)
    references = _references(setting.folder("lasco"), config)
    instrument("soho_lasco")
    chain = recipes()["soho_lasco-l1"].bind()
    peer = partial(_plain, made.data, made.header, _vignetting(references["vignetting"].path))
    ours = partial(run_chain, frame, chain, references, level="1")
    found, outcome = ours()
    if found is None:
        raise RuntimeError(f"the frame of the benchmark was {outcome.status}: {outcome.reason}")
    image, _ = peer()
    away = _difference(found.data, image)
    run = race({"ours": ours, "peer": peer}, rounds=setting.pick(5, 2), budget=120.0)
    yield Row(
        f"LASCO C2 level 0.5 → 1, {made.data.shape[0]}²",
        run.times["ours"],
        run.times["peer"],
        "numpy + scipy, in memory",
        aim=_AIM,
        notes=(
            "ours with flags, header and provenance of every step; the peer makes image and statistics only",
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


def _plain(data: NDArray[np.int32], header: fits.Header, vignetting: F64) -> tuple[F64, dict[str, float]]:
    """The mission's steps as ports of its programs write them."""
    summing, mjd = int(header["LEBXSUM"]), int(header["MID_DATE"])
    image = data.astype(np.float64)
    absent = image <= 0
    bias = (tables.bias("C2", "C", mjd) or 0.0) * summing**2
    factor = (tables.calibration_factor("C2", "ORANGE", "CLEAR", mjd) or 0.0) / summing**2
    side = tables.CCD_SIZE // summing
    rebinned = vignetting.reshape(side, summing, side, summing).mean(axis=(1, 3))
    image = (image - bias) * factor / (header["EXPTIME"] * 1.00108) * rebinned
    seen = np.where(absent | (rebinned == 0), 0.0, 1.0)
    # c2_warp.pro is called twice: for the image, and for the mask of what did not come.
    image, seen = _warped(image, summing), _warped(seen, summing)
    image = np.where(seen > 0.999, image, np.nan)
    return image, _statistics(image)


def _warped(image: F64, summing: int) -> F64:
    """Control points, a triangulation, and bilinear interpolation."""
    along = np.arange(33.0) * tables.GRID
    x, y = (plane.ravel() for plane in np.meshgrid(along, along))
    xc, yc = tables.OPTICAL_CENTRE["C2"]
    distance = np.hypot(x - xc, y - yc)
    moved = distance + np.array([tables.displacement("C2", one) for one in distance])
    angle = np.arctan2(y - yc, x - xc)
    tie = np.column_stack([x, y]) / summing
    rows, columns = np.indices(image.shape, dtype=np.float64)
    at_x = LinearNDInterpolator(tie, (xc + moved * np.cos(angle)) / summing)(columns, rows)
    at_y = LinearNDInterpolator(tie, (yc + moved * np.sin(angle)) / summing)(columns, rows)
    return np.asarray(map_coordinates(image, [at_y, at_x], order=1, cval=np.nan))


def _statistics(image: F64) -> dict[str, float]:
    used = image[image > 0]
    percentiles = np.percentile(used, (1, 10, 25, 50, 75, 90, 95, 98, 99))
    return {"mean": float(used.mean()), "sigma": float(used.std()), "median": float(percentiles[3])}


def _difference(ours: NDArray[Any], peer: NDArray[Any]) -> float:
    both = np.isfinite(ours) & np.isfinite(peer) & (peer > 0)
    return float(np.median(np.abs(ours[both] / peer[both] - 1)))
