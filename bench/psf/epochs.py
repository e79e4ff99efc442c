"""Telescopes that change in time, or do not: is it noticed, and is the PSF of each epoch right?

Each frame is of its own Sun, days from the others. The reduction is given all of them as one; where it
refuses and names changes, each epoch between the named times is reduced for itself.
"""

from __future__ import annotations

import zlib
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

from bench.psf.scenes import behind, lyman, seen, white_light
from bench.psf.truth import Truth, truth
from pipeline.errors import BadInput
from pipeline.kernels.limb import Circle
from pipeline.psf.epochs import changes
from pipeline.psf.estimate import Design
from pipeline.psf.reduction import Designs, PsfOfFrames, PsfReduced, Sums
from pipeline.psf.reference import Psf
from pipeline.reduction import StackBlock

F32 = NDArray[np.float32]

SIDE: Final = 400
RADIUS: Final = 150.0
FRAMES: Final = 9
_BEGIN: Final = datetime(2024, 3, 1, 6, tzinfo=UTC)
#: Radius of the Sun as headers have it, arcsec.
_RSUN: Final = 960.0


@dataclass(frozen=True)
class EpochCase:
    """How wide the PSF is, frame by frame.

    Attributes
    ----------
    name
        What changes.
    light
        White light, whose limb tells, or Lyman α with a body before the Sun.
    kind, wing
        Of the PSF.
    widths
        FWHM of each frame's, pixels.
    wings
        Share of the wing in each frame, where it changes.
    """

    name: str
    light: str
    kind: str
    wing: float
    widths: tuple[float, ...]
    wings: tuple[float, ...] = ()

    @property
    def seed(self) -> int:
        """Of all its random numbers."""
        return zlib.crc32(f"{self.name} {self.light} {self.kind} {self.widths[0]} epochs validation".encode())

    @property
    def steps(self) -> tuple[int, ...]:
        """The frames with which an epoch begins; none of a drift."""
        both = list(zip(self.widths, self.wings or (self.wing,) * len(self.widths), strict=True))
        found = tuple(n for n in range(1, len(both)) if both[n] != both[n - 1])
        return found if len(found) <= 2 else ()


def epoch_cases() -> Iterator[EpochCase]:
    """What changes by much, by little, to and fro, slowly, and what does not."""
    limb, half = "white light", FRAMES // 2
    for kind, width, wing in (
        ("gauss", 2.6, 0.0),
        ("gauss", 4.4, 0.1),
        ("moffat", 3.6, 0.05),
        ("moffat", 6.2, 0.0),
        ("pupil", 5.2, 0.1),
    ):
        yield EpochCase("nothing", limb, kind, wing, (width,) * FRAMES)
    for kind, width, change in (
        ("gauss", 3.1, 0.2),
        ("gauss", 5.2, -0.2),
        ("moffat", 3.4, 0.3),
        ("moffat", 5.8, 0.2),
        ("pupil", 5.6, 0.4),
    ):
        widths = (width,) * half + (width * (1.0 + change),) * (FRAMES - half)
        yield EpochCase(f"{100 * change:+.0f} % in the middle", limb, kind, 0.05, widths)
    third = FRAMES // 3
    yield EpochCase("+30 % and back", limb, "gauss", 0.05, (3.8,) * third + (4.94,) * third + (3.8,) * third)
    yield EpochCase("+25 % for the last 3", limb, "moffat", 0.0, (4.2,) * (FRAMES - 3) + (5.25,) * 3)
    yield EpochCase("+5 % in the middle", limb, "gauss", 0.0, (4.0,) * half + (4.2,) * (FRAMES - half))
    drift = np.linspace(0.0, 1.0, FRAMES)
    for kind, width, change in (("gauss", 3.6, 0.06), ("gauss", 3.9, 0.5), ("moffat", 4.8, 0.4)):
        widths = tuple(float(one) for one in width * (1.0 + change * drift))
        yield EpochCase(f"drifts by {100 * change:+.0f} %", limb, kind, 0.0, widths)
    yield EpochCase(
        "wing from 0 to 0.2", limb, "gauss", 0.0, (4.0,) * FRAMES, (0.0,) * half + (0.2,) * (FRAMES - half)
    )
    for kind, width in (("gauss", 5.4), ("moffat", 6.6)):
        yield EpochCase("nothing", "lyman", kind, 0.0, (width,) * FRAMES)
        yield EpochCase(
            "+50 % in the middle", "lyman", kind, 0.0, (width,) * half + (1.5 * width,) * (FRAMES - half)
        )


