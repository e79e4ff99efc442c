"""Reports of long work: what became of each item, and the counts scripts rely on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from cluster.html import html_table, safe
from lake.errors import BadInput as LakeBadInput
from lake.text import printable
from pipeline.errors import BadInput
from pipeline.outcome import Status

#: Rows of one table of a report.
_SHOWN = 40
#: Code of files that nothing is made of, for something is lacking beside them.
LEFT_OUT: Final = "left-out"
#: Both sides' `BadInput`: one file is put aside, the job goes on.
BAD_INPUT = (BadInput, LakeBadInput)


@dataclass(frozen=True, slots=True)  # a report may hold a million
class Item:
    """One file or unit and what became of it; `did` is what went in, `output` what came out."""

    file: str
    outcome: str
    reason: str = ""
    advice: str = ""
    keyword: str = ""
    found: str = ""
    code: str = ""
    unit: str = ""
    did: str = ""
    output: str = ""
    sha256: str = ""
    caveats: tuple[str, ...] = ()


@dataclass(repr=False)
class Report:
    """The items of one command, in order; shows itself in notebooks."""

    items: list[Item] = field(default_factory=list)
    more: dict[str, Any] = field(default_factory=dict)

    def counts(self) -> dict[str, int]:
        """How many items had each outcome; every outcome is named."""
        found = Counter(item.outcome for item in self.items)
        return {status.value: found.get(status.value, 0) for status in Status}

    @property
    def clean(self) -> bool:
        """Whether nothing was quarantined and nothing failed."""
        counts = self.counts()
        return not (counts[Status.QUARANTINED] or counts[Status.FAILED])

    def __repr__(self) -> str:
        told = ", ".join(f"{number} {outcome}" for outcome, number in self.counts().items() if number)
        made = len(self.more.get("releases") or ())
        return f"<Report: {told or 'nothing to do'}; {made} release{'' if made == 1 else 's'} made>"

    def _repr_html_(self) -> str:
        parts = [f"<p>{safe(repr(self)[1:-1])}</p>"]
        releases = self.more.get("releases") or []
        if releases:
            rows = [
                (one["product"], f"v{one['version']:04d}", told_status(one), one["files"])
                for one in releases[:_SHOWN]
            ]
            parts.append(html_table(("product", "version", "status", "files"), rows))
        if left := self.more.get("left_over"):
            heads = ("stays ACTIVE though all that it would be made of is put aside now",)
            parts.append(html_table(heads, [(one,) for one in left[:_SHOWN]]))
        # What went wrong first; files with the same trouble in one row.
        troubles = Counter(
            (item.outcome, item.reason, item.advice)
            for item in self.items
            if item.outcome in (Status.QUARANTINED, Status.FAILED)
        )
        if troubles:
            told = [(what, number, why, advice) for (what, why, advice), number in troubles.items()]
            parts.append(html_table(("outcome", "files", "reason", "what to do"), told[:_SHOWN]))
        caveats = Counter(caveat for item in self.items for caveat in item.caveats)
        if caveats:
            notes = [(number, caveat) for caveat, number in caveats.most_common(_SHOWN)]
            parts.append(html_table(("files", "note"), notes))
        return "".join(parts)

    def document(self) -> dict[str, Any]:
        """The JSON document of the command."""
        return {**self.counts(), **self.more, "items": [asdict(item) for item in self.items]}


def told_status(release: Mapping[str, Any]) -> str:
    """The status of a release, and whether it was simulated: nobody is to take it for observed."""
    return f"{release['status']}, simulated" if release.get("simulated") else str(release["status"])


def bad_item(error: BadInput | LakeBadInput, file: str, *, code: str = "", sha256: str = "") -> Item:
    """The item of a quarantined file; `code` stands in where the error brings none."""
    return Item(
        file=printable(file),
        outcome=Status.QUARANTINED.value,
        reason=printable(error.reason),
        advice=printable(error.advice),
        keyword=printable(error.keyword),
        found=printable(error.found),
        code=str(getattr(error, "code", code)),
        sha256=sha256,
    )
