"""Filaments of simulated disks: found where they are, and told as they are."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from pipeline.errors import BadInput
from pipeline.frame import Frame
from pipeline.instruments.kis_chrotel import facts, filament_table
from pipeline.instruments.kis_chrotel.facts import Disk
from pipeline.instruments.kis_chrotel.filaments import Observer, Search, describe, find, heliographic
from pipeline.instruments.kis_chrotel.simulate import SimulationConfig, scene
from pipeline.recipe import recipes
from pipeline.testing import Ran, run_recipe, run_step
from tests.pipeline.instruments.kis_chrotel import simulated
from tests.pipeline.instruments.kis_chrotel.simulated import CALCIUM, HALPHA

CLOUDY = SimulationConfig(size=simulated.SIZE, cloud=0.3, gradient=0.2, seed=1)
NONE = SimulationConfig(size=simulated.SIZE, filaments=0)


@lru_cache(maxsize=4)
def found(config: SimulationConfig) -> Ran:
    (ran,) = run_recipe("kis_chrotel-filaments", [simulated.level_2(config)])
    return ran


def truth(config: SimulationConfig, disk: Disk) -> NDArray[np.int32]:
    along = (np.arange(simulated.SIZE) - disk.x) / disk.radius
    west, north = np.meshgrid(along, along)
    return scene.filament_labels(west, north, scene.features(config.seed, config.filaments))


@pytest.mark.parametrize("config", [HALPHA, CLOUDY], ids=["clear", "clouds"])
def test_nearly_all_filaments_are_found_and_nothing_else(config: SimulationConfig) -> None:
    made = found(config).made
    wanted = truth(config, facts.disk(made))
    mask = np.nan_to_num(made.data).astype(int)
    hit = [(mask[wanted == one] > 0).mean() > 0.5 for one in np.unique(wanted[wanted > 0])]
    right = [(wanted[mask == one] > 0).mean() > 0.5 for one in range(1, mask.max() + 1)]
    assert np.mean(hit) > 0.75
    assert all(right)
    both = ((mask > 0) & (wanted > 0)).sum()
    # Filaments here are two or three pixels wide, of which the blur takes its part.
    assert 2 * both / ((mask > 0).sum() + (wanted > 0).sum()) > 0.75


def test_where_there_are_none_none_are_found_and_spots_are_not_taken_for_them() -> None:
    ran = found(NONE)
    assert ran.made.header["NFILAM"] == 0
    assert np.nanmax(ran.made.data) == 0
    assert np.isnan(ran.outputs["table"].data).all()


def test_the_table_names_its_columns_and_has_a_row_for_each() -> None:
    ran = found(HALPHA)
    told = filament_table.table(ran.outputs["table"].data, ran.outputs["table"].header)
    assert len(told) == ran.made.header["NFILAM"] == np.nanmax(ran.made.data)
    assert list(told.colnames) == list(filament_table.COLUMNS)
    assert told["length"].unit == "Mm"
    assert (told["confidence"] > 0).all()
    assert (told["confidence"] <= 1).all()
    assert told.meta["simulated"] is True


def test_a_product_s_table_is_written_as_ecsv(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = found(HALPHA).outputs["table"]
    path = tmp_path / "table.fits"
    fits.PrimaryHDU(output.data, output.header).writeto(path)
    assert filament_table.main([str(path), "-o", str(tmp_path / "table.ecsv")]) == 0
    read = Table.read(tmp_path / "table.ecsv")
    assert len(read) == output.header["NFILAM"]
    fits.PrimaryHDU(np.zeros((3, 4), np.float32)).writeto(tmp_path / "other.fits")
    assert filament_table.main([str(tmp_path / "other.fits")]) == 2
    assert "no table of filaments" in capsys.readouterr().err


DISK = Disk(399.5, 399.5, 300.0, 3.2)
OBSERVER = Observer(960.0, 5.0, 120.0)


def drawn(longitude: NDArray[Any], latitude: NDArray[Any], half: float) -> NDArray[np.float32]:
    """A dark line through places of the Sun (degrees from the central meridian)."""
    x, y = on_disk(longitude, latitude)
    i, j = np.indices((800, 800))
    image = np.where(np.hypot(j - DISK.x, i - DISK.y) < DISK.radius, 1.0, np.nan)
    image += np.random.default_rng(0).normal(0, 0.02, image.shape)
    near, _ = cKDTree(np.column_stack([x, y])).query(
        np.column_stack([j.ravel(), i.ravel()]), distance_upper_bound=half
    )
    return np.where(np.isfinite(near).reshape(image.shape), 0.7, image).astype(np.float32)


def on_disk(longitude: NDArray[Any], latitude: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Pixels of places on the Sun, seen from a finite distance: by rotations, another way of computing."""
    lon, lat, b0 = np.radians(longitude), np.radians(latitude), np.radians(OBSERVER.b0)
    x, y, z = np.cos(lat) * np.sin(lon), np.sin(lat), np.cos(lat) * np.cos(lon)
    up, towards = y * np.cos(b0) - z * np.sin(b0), y * np.sin(b0) + z * np.cos(b0)
    distance = 1 / np.sin(np.radians(OBSERVER.rsun / 3600))
    scale = np.degrees(3600 / (distance - towards)) / DISK.scale
    return DISK.x + x * scale, DISK.y + up * scale


