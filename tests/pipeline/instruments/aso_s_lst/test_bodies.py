"""A dark body before the Sun: the Moon, or a planet in transit."""

from __future__ import annotations

import numpy as np
import pytest
from pydantic import ValidationError

from pipeline.instruments.aso_s_lst.psf import design
from pipeline.instruments.aso_s_lst.simulate import SimulationConfig, scene
from pipeline.instruments.aso_s_lst.simulate.scene import places
from pipeline.psf.reduction import PsfOfFrames
from pipeline.reduction import StackBlock
from tests.pipeline.instruments.aso_s_lst import simulated

#: The Moon half before the Sun.
MOON = simulated.SDI.model_copy(update={"body": (0.5, -0.6, 0.97), "number": 7})


def test_behind_the_body_it_is_dark_and_beyond_it_all_is_as_without() -> None:
    with_it, without = scene(MOON), scene(MOON.model_copy(update={"body": None}))
    west, north = places(MOON)
    away = (np.hypot(west - 0.5, north + 0.6) - 0.97) * MOON.radius
    assert not with_it[away < -1].any()
    np.testing.assert_array_equal(with_it[away > 1], without[away > 1])
    assert np.all(with_it <= without)


def test_the_moon_makes_no_earth_eclipse_and_its_edge_tells_of_the_psf() -> None:
    made = simulated.level_1(MOON).made
    assert made.header["EARTHECL"] is False
    block = StackBlock(made.data[None], made.quality[None], ("moon",), (made.header,))
    found = PsfOfFrames(design).map(block)
    assert found.statistics.edge.frames == 1
    assert found.statistics.dark.frames == 1


@pytest.mark.parametrize(
    ("telescope", "body", "why"),
    [("SCIUV", (0.0, 0.0, 1.0), "show the disk"), ("SDI", (0.0, 0.0, 0.0), "positive")],
)
def test_a_body_that_cannot_be_is_refused(telescope: str, body: tuple[float, ...], why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        SimulationConfig.model_validate({"telescope": telescope, "body": body})
