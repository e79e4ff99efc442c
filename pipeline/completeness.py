"""What a level is expected to have gone through, and what a recipe left out of it.

A step that is not in a recipe leaves no trace in a product: nobody sees that
the sensitivity was not corrected. Instruments therefore list, for each level,
the steps of a complete treatment, each with the sentence that holds without
it; the framework writes the sentence where a recipe goes without the step.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from astropy.io import fits
from pydantic import BaseModel, ConfigDict, Field

from pipeline.chain import BoundStep


class Expectation(BaseModel):
    """One step of the complete treatment of a level.

    Attributes
    ----------
    step
        Its name; its function bears the same.
    otherwise
        What is true of a product that was made without it: a sentence for its user.
    where
        Keyword → pattern of the whole value, for steps that only some files need; an absent keyword has the
        empty value. All of them have to match the header as it came in.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    step: str
    otherwise: str = Field(min_length=10)
    where: dict[str, str] = Field(default_factory=dict)

    def concerns(self, header: fits.Header) -> bool:
        """Whether a file with this header needs the step."""
        return all(re.fullmatch(pattern, _text(header, name)) for name, pattern in self.where.items())


def left_out(
    expected: Sequence[Expectation], chain: Sequence[BoundStep], header: fits.Header
) -> Iterator[Expectation]:
    """What of a complete treatment neither a chain does nor the header says was done before.

    Parameters
    ----------
    expected
        Of the level the chain leads to.
    chain
        The steps that are done. One of them that finds nothing to do it with says so itself.
    header
        Of the file as it came in; its ``PRPROCn`` name what an earlier recipe did, unless ``PRMODEn`` says
        that it changed nothing.
    """
    done = {bound.step.name for bound in chain} | set(_done_before(header))
    for entry in expected:
        if entry.step not in done and entry.concerns(header):
            yield entry


def _done_before(header: fits.Header) -> Iterator[str]:
    for name in header:
        found = re.fullmatch(r"PRPROC(\d+)", name)
        if found and "NO-CHANGE" not in _text(header, f"PRMODE{found[1]}"):
            yield _text(header, name).rpartition(".")[2]


def _text(header: fits.Header, name: str) -> str:
    value = header.get(name)
    return "" if value is None or isinstance(value, fits.card.Undefined) else str(value).strip()
