"""Maps of Stokes profiles to maps of parameters, for frames of any instrument."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from pipeline.errors import BadInput, Fatal
from pipeline.frame import Frame
from pipeline.inversion import cubes
from pipeline.inversion.atmosphere import Atmosphere
from pipeline.inversion.lines import line
from pipeline.quality import Quality, flagged
from pipeline.recipe import Recipe, recipes
from pipeline.steps.invert_milne_eddington import MilneEddingtonParams, invert_milne_eddington
from pipeline.steps.inverting import read_psf
from pipeline.testing import assert_provenance, reference, run_step, toy_frame
from tests.pipeline.inversion.models import drawn

DIMS = ("stokes", "wavelength", "y", "x")
SHAPE = (5, 8)
STEP, COUNT = 0.02, 90
FIRST = 6301.6
PLANE = {name: number for number, name in enumerate(cubes.PLANES)}
CARDS = {
    "BUNIT": "",
    "CTYPE1": "HPLN-TAN",
    "CTYPE2": "HPLT-TAN",
    "CTYPE3": "AWAV",
    "CTYPE4": "STOKES",
    "CUNIT1": "arcsec",
    "CUNIT2": "arcsec",
    "CUNIT3": "Angstrom",
    **{f"CRPIX{axis}": 1.0 for axis in (1, 2, 3, 4)},
    "CRVAL1": 3.0,
    "CRVAL2": 4.0,
    "CRVAL3": FIRST,
    "CRVAL4": 1.0,
    "CDELT1": 0.3,
    "CDELT2": 0.16,
    "CDELT3": STEP,
    "CDELT4": 1.0,
}


@cache
def truth() -> NDArray[np.float64]:
    return drawn(SHAPE[0] * SHAPE[1], least=500.0)


@cache
def profiles() -> NDArray[np.float32]:
    wavelengths = FIRST + STEP * np.arange(COUNT, dtype=np.float64)
    made = Atmosphere([line("Fe I 6302.5")], wavelengths).synthesise(truth())
    noise = np.random.default_rng(3).normal(0.0, 1e-3, made.shape)
    return np.asarray((made + noise).transpose(1, 2, 0).reshape(4, COUNT, *SHAPE), np.float32)


def cube(scale: float = 1.0, data: NDArray[np.float32] | None = None, **cards: Any) -> Frame:
    values = profiles() if data is None else data
    return toy_frame(values * np.float32(scale), values.shape, DIMS, **{**CARDS, **cards})


def inverted(frame: Frame, **params: Any) -> Frame:
    given = {"lines": ("Fe I 6302.5",), "reach": 0.63, "continuum": ((6301.6, 6301.8),)}
    return run_step("invert_milne_eddington", frame, instrument="kis_gris", **{**given, **params})


@cache
def usual() -> Frame:
    """What the step itself makes, with its further frames."""
    params = MilneEddingtonParams(lines=("Fe I 6302.5",), reach=0.63, continuum=((6301.6, 6301.8),))
    return invert_milne_eddington(cube(), params, {})


def test_maps_hold_what_the_profiles_were_made_of() -> None:
    made = usual()
    assert made.dims == ("parameter", "y", "x")
    found = made.data[PLANE["field"]].ravel()
    errors = made.outputs["errors"].data[PLANE["field"]].ravel()
    assert np.median(np.abs(found - truth()[:, 0]) / errors) < 1.1
    angle = made.data[PLANE["inclination"]].ravel()
    assert np.median(np.abs(angle - np.degrees(truth()[:, 1]))) < 1.0


def test_planes_have_names_and_units_and_the_map_its_place() -> None:
    header = usual().header
    assert [header[f"PARNAM{number}"] for number in range(1, 12)] == list(cubes.PLANES)
    assert (header["PARUNI1"], header["PARUNI4"], header["MELINE1"]) == ("G", "km/s", "Fe I 6302.5")
    assert (header["CTYPE1"], header["CRVAL2"], header["CTYPE3"]) == ("HPLN-TAN", 4.0, "PIXEL")
    assert "CTYPE4" not in header
    assert usual().outputs["profiles"].header["CTYPE4"] == "STOKES"


def test_noise_is_measured_where_the_spectrum_is_empty() -> None:
    assert usual().header["MENOISE"] * usual().header["MECONT"] == pytest.approx(1e-3, rel=0.15)


def test_fitted_profiles_lie_on_the_data_and_are_empty_elsewhere() -> None:
    fitted = usual().outputs["profiles"].data
    there = np.isfinite(fitted).all(axis=(0, 2, 3))
    assert there.sum() == usual().header["MEWAVES"]
    good = usual().data[PLANE["chi2"]] < 1.5
    assert np.std((fitted - profiles())[:, there][..., good]) == pytest.approx(1e-3, rel=0.1)


def test_the_header_says_what_was_done() -> None:
    assert_provenance(inverted(cube()), "ATMOSPHERIC-INVERSION")


def test_the_unit_of_the_intensity_does_not_matter() -> None:
    made = inverted(cube(scale=20_000.0), profiles=False)
    np.testing.assert_allclose(made.data[:4], usual().data[:4], rtol=2e-3, atol=0.2)
    assert "profiles" not in made.outputs


def test_descending_wavelengths_and_nanometres_are_understood() -> None:
    down = cube(
        data=profiles()[:, ::-1], CRVAL3=(FIRST + STEP * (COUNT - 1)) / 10, CDELT3=-STEP / 10, CUNIT3="nm"
    )
    np.testing.assert_allclose(inverted(down).data[0], usual().data[0], rtol=1e-3, atol=0.5)


def test_wavelengths_in_vacuum_are_taken_to_air() -> None:
    made = inverted(cube(CTYPE3="WAVE", CRVAL3=FIRST * 1.000277))
    velocity = PLANE["velocity"]
    np.testing.assert_allclose(made.data[velocity], usual().data[velocity], atol=0.1)


def test_lost_pixels_are_empty_and_flagged_alone() -> None:
    data = profiles().copy()
    data[0, COUNT // 2, 1, 2] = np.nan
    data[:, :, 3, 3] = 0.0
    made = inverted(cube(data=data))
    lost = flagged(made.quality, Quality.MISSING).all(axis=0)
    assert set(map(tuple, np.argwhere(lost))) == {(1, 2), (3, 3)}
    assert np.isnan(made.data[:, lost]).all()
    assert np.isfinite(made.data[:10, ~lost]).all()


def test_what_no_atmosphere_gives_is_flagged_as_doubtful_and_said() -> None:
    data = profiles().copy()
    data[1, 30:60, 2, 2] += 0.2 * np.sin(np.arange(30))
    made = inverted(cube(data=data))
    assert flagged(made.quality, Quality.LOW_CONFIDENCE)[:, 2, 2].all()
    assert any("not fitted well" in caveat for caveat in made.caveats)


def test_a_spectral_psf_may_come_as_a_reference(tmp_path: Path) -> None:
    table = tmp_path / "psf.txt"
    offsets = np.linspace(-60.0, 60.0, 41)
    np.savetxt(table, np.column_stack([offsets, np.exp(-4 * np.log(2) * (offsets / 25.0) ** 2)]))
    made = run_step(
        "invert_milne_eddington",
        cube(),
        instrument="kis_gris",
        references=[reference("spectral_psf", table)],
        lines=("Fe I 6302.5",),
        reach=0.6,
        filling_factor=True,
        profiles=False,
    )
    assert made.header["MEPSF"] == "reference"
    width, filling = PLANE["width"], PLANE["filling"]
    assert np.nanmedian(made.data[width]) < np.nanmedian(usual().data[width])
    assert (np.nanmin(made.data[filling]), np.nanmax(usual().data[filling])) < (1.0, 1.1)


@pytest.mark.parametrize(
    ("cards", "params", "says"),
    [
        ({"CTYPE4": "PIXEL", "CUNIT4": "pixel"}, {}, "Stokes"),
        ({}, {"lines": ("Fe I 15648.5",)}, "Fe I 15648.5"),
    ],
)
def test_what_cannot_be_inverted_is_put_aside(
    cards: dict[str, Any], params: dict[str, Any], says: str
) -> None:
    with pytest.raises(BadInput, match=says):
        inverted(cube(**cards), **params)


@pytest.mark.parametrize(
    ("params", "says"),
    [
        ("lines: [Fe I 1]", "Fe I 6302.5"),
        ("lines: [Fe I 6302.5], fixed: {colour: 3}", "inclination"),
        ("lines: [Fe I 6302.5], weights: [0, 1, 1]", "positive"),
        ("lines: [Fe I 6302.5], bounds: {field: [9, 1]}", "lower one first"),
        ("lines: [Fe I 6302.5], bounds: {azimuth: [0, 90]}", "go round"),
        ("lines: [Fe I 6302.5], fixed: {filling: 0.5}", "filling_factor is true"),
        ("lines: [Fe I 6302.5], bounds: {width: [-1, 2]}", "above 0"),
        ("lines: [Fe I 6302.5], fixed: {damping: 0}", "above 0"),
    ],
)
def test_parameters_are_refused_before_anything_runs(params: str, says: str) -> None:
    text = f"""
