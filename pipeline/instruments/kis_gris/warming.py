"""The inversions of GRIS' recipes, compiled ahead for files as the spectrograph makes them.

A kernel is made for a number of wavelengths. Those of a recipe's lines, at the dispersion that GRIS usually
has, are known before there is a file; of others the first unit in a worker compiles for some ten seconds.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pipeline.instruments.kis_gris.lines import DISPERSION, region_of
from pipeline.inversion.atmosphere import Atmosphere
from pipeline.inversion.inversion import Inversion
from pipeline.inversion.lines import line
from pipeline.inversion.model import Model
from pipeline.inversion.slab import Slab
from pipeline.recipe import recipes
from pipeline.steps.invert_helium_slab import SlabParams
from pipeline.steps.invert_milne_eddington import MilneEddingtonParams

#: Profiles that are enough for a library.
_FEW: Final = 32


def models() -> Iterator[Model]:
    """What the recipes' inversions are made for."""
    for recipe in recipes().values():
        if recipe.instrument != "kis_gris":
            continue
        for bound in recipe.bind():
            params = bound.params
            if isinstance(params, MilneEddingtonParams):
                lines = [line(name) for name in params.lines]
                middle = lines[0].wavelength
                yield Atmosphere(lines, _sampled(middle - params.reach, middle + params.reach))
            elif isinstance(params, SlabParams):
                yield Slab(_sampled(*params.span), paschen_back=params.paschen_back)


def _sampled(first: float, last: float) -> NDArray[np.float64]:
    """Wavelengths of a span as the spectrograph has them."""
    step = DISPERSION[region_of(first) or "1565"]
    return np.asarray(first + step * np.arange(round((last - first) / step) + 1), np.float64)


def warm() -> None:
    """Invert a profile with each."""
    for model in models():
        inversion = Inversion(model, library=_FEW, restarts=0)
        start = np.array([[500.0, 1.0, 0.0, -2.5, 0.5, -2.0, 0.5, 0.3, 0.7]])
        inversion.synthesised(inversion(model.synthesise(start)))
