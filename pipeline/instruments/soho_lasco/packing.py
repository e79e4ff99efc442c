"""C3 Clear images as the mission stores them: 16-bit numbers over 0 to 6.5e-9 MSB (reduce_level_1.pro 1.68).

Two things are put right. The program leaves pixels without a value at the stored number 0, which reads back
as half the range; here they get the number that BLANK names. And it lets numbers below the range run over 16
bits to the top of it; here they stop at its bottom.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

from pipeline.instruments.soho_lasco.tables import PACKED_LARGEST

BSCALE: Final = PACKED_LARGEST / 65536
BZERO: Final = BSCALE * 32769
BLANK: Final = -32768
_LOWEST: Final = BLANK + 1
_HIGHEST: Final = 32767


def packed(image: NDArray[np.float32]) -> NDArray[np.int16]:
    """Stored numbers; of pixels that are zero or NaN that of BLANK."""
    nothing = np.isnan(image) | (image == 0)
    clipped = np.clip(np.where(nothing, 0.0, image).astype(np.float64), 0.0, PACKED_LARGEST)
    numbers = np.clip(np.rint((clipped - BZERO) / BSCALE), _LOWEST, _HIGHEST)
    return np.where(nothing, BLANK, numbers).astype(np.int16)


def unpacked(numbers: NDArray[np.int16]) -> NDArray[np.float32]:
    """Values of stored numbers, NaN where they say that there is none."""
    values = (numbers.astype(np.float64) * BSCALE + BZERO).astype(np.float32)
    return np.where(numbers == BLANK, np.float32(np.nan), values)


def packed_hdu(image: NDArray[np.float32], header: fits.Header) -> fits.PrimaryHDU:
    """An image as a file of the mission holds it: int16 with BSCALE, BZERO and BLANK."""
    hdu = fits.PrimaryHDU(packed(image), header)
    hdu.header["BSCALE"] = (BSCALE, "Data value = FITS value x BSCALE + BZERO")
    hdu.header["BZERO"] = BZERO
    hdu.header["BLANK"] = BLANK
    hdu.header.add_comment(f"Data is scaled between 0 and {PACKED_LARGEST:g}")
    hdu.header.add_comment("Percentile values are before scaling.")
    return hdu
