"""The demonstration of a PSF that frames alone told: the kernel against the truth, and a frame sharpened."""

from __future__ import annotations

import hashlib
import tempfile
from functools import lru_cache
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from heliolake.demo.stories import Image, Made, Panel, Profile, Story

if TYPE_CHECKING:
    from heliolake.notebook import Connection
    from pipeline.instruments.aso_s_lst.simulate import Pupil, SimulationConfig
    from pipeline.psf.reference import Psf

#: λ/D of WST in flight, pixels.
BLUR: Final = 3.0
#: Pixels from the middle of a kernel that are shown, and up to which the light within is drawn.
_SHOWN, _FAR = 16, 40
#: Pixels along a side of the part of the limb that is shown, and to both sides of the limb of its profile.
_PART, _REACH = 160, 25
#: Where that part lies: angle from the Sun's west towards north, degrees.
_ANGLE: Final = 13.0


@lru_cache(maxsize=1)
def in_flight() -> Image:
    """What WST's frames are seen through; its wings reach further than those of the simulator's files."""
    from pipeline.instruments.aso_s_lst.simulate import physical_psf

    return physical_psf(_pupil(), 401)


def _pupil() -> Pupil:
    from pipeline.instruments.aso_s_lst.simulate import Pupil

    return Pupil(blur=BLUR, aberration=0.4, jitter=1.0)


def known(connection: Connection) -> tuple[Psf, Psf] | None:
    """WST's PSF as it was before the demonstration, and the one that frames told; `None` without both."""
    from lake.calibration import contexts
    from lake.releases.finding import REFERENCE_SCOPE
    from lake.releases.search import get_files
    from pipeline.psf.reference import read_psf

    context = contexts.current(connection.lake, "aso_s_lst")
    own = [
        one
        for one in (context.references if context else ())
        if one.need == "psf" and one.selectors.get("telescope") == "wst"
    ]
    if len(own) < 2:
        return None
    own.sort(key=lambda one: one.id)
    with tempfile.TemporaryDirectory(prefix="heliolake-") as folder:
        paths = get_files(
            connection.lake, f"{REFERENCE_SCOPE}:aso_s_lst.psf.l0", folder, connection.principal
        )
        by_sum = {hashlib.sha256(path.read_bytes()).hexdigest(): path for path in paths}
        return read_psf(by_sum[own[0].sha256]), read_psf(by_sum[own[-1].sha256])


def stories(
    config: SimulationConfig, frames: int, psfs: tuple[Psf, Psf], before: Made, after: Made
) -> list[Story]:
    """The PSF, and a frame with it.

    Parameters
    ----------
    config
        Of the frame.
    frames
        How many frames the PSF was learnt from.
    psfs
        As it was known before, and as the frames told.
    before, after
        The frame at level 1 and 1.2.
    """
    return [_learnt(frames, *psfs), _sharpened(config, before, after)]


def _learnt(frames: int, laboratory: Psf, told: Psf) -> Story:
    from pipeline.psf.shape import profile_of_kernel, shape_of

    kernels = {
        "before launch": laboratory.kernel,
        "learnt from frames": told.kernel,
        "truth": in_flight(),
    }
    captions = (
        "simulated: of another wavefront than the telescope has in flight",
        "four cores are fitted, here taken: " + told.model,
        "an aberrated, jittering pupil with scattering wings; not of the family that is fitted",
    )
    lines = {title: _within(kernel) for title, kernel in kernels.items()}
    true = shape_of(*profile_of_kernel(in_flight().astype(np.float64)))
    off = float(np.abs(lines["learnt from frames"] - lines["truth"]).max())
    top = float(in_flight().max())
    said = ", ".join(
        f"{name} {one.value:.2f} ± {one.error:.2f} px, true {value:.2f}"
        for name, one, value in zip(
            ("FWHM", "EE50", "EE80"), (told.fwhm, told.ee50, told.ee80), true[:3], strict=True
        )
    )
    first, second, third = (
        Panel(
            title, _middle(kernel), "share of the light per pixel", (top / 1e4, top), "log", "magma", caption
        )
        for (title, kernel), caption in zip(kernels.items(), captions, strict=True)
    )
    return Story(
        heading="ASO-S LST, the point spread function of WST, simulated, learnt from frames",
        subheading=f"{frames} frames of level 1 → heliolake reduce psf --instrument aso_s_lst --use",
        text=(
            "No true image is needed: the mean over circles of a blurred Sun is what the PSF makes of the "
            f"mean over circles of the Sun. The core is {told.core}, the wing {told.wing}; the errors hold a "
            f"floor that was measured on known PSFs. {_by_direction(told)} "
            f"Shown are logarithms, ± {_SHOWN} pixels."
        ),
        panels=(first, second, third),
        proof=Profile(
            "light within a radius, less the truth's",
            {
                title: 100.0 * (lines[title] - lines["truth"])
                for title in ("before launch", "learnt from frames")
            },
            "% of the light",
            "radius, pixels",
            f"what was learnt is off by {100 * off:.1f} % of the light at most",
        ),
        measure=f"light within a radius off by {100 * off:.1f} % at most ({said})",
        simulated=True,
    )


