"""Resampling through a mesh, against SciPy's triangulated interpolation and maps with known results."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.interpolate import LinearNDInterpolator
from scipy.ndimage import map_coordinates

from pipeline.kernels.mesh import places_of, take, warp
from pipeline.quality import Quality

SHAPE = (70, 90)


def points(pitch: float, shape: tuple[int, int] = SHAPE) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """A grid of control points that covers an image."""
    ny, nx = shape
    x, y = np.meshgrid(
        pitch * np.arange(int(nx // pitch) + 2, dtype=float),
        pitch * np.arange(int(ny // pitch) + 2, dtype=float),
    )
    return x, y


def noise(shape: tuple[int, int] = SHAPE) -> NDArray[np.float32]:
    return np.random.default_rng(1).normal(size=shape).astype(np.float32)


def clean(shape: tuple[int, int] = SHAPE) -> NDArray[np.uint16]:
    return np.zeros(shape, np.uint16)


def test_places_that_are_their_own_give_the_image_itself() -> None:
    image = noise()
    made, flags = warp(image, clean(), *points(16), (16, 16))
    np.testing.assert_array_equal(made, image)
    assert not flags.any()


def test_a_shift_by_whole_pixels_moves_values_and_flags() -> None:
    image, quality = noise(), clean()
    quality[10, 20] = Quality.COSMIC_RAY
    x, y = points(16)
    made, flags = warp(image, quality, x + 3, y - 2, (16, 16))
    np.testing.assert_array_equal(made[2:, :-3], image[:-2, 3:])
    assert np.argwhere(flags == Quality.COSMIC_RAY).tolist() == [[12, 17]]
    outside = np.zeros(SHAPE, dtype=bool)
    outside[:2] = outside[:, -3:] = True
    np.testing.assert_array_equal(flags == Quality.OUTSIDE_FIELD, outside)
    np.testing.assert_array_equal(np.isnan(made), outside)


def test_between_pixels_and_points_it_is_linear_on_triangles_as_scipy_s() -> None:
    x, y = points(16)
    # Noise on the points keeps the triangles of SciPy from being ambiguous only in one diagonal; force ours.
    turn = np.random.default_rng(2).normal(size=(2, *x.shape))
    from_x, from_y = x + turn[0], y + turn[1]
    image = noise()
    made, _ = warp(image, clean(), from_x, from_y, (16, 16))
    sheared = x + 1e-6 * y  # so that Delaunay takes the diagonal from the upper left to the lower right
    rows, columns = np.indices(SHAPE, dtype=float)
    tie = np.column_stack([sheared.ravel(), y.ravel()])
    place = LinearNDInterpolator(tie, np.column_stack([from_x.ravel(), from_y.ravel()]))(columns, rows)
    wanted = map_coordinates(image, [place[..., 1], place[..., 0]], order=1, cval=np.nan)
    both = np.isfinite(made) & np.isfinite(wanted)
    assert both.mean() > 0.9
    assert np.abs(made - wanted)[both].max() < 1e-3


@pytest.mark.parametrize("pitch", [32, 16, 8, 7.5])
def test_an_affine_map_is_the_same_through_any_mesh(pitch: float) -> None:
    image = noise()
    x, y = points(pitch)
    corners = np.meshgrid([0.0, SHAPE[1] - 1.0], [0.0, SHAPE[0] - 1.0])

    def onto(
        a: NDArray[np.float64], b: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        return 2.3 + 0.97 * a + 0.05 * b, 1.1 - 0.04 * a + 0.98 * b

    made, _ = warp(image, clean(), *onto(x, y), (pitch, pitch))
    wanted, _ = warp(image, clean(), *onto(*corners), (SHAPE[1] - 1.0, SHAPE[0] - 1.0))
    np.testing.assert_allclose(made, wanted, atol=2e-5)


def test_a_mesh_may_begin_outside_of_the_image() -> None:
    image = noise()
    x, y = points(16, (200, 200))
    whole = np.zeros((200, 200), np.float32)
    whole[40:110, 50:140] = image
    curved_x, curved_y = x + 3 * np.sin(y / 40), y + 2 * np.cos(x / 50)
    wanted, _ = warp(whole, clean((200, 200)), curved_x, curved_y, (16, 16))
    made, _ = warp(image, clean(), curved_x - 50, curved_y - 40, (16, 16), (-50, -40))
    inner = np.s_[5:-5, 5:-5]
    np.testing.assert_allclose(made[inner], wanted[40:110, 50:140][inner], atol=2e-5)


def test_a_missing_pixel_spreads_no_further_than_what_is_made_of_it() -> None:
    image, quality = noise(), clean()
    image[30, 40], quality[30, 40] = np.nan, Quality.MISSING
    x, y = points(16)
    made, flags = warp(image, quality, x + 0.5, y + 0.25, (16, 16))
    wanted = [[29, 39], [29, 40], [30, 39], [30, 40]]
    assert np.argwhere(flags == Quality.MISSING).tolist() == wanted
    assert np.argwhere(np.isnan(made[:-1, :-1])).tolist() == wanted


def test_what_is_made_of_a_pixel_outside_the_field_bears_no_other_flag() -> None:
    quality = clean()
    quality[20, 30], quality[20, 31] = Quality.OUTSIDE_FIELD, Quality.SATURATED
    x, y = points(16)
    _, flags = warp(noise(), quality, x + 0.5, y, (16, 16))
    assert flags[20, 29:32].tolist() == [Quality.OUTSIDE_FIELD, Quality.OUTSIDE_FIELD, Quality.SATURATED]


def test_what_has_no_share_in_a_pixel_cannot_spoil_it() -> None:
    image = noise()
    image[:, 41] = image[31] = np.nan
    made, _ = warp(image, clean(), *points(16), (16, 16))
    np.testing.assert_array_equal(made, image)


def test_places_once_found_serve_any_image() -> None:
    x, y = points(16)
    places = places_of(SHAPE, x + 0.5, y + 0.25, (16, 16))
    for image in (noise(), noise() * 2):
        wanted, _ = warp(image, clean(), x + 0.5, y + 0.25, (16, 16))
        np.testing.assert_array_equal(take(image, clean(), places)[0], wanted)
