"""Heliolake in a notebook: find releases, open them as lazy stacks, process more."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cluster.home.home import Home
from cluster.sites.book import Book
from heliolake.calibrating import References, reduced, references
from heliolake.hints import why_nothing
from heliolake.plan_table import PlanTable, require_no_surprise
from heliolake.progress import shown
from heliolake.recipes import find_recipe
from heliolake.results import Observation, Results
from heliolake.running import ARun
from heliolake.selection import select
from heliolake.shows import Span, level_text, place, spans
from heliolake.tables import Rows
from heliolake.times import Time, maybe_moment, moment
from lake.governance.known import principal, require_operator
from lake.lake import Lake
from lake.ledger import runs
from lake.releases import quarantine as cases
from lake.releases import search as finding
from lake.releases.facts import Shows
from lake.releases.finding import Wanted
from lake.releases.holding import get_file
from pipeline.cube.layout import Use

if TYPE_CHECKING:
    import xarray as xr
    from distributed import Client

    from cluster.plan.plan import Plan
    from cluster.report import Report


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
        wanted, span = level_text(level), (maybe_moment(since), maybe_moment(until))
        shown = Shows(**spans(wavelength=wavelength, mu=mu, exposure=exposure), **place(near), **shows)
        found = finding.search(
            self.lake,
            Wanted(instrument, wanted, *span, status, observation, words, shows=shown),
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
            require_no_surprise(standing(self.lake, plan))
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

    def reduce(
        self,
        name: str,
        *,
        instrument: str,
        since: Time | None = None,
        until: Time | None = None,
        observation: str | None = None,
        epochs: Sequence[Time] = (),
        pictures: Path | str | None = None,
        use: bool = False,
    ) -> References:
        """Make a calibration reference of many frames, as ``heliolake reduce`` does: a background, a PSF.

        Parameters
        ----------
        name, instrument
            What to make, and of which instrument's frames.
        since, until, observation
            Of which observations; all by default.
        epochs
            Times from which on the instrument was another one; each epoch gets a reference of its own.
        pictures
            Folder for a picture of each reference, of those that can be drawn.
        use
            Make the new context the current one.

        Returns
        -------
        References
            One row each, with what was found; ``.context`` is the number of the context that lists them.

        Raises
        ------
        lake.errors.BadInput, pipeline.errors.BadInput
            When there are too few frames, or they do not determine what is to be made.
        """
        require_operator(self.principal, "reduce")
        from cluster.plan.plan import Query
        from pipeline.reduction import find_reduction

        kind = find_reduction(instrument, name)
        query = Query(maybe_moment(since), maybe_moment(until), observation)
        begins = [moment(one) for one in epochs]
        folder = None if pictures is None else Path(pictures)
        scheduler = self.home.scheduler()
        return reduced(self.lake, scheduler, kind, query, begins, folder, self.principal, use=use)

    def references(self, instrument: str | None = None, need: str | None = None) -> References:
        """The calibration references of the lake; `get` fetches one by its ``did``.

        Parameters
        ----------
        instrument, need
            Only those for this instrument, and what steps call them (``"psf"``); all by default.
        """
        return references(self.lake, instrument, need)

    def get(self, did: str, folder: Path | str) -> Path:
        """Copy one file to a folder, verified with its checksum.

        Parameters
        ----------
        did
            ``SCOPE:NAME``, as provenance and `references` name files.
        folder
            Made if need be.

        Raises
        ------
        lake.errors.BadInput
            When no release holds such a file, or it may not be had.
        """
        return get_file(self.lake, did, folder, self.principal)

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
        query = Query(maybe_moment(since), maybe_moment(until), observation)
        return make_plan(self.lake, wanted, query, context=context, principal=self.principal)

    def cluster(self) -> Client:
        """A client of the home's Dask cluster, which then computes what is lazy."""
        require_operator(self.principal, "cluster")
        from cluster.connect import connect

        return connect(self.home.scheduler(), as_default=True)

    def close(self) -> None:
        """Give the connections back."""
        self.lake.close()
