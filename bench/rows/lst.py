"""LST level 1.0 → 2.5 in memory, against a straightforward chain of scipy and scikit-image."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray
from scipy.ndimage import affine_transform, gaussian_filter1d

from bench.measure import Aim, Row, Skipped, race
from bench.setting import Setting
from pipeline.frame import Frame
from pipeline.instruments.aso_s_lst.simulate import SimulationConfig, observed
from pipeline.instruments.aso_s_lst.simulate.calibration import alignment, response
from pipeline.known_references import recognise_reference
from pipeline.recipe import recipes
from pipeline.registry import instrument
from pipeline.running import run_chain
from pipeline.step import ReferenceFile
from pipeline.testing import reference

_AIM: Final = Aim(ratio=10.0)
F32 = NDArray[np.float32]


def rows(setting: Setting) -> Iterator[Row | Skipped]:
    """One row: SDI at full resolution, a quarter of its side in a quick run."""
    try:
        import skimage  # noqa: F401 - the peer
    except ImportError:
        yield Skipped("LST level 1.0 → 2.5", "scikit-image is not installed")
        return
    size = setting.pick(4608, 1152)
    config = SimulationConfig(size=size, roll=3.7, header_roll=5.0, jitter=1.5)
    made = observed(config)
    frame = Frame.of(made.data, made.header, made.filename)
    references = _references(setting.folder("lst"), config)
    instrument("aso_s_lst")
    known = recipes()
    first, second = (known[name].bind() for name in ("aso_s_lst-l15", "aso_s_lst-l25"))

    def ours() -> tuple[Frame, dict[str, float]]:
        half, outcome = run_chain(frame, first, references, level="1.5")
        if half is None:
            raise RuntimeError(f"the frame of the benchmark was {outcome.status}: {outcome.reason}")
        whole, last = run_chain(half, second, references, level="2.5")
        if whole is None:
            raise RuntimeError(f"the frame of the benchmark was {last.status}: {last.reason}")
        return whole, {**outcome.seconds, **last.seconds}

    target = fits.getdata(references["alignment"].path).astype(np.float32)
    peer = partial(_plain, made.data, made.header, target, _factor(references["response"].path))
    found, seconds = ours()
    image, roll = peer()
    away = _difference(found.data, image)
    off = abs(found.header["ROLLFND"] - config.roll), abs(roll - config.roll)
    run = race({"ours": ours, "peer": peer}, rounds=setting.pick(3, 2), budget=240.0)
    yield Row(
        f"LST SDI level 1.0 → 2.5, {size}²",
        run.times["ours"],
        run.times["peer"],
        "scipy + scikit-image, in memory",
        aim=_AIM,
        notes=(
            "limb, roll by correlation, cubic splines, radiometry; ours with flags, header and provenance",
            f"results differ by {away:.1e} of the value (median on the disk)",
            f"roll off by {off[0]:.4f}° in ours, {off[1]:.4f}° in the peer's",
        ),
        numbers={f"ours {name}": value for name, value in seconds.items()},
    )


def _references(folder: Path, config: SimulationConfig) -> dict[str, ReferenceFile]:
    found = {}
    folder.mkdir(parents=True, exist_ok=True)
    for path in (alignment(folder, config), response(folder, config)):
        known = recognise_reference(path)
        if known is not None:
            found[known.need] = reference(known.need, path)
    return found


def _factor(path: str) -> float:
    return float(fits.getdata(path, "RESPONSE")["FACTOR"][1])


def _plain(image: F32, header: fits.Header, target: F32, factor: float) -> tuple[F32, float]:
    """As it is written down when nothing but libraries is at hand."""
    from skimage.transform import warp_polar

    x, y, radius = _circle(image, header)
    middle = (target.shape[0] - 1) / 2.0
    polar = [
        warp_polar(one, center=place, radius=0.93 * radius, output_shape=(7200, int(0.93 * radius)))
        for one, place in ((image, (y, x)), (target, (middle, middle)))
    ]
    polar = [one - one.mean(axis=0) for one in polar]
    product = np.conj(np.fft.rfft(polar[0], axis=0)) * np.fft.rfft(polar[1], axis=0)
    correlation = np.fft.irfft(product.sum(axis=1))
    at = int(np.argmax(correlation))
    before, here, behind = correlation[at - 1], correlation[at], correlation[(at + 1) % correlation.size]
    roll = (at + 0.5 * (before - behind) / (before - 2 * here + behind)) * 360.0 / correlation.size
    roll = (roll + 180.0) % 360.0 - 180.0
    turn = np.radians(roll)
    matrix = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    offset = np.array([y, x]) - matrix @ np.full(2, (image.shape[0] - 1) / 2.0)
    upright = affine_transform(image, matrix, offset, order=3, cval=np.nan)
    return upright * np.float32(factor / header["EXPTIME"]), float(roll)


def _circle(image: F32, header: fits.Header) -> tuple[float, float, float]:
    """A circle through where brightness falls steepest along each of 720 radii, outliers left out."""
    from skimage.transform import warp_polar

    x, y = header["CRPIX1"] - 1.0, header["CRPIX2"] - 1.0
    reach = int(1.1 * header["RSUN_OBS"] / header["CDELT1"])
    first = int(0.86 * reach)
    polar = warp_polar(image, center=(y, x), radius=reach, output_shape=(720, reach))[:, first:]
    fall = -gaussian_filter1d(polar, 1.5, axis=1, order=1)
    ray = np.arange(720)
    at = fall[:, 1:-1].argmax(axis=1) + 1
    before, here, behind = (fall[ray, at + step] for step in (-1, 0, 1))
    distance = first + at + 0.5 * (before - behind) / (before - 2 * here + behind)
    px, py = x + distance * np.cos(np.radians(ray / 2)), y + distance * np.sin(np.radians(ray / 2))
    used = np.ones(720, bool)
    for _ in range(5):
        design = np.column_stack([2 * px, 2 * py, np.ones(720)])[used]
        cx, cy, rest = np.linalg.lstsq(design, (px**2 + py**2)[used], rcond=None)[0]
        radius = np.sqrt(rest + cx**2 + cy**2)
        off = np.hypot(px - cx, py - cy) - radius
        used = np.abs(off) < 2.5 * off[used].std()
    return float(cx), float(cy), float(radius)


def _difference(ours: NDArray[Any], peer: NDArray[Any]) -> float:
    side = ours.shape[0]
    inside = np.s_[side // 4 : 3 * side // 4, side // 4 : 3 * side // 4]
    return float(np.nanmedian(np.abs(ours[inside] / peer[inside] - 1.0)))
