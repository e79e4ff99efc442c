"""The simulator: the same by seed, labelled, and like the mission's own files."""

from __future__ import annotations

import ast
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS
from pydantic import ValidationError

from pipeline.instruments.stereo_hi.facts import Spacecraft
from pipeline.instruments.stereo_hi.simulate import (
    Front,
    SimulatedFrame,
    SimulationConfig,
    Source,
    ccd,
    headers,
    simulate_series,
    write_series,
)
from pipeline.instruments.stereo_hi.simulate.detector import Exposed
from pipeline.instruments.stereo_hi.simulate.geometry import attitude_of
from pipeline.instruments.stereo_hi.simulate.headers import template
from pipeline.instruments.stereo_hi.simulate.optics import add_stars
from pipeline.instruments.stereo_hi.simulate.scene import Scene
from pipeline.quality import Quality, flagged
from pipeline.registry import recognise
from tests.pipeline.instruments.stereo_hi.frames import simulated


def nothing(size: int) -> Exposed:
    """An image of nothing, where only a header matters."""
    plane = np.zeros((size, size))
    return Exposed(
        plane.astype(np.int32), plane.astype(np.float32), plane.astype(np.uint16), np.zeros(1, int)
    )


def test_the_same_seed_gives_the_same_bytes(tmp_path: Path) -> None:
    config = SimulationConfig(size=64, frames=2, exposures=3, seed=5)
    first = write_series(tmp_path / "a", config)
    second = write_series(tmp_path / "b", config)
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]


def test_another_seed_gives_another_sky() -> None:
    assert not np.array_equal(simulated(seed=1).truth, simulated(seed=2).truth)


def test_a_frame_does_not_depend_on_how_many_follow() -> None:
    short = list(simulate_series(SimulationConfig(size=64, frames=2, exposures=3)))
    long = list(simulate_series(SimulationConfig(size=64, frames=3, exposures=3)))
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
        header = simulated(detector=detector, stars=0).header
        assert 0.5 < header["DATAP50"] / median < 2.0


def test_the_front_moves_out() -> None:
    front = Front(elongation=13.5, speed=0.5, rate=20.0)
    config = SimulationConfig(size=128, frames=2, exposures=1, stars=0, f_corona=0, k_corona=0, front=front)
    first, second = (frame.truth[64] for frame in simulate_series(config))
    assert np.argmax(first) - np.argmax(second) == pytest.approx(0.5 / 0.02, abs=3)  # the Sun is to the right


@pytest.mark.parametrize("spacecraft", ["A", "B"])
def test_stars_run_to_the_west_as_fast_as_the_spacecraft_goes_round_the_sun(spacecraft: Spacecraft) -> None:
    config = SimulationConfig(detector="HI2", spacecraft=spacecraft, kind="n4", size=32, drift=1.0)
    scene = Scene(config, template(config))
    x0, y0 = scene.star_places(0.0)
    x1, y1 = scene.star_places(86400.0)
    middle = np.hypot(x0, y0) < 60
    step = np.hypot(x1 - x0, y1 - y0)[middle] * scene.camera.scale
    assert (x1 > x0)[middle].all()
    np.testing.assert_allclose(step, 1.0, rtol=0.05)


def test_light_of_stars_is_kept_by_the_optics_and_spread_wider_at_the_edge() -> None:
    widths = []
    for x in (0.0, 950.0):
        image = np.zeros((64, 2048), dtype=np.float32)
        add_stars(image, np.array([x]), np.array([0.0]), np.array([500.0]), 1.2)
        assert image.sum() == pytest.approx(500.0, rel=1e-5)
        column = x + 1023.5
        profile = image.sum(axis=0)
        widths.append(np.sqrt((profile * (np.arange(2048) - column) ** 2).sum() / 500.0))
    assert widths[0] == pytest.approx(1.2, rel=0.01)
    assert widths[1] == pytest.approx(1.2 * (1 + 0.5 * (950 / 1024) ** 2), rel=0.01)


def test_clear_and_readout_smear_as_lines_that_run_through_the_scene() -> None:
    rate = np.random.default_rng(3).gamma(2.0, 100.0, (40, 7)).astype(np.float32)
    clear, rest, readout = 0.004, 2.5, 0.03
    charge = np.empty_like(rate)
    ccd.after_clear(rate, clear, rest, charge)
    ccd.add_readout(rate, readout, 1e9, charge)
    followed = ccd.transfer_line_by_line(rate.astype(np.float64), clear, rest, readout)
    np.testing.assert_allclose(charge, followed, rtol=1e-6)


def test_charge_beyond_the_full_well_fills_its_column_to_both_sides_and_none_is_lost() -> None:
    charge = np.full((101, 3), 100.0, dtype=np.float32)
    charge[50, 1] = 11_000.0
    before = charge.sum()
    ccd.bleed(charge, 1000.0)
    assert charge.sum() == pytest.approx(before, rel=1e-6)
    assert charge.max() == 1000.0
    (full,) = np.nonzero(charge[:, 1] > 999.0)
    assert (full.min(), full.max()) == (45, 55)
    assert (charge[:, [0, 2]] == 100.0).all()


