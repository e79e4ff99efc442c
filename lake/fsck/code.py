"""Products whose headers name other step versions than their units were planned with.

A process that was not restarted after an update runs the steps it once
loaded. What such a process published stands under the name of the new work,
and the same unit is never done twice: it has to be found and forgotten.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import partial

from astropy.io import fits
from sqlalchemy import select

from lake.catalogue.models import File, Observation, Product, Release, ReleaseFile, UnitResult
from lake.catalogue.session import transaction
from lake.errors import HeliolakeLakeError
from lake.fits.io import read_header
from lake.fsck.difference import DEEP_REPAIR, Difference, Look
from lake.lake import Lake
from lake.ledger import units


def other_code(look: Look) -> Iterator[Difference]:
    """Files of ACTIVE releases whose headers disagree with their units about the versions of steps.

    Units of releases made before the versions were kept with them are not compared.
    """
    query = (
        select(File.scope, File.name, UnitResult.unit_id, UnitResult.detail, Release.recipe, Observation.name)
        .join(UnitResult, UnitResult.file_id == File.id)
        .join(ReleaseFile, ReleaseFile.file_id == File.id)
        .join(Release, Release.id == ReleaseFile.release_id)
        .join(Product, Product.id == Release.product_id)
        .join(Observation, Observation.id == Product.observation_id)
        .where(Release.status == "ACTIVE", UnitResult.outcome == "done")
        .order_by(File.scope, File.name)
    )
    if look.picture.scopes is not None:
        query = query.where(File.scope.in_(look.picture.scopes))
    with transaction(look.lake.sessions) as session:
        rows = session.execute(query).all()
    for scope, name, unit_id, detail, recipe, observation in rows:
        planned = detail.get("procedures")
        if not planned:
            continue
        try:
            header = read_header(str(look.lake.path_of(scope, name)), 0)
        except HeliolakeLakeError:  # what cannot be read is told by the comparison of bytes
            continue
        if wrong := _differences(planned, header):
            again = f"heliolake process {recipe or 'RECIPE'} --observation {observation}"
            yield Difference(
                "other-code",
                f"{scope}:{name}",
                f"other code made it than its unit names: {'; '.join(wrong)}; once the unit is forgotten it "
                "can be made anew as the product's next version, with the settings it had",
                partial(_forget, look.lake, unit_id, again),
                (DEEP_REPAIR, again),
            )


def _forget(lake: Lake, unit_id: str, again: str) -> tuple[str, ...]:
    units.forget_lost(lake, [unit_id])
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
