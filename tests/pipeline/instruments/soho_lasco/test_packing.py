"""The mission's 16-bit files of C3 Clear."""

from __future__ import annotations

import io

import numpy as np
from astropy.io import fits

from pipeline.instruments.soho_lasco import packing
from pipeline.instruments.soho_lasco.tables import PACKED_LARGEST
from pipeline.quality import Quality
from pipeline.testing import assert_flags
from tests.pipeline.instruments.soho_lasco.frames import C3, in_unit, raw, run_step


def values() -> np.ndarray:
    image = np.linspace(1e-12, 6.4e-9, 128 * 128, dtype=np.float32).reshape(128, 128)
    image[0, :4] = [np.nan, -1e-9, 7e-9, 0.0]
    return image


def test_values_come_back_within_half_a_step() -> None:
    image = values()
    back = packing.unpacked(packing.packed(image))
    inner = np.isfinite(image) & (image > 0) & (image < PACKED_LARGEST)
    assert np.abs(back - image)[inner].max() <= 1.01 * packing.BSCALE
    assert abs(packing.BSCALE - 6.5e-9 / 65536) < 1e-20
    assert packing.BZERO == packing.BSCALE * 32769


def test_what_has_no_value_and_what_lies_outside_are_told_apart() -> None:
    numbers = packing.packed(values())
    assert numbers[0, 0] == numbers[0, 3] == packing.BLANK
    assert numbers[0, 1] == packing.BLANK + 1
    assert numbers[0, 2] == 32767


def test_a_file_as_the_mission_s_reads_back_by_its_cards() -> None:
    stream = io.BytesIO()
    packing.packed_hdu(values(), fits.Header()).writeto(stream)
    stream.seek(0)
    with fits.open(stream) as hdus:
        assert hdus[0].header["BITPIX"] == 16
        read = hdus[0].data
    np.testing.assert_allclose(read, packing.unpacked(packing.packed(values())), rtol=1e-5, atol=1e-15)


def test_the_step_gives_the_values_of_such_a_file_and_flags_what_was_cut() -> None:
    image = values()
    made = run_step("pack", in_unit(raw(image, **C3), "MSB"))
    np.testing.assert_array_equal(made.data, packing.unpacked(packing.packed(image)))
    assert_flags(made, Quality.NEGATIVE_CLIPPED, image < 0)
    assert_flags(made, Quality.SATURATED, image > 6.5e-9)
    assert made.header["PACKSCAL"] == packing.BSCALE
    other = in_unit(raw(image), "MSB")
    np.testing.assert_array_equal(run_step("pack", other).data, image)
