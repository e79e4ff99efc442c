"""The demonstration of ASO-S LST: disks sharpened, one registered, the corona in both lights."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

from heliolake.demo import lst_psf
from heliolake.demo.sky import sky_of
from heliolake.demo.stories import Image, Made, Panel, Profile, Story, Stretch
from heliolake.demo.tales import Prepared, Reduction, Tale
from pipeline.stack import header_of

if TYPE_CHECKING:
    from heliolake.notebook import Connection
    from pipeline.instruments.aso_s_lst.simulate import SimulationConfig

_BEGIN: Final = datetime(2023, 4, 15, 6, 0, 0, tzinfo=UTC)
_SIZE: Final = 1024
#: Of the corona in visible light, which is smooth.
_COARSE: Final = 512
#: Exposures of WST.
_LEARNT_FROM: Final = 4
#: Pixels along a side of the part of the disk that is shown sharpened.
_PART: Final = 256
_ANGLES: Final = (-60.0, 0.0, 60.0)
#: Standard deviations from which on there is polarised light, and pixels along a side that tell them.
_CLEAR, _NEIGHBOURS = 4.0, 15


def configurations() -> dict[str, SimulationConfig]:
    """An exposure of SDI and SCIUV each, some of WST to learn a PSF from, and SCIWL's polarised sequence."""
    from pipeline.instruments.aso_s_lst.simulate import SimulationConfig

    common = {"size": _SIZE, "start": _BEGIN, "roll": 3.7, "header_roll": 5.2, "jitter": 1.0}
    found = {
        "sdi": SimulationConfig.model_validate({**common, "telescope": "SDI"}),
        "sciuv": SimulationConfig.model_validate({**common, "telescope": "SCIUV", "front": 1.8}),
    }
    for number in range(_LEARNT_FROM):
        # Days apart: the Sun has turned, and what stands at its limb is not the same.
        start = _BEGIN + timedelta(days=number)
        own = {"telescope": "WST", "gain": "SINGLE", "blur": lst_psf.BLUR}
        found[f"wst{number or ''}"] = SimulationConfig.model_validate(
            {**common, **own, "number": number, "start": start}
        )
    for number, angle in enumerate(_ANGLES):
        start = _BEGIN + timedelta(seconds=20 * number)
        found[f"sciwl{number}"] = SimulationConfig.model_validate(
            {
                **common,
                "size": _COARSE,
                "telescope": "SCIWL",
                "front": 1.8,
                "polariser": angle,
                "number": number,
                "start": start,
            }
        )
    return found


def _prepare(output: Path) -> Prepared:
    from cluster.intake.references import find_known
    from pipeline.instruments.aso_s_lst.simulate import simulate, write, write_calibration

    frames, calibration = output / "simulated", output / "calibration"
    configs = configurations()
    for name, config in configs.items():
        gains = ("LOW", "HIGH") if name in ("sdi", "sciuv") else (config.gain,)
        for gain in gains:
            one = config.model_copy(update={"gain": gain})
            if not (frames / one.filename).exists():
                write(frames, simulate(one, psf=lst_psf.in_flight() if one.telescope == "WST" else None))
    # Made once: a lake keeps the first bytes of a name.
    if not calibration.exists():
        write_calibration(calibration, list(configs.values()))
    known, _ = find_known([calibration])
    return Prepared((frames,), tuple(known))


def _tell(connection: Connection, prepared: Prepared) -> list[Story]:
    configs = configurations()
    stories = []
    sharp = [_product(connection, "sdi", level) for level in ("1", "1.2")]
    if all(sharp):
        stories.append(_sharpened(configs["sdi"], *(one for one in sharp if one)))
    psfs = lst_psf.known(connection)
    fine = [_product(connection, "wst", level) for level in ("1", "1.2")]
    if psfs and all(fine):
        stories += lst_psf.stories(configs["wst"], _LEARNT_FROM, psfs, *(one for one in fine if one))
    upright = [_product(connection, "wst", level) for level in ("0", "2.5")]
    if all(upright):
        stories.append(_registered(configs["wst"], *(one for one in upright if one)))
    light = [_product(connection, name, level) for name, level in _LIGHT]
    if all(light):
        stories.append(_composed(*(one for one in light if one)))
    corona = [_product(connection, "sciwl", level) for level in ("3t", "3", "3d")]
    if all(corona):
        stories.append(_polarised(configs["sciwl0"], *(one for one in corona if one)))
    return stories


