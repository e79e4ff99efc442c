"""A PSF that differs across the field is found tile by tile, and the deconvolution takes it as it is."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from numpy.typing import NDArray

from bench.psf.field import mixture, varying
from bench.psf.scenes import Scene, seen, white_light
from bench.psf.truth import FINE, Truth, truth
from pipeline.psf.estimate import Design, estimate
from pipeline.psf.reduction import PsfOfFrames, PsfReduced
from pipeline.psf.reference import Psf, Verdict, psf_file, read_psf
from pipeline.psf.statistics import Statistics, of_disk
from pipeline.reduction import StackBlock
from pipeline.testing import reference, run_step, toy_frame

SIDE, RADIUS = 400, 150.0


def learned(left: Truth, right: Truth, number: int = 3) -> tuple[Psf, NDArray[np.float32], Scene]:
    """What the reduction makes of frames, one of them, and its scene."""
    rng = np.random.default_rng(21)
    scenes = [white_light(SIDE, RADIUS, rng) for _ in range(number)]
    images = np.stack([varying(scene, left, right, 3e4, rng) for scene in scenes])
    names = tuple(f"frame{n}" for n in range(number))
    block = StackBlock(images, np.zeros(images.shape, np.uint16), names, (fits.Header(),) * number)
    reduction = PsfOfFrames(_design)
    made = reduction.finish(reduction.map(block))
    assert isinstance(made, PsfReduced)
    assert made.psf is not None
    return made.psf, images[0], scenes[0]


def _design(_header: fits.Header) -> Design:
    return Design(size=101, tiles=True)


@pytest.mark.slow
def test_tiles_are_as_wide_as_the_psf_is_there_and_sharpen_better_than_one_kernel(tmp_path: Path) -> None:
    left, right = truth("gauss", 3.2, 0.05, 11), truth("gauss", 4.6, 0.05, 12)
    psf, image, scene = learned(left, right)
    assert len(psf.kernels) == 4
    for (x, _), one in zip(psf.centres, psf.tiles, strict=True):
        there = mixture(left, right, x / (SIDE - 1)).shape.fwhm
        assert one.value == pytest.approx(there, rel=0.1)
        assert one.error < 0.1 * there
    true = scene.fine.reshape(SIDE, FINE, SIDE, FINE).mean(axis=(1, 3))
    true = true * (image.sum(dtype=np.float64) / true.sum(dtype=np.float64))
    frame = toy_frame(image, image.shape)
    apart = []
    for n, kernels in enumerate((psf, _one_kernel(psf))):
        path = tmp_path / f"psf{n}.fits"
        psf_file(kernels).writeto(path)
        assert len(read_psf(path).tiles) == len(kernels.tiles)
        made = run_step("deconvolve_psf", frame, instrument="trace", references=[reference("psf", path)])
        rows, columns = np.indices(image.shape)
        near = np.abs(np.hypot(columns - scene.sun.x, rows - scene.sun.y) - RADIUS) < 8
        apart.append(float(np.sqrt(np.mean((made.data - true)[near] ** 2))))
    assert apart[0] < 0.95 * apart[1]


def test_a_psf_that_is_the_same_everywhere_stays_one() -> None:
    everywhere = truth("gauss", 4.0, 0.05, 13)
    psf, _, _ = learned(everywhere, everywhere)
    assert len(psf.kernels) == 1
    assert psf.core is Verdict.IDENTIFIED
    assert any("no quarter of it differs" in reason for reason in psf.reasons)


def test_a_quarter_whose_limb_hardly_any_frame_shows_is_not_told_and_breaks_nothing_off() -> None:
    rng = np.random.default_rng(22)
    everywhere, total = truth("gauss", 4.0, 0.05, 14), Statistics.none()
    for n in range(3):
        scene = white_light(SIDE, RADIUS, rng)
        image = seen(scene, everywhere, 3e4, rng)
        if n:  # all but one of the frames end at the disk's middle
            image[: int(scene.sun.y), : int(scene.sun.x)] = np.nan
        total += of_disk(image, scene.sun, tiles=True)
    hidden = total.quarters.rings[0]
    assert hidden.weight.any()
    assert not np.any(hidden.weight > 0.5 * total.quarters.frames)
    psf = estimate(total, Design(size=101, terms=frozenset({"limb"}), tiles=True), (SIDE, SIDE))
    assert psf.core is Verdict.IDENTIFIED
    assert len(psf.kernels) == 1
    assert any("no quarter of it differs" in reason for reason in psf.reasons)


def _one_kernel(psf: Psf) -> Psf:
    mean = psf.kernels.mean(axis=0, keepdims=True)
    return replace(psf, kernels=mean / mean.sum(), centres=(), tiles=())
