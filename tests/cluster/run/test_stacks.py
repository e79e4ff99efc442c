"""Frames as workers read them: however a file stores an image, its numbers are the same."""

from __future__ import annotations

import gzip
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from astropy.io import fits
from astropy.wcs import WCS

from cluster.run.sources import coordinates_of
from cluster.run.stacks import FrameSource, Loader, open_stack, read
from lake.fits.check import read_checked
from lake.fits.product import Uncertainty, build_product
from lake.storage.store import Ref
from pipeline.dims import Layout
from pipeline.outcome import Outcome
from pipeline.provenance import quality_header, uncertainty_header
from pipeline.quality import Quality
from pipeline.stack import as_objects, frames_of, outcome_at
from tests.cubes import DIMS, cube, cube_header

IMAGE = np.random.default_rng(11).poisson(900, (24, 40)).astype(np.int16)
IMAGE[3, 4] = -32768
HEADER = fits.Header([("BLANK", -32768), ("EXPTIME", 2.0), ("TELESCOP", "SDO/AIA")])


def as_read(path: Path) -> tuple[xr.Dataset, Outcome]:
    """A file read as a worker reads what ingest took in."""
    checked = read_checked(path)
    source = FrameSource(loader=Loader(Ref.of_file(path), checked.image_hdu), source=path.name)
    block = xr.Dataset({"source": ("time", as_objects([source.model_dump_json()]))})
    stack = read(block, Layout(("y", "x"), (checked.shape[-2], checked.shape[-1])))
    return stack, outcome_at(stack, 0)


def shifted(path: Path) -> None:
    """The image less 500, with the 500 in BZERO; BLANK means stored values."""
    hdu = fits.PrimaryHDU(np.where(IMAGE == -32768, -32768, IMAGE - 500).astype(np.int16), HEADER)
    hdu.header["BZERO"] = 500
    hdu.writeto(path)


def halved(path: Path) -> None:
    """Twice the image, with BSCALE 0.5."""
    hdu = fits.PrimaryHDU(np.where(IMAGE == -32768, -32768, IMAGE * 2).astype(np.int32), HEADER)
    hdu.header["BSCALE"] = 0.5
    hdu.writeto(path)


def with_nan(kind: type[np.floating[Any]]) -> Callable[[Path], None]:
    data = np.where(IMAGE == -32768, np.nan, IMAGE).astype(kind)
    return lambda path: fits.writeto(path, data, HEADER[1:])


def packed(kind: str) -> Callable[[Path], None]:
    hdu = fits.CompImageHDU(IMAGE, HEADER, compression_type=kind)
    return lambda path: fits.HDUList([fits.PrimaryHDU(), hdu]).writeto(path)


def gzipped(path: Path) -> None:
    fits.PrimaryHDU(IMAGE, HEADER).writeto(path.with_suffix(".plain"))
    path.write_bytes(gzip.compress(path.with_suffix(".plain").read_bytes()))


