"""LARS level 0 → 1 in memory, against a straightforward chain of numpy, scipy and astropy."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import interp1d
from scipy.optimize import brentq, curve_fit

from bench.measure import Row, Skipped, race
from bench.setting import Setting
from pipeline.chain import BoundStep
from pipeline.frame import Frame
from pipeline.instruments.kis_lars import air, facts, sight
from pipeline.instruments.kis_lars.comb import Comb
from pipeline.instruments.kis_lars.simulate import CycleConfig, SimulatedCycle, simulate
from pipeline.outcome import Outcome
from pipeline.recipe import recipes
from pipeline.registry import instrument
from pipeline.running import run_chain

F64 = NDArray[np.float64]
_LINES: Final = (6301.5008, 6302.4932)
_GRAVITY: Final = 633.15
_DEPTHS: Final = np.arange(5, 98) / 100.0


def rows(setting: Setting) -> Iterator[Row | Skipped]:
    """One row: one cycle of comb, Sun and comb."""
    made = simulate(CycleConfig(velocity=200.0))
    frames = [
        Frame.of(data, header, str(header["FILENAME"]), dims=("wavelength",))
        for data, header in made.exposures.values()
    ]
    instrument("kis_lars")
    chain = recipes()["kis_lars-l1"].bind()
    ours = partial(_ours, frames, chain)
    peer = partial(_plain, made)
    found, outcome = ours()
    if found is None:
        raise RuntimeError(f"the cycle of the benchmark was {outcome.status}: {outcome.reason}")
    theirs = peer()
    away = max(abs(found.header[f"VBIS{number}"] - theirs[number - 1]) for number in (1, 2))
    run = race({"ours": ours, "peer": peer}, rounds=setting.pick(7, 3), budget=60.0)
    yield Row(
        "LARS level 0 → 1, a cycle of 3 x 2048 pixels",
        run.times["ours"],
        run.times["peer"],
        "numpy + scipy + astropy, in memory",
        notes=(
            "ours with flags, errors, header and provenance of every step; the peer makes velocities only",
            f"mean bisectors differ by {away:.2f} m/s at most",
        ),
        numbers={f"ours {name}": seconds for name, seconds in outcome.seconds.items()},
    )


def _ours(frames: Sequence[Frame], chain: Sequence[BoundStep]) -> tuple[Frame | None, Outcome]:
    # Lines of sight are kept for the steps of one spectrum; here every round has the same one.
    sight.sight.cache_clear()
    return run_chain(frames, chain, [{}] * 3, level="1")


def _plain(made: SimulatedCycle) -> list[float]:
    """What one would write in an afternoon: a fit for each line, library functions for the rest."""
    solutions = [_solution(*made.exposures[phase]) for phase in ("before", "after")]
    data, header = made.exposures["sun"]
    vacuum = 0.5 * (solutions[0] + solutions[1])
    rest = air.in_air(vacuum / (1.0 + (_motion(header) + _GRAVITY) / facts.LIGHT))
    grid = np.arange(rest[0], rest[-1], 0.003)
    spectrum = interp1d(rest, data.astype(np.float64), kind="cubic")(grid)
    free = np.all([np.abs(grid - line) > 0.45 for line in _LINES], axis=0)
    spectrum = spectrum / np.polyval(np.polyfit(grid[free] - 6302.0, spectrum[free], 2), grid - 6302.0)
    return [_bisector(grid, spectrum, line) for line in _LINES]


def _solution(data: NDArray[np.float32], header: Any) -> F64:
    comb = Comb(header["COMBF0"], header["COMBFREP"])
    pixel = np.arange(len(data), dtype=np.float64)
    nominal = header["CRVAL1"] + header["CDELT1"] * pixel
    peaks = [
        place
        for place in range(10, len(data) - 10)
        if data[place] == data[place - 10 : place + 11].max() and data[place] > 0.2 * data.max()
    ]
    centres = [_centre(pixel, data, place) for place in peaks]
    rough = comb.mode(np.interp(centres, pixel, nominal))
    modes = np.rint(rough - np.median(rough - np.rint(rough)))
    wanted = comb.wavelength(modes)
    place = 2.0 * np.array(centres) / (len(data) - 1) - 1.0
    return np.asarray(
        np.polynomial.chebyshev.chebval(
            2.0 * pixel / (len(data) - 1) - 1.0, np.polynomial.chebyshev.chebfit(place, wanted, 4)
        )
    )


def _centre(pixel: F64, data: NDArray[np.float32], place: int) -> float:
    part = slice(place - 6, place + 7)
    values = data[part].astype(np.float64)
    found, _ = curve_fit(_gaussian, pixel[part], values, (values.max(), float(place), 1.3, values.min()))
    return float(found[1])


def _gaussian(x: F64, height: float, middle: float, width: float, floor: float) -> F64:
    return np.asarray(height * np.exp(-0.5 * ((x - middle) / width) ** 2) + floor)


def _motion(header: Any) -> float:
    """Of the observatory away from the Sun's centre, m/s."""
    from astropy import units as u
    from astropy.coordinates import (
        CartesianRepresentation,
        EarthLocation,
        SkyCoord,
        UnitSphericalRepresentation,
        get_body_barycentric_posvel,
    )
    from astropy.time import Time

    time = Time(header["DATE-OBS"]) + 0.5 * header["EXPTIME"] * u.s
    station = EarthLocation.from_geocentric(*(header[f"OBSGEO-{axis}"] for axis in "XYZ"), unit=u.m)
    sun, moving = get_body_barycentric_posvel("sun", time, ephemeris="builtin")
    earth, _ = get_body_barycentric_posvel("earth", time, ephemeris="builtin")
    here = CartesianRepresentation(station.get_gcrs(time).cartesian.xyz)
    direction = (sun - earth - here).represent_as(UnitSphericalRepresentation)
    target = SkyCoord(direction.lon, direction.lat)
    toward = target.radial_velocity_correction("barycentric", obstime=time, location=station)
    own = float(moving.xyz.to_value(u.m / u.s) @ target.cartesian.xyz.value)
    # The correction has the potentials at the Earth in it, and so has the gravitational redshift.
    return -float(toward.to_value(u.m / u.s)) + own + 3.17


def _bisector(grid: F64, spectrum: F64, line: float) -> float:
    near = np.abs(grid - line) < 0.4
    curve = interp1d(grid[near], spectrum[near], kind="cubic")
    lowest = int(np.argmin(spectrum[near]))
    bottom, places = float(spectrum[near][lowest]), grid[near]
    middles = [_middle(curve, places, lowest, 1.0 - depth * (1.0 - bottom)) for depth in _DEPTHS]
    return float(facts.LIGHT * (np.mean(middles) - line) / line)


def _middle(curve: Any, places: Sequence[float] | F64, lowest: int, level: float) -> float:
    left = brentq(lambda x: curve(x) - level, places[0], places[lowest])
    right = brentq(lambda x: curve(x) - level, places[lowest], places[-1])
    return float(0.5 * (left + right))
