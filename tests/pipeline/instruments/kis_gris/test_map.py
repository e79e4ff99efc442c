"""Slit files to maps: what is complete, missing, doubled, out of order, or of several maps."""

from __future__ import annotations

import re

import numpy as np
import pytest
from astropy.wcs import WCS

from pipeline.errors import BadInput
from pipeline.frame import Frame
from pipeline.instruments.kis_gris import facts
from pipeline.instruments.kis_gris.scan import sorted_scan
from pipeline.instruments.kis_gris.simulate import SimulationConfig
from pipeline.outcome import Status
from pipeline.quality import Quality, flagged
from pipeline.registry import recognise
from tests.pipeline.instruments.kis_gris.simulated import DIMS, SMALL, mapped, scan, slits, whole


def test_a_slit_file_is_recognised_and_tells_its_map() -> None:
    frame = slits()[0]
    entry = recognise(frame.header)
    described = entry.describe(frame.header)
    assert (entry.name, described.level, described.observation) == ("kis_gris", "1", "gris_20260614_003")
    assert (described.meta["map"], described.meta["steps"], described.meta["region"]) == (1, 6, 1565)
    assert entry.layout(frame.header, "1", frame.data.shape).dims == DIMS
    assert not entry.check(frame.header, described)


def test_the_documented_keywords_alone_are_recognised_too() -> None:
    header = slits()[0].header
    for name in ("INSTRUME", "LEVEL"):
        del header[name]
    header["GRATANGL"] = 63.0
    entry = recognise(header)
    assert (entry.name, entry.describe(header).level) == ("kis_gris", "1")
    header["FILENAME"], header["DATAVERS"] = "14jun26.003", 0
    assert entry.describe(header).level == "0"


def test_a_whole_map_holds_every_slit_at_its_place() -> None:
    made = whole().made
    for place, one in enumerate(scan().files):
        np.testing.assert_array_equal(made.data[..., place], one.data[..., 0])
    assert not made.quality.any()
    assert made.dims == DIMS
    told = {
        name: made.header[name]
        for name in ("OBSTYPE", "IMGSYS", "OBS_MODE", "NSLITS", "NSLITMIS", "NSLITDUP")
    }
    assert told == {
        "OBSTYPE": "Single map",
        "IMGSYS": "Slit",
        "OBS_MODE": "Polarimetric",
        "NSLITS": 6,
        "NSLITMIS": 0,
        "NSLITDUP": 0,
    }
    assert (made.header["XPOSURE"], made.header["NSUMEXP"], made.header["TEXPOSUR"]) == (4.0, 40, 0.1)
    assert (made.header["FOVX"], made.header["FOVY"]) == (pytest.approx(7.2), pytest.approx(14.4))
    assert (made.header["R0MIN"], made.header["R0MAX"]) == (4.0, 7.2)


def test_every_pixel_of_the_map_is_where_the_simulated_slit_was() -> None:
    header, truth = whole().made.header, scan().truths[0]
    y, x = np.indices(truth.west.shape)
    none = np.zeros(x.size)
    found = WCS(header).wcs_pix2world(x.ravel(), y.ravel(), none, none, 0)
    west, north = (np.asarray(one).reshape(x.shape) * 3600.0 for one in found[:2])
    np.testing.assert_allclose((west + 648000) % 1296000 - 648000, truth.west, atol=2e-3)
    np.testing.assert_allclose(north, truth.north, atol=2e-3)


def test_angle_and_cosine_are_those_of_the_mission_s_example() -> None:
    # gris_20170929_011: theta 20.369 deg, mu 0.937.
    radius = 958.0
    seen = facts.heliocentric(radius * np.sin(np.radians(20.369)), 0.0, radius)
    assert seen is not None
    assert seen[0] == pytest.approx(20.369, abs=1e-3)
    assert seen[1] == pytest.approx(0.937, abs=5e-4)
    assert facts.heliocentric(970.0, 0.0, radius) is None
    header = whole().made.header
    rho = np.hypot(*SMALL.centre)
    assert header["THETA"] == pytest.approx(np.degrees(np.arcsin(rho / 944.6)), abs=0.01)
    assert header["MU"] == pytest.approx(np.cos(np.radians(header["THETA"])), abs=1e-4)


def test_missing_positions_are_empty_and_flagged_and_named() -> None:
    frames = [frame for place, frame in enumerate(slits()) if place not in (0, 3)]
    ran = mapped(frames, places=6)
    made = ran.made
    gone = np.isin(np.arange(6), (0, 3))
    assert np.isnan(made.data[..., gone]).all()
    assert np.isfinite(made.data[..., ~gone]).all()
    assert (flagged(made.quality, Quality.MISSING).all(axis=(0, 1)) == gone).all()
    assert made.header["NSLITMIS"] == 2
    assert any(text.endswith(": 1, 4") for text in made.caveats)
    complete = whole().made.header
    for name in ("CRPIX1", "CRVAL1", "CRVAL2", "CDELT1", "PC1_2"):
        assert made.header[name] == pytest.approx(complete[name], abs=1e-6)


