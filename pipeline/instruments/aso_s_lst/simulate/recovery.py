"""How well recipes give back what was simulated: ``python -m ….simulate.recovery docs/lst.md`` writes it."""

from __future__ import annotations

import re
import sys
import tempfile
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np

from pipeline.frame import Frame
from pipeline.instruments.aso_s_lst.judging import light_of, stripes_of
from pipeline.instruments.aso_s_lst.simulate.calibration import write_calibration
from pipeline.instruments.aso_s_lst.simulate.config import SimulationConfig
from pipeline.instruments.aso_s_lst.simulate.series import observed, simulate
from pipeline.known_references import recognise_reference
from pipeline.quality import Quality, flagged
from pipeline.step import ReferenceFile
from pipeline.testing import reference, run_recipe, run_step

_BEGIN: Final = "<!-- measured: made by python -m pipeline.instruments.aso_s_lst.simulate.recovery -->"
_END: Final = "<!-- end of measured -->"
_SIZE: Final = 512
_DISKS: Final = (
    SimulationConfig(size=_SIZE),
    SimulationConfig(size=_SIZE, telescope="WST", gain="SINGLE"),
)
_ROLLS: Final = (-17.2, 3.7, 93.4, 181.2)


class Line(NamedTuple):
    """One line of the table: what was measured, of which telescope, and the number."""

    what: str
    telescope: str
    number: str


def measured() -> Iterator[Line]:
    """All lines; takes about a minute."""
    for config in (
        *_DISKS,
        SimulationConfig(size=_SIZE, telescope="SCIUV"),
        SimulationConfig(size=_SIZE, telescope="SCIWL"),
    ):
        with tempfile.TemporaryDirectory(prefix="lst-") as folder:
            given = references(Path(folder), config)
            yield from _level_1(config, given)
            yield from _pointing(config, given)
    yield from _judged()


def references(folder: Path, config: SimulationConfig) -> list[ReferenceFile]:
    """The calibration files of a configuration."""
    known = ((path, recognise_reference(path)) for path in write_calibration(folder, [config]))
    return [reference(one.need, path) for path, one in known if one is not None]


def _frames(config: SimulationConfig) -> list[Frame]:
    gains = ("LOW", "HIGH") if config.telescope in ("SDI", "SCIUV") else (config.gain,)
    made = (simulate(config.model_copy(update={"gain": gain})) for gain in gains)
    return [Frame.of(one.data, one.header, one.filename) for one in made]


def _level_1(config: SimulationConfig, given: list[ReferenceFile]) -> Iterator[Line]:
    frames = _frames(config)
    recipe = "aso_s_lst-l1-hdr" if len(frames) == 2 else "aso_s_lst-l1"
    (ran,) = run_recipe(recipe, frames, references=given)
    truth, made = simulate(config), ran.made
    told = (made.quality == 0) & (truth.flags == 0)
    away = ((made.data - truth.blurred) / truth.noise)[told]
    yield Line(
        "level 1 less truth over the noise, mean and standard deviation",
        config.telescope,
        f"{away.mean():+.3f}, {away.std():.3f}",
    )
    if "HDRGAIN" in made.header:
        yield Line(
            "ratio of the gains (true 16; the camera file's is 1 % off)",
            config.telescope,
            f"{made.header['HDRGAIN']:.3f}",
        )
    hit = flagged(truth.flags, Quality.COSMIC_RAY) & ~flagged(made.quality, Quality.OUTSIDE_FIELD)
    found = flagged(made.quality, Quality.COSMIC_RAY)
    yield Line(
        "pixels hit by cosmic rays: found, of how many; marked without",
        config.telescope,
        f"{int((found & hit).sum())} of {int(hit.sum())}; {int((found & ~hit).sum())}",
    )


def _pointing(config: SimulationConfig, given: list[ReferenceFile]) -> Iterator[Line]:
    centres, rolls = [], []
    for number, roll in enumerate(_ROLLS, start=1):
        one = config.model_copy(
            update={
                "roll": roll,
                "header_roll": roll + 1.3,
                "jitter": 1.5,
                "number": number,
                "start": config.start + timedelta(hours=6 * (number - 1)),
            }
        )
        made = observed(one)
        frame = Frame.of(made.data, made.header, made.filename)
        frame = run_step("sun_centre", frame, instrument="aso_s_lst")
        header = run_step(
            "align_to_reference",
            frame,
            instrument="aso_s_lst",
            references=[ref for ref in given if ref.name == "alignment"],
        ).header
        centres.append(np.hypot(header["CRPIX1"] - 1 - made.disk.x, header["CRPIX2"] - 1 - made.disk.y))
        rolls.append(abs((header["CROTA2"] - roll + 180.0) % 360.0 - 180.0))
    yield Line(
        "Sun's centre off, largest of four (jitter 1.5 px)", config.telescope, f"{max(centres):.3f} px"
    )
    yield Line(
        "roll off, largest of four (header 1.3° off, up to 18 h apart)",
        config.telescope,
        f"{max(rolls):.4f}°",
    )


def _judged() -> Iterator[Line]:
    disk, light = _DISKS
    for share in (0.0, 0.6, 0.8, 0.95):
        made = observed(disk.model_copy(update={"eclipse": share}))
        yield Line(
            f"limb over middle, the air taking {share:.0%} (below 0.8: recognised)",
            "SDI",
            f"{light_of(made.data, made.disk).limb:.2f}",
        )
    for config, amplitudes in ((disk, (0.0, 0.02, 0.04)), (light, (0.0, 0.002, 0.01))):
        for amplitude in amplitudes:
            made = observed(config.model_copy(update={"stripes": amplitude}))
            found = stripes_of(made.data, made.disk)
            yield Line(
                f"stripes of {amplitude:.1%}: clearness (from 3.2: recognised), amplitude found",
                config.telescope,
                f"{found.clearness:.1f}, {found.amplitude:.2%}",
            )


def table() -> str:
    """The lines as a table of Markdown."""
    lines = ["| measured | telescope | number |", "|---|---|---|"]
    lines += [f"| {one.what} | {one.telescope} | {one.number} |" for one in measured()]
    return "\n".join(lines)


def write(page: Path) -> None:
    """Put the table in its place in a page."""
    text = page.read_text(encoding="utf-8")
    between = re.compile(re.escape(_BEGIN) + ".*?" + re.escape(_END), re.DOTALL)
    made = f"{_BEGIN}\n{table()}\n{_END}"
    page.write_text(between.sub(lambda _: made, text), encoding="utf-8")


if __name__ == "__main__":
    write(Path(sys.argv[1]))
