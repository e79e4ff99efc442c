"""Heliolake in a notebook: find releases, open them as lazy stacks, process more."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cluster.home.home import Home
from cluster.sites.book import Book
from heliolake.hints import why_nothing
from heliolake.progress import shown
from heliolake.recipes import find_recipe
from heliolake.results import Observation, Results
from heliolake.running import ARun
from heliolake.selection import select
from heliolake.shows import Span, place, spans
from heliolake.tables import Rows
from heliolake.times import moment
from lake.errors import BadInput
from lake.governance.known import principal, require_operator
from lake.lake import Lake
from lake.ledger import runs
from lake.releases import quarantine as cases
from lake.releases import search as finding
from lake.releases.facts import Shows
from lake.releases.finding import Wanted
from pipeline.cube.layout import Use

if TYPE_CHECKING:
    import xarray as xr
    from distributed import Client

    from cluster.plan.plan import Plan
    from cluster.plan.standing import Standing
    from cluster.report import Report

Time = datetime | date | str


def connect(home: Path | str | None = None, account: str | None = None) -> Connection:
    """Open the lake of a home whose services run.

    Parameters
    ----------
    home
        Its folder; else ``HELIOLAKE_HOME``, else ``~/.heliolake``.
    account
        Act as this account, or as the ``"public"``: see and get what they would. By default whoever can open
        the home owns it, and nothing is withheld.

    Raises
    ------
    lake.errors.BadInput
        When there is no such account.
    lake.errors.Unreachable
        When the services do not run; the message says how to start them.

    Examples
    --------
    >>> lake = heliolake.connect()
    >>> lake.search(level="1")
    """
    return Connection(Home.resolve(home), account)


class Connection:
    """An open lake.

    Parameters
    ----------
    home
        The home whose services run.
    account
        On whose behalf; the home's owner by default.
    """

    def __init__(self, home: Home, account: str | None = None) -> None:
        self.home = home
        self.account = account
        self.lake = Lake.open(Book(home).lake_config())
        self.principal = principal(self.lake, account)

    def __repr__(self) -> str:
        return f"<Heliolake at {self.home.path}>"

    def __enter__(self) -> Connection:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def search(
        self,
        *,
        instrument: str | None = None,
        level: str | float | None = None,
        since: Time | None = None,
        until: Time | None = None,
        status: str | None = "ACTIVE",
        observation: str | None = None,
        words: str | None = None,
        wavelength: Span | None = None,
        near: tuple[float, ...] | None = None,
        mu: Span | None = None,
        exposure: Span | None = None,
        **shows: Any,
    ) -> Results:
        """Releases that match all that is given.

        Parameters
        ----------
        instrument
            Name of the instrument, ``"stereo_hi"``.
        level
            Level, ``"1.5"`` or ``1.5``.
        since, until
            Releases with data in [since, until); a text like ``"2011-09-10"`` is taken as UTC.
        status
            ACTIVE by default; `None` for every status.
        observation
            Name of the observation; ``*`` and ``?`` stand for anything.
        words
            Words that the name or a searchable value of the observation holds, each of them; ``*`` behind one
            stands for any ending: ``"HI2 science"``, ``"calib*"``.
        wavelength
            In nanometres: one that it has, or from where to where, ``(630, 631)``; either may be `None`.
        near
            ``(x, y)`` or ``(x, y, radius)`` in arcseconds: fields that show a place, or come so near to it.
        mu, exposure
            Cosine of the heliocentric angle, and seconds; as `wavelength`.
        **shows
            ``target``, ``campaign``, ``kind``: words of the header; ``polarimetric``, ``spectroscopic``,
            ``embargoed``: True or False.
        """
        wanted = _level(level)
        shown = Shows(**spans(wavelength=wavelength, mu=mu, exposure=exposure), **place(near), **shows)
        found = finding.search(
            self.lake,
            Wanted(
                instrument, wanted, _moment(since), _moment(until), status, observation, words, shows=shown
            ),
            principal=self.principal,
        )
        why = (
            ""
            if found
            else why_nothing(self.lake, instrument=instrument, level=wanted, observation=observation)
        )
        return Results([Observation(self.lake, one, self.principal) for one in found], why)

    def product(self, name: str) -> Observation:
        """The release ``PRODUCT`` or ``PRODUCT@v0001`` means.

        Raises
        ------
        lake.errors.BadInput
            When there is none.
        """
        facts = finding.show(self.lake, name, self.principal)["release"]
        return Observation(self.lake, facts, self.principal)

    def stack(
        self,
        found: Iterable[Observation],
        path: Path | str | None = None,
        *,
        use: str = "frames",
        shape: tuple[int, ...] | None = None,
        uncertainty: bool = False,
        anew: bool = False,
    ) -> xr.Dataset:
        """Releases as one zarr store, written by the cluster and opened again, lazily.

        To look at a few frames take ``found.stack()``, which reads the files where they lie.

        Parameters
        ----------
        found
            Releases, as `search` finds them.
        path
            Where the store goes, ``NAME.zarr``; by default into the home's cache, where it is found again the
            next time (``heliolake cache --clear`` throws it away).
        use
            ``"frames"`` for processing whole frames, ``"series"`` for the course of pixels in time.
        shape
            (ny, nx) of the frames wanted; needed only where they have several.
        uncertainty
            With the uncertainty of every pixel.
        anew
            Replace a store at `path` that holds something else.

        Returns
        -------
        xarray.Dataset
            As `Results.stack` gives it, with world coordinates.

        Raises
        ------
        lake.errors.BadInput
            When frames do not go together, or something else is at `path`.
        """
        import xarray as xr

        from heliolake.stores import make_store

        order = select(found, shape=shape, uncertainty=uncertainty).order(Use(use))
        with shown("stack") as bar:
            made = make_store(
                self.home, order, None if path is None else Path(path), anew=anew, on_progress=bar
            )
        return xr.open_zarr(made.path)

    def parents(self, release: Observation) -> list[str]:
        """The releases (``PRODUCT@vNNNN``) a release was made from."""
        return list(finding.show(self.lake, release.name, self.principal)["provenance"]["parents"])

    def process(
        self,
        recipe: str,
        *,
        settings: Mapping[str, Any] | None = None,
        since: Time | None = None,
        until: Time | None = None,
        observation: str | None = None,
        context: int | None = None,
        retry_quarantined: bool = False,
        keep_going: bool = False,
        replace: bool = False,
        sites: Sequence[str] = (),
    ) -> Report:
        """Plan, compute on the cluster and publish, as ``heliolake process`` does.

        To play with settings use `try_recipe`, which publishes nothing.

        Parameters
        ----------
        recipe
            Name of a recipe, or path of a YAML file.
        settings
            ``{"step.parameter": value}``.
        since, until, observation
            Which observations; all by default.
        context
            Number of the context of references; the current one by default.
        retry_quarantined
            Try units again that were put aside.
        keep_going
            Put frames aside even where the first ones all fail alike, instead of stopping.
        replace
            With `settings`: let what they make take the place of ACTIVE releases. Without it that is refused.
        sites
            Names of the sites that do it; all that take work where none is named.

        Returns
        -------
        cluster.report.Report
            One item per file; ``report.more["releases"]`` are the releases made.

        Raises
        ------
        lake.errors.BadInput
            When settings would replace an ACTIVE release and `replace` was not given.
        """
        from cluster.crew.crew import SiteCrew
        from cluster.plan.standing import standing
        from cluster.run.process import process

        require_operator(self.principal, "process")
        book = Book(self.home)
        crew = SiteCrew(book, tuple(sites), self.account) if sites or book.several else None
        plan = self._planned(recipe, settings, since, until, observation, context)
        if settings and not replace:
            _require_no_surprise(standing(self.lake, plan))
        with shown(plan.recipe.name) as bar:
            return process(
                self.lake,
                self.home.scheduler(),
                plan,
                on_progress=bar,
                retry_quarantined=retry_quarantined,
                keep_going=keep_going,
                principal=self.principal,
                crew=crew,
            )

    def try_recipe(
        self,
        recipe: str,
        *,
        settings: Mapping[str, Any] | None = None,
        since: Time | None = None,
        until: Time | None = None,
        observation: str | None = None,
        context: int | None = None,
        shape: tuple[int, ...] | None = None,
        frames_per_block: int = 1,
    ) -> xr.Dataset:
        """What `process` would make, as a lazy stack: nothing is published, nothing is remembered.

        The frames go through the very same `pipeline.apply`, with the references of the same context.

        Parameters
        ----------
        recipe, settings, since, until, observation, context
            As for `process`.
        shape
            Of the raw frames wanted, (ny, nx) of images; needed only where they have several.
        frames_per_block
            Images in one Dask chunk.

        Returns
        -------
        xarray.Dataset
            As `Observation.stack` gives it; ``.isel(time=0).compute()`` makes the first frame.

        Raises
        ------
        pipeline.errors.Fatal
            When every frame would lack a reference.
        lake.errors.BadInput
            When nothing is found, or frames have several shapes and none was named.
        """
        from cluster.run.trial import trial_stack

        plan = self._planned(recipe, settings, since, until, observation, context)
        return trial_stack(self.lake, plan, self.principal, shape=shape, frames_per_block=frames_per_block)

    def plan(
        self,
        recipe: str,
        *,
        settings: Mapping[str, Any] | None = None,
        since: Time | None = None,
        until: Time | None = None,
        observation: str | None = None,
        context: int | None = None,
    ) -> PlanTable:
        """What `process` would do, and do nothing: a table of products, with what is new and what is done.

        The parameters are those of `process`; ``.plan`` is the plan itself, ``.plan.explain(file)`` tells
        how one file would be made.

        Raises
        ------
        pipeline.errors.Fatal
            When every file would lack a reference.
        """
        from cluster.plan.refusals import refuse_hopeless
        from cluster.plan.standing import standing

        plan = self._planned(recipe, settings, since, until, observation, context)
        refuse_hopeless(self.lake, plan)
        return PlanTable(plan, standing(self.lake, plan))

    def runs(self, limit: int = 20) -> Rows:
        """The last runs, newest first: which recipe, when, and what became of its units."""
        require_operator(self.principal, "runs")
        return Rows(runs.runs(self.lake, limit=limit), ("run", "recipe", "status", "created", "units"))

    def run(self, run_id: str) -> ARun:
        """One run: ``.status()`` how it gets on, ``.watch()``, ``.pause()``, ``.resume()``, ``.cancel()``.

        Parameters
        ----------
        run_id
            Its name, as `runs` lists it.

        Raises
        ------
        lake.errors.BadInput
            When there is none.
        """
        require_operator(self.principal, "runs")
        runs.find_run(self.lake, run_id)
        return ARun(self.home, self.lake, self.principal, run_id, self.account)

    def quarantine(
        self, *, stage: str | None = None, run: str | None = None, everything: bool = False
    ) -> Rows:
        """The files that were put aside: the reason, and what to do about each.

        Parameters
        ----------
        stage
            ``"ingest"`` or ``"process"``; both by default.
        run
            Only of this run.
        everything
            Settled cases as well.
        """
        require_operator(self.principal, "quarantine")
        found = cases.listing(self.lake, stage=stage, run_id=run, resolved=everything)
        return Rows(found, ("file", "stage", "reason", "keyword", "found", "advice"))

    def _planned(
        self,
        recipe: str,
        settings: Mapping[str, Any] | None,
        since: Time | None,
        until: Time | None,
        observation: str | None,
        context: int | None,
    ) -> Plan:
        from cluster.plan.plan import Query, make_plan

        wanted = find_recipe(recipe)
        if settings:
            wanted = wanted.with_settings(settings)
        query = Query(_moment(since), _moment(until), observation)
        return make_plan(self.lake, wanted, query, context=context, principal=self.principal)

    def cluster(self) -> Client:
        """A client of the home's Dask cluster, which then computes what is lazy."""
        require_operator(self.principal, "cluster")
        from cluster.connect import connect

        return connect(self.home.scheduler(), as_default=True)

    def close(self) -> None:
        """Give the connections back."""
        self.lake.close()


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
        told += [f"{number} lack {need}" for need, number in standing.lacking.items()]
        caption = f"{plan.recipe.name}: {len(plan.units)} files, {', '.join(told)}"
        columns = ("product", "units", "new", "done", "active", "comes")
        super().__init__((asdict(one) for one in standing.products), columns, caption)


def _require_no_surprise(stands: Standing) -> None:
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


def _level(level: str | float | None) -> str | None:
    """A level as text: 1, 1.0 and "1" are the same."""
    return f"{level:g}" if isinstance(level, (int, float)) else level


def _moment(when: Time | None) -> datetime | None:
    """A time in UTC; a text without a zone is taken as UTC."""
    return None if when is None else moment(when)
