"""From sums over frames to a PSF: which terms, which models, and how well each width is known."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pipeline.psf.angular import Directions, directions, half_height, waves_of
from pipeline.psf.field import across_the_field
from pipeline.psf.fit import Fit, Problem, best
from pipeline.psf.hankel import Series
from pipeline.psf.model import (
    KNOWN_APERTURE,
    MODELS,
    UNKNOWN_APERTURE,
    WING,
    WITH_LIMB,
    CoreModel,
    kernel_of,
    transfer,
)
from pipeline.psf.pupil import Opening
from pipeline.psf.reference import Measured, Parameter, Psf, Verdict
from pipeline.psf.shape import Widths
from pipeline.psf.statistics import Statistics, patch_size
from pipeline.psf.terms import DarkTerm, EdgeTerm, LimbTerm, Proxy, SpectrumTerm, Term
from pipeline.psf.verdict import Doubts, doubts, judged

F64 = NDArray[np.float64]

#: Draws from the posterior, by which the errors of widths are found.
_DRAWS: Final = 200
#: A model that costs this much more, times the best one's χ², tells nothing of how far models differ.
_RIVAL: Final = 6.0
#: Relative errors of FWHM, EE50 and EE80 that remain with any number of frames, measured on known PSFs; and
#: the width, in pixels, below which they are twice as large.
_FLOORS: Final = (0.025, 0.02, 0.025)
_NARROW: Final = 3.0
#: Without the Sun's limb at least, at any width, of FWHM; and of all light, what may lie within a radius that
#: it seems to lie without. Measured on aberrated pupils and edges of bodies, partly seen circles.
_WITHOUT_LIMB: Final = 0.05
_LIGHT: Final = 0.02
#: Widths to begin with where no edge gives a first guess, pixels.
_GUESSES: Final = (2.5, 6.0)
#: Share of the frames that are as good as all of them: below it frames of other days would tell more.
_ALIKE: Final = 0.7
_LEARNED: Final = (
    "the shape of the core is a mean of simulated telescopes and three ways in which they differ",
)
#: Parameters that are the PSF's own.
_PSF: Final = 9


@dataclass(frozen=True)
class Design:
    """What is known of an instrument before its frames are looked at.

    Attributes
    ----------
    q
        λ/D in pixels, where diffraction counts.
    obstruction
        Diameter of the obstruction in the middle of the aperture over the aperture's, where it is told;
        where λ/D is known and this is not, it is fitted.
    sharp
        Whether the Sun's limb is an edge in its light.
    proxy
        The power of finer images of the same kind of structure, on the same pixels.
    laboratory
        The PSF that was measured before launch; stands where frames do not tell.
    terms
        Which terms to use of those that frames offer.
    size
        Pixels along a side of the kernel, odd.
    tiles
        Whether the PSF may differ across the field.
    """

    q: float | None = None
    obstruction: float | None = None
    sharp: bool = True
    proxy: Proxy | None = None
    laboratory: Psf | None = None
    terms: frozenset[str] = frozenset({"limb", "spectrum", "occulter"})
    size: int = 2 * int(WING) + 1
    tiles: bool = False

    @property
    def opening(self) -> Opening | None:
        """What is known of the aperture; `None` where diffraction does not count, or is not known."""
        return Opening(self.q, self.obstruction) if self.q else None


@dataclass(frozen=True, eq=False)
class Estimate:
    """A PSF, and what led to it."""

    psf: Psf
    fits: tuple[Fit, ...]
    doubts: Doubts
    sided: Directions


def estimate(statistics: Statistics, design: Design, frame: tuple[int, int] = (0, 0)) -> Psf:
    """The PSF that frames tell, the laboratory's where they do not.

    Parameters
    ----------
    statistics
        Sums over frames.
    design
        What is known of the instrument.
    frame
        (ny, nx) of the frames.

    Raises
    ------
    pipeline.errors.BadInput
        When nothing of the PSF is identified, and no laboratory value is known.
    """
    found = found_by(statistics, design, frame)
    if found is None:
        return judged(None, Doubts(core=("no frame shows anything that tells of it",)), design.laboratory)
    psf = judged(found.psf, found.doubts, design.laboratory)
    if not design.tiles:
        return psf
    series, fit = Series(statistics.reach), found.fits[0]
    return across_the_field(
        psf, fit, design.opening, statistics.quarters, found.sided, series, Widths(series)
    )


def found_by(statistics: Statistics, design: Design, frame: tuple[int, int] = (0, 0)) -> Estimate | None:
    """What the fits give, before it is judged; `None` where there is nothing to fit."""
    series = Series(statistics.reach)
    terms = Terms(statistics, design, series)
    named = terms.of(MODELS[0])
    if not named:
        return None
    widths = Widths(series)
    models = KNOWN_APERTURE if design.q else WITH_LIMB if "limb" in named else UNKNOWN_APERTURE
    fits = terms.fits(series, models)
    sided = _directions(terms, fits[0], list(named), design, series, widths)
    psf = _psf(fits, list(named), design, series, widths, frame, sided)
    spectrum = named.get("spectrum")
    above = spectrum.above if isinstance(spectrum, SpectrumTerm) else None
    alone = list(_alone(terms, design, series, widths, models))
    found = doubts(fits[0], list(named), psf, alone, above, pupil=bool(design.q))
    return Estimate(psf, tuple(fits), replace(found, advice=_advice(terms)), sided)


def _advice(terms: Terms) -> str:
    """What would tell more where most frames show one and the same structure; nothing where they do not."""
    for name, term in terms.edges.items():
        frames = term.rings.frames
        different = term.rings.suns.different(frames)
        if different < _ALIKE * frames:
            where = "the limb" if name == "limb" else "the edge of the body"
            return (
                f"give frames of other days: the {frames} that show {where} share what stands there, "
                f"and tell no more of it than {different:.1f} that do not"
            )
    return ""


class Terms:
    """The terms that frames offer and the design wants; those that no model changes are made once."""

    def __init__(self, statistics: Statistics, design: Design, series: Series) -> None:
        self.statistics, self.design = statistics, design
        self.edges: dict[str, LimbTerm | EdgeTerm] = {}
        if "limb" in design.terms and design.sharp and statistics.limb.frames:
            self.edges["limb"] = LimbTerm(statistics.limb, series)
        self.dark: Term | None = None
        if "occulter" in design.terms and statistics.edge.frames:
            self.edges["occulter"] = EdgeTerm(statistics.edge, series)
            self.dark = DarkTerm(statistics.dark, series)

    def of(self, model: CoreModel) -> dict[str, Term]:
        """Them for a model of the core, by name."""
        found: dict[str, Term] = dict(self.edges)
        if self.dark is not None:
            found["dark side"] = self.dark
        if "spectrum" in self.design.terms and self.design.proxy is not None and self.statistics.power.frames:
            size = patch_size(self.statistics.radius)
            found["spectrum"] = SpectrumTerm(
                self.statistics.power, size, self.design.proxy, model, self.design.opening
            )
        return found

    @property
    def guesses(self) -> tuple[float, ...]:
        """Widths to begin with."""
        return tuple(one.width for one in self.edges.values())[:1] or _GUESSES

    def fits(self, series: Series, models: Sequence[CoreModel], only: str = "") -> list[Fit]:
        """The solutions of several models, the best first; of one term alone if it is named."""
        problems = []
        for model in models:
            terms = [one for name, one in self.of(model).items() if only in ("", name)]
            problems.append(Problem(terms, series, model, self.design.opening))
        return best(problems, self.guesses)


def _alone(
    terms: Terms, design: Design, series: Series, widths: Widths, models: Sequence[CoreModel]
) -> Iterator[tuple[str, Measured]]:
    """The width that each term with an edge finds without the others."""
    named = set(terms.of(models[0]))
    for name in terms.edges:
        if not named - {name, "dark side"}:
            continue
        yield name, _measured(terms.fits(series, models, name), [name], design, series, widths)[0][0]


def _directions(
    terms: Terms, fit: Fit, names: Sequence[str], design: Design, series: Series, widths: Widths
) -> Directions:
    """What depends on the direction, as all edges tell it."""
    fwhm, own, told = widths(fit.transfer).fwhm, _PSF, []
    for term in terms.of(fit.model).values():
        if isinstance(term, (LimbTerm, EdgeTerm)):
            told.append(waves_of(term, series, fit.transfer, float(fit.parameters[own]), fwhm))
        own += len(term.extra)
    errors = np.sqrt(np.maximum(np.diag(fit.covariance), 0.0))
    suggested = [
        Parameter(one.name, float(value), float(error), one.meaning)
        for one, value, error in zip(fit.bounds[2:4], fit.parameters[2:4], errors[2:4], strict=True)
        if "spectrum" in names
    ]
    return directions(told, half_height(series.nodes, fit.transfer), design.laboratory, suggested)


def _psf(
    fits: Sequence[Fit],
    names: Sequence[str],
    design: Design,
    series: Series,
    widths: Widths,
    frame: tuple[int, int],
    sided: Directions,
) -> Psf:
    """The best fit as a PSF, its errors from the posterior, the measured floor, and how far models differ."""
    first = fits[0]
    measured, within = _measured(fits, names, design, series, widths)
    errors = np.sqrt(np.maximum(np.diag(first.covariance), 0.0))
    profile = np.column_stack(
        [widths.radii, widths.profile(first.transfer), widths.encircled(first.transfer), within]
    )
    shape = first.parameters[:_PSF].copy()
    shape[2:4] = [sided.height(name) for name in ("e1", "e2")]
    kernel = kernel_of(shape, design.opening, first.model, design.size, sided.lopsided)
    known = {one.name for one in sided.parameters}
    return Psf(
        kernels=kernel[None].astype(np.float32),
        core=Verdict.UNKNOWN,
        wing=Verdict.UNKNOWN,
        fwhm=measured[0],
        ee50=measured[1],
        ee80=measured[2],
        model=first.model,
        parameters=tuple(
            Parameter(one.name, float(value), float(error), one.meaning)
            for one, value, error in zip(first.bounds, first.parameters, errors, strict=True)
            if one.name not in known
        )
        + sided.parameters,
        ellipse=sided.ellipse,
        odd=sided.odd,
        reasons=(*_LEARNED, *sided.reasons) if first.model == "learned" else sided.reasons,
        frame=frame,
        profile=profile,
    )


def _measured(
    fits: Sequence[Fit], names: Sequence[str], design: Design, series: Series, widths: Widths
) -> tuple[list[Measured], F64]:
    """FWHM, EE50 and EE80 of the best fit with their errors, and the error of the encircled light."""
    first = fits[0]
    shape = widths(first.transfer)
    dearer = first.cost + _RIVAL * max(1.0, *first.chi2)
    rivals = [one for one in fits[1:] if one.model != first.model and one.cost < dearer]
    others = np.array([widths(one.transfer)[:3] for one in rivals]).reshape(-1, 3)
    drawn, within = _drawn(first, design, series, widths)
    least = (0.0, 0.0, 0.0) if "limb" in names else (_WITHOUT_LIMB, *widths.moved_by(first.transfer, _LIGHT))
    measured = []
    for n, value in enumerate(shape[:3]):
        floor = value * max(_FLOORS[n] * (2.0 if shape.fwhm < _NARROW else 1.0), least[n])
        apart = float(np.abs(others[:, n] - value).max(initial=0.0))
        spread = np.hypot(np.std(drawn[:, n]), 0.5 * apart)
        measured.append(Measured(value, float(np.hypot(spread, floor)), float(floor)))
    return measured, within


def _drawn(fit: Fit, design: Design, series: Series, widths: Widths) -> tuple[F64, F64]:
    """Widths of draws from the posterior, and the standard deviation of the encircled light."""
    problem = Problem([], series, fit.model, design.opening)
    least = np.array([one.least for one in fit.bounds[:9]])
    most = np.array([one.most for one in fit.bounds[:9]])
    rng = np.random.default_rng(1643)
    cloud = rng.multivariate_normal(fit.parameters[:9], fit.covariance[:9, :9], _DRAWS, method="svd")
    shapes, within = [], []
    for one in np.clip(cloud, least, most):
        blur = transfer(one, problem.wing, design.opening, fit.model)
        shapes.append(widths(blur)[:3])
        within.append(widths.encircled(blur))
    return np.array(shapes), np.std(within, axis=0)
