"""The harness for authors: it runs what a campaign runs, and its assertions can fail."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from pipeline.errors import BadInput, Fatal
from pipeline.quality import Quality
from pipeline.testing import (
    assert_flags,
    assert_provenance,
    reference,
    run_recipe,
    run_reduction,
    run_step,
    toy_frame,
)


def test_a_step_runs_with_all_that_a_campaign_does_around_it() -> None:
    frame = toy_frame(3.0)
    made = run_step("shift", frame, instrument="toy", by=4.0)
    np.testing.assert_array_equal(made.data, 7.0)
    np.testing.assert_array_equal(frame.data, 3.0)
    assert_provenance(made, "BIAS-CORRECTION")


def test_references_are_given_by_file(gain_file: Path) -> None:
    made = run_step("scale", toy_frame(2.0), instrument="toy", references=[reference("gain", gain_file)])
    np.testing.assert_array_equal(made.data, 6.0)
    assert "gain=references:gain.txt sha256:" in made.header["PRREF1"]


def test_a_step_may_change_the_shape() -> None:
    assert run_step("halve", toy_frame(), instrument="toy").data.shape == (2, 3)


def test_a_frame_that_is_refused_raises_what_the_step_raised() -> None:
    with pytest.raises(BadInput, match="shutter") as refusal:
        run_step("shift", toy_frame(BROKEN=True), instrument="toy")
    assert refusal.value.advice == "open it"
    with pytest.raises(Fatal, match="works in place"):
        run_step("careless", toy_frame(), instrument="toy")


def test_frames_of_a_recipe_fail_alone() -> None:
    done, broken = run_recipe("toy-l1", [toy_frame(1.0), toy_frame(BROKEN=True)], settings={"shift.by": 5.0})
    np.testing.assert_array_equal(done.made.data, 6.0)
    assert_provenance(done.made, "BIAS-CORRECTION", "CALIBRATION")
    assert broken.frame is None
    with pytest.raises(AssertionError, match="quarantined: the shutter was shut"):
        _ = broken.made


def test_wrong_provenance_is_noticed() -> None:
    made = run_step("shift", toy_frame(), instrument="toy")
    for claimed in ((), ("CALIBRATION",), ("BIAS-CORRECTION", "CALIBRATION")):
        with pytest.raises(AssertionError, match="the header says BIAS-CORRECTION"):
            assert_provenance(made, *claimed)


def test_wrong_flags_are_noticed_by_their_pixels() -> None:
    frame = toy_frame()
    frame.quality[1, 2] = Quality.HOT
    there = np.zeros((4, 6), bool)
    there[1, 2] = True
    assert_flags(frame, Quality.HOT, there)
    assert_flags(frame, Quality.DEAD, False)
    with pytest.raises(AssertionError, match=r"HOT .* at 1 pixels: \(1, 2\)"):
        assert_flags(frame, Quality.HOT, False)


def test_a_reduction_does_not_depend_on_its_blocks_and_makes_a_file(tmp_path: Path) -> None:
    frames = [
        toy_frame(float(n), DETECTOR="CAM1", LVL="1", FILENAME=f"f{n}.fits", BUNIT="DN/s") for n in range(6)
    ]
    found = []
    for block in (1, 2, 6):
        folder = tmp_path / str(block)
        folder.mkdir()
        made, file = run_reduction("background", frames, instrument="stereo_hi", folder=folder, block=block)
        found.append(made.values)
        assert file.name == "background"
        np.testing.assert_array_equal(fits.getdata(file.path), made.values)
    np.testing.assert_allclose(found[0], found[1])
    np.testing.assert_allclose(found[0], found[2])
    with pytest.raises(Fatal, match="at least 4 frames; there are 2"):
        run_reduction("background", frames[:2], instrument="stereo_hi", folder=tmp_path)
