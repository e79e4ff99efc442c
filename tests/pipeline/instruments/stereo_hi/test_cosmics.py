"""The cosmic-ray report is found by its counter, at whichever corner it is."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.instruments.stereo_hi.steps.cosmics import find_report
from pipeline.quality import Quality, flagged
from tests.pipeline.instruments.stereo_hi.frames import apply_step, as_frame, simulated


@pytest.mark.parametrize("detector", ["HI1", "HI2"])
@pytest.mark.parametrize("spacecraft", ["A", "B"])
def test_the_report_is_read_and_its_pixels_are_those_of_the_next_line(detector: str, spacecraft: str) -> None:
    count = {"HI1": 30, "HI2": 99}[detector]
    image = simulated(detector=detector, spacecraft=spacecraft)
    frame = as_frame(image)
    result = apply_step("cosmic_ray_report", frame)
    row, neighbour = (-1, -2) if spacecraft == "A" else (0, 1)
    where = slice(-count - 1, None) if spacecraft == "A" else slice(0, count + 1)
    np.testing.assert_array_equal(result.data[row, where], frame.data[neighbour, where])
    touched = flagged(result.quality, Quality.INTERPOLATED)
    assert not flagged(result.quality, Quality.COSMIC_RAY).any()
    assert np.count_nonzero(touched) == count + 1
    assert touched[row, where].all()
    stored = image.data[-1, -count:] if spacecraft == "A" else image.data[0, :count]
    assert result.header["CRNREP"] == count
    assert result.header["CRTOTAL"] == stored.sum()
    assert result.caveats == ()


def test_counts_come_in_the_order_of_the_exposures_at_both_corners() -> None:
    data = np.full((8, 64), 5000.0, dtype=np.float32)
    data[-1, -5:], data[-1, -6] = (11, 12, 13, 14, 15), 5
    for image, corner in ((data, "last"), (data[::-1, ::-1], "first")):
        report = find_report(np.ascontiguousarray(image), 5, "last")
        assert report is not None
        assert report.corner == corner
        assert report.counts.tolist() == [11, 12, 13, 14, 15]


@pytest.mark.parametrize(("spacecraft", "where"), [("A", "end"), ("B", "start")])
def test_the_counter_decides_against_the_orientation(spacecraft: str, where: str) -> None:
    image = simulated(spacecraft=spacecraft)
    frame = as_frame(image, RECTROTA=2 if spacecraft == "A" else 0)
    result = apply_step("cosmic_ray_report", frame)
    assert result.header["CRNREP"] == 30
    assert any(f"found at the {where} of the image" in caveat for caveat in result.caveats)


@pytest.mark.parametrize("spacecraft", ["A", "B"])
def test_a_report_whose_counter_moved_is_recovered_with_a_caveat(spacecraft: str) -> None:
    result = apply_step("cosmic_ray_report", as_frame(simulated(report="shifted", spacecraft=spacecraft)))
    assert result.header["CRNREP"] == 27
    assert any("recovered" in caveat for caveat in result.caveats)


def test_a_lost_report_is_minus_one_and_leaves_the_image_alone() -> None:
    frame = as_frame(simulated(report="lost"))
    result = apply_step("cosmic_ray_report", frame)
    assert result.header["CRNREP"] == -1
    assert result.header["CRTOTAL"] == -1
    np.testing.assert_array_equal(result.data, frame.data)
    assert any("not found" in caveat for caveat in result.caveats)
    assert result.modes == ("REPORT-NOT-FOUND",)
    # It may stand at either corner: 30 counts and the counter.
    doubtful = flagged(result.quality, Quality.LOW_CONFIDENCE)
    assert doubtful[-1, -31:].all()
    assert doubtful[0, :31].all()
    assert np.count_nonzero(doubtful) == 62


def test_a_corner_of_zeros_is_no_report() -> None:
    data = np.full((8, 64), 5000.0, dtype=np.float32)
    data[-1, -20:] = 0
    assert find_report(data, 30, "last") is None


@pytest.mark.parametrize("kind", ["n4", "s7"])
def test_other_images_have_no_report(kind: str) -> None:
    frame = as_frame(simulated(kind=kind))
    assert apply_step("cosmic_ray_report", frame) is frame


def line_of_counts(counts: list[float], counter: float) -> np.ndarray:
    """An image whose last line ends with a report: the counter, then the counts."""
    data = np.full((8, 64), 5000.0, dtype=np.float32)
    data[-1, -len(counts) :], data[-1, -len(counts) - 1] = counts, counter
    return data


@pytest.mark.parametrize("corner", ["last", "first"])
def test_recovered_counts_come_in_the_order_of_the_exposures_too(corner: str) -> None:
    data = line_of_counts([11, 12, 13, 14, 15], 5)
    image = data if corner == "last" else np.ascontiguousarray(data[::-1, ::-1])
    report = find_report(image, 9, "last")  # nine were announced, five are there
    assert report is not None
    assert (report.corner, report.recovered) == (corner, True)
    assert report.counts.tolist() == [11, 12, 13, 14, 15]


@pytest.mark.parametrize(("number", "found"), [(0, False), (1, False), (2, True), (3, True)])
def test_a_counter_is_believed_from_two_exposures_on(number: int, found: bool) -> None:
    data = line_of_counts([70.0] * number, number) if number else np.full((8, 64), 5000.0, np.float32)
    if not number:
        data[-1, -1] = 0
    assert (find_report(data, 9, "last") is not None) is found


@pytest.mark.parametrize(("count", "found"), [(1, False), (2, True), (63, True), (64, False)])
def test_a_report_is_looked_for_where_it_fits_into_a_line(count: int, found: bool) -> None:
    data = np.full((4, 64), 70.0, dtype=np.float32)
    if count < 64:
        data[-1, -count - 1] = count
    assert (find_report(data, count, "last") is not None) is found


def test_flags_that_are_there_already_stay() -> None:
    frame = as_frame(simulated())
    flagged_before = frame.replace(quality=np.full_like(frame.quality, Quality.SATURATED))
    result = apply_step("cosmic_ray_report", flagged_before)
    assert flagged(result.quality, Quality.SATURATED).all()
    assert np.count_nonzero(flagged(result.quality, Quality.INTERPOLATED)) == 31


@pytest.mark.parametrize(
    ("images", "sequence", "looked_for"),
    [(1, 0, False), (1, 1, False), (1, 2, True), (2, 0, True), (2, 1, True)],
)
def test_single_exposures_have_no_report(images: int, sequence: int, looked_for: bool) -> None:
    frame = as_frame(simulated(), N_IMAGES=images, IMGSEQ=sequence)
    assert ("CRNREP" in apply_step("cosmic_ray_report", frame).header) is looked_for
