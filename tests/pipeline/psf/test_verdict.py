"""What is believed of a fit, part by part."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.psf.fit import Fit
from pipeline.psf.model import CoreModel, parameters_of, start_of
from pipeline.psf.pupil import Opening
from pipeline.psf.reference import Measured, Psf, Verdict
from pipeline.psf.verdict import Doubts, doubts

EDGE = ("occulter", "dark side")
LIMB = ("limb",)


def thought_of(
    model: CoreModel,
    variance: float,
    names: tuple[str, ...],
    *,
    pupil: bool,
    chi2: float = 1.0,
    fwhm: float = 4.0,
    moved: tuple[float, float] = (0.025, 0.025),
) -> Doubts:
    """A fit that is good in all else; of a pupil's wavefront the variance, of others a halo."""
    opening = Opening(3.0) if pupil else None
    parameters = start_of(model, 4.0)
    parameters[4:6] = (0.5 * variance, 0.5 * variance) if model == "pupil" else (0.3, 1.2)
    fit = Fit(
        model,
        parameters,
        parameters_of(model, opening),
        np.eye(9) * 1e-4,
        cost=50.0,
        chi2=(chi2,) * len(names),
        transfer=np.ones(5),
    )
    width, half, most = (Measured(fwhm, one * fwhm, one * fwhm) for one in (0.025, *moved))
    psf = Psf(
        np.ones((1, 1, 1), np.float32),
        Verdict.UNKNOWN,
        Verdict.UNKNOWN,
        fwhm=width,
        ee50=half,
        ee80=most,
    )
    return doubts(fit, names, psf, [], None, pupil=pupil)


def test_an_aberrated_pupil_keeps_its_wing_to_itself_at_the_edge_of_a_body() -> None:
    found = thought_of("pupil", 0.3, EDGE, pupil=True)
    assert not found.core
    assert "aberrated" in found.wing[0]
    assert thought_of("halo", 0.0, EDGE, pupil=True).wing == found.wing


def test_where_little_light_lies_about_a_width_a_body_does_not_tell_it() -> None:
    wing = thought_of("pupil", 0.05, EDGE, pupil=True, moved=(0.03, 0.12))
    assert not wing.core
    assert "EE80" in wing.wing[0]
    assert "moves it by 12.0 %" in wing.wing[0]
    core = thought_of("pupil", 0.05, EDGE, pupil=True, moved=(0.06, 0.03))
    assert "EE50" in core.core[0]
    assert not core.wing
    assert thought_of("pupil", 0.05, LIMB, pupil=True, moved=(0.06, 0.12)) == Doubts()


def test_a_narrow_pupil_that_is_aberrated_is_not_believed_without_the_limb() -> None:
    names = (*EDGE, "spectrum")
    assert "aberrated" in thought_of("pupil", 0.3, names, pupil=True, fwhm=2.6).core[0]
    for variance, seen, fwhm in ((0.3, LIMB, 2.6), (0.05, names, 2.6), (0.3, names, 4.0)):
        assert not thought_of("pupil", variance, seen, pupil=True, fwhm=fwhm).core


@pytest.mark.parametrize(
    ("model", "variance", "names", "pupil"),
    [
        ("pupil", 0.3, LIMB, True),
        ("pupil", 0.05, EDGE, True),
        ("halo", 0.0, EDGE, False),
        ("moffat", 0.0, EDGE, True),
    ],
)
def test_other_wings_are_believed(
    model: CoreModel, variance: float, names: tuple[str, ...], pupil: bool
) -> None:
    assert thought_of(model, variance, names, pupil=pupil) == Doubts()


@pytest.mark.parametrize(("names", "chi2"), [(EDGE, 2.5), (LIMB, 8.0)])
def test_a_misfit_that_others_may_have_is_none_of_a_known_pupil(names: tuple[str, ...], chi2: float) -> None:
    assert "chi2" in thought_of("pupil", 0.05, names, pupil=True, chi2=chi2).core[0]
    assert not thought_of("moffat", 0.0, names, pupil=False, chi2=chi2).core
