"""What is read from a header: codes, summing, and how an image lies."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from pipeline.errors import BadInput
from pipeline.frame import Frame
from pipeline.instruments.stereo_hi import facts
from tests.pipeline.instruments.stereo_hi.frames import as_frame, frame_of, simulated

ROLLED = datetime(2018, 4, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        (
            "41128 31 34 37113121  7 41 37120129  7  0  0  0  0  0  0  0",
            [41, 128, 31, 34, 37, 113, 121, 7, 41, 37, 120, 129, 7],
        ),
        ("41  7117 82  7", [117, 82, 7]),
        ("", []),
    ],
    ids=["real, first blank lost", "after 117", "empty"],
)
def test_onboard_codes_are_three_characters_each_from_the_right(text: str, codes: list[int]) -> None:
    assert facts.codes(as_frame(simulated(), IP_00_19=text)) == codes


def test_codes_that_are_no_numbers_are_refused() -> None:
    with pytest.raises(BadInput, match="codes cannot be read"):
        facts.codes(as_frame(simulated(), IP_00_19=" 41 x1"))


@pytest.mark.parametrize("power", [0.0, 1.5, 9.0])
def test_a_summing_that_is_no_power_of_two_is_refused(power: float) -> None:
    with pytest.raises(BadInput, match="power of two"):
        facts.binning(as_frame(simulated(), IPSUM=power))


@pytest.mark.parametrize(
    ("settings", "cards", "turned", "evidence"),
    [
        ({}, {}, False, "RECTROTA=0"),
        ({"spacecraft": "B"}, {}, True, "RECTROTA=2"),
        ({"start": ROLLED}, {}, True, "RECTROTA=2"),
        ({"start": ROLLED}, {"RECTROTA": None}, True, "CRVAL1"),
        ({}, {"RECTROTA": None}, False, "CRVAL1"),
        ({"spacecraft": "B"}, {"RECTROTA": None}, True, "STEREO-B"),
        ({"start": ROLLED}, {"RECTROTA": None, "CRVAL1": None}, True, "DATE-OBS"),
        ({}, {"RECTROTA": None, "CRVAL1": None}, False, "DATE-OBS"),
        ({"spacecraft": "B"}, {"RECTIFY": False}, False, "RECTIFY"),
    ],
)
def test_the_header_tells_how_an_image_lies_before_the_date_does(
    settings: dict[str, Any], cards: dict[str, Any], turned: bool, evidence: str
) -> None:
    found = facts.orientation(as_frame(simulated(**settings), **cards))
    assert found.turned is turned
    assert found.evidence.startswith(evidence)
    assert found.doubt == ""


@pytest.mark.parametrize(
    ("date", "turned", "doubtful"),
    [
        ("2015-05-18T00:00:00", False, False),
        ("2015-06-01T00:00:00", True, True),
        ("2015-07-02T00:00:00", True, False),
        ("2023-08-13T00:00:00", False, False),
    ],
)
def test_dates_sources_disagree_on_are_doubtful(date: str, turned: bool, doubtful: bool) -> None:
    frame = as_frame(simulated(), RECTROTA=None, CRVAL1=None, DATE_OBS=date)
    found = facts.orientation(frame)
    assert (found.turned, bool(found.doubt)) == (turned, doubtful)


@pytest.mark.parametrize(
    ("settings", "rotation", "against"),
    [({"spacecraft": "B"}, 0, "STEREO-B"), ({}, 2, "CRVAL1"), ({"start": ROLLED}, 0, "CRVAL1")],
)
def test_a_header_that_contradicts_itself_is_believed_with_a_doubt(
    settings: dict[str, Any], rotation: int, against: str
) -> None:
    found = facts.orientation(as_frame(simulated(**settings), RECTROTA=rotation))
    assert found.turned is (rotation == 2)
    assert against in found.doubt


def test_a_quarter_turn_is_refused() -> None:
    with pytest.raises(BadInput, match="180° or not at all"):
        facts.orientation(as_frame(simulated(), RECTROTA=1))


@pytest.mark.parametrize(
    ("keyword", "value", "question"),
    [("DETECTOR", "COR2", facts.detector), ("OBSRVTRY", "SOHO", facts.spacecraft)],
)
def test_other_cameras_and_spacecraft_are_refused(keyword: str, value: str, question: Any) -> None:
    with pytest.raises(BadInput) as refusal:
        question(as_frame(simulated(), **{keyword: value}))
    assert refusal.value.found == value


def test_only_science_sums_carry_a_report() -> None:
    assert facts.is_science_sum(frame_of())
    assert not facts.is_science_sum(frame_of(kind="n4"))
    nameless = as_frame(simulated(), FILENAME=None)
    assert facts.is_science_sum(nameless)
    assert not facts.is_science_sum(Frame.of(nameless.data, nameless.header, "copy.fts"))
