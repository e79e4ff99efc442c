"""Why a search found nothing: a misspelt instrument, a level that nothing has, a name that is only near."""

from __future__ import annotations

from lake.errors import Fatal
from lake.lake import Lake
from lake.names import level_token
from lake.releases import nearby
from lake.text import printable

_WILD = "*?"


def why_nothing(
    lake: Lake, *, instrument: str | None = None, level: str | None = None, observation: str | None = None
) -> str:
    """One sentence for somebody whose search found nothing; '' where there is nothing to say.

    Parameters
    ----------
    lake
        Where was searched.
    instrument, level, observation
        What was asked for.

    Raises
    ------
    Fatal
        When neither the lake nor this installation knows the instrument: that is a mistake, not a fact.
    lake.errors.BadInput
        When the level is none.
    """
    if instrument is not None:
        _require_known(lake, instrument)
    if level is not None:
        level_token(level)
        there = nearby.levels(lake, instrument)
        if level not in there:
            whose = f" of {instrument}" if instrument else ""
            listed = f"there are: {', '.join(there)}" if there else "nothing was taken in yet"
            return f"Nothing{whose} has level {level}; {listed}."
    if observation is not None and not any(one in observation for one in _WILD):
        name = observation.rpartition(":")[2]
        near = [one for one in nearby.observations(lake, name, instrument) if one != name]
        if near:
            return f"There is no observation {printable(observation)}. Did you mean {' or '.join(near)}?"
    return ""


def _require_known(lake: Lake, instrument: str) -> None:
    from pipeline.choices import choices
    from pipeline.registry import instruments

    known = {*instruments(), *nearby.instruments_with_releases(lake)}
    if instrument not in known:
        raise Fatal(f"There is no instrument {printable(instrument)}. {choices(instrument, known)}")
