"""Maps of Stokes profiles to maps of the chromosphere: helium as a slab."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from pipeline.errors import BadInput, Fatal
from pipeline.frame import Frame
from pipeline.inversion.slab import PARAMETERS, Slab
from pipeline.quality import Quality, flagged
from pipeline.recipe import Recipe
from pipeline.steps.invert_helium_slab import SlabParams, invert_helium_slab, wing
from pipeline.testing import assert_provenance, run_step, toy_frame
from tests.pipeline.inversion.slabs import drawn
from tests.pipeline.steps.test_invert_milne_eddington import CARDS, DIMS

FIRST, STEP, COUNT = 10827.4, 0.05, 130
SHAPE = (5, 8)
WAVELENGTHS = FIRST + STEP * np.arange(COUNT, dtype=np.float64)
#: Si I below the continuum, as it is without helium.
SILICON = 1.0 - 0.5 / (1.0 + ((WAVELENGTHS - 10827.089) / 0.45) ** 2)
PLANE = {name: number for number, name in enumerate((*PARAMETERS, "chi2"))}


@cache
def truth() -> NDArray[np.float64]:
    made = drawn(SHAPE[0] * SHAPE[1], least=500.0)
    made[:, 8] = 1.0
    return made


@cache
def profiles() -> NDArray[np.float32]:
    made = Slab(WAVELENGTHS, background=SILICON).synthesise(truth())
    noise = np.random.default_rng(3).normal(0.0, 5e-4, made.shape)
    return np.asarray((made + noise).transpose(1, 2, 0).reshape(4, COUNT, *SHAPE), np.float32)


def cube(data: NDArray[np.float32] | None = None, **cards: Any) -> Frame:
    values = profiles() if data is None else data
    told = {**CARDS, "CRVAL3": FIRST, "CDELT3": STEP, **cards}
    return toy_frame(values * np.float32(3e4), values.shape, DIMS, **told)


@cache
def usual() -> Frame:
    params = SlabParams(continuum=((10832.6, 10833.8),))
    return invert_helium_slab(cube(), params, {})


def test_maps_hold_what_the_profiles_were_made_of() -> None:
    made = usual()
    errors = made.outputs["errors"].data
    for name, column in (("field", 0), ("velocity", 2)):
        off = np.abs(made.data[PLANE[name]].ravel() - truth()[:, column])
        assert np.median(off / errors[PLANE[name]].ravel()) < 1.2
    depth = np.log(made.data[PLANE["depth"]].ravel())
    assert np.median(np.abs(depth - truth()[:, 4])) < 0.1
    assert np.median(made.data[PLANE["chi2"]]) < 1.5


def test_the_product_says_what_it_is_and_what_is_not_in_it() -> None:
    header = usual().header
    assert [header[f"PARNAM{number}"] for number in range(1, 11)] == list(PLANE)
    assert (header["SLLINE1"], header["PARUNI4"], header["PARNAM6"]) == ("He I 10830.3", "km/s", "depth")
    assert any("no atomic polarisation" in caveat for caveat in usual().caveats)
    run = run_step(
        "invert_helium_slab", cube(), instrument="kis_gris", profiles=False, continuum=((10832.6, 10833.8),)
    )
    assert_provenance(run, "ATMOSPHERIC-INVERSION")
    assert "profiles" not in run.outputs


def test_a_parameter_that_is_not_determined_is_flagged_in_its_own_plane() -> None:
    made, header = usual(), usual().header
    vague = flagged(made.quality, Quality.UNDETERMINED)
    counts = [header[f"PARUND{number}"] for number in range(1, len(PLANE))]
    assert (counts, vague[-1].any()) == ([int(plane.sum()) for plane in vague[:-1]], False)
    assert 0 < vague[PLANE["depth"]].sum() < vague[0].size / 2
    assert not vague[PLANE["velocity"]].any()
    np.testing.assert_array_equal(made.outputs["errors"].quality, made.quality)
    assert made.outputs["profiles"].quality.shape == SHAPE


def test_a_thin_slab_is_said_to_tell_neither_depth_nor_source_function() -> None:
    thin = truth().copy()
    thin[:, 4] = np.log(0.06)
    made = Slab(WAVELENGTHS, background=SILICON).synthesise(thin)
    noise = np.random.default_rng(3).normal(0.0, 1e-3, made.shape)
    data = np.asarray((made + noise).transpose(1, 2, 0).reshape(4, COUNT, *SHAPE), np.float32)
    params = SlabParams(continuum=((10832.6, 10833.8),), profiles=False)
    found = invert_helium_slab(cube(data), params, {})
    (said,) = (caveat for caveat in found.caveats if "UNDETERMINED" in caveat)
    assert "depth in " in said
    assert "source in " in said
    assert "UNDETERMINED" in found.modes


def test_the_wing_of_silicon_is_the_background() -> None:
    fitted = usual().outputs["profiles"].data / 3e4
    there = np.isfinite(fitted).all(axis=(0, 2, 3))
    assert np.std((fitted - profiles())[:, there]) == pytest.approx(5e-4, rel=0.25)
    beside = (WAVELENGTHS < 10828.5) | (WAVELENGTHS > 10831.3)
    np.testing.assert_allclose(wing(WAVELENGTHS[beside], SILICON[beside], WAVELENGTHS), SILICON, atol=0.01)


def test_a_flat_profile_has_no_wing() -> None:
    np.testing.assert_allclose(wing(WAVELENGTHS, np.full(COUNT, 0.97), WAVELENGTHS), 1.0, atol=1e-12)


def test_a_map_of_another_region_is_put_aside() -> None:
    with pytest.raises(BadInput, match=r"around He I 10830\.3"):
        run_step("invert_helium_slab", cube(CRVAL3=6301.0), instrument="kis_gris")


def test_a_map_without_the_wing_s_windows_is_put_aside_with_what_to_do() -> None:
    with pytest.raises(BadInput, match="wing"):
        run_step(
            "invert_helium_slab",
            cube(),
            instrument="kis_gris",
            wing=((10820.0, 10821.0),),
            continuum=((10832.6, 10833.8),),
        )


def test_parameters_are_refused_before_anything_runs() -> None:
    text = """
name: toy-he
instrument: kis_gris
from_level: "1m"
to_level: "2"
version: 1
steps: [{step: invert_helium_slab, params: {fixed: {strength: 3}}}]
"""
    with pytest.raises(Fatal, match="depth"):
        Recipe.parse(text)
