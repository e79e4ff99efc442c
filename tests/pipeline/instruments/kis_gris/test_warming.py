"""What is compiled ahead is what the recipes' inversions of maps with all wavelengths are compiled for."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.instruments.kis_gris import warming
from pipeline.instruments.kis_gris.simulate.config import SAMPLING
from pipeline.inversion import cubes
from pipeline.inversion.lines import line
from pipeline.recipe import recipes
from pipeline.registry import modules
from pipeline.steps.invert_helium_slab import SlabParams
from pipeline.steps.invert_milne_eddington import MilneEddingtonParams


@pytest.mark.parametrize(
    ("recipe", "region"), [("me-1565", "1565"), ("me-1083", "1083"), ("he-1083", "1083")]
)
def test_the_kernels_of_a_recipe_are_compiled_before_a_map_comes(recipe: str, region: str) -> None:
    params = recipes()[f"kis_gris-{recipe}"].bind()[0].params
    first, step, number = SAMPLING[region]  # type: ignore[index]  # a region
    if isinstance(params, MilneEddingtonParams):
        middle = line(params.lines[0]).wavelength
        window, slab = (middle - params.reach, middle + params.reach), 0
    else:
        assert isinstance(params, SlabParams)
        window, slab = params.span, 1
    count = int(cubes.within(np.asarray(first + step * np.arange(number), np.float64), [window]).sum())
    forms = {(model.form.observed, model.form.slab) for model in warming.models()}
    assert (-(-count // 16) * 16, slab) in forms


def test_the_instruments_are_asked_by_their_packages() -> None:
    assert modules()["kis_gris"] == "pipeline.instruments.kis_gris"
