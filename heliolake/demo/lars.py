"""The demonstration of LARS: an oscillation through twenty minutes, and from centre to limb."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from heliolake.demo.stories import Panel, Profile, Story
from heliolake.demo.tales import Prepared, Tale

if TYPE_CHECKING:
    from astropy.io import fits

    from heliolake.notebook import Connection
    from heliolake.results import Observation
    from pipeline.instruments.kis_lars.simulate import CycleConfig

F32 = NDArray[np.float32]

_BEGIN: Final = datetime(2016, 10, 3, 9, 30, tzinfo=UTC)
_CYCLES: Final = 40
_CADENCE: Final = 30.0
#: m/s and seconds of the oscillation that is put in.
_OSCILLATION: Final = (350.0, 300.0)
#: The cycle of the sequence whose first comb is not there.
_LACKING: Final = 21
#: The line that is shown, Å, and pixels on either side of it.
_LINE: Final = 6302.4932
_REACH: Final = 80
#: μ, cores and mean bisectors of Fe I 6302.5, m/s (Löhner-Böttcher et al. 2018, A&A 611, A4, table 2).
PUBLISHED: Final = (
    (1.0, -164, -295),
    (0.95, -139, -249),
    (0.9, -163, -262),
    (0.85, -195, -281),
    (0.8, -178, -260),
    (0.7, -204, -286),
    (0.6, -173, -274),
    (0.5, -115, -221),
    (0.4, -47, -170),
    (0.3, 33, -94),
)
#: Mean of what a bisector of the simulator bends from 5 to 97 % of the depth, over its bend at the continuum.
_MEAN_BEND: Final = 0.3107


class Told(NamedTuple):
    """Spectra of one sequence, a row each, and what the headers of level 1 say."""

    product: str
    before: F32
    after: F32
    headers: list[fits.Header]


def sequence() -> tuple[CycleConfig, ...]:
    """Twenty minutes at μ 0.8 on the western side, while the spectrograph drifts."""
    from pipeline.instruments.kis_lars.simulate import CycleConfig

    speed, period = _OSCILLATION
    return tuple(
        CycleConfig(
            start=_BEGIN + timedelta(seconds=_CADENCE * number),
            mu=0.8,
            velocity=round(float(speed * np.sin(2.0 * np.pi * _CADENCE * number / period)), 3),
            shift=0.02 + 0.0025 * number,
            drift=45.0,
            gap=12.0,
            exposure=8.0,
            cycle=number + 1,
        )
        for number in range(_CYCLES)
    )


def centre_to_limb() -> tuple[CycleConfig, ...]:
    """The published places, on the eastern side; two minutes from one to the next."""
    from pipeline.instruments.kis_lars.simulate import CycleConfig

    return tuple(
        CycleConfig(
            start=_BEGIN + timedelta(hours=1, minutes=2 * number),
            mu=mu,
            angle=180.0,
            core={_LINE: float(core)},
            bend={_LINE: (mean - core) / _MEAN_BEND},
            sequence=2,
            cycle=number + 1,
        )
        for number, (mu, core, mean) in enumerate(PUBLISHED)
    )


def _prepare(output: Path) -> Prepared:
    from pipeline.instruments.kis_lars.simulate import simulate, write

    folder, truth = output / "simulated", output / "truth.json"
    if not truth.exists():
        told = {}
        for config in (*sequence(), *centre_to_limb()):
            lacking = config.sequence == 1 and config.cycle == _LACKING
            made = simulate(config)
            write(folder, made, without=("before",) if lacking else ())
            line = made.truth.lines[_LINE]
            told[f"{config.sequence}/{config.cycle}"] = {"core": line.core, "bisector": line.mean}
        truth.write_text(json.dumps(told, indent=1), encoding="utf-8")
    return Prepared((folder,))


def _tell(connection: Connection, prepared: Prepared) -> list[Story]:
    truth = json.loads((prepared.paths[0].parent / "truth.json").read_text(encoding="utf-8"))
    found = [_told(connection, number) for number in (1, 2)]
    first, second = found
    stories = []
    if first is not None:
        stories.append(oscillation(first, truth))
    if second is not None:
        stories.append(limb(second, truth))
    return stories


def _told(connection: Connection, sequence_number: int) -> Told | None:
    """The simulated cycles of one sequence, raw and done."""
    raw = _of(connection, "0", sequence_number)
    made = _of(connection, "1", sequence_number)
    if raw is None or made is None:
        return None
    suns = [entry for entry in raw.entries if entry.meta.get("phase") == "sun"]
    before, _ = _spectra(raw, suns)
    after, headers = _spectra(made, made.entries)
    return Told(made.name, before, after, headers)


def _of(connection: Connection, level: str, number: int) -> Observation | None:
    for one in connection.search(instrument="kis_lars", level=level):
        metas = [entry.meta for entry in one.entries]
        if metas and metas[0].get("simulated") and metas[0].get("sequence") == number:
            return one
    return None


def _spectra(product: Observation, entries: Sequence[Any]) -> tuple[F32, list[fits.Header]]:
    from pipeline.stack import header_of

    stack = product.frames(list(entries)).compute()
    headers = [header_of(str(text)) for text in stack["header"].values]
    order = np.argsort([str(header["DATE-OBS"]) + str(header.get("CYCLE")) for header in headers])
    return np.asarray(stack["image"].values)[order], [headers[place] for place in order]


def oscillation(told: Told, truth: dict[str, dict[str, float]]) -> Story:
    """The time sequence."""
    wanted = np.array([truth[_name(header)]["bisector"] for header in told.headers])
    found = np.array([float(header["VBIS2"]) for header in told.headers])
    errors = np.array([float(header["EBIS2"]) for header in told.headers])
    one_comb = [int(header["CYCLE"]) for header in told.headers if int(header["DSPNCOMB"]) == 1]
    whole = np.array([int(header["DSPNCOMB"]) == 2 for header in told.headers])
    away = np.sqrt(np.mean((found - wanted)[whole] ** 2))
    return Story(
        heading="LARS at the VTT, a time sequence, simulated",
        subheading=f"{len(told.headers)} cycles of comb, Sun and comb → {told.product}",
        text=(
            "Twenty minutes of Fe I 6302.5 at μ = 0.8: an oscillation of 350 m/s, on a spectrograph that "
            "drifts, an Earth that turns and a Sun that does. Each cycle's comb gives the wavelengths; "
            "motion, rotation and gravity are taken out. What is left is the oscillation. Cycle "
            f"{', '.join(map(str, one_comb))} lacks a comb, and says so."
        ),
        panels=_panels(told, wanted, "minutes run upward"),
        proof=Profile(
            "velocity of the mean bisector",
            {"put in": wanted, "level 1": found},
            "m/s",
            "cycle",
            "one upon the other",
        ),
        measure=(
            f"level 1 - truth: {away:.2f} m/s (root mean square of cycles with both combs; "
            f"errors in the headers: {np.median(errors):.2f} m/s)"
        ),
        simulated=True,
    )


def limb(told: Told, truth: dict[str, dict[str, float]]) -> Story:
    """From the centre to the limb."""
    wanted = np.array([truth[_name(header)]["bisector"] for header in told.headers])
    found = np.array([float(header["VBIS2"]) for header in told.headers])
    published = np.array([mean for _, _, mean in PUBLISHED], dtype=np.float64)
    away = float(np.abs(found - published).max())
    rotation = min(float(header["ROTVEL"]) for header in told.headers)
    return Story(
        heading="LARS at the VTT, from the centre to the limb, simulated",
        subheading=f"{len(told.headers)} places on the disk → {told.product}",
        text=(
            "Lines with the cores and bisectors that Löhner-Böttcher et al. (2018) published for ten places, "
            f"here on the eastern side, where the Sun's rotation shifts them by up to {rotation:.0f} m/s. "
            "Signs and zero points are right if level 1 has the published velocities again."
        ),
        panels=_panels(told, wanted, "the disk's centre below, μ = 0.3 above"),
        proof=Profile(
            "velocity of the mean bisector",
            {"published": published, "level 1": found},
            "m/s",
            "place, from μ = 1 to μ = 0.3",
            "convective blueshift less and less blue",
        ),
        measure=f"level 1 - published: at most {away:.1f} m/s",
        simulated=True,
    )


def _panels(told: Told, wanted: NDArray[np.float64], rows: str) -> tuple[Panel, Panel, Panel]:
    """Rows of spectra about the line: raw, done, and what the model put there."""
    from pipeline.instruments.kis_lars.facts import LIGHT

    header = told.headers[0]
    first, step = float(header["CRVAL1"]), float(header["CDELT1"])
    centre = round((_LINE - first) / step)
    part = slice(centre - _REACH, centre + _REACH + 1)
    after = told.after[:, part]
    wavelength = first + step * np.arange(told.after.shape[1])[part]
    mean = np.nanmean(
        [
            np.interp(wavelength * (1.0 + speed / LIGHT), wavelength, row)
            for speed, row in zip(wanted, after, strict=True)
        ],
        axis=0,
    )
    model = np.stack([np.interp(wavelength * (1.0 - speed / LIGHT), wavelength, mean) for speed in wanted])
    before = told.before[:, part] / np.float32(1e6)
    low, high = (float(value) for value in np.percentile(before, (1, 99)))
    colours = "inferno"
    pixel = f"{2 * _REACH + 1} pixels of 3 mÅ; {rows}"
    limits = (0.35, 1.0)
    return (
        Panel("before: level 0", _tall(before), "10⁶ DN", (low, high), "linear", colours, pixel),
        Panel(
            "after: level 1",
            _tall(after),
            "of the continuum",
            limits,
            "linear",
            colours,
            "6302.49 Å in the middle, at rest on the Sun",
        ),
        Panel(
            "the mean line, shifted by the truth",
            _tall(model.astype(np.float32)),
            "of the continuum",
            limits,
            "linear",
            colours,
            "what level 1 should be",
        ),
    )


def _name(header: fits.Header) -> str:
    """By which the truth knows a cycle."""
    return f"{header['SEQUENCE']}/{header['CYCLE']}"


def _tall(spectra: F32) -> F32:
    """Rows repeated until the picture is about square."""
    return np.repeat(spectra, max(1, round(spectra.shape[1] / spectra.shape[0])), axis=0)


TALE = Tale(
    recipes=("kis_lars-l1",),
    making="Simulating cycles of LARS with known velocities",
    prepare=_prepare,
    tell=_tell,
)