def test_order_does_not_matter_and_what_came_twice_counts_once() -> None:
    frames = slits()
    holes = frames[2].data.copy()
    holes[:, :, 5] = np.nan
    spoilt = Frame(holes, frames[2].quality, frames[2].header, "again.fits", dims=DIMS)
    made = mapped([spoilt, *frames[::-1]], places=6).made
    np.testing.assert_array_equal(made.data, whole().made.data)
    assert made.header["NSLITDUP"] == 1
    assert any("came twice" in text and "again.fits" in text for text in made.caveats)


def test_positions_taken_out_of_order_are_told() -> None:
    frames = slits()
    first, fourth = (frames[place].header["DATE-OBS"] for place in (0, 3))
    frames[0].header["DATE-OBS"], frames[3].header["DATE-OBS"] = fourth, first
    assert any("one after another" in text for text in mapped(frames).made.caveats)
    backwards = slits()
    times = [frame.header["DATE-OBS"] for frame in backwards]
    for frame, time in zip(backwards, times[::-1], strict=True):
        frame.header["DATE-OBS"] = time
    assert not any("one after another" in text for text in mapped(backwards).made.caveats)


def test_maps_of_a_sequence_have_files_that_count_on() -> None:
    config = SimulationConfig(steps=3, rows=8, maps=2, binning=8)
    frames = slits(config)
    second = mapped(frames[3:], places=3).made
    assert second.header["OBSTYPE"] == "Time sequence"
    assert second.header["NSLITMIS"] == 0
    np.testing.assert_array_equal(second.data[..., 1], frames[4].data[..., 0])
    ran = mapped(frames, places=3)
    assert ran.outcome.status is Status.QUARANTINED
    assert "several maps" in ran.outcome.reason


def test_a_sequence_counted_from_0_is_a_sequence_too() -> None:
    frames = slits(SimulationConfig(steps=3, rows=8, maps=2, binning=8))[3:]
    for frame, number in zip(frames, (3, 4, 5), strict=True):
        frame.header["FILENAME"] = re.sub(r"_\d{4}\.fits", f"_{number:04d}.fits", frame.header["FILENAME"])
    assert sorted(sorted_scan(frames).kept) == [0, 1, 2]
    # Of files 1 to 3 of three nobody can tell; they are counted from 1.
    assert sorted(sorted_scan(slits()[1:]).missing) == [0]


@pytest.mark.parametrize("name", ["CRVAL3", "CDELT3", "CRPIX3"])
def test_words_where_numbers_of_the_wavelengths_should_be_put_the_map_aside(name: str) -> None:
    frames = slits()
    for frame in frames:
        frame.header[name] = "many"
    outcome = mapped(frames).outcome
    assert (outcome.status, outcome.keyword) == (Status.QUARANTINED, name)


@pytest.mark.parametrize(("name", "value"), [("CRVAL1", 1e308), ("CRVAL1", "west"), ("PC1_1", "NaN")])
def test_places_that_are_none_near_the_sun_are_left_out_of_the_coordinates(name: str, value: object) -> None:
    frames = slits()
    frames[2].header[name] = value
    made, complete = mapped(frames).made.header, whole().made.header
    for card in ("CRPIX1", "CRVAL1", "CRVAL2", "CDELT1", "PC1_2"):
        assert made[card] == pytest.approx(complete[card], abs=1e-5)


@pytest.mark.parametrize("value", [1e308, -1.0, 1e-308])
def test_numbers_that_mean_nothing_are_not_told(value: float) -> None:
    frames = slits()
    for frame in frames:
        for name in ("ATMOS_R0", "STEPSIZE", "EXPTIME", "R0RADIUS"):
            frame.header[name] = value
    made = mapped(frames).made.header
    assert not {"R0MIN", "XPOSURE", "MU"} & set(made)
    assert made["STEPSIZE"] == pytest.approx(1.2, abs=1e-3), "by the coordinates"


def test_a_position_of_another_wavelength_scale_is_left_empty_and_named() -> None:
    frames = slits()
    frames[4].header["CRVAL3"] += 5 * frames[4].header["CDELT3"]
    made = mapped(frames).made
    assert np.isnan(made.data[..., 4]).all()
    assert np.isfinite(made.data[..., :4]).all()
    assert made.header["NSLITMIS"] == 1
    assert any("5.0 pixels" in text and text.endswith(": 5") for text in made.caveats)
    for place, frame in enumerate(frames):
        frame.header["CRVAL3"] = 15643.9 + 0.5 * place
    outcome = mapped(frames).outcome
    assert "no wavelength scale in common" in outcome.reason


