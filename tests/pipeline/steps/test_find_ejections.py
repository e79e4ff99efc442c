"""Mass ejections by recipe: from images to a catalogue, and series that are none."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import astropy.units as u
import numpy as np
import pytest
from astropy.io import fits
from astropy.table import QTable
from matplotlib.image import imread

from pipeline.cme import plot, table
from pipeline.errors import BadInput
from pipeline.frame import Frame
from pipeline.instruments.aso_s_lst.simulate import Pupil, SimulationConfig, observed, physical_psf
from pipeline.outcome import Status
from pipeline.testing import Ran, assert_provenance, run_recipe
from tests.pipeline.cme import coronae

POINT = physical_psf(Pupil(blur=0.0), 3)


def images(minutes: range, **changes: object) -> list[Frame]:
    """Level 2.5 of SCIWL, one a minute; exposures so long that large pixels gather what small ones do."""
    made = []
    for minute in minutes:
        config = SimulationConfig.model_validate(
            {
                "telescope": "SCIWL",
                "size": 128,
                "exposure": 30.0,
                "start": coronae.BEGIN + timedelta(minutes=minute),
                "number": minute + 100,
                "ejections": [coronae.ejection(position_angle=100.0, brightness=1.0)],
                **changes,
            }
        )
        one = observed(config, psf=POINT)
        one.header["LEVEL"], one.header["BUNIT"] = "2.5", "MSB"
        made.append(Frame.of(one.data, one.header, one.filename))
    return made


def searched(frames: list[Frame]) -> Ran:
    (ran,) = run_recipe("aso_s_lst-cme", frames, members=len(frames))
    return ran


def test_an_ejection_of_images_is_found_where_it_was(tmp_path: Path) -> None:
    settings = {"polar_map.rings": 30, "polar_map.angles": 60}
    polar = [one.made for one in run_recipe("aso_s_lst-polar", images(range(-8, 34)), settings=settings)]
    assert polar[0].dims == ("height", "position_angle")
    ran = searched(polar)
    made = ran.made
    assert made.data.shape == (30, len(polar))
    assert_provenance(made, "SPATIAL-RESAMPLING", "FEATURE-DETECTION")
    rows = table.table(ran.outputs["catalogue"].data, ran.outputs["catalogue"].header)
    assert len(rows) == made.header["NCME"] == 1
    assert rows["position_angle"][0].to_value(u.deg) == pytest.approx(100.0, abs=6.0)
    assert rows["speed"][0].to_value(u.km / u.s) == pytest.approx(500.0, rel=0.08)
    assert rows.meta["SIMULATD"]
    assert any("looked at by nobody" in one for one in made.caveats)
    points = table.table(ran.outputs["height_time"].data, ran.outputs["height_time"].header)
    assert len(points) == rows["frames"][0]
    assert points["time"][0].datetime.date() == coronae.BEGIN.date()
    # The strongest front stands where its map is brightest.
    assert made.header["FRONTPA"] == pytest.approx(rows["front_angle"][0].value)
    paths = {}
    for name, one in {**ran.outputs, "map": made}.items():
        paths[name] = tmp_path / f"{name}.fits"
        fits.PrimaryHDU(one.data, one.header).writeto(paths[name])
    for name, suffix in (("catalogue", "ecsv"), ("height_time", "fits")):
        path = paths[name]
        assert table.main([str(path), "-o", str(tmp_path / f"out.{suffix}")]) == 0
        assert len(QTable.read(tmp_path / f"out.{suffix}")) == (1 if name == "catalogue" else len(points))
    assert plot.main([*map(str, paths.values()), "-o", str(tmp_path / "cme.png")]) == 0
    assert imread(tmp_path / "cme.png").std() > 0.1
    assert plot.main([str(paths["map"]), "-o", str(tmp_path / "none.png")]) == 2


def test_polar_maps_do_not_depend_on_roll_and_place_of_the_sun() -> None:
    first, second = (
        images(range(20, 21), size=256, noise=False, **changes)[0]
        for changes in ({"roll": 0.0, "offset": (0.0, 0.0)}, {"roll": 77.0, "offset": (9.3, -7.1)})
    )
    maps = [run_recipe("aso_s_lst-polar", [one])[0].made.data for one in (first, second)]
    assert np.nanmedian(np.abs(maps[1] / maps[0] - 1.0)) < 0.01


def test_a_day_without_any_says_none() -> None:
    ran = searched(coronae.frames(coronae.series()))
    assert ran.made.header["NCME"] == 0
    assert not len(table.table(ran.outputs["catalogue"].data, ran.outputs["catalogue"].header))


def test_order_and_frames_given_twice_do_not_matter() -> None:
    given = coronae.frames(coronae.series(coronae.ejection()))
    straight, mixed = searched(given), searched([*given[::-1], given[7]])
    assert np.array_equal(straight.outputs["catalogue"].data, mixed.outputs["catalogue"].data, equal_nan=True)
    assert any("1 frames of a time" in one for one in mixed.made.caveats)


def test_gaps_and_what_is_too_fast_for_the_cadence_are_told() -> None:
    times = [*range(-1200, 600, 60), *range(1800, 3000, 60)]
    caveats = " ".join(searched(coronae.frames(coronae.series(times=times))).made.caveats)
    assert "1 gaps, the longest of 21 min" in caveats
    slow = " ".join(searched(coronae.frames(coronae.series(times=range(0, 12000, 600)))).made.caveats)
    assert "missed" in slow


@pytest.mark.parametrize(
    ("number", "cards", "keyword"),
    [(5, {}, "DATE-OBS"), (9, {"POLAR": 60.0}, "POLAR"), (9, {"CDELT2": 0.05}, "CDELT2")],
)
def test_what_is_no_series_is_put_aside(number: int, cards: dict[str, object], keyword: str) -> None:
    given = coronae.frames(coronae.series(times=range(0, 60 * number, 60)))
    given[-1].header.update(cards)
    outcome = searched(given).outcome
    assert (outcome.status, outcome.keyword) == (Status.QUARANTINED, keyword)
    assert outcome.advice


def test_a_coronagraph_that_the_recipe_does_not_know_is_named() -> None:
    (frame,) = images(range(1))
    frame.header["DETECTOR"] = "SDI"
    outcome = run_recipe("aso_s_lst-polar", [frame])[0].outcome
    assert (outcome.status, outcome.keyword, outcome.found) == (Status.QUARANTINED, "DETECTOR", "SDI")


def test_what_is_no_table_is_refused() -> None:
    with pytest.raises(BadInput, match="no table of ejections"):
        table.table(np.zeros((2, 2), np.float32), fits.Header())
