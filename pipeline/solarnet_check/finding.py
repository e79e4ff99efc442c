"""What the checker finds: one remark, how grave it is, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Grade(StrEnum):
    """How grave a finding is: an error breaks a rule, a warning is missed or doubtful, a note may stay."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is not as a rule wants it.

    Attributes
    ----------
    grade
        How grave it is.
    hdu
        Number of the HDU; `None` for the file as a whole.
    keyword
        The keyword concerned.
    found, expected
        What the file says, and what the rule wants.
    advice
        What to do.
    rule
        Where the rule is written.
    """

    grade: Grade
    hdu: int | None
    keyword: str
    found: str
    expected: str
    advice: str
    rule: str

    def __str__(self) -> str:
        return f"{self.keyword}: {self.found}; expected is {self.expected} ({self.rule})"

    def document(self) -> dict[str, Any]:
        """As plain data, for JSON."""
        names = ("hdu", "keyword", "found", "expected", "advice", "rule")
        return {"grade": self.grade.value, **{name: getattr(self, name) for name in names}}


def worst(findings: Iterable[Finding]) -> Grade | None:
    """The gravest grade; `None` where nothing was found."""
    grades = {finding.grade for finding in findings}
    return next((grade for grade in Grade if grade in grades), None)
