"""Units as they are planned: which files, with which references, for which product."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from lake.entries import FileEntry, iso
from lake.names import ProductKey


@dataclass(frozen=True, slots=True)
class Chosen:
    """A reference chosen for a unit, and why."""

    did: str
    sha256: str
    why: str


@dataclass(frozen=True, slots=True)
class Member:
    """One file that a unit is made of, with its own references."""

    file: FileEntry
    parent: str
    references: Mapping[str, Chosen] = field(default_factory=dict)
    absent: Mapping[str, str] = field(default_factory=dict)

    def payload(self) -> dict[str, Any]:
        """Plain data from which `of_payload` makes it again, in another process."""
        return {
            "file": self.file.as_dict(),
            "parent": self.parent,
            "references": {need: asdict(chosen) for need, chosen in self.references.items()},
        }

    @classmethod
    def of_payload(cls, payload: Mapping[str, Any]) -> Member:
        """The inverse of `payload`."""
        return cls(
            file=FileEntry.from_dict(payload["file"]),
            parent=payload["parent"],
            references={need: Chosen(**chosen) for need, chosen in payload["references"].items()},
        )


@dataclass(frozen=True, slots=True)
class PlannedUnit:
    """The smallest piece of work: one file or a group of them, through one recipe with their references.

    Attributes
    ----------
    unit_id
        Hash of all that decides the result.
    product
        What it is a part of.
    members
        Its files, in the order the recipe is given them; most recipes take one.
    lacks
        What the group lacks of a whole one, where the recipe takes it all the same.
    output
        Which of the recipe's further outputs it stands for; empty for the main one.
    work
        What it shares with the units of the other outputs of the same files: all are made at once.
    """

    unit_id: str
    product: ProductKey
    members: tuple[Member, ...]
    lacks: str = ""
    output: str = ""
    work: str = ""

    @property
    def file(self) -> FileEntry:
        """The first of its files; what it makes is named after it."""
        return self.members[0].file

    @property
    def files(self) -> tuple[FileEntry, ...]:
        """All its files."""
        return tuple(member.file for member in self.members)

    @property
    def parents(self) -> tuple[str, ...]:
        """The releases its files were found in."""
        return tuple(dict.fromkeys(member.parent for member in self.members))

    @property
    def references(self) -> Mapping[str, Chosen]:
        """References by need; of a group, those of the first file that has one."""
        return {need: one for member in reversed(self.members) for need, one in member.references.items()}

    @property
    def reference_dids(self) -> tuple[str, ...]:
        """All references of all its files."""
        return tuple(sorted({chosen.did for member in self.members for chosen in member.references.values()}))

    @property
    def absent(self) -> Mapping[str, str]:
        """Needs that no reference answers for one of its files at least, and why."""
        return {need: why for member in reversed(self.members) for need, why in member.absent.items()}

    def payload(self) -> dict[str, Any]:
        """Plain data from which `of_payload` makes the unit again, in another process."""
        first, *others = (member.payload() for member in self.members)
        return {
            "product": list(self.product),
            **first,
            **({"others": others} if others else {}),
            **({"lacks": self.lacks} if self.lacks else {}),
            **({"output": self.output, "work": self.work} if self.work else {}),
        }

    @classmethod
    def of_payload(cls, unit_id: str, payload: Mapping[str, Any]) -> PlannedUnit:
        """The inverse of `payload`."""
        members = tuple(Member.of_payload(one) for one in (payload, *payload.get("others", ())))
        more = {name: payload.get(name, "") for name in ("lacks", "output", "work")}
        return cls(unit_id, ProductKey(*payload["product"]), members, **more)

    def document(self) -> dict[str, Any]:
        """Plain data, for people and for comparing plans."""
        document: dict[str, Any] = {
            "unit": self.unit_id,
            "product": self.product.name,
            "input": self.file.did,
            "sha256": self.file.sha256,
            "date": iso(self.file.date_beg),
            "references": {need: chosen.did for need, chosen in self.references.items()},
        }
        if len(self.members) > 1:
            document["inputs"] = [file.did for file in self.files]
        said = {"output": self.output, "lacks": self.lacks}
        return document | {name: text for name, text in said.items() if text}
