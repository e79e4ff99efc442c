"""Inversion of synthetic pixels on one core, against pyMilne, and scipy's least squares; helium beside it."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bench.inversion import peer
from bench.inversion.campaign import FITTED
from bench.inversion.pixels import FILLED, HELIUM, NOISE, SMEARED, TRIPLET, Case, Pixels
from bench.inversion.slab_peer import slab_inverted
from bench.measure import Aim, Row, Sample, Skipped, race
from bench.setting import Setting
from pipeline.inversion.inversion import Inversion, Result

#: Rows are in seconds of the processor for so many pixels.
_THOUSAND: Final = 1000
#: G; above, an azimuth can be compared.
_STRONG: Final = 300.0


def rows(setting: Setting) -> Iterator[Row | Skipped]:
    """The triplet and both lines with a spectral PSF beside pyMilne, and these with a filling factor."""
    absent = peer.why_not()
    for case in setting.pick((TRIPLET, SMEARED), (TRIPLET,)):
        if absent:
            yield Skipped(f"Milne-Eddington, {_THOUSAND} pixels, {case.name}, beside pyMilne", absent)
        else:
            yield _beside_milne(setting, case)
    for case in setting.pick((TRIPLET, SMEARED, FILLED), (TRIPLET,)):
        yield _beside_scipy(setting, case)
    yield _slab(setting)


def _slab(setting: Setting) -> Row:
    number = setting.pick(10, 1)
    _, data = HELIUM.drawn(setting.pick(10_000, 200), 11)
    other = partial(slab_inverted, HELIUM, data[:number])
    return _row(setting, HELIUM, data, other, number, "scipy.optimize.least_squares with expm, one start")


def _beside_milne(setting: Setting, case: Case) -> Row:
    case = peer.with_its_lines(case)
    number = setting.pick(400, 3)
    _, data = case.drawn(setting.pick(20_000, 300), 11)
    code = peer.milne(case)
    other = partial(peer.milne_inverted, code, data[:number])
    return _row(setting, case, data, other, number, "pyMilne, 4 starts of its own")


def _beside_scipy(setting: Setting, case: Case) -> Row:
    number = setting.pick(20, 2)
    _, data = case.drawn(setting.pick(20_000, 300), 11)
    other = partial(peer.scipy_inverted, case, data[:number])
    return _row(setting, case, data, other, number, "scipy.optimize.least_squares, one start")


def _row(
    setting: Setting,
    case: Pixels,
    data: NDArray[np.float32],
    other: partial[peer.Peer],
    number: int,
    name: str,
) -> Row:
    inversion = Inversion(case.model, 1.0 / NOISE, **case.settings)
    run = race({"ours": partial(inversion, data), "peer": other}, rounds=setting.pick(3, 2), budget=60.0)
    ours, theirs = run.results["ours"], run.results["peer"]
    mine, its = _each(run.times["ours"], len(data)), _each(run.times["peer"], number)
    rates = f"{_THOUSAND / mine.median:,.0f} pixels/s and core against {_THOUSAND / its.median:,.0f}"
    fitted = [f"{100 * np.mean(one.chi2 < FITTED):.2f} %" for one in (ours, theirs)]
    return Row(
        f"Milne-Eddington, {_THOUSAND} pixels, {case.name}, beside {name.partition(',')[0]}",
        mine,
        its,
        name,
        aim=Aim(most=_THOUSAND / case.least, text=f"≥ {case.least:,.0f} pixels/s and core"),
        notes=(
            f"{rates}, in processor time; fitted to the noise are {fitted[0]} against {fitted[1]}",
            *_agreement(ours, theirs, number),
        ),
        numbers={"pixels/s": _THOUSAND / mine.median},
    )


def _each(sample: Sample, count: int) -> Sample:
    """Processor time for a thousand pixels."""
    spent = tuple(_THOUSAND / count * one for one in sample.processor)
    return Sample(spent, spent)


def _agreement(ours: Result, theirs: peer.Peer, number: int) -> list[str]:
    """How far the two are apart where both fitted, in errors of ours."""
    mine, errors = ours.parameters[:number], ours.errors[:number]
    both = (ours.chi2[:number] < FITTED) & (theirs.chi2 < FITTED) & (mine[:, 0] > _STRONG)
    both &= (errors[:, :3] > 0).all(axis=1)
    if both.sum() < 2:
        return []
    apart = np.abs(np.stack([theirs.field, theirs.inclination, theirs.azimuth], axis=1) - mine[:, :3])
    apart[:, 2] = np.minimum(apart[:, 2], 180.0 - apart[:, 2])
    medians = ", ".join(f"{one:.2f}" for one in np.median((apart / errors[:, :3])[both], axis=0))
    return [
        f"field, inclination, azimuth differ by {medians} of their errors (median of {both.sum()} pixels)"
    ]
