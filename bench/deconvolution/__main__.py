"""``python -m bench.deconvolution``: what the deconvolution gains and costs, told in the docs."""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from bench.deconvolution import campaign, estimated, methods
from bench.deconvolution.campaign import Case
from bench.deconvolution.measures import Judged
from bench.deconvolution.scenes import Optics, Scene, optics, scenes
from bench.setting import Setting, quiet_peers, run_like_a_worker
from pipeline.psf.reference import Psf
from pipeline.psf.shape import profile_of_kernel, shape_of

_DOCS: Final = Path(__file__).resolve().parents[2] / "docs"
_PAGE: Final = _DOCS / "deconvolution.md"
_PICTURE: Final = _DOCS / "deconvolution.png"
#: What stands around the tables, and around those that `--learnt` alone makes anew.
_ALL: Final = "<!-- measured: python -m bench.deconvolution -->", "<!-- end of what was measured -->"
_LEARNT: Final = "<!-- learnt: python -m bench.deconvolution --learnt -->", "<!-- end of what was learnt -->"
#: Light of the corona, in photons, from which on its mean is judged.
_BRIGHT_ENOUGH: Final = 5.0
_HEAD: Final = (
    "| MTF50 × | correlation × | limb × | noise × | error × | blocks % | corona "
    "| limb profile % before → after |"
)
_RULE: Final = "|---|---|---|---|---|---|---|---|"


