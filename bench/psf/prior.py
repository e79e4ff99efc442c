"""Whether a learned core is worth having: ``python -m bench.psf.prior docs/psf.md``.

The validation's aberrated pupils, and in white light its Gaussians and Moffats, are found again with the
package's models and with one more, which was learned (`bench.psf.learned`): pupils with λ/D told, then not.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple
from unittest.mock import patch

import numpy as np
from numpy.typing import NDArray

from bench.psf.cases import TERMS, Case, _proxy, cases, told
from bench.psf.learned import COMPONENTS, PUPILS, core
from bench.psf.truth import truth
from pipeline.errors import BadInput
from pipeline.psf import estimate, fit, model, terms
from pipeline.psf.estimate import Design
from pipeline.psf.model import Bounds
from pipeline.psf.reference import Verdict
from pipeline.psf.shape import Shape
from pipeline.psf.statistics import Statistics
from pipeline.psf.verdict import judged

F64 = NDArray[np.float64]

BEGIN: Final = "<!-- learned prior: made by bench.psf.prior -->"
END: Final = "<!-- end of the learned prior -->"
_QUANTITIES: Final = ("FWHM", "EE50", "EE80")
#: The parameters that hold the scores.
_SCORES: Final = ("n", "f", "l")
_WRONG: Final = 10.0


class Row(NamedTuple):
    """A case, what was known, what came of it: errors in percent, NaN where refused."""

    kind: str
    light: str
    terms: str
    told: bool
    learned: bool
    taken: str
    chi2: float
    errors: tuple[float, ...]
    sigma: float


@contextmanager
def one_more_core() -> Iterator[None]:
    """The package with one more core while this lasts: what it would be if the learned one was kept."""
    plain_core, plain_bounds, plain_start = model.core, model.parameters_of, model.start_of

    def learned_core(parameters: F64, k: F64, known: Any, name: Any, theta: F64 | float | None = None) -> F64:
        if name != "learned":
            return plain_core(parameters, k, known, name, theta)
        ke = k
        if theta is not None:
            along, across = np.cos(2.0 * np.asarray(theta)), np.sin(2.0 * np.asarray(theta))
            ke = k * np.sqrt(np.maximum(1.0 + parameters[2] * along + parameters[3] * across, 0.05))
        return core(ke, parameters[0], parameters[[1, 4, 5]], getattr(known, "q", known))

    def bounds(name: Any, *known: Any) -> tuple[Bounds, ...]:
        if name != "learned":
            return plain_bounds(name, *known)
        score = Bounds("", -5.0, 5.0, 0.0, 1.0, "score of a learned component")
        return tuple(
            score._replace(name=one.name) if one.name in _SCORES else one for one in model.PARAMETERS
        )

    def start(name: Any, fwhm: float) -> F64:
        found = plain_start("halo" if name == "learned" else name, fwhm)
        if name == "learned":
            found[[1, 4, 5]] = 0.0
        return found

    with ExitStack() as stack:
        for where, name, value in (
            *((where, "core", learned_core) for where in (model, terms)),
            (fit, "parameters_of", bounds),
            (fit, "start_of", start),
            *(
                (estimate, name, (*getattr(estimate, name), "learned"))
                for name in ("MODELS", "KNOWN_APERTURE", "UNKNOWN_APERTURE")
            ),
        ):
            stack.enter_context(patch.object(where, name, value))
        yield


def rows_of(
    case: Case, data: Path | None, statistics: Statistics, true: Shape, q: float | None
) -> Iterator[Row]:
    """A case with all it can be tried with."""
    for used in TERMS[case.light]:
        for known in (True, False) if q else (False,):
            design = Design(
                q=q if known else None,
                sharp=case.light == "white light",
                proxy=_proxy(case, data),
                terms=frozenset(used),
                size=101,
            )
            for learned in (False, True):
                with one_more_core() if learned else ExitStack():
                    yield _row(case, " + ".join(used), known, learned, statistics, design, true)


def _row(
    case: Case, used: str, known: bool, learned: bool, statistics: Statistics, design: Design, true: Shape
) -> Row:
    kind = "pupils" if case.kind == "pupil" else "Gaussians, Moffats"
    key = (kind, case.light, used, known, learned)
    found = estimate.found_by(statistics, design)
    if found is None:
        return Row(*key, "", np.nan, (np.nan,) * 3, np.nan)
    first = found.fits[0]
    try:
        psf = judged(found.psf, found.doubts, None)
    except BadInput:
        return Row(*key, first.model, max(first.chi2), (np.nan,) * 3, np.nan)
    errors = [
        100.0 * (one.value / was - 1.0)
        for one, was in zip((psf.fwhm, psf.ee50, psf.ee80), true[:3], strict=True)
    ]
    if psf.wing is not Verdict.IDENTIFIED:
        errors[2] = np.nan
    sigma = 100.0 * psf.fwhm.error / psf.fwhm.value
    return Row(*key, first.model, max(first.chi2), tuple(errors), sigma)


def table(rows: Sequence[Row]) -> Iterator[str]:
    """All rows by what was known, with and without the learned core."""
    yield (
        "| cores, light: terms | λ/D | models | cases | learned core taken | core identified | "
        + " | ".join(f"{name}, %" for name in _QUANTITIES)
        + " | identified and wrong by > 10 % | within 2 σ (FWHM) |"
    )
    yield "|---" * 11 + "|"
    for key in dict.fromkeys(row[:5] for row in rows):
        kind, light, used, known, learned = key
        mine = [row for row in rows if row[:5] == key]
        errors = np.abs([row.errors for row in mine])
        seen = np.isfinite(errors[:, 0])
        cells = []
        for column in errors.T:
            kept = column[np.isfinite(column)]
            cells.append(f"{np.median(kept):.1f} / {np.percentile(kept, 90):.1f}" if kept.size else "–")
        wrong = int(np.sum(np.nan_to_num(errors).max(axis=1) > _WRONG))
        sigma = np.array([row.sigma for row in mine])
        within = f"{100.0 * np.mean(errors[seen, 0] <= 2.0 * sigma[seen]):.0f} %" if seen.any() else "–"
        light = "Lyman α" if light == "lyman" else light
        taken = str(sum(row.taken == "learned" for row in mine)) if learned else "–"
        yield (
            f"| {kind}, {light}: {used} | {'told' if known else 'not told'} | "
            f"{'and the learned one' if learned else 'those of the package'} | "
            f"{len(mine)} | {taken} | {seen.sum()} | {' | '.join(cells)} | {wrong} | {within} |"
        )


def main() -> None:
    """Carry out the trial and write its table into the page."""
    parser = argparse.ArgumentParser(prog="python -m bench.psf.prior", description=__doc__)
    parser.add_argument("page", nargs="?", type=Path, help="page whose table is made anew")
    options = parser.parse_args()
    data = Path(os.environ["HELIOLAKE_DATA"]) if "HELIOLAKE_DATA" in os.environ else None
    print(f"{COMPONENTS} components learned of {PUPILS} pupils")
    rows: list[Row] = []
    for case in cases(data):
        if case.kind != "pupil" and (case.kind == "sharp" or case.light != "white light"):
            continue
        statistics, true, q = _told(case, data)
        for row in rows_of(case, data, statistics, true, q):
            rows.append(row)
            print(case.scene, case.width, case.wing, *row[1:], flush=True)
    rows.sort(key=lambda row: (row.kind != "pupils", row.light != "white light", row.terms, not row.told))
    text = "\n".join(table(rows))
    print(text)
    if options.page:
        before, _, rest = options.page.read_text().partition(BEGIN)
        options.page.write_text(f"{before}{BEGIN}\n{text}\n{END}{rest.partition(END)[2]}")


def _told(case: Case, data: Path | None) -> tuple[Statistics, Shape, float | None]:
    """What the frames of a case tell, and what is true."""
    injected = truth(case.kind, case.width, case.wing, case.seed + 1)
    return told(case, injected, data), injected.shape, injected.q


if __name__ == "__main__":
    main()