def test_places_of_pixels_are_those_of_a_sphere_seen_from_earth() -> None:
    longitude, latitude = np.array([0.0, 30.0, -60.0, 45.0]), np.array([0.0, 20.0, -30.0, 55.0])
    x, y = on_disk(longitude, latitude)
    made = heliographic(x, y, DISK, OBSERVER)
    np.testing.assert_allclose(made[0], (longitude + OBSERVER.l0) % 360, atol=0.1)
    np.testing.assert_allclose(made[1], latitude, atol=0.1)


@pytest.mark.parametrize(
    ("ends", "tilt"),
    [
        (((-10.0, 10.0), (10.0, 10.0)), 0.0),
        (((10.0, -5.0), (30.0, 15.0)), 45.0),
        (((-45.0, 20.0), (-45.0, 40.0)), 90.0),
    ],
    ids=["along a parallel", "tilted", "along a meridian"],
)
def test_length_tilt_place_and_area_are_those_of_the_line_that_was_drawn(
    ends: tuple[tuple[float, float], tuple[float, float]], tilt: float
) -> None:
    along = np.linspace(0, 1, 200)
    longitude = ends[0][0] + along * (ends[1][0] - ends[0][0])
    latitude = ends[0][1] + along * (ends[1][1] - ends[0][1])
    image = drawn(longitude, latitude, 4.0)
    labels = find(image, DISK, Search())
    assert labels.max() == 1
    (told,) = describe(labels, image, DISK, OBSERVER, 10)
    middle = np.radians(latitude.mean())
    way = np.hypot(np.radians(ends[1][0] - ends[0][0]) * np.cos(middle), np.radians(ends[1][1] - ends[0][1]))
    assert told.length == pytest.approx(695.7 * way, rel=0.1)
    real = np.degrees(np.arctan2(ends[1][1] - ends[0][1], (ends[1][0] - ends[0][0]) * np.cos(middle)))
    assert abs((told.tilt - real + 90) % 180 - 90) < 3.0
    assert abs(abs(real) - tilt) < 3
    assert told.longitude == pytest.approx((longitude.mean() + OBSERVER.l0) % 360, abs=1.5)
    assert told.latitude == pytest.approx(latitude.mean(), abs=1.5)
    assert told.depth == pytest.approx(0.3, abs=0.03)
    # Drawn eight pixels wide on the sky: the area is that of the pixels, each stretched towards the limb.
    rows, columns = (one.astype(float) for one in np.nonzero(labels))
    _, _, cosine = heliographic(columns, rows, DISK, OBSERVER)
    assert told.area == pytest.approx(1e6 * (1 / cosine).sum() / (2 * np.pi * DISK.radius**2), rel=1e-3)


def test_a_round_spot_is_no_filament() -> None:
    image = drawn(np.array([10.0]), np.array([15.0]), 10.0)
    assert find(image, DISK, Search()).max() == 0
    assert find(image, DISK, Search(elongation=0.0)).max() == 1


def test_another_line_than_halpha_is_put_aside() -> None:
    chosen = recipes()["kis_chrotel-filaments"]
    # Where the name does not tell the line, the header does.
    assert [chosen.concerns({"line": line}) for line in ("ha", "ca", "unknown")] == [True, False, True]
    calcium = simulated.level_1(CALCIUM)
    header = calcium.header.copy()
    header["BUNIT"] = ""
    with pytest.raises(BadInput, match="H-alpha"):
        run_step("filaments", calcium.replace(header=header), instrument="kis_chrotel")


def test_of_more_filaments_than_rows_the_largest_are_told() -> None:
    frame: Frame = simulated.level_2(HALPHA)
    (ran,) = run_recipe("kis_chrotel-filaments", [frame], settings={"filaments.most": 3})
    assert ran.outputs["table"].data.shape[0] == 3
    assert any("3 largest" in one for one in ran.made.caveats)
    areas = [(ran.made.data == number).sum() for number in (1, 2, 3, 4)]
    assert areas == sorted(areas, reverse=True)
