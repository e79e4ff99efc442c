"""Where array work runs: NumPy with compiled kernels on the CPU, or CuPy on a GPU.

A backend offers the few operations that Richardson–Lucy deconvolution is made
of. Kernels are written against it once; which backend carries them is the
caller's choice. On the CPU nothing here starts a thread.
"""

from __future__ import annotations

import importlib.util
from functools import lru_cache
from typing import Any, Final, Literal, Protocol

import numpy as np
import scipy.fft
from numba import njit
from numpy.typing import NDArray

from pipeline.kernels.columns import LENGTH, filter_columns

BackendName = Literal["numpy", "cupy", "auto"]

# Blocks of rows and strips of columns that stay in the cache while they are transformed.
_ROWS: Final = 128
_COLUMNS: Final = 128


class Backend(Protocol):
    """Operations on float32 images (ny, nx) that live where the backend computes."""

    name: str

    def put(self, image: NDArray[Any]) -> Any:
        """A copy of an array in the backend's memory."""

    def get(self, image: Any) -> NDArray[Any]:
        """A NumPy array of one of the backend's arrays."""

    def empty(self, shape: tuple[int, int]) -> Any:
        """A float32 array with any content."""

    def scratch(self, shape: tuple[int, int]) -> Any:
        """Working memory for `convolve` on images of a shape."""

    def convolve(self, image: Any, transfer: Any, scratch: Any, *, adjoint: bool, out: Any) -> None:
        """Circular convolution with a transfer function in `rfft2` layout, or with its mirror image."""

    def ratio(self, observed: Any, blurred: Any, seen: Any | None, floor: float) -> None:
        """``blurred`` becomes ``observed / blurred`` where that is above `floor` and seen, else 0."""

    def lift(self, estimate: Any, observed: Any, least: float, floor: float) -> None:
        """``estimate`` becomes at least ``least · observed + floor``, which is never zero."""

    def predict(self, current: Any, previous: Any, alpha: float, out: Any) -> None:
        """``out = max(current + alpha · (current − previous), 0)``."""

    def update(self, predicted: Any, correction: Any, change: Any, out: Any) -> tuple[float, float]:
        """``out = max(predicted · correction, 0)``; ``change`` becomes ``out − predicted``.

        Returns Σ new change · old change and Σ (new change)².
        """

    def curvature(self, image: Any) -> Any:
        """Divergence of the normalised gradient, ``div(∇x / |∇x|)``."""


