"""The demonstration of LASCO: both coronagraphs and a polarised sequence, simulated."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

import numpy as np
from numpy.typing import NDArray

from heliolake.demo.sky import sky_of
from heliolake.demo.stories import Panel, Profile, Story, Truth, residual_in_noise
from heliolake.demo.tales import Prepared, Tale

if TYPE_CHECKING:
    from heliolake.demo.stories import Shown
    from heliolake.notebook import Connection
    from pipeline.instruments.soho_lasco.simulate import SimulationConfig

_BEGIN: Final = datetime(2009, 2, 28, 0, 6, 3, 474000, tzinfo=UTC)
_ANGLES: Final[tuple[Literal["-60 Deg", "0 Deg", "+60 Deg"], ...]] = ("-60 Deg", "0 Deg", "+60 Deg")
_COLOURS: Final = {"C2": "soholasco2", "C3": "soholasco3"}


def configurations() -> tuple[SimulationConfig, ...]:
    """C2 and C3 with a mass ejection, C3 upside down with lost blocks, and a polarised sequence of C2."""
    from pipeline.instruments.soho_lasco.simulate import SimulationConfig

    one = SimulationConfig(start=_BEGIN, front=4.0)
    wide = SimulationConfig(
        detector="C3",
        start=_BEGIN + timedelta(minutes=12),
        front=12.0,
        roll=179.77,
        lost_blocks=((8, 20), (8, 21), (22, 9)),
        number=1,
    )
    sequence = (
        SimulationConfig(
            start=_BEGIN + timedelta(hours=3, minutes=4 * number),
            polariser=angle,
            summing=2,
            exposure=100.0,
            front=4.6,
            number=2 + number,
        )
        for number, angle in enumerate(_ANGLES)
    )
    return one, wide, *sequence


def _prepare(output: Path) -> Prepared:
    from cluster.intake.references import find_known
    from pipeline.instruments.soho_lasco.simulate import simulate, write, write_calibration

    frames, calibration, truth_folder = output / "simulated", output / "calibration", output / "truth"
    truth_folder.mkdir(parents=True, exist_ok=True)
    configs = configurations()
    truths, paths = {}, []
    for config in configs:
        path, kept = frames / config.filename, truth_folder / f"{Path(config.filename).stem}.npz"
        if not (path.exists() and kept.exists()):
            made = simulate(config)
            write(frames, made)
            np.savez(kept, image=made.truth, noise=made.noise)
        with np.load(kept) as saved:
            truths[path.name] = Truth(saved["image"], saved["noise"])
        paths.append(path)
    # Made once: a lake keeps the first bytes of a name.
    if not calibration.exists():
        write_calibration(calibration, configs)
    known, _ = find_known([calibration])
    return Prepared(tuple(paths), tuple(known), truths)


def _tell(connection: Connection, prepared: Prepared) -> list[Story]:
    from heliolake.demo.frames import pairs

    truths = prepared.truths or {}
    made = pairs(connection, "soho_lasco", "1")
    told = [pair for pair in made if pair.name in truths and pair.entry.shape[-1] == 1024]
    stories = [_simulated(pair.load(), truths[pair.name]) for pair in told]
    stories += [_polarised(one) for one in _products(connection)]
    return stories + [_real(pair.load()) for pair in made if not pair.simulated][:2]


def _flat_corona(image: NDArray[np.float32], shown: Shown) -> NDArray[np.float32]:
    """An image over its own median at each distance from the Sun: the structure of the corona."""
    header = shown.after_header
    y, x = np.indices(image.shape, dtype=np.float32)
    distance = np.hypot(x + 1 - header["CRPIX1"], y + 1 - header["CRPIX2"]).astype(int)
    held = np.flatnonzero(np.isfinite(image))
    order = held[np.lexsort((image.ravel()[held], distance.ravel()[held]))]
    counts = np.bincount(distance.ravel()[order], minlength=int(distance.max()) + 1)
    # Values stand ring by ring, each ring in order: its median is in the middle of it.
    middle = np.cumsum(counts) - counts + counts // 2
    medians = np.where(counts > 0, image.ravel()[order[np.minimum(middle, order.size - 1)]], np.nan)
    return np.asarray(image / medians[distance], dtype=np.float32)


def _simulated(shown: Shown, truth: Truth) -> Story:
    camera = str(shown.before_header["DETECTOR"])
    residual, number, outliers = residual_in_noise(shown, truth)
    before, after = shown.before.astype(np.float32), shown.after
    low, high = (float(value) for value in np.percentile(before[before > 0], (2, 99.6)))
    colours, sky = _COLOURS[camera], sky_of(shown.after_header, after.shape)
    wanted = np.where(np.isfinite(after), truth.image, np.nan).astype(np.float32)
    lost = int(shown.after_header["NMISSING"])
    blocks = f" {lost} lost blocks filled and flagged;" if lost else ""
    turned = " upside down," if shown.after_header["RECTIFY"] else ""
    limits = (0.6, 1.9)
    unit = "of the median at this distance"
    return Story(
        heading=f"SOHO/LASCO {camera}, simulated",
        subheading=f"{shown.name} → {shown.product}",
        text=(
            f"A model of the corona with a mass ejection, as {camera} would take it:{turned} distorted, "
            "vignetted by its occulter, with bias, noise and a clock that is 30 s ahead. Level 1 is in mean "
            f"solar brightness;{blocks} files in the mission's formats, simulated and labelled, took the "
            "place of its calibration. For display, both are divided by their median at each distance."
        ),
        panels=(
            Panel("before: level 0.5", before, "DN", (low, high), "sqrt", colours, "as read out"),
            Panel(
                "after: level 1",
                _flat_corona(after, shown),
                unit,
                limits,
                "linear",
                colours,
                "streamers and the front of the ejection; grey: hidden, never sent or lost",
                sky,
            ),
            Panel(
                "truth",
                _flat_corona(wanted, shown),
                unit,
                limits,
                "linear",
                colours,
                "what the model put there",
                sky,
            ),
        ),
        proof=Panel(
            "level 1 − truth",
            residual,
            "standard deviations of the camera's noise",
            (-4.0, 4.0),
            "symmetric",
            "RdBu_r",
            "noise alone: no ring of the distortion, no gradient; points: stars sharper than a pixel",
            sky,
        ),
        measure=(
            f"residual {number:.2f} × the camera's noise (root mean square of unflagged pixels; "
            f"interpolation averages neighbours, so less than 1 is left; {outliers:.2%} of pixels exceed 5)"
        ),
        simulated=True,
    )


def _products(connection: Connection) -> list[tuple[str, dict[str, NDArray[np.float32]], str]]:
    """Polarised products: name, images by what they are, header's text."""
    levels = {"polarised": "2", "total": "2t", "degree": "2d"}
    found: dict[str, NDArray[np.float32]] = {}
    header, name = "", ""
    for what, level in levels.items():
        for product in list(connection.search(instrument="soho_lasco", level=level))[:1]:
            stack = product.frames(product.entries[:1]).compute()
            found[what] = np.asarray(stack["image"].values[0])
            if what == "polarised":
                header, name = str(stack["header"].values[0]), product.name
    return [(name, found, header)] if len(found) == len(levels) else []