name: toy-me
instrument: kis_gris
from_level: "1m"
to_level: "2"
version: 1
steps: [{{step: invert_milne_eddington, params: {{{params}}}}}]
"""
    with pytest.raises(Fatal, match=says):
        Recipe.parse(text)


def test_a_map_without_the_windows_of_the_continuum_says_so() -> None:
    made = inverted(cube(), continuum=((6290.0, 6291.0),), lines=("Fe I 6302.5",))
    assert any("windows" in sentence for sentence in made.caveats)
    assert not any("windows" in sentence for sentence in inverted(cube()).caveats)


@pytest.mark.parametrize("text", ["", "PSF of today", "0 1\n1 2\n", "-1 0\n0 0\n1 0\n", "-1 x\n0 1\n1 0\n"])
def test_a_spectral_psf_that_is_none_is_refused_in_words(text: str, tmp_path: Path) -> None:
    path = tmp_path / "psf.txt"
    path.write_text(text)
    with pytest.raises(BadInput, match="spectral PSF"):
        read_psf(str(path))


def test_fitted_profiles_that_are_not_made_are_not_asked_for() -> None:
    usual_recipe = recipes()["kis_gris-me-1565"]
    without = usual_recipe.with_settings({"invert_milne_eddington.profiles": False})
    assert (set(usual_recipe.outputs), set(without.outputs)) == ({"errors", "profiles"}, {"errors"})
    with pytest.raises(Fatal, match=r"the output profiles is not made with .*profiles=false"):
        without.model_copy(update={"outputs": usual_recipe.outputs}).bind()
