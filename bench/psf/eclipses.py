"""Six eclipses seen through known optics, one thing changed at a time: what moves the widths that are found.

``python -m bench.psf.eclipses`` prints relative errors of FWHM, EE50 and EE80, in percent, of the optics that
docs/psf.md begins with: as they are simulated; with an edge that is as sharp as the kernel takes it to be
(the simulator draws edges a pixel wide, and its kernels hold the pixel, too); with the true circle of the
edge; with a Sun without structure. Then of sixteen other optics, each before another Sun.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from bench.psf.truth import FINE, truth
from pipeline.instruments.aso_s_lst.simulate import Pupil, SimulationConfig, observed, physical_psf
from pipeline.instruments.aso_s_lst.simulate.scene import places, scene
from pipeline.kernels.limb import Circle
from pipeline.psf.body import find_body
from pipeline.psf.estimate import Design, found_by
from pipeline.psf.shape import profile_of_kernel, shape_of
from pipeline.psf.statistics import Statistics, of_occulted_disk

F32 = NDArray[np.float32]
#: Solar radii west and north of the Sun's centre, frame by frame.
Places = tuple[tuple[float, float], ...]

#: Where the Moon stands, solar radii west and north, and its radius; what is changed.
_BODIES: Final[Places] = ((0.7, 0.3), (-0.3, 0.7), (-0.7, -0.3), (0.3, -0.7), (0.7, 0.3), (-0.3, 0.7))
_RADIUS: Final = 0.98
CHANGES: Final = ((), ("sharp",), ("sharp", "circle"), ("sharp", "circle", "uniform"))
#: Other optics, and the seeds of their Suns.
OTHERS: Final = 16
_OTHER_SUNS: Final = 900
#: Pixels beyond which the estimation takes no light to be scattered.
_REACH: Final = 200
#: Mirrored at the borders, pixels.
_MARGIN: Final = 64


def _cut(pupil: Pupil) -> F32:
    """Optics without what they scatter beyond the reach of the estimation."""
    psf = physical_psf(pupil, 2 * _REACH + 1)
    y, x = np.ogrid[-_REACH : _REACH + 1, -_REACH : _REACH + 1]
    cut = np.where(np.hypot(x, y) <= _REACH, psf, 0.0)
    return np.asarray(cut / cut.sum(), np.float32)


def other(number: int) -> tuple[str, F32, Places]:
    """Optics by number, pupils, Gaussians and Moffats in turn, and where the Moon stands."""
    rng = np.random.default_rng(90000 + number)
    kind = ("pupil", "gauss", "pupil", "moffat")[number % 4]
    if kind == "pupil":
        blur, aberration, jitter = rng.uniform(2.0, 3.2), rng.uniform(0.25, 0.6), rng.uniform(1.2, 2.2)
        psf = _cut(Pupil(blur=blur, aberration=aberration, jitter=jitter, seed=int(rng.integers(1000, 9999))))
    else:
        fine = truth(kind, rng.uniform(4.0, 6.5), 0.08 * (number // 4 % 2), 90100 + number).fine
        picked = fine[::FINE, ::FINE]
        psf = (picked / picked.sum()).astype(np.float32)
    turn, bodies = rng.uniform(0.0, 2.0 * np.pi), []
    for n in range(len(_BODIES)):
        angle, away = turn + 0.5 * n * np.pi + rng.uniform(-0.3, 0.3), rng.uniform(0.65, 0.85)
        bodies.append((away * np.cos(angle), away * np.sin(angle)))
    return kind, psf, tuple(bodies)


def told(seed: int, psf: F32, changed: tuple[str, ...], bodies: Places = _BODIES) -> Statistics:
    """What six frames tell."""
    total, first = Statistics.none(), SimulationConfig(telescope="SDI", size=1024, seed=seed)
    for n, place in enumerate(bodies):
        start = first.start + timedelta(days=n)
        config = first.model_copy(update={"number": n, "start": start, "body": (*place, _RADIUS)})
        light = _uniform(config) if "uniform" in changed else scene(config)
        image = observed(config, psf=psf, scene=sharpened(light) if "sharp" in changed else light).data
        sun, true = Circle(*config.disk), _body(config)
        body = true if "circle" in changed else find_body(image, sun)
        if body is not None:
            total = total + of_occulted_disk(image, body, sun)
    return total


def sharpened(image: F32) -> F32:
    """A scene whose edges were drawn a pixel wide, without that pixel: its variance is taken off."""
    padded = np.pad(image, _MARGIN, mode="symmetric")
    k2 = np.add.outer(scipy.fft.fftfreq(padded.shape[0]) ** 2, scipy.fft.rfftfreq(padded.shape[1]) ** 2)
    spectrum = scipy.fft.rfft2(padded) * np.exp(2.0 * np.pi**2 / 12.0 * np.minimum(k2, 0.5))
    inside = slice(_MARGIN, -_MARGIN)
    return np.asarray(scipy.fft.irfft2(spectrum, s=padded.shape)[inside, inside], np.float32)


def _uniform(config: SimulationConfig) -> F32:
    """A disk as bright everywhere, and the body before it; edges a pixel wide."""
    west, north = places(config)
    x, y, radius = _told(config)
    disk = np.clip((1.0 - np.hypot(west, north)) * config.radius + 0.5, 0.0, 1.0)
    away = np.hypot(west - x, north - y)
    return np.asarray(disk * np.clip((away - radius) * config.radius + 0.5, 0.0, 1.0), np.float32)


def _body(config: SimulationConfig) -> Circle:
    """Where the edge of the body is, pixels."""
    x0, y0, radius = config.disk
    west, north, size = _told(config)
    turn = np.radians(config.roll)
    x, y = np.cos(turn) * west + np.sin(turn) * north, np.cos(turn) * north - np.sin(turn) * west
    return Circle(float(x0 + radius * x), float(y0 + radius * y), size * radius)


def _told(config: SimulationConfig) -> tuple[float, float, float]:
    """The body of a configuration."""
    if config.body is None:
        raise ValueError("these frames have a body before the Sun")
    return config.body


def _printed(name: str, seed: int, psf: F32, statistics: Statistics) -> None:
    found = found_by(statistics, Design(sharp=False, size=101))
    if found is None:
        print(name, seed, "nothing")
        return
    true = shape_of(*profile_of_kernel(psf.astype(np.float64)))[:3]
    widths = (found.psf.fwhm, found.psf.ee50, found.psf.ee80)
    off = [f"{100.0 * (one.value / value - 1.0):+.1f}" for one, value in zip(widths, true, strict=True)]
    print(name, seed, *off, found.fits[0].model, "; ".join(found.doubts.core) or "identified", flush=True)


def main() -> None:
    """Print the errors, seed by seed."""
    psf = _cut(Pupil(aberration=0.3, jitter=1.8))
    for changed in CHANGES:
        for seed in range(3):
            _printed(", ".join(changed) or "as simulated", seed, psf, told(seed, psf, changed))
    for number in range(OTHERS):
        kind, psf, bodies = other(number)
        _printed(kind, number, psf, told(_OTHER_SUNS + number, psf, ("sharp",), bodies))


if __name__ == "__main__":
    main()
