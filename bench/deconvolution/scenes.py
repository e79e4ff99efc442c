"""What is deconvolved: scenes whose truth is known, seen through a known PSF with known noise."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final, TypeAlias

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from pipeline.instruments.aso_s_lst.simulate import SimulationConfig, scene
from pipeline.instruments.aso_s_lst.simulate.optics import Pupil, physical_psf
from pipeline.instruments.aso_s_lst.simulate.picture import scene_of_image
from pipeline.kernels.deconvolve import Transfer, convolved, transfer_function

F64: TypeAlias = NDArray[np.float64]
F32: TypeAlias = NDArray[np.float32]

SIZE: Final = 512
#: Electrons.
READ_NOISE: Final = 5.0
#: Pixels of blocks whose light is compared.
BLOCK: Final = 8
_KERNEL: Final = 201
#: Pixels of sky beside the limb.
_SKY: Final = 100


@dataclass(frozen=True, eq=False)
class Scene:
    """A truth, 1 in the middle of its disk's brightness, and where the disk lies in it."""

    name: str
    truth: F64
    centre: tuple[float, float]
    radius: float

    @cached_property
    def distance(self) -> F64:
        """Of each pixel from the limb, pixels; negative on the disk."""
        y, x = np.indices(self.truth.shape)
        return np.asarray(np.hypot(x - self.centre[0], y - self.centre[1]) - self.radius)

    @cached_property
    def quiet(self) -> NDArray[np.bool_]:
        """The fainter half of the disk, away from the limb."""
        smooth = gaussian_filter(self.truth, BLOCK)
        inside = self.distance < -20
        return np.asarray(inside & (smooth < np.median(smooth[inside])))

    @cached_property
    def corona(self) -> NDArray[np.bool_]:
        """Where emission is faint, off the limb."""
        return np.asarray((self.distance > 15) & (self.distance < 35))


@dataclass(frozen=True, eq=False)
class Optics:
    """A PSF by name; `diffraction` is λ/D in pixels, 0 where there is none."""

    name: str
    kernel: F64
    diffraction: float = 0.0

    @cached_property
    def transfer(self) -> Transfer:
        """For the scenes' shape, periodic as they are seen."""
        return transfer_function(self.kernel, (SIZE, SIZE))


@dataclass(frozen=True, eq=False)
class Exposure:
    """A scene as it was seen, in units of the scene, and the variance of its noise."""

    scene: Scene
    optics: Optics
    image: F32
    variance: F32
    read_offset: float
    """Light whose photons would be as noisy as the read-out."""


def scenes(data: Path | None) -> list[Scene]:
    """Simulated SDI and WST, and a real image as the truth where there is one: parts of disk and limb."""
    sdi = SimulationConfig(telescope="SDI", size=2048)
    wst = SimulationConfig(telescope="WST", gain="SINGLE", size=2048)
    found = [_scene("SDI (simulated)", sdi, scene(sdi)), _scene("WST (simulated)", wst, scene(wst))]
    if data is not None:
        image = fits.getdata(data / "aia" / "AIA20110319_105400_0171.fits").astype(np.float64)
        config = SimulationConfig(telescope="SDI", size=1280)
        found.insert(1, _scene("AIA 171 Å (real)", config, scene_of_image(config, image)))
    return found


def _scene(name: str, config: SimulationConfig, image: F32) -> Scene:
    disk = config.disk
    top, left = int(disk.y) - SIZE // 2, int(disk.x - disk.radius) - _SKY
    truth = np.maximum(image[top : top + SIZE, left : left + SIZE].astype(np.float64), 1e-4)
    centre = disk.x - left, disk.y - top
    made = Scene(name, truth, centre, disk.radius)
    return Scene(name, truth / np.median(truth[made.distance < -20]), centre, disk.radius)


def optics(size: int = _KERNEL) -> list[Optics]:
    """An aberrated pupil with jitter and scattering, and a Gaussian core with the same scattering."""
    pupil = Pupil(blur=2.2, aberration=1.0, jitter=0.5, wings=0.12)
    return [_behind("aberrated pupil", pupil, size), Optics("Gaussian, 5 px", gaussian(5.0, 0.08, size))]


def gentle(size: int = _KERNEL) -> Optics:
    """A pupil whose aberrations its own diffraction and its jitter hide."""
    return _behind("gentle pupil", Pupil(blur=3.0, aberration=0.4, jitter=1.0), size)


def _behind(name: str, pupil: Pupil, size: int) -> Optics:
    return Optics(name, physical_psf(pupil, size).astype(np.float64), pupil.blur)


def gaussian(fwhm: float, wing: float, size: int = _KERNEL) -> F64:
    """A Gaussian core, and a wing that is a power law."""
    y, x = np.indices((size, size)) - size // 2
    r = np.hypot(x, y)
    core, wide = np.exp(-4 * np.log(2) * (r / fwhm) ** 2), (1 + (r / 6) ** 2) ** -1.4
    return np.asarray((1 - wing) * core / core.sum() + wing * wide / wide.sum())


def exposed(one: Scene, through: Optics, snr: float, seed: int) -> Exposure:
    """A scene with photon and read-out noise; `snr` is that of photons where the scene is 1."""
    light = np.maximum(convolved(one.truth.astype(np.float32), through.transfer), 0.0).astype(np.float64)
    electrons = snr**2
    read = min(READ_NOISE, 0.3 * snr)
    random = np.random.default_rng(seed)
    counts = random.poisson(light * electrons) + random.normal(0.0, read, light.shape)
    variance = (light * electrons + read**2) / electrons**2
    image = (counts / electrons).astype(np.float32)
    return Exposure(one, through, image, variance.astype(np.float32), read**2 / electrons)
