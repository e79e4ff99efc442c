"""Level 2 of simulated images: the filter's pattern goes, the Sun's structures stay."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from pipeline.frame import Frame
from pipeline.instruments.kis_chrotel import facts, profile
from pipeline.instruments.kis_chrotel.simulate import SimulationConfig, scene
from pipeline.outcome import Status
from pipeline.quality import Quality, flagged
from pipeline.testing import Ran, assert_provenance, run_recipe, run_step
from tests.pipeline.instruments.kis_chrotel import simulated
from tests.pipeline.instruments.kis_chrotel.simulated import CALCIUM, HALPHA, HELIUM


def corrected(config: SimulationConfig, **params: object) -> NDArray[np.float64]:
    """What is left of the pattern within 0.98 of the radius, over its mean at each distance."""
    before = simulated.level_1(config)
    made = run_step("large_scale", before, instrument="kis_chrotel", **params)  # type: ignore[arg-type]
    truth = simulated.image(config)
    i, j = np.indices(truth.field.shape)
    place = np.hypot(j - truth.centre[0], i - truth.centre[1]) / truth.radius
    ratio = np.ones_like(before.data)
    np.divide(made.data, before.data, out=ratio, where=before.data != 0)
    left = ratio * truth.field
    ring = np.minimum((place**2 * 60).astype(int), 60)
    used = place < 0.98
    means = np.bincount(ring[used], left[used], 61) / np.maximum(np.bincount(ring[used], minlength=61), 1)
    return np.asarray(left[used] / means[ring[used]])


CLOUDED = CALCIUM.model_copy(update={"cloud": 0.6, "gradient": 0.1})


@pytest.mark.parametrize(
    ("config", "most"),
    # In Ca II K plage is wide and bright; a cloud is no polynomial besides.
    [(HALPHA, 0.0015), (CALCIUM, 0.002), (CLOUDED, 0.0035)],
    ids=["Ha", "Ca", "Ca behind a cloud"],
)
def test_the_lopsided_part_of_the_pattern_goes_and_what_is_left_is_told(
    config: SimulationConfig, most: float
) -> None:
    made = run_step("large_scale", simulated.level_1(config), instrument="kis_chrotel")
    left, told = corrected(config).std(), made.header["ZERNERR"]
    assert left < most
    assert 0.5 * left < told < 2.5 * left
    assert any("may be left" in one for one in made.caveats) == (config is CLOUDED)


def test_without_leaving_pixels_out_it_would_stay_several_times_as_large() -> None:
    unclipped = corrected(HALPHA, clip=10.0, spread=10.0).std()
    assert unclipped > 3 * corrected(HALPHA).std()


def test_filaments_and_plage_are_as_deep_and_as_bright_as_they_are() -> None:
    before = simulated.level_1(HALPHA)
    truth = simulated.image(HALPHA)
    made = run_step(
        "normalise", run_step("large_scale", before, instrument="kis_chrotel"), instrument="kis_chrotel"
    )
    i, j = np.indices(truth.field.shape)
    place = np.hypot(j - truth.centre[0], i - truth.centre[1]) / truth.radius
    for where in ((truth.filaments > 0) & (place < 0.9), (truth.contrast > 1.15) & (place < 0.9)):
        blurred = blur(np.nan_to_num(truth.contrast, nan=1.0), HALPHA.blur)
        difference = (made.data - blurred)[where]
        assert abs(difference.mean()) < 0.012
        assert difference.std() < 0.02


def blur(image: NDArray[np.float32], width: float) -> NDArray[np.float32]:
    from scipy.ndimage import gaussian_filter

    return np.asarray(gaussian_filter(image, width))


def test_the_product_is_flat_north_up_and_ends_at_the_limb() -> None:
    made = simulated.level_2(HALPHA)
    disk = facts.disk(made)
    assert (disk.x, disk.y) == ((simulated.SIZE - 1) / 2,) * 2
    assert (made.header["PC1_1"], made.header["CDELT1"], made.header["BUNIT"]) == (1.0, 6.0, "")
    assert disk.radius * disk.scale == pytest.approx(HALPHA.rsun, rel=1e-6)
    measured = made.quality == 0
    assert np.median(made.data[measured]) == pytest.approx(1.0, abs=0.003)
    i, j = np.indices(made.data.shape)
    outside = np.hypot(j - disk.x, i - disk.y) > disk.radius + 1.5
    assert np.isnan(made.data[outside]).all()
    assert flagged(made.quality, Quality.OUTSIDE_FIELD)[outside].all()
    assert_provenance(
        made,
        *simulated_steps(simulated.level_1(HALPHA)),
        "INTENSITY-CORRECTION",
        "DEROTATION,SPATIAL-ALIGNMENT",
        "NORMALISATION",
    )


def simulated_steps(frame: Frame) -> list[str]:
    return [str(frame.header[f"PRSTEP{n}"]) for n in range(1, 6)]


def test_filaments_lie_where_the_sun_has_them() -> None:
    made = simulated.level_2(HALPHA)
    disk = facts.disk(made)
    along = (np.arange(simulated.SIZE) - disk.x) / disk.radius
    west, north = np.meshgrid(along, along)
    truth = scene.filament_labels(west, north, scene.features(HALPHA.seed, HALPHA.filaments)) > 0
    assert np.nanmean(made.data[truth]) < 0.82
    # Turned the other way round they would miss.
    assert np.nanmean(made.data[truth[:, ::-1]]) > 0.93


def test_an_image_of_the_telescope_s_own_level_1_is_taken_with_the_coordinates_it_has() -> None:
    ours = simulated.level_1(HALPHA)
    header = ours.header.copy()
    for name in ("R_SUN", "R_ERROR", "LIMBERR"):
        header.remove(name)
    header["BUNIT"] = "ADU"
    foreign = ours.replace(header=header)
    (ran,) = run_recipe("kis_chrotel-l2", [foreign], settings=simulated.SETTINGS)
    assert np.nanmedian(ran.made.data) == pytest.approx(1.0, abs=0.005)
    measured = {**simulated.SETTINGS, "limb_fit.enabled": True}
    (ran,) = run_recipe("kis_chrotel-l2", [foreign], settings=measured)
    np.testing.assert_allclose(ran.made.data, simulated.level_2(HALPHA).data, atol=1e-3, equal_nan=True)


def test_the_course_from_centre_to_limb_is_told_by_a_polynomial() -> None:
    header = simulated.level_2(HALPHA).header
    coefficients = [header[f"CLV{power}"] for power in range(6)]
    assert sum(coefficients) == pytest.approx(1.0, abs=1e-6)
    for cosine in (0.4, 0.6, 0.8):
        truth = scene.course("ha", np.array(np.sqrt(1 - cosine**2)), np.array(0.0))
        assert np.polynomial.polynomial.polyval(cosine, coefficients) == pytest.approx(float(truth), abs=0.02)


def test_normalised_to_the_centre_the_limb_stays_darker() -> None:
    before = simulated.level_1(HALPHA)
    made = run_step("normalise", before, instrument="kis_chrotel", to="centre")
    disk = facts.disk(made)
    row = made.data[round(disk.y)]
    assert np.nanmedian(row[round(disk.x + 0.9 * disk.radius) :][:8]) < 0.8


def test_velocities_of_filaments_come_back_with_the_quiet_line_put_back() -> None:
    made, truth, inside = velocities(quiet_depth=0.02)
    slope, offset = np.polyfit(truth[inside], made.data[inside], 1)
    assert slope == pytest.approx(1.0, abs=0.15)
    assert abs(offset) < 0.5
    assert np.std(made.data[inside] - truth[inside]) < 1.5


def test_without_it_velocities_of_shallow_lines_are_too_large() -> None:
    made, truth, inside = velocities()
    assert np.polyfit(truth[inside], made.data[inside], 1)[0] > 1.1


def velocities(**params: float) -> tuple[Frame, NDArray[np.float64], NDArray[np.bool_]]:
    settings = {f"doppler.{name}": value for name, value in params.items()}
    (ran,) = run_recipe("kis_chrotel-doppler", [simulated.flat_cube(HELIUM)], settings=settings)
    made = ran.made
    disk = facts.disk(made)
    along = (np.arange(simulated.SIZE) - disk.x) / disk.radius
    west, north = np.meshgrid(along, along)
    inside = scene.filament_labels(west, north, scene.features(HELIUM.seed, HELIUM.filaments)) > 0
    inside &= np.isfinite(made.data) & (np.hypot(west, north) < 0.9)
    assert inside.sum() > 500
    assert np.median(ran.outputs["error"].data[inside]) < 1.0
    assert 0.03 < np.median(ran.outputs["depth"].data[inside]) < 0.2
    assert made.header["BUNIT"] == "km/s"
    assert made.dims == ("y", "x")
    return made, scene.velocity(west, north, HELIUM.velocity), inside


def test_a_shift_to_the_red_is_a_velocity_away() -> None:
    red = profile.transmitted(10831.0, np.array(0.2), np.array(10.0))
    blue = profile.transmitted(10829.6, np.array(0.2), np.array(10.0))
    assert red < blue


def behind_clouds(left: float, columns: int) -> Frame:
    """A raw frame with all but the last columns behind a cloud that lets this part through."""
    clear = simulated.frame(simulated.HALPHA)
    data = clear.data.copy()
    data[:, :-columns] *= np.float32(left)
    return clear.replace(data=data)


def test_a_disk_behind_clouds_is_put_aside_and_one_with_some_of_them_says_so() -> None:
    def level_2(raw: Frame) -> Ran:
        (one,) = run_recipe("kis_chrotel-l1", [raw], references=simulated.references(simulated.HALPHA))
        (two,) = run_recipe("kis_chrotel-l2", [one.made], settings=simulated.SETTINGS)
        return two

    outcome = level_2(behind_clouds(0.02, 120)).outcome
    assert outcome.status is Status.QUARANTINED, "divided by such a pattern values ran from -46 to 80"
    assert "clouds" in outcome.advice
    some = level_2(behind_clouds(0.7, 230)).made
    assert any("clouds" in sentence for sentence in some.caveats)
    assert not any("clouds" in sentence for sentence in simulated.level_2(simulated.HALPHA).caveats)