def test_a_position_without_any_value_is_a_missing_one() -> None:
    frames = slits()
    frames[1] = Frame.of(np.full_like(frames[1].data, np.nan), frames[1].header, "b.fits", dims=DIMS)
    made = mapped(frames).made
    assert made.header["NSLITMIS"] == 1
    assert any(text.endswith("missing, and empty: 2") for text in made.caveats)


def test_without_the_number_of_steps_files_stand_one_after_another_with_a_caveat() -> None:
    frames = slits()[::-1]
    for frame in frames:
        del frame.header["STEPS"]
    made = mapped(frames).made
    np.testing.assert_array_equal(made.data, whole().made.data)
    assert any("STEPS" in text for text in made.caveats)


def test_the_image_slicer_and_files_without_a_number_are_refused() -> None:
    frames = slits()
    frames[0].header["SPSYSTEM"] = "IFU"
    with pytest.raises(BadInput, match="image slicer"):
        sorted_scan(frames)
    nameless = slits()[0]
    nameless.header["FILENAME"] = "map.fits"
    with pytest.raises(BadInput, match="which position"):
        sorted_scan([Frame(nameless.data, nameless.quality, nameless.header, "map.fits", dims=DIMS)])


def test_noise_is_that_of_the_simulation_and_told() -> None:
    made = whole().made
    continuum = np.median(made.data[0])
    for letter in "QUV":
        assert made.header[f"NOISE_{letter}"] == pytest.approx(SMALL.noise / continuum, rel=0.15)
    assert any(text.startswith("polarisation below the noise") for text in made.caveats)
    assert not any("fringes" in text for text in made.caveats)


def test_a_wave_in_the_continuum_is_no_white_noise() -> None:
    frames = slits()
    wave = 0.004 * np.sin(np.arange(frames[0].data.shape[1]) / 9.0)[:, None, None]
    for index, frame in enumerate(frames):
        data = frame.data.copy()
        data[1] += wave
        frames[index] = frame.replace(data=data)
    made = mapped(frames).made
    assert made.header["NOISE_Q"] == pytest.approx(made.header["NOISE_V"], rel=0.25)
    assert made.header["NOISEC_Q"] > 3 * made.header["NOISE_Q"]
    assert any("continuum of Q varies" in text for text in made.caveats)


def test_pictures_beside_the_map_have_the_sign_of_the_field() -> None:
    ran = whole()
    spot = scan().truths[0].atmosphere
    umbra = spot.field > 1500
    assert umbra.any()
    assert (ran.outputs["circular"].data[umbra] > 0.01).all()
    assert np.corrcoef(ran.outputs["continuum"].data.ravel(), spot.continuum.ravel())[0, 1] > 0.999
    assert ran.outputs["linear"].data[~umbra].mean() < ran.outputs["linear"].data.max()
    other = mapped(slits(SMALL.model_copy(update={"north_pole": False})))
    assert (other.outputs["circular"].data[umbra] < -0.01).all()
    assert other.outputs["circular"].header["CTYPE1"] == "HPLN-TAN"
    assert "CTYPE3" not in other.outputs["circular"].header


def test_slits_without_coordinates_make_a_map_without() -> None:
    frames = slits()
    for frame in frames:
        del frame.header["CTYPE1"]
    ran = mapped(frames).made
    assert "CRVAL1" not in ran.header
    assert "MU" not in ran.header
    assert any("where on the Sun" in text for text in ran.caveats)


def test_coordinates_that_contradict_the_step_are_told() -> None:
    frames = slits()
    for frame in frames:
        frame.header["STEPSIZE"] = 0.5
    assert any("STEPSIZE says" in text for text in mapped(frames).made.caveats)
    jumping = slits()
    jumping[3].header["CRVAL1"] += 5.0
    assert any("off a straight scan" in text for text in mapped(jumping).made.caveats)


def test_spectroscopic_files_have_one_parameter_and_no_noise_of_polarisation() -> None:
    frames = [frame.replace(data=frame.data[:1], quality=frame.quality[:1]) for frame in slits()]
    made = mapped(frames).made
    assert made.header["OBS_MODE"] == "Spectroscopic"
    assert "NOISE_Q" not in made.header


def test_wavelengths_are_held_against_the_lines_of_the_quiet_sun() -> None:
    assert abs(whole().made.header["WAVEOFF"]) < 12.0  # granules of a small map do not stand still
    frames = slits()
    for frame in frames:
        frame.header["CRVAL3"] += 0.3
    made = mapped(frames).made
    assert made.header["WAVEOFF"] == pytest.approx(whole().made.header["WAVEOFF"] + 300.0, abs=1.0)
    assert any("another zero" in text for text in made.caveats)
    for frame in frames:
        frame.header["CRVAL3"] += 20.0
    assert "WAVEOFF" not in mapped(frames).made.header
