"""The demonstration of ChroTel: Hα with its filaments, and velocities in He I, simulated."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

from heliolake.demo.sky import sky_of
from heliolake.demo.stories import Panel, Profile, Story, Stretch
from heliolake.demo.tales import Prepared, Tale
from pipeline.stack import header_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from heliolake.notebook import Connection
    from pipeline.instruments.kis_chrotel.simulate import SimulationConfig

Image = NDArray[np.float32]
_BEGIN: Final = datetime(2014, 9, 2, 11, 3, 10, tzinfo=UTC)


class Made(NamedTuple):
    """A product, or a raw file: its name, image and header."""

    name: str
    image: Image
    header: fits.Header


def configurations() -> tuple[SimulationConfig, SimulationConfig]:
    """An image in Hα with a thin cloud, and a scan of He I."""
    from pipeline.instruments.kis_chrotel.simulate import SimulationConfig

    halpha = SimulationConfig(start=_BEGIN, cloud=0.12, gradient=0.08, field=0.06)
    return halpha, SimulationConfig(start=_BEGIN.replace(second=30), line="he", shake=1.0)


def _prepare(output: Path) -> Prepared:
    from cluster.intake.references import find_known
    from pipeline.instruments.kis_chrotel.simulate import simulate, write, write_calibration
    from pipeline.instruments.kis_chrotel.simulate.series import scan

    frames, calibration = output / "simulated", output / "calibration"
    halpha, helium = configurations()
    for config in (halpha, *scan(helium)):
        if not (frames / config.filename).exists():
            write(frames, simulate(config))
    # Made once: a lake keeps the first bytes of a name.
    if not calibration.exists():
        write_calibration(calibration, (halpha, helium))
    known, _ = find_known([calibration])
    return Prepared((frames,), tuple(known))


def _tell(connection: Connection, prepared: Prepared) -> list[Story]:
    halpha, helium = configurations()
    stories = []
    made = _products(connection, "ha", ("0", "2", "2m"))
    if len(made) == len(("0", "2", "2m")):
        stories += [_flattened(halpha, made), _filaments(halpha, made)]
    made = _products(connection, "he", ("0f", "2v", "2e", "2d"))
    if len(made) == len(("0f", "2v", "2e", "2d")):
        stories.append(_velocities(helium, made))
    return stories


def _products(connection: Connection, line: str, levels: tuple[str, ...]) -> dict[str, Made]:
    """What the lake has of a line, by level: the first file of each."""
    found = {}
    for level in levels:
        observation = f"chrotel_{line}_{_BEGIN:%Y%m%d}"
        for product in list(
            connection.search(instrument="kis_chrotel", level=level, observation=observation)
        )[:1]:
            entry = sorted(product.entries, key=lambda one: one.name)[0]
            stack = product.frames([entry]).compute()
            header = header_of(str(stack["header"].values[0]))
            found[level] = Made(product.name, np.asarray(stack["image"].values[0]), header)
    return found


def _cut(made: Made, image: NDArray[np.floating] | None = None) -> Made:
    """The square about the disk, with coordinates to match."""
    header = made.header.copy()
    shape = made.image.shape
    radius = float(header.get("R_SUN", 0.0)) or float(header["RSUN_OBS"]) / float(header["CDELT1"])
    half = int(1.03 * radius)
    corner = []
    for axis, length in ((1, shape[1]), (2, shape[0])):
        begin = int(np.clip(round(float(header[f"CRPIX{axis}"])) - half, 0, max(0, length - 2 * half)))
        header[f"CRPIX{axis}"] = float(header[f"CRPIX{axis}"]) - begin
        corner.append(begin)
    whole = made.image if image is None else np.asarray(image, dtype=np.float32)
    part = whole[corner[1] : corner[1] + 2 * half, corner[0] : corner[0] + 2 * half]
    return Made(made.name, part, header)


def _places(header: fits.Header, shape: tuple[int, ...]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Solar west and north of the pixels of a registered product, in radii."""
    along = [
        (np.arange(length) + 1 - float(header[f"CRPIX{axis}"])) / float(header["R_SUN"])
        for axis, length in ((1, shape[1]), (2, shape[0]))
    ]
    west, north = np.meshgrid(*along)
    return west, north


