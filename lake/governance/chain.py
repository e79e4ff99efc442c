"""The chain of the audit trail: what an entry's hash is made of, and what shows that it was tampered with."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

GENESIS: Final = "0" * 64
"""What stands as the previous hash in the first entry."""


@dataclass(frozen=True)
class Entry:
    """One entry of the trail.

    Attributes
    ----------
    number
        Counts from 1, without gaps.
    time
        When it was written, by the database's clock.
    who, what, subject
        Who did what to what.
    detail
        The rest, as JSON has it.
    previous
        Hash of the entry before.
    hash
        Its own.
    """

    number: int
    time: datetime
    who: str
    what: str
    subject: str
    detail: Any
    previous: str
    hash: str = ""

    def content(self) -> dict[str, Any]:
        """What its hash is made of."""
        return {
            "number": self.number,
            "time": self.time.astimezone(UTC).isoformat(timespec="microseconds"),
            "who": self.who,
            "what": self.what,
            "subject": self.subject,
            "detail": self.detail,
            "previous": self.previous,
        }

    def digest(self) -> str:
        """The sha256 of its content as canonical JSON, which is the hash it must have."""
        return hashlib.sha256(canonical(self.content()).encode()).hexdigest()

    def as_json(self) -> dict[str, Any]:
        """The entry with its hash, as it is listed and exported."""
        return self.content() | {"hash": self.hash}

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Entry:
        """An exported entry; `KeyError`, `TypeError` or `ValueError` where it is none."""
        number, time = document["number"], document["time"]
        texts = [document[name] for name in ("who", "what", "subject", "previous", "hash")]
        if type(number) is not int or not all(isinstance(one, str) for one in (*texts, time)):
            raise TypeError("of the wrong type")
        who, what, subject, previous, own = texts
        return cls(number, _time(time), who, what, subject, document["detail"], previous, own)


@dataclass(frozen=True)
class Unreadable:
    """What stands in an export in place of an entry."""

    line: int


@dataclass(frozen=True)
class Anchor:
    """The head of the trail as it was at some time, kept where the trail's keeper cannot reach it."""

    number: int
    hash: str
    anchored: str = ""


@dataclass(frozen=True)
class Tampering:
    """Something that only happens when somebody laid hands on the trail.

    Attributes
    ----------
    kind
        ``changed``, ``missing``, ``replaced``, ``misplaced``, ``unreadable``; against an anchor
        ``rewritten`` and ``truncated``.
    number
        The entry concerned.
    time
        Its time, where it is known.
    sentence
        What is to be said of it.
    """

    kind: str
    number: int
    time: datetime | None
    sentence: str


def canonical(document: Any) -> str:
    """JSON with one form only: keys sorted, no spaces, ASCII."""
    return json.dumps(document, sort_keys=True, separators=(",", ":"), allow_nan=False)


class Inspection:
    """Walks along a chain once, from its first entry, and says what is wrong with it.

    Parameters
    ----------
    anchors
        Heads of the trail kept elsewhere.
    """

    def __init__(self, anchors: Iterable[Anchor] = ()) -> None:
        self.anchors: dict[int, list[Anchor]] = {}
        for anchor in anchors:
            self.anchors.setdefault(anchor.number, []).append(anchor)
        self.entries = 0
        self.last: Entry | None = None

    def tampering(self, entries: Iterable[Entry | Unreadable]) -> Iterator[Tampering]:
        """Everything that is wrong, in the order of the trail."""
        for entry in entries:
            if isinstance(entry, Unreadable):
                yield Tampering("unreadable", 0, None, f"Line {entry.line} is no entry of an audit trail.")
                continue
            self.entries += 1
            yield from self._place(entry)
            yield from self._content(entry)
            for anchor in self.anchors.get(entry.number, ()):
                if anchor.hash != entry.hash:
                    yield self._rewritten(entry, anchor)
            if self.last is None or entry.number > self.last.number:
                self.last = entry
        yield from self._end()

    def _place(self, entry: Entry) -> Iterator[Tampering]:
        """Whether it stands where its number says, behind the entry it names."""
        before = self.last.number if self.last else 0
        if entry.number <= before:
            sentence = f"{_named(entry)} stands behind entry {before}: entries were reordered or repeated."
            yield Tampering("misplaced", entry.number, entry.time, sentence)
        elif entry.number > before + 1:
            first, last = before + 1, entry.number - 1
            which = f"Entry {first} is" if first == last else f"Entries {first} to {last} are"
            after = f"behind {_named(self.last, small=True)} and " if self.last else ""
            sentence = f"{which} missing: removed from {after}before {_named(entry, small=True)}."
            yield Tampering("missing", first, None, sentence)
        elif entry.previous != (self.last.hash if self.last else GENESIS):
            sentence = f"{_named(entry)} does not follow on what stands before it: "
            if self.last:
                sentence += f"{_named(self.last, small=True)} was replaced, and its hash with it."
                yield Tampering("replaced", self.last.number, self.last.time, sentence)
            else:
                yield Tampering("replaced", entry.number, entry.time, f"{sentence}it is not the first.")

    def _content(self, entry: Entry) -> Iterator[Tampering]:
        if entry.digest() != entry.hash:
            sentence = f"{_named(entry)} was changed: what it says does not give its hash."
            yield Tampering("changed", entry.number, entry.time, sentence)

    def _end(self) -> Iterator[Tampering]:
        """What was anchored and lies behind the last entry."""
        number = self.last.number if self.last else 0
        beyond = [one for many in self.anchors.values() for one in many if one.number > number]
        if beyond:
            anchor = max(beyond, key=lambda one: one.number)
            ends = f"ends with {_named(self.last, small=True)}" if self.last else "is empty"
            sentence = (
                f"The trail {ends}, but entry {anchor.number} was anchored{_when(anchor)}: "
                f"at least {anchor.number - number} at its end were removed."
            )
            yield Tampering("truncated", number + 1, None, sentence)

    @staticmethod
    def _rewritten(entry: Entry, anchor: Anchor) -> Tampering:
        sentence = (
            f"{_named(entry)} is not the one that was anchored{_when(anchor)}: "
            "the trail was written anew from there or from before."
        )
        return Tampering("rewritten", entry.number, entry.time, sentence)


def _named(entry: Entry | None, *, small: bool = False) -> str:
    if entry is None:
        return ""
    time = entry.time.astimezone(UTC).isoformat(timespec="seconds").removesuffix("+00:00")
    return f"{'entry' if small else 'Entry'} {entry.number} ({time} UTC)"


def _when(anchor: Anchor) -> str:
    return f" on {anchor.anchored[:19]}" if anchor.anchored else ""


def _time(text: str) -> datetime:
    found = datetime.fromisoformat(text)
    return found if found.tzinfo else found.replace(tzinfo=UTC)
