"""A PSF learnt from 200 frames by two processes, both passes and all fits: linear in frames."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from datetime import timedelta
from functools import reduce
from multiprocessing import get_context
from pathlib import Path
from typing import Final

import numpy as np
from astropy.io import fits

from bench.deconvolution.scenes import gaussian
from bench.measure import Aim, Row, Sample, Skipped
from bench.setting import Setting
from pipeline.instruments.aso_s_lst.psf import design
from pipeline.instruments.aso_s_lst.simulate import SimulationConfig, observed, write
from pipeline.psf.estimate import Design
from pipeline.psf.reduction import PsfOfFrames, PsfReduced, Sums
from pipeline.reduction import StackBlock

_WORKERS: Final = 2
#: Seconds a frame may take: 200 in five minutes.
_AIM: Final = Aim(most=1.5, text="200 frames in ≤ 5 minutes")
#: Frames that differ; of more, they are taken again. Hours between them, and frames of a block.
_DIFFERENT, _HOURS, _BLOCK = 20, 24.0, 4
_FWHM, _WING = 5.0, 0.08


def rows(setting: Setting) -> Iterator[Row | Skipped]:
    """All frames against a tenth of them, per frame."""
    size, counts = setting.pick((1024, (200, 20)), (512, (8, 4)))
    paths = _frames(setting.folder("psf"), size, min(_DIFFERENT, counts[0]))
    found: dict[int, list[float]] = {count: [] for count in counts}
    fwhm, spent = 0.0, 0.0
    with ProcessPoolExecutor(_WORKERS, mp_context=get_context("spawn")) as pool:
        list(pool.map(_mapped, [PsfOfFrames(design)] * _WORKERS, [paths[:1]] * _WORKERS))  # compiled now
        for _ in range(setting.pick(2, 1)):
            for count in counts:
                begin = time.perf_counter()
                reduced, spent_in_maps = _learnt(pool, [paths[n % len(paths)] for n in range(count)])
                found[count].append((time.perf_counter() - begin) / count)
                if reduced.psf is not None and count == counts[0]:
                    fwhm, spent = reduced.psf.fwhm.value, spent_in_maps / count / 2
    most, few = counts
    whole = most * min(found[most])
    yield Row(
        f"PSF of {most} frames {size}², two passes, {_WORKERS} processes",
        Sample(tuple(found[most])),
        Sample(tuple(found[few])),
        f"the same of {few} frames",
        aim=_AIM,
        notes=(
            "seconds per frame, reading and fits included: of more frames each costs less",
            f"{most} frames took {whole:.0f} s; {spent:.3f} s of processor a frame and pass",
            f"FWHM found {fwhm:.2f} pixels, of a Gaussian core of {_FWHM:g} seen by square pixels",
        ),
        numbers={"seconds": whole, "processor_seconds_per_frame_and_pass": spent},
    )


def _frames(folder: Path, size: int, number: int) -> list[Path]:
    psf = gaussian(_FWHM, _WING, Design().size).astype(np.float32)
    first = SimulationConfig(telescope="WST", gain="SINGLE", size=size, jitter=1.0, blur=0.0)
    return [
        write(
            folder,
            observed(
                first.model_copy(update={"number": n, "start": first.start + timedelta(hours=_HOURS * n)}),
                psf=psf,
            ),
        )
        for n in range(number)
    ]


def _learnt(pool: ProcessPoolExecutor, paths: list[Path]) -> tuple[PsfReduced, float]:
    """Both passes, and processor time of their maps."""
    reduction, spent = PsfOfFrames(design), 0.0
    for last in (False, True):
        blocks = [paths[n : n + _BLOCK] for n in range(0, len(paths), _BLOCK)]
        told = list(pool.map(_mapped, [reduction] * len(blocks), blocks))
        spent += sum(seconds for _, seconds in told)
        made = reduction.finish(reduce(reduction.combine, [sums for sums, _ in told]))
        if last:
            break
        reduction = PsfOfFrames(design, made.limb)
    return made, spent


def _mapped(reduction: PsfOfFrames, paths: list[Path]) -> tuple[Sums, float]:
    begin = time.process_time()
    images, headers = zip(*(fits.getdata(path, header=True) for path in paths), strict=True)
    image = np.stack(images).astype(np.float32)
    quality = np.zeros(image.shape, np.uint16)
    sums = reduction.map(StackBlock(image, quality, tuple(path.name for path in paths), tuple(headers)))
    return sums, time.process_time() - begin
