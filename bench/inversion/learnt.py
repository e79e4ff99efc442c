"""What a network that is trained on inversions is worth: alone, and as where fits begin."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bench.inversion.campaign import FITTED, errors
from bench.inversion.pixels import NOISE, TRIPLET, Case, of_a_spot
from pipeline.inversion.forms import FIELD, INCLINATION
from pipeline.inversion.inversion import Inversion
from pipeline.inversion.network import Network, trained

F64 = NDArray[np.float64]
#: G; above, errors are compared.
_STRONG: Final = 300.0


class Way(NamedTuple):
    """A way to parameters: pixels a second, part fitted to the noise, and median errors."""

    name: str
    rate: float
    fitted: float
    field: float
    angle: float
    deviations: float


def learnt(count: int) -> Network:
    """A network that was trained on what the inversion found in so many pixels of the triplet."""
    _, data = TRIPLET.drawn(count, 31)
    result = Inversion(TRIPLET.model, 1.0 / NOISE)(data)
    good = result.chi2 < FITTED
    return trained(data[good], result.unknowns[good])


def ways(network: Network, case: Case, count: int) -> Iterator[Way]:
    """The library's fits, the network alone, and fits from the network's answers, of held-out pixels."""
    truth, data = case.drawn(count, 77)
    model = case.model
    for name, inversion in (
        ("fits from a library", Inversion(model, 1.0 / NOISE)),
        ("fits from the network", Inversion(model, 1.0 / NOISE, first=network)),
    ):
        inversion(data[:300])
        begin = time.process_time()
        result = inversion(data)
        spent = time.process_time() - begin
        yield _way(name, count / spent, case, truth, result.unknowns, float(np.mean(result.chi2 < FITTED)))
    begin = time.process_time()
    found = network.starts(data)
    spent = time.process_time() - begin
    left = ((data - model.synthesise(found)).astype(np.float64) ** 2).sum(axis=(1, 2)) / NOISE**2
    fitted = float(np.mean(left / data[0].size < FITTED))
    yield _way("network alone", count / spent, case, truth, found, fitted)


def _way(name: str, rate: float, case: Case, truth: F64, found: F64, fitted: float) -> Way:
    strong = truth[:, FIELD] > _STRONG
    off = np.abs(found - truth)[strong]
    z = np.abs(errors(case, truth, found))[strong]
    angle = float(np.degrees(np.median(off[:, INCLINATION])))
    return Way(name, rate, fitted, float(np.median(off[:, FIELD])), angle, float(np.median(z)))


def table(training: int, count: int) -> Iterator[str]:
    """The comparison in Markdown, on pixels like those of the training and of another distribution."""
    begin = time.process_time()
    network = learnt(training)
    spent = time.process_time() - begin
    yield (
        f"Trained on what the inversion found in {training:,} pixels of the triplet with even fields of 0 to "
        f"3 kG, in {spent:.0f} s of the processor; compared on {count:,} others, above {_STRONG:g} "
        "G. Errors are medians; σ is the Cramér–Rao bound, over all parameters (0.67 is what noise leaves)."
    )
    yield ""
    yield "| pixels | way | pixels/s | fitted | field, G | inclination, ° | σ |"
    yield "|---|---|---|---|---|---|---|"
    cases: tuple[tuple[str, Any], ...] = (
        ("alike", TRIPLET),
        ("of a spot", replace(TRIPLET, draw=of_a_spot)),
    )
    for name, case in cases:
        for way in ways(network, case, count):
            yield (
                f"| {name} | {way.name} | {way.rate:,.0f} | {100 * way.fitted:.2f} % | {way.field:.1f} "
                f"| {way.angle:.2f} | {way.deviations:.2f} |"
            )
