"""The recipes, end to end, on real files and with everything in the context."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits

from pipeline import Frame
from pipeline.outcome import Outcome, Status
from pipeline.recipe import recipes_of
from pipeline.registry import instrument, recognise
from pipeline.running import run_chain
from pipeline.step import ReferenceFile
from tests.pipeline.instruments.sdo_aia.frames import real_cutout, real_frame, small
from tests.pipeline.instruments.sdo_aia.references import pointing_table, reference, spikes_file

BASIC, FULL = "aia-l15", "aia-l15-full"


def run(
    image: Frame,
    recipe: str = BASIC,
    references: Mapping[str, ReferenceFile] | None = None,
    **settings: Any,
) -> tuple[Frame | None, Outcome]:
    chosen = recipes_of(instrument("sdo_aia"))[recipe]
    changes = {name.replace("__", "."): value for name, value in settings.items()}
    changed = chosen.with_settings(changes)
    return run_chain(
        image,
        changed.bind(),
        references or {},
        level=changed.to_level,
        expects=changed.expects(),
        uncertainty=changed.uncertainty,
    )


def left_out(outcome: Outcome) -> set[str]:
    return {caveat.partition(" was not done: ")[0] for caveat in outcome.caveats if "was not done" in caveat}


def steps_of(header: fits.Header) -> list[str]:
    return [header[name] for name in sorted(header) if name.startswith("PRSTEP")]


@pytest.mark.parametrize(
    ("name", "shape"), [("aia_171_level1_128.fits", (128, 128)), ("aia_171_cutout_20130310.fits", (705, 769))]
)
def test_real_level_one_files_become_level_one_and_a_half(
    name: str, shape: tuple[int, int], real_data: Path
) -> None:
    image = real_frame(real_data, name)
    assert recognise(image.header).name == "sdo_aia"
    before = image.data.copy()
    found, outcome = run(image)
    assert found is not None
    assert outcome.status is Status.DONE
    assert left_out(outcome) == {"update_pointing", "respike", "psf_deconvolve", "degradation"}
    assert {found.header[f"OMIT{n}"] for n in range(1, 5)} == left_out(outcome)
    assert any("factor of 18" in caveat for caveat in outcome.caveats)
    assert len(outcome.caveats) == 4
    assert found.data.shape == shape
    assert (found.header["LEVEL"], found.header["LVL_NUM"], found.header["BUNIT"]) == ("1.5", 1.5, "DN/s")
    assert steps_of(found.header) == ["THRESHOLDING", "DEROTATION,SPATIAL-ALIGNMENT", "CALIBRATION"]
    assert "BLANK" not in found.header
    assert np.nanmedian(found.data) == pytest.approx(np.nanmedian(before) / image.header["EXPTIME"], rel=0.06)
    np.testing.assert_array_equal(image.data, before)


@pytest.mark.parametrize(
    ("cards", "not_missed"), [({"WAVELNTH": 1600}, "psf_deconvolve"), ({"NSPIKES": 0}, "respike")]
)
def test_what_an_image_does_not_need_is_not_missed(cards: dict[str, Any], not_missed: str) -> None:
    assert left_out(run(small())[1]) - left_out(run(small(**cards))[1]) == {not_missed}


def test_a_file_of_level_one_and_a_half_is_quarantined_with_a_sentence(real_data: Path) -> None:
    found, outcome = run(real_frame(real_data, "AIA20110319_105400_0171.fits"))
    assert found is None
    assert outcome.status is Status.QUARANTINED
    assert "level 1.5 already" in outcome.reason
    assert outcome.advice


@pytest.mark.parametrize(
    "name", ["full_disk/resampled_hmi_20140301.fits", "full_disk/eit_l1_20020625_100011.fits"]
)
def test_files_of_other_instruments_are_not_taken_for_aia(name: str, real_data: Path) -> None:
    assert recognise(fits.getheader(real_data / name)).name != "sdo_aia"


@pytest.fixture
def everything(real_data: Path, tmp_path: Path) -> dict[str, ReferenceFile]:
    """All references for the real cut-out."""
    degradation = real_data / "calibration" / "aia" / "aia_V10_20201119_190000_response_table.txt"
    # Detector pixel (x, y) = (1925 + 100, 1277 + 200) is pixel (100, 200) of the cut-out.
    spikes = np.array([[(1277 + 200) * 4096 + 1925 + 100, 5], [3000, 3001], [700, 701]], dtype=float)
    return {
        **pointing_table(tmp_path, T_START="2013-03-10T12:00:00Z", T_STOP="2013-03-10T15:00:00Z"),
        **spikes_file(tmp_path, spikes),
        "degradation_table": reference("degradation_table", degradation),
    }


def test_all_six_steps_run_on_a_real_cutout(real_data: Path, everything: dict[str, ReferenceFile]) -> None:
    found, outcome = run(real_cutout(real_data), FULL, everything, psf_deconvolve__iterations=3)
    assert found is not None, outcome.reason
    assert steps_of(found.header) == [
        "THRESHOLDING",
        "SPATIAL-COORDINATE-CORRECTION",
        "REVERSE-DESPIKING",
        "PSF-DECONVOLUTION",
        "DEROTATION,SPATIAL-ALIGNMENT",
        "RADIOMETRIC-CALIBRATION",
        "CALIBRATION",
    ]
    assert found.header["NRESPIKE"] == 1
    assert 0.8 < found.header["DEGRFACT"] < 1.0
    assert not left_out(outcome)
    assert found.header["LVL_NUM"] == 1.5
    assert "sha256" in found.header["PRREF2"]


@pytest.mark.parametrize("missing", ["pointing_table", "spikes", "degradation_table"])
def test_a_missing_reference_quarantines_the_frame_and_says_how_to_add_it(
    missing: str, real_data: Path, everything: dict[str, ReferenceFile]
) -> None:
    del everything[missing]
    found, outcome = run(real_cutout(real_data), FULL, everything, psf_deconvolve__iterations=1)
    assert found is None
    assert outcome.status is Status.QUARANTINED
    assert "context add" in outcome.advice


#: What the mission's notebook and aiapy stumble over; each has one sentence here.
STUMBLES: list[tuple[dict[str, Any], str]] = [
    ({"EXPTIME": 0.0}, "not positive"),
    ({"EXPTIME": None}, "no EXPTIME"),
    ({"CROTA2": None}, "no CROTA2"),
    ({"CRPIX1": None}, "no CRPIX1"),
    ({"LVL_NUM": None}, "no LVL_NUM"),
    ({"CDELT2": 1.2}, "scales along x and y differ (19.1836 and 1.2 arcsec per pixel)"),
    ({"LVL_NUM": 1.5}, "level 1.5 already"),
]


@pytest.mark.parametrize(("cards", "says"), STUMBLES)
def test_a_frame_that_cannot_be_done_says_why_in_words(cards: dict[str, Any], says: str) -> None:
    found, outcome = run(small(**cards))
    assert found is None
    assert outcome.status is Status.QUARANTINED
    assert says in outcome.reason
    assert outcome.keyword
    assert outcome.advice


def test_blank_on_float_data_is_dropped() -> None:
    found, _ = run(small(BLANK=-32768))
    assert found is not None
    assert "BLANK" not in found.header


def test_missing_pixels_come_through_the_chain_as_missing() -> None:
    image = small()
    image.data[60, 60] = np.nan
    found, outcome = run(image)
    assert found is not None
    assert outcome.status is Status.DONE
    assert found.header["NLOSTPIX"] == 1


@pytest.mark.parametrize("scale", [None, 38.4])
def test_unequal_plate_scales_are_named_with_both_values(scale: float | None) -> None:
    found, outcome = run(small(CDELT1=0.6, CDELT2=1.199), register__scale_arcsec=scale)
    assert found is None
    assert outcome.found == "CDELT1 = 0.6, CDELT2 = 1.199"
    assert outcome.keyword == "CDELT1, CDELT2"


def test_the_scale_is_a_setting() -> None:
    found, _ = run(small(), register__scale_arcsec=38.4)
    assert found is not None
    assert found.data.shape == (64, 64)
