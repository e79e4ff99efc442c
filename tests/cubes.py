"""A small spectropolarimeter that lives outside the package: cubes of four dims, and images made of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits

from pipeline import Frame

DIMS = ("stokes", "wavelength", "y", "x")

INSTRUMENT = """
name: slit
title: A toy spectropolarimeter
recognise:
  - {TELESCOP: TOY, DETECTOR: SLIT}
level: {keyword: LVL, values: {"0": "0", "1": "Q1", "2": "Q2"}}
date: {keywords: [DATE-OBS]}
observation: "slit_{date:%Y%m%d}"
meta:
  position: {keyword: ISTEP}
axes:
  - levels: ["0", "Q1"]
    dims:
      - {name: stokes, size: 4, ctype: STOKES}
      - {name: wavelength, ctype: "WAVE|AWAV", unit: "nm|Angstrom"}
      - y
      - x
  - {levels: ["Q2"], dims: [y, x]}
quality_over: [y, x]
"""

RECIPE = """
name: slit-l1
instrument: slit
from_level: "0"
to_level: Q1
version: 1
steps:
  - {step: photon_noise}
  - {step: lift, params: {by: 2.0}}
  - {step: normalise_exposure}
  - {step: trim, params: {first: 1, last: 4}}
"""

TO_IMAGE = """
name: slit-l2
instrument: slit
from_level: Q1
to_level: Q2
version: 1
steps:
  - {step: continuum}
  - {step: flat_image}
