"""Known PSFs put into Suns, estimated, judged: one case after the other.

Seeds and generators are none that the method was tuned with; the finer images that spectra are compared with
are never of the generator that the frames are of.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

from bench.psf.angles import angular_error
from bench.psf.scenes import Scene, behind, lyman, seen, white_light
from bench.psf.truth import FINE, Truth, truth
from pipeline.errors import BadInput
from pipeline.kernels.limb import Circle, find_limb
from pipeline.psf.body import find_body
from pipeline.psf.estimate import Design, estimate
from pipeline.psf.reference import Verdict
from pipeline.psf.statistics import Statistics, of_disk, of_occulted_disk
from pipeline.psf.terms import Proxy, proxy_of

F32 = NDArray[np.float32]

SIZE: Final = 640
RADIUS: Final = 235.0
#: Frames of a case, and in Lyman α those with a dark body before the Sun.
FRAMES: Final = {"white light": 3, "lyman": 6}
OCCULTED: Final = 4
WIDTHS: Final = (2.3, 3.2, 5.0, 7.5)
KINDS: Final = ("gauss", "moffat", "pupil")
#: The same into drawn Suns, and pupils that are sharp.
DRAWN: Final = (*KINDS, "sharp")
#: Terms that are used: without and with the spectrum.
TERMS: Final = {
    "white light": (("limb", "spectrum"),),
    "lyman": (("occulter",), ("occulter", "spectrum")),
}
#: Real images, and the light they stand for.
REAL: Final = {
    "hmi": ("full_disk/2010_12_06__18_56_41_105__SDO_HMI_HMI_continuum.jp2", "white light"),
    "aia": ("aia/AIA20110319_105400_0171.fits", "lyman"),
    "eit": ("full_disk/eit_l1_20020625_100011.fits", "lyman"),
    "swap": ("full_disk/swap_lv1_20120101_001607.fits", "lyman"),
}


@dataclass(frozen=True)
class Case:
    """What is put in, and into what."""

    scene: str
    kind: str
    width: float
    wing: float
    draw: str = "validation"

    @property
    def light(self) -> str:
        """White light or Lyman α."""
        return REAL[self.scene][1] if self.scene in REAL else self.scene

    @property
    def seed(self) -> int:
        """Of all its random numbers."""
        return zlib.crc32(f"{self.scene} {self.kind} {self.width} {self.wing} {self.draw}".encode())


@dataclass(frozen=True)
class Found:
    """What came of a case: relative errors, in percent, and what the estimation thought of itself."""

    case: Case
    terms: str
    core: str
    wing: str
    fwhm: float = np.nan
    ee50: float = np.nan
    ee80: float = np.nan
    sigma: float = np.nan
    true: float = np.nan
    why: str = ""
    angular: float = np.nan
    symmetric: float = np.nan
    ellipse: str = ""
    odd: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self)


def cases(data: Path | None) -> Iterator[Case]:
    """All of them; real images where they are at hand."""
    for light in ("white light", "lyman"):
        for kind in DRAWN:
            for width in WIDTHS:
                for wing in (0.0, 0.1):
                    yield Case(light, kind, width, wing)
    for n, (name, (path, _)) in enumerate(REAL.items()):
        if data is not None and (data / path).is_file():
            yield Case(name, KINDS[n % 3], 3.5, 0.1)
            yield Case(name, KINDS[(n + 1) % 3], 6.0, 0.0)


def told(case: Case, injected: Truth, data: Path | None) -> Statistics:
    """What the frames of a case tell."""
    rng = np.random.default_rng(case.seed)
    total = Statistics.none()
    for n in range(FRAMES[case.light]):
        scene = _scene(case, data, rng)
        if case.light == "white light" or n >= OCCULTED:
            image = seen(scene, injected, 10.0 ** rng.uniform(3.7, 4.7), rng)
            total = total + _of_disk(image, scene.sun, sharp=case.light == "white light")
            continue
        angle, away = rng.uniform(0.0, 2.0 * np.pi), rng.uniform(0.4, 0.9) * scene.sun.radius
        body = Circle(
            scene.sun.x + away * np.cos(angle), scene.sun.y + away * np.sin(angle), 0.98 * scene.sun.radius
        )
        image = seen(behind(scene, body), injected, 10.0 ** rng.uniform(3.7, 4.7), rng)
        about = Circle(*(one + rng.uniform(-2.0, 2.0) for one in scene.sun))
        edge = find_body(image, about)
        if edge is not None:
            total = total + of_occulted_disk(image, edge, about)
    return total


def all_of(case: Case, data: Path | None) -> list[dict[str, Any]]:
    """A case with all terms and with some left out, as plain data."""
    injected = truth(case.kind, case.width, case.wing, case.seed + 1)
    statistics = told(case, injected, data)
    return [
        carried_out(case, data, frozenset(terms), statistics, injected).as_dict()
        for terms in TERMS[case.light]
    ]


def carried_out(
    case: Case, data: Path | None, terms: frozenset[str], statistics: Statistics, injected: Truth
) -> Found:
    """A case with some of the terms."""
    proxy = _proxy(case, data)
    design = Design(q=injected.q, sharp=case.light == "white light", proxy=proxy, terms=terms, size=101)
    name = " + ".join(sorted(terms))
    try:
        psf = estimate(statistics, design)
    except BadInput as error:
        return Found(
            case, name, "refused", "refused", true=injected.shape.fwhm, why=str(error.found or error)
        )
    fwhm, ee50, ee80 = (
        100.0 * (one.value / true - 1.0)
        for one, true in zip((psf.fwhm, psf.ee50, psf.ee80), injected.shape[:3], strict=True)
    )
    wing = "identified" if psf.wing is Verdict.IDENTIFIED else "not identified"
    sigma = 100.0 * psf.fwhm.error / psf.fwhm.value
    why = "; ".join(psf.reasons)
    # The same kernel with nothing that depends on the direction, as far as four turns of it can tell.
    turned = np.mean([np.rot90(psf.kernel, n) for n in range(4)], axis=0)
    return Found(
        case,
        name,
        "identified",
        wing,
        fwhm,
        ee50,
        ee80,
        sigma,
        true=injected.shape.fwhm,
        why=why,
        angular=100.0 * angular_error(psf.kernel, injected),
        symmetric=100.0 * angular_error(turned, injected),
        ellipse=str(psf.ellipse),
        odd=str(psf.odd),
    )


def _of_disk(image: F32, near: Circle, *, sharp: bool) -> Statistics:
    limb = find_limb(image)
    return of_disk(image, near if limb is None else limb.circle, sharp=sharp and limb is not None)


def _scene(case: Case, data: Path | None, rng: np.random.Generator) -> Scene:
    if case.scene == "white light":
        return white_light(SIZE, RADIUS, rng)
    if case.scene == "lyman":
        return lyman(SIZE, RADIUS, rng)
    assert data is not None
    scene = _real(data / REAL[case.scene][0])
    turned = int(rng.integers(4))  # one image, shown in four positions
    n = scene.fine.shape[0]
    x, y = scene.sun.x, scene.sun.y
    for _ in range(turned):
        x, y = y, (n - 1) / FINE - x
    return Scene(np.rot90(scene.fine, turned).copy(), Circle(x, y, scene.sun.radius), scene.softened)


@lru_cache(maxsize=4)
def _real(path: Path) -> Scene:
    """A real image as a scene of half pixels, 1024 of them along each side."""
    if path.suffix == ".jp2":
        import cv2

        image = np.asarray(cv2.imread(str(path), cv2.IMREAD_GRAYSCALE), np.float32)
    else:
        with fits.open(path) as hdus:
            image = next(np.asarray(one.data, np.float32) for one in hdus if one.data is not None)
    image = np.maximum(np.nan_to_num(image), 0.0)
    factor = image.shape[0] // 1024
    fine = image.reshape(1024, factor, 1024, factor).mean(axis=(1, 3))
    limb = find_limb(fine)
    circle = Circle(511.5, 511.5, 400.0) if limb is None else limb.circle
    softened = 1.0 / 12.0 / FINE**2 if factor > 1 else 0.0
    return Scene(fine, Circle(*(one / FINE for one in circle)), softened)


@lru_cache(maxsize=8)
def _proxy_of_kind(drawn: str, path: Path | None) -> Proxy:
    """Power of images of another origin: real ones for drawn frames, drawn ones for real frames."""
    if path is not None:
        scene = _real(path)
        images, sun = [scene.fine[::FINE, ::FINE]], scene.sun
    else:
        rng = np.random.default_rng(4)
        scenes = [(white_light if drawn == "white light" else lyman)(512, 190.0, rng) for _ in range(2)]
        images, sun = [one.fine[::FINE, ::FINE] for one in scenes], scenes[0].sun
    return proxy_of([(np.ascontiguousarray(image), sun) for image in images], slope=0.5, bend=0.4)


def _proxy(case: Case, data: Path | None) -> Proxy:
    other = {"white light": "hmi", "lyman": "aia"}.get(case.scene)
    path = None if other is None or data is None else data / REAL[other][0]
    return _proxy_of_kind(case.light, path if path is not None and path.is_file() else None)
