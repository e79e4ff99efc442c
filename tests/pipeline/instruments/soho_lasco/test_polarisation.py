"""Triplets of polarised images: formulas, order by header, and the truth of a simulated corona."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.frame import Frame
from pipeline.grouping import groups
from pipeline.instruments.soho_lasco.simulate import SimulationConfig, camera
from pipeline.kernels.triplet import stokes
from pipeline.outcome import Status
from pipeline.quality import Quality
from pipeline.recipe import recipes
from pipeline.registry import recognise
from pipeline.testing import Ran, run_recipe
from tests.pipeline.instruments.soho_lasco import simulated
from tests.pipeline.instruments.soho_lasco.frames import in_unit, raw

ANGLES = {"-60 Deg": -60.0, "0 Deg": 0.0, "+60 Deg": 60.0}


def behind(angle: float, total: float, degree: float, plane: float) -> float:
    """What an ideal polariser lets through of light of which a part is polarised in a plane."""
    return 0.5 * total * (1 + degree * math.cos(2 * math.radians(angle - plane)))


def triplet(total: float = 2e-9, degree: float = 0.4, plane: float = 25.0, **cards: Any) -> list[Frame]:
    return [
        in_unit(raw(behind(angle, total, degree, plane), POLAR=name, LEVEL="1", **cards), "MSB")
        for name, angle in ANGLES.items()
    ]


def made(frames: list[Frame]) -> Ran:
    (ran,) = run_recipe("soho_lasco-pb", frames)
    return ran


@given(st.floats(0, 1), st.floats(0, 180))
def test_brightness_degree_and_plane_come_back_whatever_they_are(degree: float, plane: float) -> None:
    images = [np.full((2, 2), behind(angle, 1.0, degree, plane), np.float32) for angle in ANGLES.values()]
    found = stokes(*images)
    assert found.total[0, 0] == pytest.approx(1.0, abs=1e-6)
    assert found.polarised[0, 0] == pytest.approx(degree, abs=2e-6)
    if degree > 0.01:
        off = (found.angle[0, 0] - plane + 90.0) % 180.0 - 90.0
        assert abs(off) < 0.05


@given(st.tuples(*[st.floats(1e-3, 1.0)] * 3))
def test_the_polarised_brightness_is_that_of_the_published_formula(light: tuple[float, float, float]) -> None:
    minus, zero, plus = light
    wanted = 4 / 3 * math.sqrt(max(sum(light) ** 2 - 3 * (minus * zero + zero * plus + minus * plus), 0.0))
    found = stokes(*(np.full((1, 1), one, np.float32) for one in light)).polarised[0, 0]
    assert found == pytest.approx(wanted, abs=1e-5)


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_the_header_says_which_image_is_which_and_names_may_lie(order: tuple[int, int, int]) -> None:
    frames = triplet()
    # As in the real sequence of 2000: the file called +60 was taken at -60 degrees.
    for frame, name in zip(frames, ("lasco_+60.fts", "lasco_0.fts", "lasco_-60.fts"), strict=True):
        frame.header["FILENAME"] = name
    ran = made([frames[place] for place in order])
    np.testing.assert_allclose(ran.made.data, 0.4 * 2e-9, rtol=1e-5)
    np.testing.assert_allclose(ran.outputs["total"].data, 2e-9, rtol=1e-5)
    np.testing.assert_allclose(ran.outputs["degree"].data, 0.4, rtol=1e-5)
    np.testing.assert_allclose(ran.outputs["angle"].data, 25.0, rtol=1e-4)


def test_products_say_what_they_are_and_of_what() -> None:
    ran = made(triplet())
    assert (ran.made.header["POLAR"], ran.made.header["BUNIT"], ran.made.header["LEVEL"]) == (
        "PB",
        "MSB",
        "2",
    )
    assert {name: one.header["LEVEL"] for name, one in ran.outputs.items()} == {
        "total": "2t",
        "degree": "2d",
        "angle": "2a",
    }
    assert {name: one.header["BUNIT"] for name, one in ran.outputs.items()} == {
        "total": "MSB",
        "degree": "",
        "angle": "deg",
    }
    assert ran.made.header["EXPTIME"] == pytest.approx(3 * 25.0991)
    assert ran.made.header.comments["POLFIL1"] == "at -60 Deg"
    for one in (ran.made, *ran.outputs.values()):
        entry = recognise(one.header)
        assert entry.describe(one.header).level == one.header["LEVEL"]


def test_products_say_that_the_scale_behind_polarisers_is_in_doubt() -> None:
    ran = made(triplet())
    for one in (ran.made, *ran.outputs.values()):
        said = [str(one.header[name]) for name in one.header if name.startswith("CAVEAT")]
        assert any("1/0.25256" in sentence and "twice" in sentence for sentence in said)


def test_a_flag_of_one_image_is_a_flag_of_the_result() -> None:
    frames = triplet()
    quality = frames[1].quality.copy()
    quality[5, 6] = Quality.SATURATED
    frames[1] = frames[1].replace(quality=quality)
    assert np.argwhere(made(frames).made.quality).tolist() == [[5, 6]]


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"POLAR": "Clear"}, "-60, 0 and 60"),
        ({"POLAR": "0 Deg"}, "-60, 0 and 60"),
        ({"FILTER": "Blue"}, "optics"),
    ],
)
def test_what_is_no_triplet_is_refused(change: dict[str, str], what: str) -> None:
    frames = triplet()
    frames[2].header.update(change)
    outcome = made(frames).outcome
    assert outcome.status is Status.QUARANTINED
    assert what in outcome.reason


def test_a_sun_that_moved_between_the_images_is_said() -> None:
    frames = triplet()
    frames[1].header["CRPIX1"] = 513.0
    assert any("moved by 1.00 pixels" in caveat for caveat in made(frames).made.caveats)


@dataclass
class File:
    name: str
    meta: Mapping[str, Any]
    date_beg: datetime | None = field(default=None)


def test_sequences_of_a_day_are_told_apart_and_clear_images_between_them_do_no_harm() -> None:
    rule = recipes()["soho_lasco-pb"].group_by
    assert rule is not None
    files = []
    for hour in (0, 6):
        for minute, polar in enumerate(("Clear", "0 Deg", "+60 Deg", "Clear", "-60 Deg")):
            header = raw(POLAR=polar, FILTER="DeepRd").header
            meta = recognise(header).describe(header).meta
            date = datetime(2000, 9, 3, hour, 4 * minute, tzinfo=UTC) + timedelta(seconds=1)
            files.append(File(f"{hour}{polar}", meta, date))
    found = list(groups(files, rule))
    whole = [[one.meta["polariser"] for one in group.files] for group in found if not group.lacks]
    assert whole == [["-60 Deg", "0 Deg", "+60 Deg"]] * 2
    assert all("Clear" in group.lacks for group in found if group.lacks)


def test_a_simulated_corona_s_polarised_brightness_comes_back_from_raw_images() -> None:
    configs = [
        SimulationConfig(polariser=polar, summing=2, number=10 + n, exposure=300.0)  # type: ignore[arg-type]
        for n, polar in enumerate(ANGLES)
    ]
    level_1 = [
        run_recipe("soho_lasco-l1", [simulated.frame(one)], references=simulated.references(*configs))[0].made
        for one in configs
    ]
    result = made(level_1)
    light = camera.sky(configs[0], *camera.grid())
    wanted = np.hypot(light.q, light.u).reshape(512, 2, 512, 2).mean(axis=(1, 3))
    total = light.total.reshape(512, 2, 512, 2).mean(axis=(1, 3))
    y, x = np.indices((512, 512))
    distance = np.hypot(x - 255, y - 253) * 2 * camera.radii_per_pixel(configs[0])
    ring = (distance > 3.0) & (distance < 4.5) & np.isfinite(result.made.data) & (result.made.quality == 0)
    assert ring.sum() > 10_000
    assert np.median(np.abs(result.made.data[ring] / wanted[ring] - 1)) < 0.03
    assert np.median(np.abs(result.outputs["total"].data[ring] / total[ring] - 1)) < 0.005
