"""Frames of other dims than an image has: in recipes, stacks and headers, or refused where they do not go."""

from __future__ import annotations

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS

from pipeline import Frame, Recipe, apply, frames_of, stack_of
from pipeline.apply import layouts_behind
from pipeline.errors import BadInput, Fatal
from pipeline.outcome import Status
from pipeline.provenance import quality_header, uncertainty_header
from pipeline.quality import Quality
from pipeline.running import run_chain
from pipeline.stack import outcome_at
from tests.cubes import DIMS, RECIPE, TO_IMAGE, cube
from tests.toy import RECIPE as IMAGES
from tests.toy import toy_frame


def test_a_cube_goes_through_a_recipe_with_its_names_flags_and_coordinates() -> None:
    given = [cube(ISTEP=1), cube(ISTEP=2)]
    stack = stack_of(given, chunk=2)
    assert stack["image"].dims == ("time", *DIMS)
    made = apply(stack, Recipe.parse(RECIPE))
    assert made["image"].dims == ("time", *DIMS)
    assert made["image"].shape == (2, 4, 3, 3, 2)
    assert made["quality"].dims == ("time", "y", "x")
    first, second = frames_of(made)
    assert (first.dims, first.header["ISTEP"], second.header["ISTEP"]) == (DIMS, 1, 2)
    np.testing.assert_array_equal(first.data, (given[0].data[:, 1:4] + 2) / np.float32(0.5))
    assert first.quality.shape == (3, 2)
    assert first.quality[0, 0] == Quality.HOT
    assert first.header["BUNIT"] == "DN/s"


def test_flags_of_every_wavelength_become_those_of_the_axes_they_are_kept_for() -> None:
    frame, quality = cube(), np.zeros((4, 5, 3, 2), np.uint16)
    quality[1, 2, 2, 1], quality[3, 0, 2, 1] = Quality.SATURATED, Quality.MISSING
    (made,) = frames_of(apply(stack_of([frame.replace(quality=quality)]), Recipe.parse(RECIPE)))
    assert made.quality.tolist() == [[Quality.HOT, 0], [0, 0], [0, Quality.SATURATED | Quality.MISSING]]


def test_cubes_of_one_stack_share_the_coordinates_in_which_they_agree() -> None:
    stack = stack_of([cube(), cube(CRVAL4=1.0)])
    assert stack["stokes"].values.tolist() == ["I", "Q", "U", "V"]
    np.testing.assert_allclose(stack["wavelength"], (10824 + 0.018 * np.arange(5)) * 1e-10, rtol=1e-12)
    assert stack["wavelength"].attrs == {"units": "m", "ctype": "AWAV"}
    assert not {"x", "y"} & set(stack.coords)  # there each coordinate depends on both axes
    other = stack_of([cube(), cube(CRVAL3=10825.0)])
    assert "wavelength" not in other.coords
    assert "stokes" in other.coords
    assert not stack_of([toy_frame()]).coords


def test_a_coordinate_is_carried_until_a_step_may_change_it() -> None:
    stack = stack_of([cube()])
    untouched = Recipe.parse(RECIPE).with_settings({"trim.enabled": False})
    assert set(apply(stack, untouched).coords) == {"stokes", "wavelength"}
    assert not apply(stack, Recipe.parse(RECIPE)).coords


def test_statistics_and_counts_are_those_of_the_whole_array() -> None:
    frame = cube()
    data = frame.data.copy()
    data[2, 3, 1, 1] = np.nan
    result, _ = run_chain(frame.replace(data=data), Recipe.parse(RECIPE).bind(), {}, level="1")
    assert result is not None
    values = result.data[np.isfinite(result.data)]
    assert result.header["DATAMAX"] == values.max()
    assert result.header["DATAMEAN"] == pytest.approx(values.mean(), rel=1e-6)
    assert result.header["NTOTPIX"] == result.data.size - result.data[..., 0, 0].size  # the hot corner
    assert result.header["NMASKPIX"] == result.data[..., 0, 0].size
    assert result.header["NDATAPIX"] == result.header["NTOTPIX"] - 1


def test_the_uncertainty_of_a_cube_has_its_shape() -> None:
    recipe = Recipe.parse(RECIPE + "uncertainty: true\n")
    (frame,) = frames_of(apply(stack_of([cube()]), recipe))
    assert frame.uncertainty is not None
    np.testing.assert_allclose(frame.uncertainty, np.sqrt(cube().data[:, 1:4]) / 0.5, rtol=1e-6)


def test_every_axis_keeps_its_world_coordinates() -> None:
    (frame,) = frames_of(apply(stack_of([cube()]), Recipe.parse(RECIPE)))
    before, after = WCS(cube().header), WCS(frame.header)
    for place in ((0, 0, 0, 0), (1, 2, 2, 3)):
        moved = (place[0], place[1], place[2] + 1, place[3])  # the first wavelength was cut off
        np.testing.assert_allclose(
            after.wcs_pix2world([place], 0), before.wcs_pix2world([moved], 0), rtol=1e-12
        )
    assert list(after.wcs.ctype) == ["HPLN-TAN", "HPLT-TAN", "AWAV", "STOKES"]
    assert frame.caveats == ()


def test_flags_lie_where_their_axes_do() -> None:
    header = cube().header
    plane = WCS(quality_header(header, {1: "MISSING"}, dims=DIMS, flagged=2))
    assert list(plane.wcs.ctype) == ["HPLN-TAN", "HPLT-TAN"]
    sky = WCS(header).celestial
    np.testing.assert_allclose(plane.wcs_pix2world([[1, 2]], 0), sky.wcs_pix2world([[1, 2]], 0), rtol=1e-12)
    whole = WCS(uncertainty_header(header, dims=DIMS))
    np.testing.assert_allclose(
        whole.wcs_pix2world([[1, 2, 3, 1]], 0), WCS(header).wcs_pix2world([[1, 2, 3, 1]], 0), rtol=1e-12
    )


