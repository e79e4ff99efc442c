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


def indexes_of_facts() -> Iterator[Index]:
    """Ranges as boxes, which an index has in any database without an extension."""
    for name, (across, up) in {
        "wave": ("wave", ""),
        "place": ("x", "y"),
        "mu": ("mu", ""),
        "exposure": ("exposure", ""),
    }.items():
        low, high = (f"{up}_{end}" if up else "0" for end in ("min", "max"))
        box = text(f"box(point({across}_min, {low}), point({across}_max, {high}))")
        known = text(f"{across}_min IS NOT NULL")
        yield Index(f"ix_release_{name}", box, postgresql_using="gist", postgresql_where=known)
    for name in ("targets", "campaigns", "kinds"):
        yield Index(f"ix_release_{name}", name, postgresql_using="gin")
    for name in ("polarimetric", "spectroscopic"):
        yield Index(f"ix_release_{name}_begun", BEGUN, "scope", "dataset", postgresql_where=text(name))
