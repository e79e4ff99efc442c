"""Known bad images are refused, and what level-0 headers get wrong is put right."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pipeline.errors import BadInput
from pipeline.quality import Quality, flagged
from tests.pipeline.instruments.stereo_hi.frames import (
    apply_step,
    as_frame,
    changeable,
    frame_of,
    reference,
    simulated,
)

#: Hits enough that each exposure of a small CCD has more scrubbed pixels than a sum has exposures.
MANY = 20_000.0


@pytest.fixture
def bad_list(tmp_path: Path) -> Path:
    path = tmp_path / "bad.txt"
    path.write_text(
        "# corrupted in telemetry\n\n20090401_020831_s4h1A.fts ; twice\n  SIM_20090401_000831_s4h1A\n"
    )
    return path


def test_an_image_on_the_bad_list_is_refused_by_name(bad_list: Path) -> None:
    with pytest.raises(BadInput, match="list of bad images") as refusal:
        apply_step("prepare", frame_of(), reference("bad_image_list", bad_list))
    assert refusal.value.found == "sim_20090401_000831_s4h1A.fts"


def test_an_image_not_on_the_list_passes(bad_list: Path) -> None:
    frame = frame_of(spacecraft="B", cosmic_rays=MANY)
    assert apply_step("prepare", frame, reference("bad_image_list", bad_list)).caveats == ()


@pytest.mark.parametrize(("expected", "caveats"), [(False, 0), (True, 1)])
def test_a_missing_list_is_mentioned_only_where_one_is_expected(expected: bool, caveats: int) -> None:
    result = apply_step("prepare", frame_of(cosmic_rays=MANY), expect_bad_image_list=expected)
    assert len(result.caveats) == caveats


def test_a_single_full_resolution_image_is_number_zero() -> None:
    frame = as_frame(simulated(kind="n4", size=1056, stars=0), IMGSEQ=7)
    assert apply_step("prepare", frame).header["IMGSEQ"] == 0


def test_a_small_single_image_keeps_its_number() -> None:
    frame = as_frame(simulated(kind="n4"), IMGSEQ=7)
    assert apply_step("prepare", frame).header["IMGSEQ"] == 7


@pytest.mark.parametrize(
    ("detector", "number", "begin", "middle"),
    [
        ("HI1", 30, "2009-03-31T23:38:31.000", "2009-03-31T23:53:21.000"),
        ("HI2", 99, "2009-03-31T22:29:21.000", "2009-03-31T23:18:46.000"),
    ],
)
def test_a_beacon_image_is_dated_and_timed_as_the_sum_it_is(
    detector: str, number: int, begin: str, middle: str
) -> None:
    image = simulated(kind="s7", detector=detector)
    frame = as_frame(image, DATE_END="2009-04-01T00:08:11.000")
    result = apply_step("prepare", frame)
    header = result.header
    assert header["N_IMAGES"] == number
    assert (header["NIMG_RAW"], header["EXPT_RAW"]) == (1, image.header["EXPTIME"])
    assert header["DOBS_RAW"] == image.header["DATE-OBS"]
    assert result.modes == ("HEADER-CORRECTED",)
    assert any(f"a rate {number} times smaller" in caveat for caveat in result.caveats)
    assert header["EXPTIME"] == pytest.approx(number * image.header["EXPTIME"])
    assert (header["DATE-OBS"], header["DATE-AVG"]) == (begin, middle)


def test_an_exposure_that_cannot_be_is_named_as_the_raw_header_says_it() -> None:
    with pytest.raises(BadInput) as refusal:
        apply_step("prepare", as_frame(simulated(kind="s7"), IMGSEQ=98, EXPTIME=-50.0))
    assert (refusal.value.keyword, refusal.value.found) == ("EXPTIME", "-50.0")


def test_a_beacon_sum_of_unusual_length_keeps_its_dates_with_a_caveat() -> None:
    frame = as_frame(simulated(kind="s7"), IMGSEQ=11)
    result = apply_step("prepare", frame)
    assert result.header["N_IMAGES"] == 12
    assert result.header["DATE-OBS"] == frame.header["DATE-OBS"]
    assert any("span is not known" in caveat for caveat in result.caveats)


@pytest.mark.parametrize(
    ("listed", "counted"), [("0102", 1.0), ("", 2.0), ("01", 0.0)], ids=["too long", "empty", "uncounted"]
)
def test_a_block_list_that_contradicts_its_count_is_refused(listed: str, counted: float) -> None:
    frame = as_frame(simulated(), MISSLIST=listed, NMISSING=counted)
    with pytest.raises(BadInput, match="not as long as the header says") as refusal:
        apply_step("prepare", frame)
    assert "MISSLIST" in refusal.value.keyword


def test_an_unreadable_block_list_is_refused() -> None:
    with pytest.raises(BadInput, match="cannot be read"):
        apply_step("prepare", as_frame(simulated(), MISSLIST="z?", NMISSING=1.0))


def test_zeros_are_data_although_blank_says_otherwise() -> None:
    image = changeable()
    image.data[40:50, 60:70] = 0
    result = apply_step("prepare", as_frame(image, BLANK=0))
    assert not flagged(result.quality, Quality.MISSING).any()
    assert (result.data[40:50, 60:70] == 0).all()


def test_whole_columns_and_rows_of_zeros_were_never_sent() -> None:
    image = changeable(report="lost")
    image.data[:, :20] = 0
    image.data[100] = 0
    result = apply_step("prepare", as_frame(image))
    missing = flagged(result.quality, Quality.MISSING)
    assert missing[:, :20].all()
    assert missing[100].all()
    assert np.count_nonzero(missing) == 128 * 20 + 108
    assert any("never sent" in caveat for caveat in result.caveats)


def test_blank_lines_stay_data_when_the_recipe_says_so() -> None:
    image = changeable()
    image.data[:, :20] = 0
    result = apply_step("prepare", as_frame(image), blank_lines_missing=False)
    assert not result.quality.any()


def test_an_image_of_nothing_is_refused() -> None:
    image = changeable()
    image.data[:] = 0
    with pytest.raises(BadInput, match="zero throughout"):
        apply_step("prepare", as_frame(image))


@pytest.mark.parametrize(
    ("cards", "says"),
    [
        ({"N_IMAGES": 17, "IMGSEQ": 16, "DATAMIN": 17.0}, "usually sums"),
        ({"IMGSEQ": 12}, "does not belong to a sum"),
        ({"DATAMIN": 812.0}, "DATAMIN is 812"),
    ],
)
def test_counts_that_do_not_fit_are_caveats(cards: dict[str, float], says: str) -> None:
    result = apply_step("prepare", as_frame(simulated(), **cards))
    assert any(says in caveat for caveat in result.caveats)


def test_a_sum_of_no_exposures_is_refused() -> None:
    with pytest.raises(BadInput, match="no exposures"):
        apply_step("prepare", as_frame(simulated(), N_IMAGES=0))


def test_the_frame_given_is_not_changed() -> None:
    frame = as_frame(simulated(kind="s7"))
    before = frame.header.tostring()
    apply_step("prepare", frame)
    assert frame.header.tostring() == before


@pytest.mark.parametrize(("blocks", "words"), [((2,), "1 block of"), ((2, 4, 7), "3 blocks of")])
def test_telemetry_that_did_not_arrive_is_counted_in_a_caveat(blocks: tuple[int, ...], words: str) -> None:
    result = apply_step("prepare", as_frame(simulated(size=192, missing_blocks=blocks)))
    pixels = len(blocks) * 64**2
    (caveat,) = [caveat for caveat in result.caveats if "telemetry" in caveat]
    assert words in caveat
    assert f"{pixels} pixels ({100 * pixels / 192**2:.1f} % of the image)" in caveat


@pytest.mark.parametrize("cards", [{"IPSUM": 1.0}, {"SUMMED": 1.0}, {"CCDSUM": 2.0}])
def test_counters_of_summed_pixels_that_contradict_are_refused(cards: dict[str, float]) -> None:
    with pytest.raises(BadInput, match="SUMMED") as caught:
        apply_step("prepare", as_frame(simulated(), **cards))
    assert caught.value.keyword == "IPSUM, CCDSUM, SUMMED"
    assert "not raw" in caught.value.advice


def test_an_image_without_the_counter_of_both_is_believed_its_own() -> None:
    assert apply_step("prepare", as_frame(simulated(), SUMMED=None)).header["IPSUM"] == 2