#: The day that is told of; of the others level 1 is made, and a PSF of it.
_TOLD: Final = f"*_{_BEGIN:%Y%m%d}"
#: What the composite is told by.
_LIGHT: Final = (("sdi", "Q1"), ("sciuv", "Q1"), ("sdi", "Q1.5"))


def _product(connection: Connection, telescope: str, level: str) -> Made | None:
    """The first simulated file of a telescope at a level; `None` where there is none."""
    for product in connection.search(instrument="aso_s_lst", level=level, observation=_TOLD):
        entries = [one for one in product.entries if f"sim_lst_{telescope}" in one.name]
        if entries:
            stack = product.frames([min(entries, key=lambda one: one.name)]).compute()
            header = header_of(str(stack["header"].values[0]))
            return Made(product.name, np.asarray(stack["image"].values[0]), header)
    return None


def _panel(
    title: str, made: Made, image: Image, limits: tuple[float, float], colours: str, caption: str, unit: str
) -> Panel:
    stretch: Stretch = "sqrt" if limits[0] >= 0 else "symmetric"
    place = sky_of(made.header, image.shape) if image.shape == made.image.shape else None
    return Panel(title, image, unit, limits, stretch, colours, caption, place)


def _limits(image: NDArray[np.floating], low: float = 0.5, high: float = 99.8) -> tuple[float, float]:
    bottom, top = (float(value) for value in np.nanpercentile(image, (low, high)))
    return max(bottom, 0.0), top


def _sharpened(config: SimulationConfig, before: Made, after: Made) -> Story:
    from pipeline.instruments.aso_s_lst.simulate import camera, scene

    truth = scene(config) * np.float32(camera.numbers_of(config))
    x, y, radius = config.disk
    left, low = round(x - 0.62 * radius) - _PART // 2, round(y - 0.25 * radius) - _PART // 2
    part = np.s_[low : low + _PART, left : left + _PART]
    cut = [np.asarray(one[part], dtype=np.float32) for one in (before.image, after.image, truth)]
    limits = _limits(cut[2], 0.5, 99.7)
    wrong = [float(np.sqrt(np.nanmean((one - cut[2]) ** 2))) for one in cut[:2]]
    titles = ("level 1", "level 1.2", "truth")
    captions = (
        "low and high gain merged; behind the telescope's optics",
        "abnormal pixels corrected, deconvolved",
        "what the model put there, with perfect optics",
    )
    return Story(
        heading="ASO-S LST, SDI in Lyman alpha, simulated",
        subheading=f"{before.name} → {after.name}",
        text=(
            f"A part of the disk, of {_SIZE}² pixels, behind an aberrated pupil with scattering wings. "
            "Level 1 is in numbers of the high gain, whose ratio to the low one is fitted to the exposure "
            f"itself ({before.header['HDRGAIN']:.3f}, true 16). Level 1.2 is deconvolved with a simulated "
            "PSF, as a laboratory would have measured it; heliolake reduce psf estimates it from frames."
        ),
        panels=(
            _panel(titles[0], before, cut[0], limits, "sdoaia304", captions[0], "DN"),
            _panel(titles[1], after, cut[1], limits, "sdoaia304", captions[1], "DN"),
            _panel(titles[2], after, cut[2], limits, "sdoaia304", captions[2], "DN"),
        ),
        proof=Profile(
            "power of structures against their frequency",
            {title: _power(one) for title, one in zip(titles, cut, strict=True)},
            "log10 of power over that of the truth's coarsest",
            f"frequency, of {_PART // 2} up to half a wave a pixel",
            "level 1.2 follows the truth to finer structure; where noise rules, it does not invent any",
        ),
        measure=(
            f"difference from the truth {wrong[0]:.0f} DN in level 1, {wrong[1]:.0f} DN in level 1.2 "
            "(root mean square of the part shown)"
        ),
        simulated=True,
    )


