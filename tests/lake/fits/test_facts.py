"""What headers say in words that all share; what they do not say is not guessed."""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS
from hypothesis import given
from hypothesis import strategies as st

from lake.fits.facts import facts_of

MAP = {
    "NAXIS": 2, "NAXIS1": 101, "NAXIS2": 51, "CTYPE1": "HPLN-TAN", "CTYPE2": "HPLT-TAN", "CUNIT1": "arcsec",
    "CUNIT2": "arcsec", "CRPIX1": 51.0, "CRPIX2": 26.0, "CRVAL1": 300.0, "CRVAL2": 400.0, "CDELT1": 2.0,
    "CDELT2": 2.0, "RSUN_OBS": 1000.0,
}  # fmt: skip
SIDES = ("x_min", "x_max", "y_min", "y_max")


def of(**cards: Any) -> dict[str, Any]:
    return facts_of(fits.Header(cards))


@pytest.mark.parametrize(
    ("cards", "found"),
    [
        ({"WAVELNTH": 171, "WAVEUNIT": "angstrom"}, (17.1, 17.1)),
        ({"WAVELNTH": 6173.0, "WAVEUNIT": "Angstroms"}, (617.3, 617.3)),
        ({"WAVEMIN": 630.1, "WAVEMAX": 630.3, "WAVELNTH": 630.2, "WAVEUNIT": -9}, (630.1, 630.3)),
        ({"WAVEMIN": 630.1, "WAVEUNIT": "-9"}, (630.1, 630.1)),
        ({"WAVELNTH": 195}, None),
        ({"WAVELNTH": 195, "WAVEUNIT": "furlong"}, None),
        ({"WAVELNTH": "195", "WAVEUNIT": "nm"}, None),
        ({"WAVELNTH": -1.0, "WAVEUNIT": "nm"}, None),
        (
            {
                "NAXIS": 1,
                "NAXIS1": 11,
                "CTYPE1": "AWAV",
                "CUNIT1": "nm",
                "CRPIX1": 1,
                "CRVAL1": 500.0,
                "CDELT1": 0.1,
            },
            (500.0, 501.0),
        ),
    ],
)
def test_wavelengths_are_in_nanometres_and_only_with_their_unit(cards: Any, found: Any) -> None:
    facts = of(**cards)
    if found is None:
        assert "wave_min" not in facts
    else:
        assert (facts["wave_min"], facts["wave_max"]) == pytest.approx(found)


def test_the_field_lies_where_its_coordinates_say() -> None:
    facts = of(**MAP)
    assert [facts[one] for one in SIDES] == pytest.approx([199, 401, 349, 451])
    assert facts["mu_min"] == facts["mu_max"] == pytest.approx(math.sqrt(1 - 0.25))
    turned = of(**MAP | {"CROTA2": 90.0})
    assert [turned[one] for one in SIDES] == pytest.approx([249, 351, 299, 501])
    degrees = of(**MAP | {"CUNIT1": "deg", "CRVAL1": 300 / 3600, "CDELT1": 2 / 3600})
    assert degrees["x_min"] == pytest.approx(199)


@pytest.mark.parametrize(
    "cards",
    [
        {"CROTA2": 30.0, "CDELT2": 3.0},
        {"PC1_1": 0.8, "PC1_2": -0.6, "PC2_1": 0.6, "PC2_2": 0.8},
        {"PC1_2": -0.1},
        {"CD1_1": 0.0, "CD1_2": -2.0, "CD2_1": 2.0, "CD2_2": 0.0, "CDELT1": 1.0, "CDELT2": 1.0},
        {"CD1_1": -5e-4, "CD2_2": 5e-4, "CUNIT1": "deg", "CUNIT2": "deg", "CRVAL1": 0.1, "CRVAL2": 0.1},
    ],
)
def test_every_form_of_scale_and_rotation_gives_the_field_that_wcslib_gives(cards: dict[str, Any]) -> None:
    header = fits.Header({**MAP, **cards})
    if "CD1_1" in cards and "CDELT1" not in cards:
        del header["CDELT1"], header["CDELT2"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        matrix = WCS(header).pixel_scale_matrix * 3600
    unit = 3600 if cards.get("CUNIT1") == "deg" else 1
    corners = [(x - 51, y - 26) for x in (0.5, 101.5) for y in (0.5, 51.5)] @ matrix.T
    x, y = (corners + np.array([header["CRVAL1"], header["CRVAL2"]]) * unit).T
    facts = facts_of(header)
    assert [facts[one] for one in SIDES] == pytest.approx([x.min(), x.max(), y.min(), y.max()])


@pytest.mark.parametrize(
    ("comment", "seconds"),
    [
        ("integration time of each image (msec)", 0.1),
        ("[ms] exposure", 0.1),
        ("[s] exposure", 100.0),
        ("(commanded)", 100.0),
        ("", 100.0),
    ],
)
def test_an_exposure_whose_comment_names_its_unit_is_told_in_seconds(comment: str, seconds: float) -> None:
    header = fits.Header([("EXPTIME", 100.0, comment)])
    assert facts_of(header)["exposure_min"] == pytest.approx(seconds)


def test_off_the_disk_there_is_no_heliocentric_angle() -> None:
    assert "mu_min" not in of(**MAP | {"CRVAL1": 2000.0})
    assert of(**MAP | {"MU": 0.3})["mu_min"] == 0.3
    assert of(**{**MAP, "RSUN_OBS": 0.0, "DSUN_OBS": 1.496e11})["mu_min"] == pytest.approx(0.853, abs=0.001)


def test_words_are_told_in_small_letters_and_once() -> None:
    facts = of(
        TARGET="Sunspot, Plage", OBJECT="sunspot", CAMPAIGN="  HOP 12 ", OBS_MODE="unknown", XPOSURE=0.5
    )
    assert (facts["targets"], facts["campaigns"]) == (["sunspot", "plage"], ["hop 12"])
    assert "kinds" not in facts
    assert (facts["exposure_min"], facts["exposure_max"]) == (0.5, 0.5)


def test_spectra_and_stokes_parameters_are_told_by_their_axes() -> None:
    axes = {"CTYPE3": "WAVE", "CTYPE4": "STOKES"}
    cube = facts_of(fits.Header(MAP | axes), (4, 30, 51, 101))
    assert (cube["polarimetric"], cube["spectroscopic"]) == (True, True)
    one = facts_of(fits.Header(MAP | axes), (1, 1, 51, 101))
    assert (one["polarimetric"], one["spectroscopic"]) == (False, False)


WORDS = st.sampled_from(["", "nm", "deg", "HPLN", "HPLT", "STOKES", "x,y"])
VALUES = st.one_of(st.none(), st.booleans(), st.integers(-(10**6), 10**6), st.floats(-1e9, 1e9), WORDS)
KEYWORDS = st.sampled_from([*MAP, "WAVELNTH", "WAVEUNIT", "WCSAXES", "TARGET", "MU", "PC1_2"])


@given(st.dictionaries(KEYWORDS, VALUES))
def test_whatever_a_header_holds_facts_are_finite(cards: dict[str, Any]) -> None:
    for value in facts_of(fits.Header(cards)).values():
        assert not isinstance(value, float) or math.isfinite(value)
