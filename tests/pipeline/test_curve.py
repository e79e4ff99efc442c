"""Pictures of spectra."""

from __future__ import annotations

import numpy as np

from pipeline.curve import curve
from pipeline.preview import PreviewRule, render

GREY = (58, 64, 80)


def test_a_line_hangs_from_the_continuum() -> None:
    values = np.ones(400, dtype=np.float32)
    values[200] = 0.0
    picture = curve(values, 400, GREY)
    assert picture.shape == (200, 400, 3)
    bright = picture[..., 0] > 200
    assert bright[10, :].sum() > 390
    assert bright[180:, 200].any()
    assert not bright[100, :150].any()


def test_what_has_no_value_is_grey_and_values_are_not_joined_over_it() -> None:
    values = np.array([0.0] * 50 + [np.nan] * 10 + [1.0] * 40, dtype=np.float32)
    picture = curve(values, 100, GREY)
    assert (picture[:, 50:60] == GREY).all()
    assert (picture[..., 0] > 200)[:, 60].sum() == 1
    assert (curve(np.full(10, np.nan, np.float32), 64, GREY) == GREY).all()


def test_a_spectrum_s_preview_is_its_curve() -> None:
    png = render(np.linspace(0, 1, 2048, dtype=np.float32), None, PreviewRule())
    assert png.startswith(b"\x89PNG")
