"""The three roots every failure of the lake grows from, and the reasons a file is put aside.

`BadInput` puts one file aside and the job goes on, `Retriable` is tried again,
`Fatal` stops the run. The pipeline has the same three names for its side.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any


class Reason(StrEnum):
    """Short, stable codes for why a file cannot be used (scripts filter on them)."""

    MISSING_FILE = "missing-file"
    UNREADABLE = "unreadable"
    EMPTY = "empty"
    NOT_FITS = "not-fits"
    TRUNCATED = "truncated"
    CORRUPTED_HEADER = "corrupted-header"
    CORRUPTED_DATA = "corrupted-data"
    WRONG_CHECKSUM = "wrong-checksum"
    TOO_LARGE = "too-large"
    NO_IMAGE = "no-image"
    UNRECOGNISED = "unrecognised-instrument"
    NAME_CONFLICT = "name-conflict"
    BAD_NAME = "bad-name"
    BAD_KEYWORD = "bad-keyword"
    NOT_FOUND = "not-found"
    AMBIGUOUS = "ambiguous"
    NOT_ALLOWED = "not-allowed"
    TOO_LONG = "takes-too-long"
    OTHER = "bad-input"


class HeliolakeLakeError(Exception):
    """Root of all errors raised on purpose by the lake."""


class BadInput(HeliolakeLakeError):
    """One input cannot be used; the others can.

    Parameters
    ----------
    reason
        A sentence that says what is wrong.
    file
        Name of the file, where known.
    keyword
        The FITS keyword or option concerned.
    found
        What was found there.
    advice
        What a person can do about it.
    code
        The short, stable code of the reason.
    """

    def __init__(
        self,
        reason: str,
        *,
        file: str = "",
        keyword: str = "",
        found: object = "",
        advice: str = "",
        code: Reason = Reason.OTHER,
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.file = file
        self.keyword = keyword
        self.found = str(found)
        self.advice = advice
        self.code = code

    def __str__(self) -> str:
        parts = [f"{self.file}: {self.reason}" if self.file else self.reason]
        if self.found:
            parts.append(f"({self.keyword}: {self.found})" if self.keyword else f"({self.found})")
        if self.advice:
            parts.append(f"— {self.advice}")
        return " ".join(parts)

    def __reduce__(self) -> tuple[Any, ...]:
        # The default reduction drops keyword-only arguments; these exceptions cross process borders.
        return _rebuild, (type(self), self.reason, self.details(), self.code)

    def details(self) -> dict[str, str]:
        """The parts besides reason and code, as plain strings."""
        return {"file": self.file, "keyword": self.keyword, "found": self.found, "advice": self.advice}


class Retriable(HeliolakeLakeError):
    """Something outside the data failed; the same work may succeed when tried again."""


class Fatal(HeliolakeLakeError):
    """Every unit would fail alike; the run is stopped."""


class Unreachable(Fatal):
    """A service that everything here needs does not run."""


def _rebuild(kind: type[BadInput], reason: str, details: dict[str, str], code: Reason) -> BadInput:
    return kind(reason, **details, code=code)
