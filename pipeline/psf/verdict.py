"""Whether a PSF that was fitted can be believed, part by part, and what stands where it cannot.

The limits are those that a validation on known PSFs has shown to leave no wrong answer through
(``python -m bench.psf``). Agreement of several first guesses is none of them: they agree when wrong, too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from pipeline.errors import BadInput
from pipeline.psf.fit import Fit
from pipeline.psf.reference import Measured, Psf, Verdict

#: Largest relative standard deviations, the measured floor left out.
_CORE: Final = 0.05
_WING: Final = 0.07
#: Mean squares of residuals: above, the model or the scene is wrong.
_CHI2: Final = {"limb": 12.0, "spectrum": 3.0, "occulter": 4.0, "dark side": 4.0}
#: The same where λ/D is known: what a pupil is not, fits worse than this, or is wrong.
_CHI2_PUPIL: Final = {**_CHI2, "limb": 4.0, "occulter": 1.8, "dark side": 1.8}
#: Share of the spectrum's bins that have to lie above twice the noise.
_ABOVE: Final = 0.15
#: Terms that contradict each other by more than this do not describe one PSF.
_APART: Final = 0.06
#: Relative standard deviation of FWHM that an edge has to reach without the spectrum, whose scene is a model.
_ALONE: Final = 0.08
#: Variance of a pupil's wavefront, rad², above which the edge of a body does not tell where its light goes:
#: of such pupils EE80 was off by more than a tenth, with models that agreed.
_ABERRATED: Final = 0.15
#: Of EE50 and EE80, by how much they move with the little light that may lie elsewhere: where that share is
#: in a ring or a wing, all else may be right and they wrong by a third.
_MOVED: Final = {"EE50": 0.05, "EE80": 0.06}
#: Pixels: the edge of a body is found to some tenths of one, which narrow PSFs feel.
_NARROW: Final = 3.0
#: Parameters that may not lie on a bound; shares and exponents may, for there a model ends.
_FREE: Final = ("lnk0", "e1", "e2", "limb", "edge", "c0", "c1", "c2")
#: Parameters that say nothing while another is near 0.
_IDLE_SHARE: Final = 0.02
_IDLE: Final = {"w": ("lnr0", "p"), "f": ("l",)}


@dataclass(frozen=True)
class Doubts:
    """Why parts are not identified; none where they are."""

    core: tuple[str, ...] = ()
    wing: tuple[str, ...] = ()
    advice: str = ""
    """What would tell more; empty where nothing is known of that."""


def doubts(
    fit: Fit,
    names: Sequence[str],
    psf: Psf,
    alone: Sequence[tuple[str, Measured]],
    above: float | None,
    *,
    pupil: bool = False,
) -> Doubts:
    """Why a fit cannot be believed.

    Parameters
    ----------
    fit
        The best one.
    names
        Of its terms.
    psf
        What it made, errors with their floors.
    alone
        Terms, and the width at half maximum that each finds without the others.
    above
        Share of the spectrum above twice the noise, where it is a term.
    pupil
        Whether λ/D is known, so that what is not as diffraction makes it are aberrations.
    """
    core = []
    for what, one in (("FWHM", psf.fwhm), ("EE50", psf.ee50)):
        error = _statistical(one)
        if not error <= _CORE:
            core.append(f"the error of {what} is {100.0 * error:.0f} %, more than {100 * _CORE:.0f} %")
    core += _moved("EE50", psf.ee50, names)
    core += [f"the parameter {name} lies on its bound" for name in _on_bounds(fit)]
    for name, chi2 in zip(names, fit.chi2, strict=True):
        if not chi2 <= (_CHI2_PUPIL if pupil else _CHI2)[name]:
            core.append(f"the {name} is not what any model makes of it (chi2 {chi2:.1f})")
    if set(names) == {"occulter", "dark side"} and psf.fwhm.value < _NARROW:
        core.append(f"the edge of a body alone does not tell a FWHM below {_NARROW:g} pixels")
    if pupil and "limb" not in names and _is_aberrated(fit) and psf.fwhm.value < _NARROW:
        core.append(
            f"a pupil is aberrated, and without the Sun's limb no FWHM below {_NARROW:g} pixels is told"
        )
    if above is not None and set(names) == {"spectrum"} and above < _ABOVE:
        core.append(f"structure stands above the noise in {100 * above:.0f} % of the spectrum alone")
    for name, seen in alone:
        error = _statistical(seen)
        if not abs(seen.value / psf.fwhm.value - 1.0) <= _APART:
            core.append(
                f"the {name} alone gives a FWHM of {seen.value:.2f} pixels, all terms {psf.fwhm.value:.2f}"
            )
        if not error <= _ALONE:
            core.append(f"the {name} alone knows FWHM to {100.0 * error:.0f} %: structure would decide it")
    return Doubts(tuple(core), tuple(_of_the_wing(fit, names, psf, pupil)))


def _of_the_wing(fit: Fit, names: Sequence[str], psf: Psf, pupil: bool) -> list[str]:
    """Why the wing is not identified."""
    wing = []
    error = _statistical(psf.ee80)
    if not error <= _WING:
        wing.append(f"the error of EE80 is {100.0 * error:.0f} %, more than {100 * _WING:.0f} %")
    wing += _moved("EE80", psf.ee80, names)
    if not {"limb", "occulter"} & set(names):
        wing.append("neither a sharp limb nor a dark body before the Sun was seen")
    if pupil and "limb" not in names and _is_aberrated(fit):
        wing.append("a pupil is aberrated, and the edge of a body alone does not tell where that light goes")
    return wing


def _moved(what: str, one: Measured, names: Sequence[str]) -> list[str]:
    """Whether a width is one that the edge of a body does not tell, however well it is seen."""
    moved = one.floor / one.value
    if "limb" in names or moved <= _MOVED[what]:
        return []
    why = f"so little light lies about {what} that what is not told without the Sun's limb moves it by"
    return [f"{why} {100.0 * moved:.1f} %, more than {100 * _MOVED[what]:.0f} %"]


def judged(psf: Psf | None, found: Doubts, laboratory: Psf | None) -> Psf:
    """What a reference holds: what was found, or what was known before.

    Raises
    ------
    BadInput
        When the core is not identified, and none was known before.
    """
    core, wing = "; ".join(found.core), "; ".join(found.wing)
    if psf is not None and not core:
        if not wing:
            return replace(psf, core=Verdict.IDENTIFIED, wing=Verdict.IDENTIFIED)
        verdict = Verdict.LABORATORY if laboratory else Verdict.UNKNOWN
        what = "it is that of the laboratory" if laboratory else "it is a guess, for no other is known"
        why = (*psf.reasons, f"the wing is not identified, {what}: {wing}")
        return replace(psf, core=Verdict.IDENTIFIED, wing=verdict, reasons=why)
    if laboratory is None:
        raise BadInput(
            f"the frames do not determine the core of a PSF ({core}), and no laboratory value is known",
            found=core,
            advice=found.advice
            or "give more frames, or such as show an edge: the limb in white light, an eclipse, transit",
        )
    why = (*laboratory.reasons, f"the core is not identified, it is that of the laboratory: {core}")
    return replace(laboratory, core=Verdict.LABORATORY, wing=Verdict.LABORATORY, reasons=why)


def _is_aberrated(fit: Fit) -> bool:
    """Whether a core behind a known aperture is what strong aberrations make of it."""
    values = {one.name: float(value) for one, value in zip(fit.bounds, fit.parameters, strict=True)}
    if fit.model == "pupil":
        return values["low"] + values["high"] > _ABERRATED
    return fit.model == "halo" and values["f"] > _IDLE_SHARE


def _statistical(one: Measured) -> float:
    floor = one.floor if np.isfinite(one.floor) else 0.0
    return float(np.sqrt(max(one.error**2 - floor**2, 0.0)) / one.value)


def _on_bounds(fit: Fit) -> list[str]:
    values = {one.name: value for one, value in zip(fit.bounds, fit.parameters, strict=True)}
    idle = {name for owner, names in _IDLE.items() if values.get(owner, 1.0) < _IDLE_SHARE for name in names}
    if fit.model in ("halo", "aperture", "pupil"):
        idle.add("lnk0")  # where diffraction alone is the core
    if fit.model == "halo" and values["f"] < _IDLE_SHARE:
        idle.add("n")
    found = []
    for one, value in zip(fit.bounds, fit.parameters, strict=True):
        near = 1e-3 * (one.most - one.least)
        at = "least" if value - one.least < near else "most" if one.most - value < near else ""
        if at and one.name in _FREE and one.name not in idle:
            found.append(one.name)
    return found
