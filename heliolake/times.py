"""Times as people write them, for the command line and for notebooks alike."""

from __future__ import annotations

from datetime import UTC, date, datetime

from lake.errors import BadInput, Reason

Time = datetime | date | str


def moment(when: Time) -> datetime:
    """A time in UTC; a text or a time without a zone is taken as UTC, a day as its beginning.

    Raises
    ------
    BadInput
        When a text is no time.
    """
    if isinstance(when, date) and not isinstance(when, datetime):
        when = datetime(when.year, when.month, when.day)  # noqa: DTZ001 - its zone is set below
    try:
        found = when if isinstance(when, datetime) else datetime.fromisoformat(when)
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, TypeError, OverflowError) as error:
        raise BadInput(
            f"{when!r} is not a time; write 2011-09-10 or 2011-09-10T11:47:21", code=Reason.BAD_KEYWORD
        ) from error


def maybe_moment(when: Time | None) -> datetime | None:
    """The same, where any is given."""
    return None if when is None else moment(when)