def run_epochs(case: EpochCase) -> list[dict[str, Any]]:
    """What came of a case, as plain data."""
    shapes = list(zip(case.widths, case.wings or (case.wing,) * len(case.widths), strict=True))
    made = {one: truth(case.kind, *one, case.seed + 1) for one in dict.fromkeys(shapes)}
    injected = [made[one] for one in shapes]
    frames = _frames(case, injected)
    first = PsfOfFrames(_design(case))
    told = [first.map(one) for one in frames]
    named = [begin for begin, _ in changes({name: edge for one in told for name, edge in one.edges.items()})]
    begins = [str(one.headers[0]["DATE-OBS"]) for one in frames]
    ends = sorted(named)
    epochs: dict[int, list[int]] = {}
    for n, begin in enumerate(begins):
        epochs.setdefault(bisect_right(ends, begin), []).append(n)
    psfs = [_reduced(case, [frames[n] for n in members]) for members in epochs.values()]
    off = [
        max((100.0 * (psf.fwhm.value / injected[n].shape.fwhm - 1.0) for n in members), key=abs)
        for members, psf in zip(epochs.values(), psfs, strict=True)
        if isinstance(psf, Psf)
    ]
    true = [one.shape.fwhm for one in injected]
    return [
        {
            "what": "epochs",
            "case": asdict(case),
            "true": [min(true), max(true)],
            "steps": [begins[n] for n in case.steps],
            "named": named,
            "off": off,
            "refused": [psf for psf in psfs if isinstance(psf, str)],
        }
    ]


def _reduced(case: EpochCase, frames: Sequence[StackBlock]) -> Psf | str:
    """What both passes of the reduction make of frames; why they make nothing."""
    first = PsfOfFrames(_design(case))
    try:
        # Of the first pass the second takes the mean limb alone.
        again = PsfOfFrames(_design(case), _summed(first, frames).mean_limb)
        found = again.finish(_summed(again, frames))
    except BadInput as error:
        return str(error)
    return found.psf if isinstance(found, PsfReduced) and found.psf is not None else "no PSF"


def _summed(reduction: PsfOfFrames, frames: Sequence[StackBlock]) -> Sums:
    total = reduction.map(frames[0])
    for one in frames[1:]:
        total = reduction.combine(total, reduction.map(one))
    return total


def _design(case: EpochCase) -> Designs:
    if case.light == "lyman":
        design = Design(sharp=False, terms=frozenset({"occulter"}), size=101)
    else:
        design = Design(terms=frozenset({"limb"}), size=101)
    return lambda _header: design


def _frames(case: EpochCase, injected: Sequence[Truth]) -> list[StackBlock]:
    """A frame a block, days apart."""
    rng = np.random.default_rng(case.seed)
    draw = lyman if case.light == "lyman" else white_light
    found = []
    for n, psf in enumerate(injected):
        scene = draw(SIDE, RADIUS, rng)
        sun, shown = scene.sun, scene
        if case.light == "lyman":
            shown = behind(scene, _body(sun, rng))
        image = seen(shown, psf, 10.0 ** rng.uniform(3.7, 4.7), rng)
        header = fits.Header(
            {
                "DATE-OBS": f"{_BEGIN + timedelta(days=3 * n):%Y-%m-%dT%H:%M:%S}",
                "RSUN_OBS": _RSUN,
                "CDELT1": _RSUN / sun.radius,
                "CRPIX1": sun.x + 1.0 + rng.uniform(-2.0, 2.0),
                "CRPIX2": sun.y + 1.0 + rng.uniform(-2.0, 2.0),
            }
        )
        found.append(
            StackBlock(image[None], np.zeros((1, SIDE, SIDE), np.uint16), (f"frame{n:02d}",), (header,))
        )
    return found


def _body(sun: Circle, rng: np.random.Generator) -> Circle:
    angle, away = rng.uniform(0.0, 2.0 * np.pi), rng.uniform(0.4, 0.9) * sun.radius
    return Circle(sun.x + away * np.cos(angle), sun.y + away * np.sin(angle), 0.98 * sun.radius)
