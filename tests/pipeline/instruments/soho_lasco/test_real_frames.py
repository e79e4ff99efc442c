"""The real C2 images of 2000-09-03 through the whole chain, with calibration that says that it is none."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import sunpy.map
from astropy.io import fits

from lake.fits.product import build_product
from pipeline import provenance, solarnet
from pipeline.frame import Frame
from pipeline.instruments.soho_lasco import tables
from pipeline.outcome import Status
from pipeline.quality import Quality, flagged, legend
from pipeline.registry import instrument, recognise
from pipeline.testing import Ran, run_recipe
from tests.pipeline.instruments.soho_lasco.frames import image_file

pytestmark = [
    pytest.mark.filterwarnings("ignore::astropy.io.fits.verify.VerifyWarning"),
    pytest.mark.filterwarnings("ignore::astropy.wcs.FITSFixedWarning"),
]
NAMES = ("lasco_c2_clear_20000903.fts", "lasco_c2_0_20000903.fts")


def real(folder: Path, name: str) -> Frame:
    with fits.open(folder / "lasco" / name) as hdus:
        return Frame.of(hdus[0].data, hdus[0].header, name)


@pytest.fixture
def clear(real_data: Path, tmp_path: Path) -> tuple[Frame, Ran]:
    frame = real(real_data, NAMES[0])
    y, x = np.indices((1024, 1024))
    shadow = np.hypot(x - 512, y - 506) < 150  # full pixels lie in it as well as outside
    vignetting = image_file(tmp_path, "vignetting", ~shadow, simulated=True)
    (ran,) = run_recipe("soho_lasco-l1", [frame], references=[vignetting])
    return frame, ran


def test_a_real_image_becomes_brightness_by_the_published_numbers(clear: tuple[Frame, Ran]) -> None:
    frame, ran = clear
    made = ran.made
    assert ran.outcome.status is Status.DONE
    # Of the optical centre, which the distortion leaves where it is, for means of 8 by 8 pixels.
    x, y = (round(place / 2) for place in tables.OPTICAL_CENTRE["C2"])
    part = np.s_[y + 92 : y + 100, x - 4 : x + 4]
    rate = (frame.data[part].mean() - 4 * 578.8954) / frame.header["EXPTIME"]
    assert made.data[part].mean() == pytest.approx(rate * 0.1033e-10 / 4, rel=0.01)
    assert made.header["CALFAC"] == pytest.approx(0.1033e-10 / 4)
    # The corona of C2 lies between 1e-10 and 1e-8 MSB.
    assert 1e-10 < np.nanmedian(made.data) < 1e-8


def test_the_eight_blocks_behind_the_occulter_have_no_value_and_are_none_lost(
    clear: tuple[Frame, Ran],
) -> None:
    made = clear[1].made
    outside = flagged(made.quality, Quality.OUTSIDE_FIELD)
    assert outside.sum() > 0.9 * np.pi * 75**2
    assert set(np.unique(made.quality[outside])) == {Quality.OUTSIDE_FIELD}
    assert np.isnan(made.data[outside]).all()
    assert (made.header["NMISSING"], made.header["MISSLIST"]) == (0, "None")


def test_full_pixels_are_flagged_saturated(clear: tuple[Frame, Ran]) -> None:
    frame, ran = clear
    y, x = np.indices(frame.data.shape)
    seen = np.hypot(x - 256, y - 253) > 78
    full = int((frame.data[seen] >= 65532).sum())
    assert full > 100
    found = int(flagged(ran.made.quality, Quality.SATURATED).sum())
    assert full <= found < 4 * full


def test_the_product_says_what_it_was_made_without(clear: tuple[Frame, Ran]) -> None:
    made = clear[1].made
    told = " ".join(made.caveats)
    for words in ("vignetting was simulated", "not corrected", "interim values", "clock on board"):
        assert words in told
    assert made.header["SIMCAL"] is True
    assert made.header["PRREF7"].startswith("vignetting=")


def test_a_map_is_made_of_the_product_and_its_scale_is_c2_s(clear: tuple[Frame, Ran], tmp_path: Path) -> None:
    made, entry = clear[1].made, instrument("soho_lasco")
    header = solarnet.complete(made.header, entry, entry.describe(made.header), axes=2)
    header.update({"FILENAME": "a.l1.v0001.fits", "DATE": "2026-01-02T03:04:05", "EXTNAME": "IMAGE"})
    header.update({"VERSION": 1, "PARENTXT": "soho_lasco:a.fits"})
    solarnet.settle(header, made.data.shape)
    path = tmp_path / "product.fits"
    flags = provenance.quality_header(header, legend())
    path.write_bytes(build_product(made.data, made.quality, header, quality_header=flags))
    image = sunpy.map.Map(path, hdus=0)
    assert image.detector == "C2"
    assert image.scale[0].value == pytest.approx(2 * 11.9)
    assert image.date.isot == "2000-09-03T02:54:11.085"


def test_the_polariser_is_read_from_the_header_and_not_from_the_name(real_data: Path) -> None:
    for name, polariser, analyser in zip(NAMES, ("Clear", "0 Deg"), ("none", "polarised"), strict=True):
        header = real(real_data, name).header
        meta = recognise(header).describe(header).meta
        assert (meta["polariser"], meta["analyser"]) == (polariser, analyser)