def _contrast(config: SimulationConfig, header: fits.Header, shape: tuple[int, ...]) -> Image:
    """What level 2 should be: the drawn Sun through the seeing, without filter, sky and camera."""
    from scipy.ndimage import gaussian_filter

    from pipeline.instruments.kis_chrotel.simulate import scene

    west, north = _places(header, shape)
    drawn = scene.contrast(config.line, west, north, config.radius, config.seed, config.filaments)
    blurred = gaussian_filter(drawn, config.blur * config.scale / float(header["CDELT1"]))
    return np.where(np.hypot(west, north) < 1, blurred, np.nan).astype(np.float32)


def _labels(config: SimulationConfig, header: fits.Header, shape: tuple[int, ...]) -> NDArray[np.int32]:
    from pipeline.instruments.kis_chrotel.simulate import scene

    west, north = _places(header, shape)
    return scene.filament_labels(west, north, scene.features(config.seed, config.filaments))


def _panel(
    title: str, made: Made, unit: str, limits: tuple[float, float], caption: str, colours: str = "gray"
) -> Panel:
    place = sky_of(made.header, made.image.shape)
    stretch: Stretch = "symmetric" if limits[0] == -limits[1] else "linear"
    return Panel(title, made.image, unit, limits, stretch, colours, caption, place)


def _flattened(config: SimulationConfig, made: Mapping[str, Made]) -> Story:
    raw, product = made["0"], made["2"]
    truth = _contrast(config, product.header, product.image.shape)
    west, north = _places(product.header, product.image.shape)
    inside = np.hypot(west, north) < 0.97
    away = np.where(inside, product.image - truth, np.nan)
    number = float(np.nanstd(away))
    before = _cut(raw)
    high = float(np.percentile(before.image, 99.8))
    limits = (0.6, 1.4)
    unit = "of the quiet Sun"
    return Story(
        heading="ChroTel Hα, simulated",
        subheading=f"{raw.name} → {product.name}",
        text=(
            "A drawn chromosphere through a thin cloud, a gradient of the sky, the large-scale pattern of a "
            "Lyot filter, dust and pixels of a camera, turned by the telescope. Centre and scale come from "
            "the limb; the pattern is fitted with Zernike polynomials up to degree "
            f"{product.header['ZERNORD']}, filaments and plage left out; then everything is divided by the "
            "quiet Sun at the same distance from the centre."
        ),
        panels=(
            _panel("before: level 0", before, "DN", (0.0, high), "as read out"),
            _panel(
                "after: level 2", _cut(product), unit, limits, "north up; flat but for what is on the Sun"
            ),
            _panel("truth", _cut(product, truth), unit, limits, "what was drawn, through the seeing"),
        ),
        proof=_panel(
            "level 2 − truth",
            _cut(product, away),
            unit,
            (-0.03, 0.03),
            "of the cloud, and of plage that lifts the quiet level, 1 % is left",
            "RdBu_r",
        ),
        measure=f"level 2 − truth within 0.97 of the radius: root mean square {number:.4f} of the quiet Sun",
        simulated=True,
    )


