"""Headers are completed from what is known, and graded by what they say."""

from __future__ import annotations

from typing import Any

import pytest
from astropy.io import fits

from pipeline import solarnet
from pipeline.errors import BadInput
from pipeline.instrument import SolarnetRule
from pipeline.registry import instrument
from tests.pipeline.instruments.sdo_aia.frames import level1_header

#: What the pipeline and the lake write besides.
WRITTEN: dict[str, Any] = {
    "EXTNAME": "IMAGE",
    "FILENAME": "a.l15.v0001.fits",
    "DATE": "2026-01-02T03:04:05.678",
    "ORIGIN": "here",
    "BUNIT": "DN/s",
    "LEVEL": "1.5",
    "VERSION": 1,
    "CREATOR": "Heliolake",
    "VERS_SW": "0.1.0",
    "PARENTXT": "sdo_aia:a.fits",
}


def completed(**changes: Any) -> fits.Header:
    header = level1_header((64, 64), **changes)
    header.update(WRITTEN)
    aia = instrument("sdo_aia")
    return solarnet.complete(header, aia, aia.describe(header))


def settled(**changes: Any) -> fits.Header:
    """A completed header, settled, with some cards changed or, `None`, absent."""
    header = completed()
    for name, value in changes.items():
        if value is None:
            del header[name]
        else:
            header[name] = value
    solarnet.settle(header, (64, 64))
    return header


def test_a_header_that_lacks_nothing_is_graded_one() -> None:
    assert settled()["SOLARNET"] == 1.0


@pytest.mark.parametrize(
    "keyword",
    ["XPOSURE", "BTYPE", "ORIGIN", "POINT_ID", "WAVEMAX", "DSUN_OBS", "CRPIX2", "LEVEL", "PARENTXT"],
)
def test_a_header_that_lacks_something_is_graded_in_part(keyword: str) -> None:
    assert settled(**{keyword: None})["SOLARNET"] == 0.5


@pytest.mark.parametrize(
    ("keyword", "value"),
    [("EXTNAME", None), ("VERSION", "4"), ("CDELT1", 0.0), ("CTYPE2", "DEC--TAN"), ("XPOSURE", -1.0)],
)
def test_a_header_that_breaks_a_rule_is_refused(keyword: str, value: object) -> None:
    with pytest.raises(BadInput, match="would break a rule") as refused:
        settled(**{keyword: value})
    assert refused.value.keyword[:4] == ("CTYPE1" if keyword == "CTYPE2" else keyword)[:4]
    assert refused.value.advice


def test_what_belongs_together_shares_a_pointing() -> None:
    header = level1_header((64, 64))
    aia = instrument("sdo_aia")
    assert completed()["POINT_ID"] == aia.describe(header).observation
    assert completed(POINT_ID="mine")["POINT_ID"] == "mine"


def test_cards_with_other_meanings_are_named() -> None:
    assert "SOLNETEX" not in completed()
    header = completed(CAMERA=3, CADENCE=-27296, SOLNETEX="PLANNER")
    assert header["SOLNETEX"] == "PLANNER, CAMERA, CADENCE"
    solarnet.settle(header, (64, 64))
    assert header["SOLARNET"] == 1.0


def test_a_matrix_stands_without_an_old_rotation() -> None:
    matrix = {"PC1_1": 1.0, "PC1_2": 0.0, "PC2_1": 0.0, "PC2_2": 1.0}
    assert "CROTA2" not in completed(**matrix, CROTA2=0.1)
    assert completed(CROTA2=0.1)["CROTA2"] == 0.1


def test_the_span_of_the_observation_is_that_of_the_exposure() -> None:
    header = completed()
    assert header["DATE-BEG"] == header["DATEREF"] == "2011-02-15T00:00:00.340"
    assert header["DATE-END"] == "2011-02-15T00:00:02.340"
    assert header["XPOSURE"] == header["EXPTIME"]


def test_what_the_header_says_already_is_kept() -> None:
    header = completed(BTYPE="phot.radiance", XPOSURE=1.5)
    assert (header["BTYPE"], header["XPOSURE"]) == ("phot.radiance", 1.5)


@pytest.mark.parametrize(("written", "exponent"), [("angstrom", -10), ("nm", -9), (-9, -9)])
def test_the_unit_of_wavelengths_is_a_power_of_ten(written: str | int, exponent: int) -> None:
    header = completed(WAVEUNIT=written)
    assert header["WAVEUNIT"] == exponent
    assert isinstance(header["WAVEUNIT"], int)


@pytest.mark.parametrize("written", ["inch", "AU", "s", "", "2 nm"])
def test_a_unit_of_wavelengths_that_is_no_power_of_ten_is_left(written: str) -> None:
    assert completed(WAVEUNIT=written)["WAVEUNIT"] == written


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("HPLN-TAN", "Helioprojective longitude"),
        ("HPLT-AZP", "Helioprojective latitude"),
        ("solarx", "Helioprojective coordinate"),
        ("RA---TAN", "Right ascension"),
        ("DEC--TAN", "Declination"),
        ("WAVE", "Wavelength"),
        ("AWAV", "Wavelength in air"),
        ("STOKES", "Stokes parameter"),
        ("TIME", None),
    ],
)
@pytest.mark.parametrize("axis", [1, 2])
def test_an_axis_is_called_what_its_type_says(axis: int, kind: str, name: str | None) -> None:
    header = completed(**{f"CTYPE{axis}": kind})
    assert header.get(f"CNAME{axis}") == name
    assert completed(**{f"CTYPE{axis}": kind, f"CNAME{axis}": "mine"})[f"CNAME{axis}"] == "mine"


RULES = {
    "FIXED": SolarnetRule(value="yes", comment="as it always is"),
    "ZERO": SolarnetRule(value=0),
    "COPIED": SolarnetRule(keyword="SOURCE"),
    "SCALED": SolarnetRule(keyword="SOURCE", factor=1e3),
    "MAPPED": SolarnetRule(keyword="NAMED", map={"a": "first", "b": "second"}),
    "SCALETXT": SolarnetRule(keyword="NAMED", factor=1e3),
    "NOWHERE": SolarnetRule(keyword="ABSENT"),
}


def ruled(**cards: Any) -> fits.Header:
    """A header completed by these rules alone."""
    aia = instrument("sdo_aia")
    header = level1_header((64, 64), **cards)
    return solarnet.complete(header, aia.model_copy(update={"solarnet": RULES}), aia.describe(header))


def test_rules_give_copy_scale_and_translate_values() -> None:
    header = ruled(SOURCE=2.5, NAMED=" b ")
    assert [header.get(name) for name in RULES] == ["yes", 0, 2.5, 2500.0, "second", " b", None]
    assert header.comments["FIXED"] == "as it always is"


def test_a_rule_whose_source_says_nothing_gives_nothing() -> None:
    header = ruled(SOURCE=None, NAMED="c")
    assert [name for name in RULES if name in header] == ["FIXED", "ZERO", "SCALETXT"]
    header = ruled(FIXED="no")
    assert header["FIXED"] == "no"
