"""Releases as notebooks meet them: one, or a table of those that were found."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

from cluster.html import html_table, text_table
from cluster.plan.layouts import layout_of, stored_dims
from cluster.report import told_status
from cluster.run.sources import coordinates_of
from cluster.run.stacks import FrameSource, Loader, open_stack
from cluster.run.trial import datetimes
from heliolake.selection import select
from heliolake.tables import headers_of
from lake.entries import FileEntry
from lake.errors import BadInput
from lake.governance.policy import PUBLIC, Principal
from lake.grant import Grant
from lake.lake import Lake
from lake.releases import search as finding
from lake.storage.opening import stored_path
from pipeline.registry import instruments

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

    from pipeline.instrument import Instrument

_COLUMNS = ("product", "version", "status", "level", "files", "date_beg")
_TIMES = ("date_beg", "date_end", "created", "published", "embargo_until")


class Observation:
    """One release of an observation.

    Parameters
    ----------
    lake
        Where it is.
    facts
        As `lake.releases.search.search` describes it; every entry is an attribute too
        (``product``, ``level``, ``version``, ``status``, ``date_beg``, ``files``, ``did`` …).
    principal
        Who looks at it: bytes, places and checksums are given to those alone who may have them.
    """

    def __init__(self, lake: Lake, facts: Mapping[str, Any], principal: Principal = PUBLIC) -> None:
        self._lake = lake
        self._principal = principal
        self.facts = dict(facts)

    def __getattr__(self, name: str) -> Any:
        facts = self.__dict__.get("facts", {})
        if name in facts:
            return facts[name]
        raise AttributeError(f"a release has no {name!r}; it has: {', '.join(sorted(facts))}")

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *self.facts})

    def __repr__(self) -> str:
        return f"<{self.name} {told_status(self.facts)}, {self.files} files>"

    def _repr_html_(self) -> str:
        return Results([self])._repr_html_()

    @property
    def name(self) -> str:
        """``PRODUCT@vNNNN``: what `get` and `show` take."""
        return f"{self.facts['product']}@v{self.facts['version']:04d}"

    @cached_property
    def entries(self) -> tuple[FileEntry, ...]:
        """What the lake knows of each file, in time order."""
        return self._granted[1]

    @cached_property
    def _granted(self) -> tuple[Grant, tuple[FileEntry, ...]]:
        """What opens the files, and the files."""
        grant, found = finding.granted(self._lake, self.name, self._principal)
        order = sorted(found, key=lambda entry: (entry.date_beg is None, entry.date_beg, entry.name))
        return grant, tuple(order)

    @property
    def paths(self) -> list[Path]:
        """Where the files lie. They are part of the lake: read them, never change them.

        Raises
        ------
        lake.errors.BadInput
            When they lie in no folder; `get` copies them to one.
        """
        grant, entries = self._granted
        return [stored_path(self._lake.ref(grant, entry.scope, entry.name)) for entry in entries]

    def get(self, folder: Path | str) -> list[Path]:
        """Copy the files to a folder, each verified with its checksum."""
        return finding.get_files(self._lake, self.name, folder, self._principal)

    def headers(self, *keywords: str) -> pd.DataFrame:
        """The headers of the files as a table, one row each; no pixel is read.

        Parameters
        ----------
        *keywords
            Which keywords; all by default.
        """
        grant, entries = self._granted
        return headers_of(self._lake, grant, entries, keywords)

    def stack(
        self,
        shape: tuple[int, ...] | None = None,
        *,
        frames_per_block: int = 1,
        uncertainty: bool = False,
    ) -> xr.Dataset:
        """The frames along time, lazily.

        Parameters
        ----------
        shape
            Of the frames wanted, (ny, nx) of images; needed only where a release holds several.
        frames_per_block
            Frames in one Dask chunk.
        uncertainty
            With the variable ``uncertainty``: one standard deviation of every pixel, NaN where the files
            hold none.

        Returns
        -------
        xarray.Dataset
            ``image`` (time, y, x) float32, ``quality`` (time, y, x) uint16, and per frame ``header`` and
            ``outcome``, with ``time`` as coordinate. Fit for `pipeline.apply`. Cubes and spectra have dims
            and coordinates of their own, such as (time, stokes, wavelength, y, x).

        Raises
        ------
        lake.errors.BadInput
            When the release holds frames of several shapes and none was named.
        """
        chosen = self._of_shape(shape)
        stack = self.frames(chosen, frames_per_block=frames_per_block, uncertainty=uncertainty)
        times = datetimes(entry.date_beg for entry in chosen)
        return stack.assign_coords(time=("time", times), **self.coordinates(chosen)).assign_attrs(
            product=self.facts["product"], version=self.facts["version"], level=self.facts["level"]
        )

    def frames(
        self, entries: Sequence[FileEntry], *, frames_per_block: int = 1, uncertainty: bool = False
    ) -> xr.Dataset:
        """Some of the frames, all of one shape, as a lazy stack without coordinates; see `stack`."""
        layout = layout_of(entries[0], self._instrument)
        return open_stack(
            [self._source(entry) for entry in entries],
            layout.shape,
            dims=layout.dims,
            flagged=layout.flagged,
            frames_per_block=frames_per_block,
            uncertainty=uncertainty,
        )

    def coordinates(self, entries: Sequence[FileEntry]) -> dict[str, xr.Variable]:
        """World coordinates along single axes that all of these frames share; images have none."""
        return coordinates_of(
            [self._source(entry) for entry in entries], layout_of(entries[0], self._instrument)
        )

    @property
    def _instrument(self) -> Instrument | None:
        return instruments().get(str(self.facts["instrument"]))

    def _of_shape(self, shape: tuple[int, ...] | None) -> list[FileEntry]:
        known = {entry.name: layout_of(entry, self._instrument).shape for entry in self.entries}
        shapes = set(known.values())
        if shape is None and len(shapes) != 1:
            raise BadInput(
                f"{self.name} holds frames of several shapes",
                keyword="shape",
                found=", ".join(map(str, sorted(shapes))),
                advice="name one: stack(shape=(ny, nx))",
            )
        size = shape or next(iter(shapes))
        chosen = [entry for entry in self.entries if known[entry.name] == size]
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
        grant, _ = self._granted
        return FrameSource(
            loader=Loader(self._lake.ref(grant, entry.scope, entry.name, entry.sha256), entry.image_hdu),
            source=entry.name,
            blank_is_missing=known.blank_is_missing if known else True,
            stored=stored_dims(entry, known),
            caveats=entry.caveats,
        )


class Results(Sequence[Observation]):
    """Releases that were found; shows itself as a table.

    Parameters
    ----------
    found
        The releases.
    why
        A sentence for somebody who found nothing.
    """

    def __init__(self, found: Sequence[Observation], why: str = "") -> None:
        self._found = tuple(found)
        self._why = why

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
            return f"nothing found. {self._why}" if self._why else "nothing found"
        return text_table(_COLUMNS, self._rows())

    def _repr_html_(self) -> str:
        return html_table(_COLUMNS, self._rows())

    def to_pandas(self) -> pd.DataFrame:
        """The releases as a `pandas.DataFrame`, one row each, with all that `search` knows; times are UTC."""
        import pandas as pd

        table = pd.DataFrame([one.facts for one in self._found])
        for name in _TIMES:
            if name in table:
                table[name] = pd.to_datetime(table[name], utc=True, format="ISO8601")
        return table

    def stack(
        self,
        shape: tuple[int, ...] | None = None,
        *,
        frames_per_block: int = 1,
        uncertainty: bool = False,
    ) -> xr.Dataset:
        """The frames of all of them along time, lazily; each once, however many releases hold it.

        Parameters
        ----------
        shape, frames_per_block, uncertainty
            As for `Observation.stack`.

        Returns
        -------
        xarray.Dataset
            As `Observation.stack` gives it, and per frame ``release`` and ``sha256``.

        Raises
        ------
        lake.errors.BadInput
            When there is no frame, one may not be read, or they are of several instruments, levels or shapes.
        """
        return select(
            self._found, shape=shape, frames_per_block=frames_per_block, uncertainty=uncertainty
        ).stack()

    def headers(self, *keywords: str) -> pd.DataFrame:
        """The headers of all their files as one table, by release and file; no pixel is read.

        Parameters
        ----------
        *keywords
            Which keywords; all by default.
        """
        import pandas as pd

        tables = {one.name: one.headers(*keywords) for one in self._found}
        return pd.concat(tables, names=["release"]) if tables else pd.DataFrame(columns=list(keywords))

    def _rows(self) -> list[tuple[str, ...]]:
        return [
            (
                str(one.facts["product"]),
                f"v{one.facts['version']:04d}",
                told_status(one.facts),
                str(one.facts["level"]),
                str(one.facts["files"]),
                str(one.facts["date_beg"] or "")[:19],
            )
            for one in self._found
        ]
