"""``python -m bench.inversion``: the campaign on synthetic pixels and the real spectra, told in the docs."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import numpy as np

from bench.inversion import campaign, learnt, memory, pixels, real
from bench.setting import Setting, run_like_a_worker

_DOCS: Final = Path(__file__).resolve().parents[2] / "docs"
_PAGE: Final = _DOCS / "milne_eddington.md"
_PICTURE: Final = _DOCS / "milne_eddington.jpg"
#: Parts of the page, each between marks of its own.
_PARTS: Final = ("atmosphere", "helium", "network", "memory")
_END: Final = "<!-- end of what was measured -->"
#: Where the spectral PSF of Hinode SP lies; it has no licence and is not part of the project.
_PSF: Final = "HELIOLAKE_HINODE_PSF"
#: From black to red: what was seen and what was fitted.
_COLOURS: Final = ("#222222", "#d62728")


def main() -> None:
    """Measure, and write; with ``--quick`` few pixels, printed and not written."""
    parser = argparse.ArgumentParser(prog="python -m bench.inversion", description=__doc__)
    parser.add_argument("parts", nargs="*", choices=_PARTS, default=_PARTS, help="all when none is named")
    parser.add_argument("--pixels", type=int, default=10_000, help="of each case (%(default)s)")
    parser.add_argument("--quick", action="store_true", help="300 pixels of two cases, printed only")
    options = parser.parse_args()
    run_like_a_worker("bench.inversion")
    count = 300 if options.quick else options.pixels
    data = Setting(options.quick, Path()).data
    for part in options.parts:
        if part == "helium":
            cases: Sequence[pixels.Pixels] = pixels.SLABS[:1] if options.quick else pixels.SLABS
            lines = [*_table(cases, count), "", *_real_helium(data)]
        elif part == "network":
            lines = list(learnt.table(2000 if options.quick else 40_000, count))
        elif part == "memory":
            lines = list(memory.table(5e7 if options.quick else 1e9))
        else:
            cases = pixels.CASES[:2] if options.quick else pixels.CASES
            lines = [*_table(cases, count), "", *_real(data, draw=not options.quick)]
        if options.quick:
            print("\n".join(lines))
        else:
            _write(part, lines)


def _write(part: str, lines: list[str]) -> None:
    """Put lines between the marks of their part."""
    begin = f"<!-- measured: python -m bench.inversion {part} -->"
    page = _PAGE.read_text()
    before, rest = page.partition(begin)[0], page.partition(begin)[2]
    _PAGE.write_text("\n".join([before + begin, *lines, _END]) + rest.partition(_END)[2])


def _table(cases: Sequence[pixels.Pixels], count: int) -> Iterator[str]:
    yield (
        f"{count:,} pixels each, noise {pixels.NOISE:g}, fields of 0 to 3 kG, one core. *Fitted*: χ² below "
        f"{campaign.FITTED:g}; *ceiling*: the part for which that holds at the truth itself, which noise "
        "alone decides. Bias and scatter are in units of the Cramér–Rao bound at the truth, of the parameter "
        "for which they are worst, above 300 G."
    )
    yield ""
    yield "| case | pixels/s | first start | fitted | ceiling | bias | scatter |"
    yield "|---|---|---|---|---|---|---|"
    for case in cases:
        one = campaign.tried(case, count)
        print(one, file=sys.stderr, flush=True)
        yield (
            f"| {one.name} | {one.rate:,.0f} | {100 * one.first:.2f} % | {100 * one.final:.2f} % "
            f"| {100 * one.ceiling:.2f} % | {one.bias:+.3f} | {one.low:.3f}–{one.high:.3f} |"
        )


def _real(data: Path | None, *, draw: bool) -> Iterator[str]:
    if data is None:
        yield "Real spectra were not at hand."
        return
    named = os.environ.get(_PSF)
    psf = Path(named) if named else None
    yield (
        "Slit of Hinode SP (2014-03-01, level 0: wavelengths descend, the polarisation of the continuum is "
        "taken off as crosstalk, the slit's curvature is left in), both "
        f"lines with all components, I weighted {real.INTENSITY:g} times less than Q, U and V. Medians of χ² "
        f"over 384 pixels, with a noise of {real.NOISE:g} as the prototype took it, and with the white noise "
        "that is measured:"
    )
    yield ""
    yield "| model | χ² at that noise | at white noise | of I, Q, U, V at that noise |"
    yield "|---|---|---|---|"
    white = real.hinode(data).noise
    fitted = None
    for name, with_psf, filling in (
        ("no PSF", False, False),
        ("spectral PSF", True, False),
        ("spectral PSF, filling factor", True, True),
    ):
        if with_psf and psf is None:
            continue
        fitted = real.hinode_fitted(data, psf=psf if with_psf else None, filling=filling)
        other = real.hinode_fitted(data, psf=psf if with_psf else None, filling=filling, noise=white)
        parts = ", ".join(f"{one:.2f}" for one in real.by_stokes(fitted))
        yield (
            f"| {name} | {np.median(fitted.result.chi2):.2f} "
            f"| {np.median(other.result.chi2):.2f} ({white:.1e}) | {parts} |"
        )
    spot = real.gregor_fitted(data)
    found = dict(zip(("field", "inclination"), spot.result.parameters[0], strict=False))
    yield ""
    yield (
        f"GREGOR's profile of a spot (Si I 10827): {found['field']:.0f} G at {found['inclination']:.0f}°, χ² "
        f"{spot.result.chi2[0]:.1f}; the core is deeper than a linear source function makes it, and the line "
        "strength runs to its bound."
    )
    if draw and fitted is not None:
        _draw(fitted, spot)
        yield ""
        yield f"![What was seen and what was fitted]({_PICTURE.name})"
        yield ""
        yield (
            "Above: Hinode's slit, quiet Sun and plage, seen (dots) and fitted (lines); "
            "below: GREGOR's Si I and He I."
        )


def _real_helium(data: Path | None) -> Iterator[str]:
    if data is None:
        yield "The real spectrum was not at hand."
        return
    one = real.helium_fitted(data)
    found = dict(zip(one.inversion.model.parameters, one.result.parameters[0], strict=True))
    errors = dict(zip(one.inversion.model.parameters, one.result.errors[0], strict=True))
    by_stokes = ", ".join(f"{part:.1f}" for part in real.by_stokes(one))
    yield (
        f"GREGOR's profile of a spot: {found['field']:.0f} ± {errors['field']:.0f} G at "
        f"{found['inclination']:.0f}°, {found['velocity']:+.2f} km/s, Doppler width {found['width']:.0f} mÅ, "
        f"optical depth {found['depth']:.2f}, source function {found['source']:.2f}; χ² "
        f"{one.result.chi2[0]:.1f} with I weighted {real.INTENSITY:g} times less than Q, U and V, "
        f"of I, Q, U, V {by_stokes}."
    )


def _draw(fitted: real.Fitted, spot: real.Fitted) -> None:
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    order = np.argsort(fitted.result.parameters[:, 0])
    figure, axes = plt.subplots(3, 4, figsize=(14, 8), constrained_layout=True)
    chosen = ((fitted, order[order.size // 2]), (fitted, order[-8]), (spot, 0))
    for row, (one, pixel) in zip(axes, chosen, strict=True):
        found = one.result
        for stokes, axis in enumerate(row):
            axis.plot(one.spectra.wavelengths, one.spectra.profiles[pixel, stokes], ".", ms=3, c=_COLOURS[0])
            axis.plot(one.spectra.wavelengths, one.fitted[pixel, stokes], c=_COLOURS[1], lw=1)
            axis.set_title(f"Stokes {'IQUV'[stokes]}", fontsize=9)
            axis.tick_params(labelsize=7)
        row[0].set_ylabel(f"{found.parameters[pixel, 0]:.0f} G, χ² {found.chi2[pixel]:.1f}")
    figure.savefig(_PICTURE, dpi=80, pil_kwargs={"quality": 85})
    plt.close(figure)


if __name__ == "__main__":
    main()
