"""Steps of processing: numbered without gaps, each with what belongs to it."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.solarnet_check.file import FitsFile
from pipeline.solarnet_check.report import check_headers
from tests.pipeline.solarnet_check.headers import ABSENT, findings, hdu, told
from tests.pipeline.solarnet_check.test_axes import TABLE


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({"PRSTEP2": ABSENT, "PRPARA2": ABSENT, "PRSTEP3": "BINNING"}, ("error", "PRSTEP2", "SOLARNET 8.1")),
        ({"PRSTEP1": ABSENT}, ("error", "PRSTEP1", "SOLARNET 8.2")),
        ({"PRPROC3": "x"}, ("error", "PRSTEP3", "SOLARNET 8.2")),
        ({"PRSTEP2": "MAGIC"}, ("note", "PRSTEP2", "SOLARNET 8.1")),
        ({"PRPVER2": 1}, ("warning", "PRPROC2", "SOLARNET 8.2")),
        ({"PRPVER1": "new"}, ("warning", "PRPVER1", "SOLARNET 8.2")),
        ({"PRLIB1A": ABSENT}, ("error", "PRLIB1A", "SOLARNET 8.2")),
        ({"PRVER1A": ABSENT}, ("note", "PRVER1A", "SOLARNET 8.2")),
        ({"PRLIB1C": "x", "PRVER1C": 1}, ("warning", "PRLIB1A", "SOLARNET 8.2")),
        ({"PRPARA2": "{gain=2}"}, ("error", "PRPARA2", "SOLARNET 8.2")),
        ({"PRPARA2": "[TABLE"}, ("error", "PRPARA2", "SOLARNET 8.2")),
        ({"PRPARA2": "2.0"}, ("warning", "PRPARA2", "SOLARNET 8.2")),
        ({"SVO_SEP2": "POINT_ID"}, ("warning", "SVO_SEP2", "SOLARNET 7.2")),
        ({"PARENTXT": "a.fits,,b.fits"}, ("warning", "PARENTXT", "SOLARNET 8")),
    ],
)
def test_provenance_that_cannot_be_followed_is_found(
    changes: dict[str, Any], found: tuple[str, str, str]
) -> None:
    assert told(findings(**changes)) == [found]


@pytest.mark.parametrize(
    "changes",
    [
        {"PRSTEP1": "FIXED-PATTERN-REMOVAL,FLATFIELDING"},
        {"PRSTEP2": "GAUSSIAN-LINE-FITTING"},
        {"PRPARA2": "GAIN=2.0,MODE=1"},
        {"PRPARA2": "<p gain='2'/>"},
        {"PRLIB1B": "more", "PRHSH1B": "a7ef89"},
        {"PRLOG2": "none", "PRENV1": "Linux", "PRREF2": "a.fits", "PRMODE2": "BALANCED"},
        {"SVO_SEP1": "POINT_ID,FILTER", "SVO_SEP2": "POINT_ID"},
        {"PARENTXT": "./a.fits;A, ../b.fits"},
    ],
)
def test_provenance_that_can_be_followed_passes(changes: dict[str, Any]) -> None:
    assert told(findings(**changes)) == []


def test_many_cards_with_wild_numbers_make_one_finding() -> None:
    found = told(findings(PRSTEP99="BINNING"))
    assert [one for one in found if one[0] == "error"] == [("error", "PRSTEP3", "SOLARNET 8.1")]


def test_parameters_in_a_table_of_the_file_are_found_there() -> None:
    table = hdu(TABLE, index=1, kind="table")
    assert told(check_headers(FitsFile((hdu(PRPARA2="[WHERE]"), table)))) == []
