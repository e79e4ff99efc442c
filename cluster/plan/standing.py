"""Where a plan stands: what of it is new, what was done or put aside before, and what a run would release."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from cluster.plan.plan import Plan
from cluster.plan.refusals import lacking
from lake.entries import iso
from lake.governance.inheritance import of_inputs
from lake.lake import Lake
from lake.ledger import results
from lake.names import ProductKey, version_token
from lake.releases.activation import Active, active_units, former_release


@dataclass(frozen=True)
class ProductStanding:
    """One product of a plan.

    Attributes
    ----------
    product
        Its name.
    units, new, done, put_aside
        How many units it has, and how many of them were never done, gave a file before, or were put aside.
    active
        Version of its ACTIVE release; `None` when it has none.
    comes
        What a run makes of it: ``nothing`` (it is up to date), ``first release``, ``next version``,
        ``version N again`` where an earlier release holds just these files, or ``nothing, all is put aside``.
    """

    product: str
    units: int
    new: int
    done: int
    put_aside: int
    active: int | None
    comes: str

    @property
    def replaces(self) -> bool:
        """Whether another release takes the place of the ACTIVE one."""
        return self.active is not None and self.comes not in (NOTHING, ALL_ASIDE)

    @property
    def left_over(self) -> str:
        """The ACTIVE release of which nothing would be made today, ``PRODUCT@vNNNN``; empty without one."""
        if self.active is None or self.comes != ALL_ASIDE:
            return ""
        return f"{self.product}@{version_token(self.active)}"


NOTHING = "nothing"
ALL_ASIDE = "nothing, all is put aside"


@dataclass(frozen=True)
class Standing:
    """Where a plan stands, as a whole and by product; `lacking` as `cluster.plan.refusals` counts it.

    `embargo_until` is the last end of the embargoes that its products would inherit now.
    """

    products: tuple[ProductStanding, ...]
    lacking: Mapping[str, int]
    embargo_until: datetime | None = None

    @property
    def new(self) -> int:
        """Units that were never done."""
        return sum(one.new for one in self.products)

    @property
    def done(self) -> int:
        """Units that gave a file before."""
        return sum(one.done for one in self.products)

    @property
    def put_aside(self) -> int:
        """Units that were put aside before."""
        return sum(one.put_aside for one in self.products)

    def replaced(self) -> list[ProductStanding]:
        """Products whose ACTIVE release would give way to another."""
        return [one for one in self.products if one.replaces]

    def left_over(self) -> list[str]:
        """ACTIVE releases of which nothing would be made today: whether they are wrong, a person decides."""
        return [one.left_over for one in self.products if one.left_over]

    def document(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "new": self.new,
            "done": self.done,
            "put_aside": self.put_aside,
            "lacking": dict(self.lacking),
            "embargo_until": iso(self.embargo_until),
            "left_over": self.left_over(),
            "products": [asdict(one) for one in self.products],
        }


def standing(lake: Lake, plan: Plan) -> Standing:
    """Where a plan stands now; a plan of a million units is asked about in some hundred questions.

    Parameters
    ----------
    lake
        The lake.
    plan
        The plan.
    """
    known = results.known_outcomes(lake, (unit.unit_id for unit in plan.units))
    members = plan.by_product()
    active = active_units(lake, {product.name for product in members})
    found = (
        _of(lake, product, [unit.unit_id for unit in of_product], known, active.get(product.name))
        for product, of_product in members.items()
    )
    held = of_inputs(lake, plan.parents(), plan.reference_dids())
    return Standing(tuple(found), lacking(plan), held.embargo_until)


def _of(
    lake: Lake, product: ProductKey, ids: Collection[str], known: Mapping[str, str], active: Active | None
) -> ProductStanding:
    done = {one for one in ids if known.get(one) == "done"}
    aside = sum(known.get(one) == "quarantined" for one in ids)
    new = len(ids) - len(done) - aside
    return ProductStanding(
        product=product.name,
        units=len(ids),
        new=new,
        done=len(done),
        put_aside=aside,
        active=None if active is None else active.version,
        comes=_what_comes(lake, product, new, done, active),
    )


def _what_comes(
    lake: Lake, product: ProductKey, new: int, done: Collection[str], active: Active | None
) -> str:
    if not new and set(done) == (active.units if active is not None else set()):
        return NOTHING
    if not new and not done:
        return ALL_ASIDE
    former = former_release(lake, product, done) if done and not new else None
    if former is not None:
        return f"version {former} again"
    return "first release" if active is None else "next version"
