"""The picture of a PSF: its kernel, its profile, the light it encircles, and what was thought of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np

from pipeline.errors import Fatal
from pipeline.psf.reference import Psf

#: Pixels from the middle that the picture of a kernel shows.
_SHOWN: Final = 24
_DECADES: Final = 5.0


def draw(psf: Psf, path: Path) -> None:
    """Draw a PSF as a PNG file.

    Raises
    ------
    pipeline.errors.Fatal
        When there is nothing to draw with.
    """
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise Fatal(
            "pictures need matplotlib, which is not installed: pip install 'heliolake[embedded]'"
        ) from error
    figure = Figure(figsize=(12.0, 4.2), layout="constrained")
    FigureCanvasAgg(figure)
    first, second, third = figure.subplots(1, 3)
    _kernel(first, psf)
    _profile(second, psf)
    _encircled(third, psf)
    figure.suptitle(
        f"core {psf.core}, wing {psf.wing}; FWHM {psf.fwhm}, EE50 {psf.ee50}, EE80 {psf.ee80} px"
        + ("; SIMULATED" if psf.simulated else ""),
        fontsize=10,
    )
    figure.savefig(path, dpi=110)


def _kernel(axes: Any, psf: Psf) -> None:
    half = psf.kernel.shape[0] // 2
    shown = min(_SHOWN, half)
    cut = psf.kernel[half - shown : half + shown + 1, half - shown : half + shown + 1]
    least = cut.max() * 10.0**-_DECADES
    axes.imshow(
        np.log10(np.maximum(cut, least)), origin="lower", extent=(-shown, shown, -shown, shown), cmap="magma"
    )
    axes.set(title="kernel, logarithm", xlabel="pixels")


def _profile(axes: Any, psf: Psf) -> None:
    axes.set(title="azimuthal mean", xlabel="radius, pixels", ylabel="share of the light per pixel")
    if len(psf.profile):
        radius, values = psf.profile[:, 0], np.maximum(psf.profile[:, 1], psf.profile[0, 1] * 1e-8)
        axes.loglog(np.maximum(radius, 0.1), values)
        axes.axvline(0.5 * psf.fwhm.value, color="0.6", lw=0.8, label="half maximum")
        axes.legend()


def _encircled(axes: Any, psf: Psf) -> None:
    axes.set(title="encircled light", xlabel="radius, pixels", ylabel="share", ylim=(0.0, 1.02))
    if len(psf.profile):
        radius, _, share, error = psf.profile.T
        axes.semilogx(np.maximum(radius, 0.1), share)
        axes.fill_between(np.maximum(radius, 0.1), share - error, share + error, alpha=0.3)
    for one, at in ((psf.ee50, 0.5), (psf.ee80, 0.8)):
        axes.errorbar([one.value], [at], xerr=[[one.error], [one.error]] if np.isfinite(one.error) else None)
