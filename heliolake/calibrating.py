"""Calibration references in a notebook: those of the lake, and new ones made of many frames."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from heliolake.progress import shown
from heliolake.tables import Rows
from lake.calibration import contexts
from lake.calibration.references import listing
from pipeline.reduction import ReductionKind

if TYPE_CHECKING:
    from cluster.plan.plan import Query
    from cluster.scheduler import Scheduler
    from lake.governance.policy import Principal
    from lake.lake import Lake

_COLUMNS = ("did", "need", "instrument", "valid_from", "valid_until", "selectors", "simulated")


class References(Rows):
    """References, as a table.

    Parameters
    ----------
    rows
        The facts of each.
    columns, caption
        As for `heliolake.tables.Rows`.
    context
        Number of the context that lists them, of those that were just made.
    """

    def __init__(
        self,
        rows: Iterable[Mapping[str, Any]],
        columns: Sequence[str] = _COLUMNS,
        caption: str = "",
        context: int | None = None,
    ) -> None:
        super().__init__(rows, columns, caption)
        self.context = context


def references(lake: Lake, instrument: str | None, need: str | None) -> References:
    """Those of the lake, of one instrument and for one need, or all; their sums are not everybody's."""
    found = (one.as_dict() for one in listing(lake, instrument, need))
    return References({name: value for name, value in one.items() if name != "sha256"} for one in found)


def reduced(
    lake: Lake,
    scheduler: Scheduler,
    kind: ReductionKind,
    query: Query,
    epochs: Sequence[datetime],
    pictures: Path | None,
    principal: Principal,
    *,
    use: bool,
) -> References:
    """Make references of all frames that a query finds; see `heliolake.notebook.Connection.reduce`."""
    from cluster.run.reduce import reduce_to_reference

    with shown(kind.name) as bar:
        made = reduce_to_reference(
            lake,
            scheduler,
            kind,
            query,
            epochs=epochs,
            pictures=pictures,
            on_progress=bar,
            principal=principal,
        )
    if use:
        contexts.use(lake, made.context.number)
    state = "in use" if use else "not in use yet: reduce(..., use=True)"
    rows = [
        one.as_dict() | {"found": "; ".join(one.findings), "notes": "; ".join(one.caveats)}
        for one in made.references
    ]
    return References(
        rows,
        ("did", "frames", "found", "notes"),
        f"context {made.context.number}, {state}",
        made.context.number,
    )
