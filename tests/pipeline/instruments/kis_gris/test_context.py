"""Maps and an image of the whole disk: where they lie is found, and what is of no use is refused."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, map_coordinates

from pipeline.errors import BadInput
from pipeline.frame import Frame
from pipeline.known_references import recognise_reference
from pipeline.testing import assert_provenance, reference, run_step, toy_frame
from tests.pipeline.steps.test_invert_milne_eddington import CARDS

SIZE, SCALE = 900, 0.5
CENTRE = (-310.0, 120.0)
WHEN = datetime(2026, 6, 14, 8, 30, tzinfo=UTC)
RADIUS, TILT = 945.0, 1.2


def granulation() -> NDArray[np.float64]:
    """Brightness about the map's place, on HMI's pixels."""
    noise = np.random.default_rng(5).normal(size=(SIZE, SIZE))
    made = gaussian_filter(noise, 2.0) - gaussian_filter(noise, 6.0)
    return np.asarray(1.0 + 0.05 * made / made.std())


def written(folder: Path, *, minutes: float = 0.0, **cards: Any) -> Path:
    """A part of the disk as HMI would have it, turned upside down as it is."""
    path = folder / "sim_hmi.ic_45s.20260614_083000_TAI.2.continuum.fits"
    header = fits.Header()
    taken = (WHEN + timedelta(minutes=minutes)).strftime("%Y-%m-%dT%H:%M:%S")
    values = {
        "DATE-OBS": taken,
        "CRPIX1": 0.5 * (SIZE + 1),
        "CRPIX2": 0.5 * (SIZE + 1),
        "CRVAL1": CENTRE[0],
        "CRVAL2": CENTRE[1],
        "CDELT1": SCALE,
        "CDELT2": SCALE,
        "CROTA2": 180.0,
        "RSUN_OBS": RADIUS,
        "CRLT_OBS": TILT,
        "SIMULATD": True,
        **cards,
    }
    header.update(values)
    fits.PrimaryHDU(granulation()[::-1, ::-1].astype(np.float32), header).writeto(path)
    return path


def mapped(off: tuple[float, float] = (0.0, 0.0), **cards: Any) -> Frame:
    """A map of 40 by 50 arcsec of that place, whose coordinates are off."""
    angle = np.radians(20.0)
    matrix = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    steps, rows, scales = 80, 100, (0.5, 0.4)
    x, y = np.meshgrid((np.arange(steps) - 39.5) * scales[0], (np.arange(rows) - 49.5) * scales[1])
    west, north = np.einsum("ij,jkl->ikl", matrix, np.stack([x, y]))
    at = [north / SCALE + 0.5 * (SIZE - 1), west / SCALE + 0.5 * (SIZE - 1)]
    seen = map_coordinates(granulation(), at, order=3)
    data = np.zeros((4, 6, rows, steps), np.float32)
    data[0] = seen + np.random.default_rng(6).normal(0.0, 0.004, seen.shape)
    told = {
        "DATE-BEG": "2026-06-14T08:28:00",
        "DATE-END": "2026-06-14T08:32:00",
        **CARDS,
        "CRPIX1": 0.5 * (steps + 1),
        "CRPIX2": 0.5 * (rows + 1),
        "CRVAL1": CENTRE[0] - off[0],
        "CRVAL2": CENTRE[1] - off[1],
        "CDELT1": scales[0],
        "CDELT2": scales[1],
        **{f"PC{i + 1}_{j + 1}": float(matrix[i, j] * scales[j] / scales[i]) for i in (0, 1) for j in (0, 1)},
        **cards,
    }
    return toy_frame(data, data.shape, ("stokes", "wavelength", "y", "x"), **told)


def aligned(frame: Frame, path: Path, **params: Any) -> Frame:
    given = [reference("context_image", path)]
    return run_step("align_context", frame, instrument="kis_gris", references=given, **params)


def test_hmi_images_are_known_by_the_names_of_their_archive(tmp_path: Path) -> None:
    known = recognise_reference(written(tmp_path))
    assert known is not None
    assert (known.need, known.simulated) == ("context_image", True)


def test_without_an_image_nothing_is_done() -> None:
    frame = mapped((7.0, -4.0))
    made = run_step("align_context", frame, instrument="kis_gris")
    assert made.header["CRVAL1"] == frame.header["CRVAL1"]
    assert "CTXFILE" not in made.header
    assert not made.caveats


def test_a_map_is_put_where_its_structures_are(tmp_path: Path) -> None:
    made = aligned(mapped((7.3, -4.6)), written(tmp_path))
    assert made.header["CRVAL1"] == pytest.approx(CENTRE[0], abs=0.1)
    assert made.header["CRVAL2"] == pytest.approx(CENTRE[1], abs=0.1)
    assert (made.header["CTXSHX"], made.header["CTXSHY"]) == (
        pytest.approx(7.3, abs=0.1),
        pytest.approx(-4.6, abs=0.1),
    )
    assert made.header["CTXUSED"]
    assert made.header["CTXCORR"] > 0.8
    assert made.header["SIMULATD"]
    assert_provenance(made, "POINTING-CORRECTION")


def test_the_sun_s_rotation_between_the_two_is_taken_into_account(tmp_path: Path) -> None:
    # The map of 20 minutes later shows the same pixels: as if this part of the Sun did not turn.
    made = aligned(mapped(), written(tmp_path, minutes=-20.0))
    x = CENTRE[0] / RADIUS
    west = np.sqrt(1 - x * x) * RADIUS * np.radians(13.6 * 20 / 1440)
    assert made.header["CTXSHX"] == pytest.approx(west, abs=0.4)
    assert abs(made.header["CTXSHY"]) < 0.4


def test_an_image_of_another_time_is_refused_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="60 minutes from the map") as refusal:
        aligned(mapped(), written(tmp_path, minutes=60.0))
    assert "image of the map's time" in str(refusal.value)


def test_an_image_that_does_not_cover_the_map_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="does not cover the map"):
        aligned(mapped(CRVAL1=150.0), written(tmp_path))


def test_an_image_without_coordinates_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="when and where"):
        aligned(mapped(), written(tmp_path, RSUN_OBS="unknown"))


def test_a_map_that_is_not_found_keeps_its_coordinates_and_says_so(tmp_path: Path) -> None:
    frame = mapped()
    noise = np.random.default_rng(9).normal(1.0, 0.05, frame.data.shape).astype(np.float32)
    made = aligned(frame.replace(data=noise), written(tmp_path))
    assert made.header["CRVAL1"] == frame.header["CRVAL1"]
    assert not made.header["CTXUSED"]
    assert any("not clearly found" in caveat for caveat in made.caveats)
