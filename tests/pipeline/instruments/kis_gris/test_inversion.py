"""GRIS' maps to level 2: what the inversion finds in a drawn sunspot, which another forward model made."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from pipeline.provenance import recorded
from pipeline.quality import Quality, flagged
from pipeline.registry import instrument
from pipeline.steps.inverting import MAPS
from pipeline.testing import Ran, run_recipe
from tests.pipeline.instruments.kis_gris import chromosphere
from tests.pipeline.instruments.kis_gris.simulated import mapped, scan, slits


@cache
def level_2() -> Ran:
    (ran,) = run_recipe("kis_gris-me-1565", [mapped(slits()).made])
    return ran


def plane(name: str, output: str = "") -> NDArray[np.float32]:
    made = level_2().outputs[output] if output else level_2().made
    names = [made.header[f"PARNAM{number}"] for number in range(1, len(made.data) + 1)]
    values: NDArray[np.float32] = made.data[names.index(name)]
    return values


def test_products_keep_the_flags_of_each_parameter() -> None:
    assert instrument("kis_gris").flagged(MAPS) == len(MAPS)
    assert level_2().made.quality.shape == level_2().made.data.shape


def test_the_drawn_sunspot_is_found_within_its_errors() -> None:
    truth = scan().truths[0].atmosphere
    strong = truth.field > 400.0
    for name in ("field", "inclination", "velocity"):
        off = np.abs(plane(name) - getattr(truth, name))[strong]
        assert np.median(off / plane(name, "errors")[strong]) < 1.2
    turned = (plane("azimuth") - truth.azimuth + 90.0) % 180.0 - 90.0
    assert np.median(np.abs(turned[strong])) < 1.0


def test_nothing_is_lost_and_the_product_says_what_it_is() -> None:
    made = level_2().made
    assert not flagged(made.quality, Quality.MISSING).any()
    assert made.header[list(recorded(made.header))[-1]] == "ATMOSPHERIC-INVERSION"
    assert made.header["MELINE1"] == "Fe I 15662.0"
    assert made.header["SIMULATD"]
    assert level_2().outputs["profiles"].data.shape[0] == 4


def test_the_chromosphere_is_found_in_helium() -> None:
    (ran,) = run_recipe(
        "kis_gris-he-1083", [chromosphere.chromosphere()], settings={"invert_helium_slab.wing": []}
    )
    made, truth = ran.made, chromosphere.truth()
    names = [made.header[f"PARNAM{number}"] for number in range(1, len(made.data) + 1)]
    for name, column in (("field", 0), ("velocity", 2)):
        plane = names.index(name)
        off = np.abs(made.data[plane].ravel() - truth[:, column])
        assert np.median(off / ran.outputs["errors"].data[plane].ravel()) < 1.3
    assert any("no atomic polarisation" in caveat for caveat in made.caveats)
