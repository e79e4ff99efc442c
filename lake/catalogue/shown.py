"""What the files of a release show, as columns of it with their indexes; see `lake.fits.facts`."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import Double, Index, text
from sqlalchemy.orm import Mapped, mapped_column

BEGUN = text("coalesce(date_beg, 'infinity'::timestamptz)")


class Shown:
    """From the least to the greatest of what is a number; all there are of what is a word."""

    wave_min: Mapped[float | None] = mapped_column(Double)
    wave_max: Mapped[float | None] = mapped_column(Double)
    x_min: Mapped[float | None] = mapped_column(Double)
    x_max: Mapped[float | None] = mapped_column(Double)
    y_min: Mapped[float | None] = mapped_column(Double)
    y_max: Mapped[float | None] = mapped_column(Double)
    mu_min: Mapped[float | None] = mapped_column(Double)
    mu_max: Mapped[float | None] = mapped_column(Double)
    exposure_min: Mapped[float | None] = mapped_column(Double)
    exposure_max: Mapped[float | None] = mapped_column(Double)
    targets: Mapped[list[str]] = mapped_column(server_default=text("'{}'"))
    campaigns: Mapped[list[str]] = mapped_column(server_default=text("'{}'"))
    kinds: Mapped[list[str]] = mapped_column(server_default=text("'{}'"))
    polarimetric: Mapped[bool | None]
    spectroscopic: Mapped[bool | None]


def index_of_words() -> Index:
    """Words of an observation, parts of its name (`*_2011*`) and its months together.

    The functions are our own, made by migrations.
    """
    threes, months = text("heliolake_trigrams(name)"), text("heliolake_months(date_beg, date_end)")
    return Index("ix_observation_found", "words", threes, months, postgresql_using="gin")


def indexes_of_facts() -> Iterator[Index]:
    """Ranges as boxes, which an index has in any database without an extension; their other side is time."""
    when = "heliolake_seconds(date_beg)"
    for name, (across, low, high) in {
        "wave": ("wave", when, when),
        "place": ("x", "y_min", "y_max"),
        "mu": ("mu", when, when),
        "exposure": ("exposure", when, when),
    }.items():
        box = text(f"box(point({across}_min, {low}), point({across}_max, {high}))")
        known = text(f"{across}_min IS NOT NULL")
        yield Index(f"ix_release_{name}", box, postgresql_using="gist", postgresql_where=known)
    month = text("heliolake_months(date_beg, NULL)")
    yield Index("ix_release_found", "targets", "campaigns", "kinds", month, postgresql_using="gin")
    for name in ("polarimetric", "spectroscopic"):
        yield Index(f"ix_release_{name}_begun", BEGUN, "scope", "dataset", postgresql_where=text(name))
