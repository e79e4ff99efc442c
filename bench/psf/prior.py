"""What the learned core is worth: ``python -m bench.psf.prior docs/psf.md``.

The validation's cases in white light, with random numbers of their own, are found again without λ/D being
told: with the learned core (`pipeline.psf.learned`), and with the others alone.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path
from typing import Final, NamedTuple
from unittest.mock import patch

import numpy as np
from numpy.typing import NDArray

from bench.psf.cases import Case, _proxy, cases, told
from bench.psf.truth import truth
from pipeline.errors import BadInput
from pipeline.psf import estimate
from pipeline.psf.estimate import Design
from pipeline.psf.model import UNKNOWN_APERTURE, WITH_LIMB
from pipeline.psf.reference import Verdict
from pipeline.psf.shape import Shape
from pipeline.psf.statistics import Statistics
from pipeline.psf.verdict import judged

F64 = NDArray[np.float64]

BEGIN: Final = "<!-- learned core: made by bench.psf.prior -->"
END: Final = "<!-- end of the learned core -->"
_QUANTITIES: Final = ("FWHM", "EE50", "EE80")
_KINDS: Final = {
    "pupil": "aberrated pupils",
    "sharp": "pupils, nearly sharp",
    "gauss": "Gaussians, Moffats",
    "moffat": "Gaussians, Moffats",
}
#: Of random numbers; none of them is the validation's.
DRAWS: Final = ("one", "two", "three")
_WRONG: Final = 10.0


class Row(NamedTuple):
    """What came of a case: errors in percent, NaN where refused."""

    kind: str
    learned: bool
    taken: str
    errors: tuple[float, ...]
    sigma: float


def rows_of(case: Case, data: Path | None) -> list[Row]:
    """A case without the learned core, and with it."""
    injected = truth(case.kind, case.width, case.wing, case.seed + 1)
    statistics = told(case, injected, data)
    design = Design(proxy=_proxy(case, data), terms=frozenset({"limb", "spectrum"}), size=101)
    rows = []
    for models in (UNKNOWN_APERTURE, WITH_LIMB):
        with patch.object(estimate, "WITH_LIMB", models):
            rows.append(_row(_KINDS[case.kind], models is WITH_LIMB, statistics, design, injected.shape))
    return rows


def _row(kind: str, learned: bool, statistics: Statistics, design: Design, true: Shape) -> Row:
    found = estimate.found_by(statistics, design)
    if found is None:
        return Row(kind, learned, "", (np.nan,) * 3, np.nan)
    taken = found.fits[0].model
    try:
        psf = judged(found.psf, found.doubts, None)
    except BadInput:
        return Row(kind, learned, taken, (np.nan,) * 3, np.nan)
    errors = [
        100.0 * (one.value / was - 1.0)
        for one, was in zip((psf.fwhm, psf.ee50, psf.ee80), true[:3], strict=True)
    ]
    if psf.wing is not Verdict.IDENTIFIED:
        errors[2] = np.nan
    return Row(kind, learned, taken, tuple(errors), 100.0 * psf.fwhm.error / psf.fwhm.value)


def table(rows: Sequence[Row]) -> Iterator[str]:
    """All rows by what was injected, with and without the learned core."""
    yield (
        "| injected | cores | cases | learned core taken | core identified | "
        + " | ".join(f"{name}, %" for name in _QUANTITIES)
        + " | identified and wrong by > 10 % | within 2 σ (FWHM) |"
    )
    yield "|---" * 10 + "|"
    for kind in dict.fromkeys(_KINDS.values()):
        for learned in (False, True):
            mine = [row for row in rows if (row.kind, row.learned) == (kind, learned)]
            if mine:
                yield f"| {kind} | {'and the learned one' if learned else 'all others'} | {_cells(mine)} |"


def _cells(rows: Sequence[Row]) -> str:
    errors = np.abs([row.errors for row in rows])
    seen = np.isfinite(errors[:, 0])
    cells = [str(len(rows)), str(sum(row.taken == "learned" for row in rows)), str(seen.sum())]
    for column in errors.T:
        kept = column[np.isfinite(column)]
        cells.append(f"{np.median(kept):.1f} / {np.percentile(kept, 90):.1f}" if kept.size else "–")
    cells.append(str(int(np.sum(np.nan_to_num(errors).max(axis=1) > _WRONG))))
    sigma = np.array([row.sigma for row in rows])
    cells.append(f"{100.0 * np.mean(errors[seen, 0] <= 2.0 * sigma[seen]):.0f} %" if seen.any() else "–")
    return " | ".join(cells)


def main() -> None:
    """Carry out the trial and write its table into the page."""
    parser = argparse.ArgumentParser(prog="python -m bench.psf.prior", description=__doc__)
    parser.add_argument("page", nargs="?", type=Path, help="page whose table is made anew")
    parser.add_argument("--processes", type=int, default=2, help="cases at once (%(default)s)")
    options = parser.parse_args()
    for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "NUMBA_NUM_THREADS"):
        os.environ[name] = "1"
    data = Path(os.environ["HELIOLAKE_DATA"]) if "HELIOLAKE_DATA" in os.environ else None
    wanted = [
        replace(case, draw=draw) for draw in DRAWS for case in cases(data) if case.light == "white light"
    ]
    rows: list[Row] = []
    with ProcessPoolExecutor(options.processes, mp_context=get_context("spawn")) as pool:
        results = pool.map(rows_of, wanted, [data] * len(wanted))
        for number, (case, found) in enumerate(zip(wanted, results, strict=True), 1):
            rows.extend(found)
            for row in found:
                print(f"[{number}/{len(wanted)}]", case.scene, case.width, case.wing, *row, flush=True)
    text = "\n".join(table(rows))
    print(text)
    if options.page:
        before, _, rest = options.page.read_text().partition(BEGIN)
        options.page.write_text(f"{before}{BEGIN}\n{text}\n{END}{rest.partition(END)[2]}")


if __name__ == "__main__":
    main()
