"""Richardson–Lucy against aiapy, iteration for iteration and residual for residual, and the chain with it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from bench.chain import AiapyChain
from bench.frames import CHANNEL, Level1, level1
from bench.measure import Aim, Race, Row, Skipped, duration, race
from bench.residual import DEFAULT, PLAIN_ITERATIONS, fewest_iterations, ours, plain, residual
from bench.rows.chain import measured
from bench.setting import Setting, has
from pipeline.instruments.sdo_aia.psf import point_spread_function
from pipeline.kernels.deconvolve import Transfer, transfer_function

_AIM_CHAIN: Final = Aim(ratio=10.0, text="≥ 10× at equal or lower residual")


def rows(setting: Setting) -> Iterator[Row | Skipped]:
    """Two rows of the deconvolution alone, then the chain with the iterations found for it."""
    size = setting.pick(4096, 256)
    if not has("aiapy"):
        yield Skipped(f"deconvolution {size}²", "aiapy is not installed")
        return
    frame = level1(setting, size)
    psf = point_spread_function(CHANNEL, size=size)
    transfer = transfer_function(psf, frame.shape)
    fewest = fewest_iterations(frame, transfer)
    iterations = max(fewest, DEFAULT.iterations)
    yield from _deconvolution(frame, psf, transfer, iterations, fewest)
    yield measured(
        setting,
        frame,
        f"AIA chain {size}², all six steps",
        _AIM_CHAIN,
        rounds=2,
        peer=AiapyChain(frame, psf),
        iterations=(iterations, PLAIN_ITERATIONS),
        notes=(f"{_method(iterations)} against the peer's {PLAIN_ITERATIONS} plain iterations",),
    )


def _method(iterations: int) -> str:
    start = f" from a linear start of {DEFAULT.linear_start}" if DEFAULT.linear_start else ""
    residual = " and the residual" if DEFAULT.result == "unbiased" else ""
    return f"{iterations} {'accelerated' if DEFAULT.accelerate else 'plain'} iterations{start}{residual}"


def _deconvolution(
    frame: Level1, psf: NDArray[np.float64], transfer: Transfer, iterations: int, fewest: int
) -> Iterator[Row]:
    import sunpy.map
    from aiapy.psf import deconvolve

    image = frame.respiked
    given = sunpy.map.Map(image, dict(frame.header))
    run = race(
        {
            "plain": lambda: plain(image, transfer),
            "ours": lambda: ours(image, transfer, iterations),
            "aiapy": lambda: deconvolve(given, psf=psf, iterations=PLAIN_ITERATIONS, use_gpu=False),
        },
        rounds=2,
        warm=False,  # finding the number of iterations has compiled ours; a turn of the peer takes long
    )
    yield _plain_row(frame, run, _transforms(image))
    yield _equal_row(frame, run, transfer, iterations, fewest)


def _transforms(image: NDArray[np.float32]) -> float:
    """Seconds scipy takes for the four real transforms of one iteration, without anything else."""

    def there_and_back() -> None:
        scipy.fft.irfft2(scipy.fft.rfft2(image, workers=1), s=image.shape, workers=1)

    return 2 * race({"pair": there_and_back}, rounds=3).times["pair"].median


def _plain_row(frame: Level1, run: Race, transforms: float) -> Row:
    found, expected = run.results["plain"], run.results["aiapy"].data
    error = float(np.abs(found - expected).max() / np.ptp(expected))
    each = run.times["plain"].median / PLAIN_ITERATIONS
    return Row(
        f"deconvolution {frame.shape[0]}², {PLAIN_ITERATIONS} plain iterations",
        run.times["plain"],
        run.times["aiapy"],
        "aiapy.psf.deconvolve (numpy)",
        notes=(
            f"largest difference from aiapy, relative to the dynamic range: {error:.1e}",
            (
                f"{duration(each)} per iteration; the four real float32 transforms in it, left to scipy.fft, "
                f"would alone take {duration(transforms)} (ours go by strips that stay in the cache); the "
                "peer's are float64"
            ),
        ),
        numbers={
            "max_difference_of_range": error,
            "seconds_per_iteration": each,
            "seconds_of_bare_transforms": transforms,
        },
    )


def _equal_row(frame: Level1, run: Race, transfer: Transfer, iterations: int, fewest: int) -> Row:
    found, expected = run.results["ours"], run.results["aiapy"].data
    left = {
        "ours": residual(frame.respiked, found, transfer),
        "aiapy": residual(frame.respiked, expected, transfer),
    }
    held = "not above" if left["ours"] <= left["aiapy"] else "ABOVE"
    apart = float(np.sqrt(np.mean((found - expected) ** 2) / np.mean(expected.astype(np.float64) ** 2)))
    return Row(
        f"deconvolution {frame.shape[0]}², to the same residual",
        run.times["ours"],
        run.times["aiapy"],
        f"aiapy.psf.deconvolve (numpy), {PLAIN_ITERATIONS} iterations",
        notes=(
            (
                f"{_method(iterations)} leave a residual (mean square over the variance of the noise) of "
                f"{left['ours']:.6g}, {held} aiapy's {left['aiapy']:.6g}; {fewest} would do"
            ),
            (
                f"the two results differ by {apart:.1%} (RMS, relative to the RMS of the image): the same "
                "residual does not make them the same image"
            ),
        ),
        numbers={
            "iterations": iterations,
            "fewest_iterations": fewest,
            "rms_difference": apart,
            **{f"residual_{name}": value for name, value in left.items()},
        },
    )
