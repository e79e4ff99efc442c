"""PSFs that differ across the field, or do not: are tiles made where they should be, and are they right?

The PSF changes evenly from one to another through the field, in any direction; or it is the same everywhere,
round or elliptical. What is true of a tile is the mixture at its centre.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np

from bench.psf.field import mixture, share_at, varying
from bench.psf.scenes import seen, white_light
from bench.psf.truth import Truth, truth
from pipeline.errors import BadInput
from pipeline.kernels.limb import find_limb
from pipeline.psf.estimate import Design, estimate
from pipeline.psf.quarters import MIDDLE, QUARTERS
from pipeline.psf.reference import Psf
from pipeline.psf.statistics import Statistics, of_disk

SIDE: Final = 400
RADIUS: Final = 150.0
FRAMES: Final = 4
#: Width of pupils, pixels, which makes λ/D.
_PUPIL: Final = 6.0


@dataclass(frozen=True)
class TileCase:
    """A PSF on one side of the field, and one on the other.

    Attributes
    ----------
    name
        What the field is.
    kind, wing
        Of both.
    left, right
        FWHM, pixels; of pupils, which have one λ/D, their aberration, radians. Alike where nothing changes.
    ratio
        Of the axes; 0 for some between 1 and 1.15. Pupils have their aberrations.
    angle
        Direction in which the PSF changes, degrees from the x axis.
    """

    name: str
    kind: str
    wing: float
    left: float
    right: float
    ratio: float = 0.0
    angle: float = 0.0

    @property
    def seed(self) -> int:
        """Of all its random numbers."""
        told = f"{self.name} {self.kind} {self.left} {self.right} {self.ratio} {self.angle} tiles validation"
        return zlib.crc32(told.encode())


def tile_cases() -> Iterator[TileCase]:
    """Fields that vary by much and by little, that do not, and that are elliptical everywhere."""
    for kind, left, right, angle in (
        ("gauss", 2.8, 4.2, 30.0),
        ("gauss", 5.5, 4.0, 90.0),
        ("moffat", 3.2, 5.0, 135.0),
        ("moffat", 6.0, 4.4, 0.0),
        ("pupil", 0.2, 0.8, 60.0),
        ("pupil", 0.9, 0.3, 180.0),
    ):
        yield TileCase("varies", kind, 0.05, left, right, angle=angle)
    for kind, left, right in (("gauss", 4.0, 4.6), ("moffat", 5.5, 4.8)):
        yield TileCase("varies a little", kind, 0.0, left, right, angle=200.0)
    for kind, width, wing in (
        ("gauss", 3.0, 0.1),
        ("gauss", 6.0, 0.0),
        ("moffat", 3.6, 0.0),
        ("moffat", 5.2, 0.1),
        ("pupil", 0.6, 0.0),
    ):
        yield TileCase("the same everywhere", kind, wing, width, width)
    for kind, width, ratio in (
        ("gauss", 3.5, 1.3),
        ("gauss", 5.0, 1.2),
        ("moffat", 4.4, 1.3),
    ):
        yield TileCase("elliptical everywhere", kind, 0.05, width, width, ratio=ratio)


def run_tiles(case: TileCase) -> list[dict[str, Any]]:
    """What came of a case, as plain data."""
    rng = np.random.default_rng(case.seed)
    sides = [_side(case, one) for one in (case.left, case.right)]
    angle, total = np.radians(case.angle), Statistics.none()
    for _ in range(FRAMES):
        scene = white_light(SIDE, RADIUS, rng)
        electrons = 10.0 ** rng.uniform(3.9, 4.7)
        image = (
            seen(scene, sides[0], electrons, rng)
            if case.left == case.right
            else varying(scene, sides[0], sides[1], electrons, rng, angle)
        )
        limb = find_limb(image)
        total += of_disk(image, scene.sun if limb is None else limb.circle, tiles=True)
    true = [_there(sides, case, across, up) for across, up in QUARTERS]
    row: dict[str, Any] = {"what": "tiles", "case": asdict(case), "true": true}
    # The limb alone: the spectrum of structure knows no place.
    design = Design(q=sides[0].q, size=101, terms=frozenset({"limb"}), tiles=True)
    try:
        psf = estimate(total, design, (SIDE, SIDE))
    except BadInput as error:
        return [row | {"kernels": 0, "off": [], "untold": 0, "why": str(error.found or error)}]
    return [row | _told(psf, true)]


def _side(case: TileCase, of: float) -> Truth:
    if case.kind == "pupil":
        return truth(case.kind, _PUPIL, case.wing, case.seed + 1, rms=of)
    return truth(case.kind, of, case.wing, case.seed + 1, case.ratio)


def _there(sides: list[Truth], case: TileCase, across: int, up: int) -> float:
    """FWHM at the middle of a quarter of the limb."""
    middle, away = 0.5 * (SIDE - 1), MIDDLE * RADIUS
    share = share_at(middle + across * away, middle + up * away, SIDE, np.radians(case.angle))
    return float(mixture(sides[0], sides[1], float(share)).shape.fwhm)


def _told(psf: Psf, true: list[float]) -> dict[str, Any]:
    """Of each tile that is told, how far its FWHM is off; of one kernel, how far it is off in each."""
    told = psf.tiles or (psf.fwhm,) * len(true)
    off = [
        100.0 * (one.value / there - 1.0)
        for one, there in zip(told, true, strict=True)
        if np.isfinite(one.error)
    ]
    return {
        "kernels": len(psf.kernels),
        "off": off,
        "untold": len(true) - len(off),
        "why": "; ".join(psf.reasons),
    }
