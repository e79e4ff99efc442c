"""Products whose headers name other step versions than their units were planned with.

A process that was not restarted after an update runs the steps it once
loaded. What such a process published stands under the name of the new work,
and the same unit is never done twice: it has to be found and forgotten.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Final

from astropy.io import fits
from sqlalchemy import Row, select, tuple_

from lake.catalogue.models import File, Observation, Product, Release, ReleaseFile, UnitResult
from lake.catalogue.session import transaction
from lake.errors import HeliolakeLakeError
from lake.fits.stored import stored_header
from lake.fsck.difference import DEEP_REPAIR, Difference, Look
from lake.governance.policy import CUSTODY
from lake.lake import Lake
from lake.ledger import results

#: Files in one page.
_MANY: Final = 1000


def other_code(look: Look) -> Iterator[Difference]:
    """Files of ACTIVE releases whose headers disagree with their units about the versions of steps.

    Units of releases made before the versions were kept with them are not compared.
    """
    for found in _pages(look):
        for one in found:
            planned = one.detail.get("procedures")
            if not planned:
                continue
            try:
                header = stored_header(look.lake.ref(CUSTODY, one.scope, one.name))
            except HeliolakeLakeError:  # what cannot be read is told by the comparison of bytes
                continue
            if wrong := _differences(planned, header):
                again = f"heliolake process {one.recipe or 'RECIPE'} --observation {one.observation}"
                yield Difference(
                    "other-code",
                    f"{one.scope}:{one.name}",
                    f"other code made it than its unit names: {'; '.join(wrong)}; once the unit is forgotten "
                    "it can be made anew as the product's next version, with the settings it had",
                    partial(_forget, look.lake, one.unit_id, again),
                    (DEEP_REPAIR, again),
                )


def _pages(look: Look) -> Iterator[Sequence[Row[Any]]]:
    """Files of ACTIVE releases with what their units say, so many at a time.

    Each page is a transaction of its own: reading the headers of all may take hours, and findings that were
    repaired meanwhile do not shift the pages behind them.
    """
    place = (File.scope, File.name, UnitResult.unit_id, Release.id)
    query = (
        select(
            *place[:3],
            place[3].label("release_id"),
            UnitResult.detail,
            Release.recipe,
            Observation.name.label("observation"),
        )
        .join(UnitResult, UnitResult.file_id == File.id)
        .join(ReleaseFile, ReleaseFile.file_id == File.id)
        .join(Release, Release.id == ReleaseFile.release_id)
        .join(Product, Product.id == Release.product_id)
        .join(Observation, Observation.id == Product.observation_id)
        .where(Release.status == "ACTIVE", UnitResult.outcome == "done")
        .order_by(*place)
        .limit(_MANY)
    )
    if look.picture.scopes is not None:
        query = query.where(File.scope.in_(look.picture.scopes))
    behind = query
    while True:
        with transaction(look.lake.sessions) as session:
            rows = session.execute(behind).all()
        yield rows
        if len(rows) < _MANY:
            return
        last = rows[-1]
        behind = query.where(tuple_(*place) > (last.scope, last.name, last.unit_id, last.release_id))


def _forget(lake: Lake, unit_id: str, again: str) -> tuple[str, ...]:
    results.forget_lost(lake, [unit_id])
    return (again,)


def _differences(planned: Mapping[str, int], header: fits.Header) -> list[str]:
    made = {}
    numbers = sorted(int(name[6:]) for name in header if re.fullmatch(r"PRPROC\d+", name))
    for n in numbers:  # the last one counts: a level before may have gone through the same step
        made[str(header[f"PRPROC{n}"])] = header.get(f"PRPVER{n}")
    return [
        f"{step} has version {made.get(step, 'none')} in the header and {version} in its unit"
        for step, version in planned.items()
        if made.get(step) != version
    ]
