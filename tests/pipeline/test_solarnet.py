"""Headers are completed from what is known, and graded by what they say."""

from __future__ import annotations

from typing import Any

import pytest
from astropy.io import fits

from pipeline import solarnet
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


def test_a_complete_header_is_graded_one() -> None:
    header = completed()
    assert solarnet.check(header) == []
    assert solarnet.grade(header) == 1.0


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


def test_a_unit_of_wavelengths_that_is_no_length_is_left_and_found() -> None:
    header = completed(WAVEUNIT="unknown")
    assert header["WAVEUNIT"] == "unknown"
    assert solarnet.check(header) == ["WAVEUNIT should be a whole number: 'unknown'"]


def test_nothing_is_guessed() -> None:
    header = completed(EXPTIME=None)
    assert "XPOSURE" not in header
    assert solarnet.check(header) == ["XPOSURE is missing"]
    assert solarnet.grade(header) == 0.5


@pytest.mark.parametrize(
    ("cards", "finding"),
    [
        ({"DSUN_OBS": None}, "observer's position"),
        ({"CRPIX2": None}, "CRPIX2 is missing"),
        ({"DATE": "yesterday"}, "DATE is no FITS date"),
        ({"BLANK": -32768, "BITPIX": -32}, "BLANK stands on floating-point data"),
        ({"VERSION": "4"}, "VERSION should be a whole number"),
        ({"VERSION": True}, "VERSION should be a whole number"),
        ({"WAVEUNIT": "angstrom"}, "WAVEUNIT should be a whole number"),
        ({"WAVEUNIT": None}, "WAVEUNIT is missing"),
        ({"WAVEREF": None}, "WAVEREF is missing"),
        ({"WAVEREF": "vac"}, "WAVEREF should be 'air' or 'vacuum'"),
        ({"WAVEMIN": None}, "WAVEMIN is missing"),
        ({"WAVEMIN": 200.0, "WAVEMAX": 171.0}, "are no range"),
        ({"NBIN1": None}, "NBIN1 is missing"),
        ({"NBIN": None}, "NBIN is missing"),
        ({"NBIN": 4}, "NBIN is not the product"),
        ({"NBIN2": 1.0}, "NBIN2 should be a whole number"),
        ({"XPOSURE": "long"}, "XPOSURE should be a number"),
        ({"NSUMEXP": 30}, "TEXPOSUR is missing"),
        ({"NSUMEXP": 30, "TEXPOSUR": 2.000191}, "NSUMEXP times TEXPOSUR is not XPOSURE"),
        ({"CRVAL1": "0"}, "CRVAL1 should be a number"),
        ({"BUNIT": "MSB"}, "BUNIT is no unit"),
        ({"BUNIT": None}, "BUNIT is missing"),
    ],
)
def test_every_flaw_is_found(cards: dict[str, Any], finding: str) -> None:
    header = completed()
    for name, value in cards.items():
        if value is None:
            del header[name]
        else:
            header[name] = value
    assert any(finding in sentence for sentence in solarnet.check(header))
    assert solarnet.grade(header) == 0.5


@pytest.mark.parametrize("unit", ["", "deg-2", "DN/s", "DN", "erg/(cm2 s sr)"])
def test_units_that_readers_know_pass(unit: str) -> None:
    header = completed()
    header["BUNIT"] = unit
    assert solarnet.check(header) == []


def test_without_a_wavelength_or_filter_nothing_is_asked_of_them() -> None:
    header = completed()
    for name in ("WAVEUNIT", "WAVEREF", "WAVEMIN", "WAVEMAX"):
        del header[name]
    header["WAVELNTH"] = 0
    assert solarnet.check(header) == []


def test_without_what_is_mandatory_a_header_is_no_solarnet_header() -> None:
    header = completed()
    del header["DATE-BEG"]
    assert solarnet.grade(header) == -1.0