class NumpyBackend:
    """SciPy's real FFTs in float32 and compiled element-wise passes, one thread."""

    name = "numpy"

    def put(self, image: NDArray[Any]) -> NDArray[Any]:
        return np.array(image)

    def get(self, image: Any) -> NDArray[Any]:
        return np.asarray(image)

    def empty(self, shape: tuple[int, int]) -> NDArray[np.float32]:
        return np.empty(shape, np.float32)

    def scratch(self, shape: tuple[int, int]) -> NDArray[np.complex64]:
        return np.empty((shape[0], shape[1] // 2 + 1), np.complex64)

    def convolve(
        self,
        image: NDArray[np.float32],
        transfer: NDArray[Any],
        scratch: NDArray[np.complex64],
        *,
        adjoint: bool,
        out: NDArray[np.float32],
    ) -> None:
        ny, nx = image.shape
        spectrum = scratch
        for top in range(0, ny, _ROWS):
            rows = slice(top, top + _ROWS)
            spectrum[rows] = scipy.fft.rfft(image[rows], axis=1, workers=1)
        if ny == LENGTH and transfer.dtype == np.float32:
            filter_columns(spectrum, transfer)
        else:
            _filter_any_columns(spectrum, transfer, adjoint=adjoint)
        for top in range(0, ny, _ROWS):
            rows = slice(top, top + _ROWS)
            out[rows] = scipy.fft.irfft(spectrum[rows], n=nx, axis=1, workers=1, overwrite_x=True)

    def ratio(
        self,
        observed: NDArray[np.float32],
        blurred: NDArray[np.float32],
        seen: NDArray[np.float32] | None,
        floor: float,
    ) -> None:
        _ratio(observed, blurred, np.float32(floor))
        if seen is not None:
            blurred *= seen

    def lift(
        self, estimate: NDArray[np.float32], observed: NDArray[np.float32], least: float, floor: float
    ) -> None:
        _lift(estimate, observed, np.float32(least), np.float32(floor))

    def predict(
        self,
        current: NDArray[np.float32],
        previous: NDArray[np.float32],
        alpha: float,
        out: NDArray[np.float32],
    ) -> None:
        _predict(current, previous, np.float32(alpha), out)

    def update(
        self,
        predicted: NDArray[np.float32],
        correction: NDArray[np.float32],
        change: NDArray[np.float32],
        out: NDArray[np.float32],
    ) -> tuple[float, float]:
        sums = np.zeros((predicted.shape[0], 2))
        _update(predicted, correction, change, out, sums)
        return float(sums[:, 0].sum()), float(sums[:, 1].sum())

    def curvature(self, image: NDArray[np.float32]) -> NDArray[np.float32]:
        curvature: NDArray[np.float32] = _curvature(np, image)
        return curvature


def _filter_any_columns(spectrum: NDArray[np.complex64], transfer: NDArray[Any], *, adjoint: bool) -> None:
    for left in range(0, spectrum.shape[1], _COLUMNS):
        columns = (slice(None), slice(left, left + _COLUMNS))
        strip = scipy.fft.fft(spectrum[columns], axis=0, workers=1)
        strip *= np.conj(transfer[columns]) if adjoint else transfer[columns]
        spectrum[columns] = scipy.fft.ifft(strip, axis=0, workers=1, overwrite_x=True)


class CupyBackend:
    """The same operations on a GPU."""

    name = "cupy"

    def __init__(self) -> None:
        import cupy

        self.xp = cupy

    def put(self, image: NDArray[Any]) -> Any:
        return self.xp.asarray(image)

    def get(self, image: Any) -> NDArray[Any]:
        return np.asarray(self.xp.asnumpy(image))

    def empty(self, shape: tuple[int, int]) -> Any:
        return self.xp.empty(shape, self.xp.float32)

    def scratch(self, shape: tuple[int, int]) -> Any:
        return None

    def convolve(self, image: Any, transfer: Any, scratch: Any, *, adjoint: bool, out: Any) -> None:
        spectrum = self.xp.fft.rfft2(image)
        spectrum *= transfer.conj() if adjoint else transfer
        out[...] = self.xp.fft.irfft2(spectrum, s=image.shape)

    def ratio(self, observed: Any, blurred: Any, seen: Any | None, floor: float) -> None:
        xp = self.xp
        usable = blurred > floor
        blurred[...] = xp.where(usable, observed / xp.where(usable, blurred, 1), 0)
        if seen is not None:
            blurred *= seen

    def lift(self, estimate: Any, observed: Any, least: float, floor: float) -> None:
        xp = self.xp
        estimate[...] = xp.maximum(estimate, xp.float32(least) * observed + xp.float32(floor))

    def predict(self, current: Any, previous: Any, alpha: float, out: Any) -> None:
        xp = self.xp
        out[...] = xp.maximum(current + xp.float32(alpha) * (current - previous), 0)

    def update(self, predicted: Any, correction: Any, change: Any, out: Any) -> tuple[float, float]:
        xp = self.xp
        out[...] = xp.maximum(predicted * correction, 0)
        new = out - predicted
        dot = float(xp.sum(new * change, dtype=xp.float64))
        square = float(xp.sum(new * new, dtype=xp.float64))
        change[...] = new
        return dot, square

    def curvature(self, image: Any) -> Any:
        return _curvature(self.xp, image)


def _curvature(xp: Any, image: Any) -> Any:
    """Forward differences and their adjoint, periodic like the convolution; flat regions have none."""
    right = xp.roll(image, -1, axis=1) - image
    up = xp.roll(image, -1, axis=0) - image
    steepness = xp.sqrt(right * right + up * up)
    steepness = xp.maximum(steepness, xp.float32(1e-6) * xp.abs(image).max() + xp.float32(1e-30))
    right /= steepness
    up /= steepness
    return right - xp.roll(right, 1, axis=1) + up - xp.roll(up, 1, axis=0)


@lru_cache(maxsize=2)
def _numpy_or_cupy(name: str) -> Backend:
    return CupyBackend() if name == "cupy" else NumpyBackend()


def backend(name: BackendName = "auto") -> Backend:
    """The backend of this name; ``auto`` takes CuPy where it and a GPU are there.

    Raises
    ------
    RuntimeError
        When ``cupy`` is asked for and cannot work here.
    """
    if name == "numpy":
        return _numpy_or_cupy("numpy")
    usable = gpu_is_usable()
    if name == "cupy" and not usable:
        raise RuntimeError("the backend cupy needs CuPy (the extra `gpu`) and a CUDA device; use numpy here")
    return _numpy_or_cupy("cupy" if usable else "numpy")


@lru_cache(maxsize=1)
def gpu_is_usable() -> bool:
    """Whether CuPy is installed and sees a device."""
    if importlib.util.find_spec("cupy") is None:
        return False
    import cupy

    try:
        return int(cupy.cuda.runtime.getDeviceCount()) > 0
    except cupy.cuda.runtime.CUDARuntimeError:
        return False


@njit(cache=True, nogil=True, error_model="numpy")
def _ratio(observed: NDArray[np.float32], blurred: NDArray[np.float32], floor: np.float32) -> None:
    for i in range(observed.shape[0]):
        above, below = observed[i], blurred[i]
        for j in range(above.size):
            below[j] = above[j] / below[j] if below[j] > floor else np.float32(0.0)


@njit(cache=True, nogil=True, error_model="numpy")
def _lift(
    estimate: NDArray[np.float32], observed: NDArray[np.float32], least: np.float32, floor: np.float32
) -> None:
    for i in range(estimate.shape[0]):
        value, seen = estimate[i], observed[i]
        for j in range(value.size):
            value[j] = max(value[j], least * seen[j] + floor)


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract"})
def _predict(
    current: NDArray[np.float32], previous: NDArray[np.float32], alpha: np.float32, out: NDArray[np.float32]
) -> None:
    for i in range(current.shape[0]):
        now, before, target = current[i], previous[i], out[i]
        for j in range(now.size):
            target[j] = max(now[j] + alpha * (now[j] - before[j]), np.float32(0.0))


# Reordering the sums is what lets them run in SIMD lanes; no NaN enters here.
@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract", "reassoc"})
def _update(
    predicted: NDArray[np.float32],
    correction: NDArray[np.float32],
    change: NDArray[np.float32],
    out: NDArray[np.float32],
    sums: NDArray[np.float64],
) -> None:
    for i in range(predicted.shape[0]):
        start, factor, delta, target = predicted[i], correction[i], change[i], out[i]
        dot, square = 0.0, 0.0
        for j in range(start.size):
            value = max(start[j] * factor[j], np.float32(0.0))
            new = value - start[j]
            dot += np.float64(new) * np.float64(delta[j])
            square += np.float64(new) * np.float64(new)
            delta[j] = new
            target[j] = value
        sums[i, 0], sums[i, 1] = dot, square
