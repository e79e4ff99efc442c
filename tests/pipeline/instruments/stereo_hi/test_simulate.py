"""The simulator: the same by seed, labelled, and like the mission's own files."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from pydantic import ValidationError

from pipeline.instrument import recognise
from pipeline.instruments.stereo_hi.simulate import (
    Front,
    SimulationConfig,
    Source,
    simulate_series,
    write_series,
)
from pipeline.quality import Quality, flagged
from tests.pipeline.instruments.stereo_hi.frames import simulated


def test_the_same_seed_gives_the_same_bytes(tmp_path: Path) -> None:
    config = SimulationConfig(size=64, frames=2, cosmic_rays=10.0, seed=5)
    first = write_series(tmp_path / "a", config)
    second = write_series(tmp_path / "b", config)
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]


def test_another_seed_gives_another_sky() -> None:
    assert not np.array_equal(simulated(seed=1).truth, simulated(seed=2).truth)


def test_a_frame_does_not_depend_on_how_many_follow() -> None:
    short = list(simulate_series(SimulationConfig(size=64, frames=2)))
    long = list(simulate_series(SimulationConfig(size=64, frames=3)))
    np.testing.assert_array_equal(short[1].data, long[1].data)


def test_every_file_says_that_it_is_simulated(tmp_path: Path) -> None:
    (path,) = write_series(tmp_path, SimulationConfig(size=64, frames=1))
    header = fits.getheader(path)
    assert header["SIMULATD"] is True
    assert header["OBJECT"] == "SIMULATED"
    assert header["ORIGIN"] == "Heliolake simulator"
    assert path.name == header["FILENAME"] == "sim_20090401_000831_s4h1A.fts"
    assert any("no observation" in str(line) for line in header["COMMENT"])


def test_truth_is_written_apart_from_the_images(tmp_path: Path) -> None:
    paths = write_series(tmp_path / "raw", SimulationConfig(size=64, frames=2), truth=tmp_path / "truth")
    assert {path.name for path in (tmp_path / "raw").iterdir()} == {path.name for path in paths}
    truth = np.load(tmp_path / "truth" / f"{paths[0].stem}.truth.npy")
    assert (truth.dtype, truth.shape) == (np.float32, (64, 64))


@pytest.mark.parametrize(
    ("settings", "observation"),
    [
        ({}, "hi1a_s4_20090401"),
        ({"spacecraft": "B", "detector": "HI2"}, "hi2b_s4_20090401"),
        ({"kind": "n4"}, "hi1a_n4_20090401"),
        ({"kind": "s7", "detector": "HI2"}, "hi2a_s7_20090401"),
    ],
)
def test_the_instrument_recognises_what_is_simulated(settings: dict[str, str], observation: str) -> None:
    header = simulated(**settings).header
    assert recognise(header).name == "stereo_hi"
    assert recognise(header).describe(header).observation == observation
    assert recognise(header).describe(header).level == "0"


@pytest.mark.parametrize(
    ("file", "settings"),
    [
        ("stereo_hi/20250622_000831_s4h1A.header", {}),
        ("stereo_hi/20250622_000851_s4h2A.header", {"detector": "HI2"}),
        ("headers/real/hi_20110910_114721_s7h2A.header", {"detector": "HI2", "kind": "s7"}),
    ],
)
def test_headers_have_the_keywords_of_the_mission(
    real_data: Path, file: str, settings: dict[str, str]
) -> None:
    lines = (real_data / file).read_text().splitlines()
    real = {line.split("=")[0].strip() for line in lines if line[8:9] == "="}
    header = simulated(**settings).header
    assert real <= set(header)
    same = (
        "LINE_CLR",
        "LINE_RO",
        "CLEARTIM",
        "RO_DELAY",
        "READTIME",
        "GAINCMD",
        "IPSUM",
        "IMGSEQ",
        "N_IMAGES",
    )
    card = {line.split("=")[0].strip(): line for line in lines if line[8:9] == "="}
    for name in same:
        assert header[name] == fits.Card.fromstring(card[name].ljust(80)).value, name


def test_brightness_is_that_of_the_real_headers() -> None:
    # DATAP50 is 39389 in the real HI-1 header and 54931 in that of HI-2.
    for detector, median in (("HI1", 39389), ("HI2", 54931)):
        header = simulated(detector=detector, size=256, stars=0).header
        assert 0.5 < header["DATAP50"] / median < 2.0


def test_stars_drift_and_the_front_moves_out() -> None:
    front = Front(elongation=13.5, speed=0.5, rate=20.0)
    config = SimulationConfig(size=128, frames=2, stars=0, f_corona=0, k_corona=0, front=front)
    first, second = (frame.truth[64] for frame in simulate_series(config))
    assert np.argmax(first) - np.argmax(second) == pytest.approx(0.5 / 0.02, abs=3)  # the Sun is to the right
    bare = SimulationConfig(size=128, frames=2, stars=3300, f_corona=0, k_corona=0)
    stars = [frame.truth for frame in simulate_series(bare)]
    assert not np.allclose(stars[0], stars[1])
    assert stars[0].sum() == pytest.approx(stars[1].sum(), rel=0.2)


def test_charge_of_a_saturated_source_stays_in_its_column() -> None:
    bright = Source(x=64, y=64, rate=2e5)
    image = simulated(stars=0, photon_noise=False, sources=(bright,), report="lost")
    column = flagged(image.truth_flags, Quality.SATURATED).all(axis=0)
    assert 1 <= np.count_nonzero(column) <= 6
    assert image.data.max() <= 15000 * 30 * 4 + 1
    plain = simulated(stars=0, photon_noise=False, report="lost")
    added = float((image.data.astype(np.int64) - plain.data).sum())
    assert added == pytest.approx(2e5 * 1207.0 * (1 + 128 * 2 * 0.00247 / 40.2), rel=0.02)


def test_half_an_image_can_be_left_out() -> None:
    image = simulated(kind="s7", detector="HI2", half_sent=True)
    assert not image.data[:, :64].any()
    assert (image.data[:, 64:] > 0).all()


def test_dates_of_a_beacon_header_are_those_of_its_last_exposure() -> None:
    header = simulated(kind="s7", detector="HI2").header
    begin = datetime.fromisoformat(header["DATE-OBS"])
    end = datetime.fromisoformat(header["DATE-END"])
    assert (end - begin).total_seconds() == pytest.approx(49.9985, abs=0.01)
    assert header["N_IMAGES"] == 1


def test_a_start_without_time_zone_is_refused() -> None:
    with pytest.raises(ValidationError, match="time zone"):
        SimulationConfig(start=datetime(2009, 4, 1))  # noqa: DTZ001  -- the point of the test
    assert SimulationConfig(start=datetime(2009, 4, 1, tzinfo=UTC)).pixels == 1024
