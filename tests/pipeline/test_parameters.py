"""Every parameter says what it means, and the words are those of its model's docstring."""

from __future__ import annotations

from typing import Literal

import pytest
from pydantic import Field

from pipeline.parameters import Parameter, parameters
from pipeline.registry import instruments
from pipeline.step import Params, owner_of, steps


def shipped() -> list[tuple[str, Parameter]]:
    """Every parameter of every step that comes with the package."""
    instruments()
    return [
        (f"{owner_of(step)} {step.name}.{one.name}", one)
        for step in steps()
        if step.function.__module__.startswith("pipeline.")
        for one in parameters(step.params_model)
    ]


@pytest.mark.parametrize(
    ("name", "one"), shipped(), ids=lambda value: value if isinstance(value, str) else ""
)
def test_every_parameter_has_a_meaning_and_every_quantity_a_unit(name: str, one: Parameter) -> None:
    assert len(one.meaning) > 10, f"{name}: describe it in the docstring's section Attributes"
    if "number" in one.type.split(" or "):
        assert one.unit, f"{name}: begin its description with the unit, [pix], or [1] for a pure number"


class Base(Params):
    """Shared.

    Attributes
    ----------
    scale
        [arcsec/pix] Plate scale
        of the result.
    """

    scale: float = Field(default=0.6, gt=0, le=300)


class Own(Base):
    """Own.

    Attributes
    ----------
    edge
        How it goes on.
    size, count
        Two of one kind.

    Notes
    -----
    not_a_parameter
        Something else.
    """

    edge: Literal["circular", "mirror"] = "mirror"
    size: int | None = None
    count: int
    unsaid: bool = True


def test_unit_choices_bounds_and_default_are_read_from_the_model() -> None:
    found = {one.name: one for one in parameters(Own)}
    scale, edge, size = found["scale"], found["edge"], found["size"]
    assert (scale.unit, scale.meaning) == ("arcsec/pix", "Plate scale of the result.")
    assert (scale.type, scale.bounds, scale.default) == ("number", "> 0, ≤ 300", 0.6)
    assert (edge.meaning, edge.choices, edge.default) == ("How it goes on.", ("circular", "mirror"), "mirror")
    assert (size.type, size.default, size.required) == ("integer or null", None, False)
    assert (found["count"].meaning, found["count"].required) == ("Two of one kind.", True)
    assert found["unsaid"].meaning == ""
    assert "not_a_parameter" not in found
