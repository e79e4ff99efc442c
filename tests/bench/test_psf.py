"""Some of the cases of the validation: what is said to be identified is right."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import special

from bench.psf.cases import Case, all_of, cases
from bench.psf.eclipses import OTHERS, other, sharpened
from bench.psf.tables import BEGIN, END, page, tables


@pytest.mark.slow
@pytest.mark.parametrize(
    "case",
    [
        Case("white light", "gauss", 3.2, 0.1),
        Case("white light", "moffat", 5.0, 0.0),
        Case("lyman", "gauss", 7.5, 0.0),
    ],
    ids=lambda case: f"{case.scene}-{case.kind}",
)
def test_what_is_identified_is_right(case: Case) -> None:
    rows = all_of(case, None)
    assert rows
    for row in rows:
        assert row["core"] == "identified", row["why"]
        assert abs(row["fwhm"]) < 10.0
        assert abs(row["ee50"]) < 10.0
        assert "identified" not in (row["ellipse"], row["odd"]) or row["angular"] < 10.0
        assert row["wing"] != "identified" or abs(row["ee80"]) < 10.0


@pytest.mark.slow
def test_coma_and_trefoil_bring_an_aberrated_kernel_nearer_to_the_truth() -> None:
    (row,) = all_of(Case("white light", "pupil", 7.5, 0.0), None)  # whose trefoil once had the wrong sign
    assert row["odd"] == "identified"
    assert row["angular"] < 0.8 * row["symmetric"]


def test_the_validation_has_enough_cases_and_none_twice() -> None:
    found = list(cases(None))
    assert len(found) == len(set(found)) >= 48


def test_an_edge_drawn_a_pixel_wide_is_sharpened_by_that_pixel() -> None:
    place = np.linspace(-64.0, 63.0, 128)
    parts = np.linspace(-0.495, 0.495, 100)
    plain = special.ndtr(place / 2.0)
    wide = special.ndtr((place[:, None] + parts) / 2.0).mean(axis=1)
    found = sharpened(np.tile(wide, (64, 1)).astype(np.float32))[32]
    assert np.abs(found - plain).max() < 0.1 * np.abs(wide - plain).max()


def test_other_optics_have_kernels_of_their_own() -> None:
    kind, psf, bodies = other(1)
    assert kind == "gauss"
    assert OTHERS >= 12
    assert psf.sum() == pytest.approx(1.0, abs=1e-4)
    assert len(set(bodies)) == 6


def test_a_page_keeps_what_stands_around_its_tables() -> None:
    row = {
        "case": {"scene": "lyman", "kind": "gauss", "width": 3.0, "wing": 0.1},
        "terms": "occulter",
        "core": "identified",
        "wing": "identified",
        "fwhm": 20.0,
        "ee50": 1.0,
        "ee80": 2.0,
        "sigma": 2.0,
        "true": 3.1,
        "why": "",
        "angular": 3.0,
        "symmetric": 5.0,
        "ellipse": "identified",
        "odd": "unknown",
    }
    refused = row | {"core": "refused", "wing": "refused", "fwhm": np.nan, "ee50": np.nan, "ee80": np.nan}
    text = page(f"before\n{BEGIN}\nold\n{END}\nafter\n", [row, refused])
    assert text.startswith("before\n")
    assert text.endswith("after\n")
    assert "old" not in text
    assert "| 2 | 1 | 20.0 / 20.0 |" in tables([row, refused])  # of two cases one, and that is wrong
    assert "| 1 | 0 | 3.0 / 3.0 | 5.0 / 5.0 | 0 |" in tables([row, refused])
    assert "| 1 | 0 % |" in tables([row, refused])
