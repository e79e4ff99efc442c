"""Heliolake in a notebook: find releases, open them as lazy stacks, process more."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import cached_property
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

from cluster.home import Home
from cluster.stacks import FrameSource, Loader, open_stack
from heliolake.recipes import find_recipe
from lake import search as finding
from lake.access import OPERATOR
from lake.entries import FileEntry
from lake.errors import BadInput
from lake.lake import Lake
from lake.text import printable
from pipeline.instrument import instruments

if TYPE_CHECKING:
    import xarray as xr
    from distributed import Client

    from cluster.report import Report

Time = datetime | str

_COLUMNS = ("product", "version", "status", "level", "files", "date_beg")


def connect(home: Path | str | None = None) -> Connection:
    """Open the lake of a home whose services run.

    Parameters
    ----------
    home
        Its folder; else ``HELIOLAKE_HOME``, else ``~/.heliolake``.

    Raises
    ------
    lake.errors.Unreachable
        When the services do not run; the message says how to start them.

    Examples
    --------
    >>> lake = heliolake.connect()
    >>> lake.search(level="1")
    """
    return Connection(Home.resolve(home))


class Connection:
    """An open lake.

    Parameters
    ----------
    home
        The home whose services run.
    """

    def __init__(self, home: Home) -> None:
        self.home = home
        self.lake = Lake.open(home.lake_config())

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
        level: str | None = None,
        since: Time | None = None,
        until: Time | None = None,
        status: str | None = "ACTIVE",
        observation: str | None = None,
    ) -> Results:
        """Releases that match all that is given.

        Parameters
        ----------
        instrument
            Name of the instrument, ``"stereo_hi"``.
        level
            Level as text, ``"1.5"``.
        since, until
            Releases with data in [since, until); a text like ``"2011-09-10"`` is taken as UTC.
        status
            ACTIVE by default; `None` for every status.
        observation
            Name of the observation; ``*`` and ``?`` stand for anything.
        """
        found = finding.search(
            self.lake,
            instrument=instrument,
            level=level,
            since=_moment(since),
            until=_moment(until),
            status=status,
            pattern=observation,
        )
        return Results([Observation(self.lake, one) for one in found])

    def product(self, name: str) -> Observation:
        """The release ``PRODUCT`` or ``PRODUCT@v0001`` means.

        Raises
        ------
        lake.errors.BadInput
            When there is none.
        """
        return Observation(self.lake, finding.show(self.lake, name)["release"])

    def parents(self, release: Observation) -> list[str]:
        """The releases (``PRODUCT@vNNNN``) a release was made from."""
        return list(finding.show(self.lake, release.name)["provenance"]["parents"])

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
    ) -> Report:
        """Plan, compute on the cluster and publish, as ``heliolake process`` does.

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

        Returns
        -------
        cluster.report.Report
            One item per file; ``report.more["releases"]`` are the releases made.
        """
        from cluster.plan import Query, make_plan
        from cluster.run import process

        wanted = find_recipe(recipe)
        if settings:
            wanted = wanted.with_settings(settings)
        query = Query(_moment(since), _moment(until), observation)
        plan = make_plan(self.lake, wanted, query, context=context)
        return process(self.lake, self.home.scheduler(), plan, retry_quarantined=retry_quarantined)

    def cluster(self) -> Client:
        """A client of the home's Dask cluster, which then computes what is lazy."""
        from cluster.connect import connect

        return connect(self.home.scheduler(), as_default=True)

    def close(self) -> None:
        """Give the connections back."""
        self.lake.close()


