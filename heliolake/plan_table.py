"""Plans as notebooks show them."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from heliolake.tables import Rows
from lake.errors import BadInput

if TYPE_CHECKING:
    from cluster.plan.plan import Plan
    from cluster.plan.standing import Standing


class PlanTable(Rows):
    """A plan that shows itself as a table of its products.

    Attributes
    ----------
    plan
        The plan itself.
    standing
        What of it is new, done, or put aside, and how many files lack which reference.
    """

    def __init__(self, plan: Plan, standing: Standing) -> None:
        self.plan, self.standing = plan, standing
        told = [f"{standing.new} new", f"{standing.done} done before"]
        told += [f"{standing.put_aside} put aside before"] if standing.put_aside else []
        left = standing.left_over()
        told += [f"{len(left)} ACTIVE though all is put aside now"] if left else []
        other = plan.not_for.number
        told += [f"{other} more of its level are not for it (.plan.not_for)"] if other else []
        told += [f"{number} lack {need}" for need, number in standing.lacking.items()]
        caption = f"{plan.recipe.name}: {len(plan.units)} files, {', '.join(told)}"
        columns = ("product", "units", "new", "done", "active", "comes")
        super().__init__((asdict(one) for one in standing.products), columns, caption)


def require_no_surprise(stands: Standing) -> None:
    """Refuse that settings replace what is ACTIVE unasked: a notebook is where one plays."""
    replaced = stands.replaced()
    if replaced:
        names = ", ".join(f"{one.product} v{one.active:04d}" for one in replaced[:3])
        more = f" and {len(replaced) - 3} more" if len(replaced) > 3 else ""
        raise BadInput(
            "these settings would replace what is ACTIVE",
            keyword="replace",
            found=f"{names}{more}",
            advice="try_recipe(...) with the same settings publishes nothing; to publish say replace=True",
        )