def test_a_saturated_source_costs_columns_and_no_number_is_beyond_the_full_well() -> None:
    bright = Source(x=64, y=64, rate=2e5)
    image = simulated(stars=0, sources=(bright,), report="lost", exposures=3)
    column = flagged(image.truth_flags, Quality.SATURATED).all(axis=0)
    assert 1 <= np.count_nonzero(column) <= 8
    assert image.data.max() <= 1.01 * 15000 * 3 * 4


def test_the_scrubber_takes_cosmic_rays_out_and_reports_how_many() -> None:
    settings: dict[str, Any] = {"stars": 0, "cosmic_rays": 20_000.0}
    kept, clean = simulated(scrub=False, **settings), simulated(**settings)
    assert clean.header["COSMICS"] > 300  # 312 hits of this part of the CCD, of some pixels each
    assert kept.header["COSMICS"] == 0

    def scatter(image: SimulatedFrame) -> float:
        """Of neighbours; the last line holds the report."""
        return float(np.std(np.diff((image.data / image.truth)[:-1], axis=1)))

    noise = scatter(simulated(cosmic_rays=0.0, stars=0))
    assert scatter(kept) > 3 * noise
    assert scatter(clean) < 1.2 * noise


def test_the_cameras_geometry_is_that_of_its_coordinates_up_to_the_edge_of_the_field() -> None:
    config = SimulationConfig(detector="HI2", kind="n4", size=32, frames=1)
    header = headers.header(config, 0, nothing(32))
    camera = attitude_of(config, headers.template(config), "")
    places = np.array([0.0, 300.0, -700.0, 1023.5, -1023.5])
    x, y = (grid.ravel() for grid in np.meshgrid(places, places))
    longitude, latitude = np.radians(WCS(header).wcs_pix2world(x + 15.5, y + 15.5, 0))
    seen = camera.directions(x, y)
    told = np.column_stack(
        [np.cos(latitude) * np.cos(longitude), -np.cos(latitude) * np.sin(longitude), np.sin(latitude)]
    )
    np.testing.assert_allclose(np.degrees(np.arccos(np.clip((seen * told).sum(axis=1), -1, 1))), 0, atol=1e-4)
    linear = abs(
        camera.scale * 1023.5
        - np.degrees(np.arccos(camera.directions(np.array([1023.5]), np.array([0.0]))[0] @ camera.ahead))
    )
    assert linear > 1.0  # the projection matters by more than a degree there
    np.testing.assert_allclose(camera.pixels(seen), (x, y), atol=1e-6)


def test_nothing_is_imported_from_what_is_tested_but_constants_of_the_mission() -> None:
    allowed = {"pipeline.quality": {"Quality"}, "pipeline.instruments.stereo_hi": {"tables"}}
    allowed["pipeline.instruments.stereo_hi.facts"] = {
        *("Detector", "Spacecraft", "ROLLED_FROM", "ROLLED_UNTIL", "ESTIMATED_CLEAR"),
    }
    own = "pipeline.instruments.stereo_hi.simulate"
    for path in Path(str(ccd.__file__)).parent.glob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                assert not any(one.name.startswith("pipeline") for one in node.names), path
            elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("pipeline"):
                names = {one.name for one in node.names}
                inside = str(node.module).startswith(own)
                assert inside or names <= allowed.get(str(node.module), set()), (path, node.module, names)
            elif isinstance(node, ast.Attribute) and getattr(node.value, "id", "") == "tables":
                assert node.attr in {"MOUNTINGS", "CCD_SIZE", "Mounting"}, (path, node.attr)


def test_half_an_image_can_be_left_out() -> None:
    image = simulated(kind="s7", detector="HI2", half_sent=True, exposures=3)
    assert not image.data[:, :64].any()
    assert (image.data[:, 64:] > 0).all()


def test_dates_of_a_beacon_header_are_those_of_its_last_exposure() -> None:
    header = simulated(kind="s7", detector="HI2", size=32).header
    begin = datetime.fromisoformat(header["DATE-OBS"])
    end = datetime.fromisoformat(header["DATE-END"])
    assert (end - begin).total_seconds() == pytest.approx(49.9985, abs=0.01)
    assert header["N_IMAGES"] == 1


def test_a_report_longer_than_a_line_is_refused() -> None:
    with pytest.raises(ValidationError, match="raise size"):
        SimulationConfig(detector="HI2", size=64)


def test_a_start_without_time_zone_is_refused() -> None:
    with pytest.raises(ValidationError, match="time zone"):
        SimulationConfig(start=datetime(2009, 4, 1))  # noqa: DTZ001  -- the point of the test
    assert SimulationConfig(start=datetime(2009, 4, 1, tzinfo=UTC)).pixels == 1024
