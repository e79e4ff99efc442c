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

from pipeline import solarnet
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


def made(frames: list[Frame], **params: Any) -> Ran:
    settings = {f"polarised_brightness.{name}": value for name, value in params.items()}
    (ran,) = run_recipe("soho_lasco-pb", frames, settings=settings)
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
    ran = made([frames[place] for place in order], part="length")
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
    assert ran.made.header.comments["POLFIL1"] == "at -60 deg"
    for one in (ran.made, *ran.outputs.values()):
        entry = recognise(one.header)
        assert entry.describe(one.header).level == one.header["LEVEL"]


def test_exposure_is_that_of_all_three_images_in_every_product() -> None:
    ran = made(triplet(XPOSURE=25.0991))
    for one in (ran.made, *ran.outputs.values()):
        entry = recognise(one.header)
        header = solarnet.complete(one.header, entry, entry.describe(one.header), axes=2)
        assert header["XPOSURE"] == header["EXPTIME"] == pytest.approx(3 * 25.0991)


def test_the_length_is_taken_where_it_is_asked_for_and_said() -> None:
    ran = made(triplet(), part="length")
    assert ran.made.header["POLALONG"] is False
    assert "POLZERO" not in ran.made.header
    assert any("length of the polarisation was asked for" in one for one in ran.made.caveats)
    assert made(triplet()).made.header["POLALONG"] is True


def test_uncertainty_that_images_bring_is_carried_into_the_product() -> None:
    frames = [one.replace(uncertainty=np.full(one.data.shape, 1e-11)) for one in triplet()]
    (ran,) = run_recipe("soho_lasco-pb", frames, settings={"uncertainty": True})
    # Three images alike: 4/3 √(3/2) of one, in every direction.
    assert ran.made.uncertainty is not None
    np.testing.assert_allclose(ran.made.uncertainty, 4 / 3 * math.sqrt(1.5) * 1e-11, rtol=1e-5)


def test_light_that_is_polarised_in_no_direction_of_the_limb_gives_its_length_and_a_caveat() -> None:
    frames = triplet(degree=0.0)
    for number, frame in enumerate(frames):
        noise = np.random.default_rng(number).normal(0.0, 1e-11, frame.data.shape)
        frames[number] = frame.replace(data=frame.data + noise.astype(np.float32))
    ran = made(frames)
    assert (ran.made.header["POLALONG"], ran.made.header["POLSIGMA"] < 5) == (False, True)
    assert any("does not lie along the limb" in one for one in ran.made.caveats)
    assert (ran.made.data >= 0).all()


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


def level_1(*configs: SimulationConfig) -> list[Frame]:
    """Of raw images, with the calibration files that go with them."""
    files = simulated.references(*configs)
    return [run_recipe("soho_lasco-l1", [simulated.frame(one)], references=files)[0].made for one in configs]


def sequence(**changes: Any) -> list[SimulationConfig]:
    """The configurations of a simulated sequence, of 512 by 512 pixels."""
    return [
        SimulationConfig(polariser=angle, summing=2, number=10 + n, **changes)  # type: ignore[arg-type]
        for n, angle in enumerate(ANGLES)
    ]


def sky(config: SimulationConfig) -> tuple[Any, Any, Any]:
    """Polarised and total brightness of the model, and distances from the Sun's centre in radii."""
    x, y = camera.grid()
    light = camera.sky(config, x, y)
    xc, yc = config.sun_centre
    distance = np.hypot(x - xc, y - yc) * camera.radii_per_pixel(config)
    polarised, total, away = (
        one.reshape(512, 2, 512, 2).mean(axis=(1, 3))
        for one in (np.hypot(light.q, light.u), light.total, distance)
    )
    return polarised, total, away


def test_a_simulated_corona_s_polarised_brightness_comes_back_from_raw_images() -> None:
    configs = sequence(exposure=300.0, roll=0.9)
    result = made(level_1(*configs))
    wanted, total, distance = sky(configs[0])
    ring = (distance > 3.0) & (distance < 4.5) & np.isfinite(result.made.data) & (result.made.quality == 0)
    assert ring.sum() > 10_000
    assert np.median(np.abs(result.made.data[ring] / wanted[ring] - 1)) < 0.03
    assert np.median(np.abs(result.outputs["total"].data[ring] / total[ring] - 1)) < 0.005
    # The polariser turns with the camera.
    assert result.made.header["POLZERO"] == pytest.approx(configs[0].roll, abs=0.1)


def test_noise_does_not_make_faint_corona_polarised() -> None:
    configs = sequence(detector="C3", exposure=1.0)
    images = level_1(*configs)
    result = made(images)
    polarised, total, distance = sky(configs[0])
    ring = (distance > 20) & (distance < 29) & (result.made.quality == 0)
    truth = polarised[ring].mean()
    noise = np.std(result.made.data[ring] - polarised[ring])
    assert noise > 1.5 * truth
    # Three standard deviations of a mean whose neighbours share some of their noise.
    assert abs(result.made.data[ring].mean() - truth) < 3 * 1.5 * noise / math.sqrt(ring.sum())
    wanted = (polarised / total)[ring].mean()
    assert result.outputs["degree"].data[ring].mean() == pytest.approx(wanted, rel=0.04)
    # What was taken before.
    before = stokes(*(image.data[ring] for image in images))
    assert before.polarised.mean() > 2.5 * truth
    assert before.degree.mean() > 2.5 * wanted
