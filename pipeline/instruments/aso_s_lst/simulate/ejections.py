"""What is found of simulated ejections: ``python -m ….simulate.ejections docs/lst.md`` writes the tables.

Images of SCIWL at 128² pixels, each exposure so long that a pixel gathers the photons of the 16 × 16 that lie
in it at the telescope's 2048²; polar maps of half the usual steps; streamers that waver by 5 %, exposures by
0.3 %, pointing by 0.4 of those pixels.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import numpy as np

from pipeline.cme.ejection import Ejection as Found
from pipeline.cme.ejection import found_in
from pipeline.cme.series import Search, Series
from pipeline.frame import Frame
from pipeline.instruments.aso_s_lst.simulate import Pupil, SimulationConfig, observed, physical_psf
from pipeline.instruments.aso_s_lst.simulate.config import Ejection
from pipeline.steps.polar_map import PolarParams, polar_map

_BEGIN: Final = "<!-- ejections: made by python -m pipeline.instruments.aso_s_lst.simulate.ejections -->"
_END: Final = "<!-- end of ejections -->"
_START: Final = datetime(2023, 4, 15, 6, tzinfo=UTC)
_SIZE: Final = 128
_EXPOSURE: Final = 5.0 * (2048 / _SIZE) ** 2
_PARAMS: Final = PolarParams(heights={"SCIWL": (1.15, 2.45)}, rings=35, angles=90)
_SEEDS: Final = 4
_QUIET: Final = 20
#: Series whose ejections are drawn: speeds (km/s), widths (degrees) and brightness between these.
_DRAWN: Final = 60
_SPEEDS: Final = (150.0, 1800.0)
_WIDTHS: Final = (25.0, 130.0)
_BRIGHTNESS: Final = (0.02, 1.0)
#: What is tried: its name, ejections, and what else of the series (cadence in seconds).
_CASES: Final[tuple[tuple[str, dict[str, Any], float], ...]] = (
    ("usual: 500 km/s, 60° wide, a tenth of the corona", {}, 60.0),
    ("200 km/s", {"speed": 200.0}, 120.0),
    ("1200 km/s", {"speed": 1200.0}, 60.0),
    ("300 km/s, 100 m/s²", {"speed": 300.0, "acceleration": 100.0}, 60.0),
    ("20° wide", {"width": 20.0}, 60.0),
    ("halo, all around", {"width": 500.0}, 60.0),
    ("as bright as the corona", {"brightness": 1.0}, 60.0),
    ("0.03 of the corona", {"brightness": 0.03}, 60.0),
    ("0.01 of the corona", {"brightness": 0.01}, 60.0),
    ("0.003 of the corona", {"brightness": 0.003}, 60.0),
    ("every 300 s", {}, 300.0),
)


def series(ejections: tuple[Ejection, ...], seed: int, cadence: float, frames: int = 55) -> Series:
    """A simulated series through the whole of `polar_map`; fifteen frames before the ejections begin."""
    random = np.random.default_rng(seed)
    point = physical_psf(Pupil(blur=0.0), 3)
    seconds, maps = [], []
    for number in range(frames):
        seconds.append((number - 15) * cadence)
        config = SimulationConfig(
            telescope="SCIWL",
            size=_SIZE,
            exposure=_EXPOSURE,
            start=_START + timedelta(seconds=seconds[-1] - 0.5 * _EXPOSURE),
            ejections=ejections,
            jitter=0.025,
            waver=0.05,
            number=number,
            seed=seed,
        )
        made = observed(config, psf=point)
        data = made.data * np.float32(1.0 + 0.003 * random.normal())
        maps.append(polar_map(Frame.of(data, made.header, made.filename), _PARAMS, {}))
    header, (rings, angles) = maps[0].header, maps[0].data.shape
    return Series(
        np.array(seconds),
        np.asarray(header["CRVAL2"] + header["CDELT2"] * np.arange(rings), np.float64),
        np.asarray(header["CRVAL1"] + header["CDELT1"] * np.arange(angles), np.float64),
        np.stack([one.data for one in maps]),
    )


def lines() -> Iterator[str]:
    """The rows of the table, then of drawn ejections, then what was found where there was nothing."""
    yield (
        "| ejection | found | speed off | in its errors | acceleration off | in its errors | angle off "
        "| width | more |"
    )
    yield "|---|---|---|---|---|---|---|---|---|"
    for name, changes, cadence in _CASES:
        yield _row(name, changes, cadence)
    yield ""
    yield _drawn()
    false = [len(found_in(series((), 100 + seed, 60.0), Search())[0]) for seed in range(_QUIET)]
    quiet = sum(number > 0 for number in false)
    yield ""
    yield f"Of {_QUIET} series without any, {quiet} have a false one ({_QUIET * 55 // 60} hours in all)."


def _row(name: str, changes: dict[str, Any], cadence: float) -> str:
    offs: list[tuple[float, ...]] = []
    more = 0
    for seed in range(_SEEDS):
        place = (262.0 + 137.0 * seed) % 360.0
        true = Ejection.model_validate(
            {"begin": _START, "brightness": 0.1, "position_angle": place, **changes}
        )
        own, others = _found(true, seed, cadence)
        more += others
        if own is not None:
            offs.append(_off(own, true))
    if not offs:
        return f"| {name} | 0 of {_SEEDS} | | | | | | | {more} |"
    speed, pull, accelerated, bent_pull, angle, width = np.array(offs).T
    # Too few heights for a parabola have no acceleration.
    told = np.isfinite(accelerated).all()
    bent = f"{accelerated.mean():+.0f} m/s² | {np.abs(bent_pull).max():.1f}" if told else "- | -"
    return (
        f"| {name} | {len(offs)} of {_SEEDS} | {speed.mean():+.1%} | {np.abs(pull).max():.1f} | "
        f"{bent} | {np.abs(angle).max():.0f}° | {width.mean():.0f}° | {more} |"
    )


def _drawn() -> str:
    """What is found of ejections of any speed, width, brightness and place."""
    random = np.random.default_rng(2024)
    offs = []
    for number in range(_DRAWN):
        speed, brightness = (float(np.exp(random.uniform(*np.log(ends)))) for ends in (_SPEEDS, _BRIGHTNESS))
        changes = {
            "speed": speed,
            "brightness": brightness,
            "width": float(random.uniform(*_WIDTHS)),
            "position_angle": float(random.uniform(0.0, 359.0)),
            # By which a front gains or loses up to a fifth of its speed on its way.
            "acceleration": float(random.choice([0.0, 30.0, -20.0])) * (speed / 400.0) ** 2,
        }
        true = Ejection.model_validate({"begin": _START, **changes})
        own, _ = _found(true, 50 + number, 60.0 if speed > 400.0 else 120.0)
        if own is not None:
            offs.append(_off(own, true))
    speeds, pulls, _, bent, _, _ = np.array(offs).T
    bent = bent[np.isfinite(bent)]
    within, bent_within = (float(np.mean(np.abs(each) <= 2.0)) for each in (pulls, bent))
    return (
        f"Of {_DRAWN} drawn ones ({_SPEEDS[0]:.0f} to {_SPEEDS[1]:.0f} km/s, {_WIDTHS[0]:.0f} to "
        f"{_WIDTHS[1]:.0f}° wide, {_BRIGHTNESS[0]:g} to {_BRIGHTNESS[1]:g} of the corona) {len(offs)} are "
        f"found: speeds off by {np.median(speeds):+.1%} in the median, {within:.0%} of them "
        f"within two of their errors and the largest {np.abs(pulls).max():.1f}; accelerations "
        f"{bent_within:.0%} and {np.abs(bent).max():.1f}."
    )


def _found(true: Ejection, seed: int, cadence: float) -> tuple[Found | None, int]:
    """The one that is the true one, and how many others there are."""
    found = found_in(series((true,), seed, cadence), Search())[0]
    reach = 0.5 * true.width + 10.0
    own = [one for one in found if abs(_away(one.front_angle, true.position_angle)) < reach]
    return max(own, key=lambda one: one.score, default=None), len(found) - min(1, len(own))


def _off(one: Found, true: Ejection) -> tuple[float, ...]:
    """Speed, that over its error, acceleration, that over its error, angle; and the width."""
    # The true speed at the middle of the times that were measured.
    at = float(one.seconds.mean())
    speed = true.speed + 1e-3 * true.acceleration * at
    off = one.line.speed - speed
    accelerated = one.parabola.acceleration - true.acceleration
    return (
        off / speed,
        off / one.line.speed_error,
        accelerated,
        accelerated / one.parabola.acceleration_error,
        _away(one.position_angle, true.position_angle),
        one.width,
    )


def _away(one: float, other: float) -> float:
    return (one - other + 180.0) % 360.0 - 180.0


def write(page: Path) -> None:
    """Put the table in its place in a page."""
    text = page.read_text(encoding="utf-8")
    made = "\n".join([_BEGIN, *lines(), _END])
    between = re.compile(re.escape(_BEGIN) + ".*?" + re.escape(_END), re.DOTALL)
    page.write_text(between.sub(lambda _: made, text), encoding="utf-8")


if __name__ == "__main__":
    write(Path(sys.argv[1]))
