"""The noise of AIA's level-1 images.

The terms of SolarSoft's aia_bp_estimate_error.pro, as aiapy.calibrate.estimate_error
has them (science.md §3): photons, read-out, dark, rounding to whole numbers,
compression on board, and on request the calibration.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import numpy as np
from numba import njit
from numpy.typing import NDArray

from pipeline.errors import BadInput
from pipeline.read_only import read_only

Calibration = Literal["none", "preflight", "eve"]

#: Read noise of cameras 1 to 4 in DN (Boerner et al. 2012, Solar Physics 275, 41, Table 6).
_READ_NOISE: Final = {1: 1.18, 2: 1.20, 3: 1.15, 4: 1.14}
#: The camera that takes each channel (JSOC, description of aia.lev1).
_CAMERA: Final = {131: 1, 335: 1, 193: 2, 211: 2, 171: 3, 1600: 3, 1700: 3, 4500: 3, 94: 4, 304: 4}
#: What is left of the dark current's uncertainty, DN (analysis of 2015 quoted in aia_bp_estimate_error.pro).
_DARK_NOISE: Final = 0.18
#: Scatter of a number that was rounded to a whole one.
_ROUNDING: Final = 1.0 / math.sqrt(12.0)
#: Counts below which the compression on board loses nothing (aia_bp_estimate_error.pro).
_LOSSLESS_BELOW: Final = 25.0
_COLUMNS: Final = ("WAVELNTH", "DNPERPHT", "COMPRESS", "CALERR", "EVEERR")


@dataclass(frozen=True)
class ChannelNoise:
    """The error table's line of one channel.

    Attributes
    ----------
    channel
        Ångström.
    photon
        DN per detected photon.
    compression
        Shot noise over the noise that compression adds.
    calibration
        Relative uncertainty of the calibration before flight, and of that by EVE.
    """

    channel: int
    photon: float
    compression: float
    calibration: dict[str, float]

    @property
    def read_noise(self) -> float:
        """DN, of the camera that takes the channel."""
        return _READ_NOISE[_CAMERA[self.channel]]

    def variance_at(self, counts: NDArray[np.floating]) -> NDArray[np.float64]:
        """Variance by photons, read-out, dark and rounding, DN²: what differs from pixel to pixel."""
        signal = np.maximum(np.asarray(counts, np.float64), 0.0)
        constant = self.read_noise**2 + _DARK_NOISE**2 + _ROUNDING**2
        result: NDArray[np.float64] = self.photon * signal + constant
        return result

    def sigma(self, counts: NDArray[np.float32], calibration: Calibration = "none") -> NDArray[np.float32]:
        """1 σ of level-1 counts, DN.

        Parameters
        ----------
        counts
            float32, shape (ny, nx), DN of the whole exposure. Below zero there are no photons.
        calibration
            Which calibration's uncertainty is added in quadrature; ``none`` leaves what differs from
            pixel to pixel and from image to image.

        Returns
        -------
        NDArray[np.float32]
            Same shape; NaN where the counts are.
        """
        relative = 0.0 if calibration == "none" else self.calibration[calibration]
        constant = self.read_noise**2 + _DARK_NOISE**2 + _ROUNDING**2
        out = np.empty(counts.shape, np.float32)
        _sigma(read_only(counts), self.photon, self.compression, constant, relative, out)
        return out


#: Lines of SolarSoft's aia_V3_error_table.txt (2012-02-10), for when the table is not at hand: without the
#: uncertainty of the calibration, which is asked of the table.
BUILT_IN: Final = {
    channel: ChannelNoise(channel, photon, compression, {})
    for channel, photon, compression in (
        *((94, 1.975, 26.196), (131, 1.473, 18.797), (171, 1.122, 14.400), (193, 0.962, 12.759)),
        *((211, 0.880, 11.670), (304, 0.611, 8.100), (335, 0.576, 7.350)),
        *((1600, 0.120, 1.539), (1700, 0.113, 0.362), (4500, 0.056, 0.068)),
    )
}


@njit(cache=True, nogil=True, error_model="numpy")
def _sigma(
    counts: NDArray[np.float32],
    photon: float,
    compression: float,
    constant: float,
    relative: float,
    out: NDArray[np.float32],
) -> None:
    for i in range(counts.shape[0]):
        for j in range(counts.shape[1]):
            value = counts[i, j]
            shot = photon * max(value, 0.0)
            packed = 0.0
            if value >= _LOSSLESS_BELOW:
                packed = max(np.sqrt(shot) / compression, _ROUNDING) ** 2
            out[i, j] = np.float32(np.sqrt(shot + constant + packed + (relative * value) ** 2))


def read_error_table(path: str) -> dict[int, ChannelNoise]:
    """The error table of the instrument team, by channel.

    Raises
    ------
    BadInput
        When the file is no such table.
    """
    try:
        lines = [line.split() for line in Path(path).read_text(encoding="utf-8").splitlines() if line.strip()]
        names = lines[0] if lines else []
        lacking = [name for name in _COLUMNS if name not in names]
        if lacking:
            raise ValueError(f"its first line lacks {', '.join(lacking)}")
        rows = [dict(zip(names, line, strict=True)) for line in lines[1:]]
        found = [_line(cells) for cells in rows]
    except (OSError, UnicodeDecodeError, ValueError) as error:
        raise BadInput(
            f"the file is no AIA error table: {error}",
            file=path,
            keyword=", ".join(_COLUMNS),
            advice="use aia_V*_error_table.txt of SolarSoft",
        ) from error
    return {entry.channel: entry for entry in found}


def _line(cells: dict[str, str]) -> ChannelNoise:
    return ChannelNoise(
        channel=int(cells["WAVELNTH"]),
        photon=float(cells["DNPERPHT"]),
        compression=float(cells["COMPRESS"]),
        calibration={"preflight": float(cells["CALERR"]), "eve": float(cells["EVEERR"])},
    )
