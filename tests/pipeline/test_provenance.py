"""What a finished header says is true of the finished image, and of nothing before it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sunpy.map
from astropy import units as u
from astropy.io import fits

from pipeline import provenance
from pipeline.frame import Frame
from pipeline.quality import Quality, legend
from tests.pipeline.instruments.stereo_hi.frames import frame_of, level_1

SKY = """
CTYPE1  = 'HPLN-AZP'
CTYPE2  = 'HPLT-AZP'
CTYPE1A = 'RA---AZP'
CTYPE2A = 'DEC--AZP'
CUNIT1  = 'deg     '
CUNIT2  = 'deg     '
CRPIX1  =                  4.5
CRPIX2  =                  3.5
CRVAL1  =                -14.0
CRVAL2  =                  1.0
CDELT1  =                 0.02
CDELT2  =                 0.02
PC1_1   =                  1.0
PC1_2   =                -0.07
PC2_1   =                 0.07
PC2_2   =                  1.0
PV2_1   =                  0.1
DATE-OBS= '2009-04-01T00:08:31.000'
DATE-AVG= '2009-04-01T00:23:21.000'
DSUN_OBS=               1.4E11
HGLN_OBS=                 40.0
HGLT_OBS=                  6.0
EXPTIME =               1200.0
"""


def finished(quality: int = 0, cards: dict[str, Any] | None = None) -> fits.Header:
    header = fits.Header(cards or {})
    flags = np.zeros((4, 8), np.uint16)
    flags[0, 0] = quality
    return provenance.finish(Frame(np.ones((4, 8), np.float32), flags, header), "1")


@pytest.mark.parametrize(
    "name",
    [
        *("DATAAVG", "DATASIG", "DATAMDN", "DATAZER", "DATASAT", "DSATVAL"),
        *("DATACENT", "TOTVALS", "DATAVALS", "MISSVALS", "PERCENTD"),
    ],
)
def test_statistics_of_the_raw_numbers_do_not_outlive_them(name: str) -> None:
    assert name not in finished(cards={name: 78534.6})


def test_sums_of_the_raw_bytes_go() -> None:
    raw = fits.Header({"HEADSUM": "TNeWUKZWTKbWTKZW", "CHECKSUM": "x", "BLANK": 0, "EXPTIME": 2.0})
    assert list(provenance.begin(raw)) == ["EXPTIME"]


@pytest.mark.parametrize(
    ("quality", "raw", "count"), [(0, 0, 0), (0, 731, 731), (int(Quality.SATURATED), 731, 1)]
)
def test_saturated_pixels_the_raw_header_counts_are_not_denied(quality: int, raw: int, count: int) -> None:
    header = finished(quality, {"NSATPIX": raw})
    assert header["NSATPIX"] == count
    assert ("PCT_SATP" in header) == (count != 731)


def test_pixels_are_counted_as_solarnet_defines_its_classes() -> None:
    flags = np.zeros((10, 10), np.uint16)
    flags[0] = Quality.OUTSIDE_FIELD
    flags[1, 0] = Quality.DEAD
    flags[2, :2] = Quality.MISSING
    flags[3, :3] = Quality.SATURATED
    flags[3, 0] |= Quality.MISSING
    flags[4, :4] = Quality.COSMIC_RAY | Quality.INTERPOLATED
    flags[5, :5] = Quality.LOW_CONFIDENCE
    data = np.ones((10, 10), np.float32)
    data[6, 6] = np.nan
    header = provenance.finish(Frame(data, flags, fits.Header()), "1")
    names = ("NMASKPIX", "NTOTPIX", "NLOSTPIX", "NSATPIX", "NSPIKPIX", "NAPRXPIX", "NDATAPIX")
    assert [header[name] for name in names] == [11, 89, 3, 3, 4, 4, 89 - 2 - 3 - 4 - 1]
    assert header["PCT_DATA"] == pytest.approx(100 * 79 / 89, abs=1e-4)
    assert header["PCT_SATP"] == pytest.approx(100 * 3 / 89, abs=1e-4)


def test_steps_are_listed_in_their_order() -> None:
    header = fits.Header({f"PRSTEP{n}": "X" for n in (1, 10, 2, 11)})
    assert list(provenance.recorded(header)) == ["PRSTEP1", "PRSTEP2", "PRSTEP10", "PRSTEP11"]


def test_a_step_that_did_nothing_is_not_claimed_to_have_been_done() -> None:
    product, _ = level_1(frame_of(spacecraft="B"))
    modes = {
        product.header[f"PRPROC{n}"].rpartition(".")[2]: product.header.get(f"PRMODE{n}")
        for n in range(1, 12)
    }
    idle = {name for name, mode in modes.items() if mode == "NO-CHANGE"}
    # No bias is left, nothing saturates or is lost, the archive turned the image, and the flat is assumed.
    assert {"subtract_bias", "missing_blocks", "rectify", "flat_field"} <= idle
    assert not {"cosmic_ray_report", "desmear", "pointing", "photometric_calibration"} & idle


def test_the_quality_plane_lies_where_the_image_lies(tmp_path: Path) -> None:
    path = tmp_path / "product.fits"
    header = fits.Header.fromstring(SKY.strip(), sep="\n")
    image_hdu = fits.PrimaryHDU(np.ones((6, 8), np.float32), header)
    bits = fits.CompImageHDU(np.zeros((6, 8), np.uint16), provenance.quality_header(header, legend()))
    fits.HDUList([image_hdu, bits]).writeto(path)
    image, flags = sunpy.map.Map(path)
    there = image.pixel_to_world(2 * u.pix, 5 * u.pix)
    assert flags.pixel_to_world(2 * u.pix, 5 * u.pix).separation(there) < 1e-6 * u.arcsec
    assert flags.meta["qbit1"] == "SATURATED"
    assert "exptime" not in flags.meta
