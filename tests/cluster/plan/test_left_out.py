"""What a plan says of files that its recipe is not for: how many, why, and as many of them as are wanted."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from cluster.plan.left_out import Sieve
from lake.entries import FileEntry
from lake.names import ProductKey
from lake.releases.inputs import Input
from pipeline.recipe import Recipe, recipes


@pytest.fixture
def recipe() -> Recipe:
    """One that is for Hα, and for files that do not tell their line."""
    return recipes()["kis_chrotel-filaments"]


def observed(lines: str) -> Iterator[Input]:
    """Frames of these lines, a letter each: Hα, Ca II K, He I, unknown, and not told at all."""
    lines_of = {"h": "ha", "c": "ca", "i": "he", "u": "unknown"}
    for number, letter in enumerate(lines):
        meta = {"line": lines_of[letter]} if letter in lines_of else {}
        file = FileEntry("kis_chrotel", f"f{number}.fits", "1", f"f{number}", 0, "", "", meta=meta)
        yield Input(file, ProductKey("kis_chrotel", "day", "1"), 1)


def test_what_a_recipe_is_not_for_is_counted_and_the_first_are_named_with_why(recipe: Recipe) -> None:
    sieve = Sieve(recipe, 3)
    through = [one.file.name for one in sieve.through(observed("hcu-" + "i" * 50))]
    assert through == ["f0.fits", "f2.fits"]
    found = sieve.held_back()
    assert (found.number, found.values) == (52, {"line": 52})
    assert [(one.file, one.reason) for one in found.first] == [
        ("kis_chrotel:f1.fits", "its line is ca; the recipe takes ha or unknown"),
        ("kis_chrotel:f3.fits", "its line is not told; the recipe takes ha or unknown"),
        ("kis_chrotel:f4.fits", "its line is he; the recipe takes ha or unknown"),
    ]
    assert found.first[0].is_called("f1")
    assert not found.first[0].is_called("f")


def test_all_are_named_where_all_are_asked_for(recipe: Recipe) -> None:
    sieve = Sieve(recipe, None)
    assert len(list(sieve.through(observed("hc" * 20)))) == 20
    assert len(sieve.held_back().first) == sieve.held_back().number == 20
