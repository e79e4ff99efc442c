"""The deconvolution step: what it flags, what it says of the PSF it was given, and what it refuses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from pipeline.errors import BadInput
from pipeline.frame import Frame
from pipeline.psf.reference import Measured, Psf, Verdict, psf_file
from pipeline.quality import Quality, flagged
from pipeline.step import ReferenceFile
from pipeline.steps.deconvolve_psf import DeconvolvePsfParams, deconvolve_psf
from pipeline.testing import assert_provenance, reference, run_step, toy_frame

SIDE = 160
NOT_MEASURED = Measured(4.0, 0.1)


def kernel(fwhm: float = 4.0, wing: float = 0.05) -> NDArray[np.float32]:
    y, x = np.mgrid[:41, :41] - 20
    r = np.hypot(x, y)
    core, wide = np.exp(-4 * np.log(2) * (r / fwhm) ** 2), (1 + (r / 4) ** 2) ** -1.5
    return np.asarray((1 - wing) * core / core.sum() + wing * wide / wide.sum(), np.float32)


def psf(folder: Path, *kernels: NDArray[np.float32], **parts: Any) -> ReferenceFile:
    known: dict[str, Any] = {"core": Verdict.IDENTIFIED, "wing": Verdict.IDENTIFIED, "frame": (SIDE, SIDE)}
    made = Psf(
        kernels=np.stack(kernels or (kernel(),)),
        fwhm=NOT_MEASURED,
        ee50=NOT_MEASURED,
        ee80=NOT_MEASURED,
        **(known | parts),
    )
    path = folder / f"psf{len(list(folder.iterdir()))}.fits"
    psf_file(made).writeto(path)
    return reference("psf", path)


def truth() -> NDArray[np.float64]:
    rng = np.random.default_rng(1)
    y, x = np.mgrid[:SIDE, :SIDE]
    points = np.zeros((SIDE, SIDE))
    points[rng.integers(40, 120, 80), rng.integers(40, 120, 80)] = rng.uniform(500, 5000, 80)
    disk = np.where(np.hypot(x - 80, y - 80) < 60, 300.0, 8.0)
    return np.asarray(disk + gaussian_filter(4 * points, 2.0))


def blurred(scene: NDArray[np.float64], one: NDArray[np.float32]) -> NDArray[np.float64]:
    wide = np.zeros(scene.shape)
    wide[:41, :41] = one
    spectrum = np.fft.rfft2(np.roll(wide, (-20, -20), (0, 1)))
    return np.asarray(np.fft.irfft2(np.fft.rfft2(scene) * spectrum, s=scene.shape))


def image(one: NDArray[np.float32] | None = None, seed: int = 2, **cards: Any) -> Frame:
    light = blurred(truth(), kernel() if one is None else one)
    rng = np.random.default_rng(seed)
    return toy_frame(rng.poisson(light) + rng.normal(0, 1.5, light.shape), (SIDE, SIDE), **cards)


def sharpened(frame: Frame, psf_: ReferenceFile, **params: Any) -> Frame:
    return run_step("deconvolve_psf", frame, instrument="trace", references=[psf_], **params)


def rms(values: NDArray[np.floating]) -> float:
    return float(np.sqrt(np.mean(np.square(values, dtype=np.float64))))


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> ReferenceFile:
    return psf(tmp_path_factory.mktemp("psf"))


def test_an_image_comes_nearer_to_the_truth_and_keeps_its_light(plain: ReferenceFile) -> None:
    frame = image()
    made = sharpened(frame, plain)
    inner = slice(20, -20)
    assert rms((made.data - truth())[inner, inner]) < 0.7 * rms((frame.data - truth())[inner, inner])
    assert made.data.sum(dtype=np.float64) == pytest.approx(frame.data.sum(dtype=np.float64), rel=4e-3)
    assert_provenance(made, "PSF-DECONVOLUTION")
    assert "psf=references:psf0.fits" in made.header["PRREF1"]
    assert not made.caveats
    assert "PRMODE1" not in made.header


def test_the_noise_may_be_given_or_found(plain: ReferenceFile) -> None:
    frame = image()
    found, given = sharpened(frame, plain), sharpened(frame, plain, read_noise=1.5, event=1.0)
    assert rms(found.data - given.data) < 0.2 * rms(frame.data - given.data)
    empty = toy_frame(np.where(np.eye(SIDE) > 0, 1.0, np.nan), (SIDE, SIDE))
    with pytest.raises(BadInput, match="tell its noise"):
        sharpened(empty, plain)


def test_the_edge_is_of_low_confidence(plain: ReferenceFile) -> None:
    doubtful = flagged(sharpened(image(), plain).quality, Quality.LOW_CONFIDENCE)
    assert doubtful[0].all()
    assert doubtful[:, -1].all()
    assert not doubtful[12:-12, 12:-12].any()


def test_small_gaps_are_filled_and_flagged_and_deep_ones_stay(plain: ReferenceFile) -> None:
    frame = image()
    data, quality = frame.data.copy(), frame.quality.copy()
    for gap in ((slice(60, 62), slice(60, 62)), (slice(80, 100), slice(80, 100))):
        data[gap] = np.nan
        quality[gap] |= np.uint16(Quality.MISSING)
    made = sharpened(frame.replace(data=data, quality=quality), plain)
    assert np.isfinite(made.data[60:62, 60:62]).all()
    assert np.isfinite(made.data[80:84, 80:100]).all()
    assert np.isnan(made.data[86:94, 86:94]).all()
    filled = Quality.INTERPOLATED | Quality.LOW_CONFIDENCE
    assert (made.quality[60:62, 60:62] == np.uint16(filled)).all()
    assert flagged(made.quality, Quality.MISSING).sum() == np.isnan(made.data).sum() > 0
    assert any("4 + " in c or "missing pixels" in c for c in made.caveats)


def test_abnormal_pixels_are_replaced_by_what_is_around_them(plain: ReferenceFile) -> None:
    frame = image()
    data, quality = frame.data.copy(), frame.quality.copy()
    for place, kind in (((70, 70), Quality.HOT), ((80, 95), Quality.DEAD), ((90, 60), Quality.COSMIC_RAY)):
        data[place] = 9000.0
        quality[place] |= np.uint16(kind)
    made = sharpened(frame.replace(data=data, quality=quality), plain)
    clean = sharpened(frame, plain)
    assert np.abs(made.data - clean.data).max() < 0.2 * clean.data.max()
    assert flagged(made.quality, Quality.INTERPOLATED).sum() == 3
    kept = frame.replace(data=frame.data, quality=quality | np.uint16(Quality.INTERPOLATED))
    assert rms(sharpened(kept, plain).data - clean.data) == 0.0


def test_saturated_cores_and_their_wings_are_of_low_confidence(plain: ReferenceFile) -> None:
    scene = truth()
    scene[70:74, 70:74] = 2e5
    light = blurred(scene, kernel())
    data = np.minimum(np.random.default_rng(3).poisson(light), 16000).astype(np.float32)
    frame = toy_frame(data, (SIDE, SIDE))
    full = frame.data >= 16000
    frame = frame.replace(quality=np.where(full, np.uint16(Quality.SATURATED), np.uint16(0)))
    made = sharpened(frame, plain)
    doubtful = flagged(made.quality, Quality.LOW_CONFIDENCE)
    assert doubtful[full].all()
    assert full.sum() < doubtful[20:-20, 20:-20].sum() < 4000
    assert "UNKNOWN-LIGHT" in made.header["PRMODE1"]


def test_values_that_light_cannot_have_are_lifted_and_flagged(plain: ReferenceFile) -> None:
    frame = image()
    data = frame.data.copy()
    data[16:26, 16:26] -= 80.0
    made = sharpened(frame.replace(data=data), plain)
    clipped = flagged(made.quality, Quality.NEGATIVE_CLIPPED)
    assert clipped[18:24, 18:24].all()
    assert made.data[18:24, 18:24].min() > -20
    assert clipped.mean() < 0.02


@pytest.mark.parametrize(
    ("parts", "said", "mode"),
    [
        ({"wing": Verdict.LABORATORY}, "photometry of faint", "WING-LABORATORY"),
        ({"wing": Verdict.UNKNOWN}, "is a guess", "WING-UNKNOWN"),
        ({"core": Verdict.LABORATORY}, "the core of the point", "CORE-LABORATORY"),
        ({"simulated": True}, "simulated values", "SIMULATED"),
    ],
    ids=["wing of the laboratory", "wing guessed", "core of the laboratory", "simulated"],
)
def test_the_product_says_what_its_psf_rests_on(
    tmp_path: Path, parts: dict[str, Any], said: str, mode: str
) -> None:
    made = sharpened(image(), psf(tmp_path, **parts))
    assert any(said in caveat for caveat in made.caveats)
    assert mode in made.header["PRMODE1"]


def test_a_psf_that_is_not_this_images_is_noticed(tmp_path: Path) -> None:
    made = sharpened(image(), psf(tmp_path, kernel(8.0)))
    assert any("the point spread function is not this image's" in caveat for caveat in made.caveats)


def test_noise_that_is_not_this_images_is_noticed(plain: ReferenceFile) -> None:
    for wrong in (0.5, 2.0):
        made = sharpened(image(), plain, read_noise=1.5 * wrong, event=wrong**2)
        assert any("the noise is not this image's" in caveat for caveat in made.caveats)
        assert "UNEXPLAINED" in made.header["PRMODE1"]
    assert not sharpened(image(), plain, read_noise=1.5, event=1.0).caveats


def test_a_guessed_core_is_refused_or_the_frame_kept_as_it_is(tmp_path: Path) -> None:
    guess = psf(tmp_path, core=Verdict.UNKNOWN, wing=Verdict.UNKNOWN, reasons=("no structure",))
    with pytest.raises(BadInput, match="is a guess"):
        sharpened(image(), guess)
    kept = sharpened(image(), guess, on_unavailable="keep")
    assert (kept.data == image().data).all()
    assert any("not deconvolved" in caveat for caveat in kept.caveats)


def test_frames_of_another_size_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="another size"):
        sharpened(image(), psf(tmp_path, frame=(2 * SIDE, 2 * SIDE)))


def test_where_the_psf_varies_tiles_do_better_than_one_psf(tmp_path: Path) -> None:
    kernels = [kernel(width) for width in (3.0, 6.0)]
    at = np.clip((np.arange(SIDE) - 40.0) / 80.0, 0, 1)
    share = np.cos(0.5 * np.pi * at) ** 2
    light = sum(blurred(truth() * part, one) for part, one in zip((share, 1 - share), kernels, strict=True))
    rng = np.random.default_rng(4)
    frame = toy_frame(rng.poisson(light) + rng.normal(0, 1.5, (SIDE, SIDE)), (SIDE, SIDE))
    tiled = sharpened(frame, psf(tmp_path, *kernels, centres=((40.0, 80.0), (120.0, 80.0))))
    single = sharpened(frame, psf(tmp_path, kernel(4.5)))
    inner = slice(16, -16)
    assert rms((tiled.data - truth())[inner, inner]) < 0.9 * rms((single.data - truth())[inner, inner])
    assert tiled.data.sum(dtype=np.float64) == pytest.approx(frame.data.sum(dtype=np.float64), rel=3e-3)
    skewed = psf(tmp_path, *kernels, *kernels[:1], centres=((1.0, 1.0), (9.0, 9.0), (1.0, 9.0)))
    with pytest.raises(BadInput, match="no grid"):
        sharpened(frame, skewed)


def test_the_uncertainty_is_carried_and_tells_the_noise(plain: ReferenceFile) -> None:
    sigma = np.sqrt(np.maximum(image().data, 0) + 2.25)
    params, references = DeconvolvePsfParams(), {"psf": plain}
    made = deconvolve_psf(image().replace(uncertainty=sigma), params, references)
    assert made.uncertainty is not None
    assert np.isfinite(made.uncertainty).all()
    other = deconvolve_psf(image(seed=5).replace(uncertainty=sigma), params, references)
    centre = slice(50, 110)
    scatter = np.std((made.data - other.data)[centre, centre]) / np.sqrt(2)
    assert 0.6 < rms(made.uncertainty[centre, centre]) / scatter < 1.2