def _power(image: Image) -> NDArray[np.float64]:
    """Power spectrum of a square, averaged over directions, as its logarithm."""
    window = np.outer(*[np.hanning(image.shape[0])] * 2)
    even = np.nan_to_num(image) - np.nanmean(image)
    power = np.abs(np.fft.fft2(even * window)) ** 2
    k = np.hypot(*np.meshgrid(*[np.fft.fftfreq(image.shape[0]) * image.shape[0]] * 2)).round().astype(int)
    mean = np.bincount(k.ravel(), power.ravel()) / np.bincount(k.ravel())
    kept = mean[1 : image.shape[0] // 2]
    return np.asarray(np.log10(kept / kept[:3].mean()))


def _registered(config: SimulationConfig, before: Made, after: Made) -> Story:
    from pipeline.instruments.aso_s_lst.simulate import blurred, camera, scene

    upright = config.model_copy(update={"roll": 0.0, "offset": (0.0, 0.0), "jitter": 0.0})
    unit = camera.DETECTORS["WST"].unit
    truth = blurred(scene(upright), lst_psf.in_flight()) * np.float32(unit)
    off = 100.0 * (after.image - truth) / np.float32(unit)
    x, y, _ = config.disk
    moved = np.hypot(float(before.header["CRPIX1"]) - 1 - x, float(before.header["CRPIX2"]) - 1 - y)
    limits = _limits(truth, 1.0, 99.9)
    return Story(
        heading="ASO-S LST, WST at 360 nm, simulated",
        subheading=f"{before.name} → {after.name}",
        text=(
            f"The raw header has CROTA2 = {before.header['CROTA2']:.1f}°; it is {config.roll:.1f}°, and the "
            f"Sun's centre lies {moved:.1f} pixels beside where the header has it. The limb gives the "
            f"centre, a reference frame the roll: {after.header['CROTAOLD']:.2f}° became "
            f"{after.header['ROLLFND']:.3f}°."
        ),
        panels=(
            _panel(
                "level 0",
                before,
                before.image.astype(np.float32),
                _limits(before.image, 1, 99.9),
                "gray",
                "as read out",
                "DN",
            ),
            _panel(
                "level 2.5", after, after.image, limits, "gray", "radiance, north up", "erg s⁻¹ cm⁻² sr⁻¹"
            ),
            _panel(
                "truth", after, truth, limits, "gray", "north up, behind the same optics", "erg s⁻¹ cm⁻² sr⁻¹"
            ),
        ),
        proof=_panel(
            "level 2.5 − truth",
            after,
            off.astype(np.float32),
            (-4.0, 4.0),
            "RdBu_r",
            "noise, and a limb that stays in place",
            "% of the disk's centre",
        ),
        measure=(
            f"roll off by {_off(after.header, config):+.4f}° (stated error {after.header['ROLLERR']:.4f}°); "
            f"difference {np.nanstd(off):.2f} % of the disk's centre"
        ),
        simulated=True,
    )


def _off(header: fits.Header, config: SimulationConfig) -> float:
    return float(header["ROLLFND"]) - config.roll


def _composed(disk: Made, corona: Made, both: Made) -> Story:
    middle = both.image.shape[0] // 2
    distance = np.arange(both.image.shape[1] - middle) * float(both.header["CDELT1"]) / 955.0
    faint = corona.image
    return Story(
        heading="ASO-S LST, Lyman alpha from disk to corona, simulated",
        subheading=f"SDI and SCIUV of {corona.name} → {both.name}",
        text=(
            "Quick looks of SDI and SCIUV, and both composed: the disk by the root of its brightness, the "
            "corona, ten thousand times fainter, by its logarithm. The ejection to the west is the model's."
        ),
        panels=(
            _panel(
                "SDI", disk, disk.image, _limits(disk.image), "sdoaia304", "level Q1", "erg s⁻¹ cm⁻² sr⁻¹"
            ),
            _panel(
                "SCIUV", corona, faint, _limits(faint, 1, 99.0), "sdoaia304", "level Q1", "erg s⁻¹ cm⁻² sr⁻¹"
            ),
            Panel(
                "composite",
                both.image,
                "",
                (0.0, 1.0),
                "linear",
                "sdoaia304",
                "level Q1.5: a picture, no measurement",
                sky_of(both.header, both.image.shape),
            ),
        ),
        proof=Profile(
            "brightness to the west of the Sun's centre",
            {"SCIUV": np.log10(np.maximum(faint[middle, middle:], 1e-3))},
            "log10 of erg s⁻¹ cm⁻² sr⁻¹",
            f"pixels; the right end is {distance[-1]:.1f} solar radii",
            "from the occulter's edge through the ejection's front",
        ),
        simulated=True,
    )


def _polarised(config: SimulationConfig, total: Made, polarised: Made, degree: Made) -> Story:
    from pipeline.instruments.aso_s_lst.simulate.scene import corona, places

    upright = config.model_copy(update={"roll": 0.0, "offset": (0.0, 0.0), "jitter": 0.0})
    light = corona(*places(upright), front=config.front)
    row = total.image.shape[0] // 2 + 30
    seen = np.isfinite(polarised.image[row])
    scale = np.float32(1e9)
    truth = np.where(seen, np.hypot(light.q, light.u)[row] * 1e9, np.nan)
    return Story(
        heading="ASO-S LST, SCIWL's polarised corona, simulated",
        subheading=f"three images → {total.name}, {polarised.name}, {degree.name}",
        text=(
            "Images behind a polariser at −60°, 0° and 60°, stray light ten times the corona at 2.5 solar "
            "radii taken off. The electrons' light is polarised, that of dust is not."
        ),
        panels=(
            _corona("total brightness", total, scale),
            _corona("polarised brightness", polarised, scale),
            Panel(
                "degree of polarisation",
                np.where(_above_noise(total.image, polarised.image), degree.image, np.float32(np.nan)),
                "",
                (0.0, 0.6),
                "linear",
                "viridis",
                "high where electrons scatter; left out where noise would make it high",
                sky_of(degree.header, degree.image.shape),
            ),
        ),
        proof=Profile(
            f"polarised brightness along row {row}",
            {
                "level 3": np.log10(np.maximum(polarised.image[row] * scale, 1e-2)),
                "truth": np.log10(np.maximum(truth, 1e-2)),
            },
            "log10 of 10⁻⁹ MSB",
            "pixel",
            "against the model without optics; where it is faint, it is noise",
        ),
        simulated=True,
    )


def _above_noise(total: Image, polarised: Image) -> NDArray[np.bool_]:
    """Where polarised brightness is more than noise, which neighbours of the total brightness tell."""
    from scipy import ndimage

    apart = np.abs(np.diff(total, axis=1, append=total[:, -1:])).astype(np.float64)
    known = ndimage.uniform_filter(np.isfinite(apart).astype(np.float64), _NEIGHBOURS)
    mean = ndimage.uniform_filter(np.nan_to_num(apart), _NEIGHBOURS) / np.maximum(known, 1e-3)
    # |x − y| of Gaussians is 2σ/√π in the mean; of three polarised images Q has √2 times the noise of I.
    return np.asarray(polarised > _CLEAR * np.sqrt(2.0) * mean * np.sqrt(np.pi) / 2.0)


def _corona(title: str, made: Made, scale: np.float32) -> Panel:
    image = made.image * scale
    low, high = (float(value) for value in np.nanpercentile(image, (5, 99.7)))
    place = sky_of(made.header, image.shape)
    return Panel(title, image, "10⁻⁹ MSB", (max(low, high / 1e3), high), "log", "soholasco2", "", place)


TALE = Tale(
    recipes=(
        "aso_s_lst-l1-hdr",
        "aso_s_lst-l1",
        "aso_s_lst-l12",
        "aso_s_lst-l15",
        "aso_s_lst-l25",
        "aso_s_lst-l25-msb",
        "aso_s_lst-q1",
        "aso_s_lst-composite",
        "aso_s_lst-pb",
    ),
    making="Simulating SDI, WST and both coronagraphs with known truth, and their calibration files",
    prepare=_prepare,
    tell=_tell,
    reductions=(Reduction("psf", "aso_s_lst", "lstwst_*", behind="aso_s_lst-l1"),),
    only=dict.fromkeys(("aso_s_lst-l12", "aso_s_lst-l15", "aso_s_lst-l25", "aso_s_lst-q1"), _TOLD),
)
