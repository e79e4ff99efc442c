"""Slit files of a map in their order: what is missing, what came twice, and what belongs to another map."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np

from pipeline.errors import BadInput
from pipeline.frame import Frame
from pipeline.instrument import parse_date
from pipeline.instruments.kis_gris import facts

_NAMED: Final = 12


class Sorted(NamedTuple):
    """The slit files of a map.

    Attributes
    ----------
    kept
        By position, counted from 0.
    places
        Number of positions of the map.
    doubled
        Number of files left out because their position was there already.
    caveats
        What should be known of it.
    """

    kept: dict[int, Frame]
    places: int
    doubled: int
    caveats: tuple[str, ...]

    @property
    def missing(self) -> list[int]:
        """Positions without a file, counted from 0."""
        return [place for place in range(self.places) if place not in self.kept]


def sorted_scan(frames: Sequence[Frame]) -> Sorted:
    """Slit files sorted by position, whatever the order they come in.

    Positions are numbers of files within their run, which count on from one map of a sequence to the next.

    Raises
    ------
    BadInput
        When they are of several maps, or of the image slicer.
    """
    for frame in frames:
        refuse_image_slicer(frame)
    numbers = [facts.number_of(frame) for frame in frames]
    said = next((value for one in frames if (value := facts.positive(one.header, "STEPS"))), None)
    if said is None:
        return _without_steps(frames, numbers)
    places = int(said)
    base = _counted_from(numbers, places)
    _require_one_map(frames, [(number - base) // places for number in numbers])
    kept: dict[int, Frame] = {}
    others = []
    for number, frame in sorted(
        zip(numbers, frames, strict=True), key=lambda pair: (pair[0], _begin(pair[1]))
    ):
        place = (number - base) % places
        if place not in kept:
            kept[place] = frame
        elif _measured(frame) > _measured(kept[place]):
            others.append(kept[place])
            kept[place] = frame
        else:
            others.append(frame)
    blank = [place for place, frame in kept.items() if not _measured(frame)]
    # Of a map without any value all stay: it is refused with that reason.
    kept = {place: frame for place, frame in kept.items() if place not in blank} or kept
    found = Sorted(kept, places, len(others), ())
    return found._replace(caveats=(*_gaps(found), *_doubled(others), *_disorder(found)))


def _counted_from(numbers: Sequence[int], places: int) -> int:
    """What the first file of a run is called: 1, or 0 where only that makes one map of the files."""
    if 0 in numbers:
        return 0
    rounds = {base: len({(number - base) // places for number in numbers}) for base in (1, 0)}
    return 0 if rounds[0] == 1 < rounds[1] else 1


def _without_steps(frames: Sequence[Frame], numbers: Sequence[int]) -> Sorted:
    """The files one after another, where no header says how many positions there are."""
    order = sorted(range(len(frames)), key=lambda index: (numbers[index], _begin(frames[index])))
    kept = {place: frames[index] for place, index in enumerate(order)}
    sentence = "no header says how many slit positions the map has (STEPS): missing ones are not seen"
    return Sorted(kept, len(frames), 0, (sentence,))


def _require_one_map(frames: Sequence[Frame], rounds: Sequence[int]) -> None:
    if len(set(rounds)) > 1:
        raise BadInput(
            "the slit files are of several maps",
            file=frames[0].source,
            keyword="ISERIE, STEPS",
            found=f"{len(frames)} files of {len(set(rounds))} repetitions",
            advice="write the number of the repetition into ISERIE, by which maps are told apart",
        )


def refuse_image_slicer(frame: Frame) -> None:
    """Refuse files of the image slicer, of which no description is at hand.

    Raises
    ------
    BadInput
        When the header says that it was in use.
    """
    if facts.imaging_system(frame.header) == "IFU":
        names = ("SPSYSTEM", "STEPSH", "STEPSV")
        raise BadInput(
            "maps are made of slit positions, and this file is of the image slicer",
            file=frame.source,
            keyword=", ".join(names),
            found=", ".join(str(frame.header.get(name, "absent")) for name in names),
            advice="leave it out",
        )


def _measured(frame: Frame) -> int:
    return int(np.count_nonzero(np.isfinite(frame.data)))


def _begin(frame: Frame) -> str:
    return str(frame.header.get("DATE-BEG", frame.header.get("DATE-OBS", "")))


def _gaps(found: Sorted) -> list[str]:
    missing = [str(place + 1) for place in found.missing]
    if not missing:
        return []
    more = f" and {len(missing) - _NAMED} more" if len(missing) > _NAMED else ""
    named = ", ".join(missing[:_NAMED])
    return [f"{len(missing)} of {found.places} slit positions are missing, and empty: {named}{more}"]


def _doubled(others: Sequence[Frame]) -> list[str]:
    if not others:
        return []
    names = ", ".join(sorted(frame.source for frame in others)[:_NAMED])
    return [f"of slit positions that came twice the fuller or earlier file was used; left out: {names}"]


def _disorder(found: Sorted) -> list[str]:
    """A sentence where positions were not taken one after another, in either direction."""
    begins = [parse_date(_begin(found.kept[place])) for place in sorted(found.kept)]
    times = np.array([one.timestamp() for one in begins if one is not None])
    along = np.diff(times)
    if times.size < 3 or (along >= 0).all() or (along <= 0).all():
        return []
    turns = int(min((along < 0).sum(), (along > 0).sum()))
    return [f"slit positions were not taken one after another: {turns} of them out of order in time"]