def main() -> None:
    """Measure, and write; with ``--quick`` one case, printed and not written."""
    parser = argparse.ArgumentParser(prog="python -m bench.deconvolution", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one case, printed only")
    parser.add_argument("--learnt", action="store_true", help="only the table of PSFs that frames told")
    options = parser.parse_args()
    run_like_a_worker("bench.deconvolution")
    quiet_peers()
    data = Setting(options.quick, Path()).data
    if options.quick:
        print("\n".join(_compared(Case.of(scenes(None)[0], optics()[0], 30.0), methods.METHODS)))
        return
    if not options.learnt:
        _write(_ALL, [*_told(scenes(data), optics())])
    _write(_LEARNT, [*_learnt(scenes(None))])


def _write(marks: tuple[str, str], lines: list[str]) -> None:
    begin, end = marks
    page = _PAGE.read_text()
    before, after = page.partition(begin)[0], page.partition(end)[2]
    _PAGE.write_text("\n".join([before + begin, *lines, end]) + after)


def _learnt(some: list[Scene]) -> Iterator[str]:
    yield f"| scene | PSF | S/N | the PSF it was told {_HEAD}"
    yield f"|---|---|---|---{_RULE}"
    for scene in some:
        for one in estimated.through():
            for snr in (30.0, 100.0):
                case = Case.of(scene, one, snr)
                found = estimated.learnt(case)
                _say(f"{scene.name} {one.name} {snr:g} {found.why or found.told}")
                place = f"| {scene.name} | {one.name} | {snr:g} |"
                yield f"{place} the true one {_cells(case, found.true)}"
                if found.psf is None or found.told is None:
                    yield f"{place} refused: {found.why} {'| – ' * 8}|"
                    continue
                yield f"{place} learnt: {_off(found.psf, one)} {_cells(case, found.told)}"


def _off(psf: Psf, one: Optics) -> str:
    """How far off its widths are."""
    true = shape_of(*profile_of_kernel(one.kernel))
    widths = (("FWHM", psf.fwhm, true.fwhm), ("EE50", psf.ee50, true.ee50), ("EE80", psf.ee80, true.ee80))
    return ", ".join(f"{name} {100 * (found.value / value - 1):+.1f} %" for name, found, value in widths)


def _told(all_scenes: list[Scene], through: list[Optics]) -> Iterator[str]:
    sun, pupil = all_scenes[0], through[0]
    for snr in (10.0, 30.0, 100.0, 300.0):
        case = Case.of(sun, pupil, snr)
        yield f"**{sun.name}, {pupil.name}, signal-to-noise {snr:g}**\n"
        peers = methods.METHODS | (methods.OTHERS if snr == 100 else {})
        yield from _compared(case, peers)
        yield ""
    yield "**Other scenes and PSFs**: ours and the best linear filter\n"
    yield f"| scene | PSF | S/N | method {_HEAD}"
    yield f"|---|---|---|---{_RULE}"
    few = dict(list(methods.METHODS.items())[:2])
    for scene in all_scenes:
        for one in through:
            if (scene, one) == (sun, pupil):
                continue
            for snr in (30.0, 100.0):
                _say(f"{scene.name} {one.name} {snr:g}")
                case = Case.of(scene, one, snr)
                for name, found in campaign.compared(case, few).items():
                    yield f"| {scene.name} | {one.name} | {snr:g} | {name} {_cells(case, found)}"
    yield ""
    yield from _claim(all_scenes, through)
    yield from _apart(all_scenes, pupil)
    yield from _wrong(sun, through[1])


def _compared(case: Case, peers: dict[str, methods.Method]) -> Iterator[str]:
    yield f"| method {_HEAD}"
    yield f"|---{_RULE}"
    for name, found in campaign.compared(case, peers).items():
        _say(f"{case.scene.name} {case.snr:g} {name} {found}")
        yield f"| {name} {_cells(case, found)}"


def _cells(case: Case, found: Judged) -> str:
    light = float(case.scene.truth[case.scene.corona].mean()) * case.snr**2
    corona = f"{found.corona:.3f}" if light >= _BRIGHT_ENOUGH else "–"
    # The limb of a real image is no step: its corona is as bright as the disk.
    limb = "simulated" in case.scene.name
    return (
        f"| {found.mtf50:.2f} | {found.correlation:.2f} | {f'{found.limb:.2f}' if limb else '–'} "
        f"| {found.noise:.2f} | {found.error:.2f} | {found.photometry:.2f} | {corona} "
        f"| {f'{found.before:.1f} → {found.overshoot:.1f}' if limb else '–'} |"
    )


def _claim(some: list[Scene], through: list[Optics]) -> Iterator[str]:
    names = list(methods.PRIORS)
    yield (
        "**Sharper with no more noise**: of each prior the largest gain in MTF50 that leaves no more noise "
        "in quiet areas than the image had, however cautious it has to be for that\n"
    )
    yield f"| scene | PSF | S/N | {' | '.join(names)} |"
    yield "|---|---|---|" + "---|" * len(names)
    curves: dict[tuple[str, str], dict[str, list[float]]] = {}
    for scene in some:
        for one in through:
            curve = curves.setdefault((scene.name, one.name), {name: [] for name in names})
            for snr in campaign.RATIOS:
                found = _quietly(Case.of(scene, one, snr))
                _say(f"{scene.name} {one.name} {snr:g} {found}")
                for name in names:
                    curve[name].append(found[name][0])
                cells = " | ".join(_gain(found[name][0]) for name in names)
                yield f"| {scene.name} | {one.name} | {snr:g} | {cells} |"
    _draw(curves)
    yield ""


def _quietly(case: Case) -> dict[str, tuple[float, float]]:
    return {name: campaign.quietly(case, family) for name, family in methods.PRIORS.items()}


def _gain(value: float) -> str:
    if math.isnan(value):
        return "none"
    return f"**{value:.2f}**" if value >= campaign.CLAIMED else f"{value:.2f}"


def _apart(some: list[Scene], pupil: Optics) -> Iterator[str]:
    yield "**Where the gain is** (ours, aberrated pupil): the disk's brightest tenth, and its fainter half\n"
    yield "| scene | S/N | MTF50 × bright | faint | error × bright | faint |"
    yield "|---|---|---|---|---|---|"
    for scene in some:
        for snr in campaign.RATIOS:
            one = campaign.apart(Case.of(scene, pupil, snr))
            yield (
                f"| {scene.name} | {snr:g} | {one.bright:.2f} | {one.faint:.2f} "
                f"| {one.bright_error:.2f} | {one.faint_error:.2f} |"
            )
    yield ""


def _wrong(sun: Scene, gaussian: Optics) -> Iterator[str]:
    case = Case.of(sun, gaussian, 100.0)
    yield f"**What a wrong PSF costs** ({sun.name}, {gaussian.name}, signal-to-noise 100)\n"
    yield f"| the PSF it was told {_HEAD}"
    yield f"|---{_RULE}"
    for name, found in campaign.wrong(case).items():
        yield f"| {name} {_cells(case, found)}"


def _draw(curves: dict[tuple[str, str], dict[str, list[float]]]) -> None:
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(2, len(curves) // 2, figsize=(10, 6.4), sharex=True, sharey=True)
    for axis, ((scene, psf), curve) in zip(axes.T.flat, curves.items(), strict=True):
        for name, gains in curve.items():
            axis.semilogx(campaign.RATIOS, gains, "o-", label=name)
        axis.axhline(campaign.CLAIMED, color="0.5", ls=":")
        axis.set_title(f"{scene}\n{psf}", fontsize=9)
    axes[0, 0].legend(fontsize=7, frameon=False)
    figure.supxlabel("signal to noise", fontsize=10)
    figure.supylabel("gain in MTF50 that leaves no more noise", fontsize=10)
    figure.tight_layout()
    figure.savefig(_PICTURE, dpi=110)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
