"""Registration against aiapy, and its resampling against three libraries' affine transforms."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from bench.frames import Level1, level1
from bench.measure import Aim, Race, Row, Skipped, duration, race, shares
from bench.setting import Setting, has
from pipeline.frame import Frame
from pipeline.instruments.sdo_aia.geometry import NOMINAL_SCALE, grid_to_pixels, pointing_of
from pipeline.instruments.sdo_aia.steps.register import RegisterParams, register
from pipeline.kernels.affine import sample_flags, sample_spline
from pipeline.kernels.bspline import spline_coefficients
from pipeline.kernels.resample import AffineMap, resample

_AIM: Final = Aim(ratio=15.0)
#: Rows and columns beside what one of the two does not know: the peer pads before its prefilter, whose
#: response reaches so far.
_BORDER: Final = 12


def rows(setting: Setting) -> Iterator[Row | Skipped]:
    """aiapy with the whole step, the bare libraries with the bare kernel."""
    size = setting.pick(4096, 256)
    frame = level1(setting, size)
    image = frame.image
    onto = _map(frame)
    peers = {name: make(image, onto) for name, (module, _, make) in _LIBRARIES.items() if has(module)}
    contenders: dict[str, Callable[[], Any]] = {
        "ours": _step(frame, image),
        "kernel": lambda: resample(image, np.zeros(image.shape, np.uint16), onto, image.shape),
        **peers,
    }
    if has("aiapy"):
        contenders["aiapy"] = _aiapy(frame, image)
    run = race(contenders, rounds=setting.pick(5, 2), budget=90.0)
    phases = _phases(image, onto, rounds=setting.pick(3, 1))
    if "aiapy" in run.times:
        yield _aiapy_row(size, image, run, phases)
    else:
        yield Skipped(f"registration {size}²", "aiapy is not installed")
    for name, (module, note, _) in _LIBRARIES.items():
        if name in peers:
            yield _library_row(size, image, run, name, note)
        else:
            yield Skipped(f"resampling {size}², {module}", f"{module} is not installed")


def _map(frame: Level1) -> AffineMap:
    pointing = pointing_of(Frame.of(frame.image, frame.header))
    centre = np.full(2, (frame.shape[0] - 1) / 2.0)
    return grid_to_pixels(pointing, frame.shape, centre, NOMINAL_SCALE)[0]


def _step(frame: Level1, image: NDArray[np.float32]) -> Callable[[], Frame]:
    given = Frame(image, np.zeros(image.shape, np.uint16), frame.header, "benchmark")
    return lambda: register(given, RegisterParams(), {})


def _aiapy(frame: Level1, image: NDArray[np.float32]) -> Callable[[], Any]:
    import sunpy.map
    from aiapy.calibrate import register as aiapy_register

    given = sunpy.map.Map(image, dict(frame.header))
    return lambda: aiapy_register(given, method="scipy")


def _scipy(image: NDArray[np.float32], onto: AffineMap) -> Callable[[], Any]:
    from scipy.ndimage import affine_transform

    matrix, offset = onto.matrix[::-1, ::-1], onto.offset[::-1]
    return lambda: affine_transform(image, matrix, offset, order=3, mode="constant", cval=np.nan)


def _skimage(image: NDArray[np.float32], onto: AffineMap) -> Callable[[], Any]:
    from skimage.transform import AffineTransform, warp

    matrix = np.eye(3)
    matrix[:2, :2], matrix[:2, 2] = onto.matrix, onto.offset
    transform = AffineTransform(matrix=matrix)
    return lambda: warp(image, transform, order=3, mode="constant", cval=np.nan, preserve_range=True)


def _opencv(image: NDArray[np.float32], onto: AffineMap) -> Callable[[], Any]:
    import cv2

    cv2.setNumThreads(1)
    matrix = np.column_stack([onto.matrix, onto.offset])
    flags = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
    return lambda: cv2.warpAffine(
        image,
        matrix,
        image.shape[::-1],
        flags=flags,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=float("nan"),
    )


#: Name → module, what its result is, and how it is called.
_LIBRARIES: Final[Mapping[str, tuple[str, str, Callable[[NDArray[np.float32], AffineMap], Any]]]] = {
    "scipy.ndimage.affine_transform": ("scipy", "the same cubic spline", _scipy),
    "skimage.transform.warp": (
        "skimage",
        "bicubic convolution without a prefilter: another, blurrier result",
        _skimage,
    ),
    "cv2.warpAffine": (
        "cv2",
        "bicubic convolution without a prefilter, positions rounded to 1/32 pixel: another result",
        _opencv,
    ),
}


def _phases(image: NDArray[np.float32], onto: AffineMap, rounds: int) -> Mapping[str, float]:
    coefficients = spline_coefficients(image)
    padded = np.zeros((image.shape[0] + 2, image.shape[1] + 2), np.uint16)
    out, flags = np.empty_like(image), np.zeros(image.shape, np.uint16)
    low, high, nothing = np.float32(image.min()), np.float32(image.max()), np.float32(np.nan)
    run = race(
        {
            "prefilter": lambda: spline_coefficients(image),
            "sampling": lambda: sample_spline(
                coefficients, onto.matrix, onto.offset, low, high, nothing, np.uint16(64), out, flags
            ),
            "flags (only where some are set)": lambda: sample_flags(padded, onto.matrix, onto.offset, flags),
            "smallest and largest value": lambda: (image.min(), image.max()),
        },
        rounds=rounds,
    )
    return {name: sample.median for name, sample in run.times.items()}


def _aiapy_row(size: int, image: NDArray[np.float32], run: Race, phases: Mapping[str, float]) -> Row:
    error, share = difference(*_on_one_grid(run.results["ours"], run.results["aiapy"]), image)
    return Row(
        f"registration {size}²",
        run.times["ours"],
        run.times["aiapy"],
        "aiapy.calibrate.register (scipy), float32",
        aim=_AIM,
        notes=(
            (
                f"largest difference from aiapy, relative to the dynamic range, over {share:.1%} of the "
                f"pixels (those {_BORDER} or more from what either does not know): {error:.1e}"
            ),
            f"where our time goes: {shares(phases)}",
            (
                "prefilter and sampling pass the image four times; the rest of aiapy's time is sunpy's "
                f"padding, WCS and copies: the bare scipy transform takes "
                f"{duration(run.times['scipy.ndimage.affine_transform'].median)}"
            ),
        ),
        numbers={"max_difference_of_range": error, "compared_share": share},
    )


def _library_row(size: int, image: NDArray[np.float32], run: Race, name: str, note: str) -> Row:
    error, _ = difference(run.results["kernel"][0], run.results[name], image)
    return Row(
        f"resampling {size}², {name.partition('.')[0]}",
        run.times["kernel"],
        run.times[name],
        f"{name}, order 3, float32",
        notes=(f"{note}; largest difference relative to the dynamic range: {error:.1e}",),
        numbers={"max_difference_of_range": error},
    )


def _on_one_grid(found: Frame, other: Any) -> tuple[NDArray[Any], NDArray[Any]]:
    """Both images where they overlap: aiapy's may be some rows and columns smaller than the detector."""
    shift = [found.header[f"CRPIX{axis}"] - other.meta[f"crpix{axis}"] for axis in (2, 1)]
    top, left = (round(pixels) for pixels in shift)
    if max(abs(shift[0] - top), abs(shift[1] - left)) > 1e-6 or min(top, left) < 0:
        raise ValueError(f"the pixels of ours and of aiapy do not fall together: shifted by {shift}")
    peer = other.data[: found.data.shape[0] - top, : found.data.shape[1] - left]
    return found.data[top : top + peer.shape[0], left : left + peer.shape[1]], peer


def difference(found: NDArray[Any], other: NDArray[Any], image: NDArray[np.float32]) -> tuple[float, float]:
    """Largest difference relative to the image's range, and the share of pixels compared."""
    from scipy.ndimage import binary_erosion

    valid = binary_erosion(np.isfinite(found) & np.isfinite(other), iterations=_BORDER)
    apart = np.abs(found[valid].astype(np.float64) - other[valid])
    return float(apart.max() / (float(image.max()) - float(image.min()))), float(valid.mean())