def _polarised(product: tuple[str, dict[str, NDArray[np.float32]], str]) -> Story:
    from pipeline.instruments.soho_lasco.simulate import camera
    from pipeline.stack import header_of

    name, images, text = product
    header, config = header_of(text), configurations()[-1]
    light = camera.sky(config, *camera.grid())
    truth = np.hypot(light.q, light.u).reshape(512, 2, 512, 2).mean(axis=(1, 3))
    sky, row = sky_of(header, images["total"].shape), int(float(header["CRPIX2"])) - 40
    bright, polarised = images["total"], images["polarised"]
    scale = np.float32(1e9)
    return Story(
        heading="SOHO/LASCO C2, polarised brightness, simulated",
        subheading=f"images at −60°, 0° and 60° → {name}",
        text=(
            "Three images through the polarisers, told apart by POLAR in their headers, each calibrated, "
            "then gathered: total brightness, what is polarised along the limb, its degree, the plane."
        ),
        panels=(
            _log_panel("total brightness", bright * scale, "K- and F-corona", sky),
            _log_panel("polarised brightness", polarised * scale, "the K-corona alone: free electrons", sky),
            Panel(
                "degree of polarisation",
                images["degree"],
                "",
                (0.0, 0.5),
                "linear",
                "viridis",
                "high where electrons scatter, low where dust does",
                sky,
            ),
        ),
        proof=Profile(
            f"polarised brightness along row {row}",
            {
                "level 2": polarised[row] * scale,
                "truth": np.where(np.isfinite(polarised[row]), truth[row] * 1e9, np.nan),
            },
            "10⁻⁹ MSB",
            "pixel",
            "from three noisy images, against the model",
        ),
        simulated=True,
    )


def _log_panel(title: str, image: NDArray[np.float32], caption: str, sky: object) -> Panel:
    from heliolake.demo.sky import Sky

    low, high = (float(value) for value in np.nanpercentile(image, (4, 99.5)))
    place = sky if isinstance(sky, Sky) else None
    return Panel(title, image, "10⁻⁹ MSB", (max(low, high / 1e3), high), "log", "soholasco2", caption, place)


def _real(shown: Shown) -> Story:
    header = shown.after_header
    camera = str(header["DETECTOR"])
    colours, sky = _COLOURS.get(camera, "gray"), sky_of(header, shown.after.shape)
    before = shown.before.astype(np.float32)
    scale = np.float32(1e9)
    after = shown.after * scale
    low, high = (float(value) for value in np.percentile(before[before > 0], (2, 99)))
    dim, bright = (float(value) for value in np.nanpercentile(after, (2, 99)))
    row = shown.after.shape[0] // 2
    return Story(
        heading=f"SOHO/LASCO {camera}, real",
        subheading=f"{shown.name} → {shown.product}",
        text=(
            f"A real image of {str(header['DATE-OBS'])[:16].replace('T', ' ')} UTC, {header['FILTER']}, "
            f"polariser {header['POLAR']}. The mission's vignetting was not at hand: a simulated one, "
            "labelled in the product, shows the way, not the corona's brightness."
        ),
        panels=(
            Panel("before: level 0.5", before, "DN", (low, high), "sqrt", colours, "as it came"),
            Panel(
                "after: level 1",
                after,
                "10⁻⁹ MSB",
                (max(dim, bright / 1e3), bright),
                "log",
                colours,
                "with simulated vignetting; grey: never sent",
                sky,
            ),
            Panel(
                "structure",
                _flat_corona(shown.after, shown),
                "of the median at this distance",
                (0.5, 1.7),
                "linear",
                colours,
                "level 1 over its median at each distance",
                sky,
            ),
        ),
        proof=Profile(
            f"level 1 along row {row}", {"level 1": after[row]}, "10⁻⁹ MSB", "pixel", "across the occulter"
        ),
    )


TALE = Tale(
    recipes=("soho_lasco-l1", "soho_lasco-pb"),
    making="Simulating images of C2 and C3 with known truth, and their calibration files",
    prepare=_prepare,
    tell=_tell,
)
