"""A run in a notebook: how it gets on, held up, let go, given up, tried again."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from cluster.home.home import Home
from cluster.html import html_table, safe, text_table
from cluster.pacing import STEPS, amount, busiest, one_line, step_rows
from heliolake.progress import drawing, shown
from lake.governance.policy import Principal
from lake.lake import Lake
from lake.ledger import control
from lake.ledger.pace import pace

if TYPE_CHECKING:
    from cluster.report import Report

#: Seconds between two looks of who watches.
_EVERY: Final = 2.0
_WORKERS: Final = 16


class RunStatus(dict[str, Any]):
    """How a run gets on, as ``heliolake runs show --json`` tells it; shows itself in notebooks."""

    def __repr__(self) -> str:
        parts = [f"run {self['run']}, {self['recipe']}: {self['status']}, {one_line(self)}"]
        if self["steps"]:
            parts.append(text_table(STEPS, step_rows(self)))
        parts += [f"{one['units']} {one['state']}: {one['reason']}" for one in self["troubles"]]
        return "\n".join(parts)

    def _repr_html_(self) -> str:
        bar = f'<progress value="{self["ended"]}" max="{max(1, self["total"])}"></progress>'
        title = f"<b>{safe(self['run'])}</b> {safe(self['recipe'])}: {safe(self['status'])}"
        parts = [f"<div>{title} {bar} {safe(one_line(self))}</div>"]
        if self["steps"]:
            parts.append(html_table(STEPS, step_rows(self)))
        if self["workers"]:
            rows = [
                (one["worker"], one["site"], one["units"], f"{one['rate']:.3g}", amount(one["memory"]))
                for one in busiest(self["workers"], _WORKERS)
            ]
            parts.append(html_table(("worker", "site", "units", "per min", "memory"), rows))
        if self["troubles"]:
            told = [
                (one["units"], one["state"], one["step"], one["reason"], one["advice"])
                for one in self["troubles"]
            ]
            parts.append(html_table(("units", "state", "step", "reason", "what to do"), told))
        return "".join(parts)

    @property
    def goes_on(self) -> bool:
        """Whether somebody carries the run out, or waits with it while it is paused."""
        alive = any(one["alive"] for one in self["executors"])
        return alive and self["status"] in ("running", "paused")


class ARun:
    """A run, as `Connection.run` gives it.

    Parameters
    ----------
    home
        The home whose cluster carries it out.
    lake
        Its open lake.
    principal
        On whose behalf.
    run_id
        Its name.
    account
        In whose name executors of other sites act.
    """

    def __init__(
        self, home: Home, lake: Lake, principal: Principal, run_id: str, account: str | None = None
    ) -> None:
        self.id = run_id
        self._home, self._lake, self._principal, self._account = home, lake, principal, account

    def __repr__(self) -> str:
        return repr(self.status())

    def _repr_html_(self) -> str:
        return self.status()._repr_html_()

    def status(self) -> RunStatus:
        """How it gets on at this moment.

        Raises
        ------
        lake.errors.BadInput
            When there is no such run.
        """
        return RunStatus(pace(self._lake, self.id))

    def watch(self, every: float = _EVERY) -> RunStatus:
        """Show below the cell how it gets on, until it ends; interrupt the cell to watch no longer."""
        found = self.status()
        draw = drawing(found)
        while found.goes_on:
            time.sleep(every)
            found = self.status()
            draw(found)
        return found

    def pause(self) -> None:
        """Hold it up: no further unit is begun, what is at work is finished or given back."""
        control.pause(self._lake, self.id, self._principal)

    def cancel(self) -> None:
        """Give it up, units at work too; what it published stays."""
        control.cancel(self._lake, self.id, self._principal)

    def resume(self) -> Report | None:
        """Let it go on: by the process that waits with it, else in this cell, which then gives the report."""
        from cluster.run.process import resume

        waiting = control.at_it(self._lake, self.id)
        control.resume(self._lake, self.id, self._principal)
        if waiting:
            return None
        return self._here(resume, self.id)

    def retry(self, reason: str = "") -> Report | None:
        """Try again what failed or was put aside.

        Whoever carries the run out takes it up; where nobody does this cell does, and gives the report.

        Parameters
        ----------
        reason
            Only those for whose reason has these words in it.
        """
        from cluster.run.process import retry

        if control.at_it(self._lake, self.id):
            control.try_again(self._lake, self.id, self._principal, reason)
            return None
        return self._here(retry, self.id, reason)

    def _here(self, carry_out: Callable[..., Report], *what: str) -> Report:
        """Have this process carry the run out, with a bar below the cell."""
        from cluster.crew.crew import SiteCrew
        from cluster.sites.book import Book

        book = Book(self._home)
        crew = SiteCrew(book, (), self._account) if book.several else None
        scheduler = self._home.scheduler()
        with shown(f"run {self.id}") as bar:
            return carry_out(
                self._lake, scheduler, *what, on_progress=bar, principal=self._principal, crew=crew
            )
