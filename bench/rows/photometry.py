"""Faint emission behind a deconvolution: means off the limb and in holes, against the truth."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

from bench.frames import CHANNEL
from bench.measure import Row, Sample, Skipped
from bench.residual import DEFAULT, PLAIN_ITERATIONS, ours
from bench.setting import Setting, has
from pipeline.instruments.sdo_aia.noise import BUILT_IN
from pipeline.instruments.sdo_aia.psf import point_spread_function
from pipeline.kernels.deconvolve import Transfer, convolved, transfer_function

#: Brightness of the disk in DN.
_LEVELS: Final = (1.0, 5.0, 100.0)
#: Radius of the disk and of its hole, and how bright the hole is, as shares of the image's and the disk's.
_DISK, _HOLE, _DARK = 0.3, 0.08, 0.1

Deconvolve = Callable[[NDArray[np.float32]], NDArray[Any]]


@dataclass(frozen=True)
class Scene:
    """A Sun without noise, and where it is looked at."""

    truth: NDArray[np.float64]
    regions: dict[str, NDArray[np.bool_]]


def rows(setting: Setting) -> Iterator[Row | Skipped]:
    """One row for each brightness."""
    size = setting.pick(1024, 128)
    if not has("aiapy"):
        yield Skipped(f"photometry of faint emission {size}²", "aiapy is not installed")
        return
    psf = point_spread_function(CHANNEL, size=size)
    transfer = transfer_function(psf, (size, size))
    contenders: dict[str, Deconvolve] = {
        "ours": partial(ours, transfer=transfer, iterations=DEFAULT.iterations),
        "aiapy": _aiapy(psf, size),
    }
    for level in _LEVELS:
        yield _row(_scene(size, level), level, contenders, transfer, setting.pick(4, 2))


def _scene(size: int, level: float) -> Scene:
    axis = (np.arange(size) - (size - 1) / 2) / size
    far = np.hypot(axis[:, None], axis) / _DISK
    truth = level * np.where(far < 1, 1.0, 0.4 * np.exp(-4.0 * (far - 1.0)))
    hole = np.hypot(axis[:, None] - 0.1, axis + 0.05)
    truth[hole < _HOLE] *= _DARK
    return Scene(truth, {"off the limb": (far > 1.1) & (far < 1.5), "in a hole": hole < 0.75 * _HOLE})


def _aiapy(psf: NDArray[np.float64], size: int) -> Deconvolve:
    import sunpy.map
    from aiapy.psf import deconvolve

    header = fits.Header()
    header.update({"CTYPE1": "HPLN-TAN", "CTYPE2": "HPLT-TAN", "CUNIT1": "arcsec", "CUNIT2": "arcsec"})
    header.update({"CRPIX1": size / 2, "CRPIX2": size / 2, "CDELT1": 0.6, "CDELT2": 0.6})
    header.update({"CRVAL1": 0.0, "CRVAL2": 0.0, "DATE-OBS": "2011-02-15T00:00:00"})
    header.update({"TELESCOP": "SDO/AIA", "INSTRUME": "AIA_3", "WAVELNTH": CHANNEL, "WAVEUNIT": "angstrom"})

    def run(image: NDArray[np.float32]) -> NDArray[Any]:
        given = sunpy.map.Map(image, header)
        found: NDArray[Any] = deconvolve(given, psf=psf, iterations=PLAIN_ITERATIONS, use_gpu=False).data
        return found

    return run


def _row(
    scene: Scene, level: float, contenders: dict[str, Deconvolve], transfer: Transfer, images: int
) -> Row:
    noise = BUILT_IN[CHANNEL]
    light = np.maximum(convolved(scene.truth.astype(np.float32), transfer), 0.0)
    errors: dict[str, list[float]] = {name: [] for name in ("raw", *contenders)}
    ratios: dict[str, list[dict[str, float]]] = {name: [] for name in ("raw", *contenders)}
    for seed in range(images):
        random = np.random.default_rng(seed)
        counts = random.poisson(light / noise.photon) * noise.photon
        image = np.rint(counts + random.normal(0.0, noise.read_noise, light.shape)).astype(np.float32)
        for name, found in {"raw": image, **{name: run(image) for name, run in contenders.items()}}.items():
            means = {
                region: float(np.nanmean(found[where], dtype=np.float64) / scene.truth[where].mean())
                for region, where in scene.regions.items()
            }
            ratios[name].append({**means, "disk": _scatter(scene, found, level)})
            errors[name].append(100.0 * float(np.sqrt(np.mean([(mean - 1) ** 2 for mean in means.values()]))))
    return Row(
        f"photometry of faint emission {light.shape[0]}², disk of {level:g} DN",
        Sample(tuple(errors["ours"])),
        Sample(tuple(errors["aiapy"])),
        f"aiapy.psf.deconvolve, {PLAIN_ITERATIONS} iterations",
        unit="%",
        notes=tuple(_note(name, ratios[name]) for name in ratios),
        numbers={
            f"{name}, {key}": float(np.median([one[key] for one in found]))
            for name, found in ratios.items()
            for key in found[0]
        },
    )


def _scatter(scene: Scene, found: NDArray[Any], level: float) -> float:
    disk = scene.truth == level
    return float(np.sqrt(np.nanmean((found[disk] - level) ** 2)) / level)


def _note(name: str, found: list[dict[str, float]]) -> str:
    middle = {key: float(np.median([one[key] for one in found])) for key in found[0]}
    means = ", ".join(f"{middle[key]:.3f} of the truth {key}" for key in middle if key != "disk")
    return f"{name}: mean {means}; single pixels of the disk off by {middle['disk']:.3g} of it (RMS)"
