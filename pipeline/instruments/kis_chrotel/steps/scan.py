"""Level 1 of He I: the seven positions of the filter on one another, in one cube."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Final

import numpy as np
from astropy.io import fits
from pydantic import Field
from scipy import fft

from pipeline.errors import BadInput
from pipeline.frame import Frame
from pipeline.instruments.kis_chrotel import facts
from pipeline.instruments.kis_chrotel.facts import Disk
from pipeline.kernels.correlate import disk_window, shift, spectrum
from pipeline.kernels.resample import AffineMap, resample
from pipeline.step import Params, References, gather

#: Position the others are brought to: the line's core.
_ONTO: Final = 3
#: Part of the radius that is compared, so that no limb is.
_COMPARED: Final = 0.9
#: Of a limb's centre, pixels: what its own scatter does not show, such as fields that differ.
_LEAST_ERROR: Final = 0.01
_CUBE: Final = ("wavelength", "y", "x")


class ScanParams(Params):
    """Parameters of the cube.

    Attributes
    ----------
    clearness
        [1] Height over the noise from which on a peak of the correlation is believed.
    most
        [pix] How far correlation and limb may differ; beyond, the limb's centre is taken.
    """

    clearness: float = Field(default=12.0, gt=0)
    most: float = Field(default=1.0, gt=0)


def _shape(params: ScanParams, shape: tuple[int, ...]) -> tuple[int, ...]:
    return shape


def _dims(params: ScanParams, dims: tuple[str, ...]) -> tuple[str, ...]:
    return ("wavelength", *dims[1:])


@gather(
    "stack_positions",
    version=1,
    prstep="SPATIAL-ALIGNMENT,CONCATENATION",
    instrument="kis_chrotel",
    takes=("DN",),
    memory_factor=3.0,
    libraries=("numpy", "numba", "scipy"),
    output_shape=_shape,
    output_dims=_dims,
)
def stack_positions(frames: Sequence[Frame], params: ScanParams, references: References) -> Frame:
    """A cube of the filter's positions, each shifted onto that of the line's core by cubic splines.

    The shift is that of the limb's centre and of the structures on the disk, each weighed by its error.
    """
    _require_positions(frames)
    onto = facts.disk(frames[_ONTO])
    side = int(fft.next_fast_len(int(2 * _COMPARED * onto.radius) + 8))
    side = min(side, *frames[0].data.shape)
    window = disk_window((side, side), (side - 1) / 2, (side - 1) / 2, _COMPARED * onto.radius)
    target = spectrum(_cut(frames[_ONTO], onto, side)[0], window)
    begin = _cut(frames[_ONTO], onto, side)[1]
    planes, flags, moves, doubted = [], [], [], 0
    for number, frame in enumerate(frames):
        disk = facts.disk(frame)
        move, image, flag = np.array([disk.x - onto.x, disk.y - onto.y]), frame.data, frame.quality
        if number != _ONTO:
            cut, origin = _cut(frame, disk, side)
            found = shift(target, spectrum(cut, window), (side, side))
            by_structures = np.array([found.x, found.y]) + origin - begin
            if found.clearness >= params.clearness and np.abs(by_structures - move).max() < params.most:
                limb, own = frame.keyword("LIMBERR", float) ** 2 + _LEAST_ERROR**2, found.error**2
                move = (move * own + by_structures * limb) / (own + limb)
            else:
                doubted += 1
            shape = (image.shape[0], image.shape[1])
            image, flag = resample(image, flag, AffineMap(np.eye(2), move), shape)
        planes.append(image)
        flags.append(flag)
        moves.append(move)
    first = frames[_ONTO]
    made = dataclasses.replace(
        first, data=np.stack(planes), quality=np.stack(flags), header=_header(frames, moves), dims=_CUBE
    )
    if doubted:
        made = made.with_caveat(
            f"stack_positions: {doubted} positions were put on the others by the limb alone"
        )
    return made


def _require_positions(frames: Sequence[Frame]) -> None:
    found = [frame.keyword("WAVELNTH", float) * 10.0 for frame in frames]
    wanted = facts.POSITIONS
    if len(found) != len(wanted) or np.abs(np.array(found) - np.array(wanted)).max() > 0.05:
        raise BadInput(
            "a scan of He I has the filter's seven positions, towards shorter wavelengths",
            file=frames[0].source,
            keyword="WAVELNTH",
            found=", ".join(f"{one / 10:.4f}" for one in found),
            advice="choose the observations of whole scans",
        )


def _cut(frame: Frame, disk: Disk, side: int) -> tuple[np.ndarray, np.ndarray]:
    """The square about the disk's centre, and the pixel it begins at (x, y)."""
    ny, nx = frame.data.shape
    left = min(max(0, round(disk.x - (side - 1) / 2)), nx - side)
    low = min(max(0, round(disk.y - (side - 1) / 2)), ny - side)
    return frame.data[low : low + side, left : left + side], np.array([left, low])


def _header(frames: Sequence[Frame], moves: Sequence[np.ndarray]) -> fits.Header:
    header = frames[_ONTO].header.copy()
    header["WAVELNTH"] = (1083.03, "[nm] of the core")
    header.remove("WCSAXES", ignore_missing=True)  # it would have to stand before all others, and says 2
    # The positions are not evenly spaced: the axis counts them, and WAVEn say where each is.
    for name, value, comment in (
        ("CTYPE3", "FILTPOS", "position of the filter, see WAVEn"),
        ("CUNIT3", "pixel", ""),
        ("CRPIX3", 1.0, ""),
        ("CRVAL3", 1.0, ""),
        ("CDELT3", 1.0, ""),
    ):
        header[name] = (value, comment)
    for number, (frame, move) in enumerate(zip(frames, moves, strict=True), start=1):
        header[f"WAVE{number}"] = (
            round(frame.keyword("WAVELNTH", float) * 10.0, 3),
            "[Angstrom] of this plane",
        )
        header[f"SHIFTX{number}"] = (float(move[0]), "[pixel] taken out of this plane")
        header[f"SHIFTY{number}"] = (float(move[1]), "[pixel] taken out of this plane")
    return header