def _filaments(config: SimulationConfig, made: Mapping[str, Made]) -> Story:
    flat, mask = made["2"], made["2m"]
    wanted = _labels(config, mask.header, mask.image.shape)
    found = np.nan_to_num(mask.image) > 0
    both = int((found & (wanted > 0)).sum())
    precision, recall = both / max(1, found.sum()), both / max(1, (wanted > 0).sum())
    dice = 2 * both / max(1, found.sum() + (wanted > 0).sum())
    disk = np.isfinite(mask.image)
    shown = np.where(disk, found, np.nan), np.where(disk, wanted > 0, np.nan)
    differ = np.where(disk, found.astype(np.float32) - (wanted > 0), np.nan)
    number = int(mask.header["NFILAM"])
    return Story(
        heading="ChroTel Hα, filaments, simulated",
        subheading=f"{flat.name} → {mask.name}",
        text=(
            "Seeds well below the quiet Sun around, grown into what is moderately dark, cut off at half of "
            f"each filament's own depth; round spots are left out. {number} filaments are found, "
            f"{wanted.max()} were drawn; a table tells place, area, length, tilt and confidence of each. "
            "Drawn filaments are uniform and sharp: real ones are harder."
        ),
        panels=(
            _panel("Hα, level 2", _cut(flat), "of the quiet Sun", (0.6, 1.4), "dark: filaments and spots"),
            _panel("found", _cut(mask, shown[0]), "", (0.0, 1.0), "the mask of the product", "magma"),
            _panel("truth", _cut(mask, shown[1]), "", (0.0, 1.0), "what was drawn", "magma"),
        ),
        proof=_panel(
            "found − truth",
            _cut(mask, differ),
            "",
            (-1.0, 1.0),
            "red: found and not there; blue: missed",
            "RdBu_r",
        ),
        measure=f"of pixels: precision {precision:.3f}, recall {recall:.3f}, Dice {dice:.3f}",
        simulated=True,
    )


def _velocities(config: SimulationConfig, made: Mapping[str, Made]) -> Story:
    from pipeline.instruments.kis_chrotel.simulate import scene

    raw, speed, error, depth = (made[level] for level in ("0f", "2v", "2e", "2d"))
    west, north = _places(speed.header, speed.image.shape)
    truth = np.where(np.isfinite(speed.image), scene.velocity(west, north, config.velocity), np.nan)
    inside = (_labels(config, speed.header, speed.image.shape) > 0) & np.isfinite(speed.image)
    slope = float(np.polyfit(truth[inside], speed.image[inside], 1)[0]) if inside.any() else float("nan")
    told = float(np.median(error.image[inside])) if inside.any() else float("nan")
    reach = 1.4 * config.velocity
    deepest = float(np.nanpercentile(depth.image, 99.5))
    bins = np.linspace(-config.velocity, config.velocity, 17)
    which = np.digitize(truth[inside], bins) - 1
    medians = np.array([_median(speed.image[inside][which == k]) for k in range(bins.size - 1)])
    centres = 0.5 * (bins[1:] + bins[:-1])
    return Story(
        heading="ChroTel He I 1083 nm, velocities, simulated",
        subheading=f"seven positions from {raw.name} → {speed.name}",
        text=(
            "Seven exposures, each shaken by the seeing, are put on one another by limb and structures, each "
            "made flat, and a line of known shape is fitted to the seven values of each pixel. Where the "
            "line is hardly deeper than the quiet Sun's no velocity is given. The quiet line, which the "
            "flattening takes out, makes velocities somewhat too large."
        ),
        panels=(
            _panel("depth of the line", _cut(depth), "", (0.0, deepest), "filaments and plage", "magma"),
            _panel("velocity", _cut(speed), "km/s", (-reach, reach), "red: away from us", "RdBu_r"),
            _panel("truth", _cut(speed, truth), "km/s", (-reach, reach), "where one was measured", "RdBu_r"),
        ),
        proof=Profile(
            "velocities in filaments, by the true one",
            {"measured, median": medians, "truth": centres},
            "km/s",
            f"true velocity, {bins[0]:.0f} to {bins[-1]:.0f} km/s in steps of {bins[1] - bins[0]:.0f}",
            "slope above 1: the quiet line",
        ),
        measure=f"measured = {slope:.2f} × true in filaments; error told {told:.2f} km/s",
        simulated=True,
    )


def _median(values: NDArray[np.floating]) -> float:
    return float(np.median(values)) if values.size else float("nan")


TALE = Tale(
    recipes=(
        "kis_chrotel-l1",
        "kis_chrotel-l2",
        "kis_chrotel-filaments",
        "kis_chrotel-he-l1",
        "kis_chrotel-he-l2",
        "kis_chrotel-doppler",
    ),
    making="Simulating the Sun in Hα and at seven positions of He I, with darks and flats",
    prepare=_prepare,
    tell=_tell,
)