class Observation:
    """One release of an observation.

    Parameters
    ----------
    lake
        Where it is.
    facts
        As `lake.search.search` describes it; every entry is an attribute too
        (``product``, ``level``, ``version``, ``status``, ``date_beg``, ``files``, ``did`` …).
    """

    def __init__(self, lake: Lake, facts: Mapping[str, Any]) -> None:
        self._lake = lake
        self.facts = dict(facts)

    def __getattr__(self, name: str) -> Any:
        facts = self.__dict__.get("facts", {})
        if name in facts:
            return facts[name]
        raise AttributeError(f"a release has no {name!r}; it has: {', '.join(sorted(facts))}")

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *self.facts})

    def __repr__(self) -> str:
        return f"<{self.name} {self.status}, {self.files} files>"

    def _repr_html_(self) -> str:
        return Results([self])._repr_html_()

    @property
    def name(self) -> str:
        """``PRODUCT@vNNNN``: what `get` and `show` take."""
        return f"{self.facts['product']}@v{self.facts['version']:04d}"

    @cached_property
    def entries(self) -> tuple[FileEntry, ...]:
        """What the lake knows of each file, in time order."""
        found = finding.granted_files(self._lake, self.name, OPERATOR)
        return tuple(sorted(found, key=lambda entry: (entry.date_beg is None, entry.date_beg, entry.name)))

    @property
    def paths(self) -> list[Path]:
        """Where the files lie. They are part of the lake: read them, never change them."""
        return [self._lake.path_of(entry.scope, entry.name) for entry in self.entries]

    def get(self, folder: Path | str) -> list[Path]:
        """Copy the files to a folder, each verified with its checksum."""
        return finding.get_files(self._lake, self.name, folder, OPERATOR)

    def stack(
        self,
        shape: tuple[int, int] | None = None,
        *,
        frames_per_block: int = 1,
        uncertainty: bool = False,
    ) -> xr.Dataset:
        """The frames along time, lazily.

        Parameters
        ----------
        shape
            (ny, nx) of the frames wanted; needed only where a release holds several.
        frames_per_block
            Images in one Dask chunk.
        uncertainty
            With the variable ``uncertainty``: one standard deviation of every pixel, NaN where the files
            hold none.

        Returns
        -------
        xarray.Dataset
            ``image`` (time, y, x) float32, ``quality`` (time, y, x) uint16, and per frame ``header`` and
            ``outcome``, with ``time`` as coordinate. Fit for `pipeline.apply`.

        Raises
        ------
        lake.errors.BadInput
            When the release holds frames of several shapes and none was named.
        """
        chosen = self._of_shape(shape)
        stack = self.frames(chosen, frames_per_block=frames_per_block, uncertainty=uncertainty)
        dates = [None if entry.date_beg is None else entry.date_beg.replace(tzinfo=None) for entry in chosen]
        return stack.assign_coords(time=("time", _datetimes(dates))).assign_attrs(
            product=self.facts["product"], version=self.facts["version"], level=self.facts["level"]
        )

    def frames(
        self, entries: Sequence[FileEntry], *, frames_per_block: int = 1, uncertainty: bool = False
    ) -> xr.Dataset:
        """Some of the frames, all of one shape, as a lazy stack without coordinates; see `stack`."""
        size = (entries[0].shape[-2], entries[0].shape[-1])
        sources = [self._source(entry) for entry in entries]
        return open_stack(sources, size, frames_per_block=frames_per_block, uncertainty=uncertainty)

    def _of_shape(self, shape: tuple[int, int] | None) -> list[FileEntry]:
        shapes = {(entry.shape[-2], entry.shape[-1]) for entry in self.entries}
        if shape is None and len(shapes) != 1:
            raise BadInput(
                f"{self.name} holds frames of several shapes",
                keyword="shape",
                found=", ".join(map(str, sorted(shapes))),
                advice="name one: stack(shape=(ny, nx))",
            )
        size = shape or next(iter(shapes))
        chosen = [entry for entry in self.entries if (entry.shape[-2], entry.shape[-1]) == size]
        if not chosen:
            raise BadInput(
                f"{self.name} holds no frame of this shape",
                keyword="shape",
                found=str(size),
                advice=f"it has {', '.join(map(str, sorted(shapes)))}",
            )
        return chosen

    def _source(self, entry: FileEntry) -> FrameSource:
        known = instruments().get(entry.scope)
        return FrameSource(
            loader=Loader(str(self._lake.path_of(entry.scope, entry.name)), entry.image_hdu),
            source=entry.name,
            sha256=entry.sha256,
            blank_is_missing=known.blank_is_missing if known else True,
            caveats=entry.caveats,
        )


class Results(Sequence[Observation]):
    """Releases that were found; shows itself as a table."""

    def __init__(self, found: Sequence[Observation]) -> None:
        self._found = tuple(found)

    @overload
    def __getitem__(self, index: int) -> Observation: ...
    @overload
    def __getitem__(self, index: slice) -> Results: ...
    def __getitem__(self, index: int | slice) -> Observation | Results:
        """One release by its number, or some of them."""
        return Results(self._found[index]) if isinstance(index, slice) else self._found[index]

    def __len__(self) -> int:
        return len(self._found)

    def __iter__(self) -> Iterator[Observation]:
        return iter(self._found)

    def __repr__(self) -> str:
        if not self._found:
            return "nothing found"
        rows = [_COLUMNS, *self._rows()]
        widths = [max(len(row[column]) for row in rows) for column in range(len(_COLUMNS))]
        lines = [
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows
        ]
        return "\n".join(line.rstrip() for line in lines)

    def _repr_html_(self) -> str:
        head = "".join(f"<th>{name}</th>" for name in _COLUMNS)
        body = "".join(
            "<tr>" + "".join(f"<td>{escape(printable(cell))}</td>" for cell in row) + "</tr>"
            for row in self._rows()
        )
        return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"

    def _rows(self) -> list[tuple[str, ...]]:
        return [
            (
                str(one.facts["product"]),
                f"v{one.facts['version']:04d}",
                str(one.facts["status"]),
                str(one.facts["level"]),
                str(one.facts["files"]),
                str(one.facts["date_beg"] or "")[:19],
            )
            for one in self._found
        ]


def _moment(when: Time | None) -> datetime | None:
    """A time in UTC; a text without a zone is taken as UTC."""
    moment = datetime.fromisoformat(when) if isinstance(when, str) else when
    if moment is None:
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _datetimes(dates: Sequence[datetime | None]) -> Any:
    import numpy as np

    return np.array(
        [np.datetime64("NaT") if date is None else date for date in dates], dtype="datetime64[ns]"
    )
