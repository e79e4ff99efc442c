"""What does not fit in a document that people write, in sentences with its place."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from pipeline.choices import choices, shortly

_TOLD: Final = 5
"""Problems of one document that are named together."""
_LONGEST_WORD: Final = 60

Place = tuple[int | str, ...]


def explained(
    error: ValidationError, known: Callable[[Place], type[BaseModel] | None], noun: str = "entry"
) -> str:
    """What does not fit, with its place; a word that is not known with those that are.

    Parameters
    ----------
    error
        What the model said of the document.
    known
        The model whose fields might have stood at a place; `None` where that is not one model's to say.
    noun
        What such a field is called.
    """
    problems = error.errors(include_url=False)
    told = [_problem(problem, known, noun) for problem in problems[:_TOLD]]
    more = [f"and {len(problems) - _TOLD} more"] if len(problems) > _TOLD else []
    return "; ".join(told + more)


def _problem(problem: ErrorDetails, known: Callable[[Place], type[BaseModel] | None], noun: str) -> str:
    loc = problem["loc"]
    where = ".".join(str(place)[:_LONGEST_WORD] for place in loc) or "document"
    if problem["type"] == "extra_forbidden":
        owner = known(loc)
        fields: Any = owner.model_fields if owner is not None else ()
        hint = f". {choices(str(loc[-1]), fields)}" if owner is not None else ""
        return f"{where}: no such {noun}{hint}".removesuffix(".")
    if problem["type"] == "missing":
        return f"{where}: is missing"
    message = problem["msg"].removeprefix("Value error, ")
    return f"{where}: {message} (found {shortly(problem['input'])})"
