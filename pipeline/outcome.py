"""What became of a frame: a status, a reason a person can act on, and caveats."""

from __future__ import annotations

from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field

from pipeline.errors import BadInput, Retriable


class Status(StrEnum):
    """The four ways a unit of work can end."""

    DONE = "done"
    SKIPPED = "skipped"
    QUARANTINED = "quarantined"
    FAILED = "failed"


class Outcome(BaseModel):
    """The outcome of one frame; travels beside it as JSON.

    Attributes
    ----------
    status
        See `Status`.
    reason, keyword, found, advice
        Why the frame was not done, in the words of `pipeline.errors.BadInput`.
    retriable
        Whether trying the same work again makes sense.
    step
        The step at which it stopped.
    caveats
        Sentences a user of a finished frame should read.
    seconds
        Time spent in each step, by its name.
    code
        Digest of the code that the process which did it runs (`pipeline.code`).
    """

    model_config = ConfigDict(frozen=True)

    status: Status = Status.DONE
    reason: str = ""
    keyword: str = ""
    found: str = ""
    advice: str = ""
    retriable: bool = False
    step: str = ""
    caveats: tuple[str, ...] = ()
    seconds: dict[str, float] = Field(default_factory=dict)
    code: str = ""

    def took(self, step: str, seconds: float) -> Outcome:
        """The same with time that was spent in a step, besides what it took before."""
        spent = self.seconds | {step: round(self.seconds.get(step, 0.0) + seconds, 6)}
        return self.model_copy(update={"seconds": spent})

    @classmethod
    def of_error(cls, error: Exception, step: str = "", seconds: dict[str, float] | None = None) -> Outcome:
        """The outcome an exception leads to; `Fatal` never gets here."""
        spent = seconds or {}
        if isinstance(error, BadInput):
            return cls(
                status=Status.QUARANTINED,
                reason=error.reason,
                keyword=error.keyword,
                found=error.found,
                advice=error.advice,
                step=step,
                seconds=spent,
            )
        if isinstance(error, Retriable):
            return cls(
                status=Status.FAILED,
                reason=str(error),
                retriable=True,
                step=step,
                seconds=spent,
                advice="when that is put right, run the same command again: it goes on with what is left",
            )
        return cls(
            status=Status.FAILED,
            reason=f"{type(error).__name__}: {error}",
            retriable=isinstance(error, (OSError, MemoryError)),
            step=step,
            seconds=spent,
            advice="see the worker's log; a fault of the program rather than of the file",
        )
