"""The file of a point spread function: what is written is read, and nothing else is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from numpy.typing import NDArray

from pipeline.errors import BadInput
from pipeline.psf.reference import Measured, Parameter, Psf, Verdict, psf_file, read_psf


def spot(width: float, size: int = 31) -> NDArray[np.float32]:
    y, x = np.indices((size, size)) - size // 2
    values = np.exp(-0.5 * (x**2 + y**2) / width**2)
    result: NDArray[np.float32] = (values / values.sum()).astype(np.float32)
    return result


def a_psf(tiles: int = 1) -> Psf:
    return Psf(
        kernels=np.stack([spot(1.0 + 0.5 * n) for n in range(tiles)]),
        core=Verdict.IDENTIFIED,
        wing=Verdict.LABORATORY,
        fwhm=Measured(2.4, 0.1, 0.05),
        ee50=Measured(1.2, 0.05, 0.02),
        ee80=Measured(1.8, np.nan, np.nan),
        model="stretched",
        parameters=(Parameter("n", 1.9, 0.1, "exponent of the core"), Parameter("w", 0.05, np.nan)),
        centres=tuple((100.0 * n, 50.0) for n in range(tiles)) if tiles > 1 else (),
        frame=(100, 200),
        reasons=("the wing is not identified: " + "no frame was occulted " * 4,),
        simulated=True,
        odd=Verdict.IDENTIFIED,
        profile=np.linspace(0.0, 1.0, 40).reshape(10, 4),
    )


@pytest.mark.parametrize("tiles", [1, 3])
def test_what_is_written_is_read(tiles: int, tmp_path: Path) -> None:
    psf = a_psf(tiles)
    psf_file(psf).writeto(tmp_path / "psf.fits", checksum=True)
    read = read_psf(tmp_path / "psf.fits")
    np.testing.assert_array_equal(read.kernels, psf.kernels)
    np.testing.assert_array_equal(read.profile, psf.profile)
    assert (read.core, read.wing, read.fwhm, read.ee50) == (psf.core, psf.wing, psf.fwhm, psf.ee50)
    assert read.ee80.value == 1.8
    assert np.isnan(read.ee80.error)
    assert read.parameters[0] == psf.parameters[0]
    assert read.centres == psf.centres
    assert read.frame == psf.frame
    assert read.reasons == (psf.reasons[0].rstrip(),)
    assert read.simulated
    assert (read.ellipse, read.odd) == (psf.ellipse, psf.odd)
    with fits.open(tmp_path / "psf.fits") as hdus:
        assert hdus[0].data.ndim == (2 if tiles == 1 else 3)
        assert "SIMULATED" in str(hdus[0].header["COMMENT"])


def test_the_kernel_of_the_field_is_that_of_its_middle() -> None:
    psf = a_psf(3)  # centres at x = 0, 100, 200 of 200
    np.testing.assert_array_equal(psf.kernel, psf.kernels[1])


def test_another_file_is_refused(tmp_path: Path) -> None:
    fits.PrimaryHDU(spot(1.0)).writeto(tmp_path / "image.fits")
    with pytest.raises(BadInput, match="PSFFORM"):
        read_psf(tmp_path / "image.fits")


@pytest.mark.parametrize("wrong", [np.ones((1, 3, 3)), np.full((1, 4, 4), 1 / 16), np.full((2, 1, 1), 1.0)])
def test_kernels_that_are_none_are_refused(wrong: NDArray[np.float32]) -> None:
    one = Measured(1.0, 0.1)
    with pytest.raises(ValueError, match="kernel"):
        Psf(wrong, Verdict.UNKNOWN, Verdict.UNKNOWN, one, one, one)


@pytest.mark.parametrize(
    ("kernel", "why"),
    [
        (np.roll(spot(1.5), 5, axis=1), "5.0 pixels off its middle"),
        (spot(1.5) + np.pad([[-0.02, 0.02]], [(0, 30), (0, 29)]), "2.0% of one is below zero"),
    ],
)
def test_a_kernel_that_would_move_an_image_or_is_no_light_is_refused(
    kernel: NDArray[np.float32], why: str, tmp_path: Path
) -> None:
    found = psf_file(a_psf())
    found[0].data = kernel.astype(np.float32)
    found.writeto(tmp_path / "psf.fits")
    with pytest.raises(BadInput, match="contradicts itself") as caught:
        read_psf(tmp_path / "psf.fits")
    assert why in caught.value.found


def test_a_table_of_tiles_without_its_columns_is_refused(tmp_path: Path) -> None:
    found = psf_file(a_psf(3))
    found["TILES"] = fits.BinTableHDU.from_columns([fits.Column("X", "D", array=[1.0])], name="TILES")
    found.writeto(tmp_path / "psf.fits")
    with pytest.raises(BadInput, match="contradicts itself"):
        read_psf(tmp_path / "psf.fits")
