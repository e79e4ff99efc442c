"""The estimation as a reduction: any instrument's frames in, a reference that steps can read out."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from numpy.typing import NDArray

from bench.psf.scenes import seen, white_light
from bench.psf.truth import truth
from pipeline.errors import BadInput
from pipeline.frame import Frame
from pipeline.instruments.aso_s_lst.psf import design
from pipeline.instruments.aso_s_lst.simulate import Pupil, SimulationConfig, observed, physical_psf
from pipeline.psf.estimate import Design
from pipeline.psf.reduction import PsfOfFrames
from pipeline.psf.reference import Verdict, read_psf
from pipeline.psf.shape import profile_of_kernel, shape_of
from pipeline.reduction import StackBlock
from pipeline.testing import run_reduction

BEGIN = datetime(2023, 4, 15, 6, 0, tzinfo=UTC)


def test_the_psf_of_simulated_frames_is_found_again(tmp_path: Path) -> None:
    config = SimulationConfig(telescope="WST", gain="SINGLE", size=512)
    kernel = physical_psf(Pupil(aberration=0.3), 401)
    made = [
        observed(config.model_copy(update={"start": BEGIN + timedelta(minutes=n), "number": n}), psf=kernel)
        for n in range(2)
    ]
    frames = [Frame.of(one.data, one.header, one.filename) for one in made]
    reduced, reference = run_reduction("psf", frames, instrument="aso_s_lst", folder=tmp_path)
    psf = read_psf(next(tmp_path.glob("*.fits")))
    true = shape_of(*profile_of_kernel(kernel.astype(float)))
    assert psf.core is Verdict.IDENTIFIED
    assert psf.fwhm.value == pytest.approx(true.fwhm, rel=0.1)
    assert psf.ee50.value == pytest.approx(true.ee50, rel=0.1)
    assert psf.simulated
    assert psf.frame == (512, 512)
    assert len(reduced.used) == 2
    assert reference.name == "psf"


def block(image: NDArray[np.float64]) -> StackBlock:
    quality = np.zeros((1, *image.shape), np.uint16)
    return StackBlock(image[None].astype(np.float32), quality, ("one",), (fits.Header(),))


def test_frames_without_a_disk_are_refused_with_what_to_do() -> None:
    reduction = PsfOfFrames(lambda _header: Design())
    with pytest.raises(BadInput, match="whole disk"):
        reduction.finish(reduction.map(block(np.random.default_rng(1).normal(1.0, 0.1, (128, 128)))))


def test_frames_that_tell_nothing_are_left_out() -> None:
    header = fits.Header({"DETECTOR": "SDI", "EARTHECL": True})
    assert design(header) is None
    assert design(fits.Header({"DETECTOR": "SCIWL"})) is None
    known = design(fits.Header({"DETECTOR": "SDI"}))
    assert known is not None
    assert not known.sharp


def test_diffraction_is_known_where_a_header_names_the_aperture() -> None:
    told = {"DETECTOR": "WST", "WAVELNTH": 360.0, "CDELT1": 0.5, "APTDIA": 100.0}
    known = design(fits.Header(told))
    assert known is not None
    assert known.q == pytest.approx(3.6e-6 * 206264.806 / 0.5)
    assert known.obstruction is None
    for name, value in (("APTDIA", 0.0), ("APTDIA", "wide"), ("CDELT1", None)):
        other = design(fits.Header(told | {name: value}))
        assert other is not None
        assert other.q is None


def test_an_obstruction_is_known_where_a_header_names_what_is_open() -> None:
    whole = 0.25 * np.pi * 100.0**2
    told = {"DETECTOR": "SDI", "APTDIA": 100.0, "APTAREA": 0.91 * whole}
    known = design(fits.Header(told))
    assert known is not None
    assert known.obstruction == pytest.approx(0.3)
    for area, obstruction in ((whole, 0.0), (1.2 * whole, None), (0.05 * whole, None), ("half", None)):
        other = design(fits.Header(told | {"APTAREA": area}))
        assert other is not None
        assert other.obstruction == obstruction


def test_of_frames_most_of_which_their_mean_contradicts_none_is_left_out() -> None:
    rng, psf = np.random.default_rng(5), truth("gauss", 4.0, 0.0, 3)
    first = PsfOfFrames(lambda _header: Design(size=101, terms=frozenset({"limb"})))
    images = [seen(white_light(256, 95.0, rng), psf, 2e4, rng) for _ in range(3)]
    odd = [replace(block(image.astype(float)), sources=(f"{n}",)) for n, image in enumerate(images)]
    mean = first.map(odd[0]).mean_limb
    assert mean is not None
    again = replace(first, before=1.05 * mean)  # no frame is like that
    sums = [again.map(one) for one in odd]
    assert all(one.left_out and not one.used for one in sums)
    total = again.combine(again.combine(sums[0], sums[1]), sums[2])
    assert again.finish(total).used == {"0", "1", "2"}
