"""One frame, or a group, goes through the steps of a recipe, and its outcome says how that went."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence

import numpy as np
import pytest

from pipeline import Recipe
from pipeline.errors import Fatal
from pipeline.frame import Frame
from pipeline.outcome import Outcome, Status
from pipeline.running import run_chain
from pipeline.step import ReferenceFile
from tests.toy import RECIPE, TRIPLET, TWICE, toy_frame

pytestmark = pytest.mark.usefixtures("toy_instrument")


def run(
    frame: Frame | Sequence[Frame],
    text: str = RECIPE,
    references: Sequence[Mapping[str, ReferenceFile]] | None = None,
    shape: tuple[int, ...] | None = None,
) -> Outcome:
    """How frames end in a recipe, each without references unless said otherwise."""
    frames = [frame] if isinstance(frame, Frame) else list(frame)
    given = [{} for _ in frames] if references is None else references
    return run_chain(frames, Recipe.parse(text).bind(), given, level="1", shape=shape)[1]


def positions(*found: int, **cards: object) -> list[Frame]:
    return [toy_frame(POLPOS=one, FILENAME=f"p{one}.fits", **cards) for one in found]


def test_times_of_a_step_are_added_up_to_a_millionth_of_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    chain = Recipe.parse(TWICE).bind()
    ticks = iter([0.0, 1 / 3, 1.0, 1.0, 2.0, 2.5])
    monkeypatch.setattr(time, "perf_counter", lambda: next(ticks))
    _, outcome = run_chain(toy_frame(), chain, {}, level="1")
    assert outcome.seconds == {"shift": 0.833333, "brighten": 0.0}


@pytest.mark.parametrize(("lost", "said"), [(6, False), (7, True)])
def test_less_than_three_quarters_of_the_pixels_are_few(lost: int, said: bool) -> None:
    data = np.ones((4, 6), np.float32)
    data.flat[:lost] = np.nan
    assert any(caveat.startswith("only ") for caveat in run(toy_frame(data)).caveats) is said


def test_a_frame_alone_is_of_no_group_and_one_of_several_is_named() -> None:
    assert run(toy_frame(BROKEN=True)).reason == "the shutter was shut"
    frames = positions(1, 2)
    frames[1].header["BROKEN"] = True
    assert run(frames).reason == "p2.fits of its group: the shutter was shut"


def test_each_frame_of_a_group_has_its_references() -> None:
    ended = run(positions(1, 2, 3), TRIPLET, references=[{}, {}])
    assert ended.status is Status.FAILED


def test_what_was_announced_and_is_not_made_stops_the_run() -> None:
    with pytest.raises(Fatal, match=r"announced images of \(2, 2\) and made \(4, 6\)"):
        run(toy_frame(), shape=(2, 2))
    with pytest.raises(Fatal, match=r"^2 frames came out of the recipe where one was to"):
        run(positions(1, 2))


def test_an_uncertainty_that_nobody_asks_for_is_left_out() -> None:
    frame = toy_frame().replace(uncertainty=np.ones((4, 6), np.float32))
    made, _ = run_chain(frame, Recipe.parse(RECIPE).bind(), {}, level="1")
    assert made is not None
    assert made.uncertainty is None


@pytest.mark.parametrize(("unit", "found"), [("", "absent"), ("MSB", "MSB")])
def test_a_unit_that_a_step_does_not_take_is_told(unit: str, found: str) -> None:
    ended = run(toy_frame(BUNIT=unit))
    assert (ended.status, ended.keyword, ended.found) == (Status.QUARANTINED, "BUNIT", found)


def test_a_reference_that_is_missing_is_told_with_the_date_it_was_looked_for() -> None:
    strict = RECIPE.replace(", assume: {gain: unity}", "")
    ended = run(toy_frame(), strict)
    assert (ended.keyword, ended.found) == ("DATE-OBS", "2024-05-06T07:08:09.5")
    frame = toy_frame()
    del frame.header["DATE-OBS"]
    assert run(frame, strict).found == "absent"


def test_a_mistake_of_a_step_is_written_down_with_the_file_and_a_bad_file_is_not(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.ERROR):
        run(toy_frame(BROKEN=True))
        assert caplog.messages == []
        run(toy_frame(BUG=True))
    assert caplog.messages == ["toy.fits: step shift failed"]
