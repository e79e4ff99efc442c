"""Rows that show themselves as a table in notebooks, and headers of many files as one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, overload

from cluster.html import html_table, text_table
from lake.entries import FileEntry
from lake.fits.stored import stored_header
from lake.grant import Grant
from lake.lake import Lake
from pipeline.frame import with_primary

if TYPE_CHECKING:
    import pandas as pd

_SHOWN = 100
"""Rows shown; all are in the object, and in `to_pandas()`."""
_TEXTS = ("COMMENT", "HISTORY", "")


class Rows(Sequence[Mapping[str, Any]]):
    """Facts, one mapping each, as the command line's ``--json`` gives them; shows itself as a table.

    Parameters
    ----------
    rows
        The facts.
    columns
        Which of them are shown; all are there.
    caption
        What stands above the table.
    """

    def __init__(self, rows: Iterable[Mapping[str, Any]], columns: Sequence[str], caption: str = "") -> None:
        self._rows = tuple(rows)
        self.columns = tuple(columns)
        self.caption = caption

    @overload
    def __getitem__(self, index: int) -> Mapping[str, Any]: ...
    @overload
    def __getitem__(self, index: slice) -> Rows: ...
    def __getitem__(self, index: int | slice) -> Mapping[str, Any] | Rows:
        """One of them by its number, or some."""
        return Rows(self._rows[index], self.columns) if isinstance(index, slice) else self._rows[index]

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[Mapping[str, Any]]:
        return iter(self._rows)

    def __repr__(self) -> str:
        above = f"{self.caption}\n" if self.caption else ""
        if not self._rows:
            return f"{above}nothing"
        return f"{above}{text_table(self.columns, self._cells())}{self._more()}"

    def _repr_html_(self) -> str:
        return html_table(self.columns, self._cells(), self.caption) + self._more()

    def to_pandas(self) -> pd.DataFrame:
        """All facts as a `pandas.DataFrame`."""
        import pandas as pd

        return pd.DataFrame([dict(row) for row in self._rows])

    def _cells(self) -> Iterator[list[Any]]:
        for row in self._rows[:_SHOWN]:
            yield [_cell(row.get(name)) for name in self.columns]

    def _more(self) -> str:
        more = len(self._rows) - _SHOWN
        return f"\n… and {more} more" if more > 0 else ""


def headers_of(
    lake: Lake, grant: Grant, files: Iterable[FileEntry], keywords: Sequence[str] = ()
) -> pd.DataFrame:
    """The headers of images as a table; no pixel is read.

    Parameters
    ----------
    lake
        Where the files are.
    grant
        What opens the files.
    files
        Whose headers.
    keywords
        Which keywords; all by default.

    Returns
    -------
    pandas.DataFrame
        One row per file, by its name; a column for each keyword, empty where a file lacks it.
    """
    import pandas as pd

    rows = {file.name: _header(lake, grant, file, keywords) for file in files}
    table = pd.DataFrame.from_dict(rows, orient="index", columns=list(keywords) or None)
    return table.rename_axis("file")


def _header(lake: Lake, grant: Grant, file: FileEntry, keywords: Sequence[str]) -> dict[str, Any]:
    ref = lake.ref(grant, file.scope, file.name)
    header = stored_header(ref, file.image_hdu)
    if file.image_hdu:
        header = with_primary(header, stored_header(ref, 0))
    wanted = keywords or dict.fromkeys(key for key in header if key not in _TEXTS)
    found = {key: header.get(key) for key in wanted}
    return {
        key: value if isinstance(value, (str, int, float, bool)) else None for key, value in found.items()
    }


def _cell(value: Any) -> Any:
    if isinstance(value, Mapping):
        return ", ".join(f"{number} {name}" for name, number in value.items() if number)
    return value
