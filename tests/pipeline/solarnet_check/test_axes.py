"""Coordinate systems: complete, consistent, and leading somewhere."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.solarnet_check.file import FitsFile
from pipeline.solarnet_check.report import check_headers
from tests.pipeline.solarnet_check.headers import ABSENT, IMAGE, SERIES, SPECTRA, findings, hdu, told

PC = ("PC1_1", "PC1_2", "PC2_1", "PC2_2")
CD = {"CD1_1": 2.4, "CD1_2": 0.0, "CD2_1": 0.0, "CD2_2": 2.4}
WITHOUT_PC: dict[str, Any] = dict.fromkeys(PC, ABSENT)


@pytest.mark.parametrize("keyword", ["CTYPE", "CUNIT", "CRPIX", "CRVAL", "CDELT"])
@pytest.mark.parametrize("axis", [1, 2])
def test_every_axis_is_complete(keyword: str, axis: int) -> None:
    found = told(findings(**{f"{keyword}{axis}": ABSENT}))
    assert ("error", f"{keyword}{axis}", "SOLARNET 15.2") in found


def test_an_alternate_system_that_lacks_a_card_is_doubtful() -> None:
    names = ("CTYPE", "CUNIT", "CRPIX", "CRVAL", "CDELT")
    other = {f"{name}{axis}A": IMAGE[f"{name}{axis}"] for name in names for axis in (1, 2)}
    assert told(findings(**other)) == []
    assert told(findings(**other | {"CRPIX2A": ABSENT})) == [("warning", "CRPIX2A", "SOLARNET 15.2")]


def test_data_without_coordinates_are_found() -> None:
    names = ("CTYPE", "CUNIT", "CRPIX", "CRVAL", "CDELT")
    none = {f"{name}{axis}": ABSENT for name in names for axis in (1, 2)}
    assert told(findings(**none, **WITHOUT_PC)) == [("error", "CTYPE1", "SOLARNET 15.2")]


def test_one_matrix_is_enough() -> None:
    assert told(findings(**CD, **WITHOUT_PC, CDELT1=ABSENT, CDELT2=ABSENT)) == []
    assert told(findings(**CD)) == [("error", "CD1_1", "FITS 8.2")]


@pytest.mark.parametrize(
    "changes",
    [
        {"PC1_1": 0.0, "PC2_2": 0.0},
        {"PC1_2": 1.0, "PC2_1": 1.0},
        {"CDELT1": 0.0},
        {"PC1_1": 1e-300, "PC1_2": 1e-300, "PC2_1": 1e300, "PC2_2": 1e300},
    ],
)
def test_a_matrix_leads_back(changes: dict[str, float]) -> None:
    assert [one[2] for one in told(findings(**changes)) if one[0] == "error"] == ["FITS 8.2"]


def test_small_steps_are_no_flaw() -> None:
    assert told(findings(CDELT1=1e-9, CDELT2=1e-9)) == []


@pytest.mark.parametrize(("turned", "grade"), [(0.0, "note"), (30.0, "warning")])
def test_an_old_rotation_beside_a_matrix_is_found(turned: float, grade: str) -> None:
    assert told(findings(CROTA2=turned)) == [(grade, "CROTA2", "FITS 8.2")]


def test_the_old_rotation_is_that_of_the_matrix_where_both_turn_alike() -> None:
    matrix = {"PC1_1": 3**0.5 / 2, "PC1_2": -0.5, "PC2_1": 0.5, "PC2_2": 3**0.5 / 2}
    assert told(findings(CROTA2=30.0, **matrix)) == [("note", "CROTA2", "FITS 8.2")]


@pytest.mark.parametrize(("said", "fine"), [(2, True), (3, True), (1, False)])
def test_there_are_as_many_coordinates_as_are_said(said: int, fine: bool) -> None:
    more = {"CTYPE3": "STOKES", "CRVAL3": 1.0, "CRPIX3": 1.0, "CDELT3": 1.0} if said == 3 else {}
    if said == 3:
        more |= {"POLCCONV": "(+HPLT,-HPLN,+HPRZ)"}
    errors = [one for one in told(findings(WCSAXES=said, **more)) if one[1] == "WCSAXES"]
    assert errors == ([] if fine else [("error", "WCSAXES", "FITS 8.2")])


def test_the_number_of_coordinates_stands_before_them() -> None:
    late = {**IMAGE, "WCSNAME": "sky"}
    made = hdu(late, WCSAXES=2)
    assert told(check_headers(FitsFile((made,)))) == []
    turned = {name: made.values[name] for name in (*(n for n in made.values if n != "WCSAXES"), "WCSAXES")}
    other = type(made)(0, turned, made.shape, sums=made.sums)
    assert told(check_headers(FitsFile((other,)))) == [("warning", "WCSAXES", "FITS 8.2")]


@pytest.mark.parametrize(
    ("changes", "keyword"),
    [
        ({"CTYPE1": "HPLN-XYZ", "CTYPE2": "HPLT-XYZ"}, "CTYPE1"),
        ({"CTYPE2": "HPLT-SIN"}, "CTYPE1"),
        ({"CTYPE2": "HPLN-TAN"}, "CTYPE1"),
        ({"CTYPE2": "DEC--TAN"}, "CTYPE1"),
        ({"CTYPE1": "RA---TAN"}, "CTYPE1"),
        ({"CTYPE1": "HGLN-CAR", "CTYPE2": "CRLT-CAR"}, "CTYPE1"),
    ],
)
def test_a_longitude_and_a_latitude_belong_together(changes: dict[str, str], keyword: str) -> None:
    assert ("error", keyword, "FITS 8.3") in told(findings(**changes))


@pytest.mark.parametrize(
    ("first", "second"),
    [
        *(
            ("HPLN-TAN", "HPLT-TAN"),
            ("RA---TAN", "DEC--TAN"),
            ("CRLN-CEA", "CRLT-CEA"),
            ("HGLN-CAR", "HGLT-CAR"),
        ),
        *(("HPLT-ARC", "HPLN-ARC"), ("GLON-AIT", "GLAT-AIT"), ("HPLN-ZPN", "HPLT-ZPN")),
    ],
)
def test_pairs_of_the_sky_and_the_sun_pass(first: str, second: str) -> None:
    assert told(findings(CTYPE1=first, CTYPE2=second)) == []


def test_projections_of_conventions_are_noted() -> None:
    assert {one[0] for one in told(findings(CTYPE1="RA---TPV", CTYPE2="DEC--TPV"))} == {"note"}


@pytest.mark.parametrize("name", ["SOLAR-X", "solar_x", "SOLARX"])
def test_old_names_of_coordinates_are_doubtful(name: str) -> None:
    assert ("warning", "CTYPE1", "Thompson 2006, 3") in told(findings(CTYPE1=name))


@pytest.mark.parametrize(
    ("base", "changes"),
    [
        (IMAGE, {"CUNIT1": "m", "CUNIT2": "m"}),
        (SPECTRA, {"CUNIT3": "Hz"}),
        (SPECTRA, {"CTYPE3": "FREQ", "CUNIT3": "nm", "WAVEREF": "vacuum"}),
        (SERIES, {"CUNIT3": "m"}),
    ],
)
def test_the_unit_of_an_axis_is_of_its_kind(base: dict[str, Any], changes: dict[str, str]) -> None:
    keyword = next(name for name in changes if name.startswith("CUNIT"))
    assert ("error", keyword, "FITS 8.2") in told(findings(base, **changes))


def test_units_of_axes_are_those_of_the_standard() -> None:
    assert ("warning", "CUNIT1", "FITS 4.3") in told(findings(CUNIT1="arcsecs"))
    assert told(findings(CUNIT1="deg", CUNIT2="deg")) == []
    assert told(findings(CUNIT1="deg")) == [("warning", "CUNIT1", "Thompson 2006, 2")]


@pytest.mark.parametrize(
    ("value", "unit", "fine"), [(91.0, "deg", False), (91.0, "arcsec", True), (-90, "deg", True)]
)
def test_latitudes_end_at_the_poles(value: float, unit: str, fine: bool) -> None:
    found = told(findings(CRVAL2=value, CUNIT1=unit, CUNIT2=unit))
    assert found == ([] if fine else [("error", "CRVAL2", "FITS 8.3")])


@pytest.mark.parametrize(
    ("changes", "fine"),
    [
        ({"CRVAL4": 1.0}, True),
        ({"CRVAL4": -1.0, "CDELT4": -1.0}, True),
        ({"CRVAL4": 0.0}, False),
        ({"CRVAL4": 1.5}, False),
        ({"CRVAL4": 2.0}, False),
        ({"CRVAL4": -2.0}, False),
    ],
)
def test_stokes_parameters_are_counted_as_the_standard_does(changes: dict[str, float], fine: bool) -> None:
    found = told(findings(SPECTRA, **changes))
    assert found == ([] if fine else [("error", "CRVAL4", "FITS 8.5")])


def test_wavelengths_are_above_zero() -> None:
    assert ("error", "CRVAL3", "FITS 8.4") in told(findings(SPECTRA, CRVAL3=0.0))


TABLE = {
    "XTENSION": "BINTABLE",
    "BITPIX": 8,
    "NAXIS": 2,
    "NAXIS1": 8,
    "NAXIS2": 1,
    "TFIELDS": 1,
    "EXTNAME": "WHERE",
    "TTYPE1": "TIMES",
    "TFORM1": "1D",
    "DATASUM": "0",
    "CHECKSUM": "0",
}


@pytest.mark.parametrize(
    ("names", "broken"),
    [(("WHERE", "TIMES"), ""), (("NOWHERE", "TIMES"), "PS3_0"), (("WHERE", "OTHER"), "PS3_1")],
)
def test_coordinates_in_a_table_are_there(names: tuple[str, str], broken: str) -> None:
    image = hdu(SERIES, CTYPE3="UTC--TAB", PS3_0=names[0], PS3_1=names[1])
    table = hdu(TABLE, index=1, kind="table")
    found = told(check_headers(FitsFile((image, table))))
    assert found == ([("error", broken, "FITS 8.2")] if broken else [])
