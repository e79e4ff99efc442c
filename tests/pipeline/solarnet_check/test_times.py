"""Dates, exposures and time axes agree."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.solarnet_check.header import moment
from tests.pipeline.solarnet_check.headers import SERIES, findings, told


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({"DATE__END": "2026-01-02T03:04:04"}, ("error", "DATE-END", "SOLARNET 4")),
        ({"DATE__AVG": "2026-01-02T03:04:04"}, ("error", "DATE-AVG", "SOLARNET 4")),
        ({"DATE__AVG": "2026-01-02T03:04:08"}, ("error", "DATE-AVG", "SOLARNET 4")),
        ({"DATE": "2025-12-31"}, ("warning", "DATE", "SOLARNET 8")),
        ({"XPOSURE": 2.1}, ("warning", "XPOSURE", "SOLARNET 5.2")),
        ({"MJD__BEG": 61042.0}, ("warning", "MJD-BEG", "FITS 9.5")),
        ({"MJDREF": 61042.0}, ("warning", "MJDREF", "FITS 9.2.2")),
        ({"NSUMEXP": 2, "TEXPOSUR": 2.0}, ("error", "XPOSURE", "SOLARNET 5.2")),
    ],
)
def test_times_that_contradict_each_other_are_found(
    changes: dict[str, Any], found: tuple[str, str, str]
) -> None:
    assert told(findings(**changes)) == [found]


@pytest.mark.parametrize(
    "changes",
    [
        {"DATE__END": "2026-01-02T03:04:07.5"},
        {"XPOSURE": 1.5},
        {"MJD__BEG": 61042.1278414352},
        {"NSUMEXP": 2, "TEXPOSUR": 1.0},
        {"DATE": "2026-01-02T03:04:09"},
    ],
)
def test_times_that_agree_pass(changes: dict[str, Any]) -> None:
    assert told(findings(**changes)) == []


@pytest.mark.parametrize(
    ("changes", "fine"),
    [
        ({}, True),
        ({"CRVAL3": 3600.0}, False),
        ({"CDELT3": 100.0}, False),
        ({"CRVAL3": 0.5, "CUNIT3": "min", "CDELT3": 0.05}, False),
        ({"DATEREF": "2026-01-02T00:00:00", "CRVAL3": 11045.5}, True),
    ],
)
def test_a_time_axis_lies_where_the_dates_say(changes: dict[str, Any], fine: bool) -> None:
    found = told(findings(SERIES, **changes))
    assert found == ([] if fine else [("warning", "CRVAL3", "SOLARNET 4.1")])


@pytest.mark.parametrize(
    "text",
    [
        *("2026-01-02", "2026-01-02T03:04:05", "2026-01-02T03:04:05.", "2026-01-02T03:04:05.123456789"),
        *("2016-12-31T23:59:60", "+02026-01-02T00:00:00"),
    ],
)
def test_dates_of_the_standard_are_understood(text: str) -> None:
    assert moment(text) is not None or text.startswith("+")


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            "02/01/26",
            "2026-01-02T03:04:05Z",
            "2026-01-02T03:04:05+01:00",
            "2026-01-02T03:04",
            "2026-13-01",
        ),
        *("2026-02-30", "2026-01-02T24:00:00", "2026-01-02T03:04:61", "yesterday", "٢٠٢٦-٠١-٠٢"),
    ],
)
def test_what_is_no_date_is_none(text: str) -> None:
    assert moment(text) is None


def test_a_leap_second_is_the_one_behind_the_last() -> None:
    assert moment("2016-12-31T23:59:60") == moment("2017-01-01T00:00:00")
