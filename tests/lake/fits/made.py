"""FITS files of a few bytes, and what is said of them."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from astropy.io import fits

from lake.errors import BadInput, Reason
from lake.fits.check import check_bytes

GENERATOR = np.random.default_rng(7)
COUNTS = GENERATOR.poisson(500, (40, 64)).astype(np.int16)
COMPRESSIONS = ("RICE_1", "GZIP_1", "GZIP_2", "HCOMPRESS_1", "PLIO_1")


def as_bytes(*hdus: Any, checksum: bool = False) -> bytes:
    """The bytes of a FITS file of these HDUs."""
    buffer = io.BytesIO()
    fits.HDUList(list(hdus)).writeto(buffer, checksum=checksum)
    return buffer.getvalue()


def compressed(kind: str = "RICE_1", *, checksum: bool = False) -> bytes:
    """A file with a compressed image in its first extension."""
    return as_bytes(fits.PrimaryHDU(), fits.CompImageHDU(COUNTS, compression_type=kind), checksum=checksum)


def code_of(data: bytes) -> Reason | None:
    """Why the bytes are refused, None when they are not."""
    refusal = refusal_of(data)
    assert refusal is None or (refusal.reason and refusal.advice)
    return None if refusal is None else refusal.code


def refusal_of(data: bytes) -> BadInput | None:
    """The refusal of the bytes, None when they are taken."""
    try:
        check_bytes(data, "test.fits")
    except BadInput as error:
        return error
    return None


PLAIN = as_bytes(fits.PrimaryHDU(COUNTS))
RICE = compressed()
TABLES = as_bytes(
    fits.PrimaryHDU(COUNTS),
    fits.BinTableHDU.from_columns(
        [
            fits.Column("v", "PJ()", array=np.array([[1, 2], [3]], dtype=object)),
            fits.Column("t", "5A", array=["a"]),
        ]
    ),
    fits.TableHDU.from_columns([fits.Column("c", "I5", array=[1, 2])]),
)
