"""Spikes files: what the despiking of level 1 took out of an image.

JSOC keeps them as the segment ``spikes`` of the level-1 series: an image of
two or three rows (science.md §3, aiapy.calibrate.fetch_spikes). The first row
holds flat indices into the 4096 × 4096 detector, the second the values the
detector had there, the third, where present, the values put in their place.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

from pipeline.errors import BadInput
from pipeline.frame import Frame
from pipeline.instruments.sdo_aia.geometry import FULL_SIZE, detector_corner, pointing_of


@dataclass(frozen=True)
class Spikes:
    """Spikes on the full detector: flat indices, original values and, where known, replacements."""

    index: NDArray[np.int64]
    original: NDArray[np.float32]
    replacement: NDArray[np.float32] | None

    def within(self, frame: Frame) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]:
        """Rows and columns in a frame's own pixels, and which of all spikes lie inside it.

        Raises
        ------
        BadInput
            When the frame is not on the detector's grid.
        """
        left, bottom = detector_corner(frame, pointing_of(frame))
        rows, columns = self.index // FULL_SIZE - bottom, self.index % FULL_SIZE - left
        ny, nx = frame.data.shape
        inside = (rows >= 0) & (rows < ny) & (columns >= 0) & (columns < nx)
        return rows[inside], columns[inside], inside


def read_spikes(path: str) -> Spikes:
    """Read a spikes file.

    Raises
    ------
    BadInput
        When the file cannot be read or holds no list of spikes.
    """
    try:
        with fits.open(path, memmap=False) as units:
            table = next(
                np.asarray(unit.data, dtype=np.float64)
                for unit in units
                if unit.is_image and unit.data is not None and unit.data.ndim == 2
            )
    except (OSError, TypeError, ValueError, StopIteration) as error:
        raise BadInput(
            f"the spikes file cannot be read: {str(error) or 'it holds no two-dimensional image'}",
            file=path,
            advice="fetch the segment `spikes` of the level-1 record again",
        ) from error
    indices = table[0]
    if table.shape[0] not in (2, 3) or not ((indices >= 0) & (indices < FULL_SIZE**2)).all():
        raise BadInput(
            "the file is no list of spikes: it should have 2 or 3 rows, the first with pixel numbers of the "
            f"{FULL_SIZE} × {FULL_SIZE} detector",
            file=path,
            keyword="NAXIS2",
            found=table.shape[0],
            advice="fetch the segment `spikes` of the level-1 record again",
        )
    values = table.astype(np.float32)
    return Spikes(indices.astype(np.int64), values[1], values[2] if len(values) == 3 else None)