def test_an_image_made_of_a_cube_has_the_coordinates_of_its_axes_and_no_others() -> None:
    level1 = next(frames_of(apply(stack_of([cube()]), Recipe.parse(RECIPE))))
    recipe = Recipe.parse(TO_IMAGE)
    made = apply(stack_of([level1]), recipe)
    assert made["image"].dims == ("time", "y", "x")
    (image,) = frames_of(made)
    np.testing.assert_allclose(image.data, level1.data[0].mean(axis=0) * 2, rtol=1e-6)
    assert (image.header["CTYPE1"], image.header["CTYPE2"], image.header["WCSAXES"]) == (
        "HPLN-TAN",
        "HPLT-TAN",
        2,
    )
    assert not [name for name in image.header if name in ("CTYPE3", "CRVAL4", "CDELT3", "CUNIT3")]
    np.testing.assert_allclose(
        WCS(image.header).wcs_pix2world([[1, 1]], 0), WCS(level1.header).celestial.wcs_pix2world([[1, 1]], 0)
    )


def test_a_coordinate_system_that_lacks_a_card_of_any_axis_is_taken_out() -> None:
    header = cube().header
    del header["CUNIT3"]
    (frame,) = frames_of(apply(stack_of([Frame.of(cube().data, header, dims=DIMS)]), Recipe.parse(RECIPE)))
    assert "CTYPE1" not in frame.header
    assert frame.caveats == ("the coordinate system was taken out of the header: it has no CUNIT3",)


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        (
            "  - {step: lift, params: {by: 2.0}}",
            "  - {step: flat_image}",
            r"flat_image takes \(y, x\) and would be given \(stokes, .*slit level 0.*dims=\(\.\.\., \"y\", ",
        ),
        (
            "  - {step: trim, params: {first: 1, last: 4}}",
            "  - {step: continuum}\n  - {step: trim}",
            r"trim takes \(stokes, wavelength, y, x\) and would be given \(y, x\) \(which continuum makes",
        ),
    ],
)
def test_a_step_that_cannot_be_given_its_dims_is_refused_before_anything_runs(
    before: str, after: str, words: str
) -> None:
    assert before in RECIPE
    with pytest.raises(Fatal, match=words):
        Recipe.parse(RECIPE.replace(before, after))


def test_a_recipe_begins_at_a_level_whose_axes_are_described() -> None:
    with pytest.raises(Fatal, match="has no axes of slit level 3; add them to `axes`"):
        Recipe.parse(RECIPE.replace('from_level: "0"', 'from_level: "3"'))


def test_frames_that_no_step_takes_are_refused_when_the_recipe_is_applied() -> None:
    with pytest.raises(
        Fatal, match=r"recipe toy-l1: step shift takes \(y, x\) and would be given \(stokes, "
    ):
        apply(stack_of([cube()]), Recipe.parse(IMAGES))
    with pytest.raises(Fatal, match=r"step trim takes .* and would be given \(y, x\)"):
        apply(stack_of([toy_frame()]), Recipe.parse(RECIPE))


def test_a_shape_that_cannot_be_is_refused_before_anything_runs() -> None:
    recipe = Recipe.parse(RECIPE).with_settings({"trim.first": 5})
    with pytest.raises(Fatal, match=r"step trim would make .* of 4 x 0 x 3 x 2 .*; check its parameters"):
        layouts_behind(recipe, DIMS, (4, 5, 3, 2))


def test_a_step_that_gives_other_dims_than_it_says_stops_the_run_by_name() -> None:
    recipe = Recipe.parse(TO_IMAGE.replace("continuum", "liar").replace("  - {step: flat_image}\n", ""))
    with pytest.raises(Fatal, match=r"step liar announced \(y, x\) and gave \(stokes, wavelength, y, x\)"):
        run_chain(cube(), recipe.bind(), {}, level="2")


def test_a_cube_that_fails_is_missing_and_leaves_the_others_alone() -> None:
    made = apply(stack_of([cube(BROKEN=True), cube()], chunk=2), Recipe.parse(RECIPE)).compute()
    assert np.isnan(made["image"].values[0]).all()
    assert outcome_at(made, 0).status is Status.QUARANTINED
    assert np.isfinite(made["image"].values[1]).all()


def test_chunks_must_hold_whole_cubes() -> None:
    with pytest.raises(Fatal, match="whole images"):
        apply(stack_of([cube()]).chunk({"wavelength": 2}), Recipe.parse(RECIPE))


@pytest.mark.parametrize(
    ("data", "quality", "dims"),
    [
        ((3,), (3,), ("y", "x")),
        ((3, 4), (3,), ("y", "x")),
        ((3, 4), (), ("y", "x")),
        ((3, 4), (3, 4), ("y",)),
    ],
)
def test_arrays_that_do_not_fit_their_names_are_no_frame(
    data: tuple[int, ...], quality: tuple[int, ...], dims: tuple[str, ...]
) -> None:
    with pytest.raises(BadInput):
        Frame(np.zeros(data, np.float32), np.zeros(quality, np.uint16), fits.Header(), dims=dims)


def test_a_spectrum_is_a_frame_too() -> None:
    frame = Frame.of(np.arange(5.0), fits.Header(), dims=("wavelength",))
    stack = stack_of([frame, frame])
    assert stack["image"].dims == ("time", "wavelength")
    assert [one.dims for one in frames_of(stack)] == [("wavelength",)] * 2
