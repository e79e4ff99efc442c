"""Variable keywords, lists of pixels, and columns of tables."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.solarnet_check.file import FitsFile
from pipeline.solarnet_check.mechanisms import Listed, listed
from pipeline.solarnet_check.report import check_headers
from tests.pipeline.solarnet_check.headers import hdu, told

TABLE: dict[str, Any] = {
    "XTENSION": "BINTABLE",
    "BITPIX": 8,
    "NAXIS": 2,
    "NAXIS1": 40,
    "NAXIS2": 3,
    "TFIELDS": 4,
    "EXTNAME": "AUX",
    "TTYPE1": "ATMOS_R0[IMAGE]",
    "TFORM1": "1D",
    "TTYPE2": "DIMENSION1",
    "TFORM2": "1J",
    "TTYPE3": "DIMENSION2",
    "TFORM3": "1J",
    "TTYPE4": "ORIGINAL",
    "TFORM4": "6E",
    "TDIM4": "(2,3)",
    "TUNIT4": "adu",
    "DATASUM": "0",
    "CHECKSUM": "0",
}


def found(image: dict[str, Any], table: dict[str, Any] | None = None) -> list[tuple[str, str, str]]:
    """What is found in an image with a table beside it."""
    beside = hdu(TABLE, index=1, kind="table", **(table or {}))
    return told(check_headers(FitsFile((hdu(**image), beside))))


@pytest.mark.parametrize(
    ("said", "fine"),
    [
        ("AUX;ATMOS_R0[IMAGE]", True),
        ("../aux.fits;AUX;ANYTHING", True),
        ("AUX;ATMOS_R0", False),
        ("NOWHERE;ATMOS_R0[IMAGE]", False),
        ("ATMOS_R0", False),
        ("AUX;", False),
    ],
)
def test_variable_keywords_are_where_they_are_said_to_be(said: str, fine: bool) -> None:
    assert found({"VAR_KEYS": said}) == ([] if fine else [("error", "VAR_KEYS", "SOLARNET appendix I")])


@pytest.mark.parametrize(
    ("said", "fine"),
    [
        *(
            ("AUX;ORIGINAL", True),
            ("AUX;", True),
            ("AUX;CONFIDENCE", False),
            ("NOWHERE;", False),
            ("AUX", False),
        ),
        ("./other.fits;LOSTPIXLIST;", True),
    ],
)
def test_lists_of_pixels_are_where_they_are_said_to_be(said: str, fine: bool) -> None:
    assert found({"PIXLISTS": said}) == ([] if fine else [("error", "PIXLISTS", "SOLARNET appendix II")])


def test_a_list_has_a_column_for_each_axis() -> None:
    assert found({"PIXLISTS": "AUX;"}, {"TTYPE3": "OTHER"}) == [("error", "PIXLISTS", "SOLARNET appendix II")]


def test_who_uses_a_mechanism_claims_something() -> None:
    assert ("error", "SOLARNET", "SOLARNET 17") in found({}, {"VAR_KEYS": "AUX;ATMOS_R0[IMAGE]"})
    assert found({}, {"VAR_KEYS": "AUX;ATMOS_R0[IMAGE]", "SOLARNET": -1.0}) == []


def test_names_are_listed_table_by_table() -> None:
    assert listed("EXT-1;A,B[x], EXT-2; C") == [Listed("EXT-1", ("A", "B[x]")), Listed("EXT-2", ("C",))]
    assert listed("LOST;, MASK;, SAT [He_I];ORIGINAL") == [
        Listed("LOST", ()),
        Listed("MASK", ()),
        Listed("SAT [He_I]", ("ORIGINAL",)),
    ]
    assert listed("A,B") is None


@pytest.mark.parametrize(
    ("changes", "wanted"),
    [
        ({"TDIM4": "(2,4)"}, ("error", "TDIM4", "FITS 7.3.2")),
        ({"TDIM4": "2,3"}, ("error", "TDIM4", "FITS 7.3.2")),
        ({"TTYPE4": "dimension1"}, ("warning", "TTYPE4", "FITS 7.3.2")),
        ({"TUNIT4": "counts per blink"}, ("warning", "TUNIT4", "FITS 4.3")),
        ({"TTYPE4": 4}, ("error", "TTYPE4", "FITS 7.3")),
    ],
)
def test_columns_say_what_they_hold(changes: dict[str, Any], wanted: tuple[str, str, str]) -> None:
    assert found({}) == []
    assert found({}, changes) == [wanted]