FORMS: dict[str, Callable[[Path], None]] = {
    "plain": lambda path: fits.writeto(path, IMAGE, HEADER),
    "one plane": lambda path: fits.writeto(path, IMAGE[None], HEADER),
    "wide": lambda path: fits.writeto(path, IMAGE.astype(np.int64), HEADER),
    "extension": lambda path: fits.HDUList([fits.PrimaryHDU(), fits.ImageHDU(IMAGE, HEADER)]).writeto(path),
    "header in front": lambda path: fits.HDUList(
        [fits.PrimaryHDU(header=HEADER[1:]), fits.ImageHDU(IMAGE, HEADER[:1])]
    ).writeto(path),
    "gzip": gzipped,
    "shifted": shifted,
    "halved": halved,
    "single": with_nan(np.float32),
    "double": with_nan(np.float64),
    **{kind: packed(kind) for kind in ("RICE_1", "GZIP_1", "GZIP_2", "HCOMPRESS_1")},
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.filterwarnings("ignore::astropy.io.fits.verify.VerifyWarning")
def test_the_form_of_a_file_changes_neither_numbers_nor_flags_nor_cards(form: str, tmp_path: Path) -> None:
    FORMS[form](tmp_path / "frame.fits")
    stack, outcome = as_read(tmp_path / "frame.fits")
    assert set(outcome.seconds) == {"read"}
    assert outcome.model_copy(update={"seconds": {}}) == Outcome()
    np.testing.assert_array_equal(stack["image"].values[0], np.where(IMAGE == -32768, np.nan, IMAGE))
    np.testing.assert_array_equal(
        stack["quality"].values[0], np.where(IMAGE == -32768, Quality.MISSING, 0).astype(np.uint16)
    )
    header = str(stack["header"].values[0])
    assert "EXPTIME =                  2.0" in header
    assert "SDO/AIA" in header


@pytest.mark.parametrize("value", [np.inf, -np.inf, 1e300])
def test_what_is_no_finite_number_is_missing(value: float, tmp_path: Path) -> None:
    data = IMAGE.astype(np.float64)
    data[7, 8] = value
    fits.writeto(tmp_path / "frame.fits", data)
    stack, _ = as_read(tmp_path / "frame.fits")
    assert np.isnan(stack["image"].values[0, 7, 8])
    assert stack["quality"].values[0, 7, 8] == Quality.MISSING
    assert np.isfinite(stack["image"].values[0]).sum() == data.size - 1


@pytest.mark.parametrize("value", [0, 16383])
def test_an_image_of_one_value_throughout_is_said_to_be_one(value: int, tmp_path: Path) -> None:
    fits.writeto(tmp_path / "frame.fits", np.full((8, 8), value, np.int16))
    _, outcome = as_read(tmp_path / "frame.fits")
    assert outcome.caveats == (f"all pixels of the raw image have the value {value}",)


def test_the_uncertainty_of_our_own_products_is_read_where_it_is_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "product.fits"
    data = np.arange(1.0, 25.0, dtype=np.float32).reshape(4, 6)
    image = fits.Header([("BUNIT", "DN"), ("UNIT_ID", "ab" * 32), ("PRUNC1", "starts: photon noise")])
    plane = Uncertainty(np.sqrt(data), uncertainty_header(image))
    path.write_bytes(build_product(data, np.zeros(data.shape, np.uint16), image, uncertainty=plane))
    source = FrameSource(loader=Loader(Ref.of_file(path), 0), source=path.name)
    stack = open_stack([source], (4, 6), uncertainty=True)
    assert stack["uncertainty"].dtype == np.float32
    (frame,) = frames_of(stack)
    assert frame.uncertainty is not None
    np.testing.assert_array_equal(frame.uncertainty, np.sqrt(data))
    assert "uncertainty" not in open_stack([source], (4, 6))
    with fits.open(path) as hdus:
        header = hdus["UNCERT"].header
        assert (header["BUNIT"], header["UTYPE"]) == ("DN", "StdDevUncertainty")
        assert header["PRUNC1"] == "starts: photon noise"


def test_the_one_step_of_a_slit_is_dropped_and_its_place_stays_in_the_header(tmp_path: Path) -> None:
    shape = (4, 5, 3, 1)
    fits.writeto(tmp_path / "step.fits", cube(shape).data, cube_header(shape))
    source = FrameSource(
        loader=Loader(Ref.of_file(tmp_path / "step.fits"), 0), source="step.fits", stored=DIMS
    )
    layout = Layout(DIMS[:3], shape[:3])
    stack = open_stack([source], layout.shape, dims=layout.dims)
    assert set(coordinates_of([source], layout)) == {"stokes", "wavelength"}
    (frame,) = frames_of(stack)
    assert (frame.dims, frame.data.shape, frame.quality.shape) == (DIMS[:3], shape[:3], shape[:3])
    np.testing.assert_array_equal(frame.data, cube(shape).data[..., 0])
    whole, moved = WCS(cube_header(shape)), WCS(frame.header)
    assert list(moved.wcs.ctype) == ["HPLT-TAN", "AWAV", "STOKES", "HPLN-TAN"]
    for x, y, wave, stokes in ((0, 0, 0, 0), (0, 2, 3, 1)):
        world = whole.wcs_pix2world([[x, y, wave, stokes]], 0)[0]
        np.testing.assert_allclose(
            moved.wcs_pix2world([[y, wave, stokes, x]], 0)[0], [*world[1:], world[0]], rtol=1e-12
        )
    plane = WCS(quality_header(frame.header, {}, dims=frame.dims, flagged=1))
    np.testing.assert_allclose(
        plane.wcs_pix2world([[2, 0]], 0)[0], whole.celestial.wcs_pix2world([[0, 2]], 0)[0][::-1], rtol=1e-12
    )


def test_a_real_slit_keeps_its_wavelengths_and_its_place_on_the_sky(real_data: Path) -> None:
    path = real_data / "spectropolarimetry" / "small_visp_0.fits"
    if not path.is_file():
        pytest.skip(f"{path} is not there")
    checked = read_checked(path)
    stored = ("x", "y", "wavelength")
    source = FrameSource(loader=Loader(Ref.of_file(path), checked.image_hdu), source=path.name, stored=stored)
    layout = Layout(stored[1:], checked.shape[1:])
    (frame,) = frames_of(open_stack([source], layout.shape, dims=layout.dims))
    raw = WCS(checked.header)
    product = build_product(frame.data, frame.quality, frame.header)
    with fits.open(io.BytesIO(product)) as hdus:
        assert hdus[0].data.shape == (10, 25)
        made = WCS(hdus[0].header)
    np.testing.assert_allclose(made.wcs_pix2world([[3, 4, 0]], 0), raw.wcs_pix2world([[3, 4, 0]], 0))
    found = coordinates_of([source], layout)["wavelength"]
    np.testing.assert_allclose(found.values, raw.wcs_pix2world([[n, 0, 0] for n in range(25)], 0)[:, 0])
    assert found.attrs["units"] == "m"
