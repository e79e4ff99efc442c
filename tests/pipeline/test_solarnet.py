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


def completed(*, axes: int = 2, **changes: Any) -> fits.Header:
    header = level1_header((64, 64), **changes)
    header.update(WRITTEN)
    aia = instrument("sdo_aia")
    return solarnet.complete(header, aia, aia.describe(header), axes=axes)


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
    assert completed(CAMERA=3, SOLNETEX="CAMERA, PLANNER")["SOLNETEX"] == "CAMERA, PLANNER"


@pytest.mark.parametrize("element", ["PC1_1", "PC1_2", "PC2_1", "CD1_1"])
def test_a_matrix_stands_without_an_old_rotation(element: str) -> None:
    rotations = ("CROTA", "CROTA1", "CROTA2")
    old: dict[str, Any] = dict.fromkeys(rotations, 0.1)
    assert [completed(**old).get(name) for name in rotations] == [0.1] * 3
    new = {**old, element: 1.0}
    assert not set(rotations) & set(completed(**new))
    header = level1_header((64, 64), **new)
    header.extend([("CROTA2", 0.2)], unique=False)
    aia = instrument("sdo_aia")
    assert "CROTA2" not in solarnet.complete(header, aia, aia.describe(header), axes=2)


def test_of_every_axis_it_is_said_how_many_pixels_were_put_together() -> None:
    assert completed()["OBS_HDU"] == 1
    assert "NBIN" not in completed()
    assert completed(NBIN1=1, NBIN2=1)["NBIN"] == 1
    assert completed(NBIN1=2, NBIN2=3)["NBIN"] == 6
    assert completed(NBIN1=2, NBIN2=3, NBIN=7)["NBIN"] == 7
    assert completed(axes=3, NBIN1=2, NBIN2=3, NBIN3=4)["NBIN"] == 24
    assert "NBIN" not in completed(axes=3, NBIN1=2, NBIN2=3)
    assert "NBIN" not in completed(NBIN1=2, NBIN2="three")


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
        ("FREQ", "Frequency"),
        ("STOKES", "Stokes parameter"),
        ("TIME", None),
    ],
)
@pytest.mark.parametrize("axis", [1, 2])
def test_an_axis_is_called_what_its_type_says(axis: int, kind: str, name: str | None) -> None:
    cards: dict[str, Any] = {f"CTYPE{axis}": kind}
    assert completed(**cards).get(f"CNAME{axis}") == name
    cards[f"CNAME{axis}"] = "mine"
    assert completed(**cards)[f"CNAME{axis}"] == "mine"


def test_axes_that_the_data_lack_are_called_nothing() -> None:
    assert "CNAME3" not in completed(CTYPE3="STOKES")
    assert completed(axes=3, CTYPE3="STOKES")["CNAME3"] == "Stokes parameter"


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
    bare = aia.model_copy(update={"solarnet": RULES})
    return solarnet.complete(header, bare, aia.describe(header), axes=2)


def test_rules_give_copy_scale_and_translate_values() -> None:
    header = ruled(SOURCE=2.5, NAMED=" b ")
    assert [header.get(name) for name in RULES] == ["yes", 0, 2.5, 2500.0, "second", " b", None]
    assert header.comments["FIXED"] == "as it always is"


def test_a_rule_whose_source_says_nothing_gives_nothing() -> None:
    header = ruled(SOURCE=None, NAMED="c")
    assert [name for name in RULES if name in header] == ["FIXED", "ZERO", "SCALETXT"]
    header = ruled(FIXED="no")
    assert header["FIXED"] == "no"
