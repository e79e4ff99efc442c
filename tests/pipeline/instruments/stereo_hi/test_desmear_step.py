"""The de-smear step: times from the header, windows, lost telemetry, missing line times."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from astropy.io import fits

from pipeline.errors import BadInput
from pipeline.frame import Frame
from pipeline.instruments.stereo_hi.steps.desmear import bridged, smear_times
from pipeline.kernels.desmear import desmear
from pipeline.quality import Quality, flagged
from tests.pipeline.instruments.stereo_hi.frames import apply_step, as_frame, frame_of, level_1, simulated


def test_times_follow_the_header() -> None:
    frame = as_frame(
        simulated(), EXPTIME=1199.94, CLEARTIM=0.5, RO_DELAY=0.02, LINE_RO=0.002, LINE_CLR=0.0001
    )
    times = smear_times(frame, "normal")
    assert times.diagonal == pytest.approx(1199.94 + 30 * (0.70 - 0.5 + 0.02) + 30 * (0.002 + 0.0001) / 2)
    assert times.below == pytest.approx(30 * 2 * 0.002)
    assert times.above == pytest.approx(30 * 2 * 0.0001)
    turned = smear_times(frame, "inverted")
    assert (turned.below, turned.above) == (times.above, times.below)


def binned_sum_of_a_shutterless_ccd(
    scene: np.ndarray, summed: int, lines: int, cards: fits.Header
) -> np.ndarray:
    """What the CCD records of `scene` (its pixels, DN/s), line by line; nothing is borrowed from the step.

    Charge of line i gathers at i while nothing moves; before that it came down from the lines above, one in
    LINE_CLR (the last clear), and after it goes down over all lines below, one in LINE_RO.
    """
    at_rest = cards["EXPTIME"] / cards["N_IMAGES"] + 0.70 - cards["CLEARTIM"] + cards["RO_DELAY"]
    charge = np.zeros_like(scene)
    for line in range(scene.shape[0]):
        charge[line] = scene[line] * at_rest
        for place in range(scene.shape[0]):
            if place != line:
                charge[line] += scene[place] * (cards["LINE_RO"] if place < line else cards["LINE_CLR"])
    ny, nx = (size // lines for size in scene.shape)
    binned: np.ndarray = summed * charge.reshape(ny, lines, nx, lines).sum(axis=(1, 3))
    return binned


@pytest.mark.parametrize(("kind", "lines"), [("n4", 1), ("s4", 2), ("s7", 8)])
def test_smear_within_a_binned_pixel_is_removed_too(kind: str, lines: int) -> None:
    # Light that is even within a pixel and uneven between them.
    frame = as_frame(simulated(kind=kind, size=64, report="lost"))
    if kind == "s7":  # prepare makes the beacon's header that of its sum
        frame = apply_step("prepare", frame)
    ny, nx = 32, 6
    pixels = np.random.default_rng(3).uniform(50.0, 500.0, (ny, nx))
    scene = np.repeat(np.repeat(pixels, lines, axis=0), lines, axis=1)
    number = frame.header["N_IMAGES"]
    recorded = binned_sum_of_a_shutterless_ccd(scene, number, lines, frame.header)
    times = smear_times(frame, "normal")
    found = desmear(recorded, times.diagonal, times.below, times.above) / lines**2
    np.testing.assert_allclose(found, pixels, rtol=1e-9)


def test_the_time_divided_out_is_told() -> None:
    frame = frame_of()
    header = apply_step("desmear", frame).header
    assert header["XPOSURE"] == smear_times(frame).diagonal > frame.header["EXPTIME"]
    assert (header["NSUMEXP"], header["TEXPOSUR"]) == (30, header["XPOSURE"] / 30)


def test_the_step_is_the_kernel_with_these_times() -> None:
    frame = frame_of(spacecraft="B")
    times = smear_times(frame)
    result = apply_step("desmear", frame)
    np.testing.assert_array_equal(result.data, desmear(frame.data, times.diagonal, times.below, times.above))
    assert result.header["SMEARDIR"] == "inverted"


@pytest.mark.parametrize("name", ["CLEARTIM", "RO_DELAY", "LINE_CLR", "LINE_RO"])
def test_a_negative_time_leaves_the_smear_and_says_so(name: str) -> None:
    frame = as_frame(simulated(), **{name: -1.0})
    result = apply_step("desmear", frame)
    np.testing.assert_allclose(result.data, frame.data / frame.header["EXPTIME"], rtol=1e-6)
    assert flagged(result.quality, Quality.LOW_CONFIDENCE).all()
    assert result.header["SMEARDIR"] == "none"
    assert result.header["XPOSURE"] == frame.header["EXPTIME"]
    assert any(name in caveat for caveat in result.caveats)


def test_without_any_exposure_time_the_image_is_refused() -> None:
    with pytest.raises(BadInput, match="neither"):
        apply_step("desmear", as_frame(simulated(), LINE_RO=-1.0, EXPTIME=0.0))


def test_an_exposure_shorter_than_a_line_is_refused() -> None:
    with pytest.raises(BadInput, match="shorter than the shift of a line"):
        apply_step("desmear", as_frame(simulated(), EXPTIME=-8.0))


def test_the_time_of_the_clears_does_not_pass_for_an_exposure() -> None:
    with pytest.raises(BadInput) as refusal:
        apply_step("desmear", as_frame(simulated(), EXPTIME=0.0, CLEARTIM=0.0))
    assert refusal.value.keyword == "EXPTIME"


def underscanned(**cards: Any) -> Frame:
    image = simulated(report="lost")
    data = np.zeros((140, 160), dtype=np.float32)
    data[8:136, 20:148] = image.data
    start = {"DSTART1": 21, "DSTOP1": 148, "DSTART2": 9, "DSTOP2": 136}
    frame = as_frame(image, **{**start, **cards})
    return Frame.of(data, frame.header, frame.source)


def test_only_the_part_that_saw_light_is_desmeared() -> None:
    frame = underscanned()
    result = apply_step("desmear", frame)
    times = smear_times(frame)
    inner = desmear(frame.data[8:136, 20:148], times.diagonal, times.below, times.above)
    np.testing.assert_array_equal(result.data[8:136, 20:148], inner)
    outside = flagged(result.quality, Quality.OUTSIDE_FIELD)
    assert np.isnan(result.data[outside]).all()
    assert np.count_nonzero(~outside) == 128 * 128


def test_a_window_beyond_the_image_is_refused() -> None:
    with pytest.raises(BadInput, match="does not lie in the image"):
        apply_step("desmear", underscanned(DSTOP1=400))


def test_lost_pixels_are_bridged_by_straight_lines() -> None:
    data = np.arange(10, dtype=np.float32)[:, None] * np.array([1.0, 2.0, 0.0, 5.0], dtype=np.float32)
    lost = np.zeros(data.shape, dtype=bool)
    lost[3:6, 0] = lost[:4, 1] = lost[:, 2] = True
    spoiled = np.where(lost, np.float32(-99), data)
    filled = bridged(spoiled, lost)
    np.testing.assert_allclose(filled[:, 0], data[:, 0])  # between: a straight line
    np.testing.assert_allclose(filled[:4, 1], data[4, 1])  # at an end: the nearest value
    np.testing.assert_allclose(filled[:, 2], 0.0)  # nothing known
    np.testing.assert_array_equal(filled[:, 3], data[:, 3])


def test_a_lost_block_hardly_moves_the_rest_of_its_columns() -> None:
    whole = simulated(size=192, stars=0, photon_noise=False)
    holed = simulated(size=192, stars=0, photon_noise=False, missing_blocks=(4,))
    first, second = level_1(as_frame(whole))[0], level_1(as_frame(holed))[0]
    # Zeros in its place would move it by what 64 lines smear, 0.75 % of the sky.
    change = np.nanmax(np.abs(second.data / first.data - 1.0))
    assert change < 1e-4


def test_a_saturated_column_stays_nan_and_others_are_untouched() -> None:
    frame = frame_of()
    data = frame.data.copy()
    data[:, 7] = np.nan
    result = apply_step("desmear", frame.replace(data=data))
    assert np.isnan(result.data[:, 7]).all()
    np.testing.assert_array_equal(
        np.delete(result.data, 7, axis=1), np.delete(apply_step("desmear", frame).data, 7, axis=1)
    )
