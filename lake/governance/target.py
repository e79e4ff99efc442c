"""What an embargo is about, as a person writes it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from lake.errors import BadInput, Reason
from lake.names import parse_product
from lake.text import printable

_LONGEST = 200
_WHOLE = re.compile(r"-?(0|[1-9][0-9]{0,17})")
_BROKEN = re.compile(r"-?(0|[1-9][0-9]{0,14})\.[0-9]{1,15}")


@dataclass(frozen=True)
class Target:
    """An observation, or all observations that have a searchable value.

    Parameters
    ----------
    scope
        The instrument; "" for any, where a value is meant.
    observation
        Name of the observation; "" where a value is meant.
    key, value
        The searchable value (a campaign's, a proposal's).
    """

    scope: str = ""
    observation: str = ""
    key: str = ""
    value: str | int | float | None = None

    def __str__(self) -> str:
        if self.observation:
            return f"{self.scope}:{self.observation}"
        return f"{self.scope}:{self.key}={self.value}" if self.scope else f"{self.key}={self.value}"

    @classmethod
    def of_text(cls, text: str, instrument: str | None = None) -> Target:
        """What ``SCOPE:OBSERVATION``, ``SCOPE:OBSERVATION.lLEVEL`` or ``KEY=VALUE`` means.

        Raises
        ------
        BadInput
            When it is none of these, or lacks the instrument.
        """
        if not text.isprintable() or len(text) > _LONGEST:
            raise _unclear(text)
        key, equals, value = text.partition("=")
        if equals:
            scope, colon, key = key.rpartition(":") if ":" in key else ("", "", key)
            named = instrument or (scope if colon else "")
            if not key.strip() or not value.strip() or (scope and instrument and scope != instrument):
                raise _unclear(text)
            return cls(named or "", "", key.strip(), _plain(value.strip()))
        scope, colon, name = text.partition(":")
        if not colon:
            scope, name = instrument or "", text
        if not scope or not name or (instrument and scope != instrument):
            raise _unclear(text)
        return cls(scope, _observation(f"{scope}:{name}", name))


def _observation(whole: str, name: str) -> str:
    """The observation of a product, or the name itself where it names no product."""
    try:
        return parse_product(whole).observation
    except BadInput:
        return name


def _plain(value: str) -> str | int | float:
    """A value as headers have it: a number where it is written as one, else, or in quotes, a text."""
    if len(value) > 1 and value[0] == value[-1] == '"':
        return value[1:-1]
    if _WHOLE.fullmatch(value):
        return int(value)
    if _BROKEN.fullmatch(value):
        number = float(value)
        return int(number) if number.is_integer() else number
    return value


def _unclear(text: str) -> BadInput:
    return BadInput(
        "it is not clear what the embargo is to be about",
        keyword="TARGET",
        found=printable(text[:_LONGEST]),
        advice="write INSTRUMENT:OBSERVATION, a product of it, or KEY=VALUE for all that have a searchable "
        "value; `heliolake show PRODUCT` lists the values",
        code=Reason.BAD_NAME,
    )
