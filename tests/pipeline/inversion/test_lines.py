"""Zeeman patterns."""

from __future__ import annotations

import pytest

from pipeline.errors import Fatal
from pipeline.inversion.lines import BLUE, LINES, PI, RED, Level, Line, line


@pytest.mark.parametrize("name", LINES)
def test_each_kind_of_components_adds_up_to_one(name: str) -> None:
    found = line(name).components()
    for kind in (BLUE, PI, RED):
        assert sum(one.strength for one in found if one.kind == kind) == pytest.approx(1.0)


@pytest.mark.parametrize("name", LINES)
def test_the_centre_of_a_sigma_component_is_shifted_by_the_effective_factor(name: str) -> None:
    entry = line(name)
    mean = sum(one.strength * one.shift for one in entry.components() if one.kind == BLUE)
    assert mean == pytest.approx(entry.effective)


@pytest.mark.parametrize("name", LINES)
def test_patterns_are_mirrored(name: str) -> None:
    found = {(one.kind, one.shift): one.strength for one in line(name).components()}
    other = {BLUE: RED, RED: BLUE, PI: PI}
    for (kind, shift), strength in found.items():
        assert found[other[kind], -shift + 0.0] == pytest.approx(strength)


@pytest.mark.parametrize(
    ("name", "factor"),
    [("Fe I 6173.3", 2.5), ("Fe I 15648.5", 3.0), ("Fe I 15662.0", 1.5), ("Fe I 5250.2", 3.0)],
)
def test_effective_factors_are_those_of_the_literature(name: str, factor: float) -> None:
    assert line(name).effective == pytest.approx(factor)


def test_a_normal_triplet_has_three_components() -> None:
    assert len(Line("", 5000.0, Level.ls("5P1"), Level.ls("5D0")).components()) == 3


def test_the_pattern_of_6301_5_has_fifteen_lines_less_one_without_strength() -> None:
    # J = 2 → 2: five π, of which that of M = 0 is forbidden, four of either σ.
    assert len(line("Fe I 6301.5").components()) == 12


def test_an_unknown_line_is_refused_with_those_there_are() -> None:
    with pytest.raises(Fatal, match=r"Fe I 6173.3"):
        line("Fe I 1")
