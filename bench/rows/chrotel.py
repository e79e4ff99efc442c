"""ChroTel level 0 → 2 and its Zernike fit, against straightforward chains of numpy and scipy."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from itertools import pairwise
from math import factorial
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from bench.measure import Aim, Row, Skipped, race
from bench.setting import Setting
from pipeline.frame import Frame
from pipeline.instruments.kis_chrotel import facts
from pipeline.instruments.kis_chrotel.simulate import SimulationConfig, simulate
from pipeline.instruments.kis_chrotel.simulate.recovery import references
from pipeline.kernels.zernike import Field, fit_field, modes, over_field
from pipeline.recipe import recipes
from pipeline.registry import instrument
from pipeline.running import run_chain

_AIM: Final = Aim(ratio=10.0)
_ORDER: Final = 5
_PASSES: Final = 5
_ROUNDS: Final = 3
F64 = NDArray[np.float64]


class Circle(NamedTuple):
    """Where a disk lies."""

    x: float
    y: float
    radius: float


def rows(setting: Setting) -> Iterator[Row | Skipped]:
    """The fit alone, and the chain of both recipes; a quarter of the resolution in a quick run."""
    instrument("kis_chrotel")
    size = setting.pick(2048, 512)
    config = SimulationConfig(size=size)
    made = simulate(config)
    frame = Frame.of(made.data, made.header, made.filename)
    given = {one.name: one for one in references(setting.folder("chrotel"), config)}
    first = recipes()["kis_chrotel-l1"].bind()
    scale = {"register_disk.scale_arcsec": 1.5 * 2048 / size, "large_scale.order": _ORDER}
    second = recipes()["kis_chrotel-l2"].with_settings(scale).bind()
    level_1, outcome = run_chain(frame, first, given, level="1")
    if level_1 is None:
        raise RuntimeError(f"the frame of the benchmark was {outcome.status}: {outcome.reason}")
    yield _fit(level_1, made.field, setting)
    yield _chain(frame, (first, second, given), config, setting)


def _fit(level_1: Frame, truth: NDArray[np.float32], setting: Setting) -> Row:
    disk = facts.disk(level_1)
    circle = Circle(disk.x, disk.y, disk.radius)

    def ours() -> Field | None:
        return fit_field(level_1.data, *circle, order=_ORDER, passes=_PASSES, rounds=_ROUNDS)

    found = ours()
    if found is None:
        raise RuntimeError("the disk of the benchmark has no pattern")
    mine = 1.0 / over_field(np.ones_like(level_1.data), *circle, found.polynomial)
    pattern, inside = _plain_fit(level_1.data.astype(np.float64), circle)
    ours_left, peer_left = (_left(one, truth, circle, inside) for one in (mine, pattern))
    run = race(
        {"ours": ours, "peer": lambda: _plain_fit(level_1.data.astype(np.float64), circle)},
        rounds=setting.pick(3, 2),
        budget=150.0,
    )
    return Row(
        f"Zernike fit, degree {_ORDER}, {level_1.data.shape[0]}²",
        run.times["ours"],
        run.times["peer"],
        "numpy, normal equations over all pixels",
        aim=_AIM,
        notes=(
            "ours: means of blocks; pixels beyond 3σ and neighbourhoods left out anew in each pass",
            f"peer: every pixel, those beyond 2σ left out as often, in as many rounds ({_ROUNDS})",
            f"left of the pattern that was put in, lopsided part: ours {ours_left:.1e}, peer {peer_left:.1e}",
        ),
    )


def _left(
    pattern: NDArray[Any], truth: NDArray[np.float32], circle: Circle, inside: NDArray[np.bool_]
) -> float:
    """Root mean square about rings of the true pattern over one that was found."""
    used = inside & np.isfinite(truth)
    i, j = np.nonzero(used)
    place = ((j - circle.x) ** 2 + (i - circle.y) ** 2) / circle.radius**2
    ratio, ring = truth[used] / pattern[used], (place * 60).astype(int)
    means = np.bincount(ring, ratio) / np.maximum(np.bincount(ring), 1)
    return float(np.std(ratio / means[ring]))


def _chain(frame: Frame, ours: tuple[Any, Any, Any], config: SimulationConfig, setting: Setting) -> Row:
    first, second, given = ours
    dark = given["dark"].load(_values)
    flat = given["flat"].load(_values)

    def both() -> Frame:
        level_1, _ = run_chain(frame, first, given, level="1")
        level_2, outcome = run_chain(level_1, second, {}, level="2")  # type: ignore[arg-type]
        if level_2 is None:
            raise RuntimeError(f"the frame of the benchmark was {outcome.status}: {outcome.reason}")
        return level_2

    plain = partial(_plain, frame.data, dark, flat, config)
    image, level_2 = plain(), both()
    held = np.isfinite(image) & np.isfinite(level_2.data)
    away = float(np.median(np.abs(image[held] - level_2.data[held])))
    run = race({"ours": both, "peer": plain}, rounds=setting.pick(3, 2), budget=200.0)
    return Row(
        f"ChroTel level 0 → 2, {frame.data.shape[0]}²",
        run.times["ours"],
        run.times["peer"],
        "numpy + scipy, in memory",
        aim=_AIM,
        notes=(
            "dark, flat, limb, Zernike correction, registration by cubic splines, quiet Sun",
            f"the peer's fit has {_ROUNDS} rounds, of pixels alone; ours 5, of neighbourhoods too",
            "ours with flags, header and provenance of every step",
            f"results differ by {away:.1e} (median of pixels both have)",
        ),
    )


def _values(path: str) -> F64:
    from astropy.io import fits

    return np.asarray(fits.getdata(path), dtype=np.float64)


def _plain(data: NDArray[Any], dark: F64, flat: F64, config: SimulationConfig) -> F64:
    """The steps as one writes them down."""
    image = (data - dark) / (flat / np.median(flat))
    circle = _plain_limb(image)
    pattern, _ = _plain_fit(image, circle)
    image = image / pattern
    scale = 1.5 * 2048 / config.size * circle.radius / config.rsun
    turn = np.radians(config.angle)
    # Rows and columns of the result to those of the image: north up, centred, one scale.
    matrix = scale * np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    middle = (config.size - 1) / 2
    offset = np.array([circle.y, circle.x]) - matrix @ np.array([middle, middle])
    image = ndimage.affine_transform(image, matrix, offset, order=3, cval=np.nan)
    centred = Circle(middle, middle, circle.radius / scale)
    i, j = np.indices(image.shape)
    place = ((j - middle) ** 2 + (i - middle) ** 2) / centred.radius**2
    inside = place <= 1
    course = _rings(image[inside], place[inside], 200)
    result = np.full(image.shape, np.nan)
    result[inside] = image[inside] / np.interp(place[inside], (np.arange(200) + 0.5) / 200, course)
    return result


def _plain_limb(image: F64) -> Circle:
    """Centre of gravity, then the steepest fall of 360 profiles, and a circle through them."""
    bright = image > 0.5 * np.percentile(image, 90)
    y, x = ndimage.center_of_mass(bright)
    radius = float(np.sqrt(bright.sum() / np.pi))
    smooth = ndimage.gaussian_filter(image, 1.5)
    angles = np.radians(np.arange(360))
    steps = np.arange(-20, 20, 0.5)
    for _ in range(3):
        distance = radius + steps[None, :]
        at = [y + distance * np.sin(angles)[:, None], x + distance * np.cos(angles)[:, None]]
        falls = -np.gradient(ndimage.map_coordinates(smooth, at, order=1), axis=1)
        found = radius + steps[np.argmax(falls, axis=1)]
        px, py = x + found * np.cos(angles), y + found * np.sin(angles)
        design = np.column_stack([2 * px, 2 * py, np.ones_like(px)])
        x, y, rest = np.linalg.lstsq(design, px**2 + py**2, rcond=None)[0]
        radius = float(np.sqrt(rest + x**2 + y**2))
    return Circle(float(x), float(y), radius)


def _rings(values: F64, place: F64, number: int) -> F64:
    order = np.argsort(place)
    limits = np.arange(number + 1) / number * float(place.max())
    edges = np.searchsorted(place[order], limits).tolist()
    return np.array([np.median(values[order[a:b]]) for a, b in pairwise(edges)])


def _plain_fit(image: F64, circle: Circle) -> tuple[F64, NDArray[np.bool_]]:
    """Rings and clipped least squares in turn, over all pixels of the disk."""
    i, j = np.indices(image.shape)
    across, up = np.asarray((j - circle.x) / circle.radius), np.asarray((i - circle.y) / circle.radius)
    inside = np.hypot(across, up) <= 0.98
    x, y = across[inside], up[inside]
    place, values = x**2 + y**2, image[inside]
    angle, rho = np.arctan2(y, x), np.sqrt(place)
    design = np.stack([_mode(n, m, rho, angle) for n, m in modes(_ORDER)], axis=1)
    field = np.ones_like(values)
    for _ in range(_ROUNDS):
        course = _rings(values / field, place, 80)
        middle = (np.arange(80) + 0.5) / 80 * place.max()
        ratio = values / np.polyval(np.polyfit(np.sqrt(1 - middle), course, 5), np.sqrt(1 - place))
        kept = np.ones(values.size, bool)
        for _ in range(_PASSES + 1):
            used = design[kept]
            fitted = design @ np.linalg.solve(used.T @ used, used.T @ (ratio[kept] - 1))
            away = ratio - 1 - fitted
            kept = np.abs(away) < 2 * 1.4826 * np.median(np.abs(away[kept]))
        field = 1 + fitted
    pattern = np.ones_like(image)
    pattern[inside] = field
    return pattern, inside


def _mode(n: int, m: int, rho: F64, angle: F64) -> F64:
    """A Zernike polynomial by its formula."""
    k = abs(m)
    radial = sum(
        (-1) ** s
        * factorial(n - s)
        / (factorial(s) * factorial((n + k) // 2 - s) * factorial((n - k) // 2 - s))
        * rho ** (n - 2 * s)
        for s in range((n - k) // 2 + 1)
    )
    return np.asarray(radial * (np.cos(k * angle) if m > 0 else np.sin(k * angle)))
