"""How well the chain finds again what was put into simulated cycles, as tables of a page.

``python -m pipeline.instruments.kis_lars.recovery docs/lars.md`` makes them anew.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
from astropy.io import fits

from pipeline.frame import Frame
from pipeline.instruments.kis_lars.facts import LIGHT
from pipeline.instruments.kis_lars.simulate import CycleConfig, Truth, simulate
from pipeline.testing import Ran, run_recipe

#: Lines of a page between which the tables stand.
BEGIN: Final = "<!-- recovery: made by pipeline.instruments.kis_lars.recovery -->"
END: Final = "<!-- end of recovery -->"
#: μ and velocities, m/s: cores of Fe I 6301.5 and 6302.5, mean bisector of 6302.5 (Löhner-Böttcher et al.
#: 2018, A&A 611, A4, table 2).
PUBLISHED: Final = (
    (1.0, -107, -164, -295),
    (0.95, -74, -139, -249),
    (0.9, -81, -163, -262),
    (0.85, -99, -195, -281),
    (0.8, -82, -178, -260),
    (0.7, -101, -204, -286),
    (0.6, -64, -173, -274),
    (0.5, -18, -115, -221),
    (0.4, 33, -47, -170),
    (0.3, 85, 33, -94),
)
#: Mean of what a bisector of the simulator bends from 5 to 97 % of the depth, over its bend at the continuum.
MEAN_BEND: Final = 0.3107
_SECOND: Final = 6302.4932
_ANGLES: Final = (0.0, 90.0, 180.0, 270.0)


def tables(cycles: int = 20) -> str:
    """All tables in Markdown; with noise of so many cycles each."""
    return "\n".join([*_injected(cycles), "", *_limb(), "", *_combs()])


def published(mu: float, first: float, second: float, mean: float, **changes: Any) -> CycleConfig:
    """A cycle with published lines."""
    chosen: dict[str, Any] = {
        "mu": mu,
        "core": {6301.5008: first, _SECOND: second},
        "bend": {_SECOND: (mean - second) / MEAN_BEND},
        "photons": 0.0,
        **changes,
    }
    return CycleConfig(**chosen)


def through(config: CycleConfig, *without: str) -> tuple[Ran, Truth]:
    """A simulated cycle through the recipe."""
    made = simulate(config)
    frames = [
        Frame.of(data, header, str(header["FILENAME"]), dims=("wavelength",))
        for phase, (data, header) in made.exposures.items()
        if phase not in without
    ]
    (ran,) = run_recipe("kis_lars-l1", frames, members=len(frames))
    return ran, made.truth


def _header(config: CycleConfig) -> fits.Header:
    return through(config)[0].made.header


def _injected(cycles: int) -> Iterator[str]:
    yield "Velocities put in at mu = 0.7, 35° from the western limb; level 1 less what was put in, m/s, of"
    yield f"Fe I 6302.5. With noise: {cycles} cycles, 2.5e7 photons in a pixel; mean ± scatter, and the mean"
    yield "error in the headers."
    yield ""
    yield "| put in | core | bisector | core, with noise | error | bisector, with noise | error |"
    yield "|---|---|---|---|---|---|---|"
    for velocity in (-2000.0, -500.0, 0.0, 500.0, 2000.0):
        usual: dict[str, Any] = {"velocity": velocity, "mu": 0.7, "angle": 35.0}
        exact = _header(CycleConfig(photons=0.0, **usual))
        noisy = [_header(CycleConfig(seed=seed, **usual)) for seed in range(cycles)]
        cells = [f"{exact[name] - velocity:+.3f}" for name in ("VCOR2", "VBIS2")]
        for name in ("COR2", "BIS2"):
            away = np.array([header[f"V{name}"] - velocity for header in noisy])
            cells += [f"{away.mean():+.2f} ± {away.std():.2f}"]
            cells += [f"{np.mean([header[f'E{name}'] for header in noisy]):.2f}"]
        yield f"| {velocity:+.0f} | {' | '.join(cells)} |"


def _limb() -> Iterator[str]:
    yield "Published velocities, and those of level 1, m/s: the farthest of four places (west, north, east,"
    yield "south). Taken out: VELOSYS in the west, and how far it is from what the light's travel times say,"
    yield "the farthest of the four."
    yield ""
    yield "| mu | 6301.5 core | level 1 | 6302.5 core | level 1 | its bisector | level 1 | taken out | off |"
    yield "|---|---|---|---|---|---|---|---|---|"
    for row in PUBLISHED:
        found = [through(published(*row, angle=angle)) for angle in _ANGLES]
        headers = [ran.made.header for ran, _ in found]
        cells = []
        for name, wanted in zip(("VCOR1", "VCOR2", "VBIS2"), row[1:], strict=True):
            values = [float(header[name]) for header in headers]
            cells += [f"{wanted}", f"{max(values, key=lambda one: abs(one - wanted)):.1f}"]
        off = [
            abs(header["VELOSYS"] - (truth.stretch - 1.0) * LIGHT)
            for header, (_, truth) in zip(headers, found, strict=True)
        ]
        yield f"| {row[0]} | {' | '.join(cells)} | {headers[0]['VELOSYS']:.1f} | {max(off):.3f} |"


def _combs() -> Iterator[str]:
    yield "Combs that are not as they should be: 100 m/s put in, without noise; the bisector of 6302.5 less"
    yield "that."
    yield ""
    yield "| cycle | off, m/s | what is said |"
    yield "|---|---|---|"
    still: dict[str, Any] = {"velocity": 100.0, "photons": 0.0}
    cases: tuple[tuple[str, dict[str, Any], tuple[str, ...]], ...] = (
        ("drift of 400 m/s an hour, two combs", {"drift": 400.0}, ()),
        ("the same, no comb before", {"drift": 400.0}, ("before",)),
        ("the same, no comb after", {"drift": 400.0}, ("after",)),
        ("drift of 5000 m/s an hour", {"drift": 5000.0}, ()),
        ("drift that turns within the cycle", {"drift": 0.0, "jerk": 2e4}, ()),
        ("combs 700 s away", {"gap": 700.0}, ()),
        ("a quarter of the comb's lines saturated", {"comb_photons": 2.4e8}, ()),
        ("all of them", {"comb_photons": 6e8}, ()),
        ("grating off by a fifth of the comb's spacing", {"shift": 0.2}, ()),
        ("by 0.42 of it", {"shift": 0.42}, ()),
        ("no comb", {}, ("before", "after")),
    )
    for name, changes, without in cases:
        ran, _ = through(CycleConfig(**{**still, **changes}), *without)
        if ran.frame is None:
            yield f"| {name} | – | put aside: {ran.outcome.reason} |"
            continue
        off = float(ran.frame.header["VBIS2"]) - 100.0
        yield f"| {name} | {off:+.2f} | {'; '.join(ran.outcome.caveats) or '–'} |"


def write_into(page: Path, cycles: int = 20) -> None:
    """Write the tables into a page, between their two marks."""
    before, _, rest = page.read_text(encoding="utf-8").partition(BEGIN)
    _, _, behind = rest.partition(END)
    page.write_text(f"{before}{BEGIN}\n{tables(cycles)}\n{END}{behind}", encoding="utf-8")


if __name__ == "__main__":
    write_into(Path(sys.argv[1]))