def _by_direction(told: Psf) -> str:
    """What the frames told of how the PSF differs with the direction, as sentences."""
    parts = {"ellipticity": told.ellipse, "coma and trefoil": told.odd}
    known = [f"{what}: identified" for what, verdict in parts.items() if verdict == "identified"]
    doubts = [one for one in told.reasons if one.partition(":")[0] in parts]
    return " ".join(f"{one[0].upper()}{one[1:]}." for one in (*known, *doubts))


def _middle(kernel: Image) -> Image:
    half = kernel.shape[0] // 2
    return kernel[half - _SHOWN : half + _SHOWN + 1, half - _SHOWN : half + _SHOWN + 1]


def _within(kernel: Image) -> NDArray[np.float64]:
    """Light within 0, 1, 2 … pixels of the middle."""
    from pipeline.psf.shape import profile_of_kernel

    radii, _, within = profile_of_kernel(kernel.astype(np.float64))
    return np.asarray(np.interp(np.arange(_FAR + 1.0), radii, within))


def _sharpened(config: SimulationConfig, before: Made, after: Made) -> Story:
    from pipeline.instruments.aso_s_lst.simulate import camera, scene

    truth = scene(config) * np.float32(camera.numbers_of(config))
    x, y, radius = config.disk
    turn = np.radians(_ANGLE)
    left = round(x + radius * np.cos(turn)) - 3 * _PART // 4
    low = round(y + radius * np.sin(turn)) - _PART // 2
    part = np.s_[low : low + _PART, left : left + _PART]
    cut = {
        title: np.asarray(image[part], np.float32)
        for title, image in (("level 1", before.image), ("level 1.2", after.image), ("truth", truth))
    }
    limits = 0.0, float(np.nanpercentile(cut["truth"], 99.8))
    captions = (
        "behind the telescope's optics",
        "deconvolved with what the frames told",
        "what the model put there, with perfect optics",
    )
    wrong = [float(np.sqrt(np.nanmean((cut[name] - cut["truth"]) ** 2))) for name in ("level 1", "level 1.2")]
    first, second, third = (
        Panel(title, image, "DN", limits, "linear", "gray", caption)
        for (title, image), caption in zip(cut.items(), captions, strict=True)
    )
    return Story(
        heading="ASO-S LST, WST at 360 nm, simulated, sharpened with that",
        subheading=f"{before.name} → {after.name}",
        text=(
            f"Spots at the limb, {_PART} pixels across: what scattered into them and beyond the limb is back "
            "where it came from. Structure is sharpened where it stands above the noise."
        ),
        panels=(first, second, third),
        proof=Profile(
            "across the limb",
            {title: _across(image, (x, y, radius)) for title, image in _whole(before, after, truth)},
            "DN",
            f"pixels, from {_REACH} within the limb to {_REACH} beyond",
            "mean around the disk",
        ),
        measure=(
            f"difference from the truth {wrong[0]:.0f} DN in level 1, {wrong[1]:.0f} DN in level 1.2 "
            "(root mean square of the part shown)"
        ),
        simulated=True,
    )


def _whole(before: Made, after: Made, truth: Image) -> tuple[tuple[str, Image], ...]:
    return ("level 1", before.image), ("level 1.2", after.image), ("truth", truth)


def _across(image: Image, disk: tuple[float, float, float]) -> NDArray[np.float64]:
    """Mean over circles, every pixel, from within the limb to as far beyond."""
    x, y, radius = disk
    rows, columns = np.indices(image.shape)
    place = np.rint(np.hypot(columns - x, rows - y) - radius).astype(int) + _REACH
    near = (place >= 0) & (place <= 2 * _REACH) & np.isfinite(image)
    number = np.bincount(place[near], minlength=2 * _REACH + 1)
    return np.asarray(np.bincount(place[near], image[near], 2 * _REACH + 1) / number)
