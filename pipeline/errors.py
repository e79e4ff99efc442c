"""The three roots every failure of the pipeline grows from.

Which root an exception has decides what happens next, and nothing else does:
`BadInput` quarantines one file and the job goes on, `Retriable` is tried
again, `Fatal` stops the run because every unit would fail alike.
"""

from __future__ import annotations

from typing import Any


class HeliolakeError(Exception):
    """Root of all errors raised on purpose by the pipeline."""


class BadInput(HeliolakeError):
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
    """

    def __init__(
        self, reason: str, *, file: str = "", keyword: str = "", found: object = "", advice: str = ""
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.file = file
        self.keyword = keyword
        self.found = str(found)
        self.advice = advice

    def __str__(self) -> str:
        parts = [f"{self.file}: {self.reason}" if self.file else self.reason]
        if self.keyword:
            parts.append(f"({self.keyword}: {self.found})")
        if self.advice:
            parts.append(f"— {self.advice}")
        return " ".join(parts)

    def __reduce__(self) -> tuple[Any, ...]:
        # The default reduction drops keyword-only arguments; these exceptions cross process borders.
        return _rebuild, (type(self), self.reason, self.details())

    def details(self) -> dict[str, str]:
        """The parts besides the reason, as plain strings."""
        return {"file": self.file, "keyword": self.keyword, "found": self.found, "advice": self.advice}


class Retriable(HeliolakeError):
    """Something outside the data failed; the same work may succeed when tried again."""


class Fatal(HeliolakeError):
    """Every unit would fail alike; the run is stopped."""


def _rebuild(kind: type[BadInput], reason: str, details: dict[str, str]) -> BadInput:
    return kind(reason, **details)