"""

STEPS = '''
import numpy as np
from astropy.io import fits
from pipeline.errors import BadInput
from pipeline.quality import Quality
from pipeline.reduction import Reduced, ReductionKind, register
from pipeline.step import Params, step
from pipeline.uncertainty import KEPT, exact, starts

CUBE = ("stokes", "wavelength", "y", "x")


class Nothing(Params):
    pass


@step("photon_noise", version=1, prstep="NOISE-MODEL", instrument="slit", dims=None,
      uncertainty=starts("photon noise"))
def photon_noise(frame, params: Nothing, references):
    """Photon noise."""
    return frame.replace(uncertainty=np.sqrt(np.abs(frame.data)))


class LiftParams(Params):
    by: float = 1.0


@step("lift", version=1, prstep="BIAS-CORRECTION", instrument="slit", dims=(..., "y", "x"),
      uncertainty=exact("kept"))
def lift(frame, params: LiftParams, references):
    """Add a constant to every image, and flag a corner of all of them."""
    assert frame.dims[-2:] == ("y", "x")
    if frame.header.get("BROKEN"):
        raise BadInput("the shutter was shut", file=frame.source, keyword="BROKEN")
    quality = frame.quality.copy()
    quality[..., 0, 0] |= np.uint16(Quality.HOT)
    return frame.replace(data=frame.data + np.float32(params.by), quality=quality)


class TrimParams(Params):
    first: int = 0
    last: int = 1000


@step("trim", version=1, prstep="BINNING", instrument="slit", dims=CUBE, uncertainty=exact("cut"),
      output_shape=lambda params, shape:
          (shape[0], len(range(shape[1])[params.first:params.last]), *shape[2:]))
def trim(frame, params: TrimParams, references):
    """Some of the wavelengths."""
    cut = (slice(None), slice(params.first, params.last))
    header = frame.header.copy()
    header["CRPIX3"] -= params.first
    sigma = None if frame.uncertainty is None else frame.uncertainty[cut]
    return frame.replace(data=frame.data[cut], header=header, uncertainty=sigma)


@step("continuum", version=1, prstep="CONTINUUM", instrument="slit", dims=CUBE,
      output_dims=lambda params, dims: dims[2:], output_shape=lambda params, shape: shape[2:])
def continuum(frame, params: Nothing, references):
    """The mean intensity over wavelengths."""
    return frame.replace(data=frame.data[0].mean(axis=0), quality=frame.quality, dims=("y", "x"))


@step("flat_image", version=1, prstep="FLAT-FIELDING", instrument="slit", uncertainty=KEPT)
def flat_image(frame, params: Nothing, references):
    """Does something to images alone."""
    ny, nx = frame.data.shape
    return frame.replace(data=frame.data * np.float32(2))


class MeanCube:
    """The mean of cubes."""

    def map(self, block):
        good = np.isfinite(block.image)
        total = np.where(good, block.image, 0).sum(axis=0, dtype=np.float64)
        return total, good.sum(axis=0), frozenset(block.sources)

    def combine(self, first, second):
        return first[0] + second[0], first[1] + second[1], first[2] | second[2]

    def finish(self, partial):
        total, count, used = partial
        return Reduced((total / count).astype(np.float32), count.astype(np.int32), used)


def write_mean(reduced, origin, caveats):
    return fits.HDUList([fits.PrimaryHDU(reduced.values, fits.Header({"BUNIT": origin.unit}))])


MEAN = dict(instrument="slit", level="0", need="mean", alike=(), prepare=lambda number: MeanCube(),
            write=write_mean)
register(ReductionKind(name="mean_cube", dims=CUBE, **MEAN))
register(ReductionKind(name="mean_image", dims=("y", "x"), **MEAN))


class LiarParams(Params):
    how: str = "dims"


@step("liar", version=1, prstep="OTHER", instrument="slit", dims=CUBE,
      output_dims=lambda params, dims: dims[2:], output_shape=lambda params, shape: shape[2:])
def liar(frame, params: LiarParams, references):
    """Gives something else than it says."""
    return frame
'''


def install(site: Path) -> None:
    """Lay out a distribution that announces the instrument `slit` in a folder for `sys.path`."""
    package = site / "toy_slit"
    (package / "recipes").mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "steps.py").write_text(STEPS)
    (package / "instrument.yaml").write_text(INSTRUMENT)
    (package / "recipes" / "l1.yaml").write_text(RECIPE)
    (package / "recipes" / "l2.yaml").write_text(TO_IMAGE)
    info = site / "toy_slit-0.1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: toy-slit\nVersion: 0.1\n")
    (info / "entry_points.txt").write_text("[heliolake.instruments]\nslit = toy_slit\n")


def cube_header(shape: tuple[int, ...] = (4, 5, 3, 2), /, **cards: Any) -> fits.Header:
    """A raw header with world coordinates on all four axes."""
    header = fits.Header()
    header.update({"TELESCOP": "TOY", "DETECTOR": "SLIT", "LVL": "0", "BUNIT": "DN", "EXPTIME": 0.5})
    header["DATE-OBS"] = "2024-05-06T07:08:09.500"
    axes = [
        ("HPLN-TAN", "arcsec", 1.0, -120.0, 0.135),
        ("HPLT-TAN", "arcsec", (shape[2] + 1) / 2, 30.0, 0.135),
        ("AWAV", "Angstrom", 1.0, 10824.0, 0.018),
        ("STOKES", "", 1.0, 1.0, 1.0),
    ]
    header["WCSAXES"] = 4
    for number, (kind, unit, pixel, value, step) in enumerate(axes, start=1):
        header[f"CTYPE{number}"] = kind
        if unit:
            header[f"CUNIT{number}"] = unit
        header[f"CRPIX{number}"], header[f"CRVAL{number}"], header[f"CDELT{number}"] = pixel, value, step
    header["PC1_2"], header["PC2_1"] = -0.1, 0.1
    header.update(cards)
    return header


def cube(shape: tuple[int, ...] = (4, 5, 3, 2), /, **cards: Any) -> Frame:
    """A frame of the toy spectropolarimeter whose values tell where they are."""
    data = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
    quality = np.zeros(shape[2:], np.uint16)
    return Frame(data, quality, cube_header(shape, **cards), source="slit.fits", dims=DIMS)
