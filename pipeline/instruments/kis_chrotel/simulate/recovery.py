"""What the recipes recover of simulated disks, as the tables of a page.

``python -m pipeline.instruments.kis_chrotel.simulate.recovery docs/chrotel.md`` measures them anew at the
telescope's resolution, which takes some minutes, and writes them into the page; ``--size 512 --disks 1`` is
quick.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.frame import Frame
from pipeline.instruments.kis_chrotel import facts
from pipeline.instruments.kis_chrotel.simulate import scene
from pipeline.instruments.kis_chrotel.simulate.calibration import write_calibration
from pipeline.instruments.kis_chrotel.simulate.config import SimulationConfig
from pipeline.instruments.kis_chrotel.simulate.series import SimulatedFrame, scan, simulate
from pipeline.known_references import recognise_reference
from pipeline.step import ReferenceFile
from pipeline.testing import Ran, reference, run_recipe, run_step

#: Lines of a page between which the tables stand.
BEGIN: Final = "<!-- recovery: made by pipeline.instruments.kis_chrotel.simulate.recovery -->"
END: Final = "<!-- end of recovery -->"
#: What is tried, at the telescope's resolution; places and widths are in its pixels.
CONDITIONS: Final[Mapping[str, dict[str, Any]]] = {
    "clear": {},
    "gradient of 20 % across the image": {"gradient": 0.2},
    "cloud of 60 %": {"cloud": 0.6, "gradient": 0.1},
    "limb cut on two sides": {"offset": (560.0, 420.0)},
    "bad seeing (σ 3 pixels)": {"blur": 3.0},
    "Ca II K": {"line": "ca"},
    "Ca II K, cloud of 60 %": {"line": "ca", "cloud": 0.6, "gradient": 0.1},
}
#: Part of the radius within which patterns are compared.
_COMPARED: Final = 0.98
_RINGS: Final = 60


class Disk(NamedTuple):
    """A simulated disk and what was made of it."""

    config: SimulationConfig
    truth: SimulatedFrame
    level_1: Frame


def disks(size: int, number: int, conditions: Mapping[str, Any]) -> Iterator[Disk]:
    """Some Suns under the same conditions, at level 1."""
    for seed in range(number):
        config = _scaled(SimulationConfig(size=size, seed=seed, **conditions))
        truth = simulate(config)
        with TemporaryDirectory() as folder:
            (ran,) = run_recipe(
                "kis_chrotel-l1", [_frame(truth)], references=references(Path(folder), config)
            )
        yield Disk(config, truth, ran.made)


def references(folder: Path, config: SimulationConfig) -> list[ReferenceFile]:
    """Dark and flat of a frame."""
    known = [recognise_reference(path) for path in write_calibration(folder, [config])]
    return [reference(one.need, one.path) for one in known if one is not None]


def level_2(frame: Frame, size: int) -> Frame:
    """The product of level 1, at a scale that suits the size."""
    scale = {"register_disk.scale_arcsec": 1.5 * 2048 / size}
    (ran,) = run_recipe("kis_chrotel-l2", [frame], settings=scale)
    return ran.made


def centre_error(disk: Disk) -> tuple[float, float]:
    """By how much centre and radius of the limb fit are off, pixels."""
    found = facts.disk(disk.level_1)
    miss = np.hypot(found.x - disk.truth.centre[0], found.y - disk.truth.centre[1])
    return float(miss), found.radius - disk.truth.radius


class Left(NamedTuple):
    """Root mean square of the lopsided pattern before and after the correction, and as its header tells it.

    And the order that was chosen.
    """

    before: float
    after: float
    told: float
    order: int


def pattern_left(disk: Disk, **params: Any) -> Left:
    """What the correction leaves of the pattern."""
    before = disk.level_1
    made = run_step("large_scale", before, instrument="kis_chrotel", **params)
    ratio = np.ones_like(before.data)
    np.divide(made.data, before.data, out=ratio, where=np.abs(before.data) > 1e-6)
    i, j = np.indices(made.data.shape)
    truth = disk.truth
    place = np.hypot(j - truth.centre[0], i - truth.centre[1]) / truth.radius
    inside = (place < _COMPARED) & np.isfinite(truth.field)
    ring = (place[inside] ** 2 / _COMPARED**2 * _RINGS).astype(int)

    def lopsided(values: NDArray[np.float32]) -> float:
        held = values[inside]
        means = np.bincount(ring, held, _RINGS) / np.maximum(np.bincount(ring, minlength=_RINGS), 1)
        return float((held / means[ring]).std())

    told, order = float(made.header["ZERNERR"]), int(made.header["ZERNORD"])
    return Left(lopsided(truth.field), lopsided(ratio * truth.field), told, order)


def wanted_filaments(config: SimulationConfig, product: Frame) -> NDArray[np.int32]:
    """The filaments of a simulated Sun on the pixels of a product of level 2."""
    disk = facts.disk(product)
    rows, columns = product.data.shape[-2:]
    west, north = np.meshgrid(
        (np.arange(columns) - disk.x) / disk.radius, (np.arange(rows) - disk.y) / disk.radius
    )
    return scene.filament_labels(west, north, scene.features(config.seed, config.filaments))


class Found(NamedTuple):
    """Precision, recall and Dice of pixels; how many filaments there are, were hit, were found wrongly."""

    precision: float
    recall: float
    dice: float
    there: int
    hit: int
    wrong: int


def filaments_found(disk: Disk) -> Found:
    """Masks against those the Sun was drawn with."""
    product = level_2(disk.level_1, disk.config.size)
    ran: Ran = run_recipe("kis_chrotel-filaments", [product])[0]
    mask = np.nan_to_num(ran.made.data).astype(int)
    wanted = wanted_filaments(disk.config, product)
    both = int(((mask > 0) & (wanted > 0)).sum())
    there = [int(one) for one in np.unique(wanted[wanted > 0])]
    hit = sum((mask[wanted == one] > 0).mean() > 0.5 for one in there)
    wrong = sum((wanted[mask == one] > 0).mean() <= 0.5 for one in range(1, int(mask.max()) + 1))
    return Found(
        both / max(1, (mask > 0).sum()),
        both / max(1, (wanted > 0).sum()),
        2 * both / max(1, (mask > 0).sum() + (wanted > 0).sum()),
        len(there),
        int(hit),
        int(wrong),
    )


def velocities(size: int, quiet_depth: float) -> tuple[float, float, float]:
    """Slope, scatter about the truth and error told (km/s), of He I in filaments."""
    config = SimulationConfig(size=size, line="he", shake=1.0)
    with TemporaryDirectory() as folder:
        given = references(Path(folder), config)
        frames = [_frame(simulate(one)) for one in scan(config)]
        (cube,) = run_recipe("kis_chrotel-he-l1", frames, references=given)
    scale = {"register_disk.scale_arcsec": 1.5 * 2048 / size}
    (flat,) = run_recipe("kis_chrotel-he-l2", [cube.made], settings=scale)
    (ran,) = run_recipe("kis_chrotel-doppler", [flat.made], settings={"doppler.quiet_depth": quiet_depth})
    disk = facts.disk(ran.made)
    along = (np.arange(size) - disk.x) / disk.radius
    west, north = np.meshgrid(along, along)
    inside = (wanted_filaments(config, ran.made) > 0) & np.isfinite(ran.made.data)
    truth, found = scene.velocity(west, north, config.velocity)[inside], ran.made.data[inside]
    slope = float(np.polyfit(truth, found, 1)[0])
    return slope, float(np.std(found - truth)), float(np.median(ran.outputs["error"].data[inside]))


def tables(size: int, number: int) -> str:
    """All tables in Markdown."""
    limb = ["| disk | centre, worst | radius less true one | pixels |", "|---|---|---|---|"]
    field = [
        "| disk | pattern | left | worst | told | left if clipped at 10σ only | order |",
        "|---" * 7 + "|",
    ]
    found = ["| disk | precision | recall | Dice | filaments found | wrong |", "|---|---|---|---|---|---|"]
    for name, conditions in CONDITIONS.items():
        centres, fields, careless, masks = [], [], [], []
        for disk in disks(size, number, conditions):
            centres.append(centre_error(disk))
            if "cut" not in name:
                fields.append(pattern_left(disk))
                careless.append(pattern_left(disk, clip=10.0, spread=10.0).after)
            if disk.config.line == "ha":
                masks.append(filaments_found(disk))
        worst, radius = max(one for one, _ in centres), np.mean([one for _, one in centres])
        limb.append(f"| {name} | {worst:.3f} | {radius:+.2f} | {size}², {number} Suns |")
        if fields:
            field.append(_pattern_row(name, fields, careless))
        if masks:
            mean = [float(np.mean([one[k] for one in masks])) for k in range(3)]
            there, hit, wrong = (sum(one[k] for one in masks) for k in (3, 4, 5))
            shares = " | ".join(f"{one:.3f}" for one in mean)
            found.append(f"| {name} | {shares} | {hit} of {there} | {wrong} |")
    speed = ["| quiet line put back | slope | scatter, km/s | error told, km/s |", "|---|---|---|---|"]
    for depth in (0.0, 0.02):
        slope, scatter, told = velocities(size, depth)
        speed.append(f"| {depth:g} | {slope:.2f} | {scatter:.2f} | {told:.2f} |")
    headed = (
        ("Limb", limb),
        ("Large-scale pattern, root mean square of its lopsided part", field),
        ("Filaments in Hα", found),
        ("Velocities of He I in filaments", speed),
    )
    return "\n\n".join(f"**{heading}**\n\n" + "\n".join(lines) for heading, lines in headed)


def _pattern_row(name: str, found: list[Left], careless: list[float]) -> str:
    orders = ", ".join(str(one) for one in sorted({one.order for one in found}))
    values = [
        *(float(np.mean([one[k] for one in found])) for k in (0, 1)),
        max(one.after for one in found),
        float(np.mean([one.told for one in found])),
        float(np.mean(careless)),
    ]
    return f"| {name} | {' | '.join(f'{one:.4f}' for one in values)} | {orders} |"


def _frame(made: SimulatedFrame) -> Frame:
    return Frame.of(made.data, made.header, made.filename)


def _scaled(config: SimulationConfig) -> SimulationConfig:
    """Seeing is that of the telescope's pixels, as far as a small image can have it."""
    return config.model_copy(update={"blur": max(1.0, config.blur * config.size / 2048)})


def write_into(page: Path, size: int, number: int) -> None:
    """Write the tables into a page, between its two marks."""
    before, _, rest = page.read_text(encoding="utf-8").partition(BEGIN)
    _, _, behind = rest.partition(END)
    page.write_text(f"{before}{BEGIN}\n{tables(size, number)}\n{END}{behind}", encoding="utf-8")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="What the recipes recover of simulated disks.")
    parser.add_argument("page", type=Path, help="page of documentation the tables are written into")
    parser.add_argument("--size", type=int, default=2048, help="pixels along a side (2048)")
    parser.add_argument("--disks", type=int, default=3, help="Suns for each line (3)")
    chosen = parser.parse_args()
    write_into(chosen.page, chosen.size, chosen.disks)
