"""Making a map of GRIS and inverting it takes what is read and what is made, and no further copy."""

from __future__ import annotations

import tracemalloc
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from bench.inversion.memory import carried_out, write_slits
from pipeline.outcome import Status
from pipeline.recipe import recipes

#: Bytes of the cube: far more than all that does not grow with it.
SIZE = 50e6


@pytest.fixture(scope="module")
def slits(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return write_slits(tmp_path_factory.mktemp("slits"), SIZE)


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is bounded whatever the cube's size is small beside this one, as beside a large one."""
    monkeypatch.setattr("pipeline.kernels.statistics._AT_ONCE", 1 << 20)
    monkeypatch.setattr("pipeline.instruments.kis_gris.steps.polarisation._MOST_SPECTRA", 500)


def peak(recipe: str, paths: list[Path], folder: Path, settings: Mapping[str, Any] | None = None) -> float:
    """Most that was held at once, over the cube."""
    wanted = recipes()[recipe].with_settings(settings or {})
    carried_out(wanted, paths, folder)  # what is loaded for good counts for nothing
    tracemalloc.start()
    try:
        made = carried_out(wanted, paths, folder)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert {one.outcome.status for one in made} == {Status.DONE}, made
    return most / SIZE


def test_a_map_takes_what_is_read_and_what_is_made(slits: list[Path], tmp_path: Path) -> None:
    assert peak("kis_gris-map", slits, tmp_path) < 2.6


@pytest.mark.slow
def test_an_inversion_takes_the_cube_and_the_fitted_profiles(slits: list[Path], tmp_path: Path) -> None:
    carried_out(recipes()["kis_gris-map"], slits, tmp_path)
    cube = [tmp_path / "map_kis_gris-map_main.fits"]
    # Beside these lie blocks of pixels and samples of spectra, which are large beside so small a cube.
    assert peak("kis_gris-me-1565", cube, tmp_path) < 3.0
