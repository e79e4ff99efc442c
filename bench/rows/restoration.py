"""Deconvolution with an estimated PSF, the whole step, against Richardson–Lucy of scikit-image."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bench.measure import Aim, Row, Skipped, race
from bench.setting import Setting, has
from pipeline.frame import Frame
from pipeline.instruments.aso_s_lst.simulate import SimulatedFrame, SimulationConfig, observed
from pipeline.psf.reference import Measured, Psf, Verdict, psf_file
from pipeline.steps.deconvolve_psf import DeconvolvePsfParams, deconvolve_psf
from pipeline.testing import reference

_AIM: Final = Aim(ratio=10.0)
#: As in the examples of scikit-image.
_ITERATIONS: Final = 30


def rows(setting: Setting) -> Iterator[Row | Skipped]:
    """One row: a full SDI frame, a part of its size in a quick run."""
    size = setting.pick(4608, 512)
    name = f"PSF deconvolution {size}², with flags"
    if not has("skimage"):
        yield Skipped(name, "scikit-image is not installed")
        return
    made = observed(SimulationConfig(size=size))
    frame = Frame.of(made.data, made.header, made.filename)
    references = {"psf": reference("psf", _psf(setting.folder("restoration"), made))}
    deconvolve_psf(frame, DeconvolvePsfParams(), references)  # compiles
    run = race(
        {
            "ours": lambda: deconvolve_psf(frame, DeconvolvePsfParams(), references),
            "peer": lambda: _plain(made),
        },
        rounds=setting.pick(2, 1),
        warm=False,  # a turn of the peer takes minutes
    )
    errors = {
        name: float(np.sqrt(np.mean((image - made.truth) ** 2) / np.mean((made.data - made.truth) ** 2)))
        for name, image in (("ours", run.results["ours"].data), ("peer", run.results["peer"]))
    }
    yield Row(
        name,
        run.times["ours"],
        run.times["peer"],
        f"skimage.restoration.richardson_lucy, {_ITERATIONS} iterations, float64",
        aim=_AIM,
        notes=(
            (
                f"RMS difference from the truth over that before: ours {errors['ours']:.2f}, the peer's "
                f"{errors['peer']:.2f}"
            ),
            "ours finds the noise in the image, flags edges and saturated light, and carries the header",
        ),
        numbers={f"error_{name}": value for name, value in errors.items()},
    )


def _plain(made: SimulatedFrame) -> NDArray[np.float64]:
    from skimage.restoration import richardson_lucy

    image = np.maximum(made.data.astype(np.float64), 0.0)
    top = image.max()
    found = richardson_lucy(
        image / top, made.psf.astype(np.float64), num_iter=_ITERATIONS, clip=False, filter_epsilon=1e-9
    )
    return np.asarray(found * top)


def _psf(folder: Path, made: SimulatedFrame) -> Path:
    known = Measured(0.0, float("nan"))  # what the step does not read
    psf = Psf(
        kernels=made.psf[None],
        core=Verdict.IDENTIFIED,
        wing=Verdict.IDENTIFIED,
        fwhm=known,
        ee50=known,
        ee80=known,
        frame=made.data.shape,
        simulated=True,
    )
    path = folder / "psf.fits"
    psf_file(psf).writeto(path)
    return path
