"""Whether all frames of a run fail alike: then it is the recipe's fault, and none is put aside for it."""

from __future__ import annotations

from cluster.run.stacks import Manifest
from pipeline.errors import Fatal
from pipeline.outcome import Outcome, Status

#: So many frames that fail alike, with none that does not, end a run.
ENOUGH = 20


class AllAlike(Fatal):
    """The first frames of a run all failed alike."""


class FirstFailures:
    """Holds back how the first frames of a run failed until one of them ended otherwise.

    What is held back is in no ledger and no quarantine: a run that is stopped leaves nothing behind, and says
    the same sentence when it is repeated.

    Parameters
    ----------
    armed
        Whether to look at all; not where a unit of the plan was done before: then the recipe does work.
    """

    def __init__(self, *, armed: bool) -> None:
        self.armed = armed
        self._held: list[Manifest] = []

    @property
    def waiting(self) -> int:
        """How many frames have ended and are held back."""
        return len(self._held)

    def passed(self, manifest: Manifest) -> list[Manifest]:
        """The frames that may be entered now that this one has ended: none, or this one and all held back.

        Raises
        ------
        AllAlike
            When as many as are enough failed alike.
        """
        if not self.armed:
            return [manifest]
        self._held.append(manifest)
        alike = {_kind(one.outcome) for one in self._held}
        if None in alike or len(alike) > 1:
            self.armed = False
            return self.rest()
        if len(self._held) < ENOUGH:
            return []
        raise AllAlike(_sentence(self._held))

    def rest(self) -> list[Manifest]:
        """What is held back when there is no more to come: too few to tell."""
        held, self._held = self._held, []
        return held


def _kind(outcome: Outcome) -> tuple[str, str, str, str] | None:
    """What failures that are alike have in common; `None` for what is none, or may pass."""
    if outcome.status not in (Status.QUARANTINED, Status.FAILED) or outcome.retriable:
        return None
    return outcome.status.value, outcome.step, outcome.reason, outcome.keyword


def _sentence(held: list[Manifest]) -> str:
    first = held[0].outcome
    step = f" at step {first.step}" if first.step else ""
    found = f" ({first.keyword}: {first.found})" if first.keyword else ""
    advice = f" — {first.advice}" if first.advice else ""
    return (
        f"the first {len(held)} frames all fail alike{step}, so the run was stopped and nothing was put "
        f"aside: {first.reason}{found}{advice}; if just these frames are bad, go on with `--keep-going`"
    )
