"""De-smearing against the dense inverse and product, and against a plain copy."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from bench.measure import Aim, Row, Skipped, duration, race
from bench.setting import Setting
from pipeline.kernels.desmear import desmear, smear

#: Seconds a line is exposed at its place, and at that of each line before and after it: unequal, as in HI.
_TIMES: Final = (1200.0, 0.072, 0.0045)
_FASTER: Final = Aim(ratio=50.0)
_LIKE_A_COPY: Final = Aim(ratio=1 / 3, text="within 3× of one read and one write")


def rows(setting: Setting) -> Iterator[Row | Skipped]:
    """Two sizes, each against the dense solution; the larger against `numpy.copyto` too."""
    sizes = setting.pick((1024, 2048), (128, 256))
    for size in sizes:
        yield _against_dense(size, rounds=setting.pick(7, 2))
    yield _against_copy(sizes[-1], rounds=setting.pick(101, 5))


def _image(size: int) -> NDArray[np.float32]:
    random = np.random.default_rng(size)
    scene = random.gamma(2.0, 0.05, (size, size))
    return np.asarray(smear(scene, *_TIMES), dtype=np.float32)


def dense(image: NDArray[Any]) -> NDArray[np.float64]:
    """What punchbowl does (level1/destreak.py): build the matrix, invert it, multiply; float64 throughout."""
    diagonal, below, above = _TIMES
    n = image.shape[0]
    lower = np.tril(np.ones((n, n)) * below, -1)
    upper = np.triu(np.ones((n, n)) * above, 1)
    inverse = np.linalg.inv(lower + upper + np.diagflat(np.ones(n) * diagonal))
    solution: NDArray[np.float64] = inverse @ image
    return solution


def _against_dense(size: int, rounds: int) -> Row:
    image = _image(size)
    wide = image.astype(np.float64)
    inverse = np.linalg.inv(_matrix(size))
    run = race(
        {
            "ours": lambda: desmear(image, *_TIMES),
            "ours, float64": lambda: desmear(wide, *_TIMES),
            "dense": lambda: dense(wide),
            "product": lambda: inverse @ wide,
        },
        rounds=rounds,
    )
    truth = run.results["dense"]
    error = _error(run.results["ours"], truth)
    error64 = _error(run.results["ours, float64"], truth)
    times = run.times
    kept = times["product"].median / times["ours"].median
    return Row(
        f"de-smear {size}²",
        times["ours"],
        times["dense"],
        "dense float64 inverse and product (numpy, as PUNCH)",
        aim=_FASTER,
        notes=(
            (
                f"largest error against the dense float64 solution, relative to its maximum: {error:.1e} in "
                f"float32, {error64:.1e} in float64 ({duration(times['ours, float64'].median)})"
            ),
            (
                f"with the inverse kept from frame to frame the product alone takes "
                f"{duration(times['product'].median)}: {kept:.0f}×"
            ),
        ),
        numbers={"max_relative_error_float32": error, "max_relative_error_float64": error64},
    )


def _matrix(n: int) -> NDArray[np.float64]:
    diagonal, below, above = _TIMES
    ones = np.ones((n, n))
    return np.tril(ones * below, -1) + np.triu(ones * above, 1) + np.eye(n) * diagonal


def _error(found: NDArray[Any], truth: NDArray[np.float64]) -> float:
    return float(np.abs(found - truth).max() / np.abs(truth).max())


def _against_copy(size: int, rounds: int) -> Row:
    image = _image(size)
    target = np.empty_like(image)
    run = race(
        {
            "ours": lambda: desmear(image, *_TIMES),
            "copy": lambda: np.copyto(target, image),
            "new copy": image.copy,
        },
        rounds=rounds,
    )
    times = run.times
    return Row(
        f"de-smear {size}², against a copy",
        times["ours"],
        times["copy"],
        "numpy.copyto, float32",
        aim=_LIKE_A_COPY,
        notes=(
            (
                "two passes read the image twice and write it once: 1.5 × the traffic of a copy is the "
                "bound; the sums are float64 recurrences along the columns"
            ),
            (
                f"ours also makes the array it returns; a copy that does so takes "
                f"{duration(times['new copy'].median)}"
            ),
        ),
    )
