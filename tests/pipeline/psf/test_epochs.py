"""A PSF that changes in time is noticed, with when it did; one that does not is left alone."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from astropy.io import fits

from bench.psf.scenes import seen, white_light
from bench.psf.truth import truth
from pipeline.errors import BadInput
from pipeline.psf.epochs import Edges, blurred_root, changes, drift, edge_width
from pipeline.psf.estimate import Design
from pipeline.psf.reduction import PsfOfFrames
from pipeline.psf.rings import limb_rings
from pipeline.reduction import StackBlock


def edges(widths: list[float], kind: str = "limb", day: int = 1) -> Edges:
    rng = np.random.default_rng(3)
    return {
        f"{kind}{n}": (f"2023-04-{day + n:02d}T00:00:00", kind, width * (1 + 0.01 * rng.standard_normal()))
        for n, width in enumerate(widths)
    }


def test_every_change_is_told_with_when_and_by_how_much() -> None:
    found = changes(edges([2.0] * 6 + [2.5] * 5 + [2.0] * 4))
    assert [begin[:10] for begin, _ in found] == ["2023-04-07", "2023-04-12"]
    assert [change for _, change in found] == pytest.approx([0.25, -0.2], abs=0.03)


def test_a_drift_is_cut_until_what_is_left_is_one_psf() -> None:
    drifting = [2.0 * (1.0 + 0.05 * n) for n in range(9)]
    begins = [begin for begin, _ in changes(edges(drifting))]
    assert begins
    cuts = [0, *(int(begin[8:10]) - 1 for begin in begins), len(drifting)]
    for first, last in pairwise(cuts):
        assert drifting[last - 1] / drifting[first] < 1.25


def test_a_drift_of_frames_too_few_to_be_cut_is_told_and_scatter_is_none() -> None:
    assert drift(edges([2.0, 2.1, 2.2, 2.3, 2.4])) == pytest.approx(0.2, abs=0.05)
    assert drift(edges([2.5, 2.35, 2.2, 2.1, 2.0])) == pytest.approx(-0.25, abs=0.08)
    for widths in ([2.0] * 4, [2.0] * 20, [2.0, 2.03, 2.06, 2.1], [2.0, 2.4]):
        assert drift(edges(widths)) == 0.0
    assert drift({}) == 0.0


@pytest.mark.parametrize(
    "told",
    [
        edges([2.0] * 20),
        edges([2.0] * 4 + [2.08] * 4),  # less than a tenth
        edges([2.0] * 5 + [3.0]),  # one frame is an accident
        {**edges([2.0] * 5), **edges([2.6] * 5, "occulter", day=9)},  # another kind of edge
        edges([2.5] * 5 + [2.9] * 5, "occulter"),  # what lies beyond a body differs
        {"x": ("", "limb", 2.0)},
        {},
    ],
)
def test_what_is_no_change_is_left_alone(told: Edges) -> None:
    assert changes(told) == []


def test_the_width_of_the_limb_is_that_of_the_blur_whatever_sun_is_behind_it() -> None:
    rng, psf = np.random.default_rng(17), truth("gauss", 4.0, 0.0, 6)
    widths = []
    for _ in range(4):  # Suns that darken differently towards their edge, with other spots
        scene = white_light(256, 95.0, rng)
        widths.append(edge_width(limb_rings(seen(scene, psf, 2e4, rng), scene.sun)))
    assert np.std(widths) < 0.03 * np.mean(widths)
    assert np.mean(widths) == pytest.approx(psf.shape.fwhm / 2.355, rel=0.06)


def test_a_root_is_blurred_as_a_sum_over_a_gaussian_blurs_it() -> None:
    depth = np.array([-30.0, -3.0, -0.5, 0.0, 1.0, 6.0, 19.9, 20.1, 70.0])
    steps = np.linspace(-9.0, 9.0, 20001)
    weights = np.exp(-0.5 * steps**2)
    summed = np.sqrt(np.maximum(depth[:, None] + steps, 0.0)) @ (weights / weights.sum())
    assert blurred_root(depth) == pytest.approx(summed, abs=1e-5)


def test_frames_of_two_epochs_are_refused_with_what_to_do() -> None:
    rng = np.random.default_rng(91)
    scene = white_light(256, 95.0, rng)
    images = [seen(scene, truth("gauss", width, 0.0, 5), 2e4, rng) for width in (3.0,) * 3 + (4.0,) * 3]
    names = tuple(f"frame{n}" for n in range(6))
    headers = tuple(fits.Header({"DATE-OBS": f"2023-05-0{n + 1}T06:00:00"}) for n in range(6))
    reduction = PsfOfFrames(lambda _header: Design())
    blocks = [
        StackBlock(np.stack(images[part]), np.zeros((3, 256, 256), np.uint16), names[part], headers[part])
        for part in (slice(3, 6), slice(0, 3))
    ]
    first, second = map(reduction.map, blocks)
    with pytest.raises(BadInput, match="2 epochs") as refusal:
        reduction.finish(reduction.combine(first, second))
    assert "--epoch 2023-05-04T06:00:00" in refusal.value.advice
