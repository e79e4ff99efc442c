"""Statistics in the header agree with each other, and with the pixels."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from pipeline.quality import Quality, legend
from pipeline.solarnet_check import pixels
from pipeline.solarnet_check.header import Hdu
from tests.pipeline.solarnet_check.headers import SHAPE, findings, hdu, header, told

GOOD: dict[str, Any] = {
    "DATAMIN": 0.0,
    "DATAMAX": 100.0,
    "DATAMEAN": 10.0,
    "DATAMEDN": 8.0,
    "DATARMS": 5.0,
    "DATANRMS": 0.5,
    "DATAMAD": 4.0,
    "DATANMAD": 0.4,
    "DATAP01": 1.0,
    "DATAP99": 90.0,
    "DATANP99": 9.0,
    "NTOTPIX": 48 * 64 - 10,
    "NMASKPIX": 10,
    "NLOSTPIX": 100,
    "NSATPIX": 20,
    "NSPIKPIX": 2,
    "NDATAPIX": 48 * 64 - 10 - 122,
    "PCT_LOST": 3.266,
    "PCT_SATP": 0.653,
}


def test_statistics_that_agree_pass() -> None:
    assert told(findings(**GOOD)) == []


def test_statistics_that_are_not_solarnet_s_are_not_held_against_its_rules() -> None:
    assert told(findings(**{**GOOD, "DATAMIN": 95.0, "DATAP01": 99.0}))
    assert told(findings(**{**GOOD, "DATAMIN": 95.0, "DATAP01": 99.0, "SOLNETEX": "DATAMIN, DATAP01"})) == []


@pytest.mark.parametrize(
    ("keyword", "value", "grade"),
    [
        ("DATAMIN", 2.0, "error"),
        ("DATAMAX", 80.0, "error"),
        ("DATAMEAN", 101.0, "error"),
        ("DATAMEDN", 95.0, "error"),
        ("DATANRMS", 0.6, "error"),
        ("DATANMAD", 0.5, "error"),
        ("DATANP99", 8.0, "error"),
        ("DATAMAD", 6.0, "error"),
        ("NTOTPIX", 48 * 64, "error"),
        ("NDATAPIX", 48 * 64 - 10, "error"),
        ("NDATAPIX", 2000, "note"),
        ("PCT_LOST", 4.0, "error"),
    ],
)
def test_statistics_that_contradict_each_other_are_found(keyword: str, value: float, grade: str) -> None:
    found = told(findings(**GOOD | {keyword: value}))
    assert found
    assert grade in {one[0] for one in found}
    assert {one[2] for one in found} <= {"SOLARNET 5.6", "SOLARNET 5.6.1"}


IMAGE = np.random.default_rng(20261121).gamma(2.0, 30.0, SHAPE).astype(np.float32)


def right(data: np.ndarray) -> dict[str, float]:
    """Statistics by other libraries."""
    found = {
        "DATAMIN": data.min(),
        "DATAMAX": data.max(),
        "DATAMEAN": data.mean(dtype=float),
        "DATAMEDN": np.median(data),
        "DATARMS": data.std(dtype=float),
        "DATAMAD": np.abs(data - data.mean(dtype=float)).mean(),
        "DATASKEW": stats.skew(data, axis=None),
        "DATAKURT": stats.kurtosis(data, axis=None),
        "DATAP10": np.percentile(data, 10),
        "DATAP95": np.percentile(data, 95),
    }
    return {name: float(value) for name, value in found.items()}


def compared(
    cards: dict[str, Any], data: np.ndarray, flags: np.ndarray | None = None
) -> list[tuple[str, str, str]]:
    """What pixels, given in uneven parts, say of the cards."""
    bits = {} if flags is None else {name: bit for bit, name in legend().items()}

    def parts() -> Iterator[pixels.Part]:
        flat, plane = data.astype(float).ravel(), None if flags is None else flags.ravel()
        for start in range(0, flat.size, 1000):
            some = slice(start, start + 1000)
            yield flat[some], None if plane is None else plane[some]

    return told(list(pixels.check(Hdu.of(header(**cards), shape=data.shape), parts, bits)))


def test_right_statistics_pass() -> None:
    assert compared(right(IMAGE), IMAGE) == []


def test_kurtosis_may_be_the_excess_or_the_whole() -> None:
    assert compared({"DATAKURT": float(stats.kurtosis(IMAGE, axis=None, fisher=False))}, IMAGE) == []


@pytest.mark.parametrize("name", list(right(IMAGE)))
def test_a_statistic_that_the_pixels_do_not_have_is_found(name: str) -> None:
    flags = np.zeros(SHAPE, np.uint16)
    cards = right(IMAGE)
    cards[name] = cards[name] * 1.3 + 1.0
    assert compared(cards, IMAGE, flags) == [("error", name, "SOLARNET 5.6")]
    (found,) = compared(cards, IMAGE)
    assert found[0] == ("error" if name == "DATAMAX" else "warning")


def test_missing_and_flagged_pixels_do_not_count() -> None:
    data, flags = IMAGE.copy(), np.zeros(SHAPE, np.uint16)
    data[:4], flags[4:8] = np.nan, Quality.SATURATED
    cards = right(IMAGE[8:])
    assert compared(cards, data, flags) == []
    assert compared(right(IMAGE[4:]), data) == []
    assert [one[1] for one in compared(right(IMAGE), data, flags) if one[1] == "DATAMEAN"] == ["DATAMEAN"]


def test_pixels_are_counted_by_their_flags() -> None:
    flags = np.zeros(SHAPE, np.uint16)
    flags[0, :5], flags[1, :3] = Quality.MISSING, Quality.COSMIC_RAY
    assert compared({"NLOSTPIX": 5, "NSPIKPIX": 3, "NSATPIX": 0}, IMAGE, flags) == []
    assert compared({"NLOSTPIX": 4}, IMAGE, flags) == [("error", "NLOSTPIX", "SOLARNET 5.6.1")]
    assert compared({"NSATPIX": 4}, IMAGE, flags) == [("note", "NSATPIX", "SOLARNET 5.6.1")]


def test_usable_pixels_have_values() -> None:
    data = IMAGE.copy()
    data[0] = np.nan
    assert compared({"NDATAPIX": data.size - 64}, data) == []
    assert compared({"NDATAPIX": data.size - 63}, data) == [("error", "NDATAPIX", "SOLARNET 5.6.1")]


def test_of_an_image_without_values_nothing_is_said() -> None:
    assert compared({"DATAMEAN": 1.0}, np.full((3, 4), np.nan)) == []


@given(
    st.lists(st.integers(-1000, 1000), min_size=1, max_size=60),
    st.sampled_from([1, 10, 25, 50, 75, 90, 99]),
    st.sampled_from(
        ["linear", "lower", "higher", "nearest", "inverted_cdf", "averaged_inverted_cdf", "hazen"]
    ),
)
def test_percentiles_pass_whatever_way_ranks_are_rounded(
    values: list[int], percent: int, method: Any
) -> None:
    data = np.array(values, dtype=np.float32).reshape(1, -1)
    said = float(np.percentile(data, percent, method=method))
    assert compared({f"DATAP{percent:02d}": said}, data, np.zeros(data.shape, np.uint16)) == []


def test_flags_are_known_by_their_legend() -> None:
    plane = hdu({"NAXIS": 2, "NAXIS1": 64, "NAXIS2": 48, "QBIT0": "MISSING", "QBIT8": "LOW_CONFIDENCE"})
    assert pixels.flags_of(plane) == {"MISSING": 1, "LOW_CONFIDENCE": 256}
    assert pixels.flags_of(hdu()) == {}
    assert pixels.flags_of(None) == {}


def test_pixels_are_only_looked_at_where_something_is_said_of_them() -> None:
    assert not pixels.wants_pixels(hdu())
    assert pixels.wants_pixels(hdu(DATAMEDN=1.0))
    assert pixels.wants_pixels(hdu(NDATAPIX=1))
    assert math.prod(SHAPE) == 3072
