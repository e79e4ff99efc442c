"""The fluctuation theorem, for notebooks and for the command line."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from lake.errors import BadInput, Reason

if TYPE_CHECKING:
    import xarray as xr

    from pipeline.fluctuation import Fluctuation, Settings


def fluctuation(
    stack: xr.Dataset | Path | str, output: Path | str | None = None, *, anew: bool = False, **settings: Any
) -> Fluctuation:
    """The fluctuation theorem in the series of a stack's pixels.

    Parameters
    ----------
    stack
        A zarr store, or a stack in hand; computed by whatever cluster is at work.
    output
        Tables go there as FITS, and a picture beside them; nothing is written where it is not given.
    anew
        Replace a result of that name.
    **settings
        See `pipeline.fluctuation.Settings`: ``states=8, lengths=(2, 4)``.

    Returns
    -------
    pipeline.fluctuation.Fluctuation
        What was found, and in ``said()`` what to know of it.

    Raises
    ------
    lake.errors.BadInput
        When there is no such store, a setting cannot be, or there is a file of that name already.

    Examples
    --------
    >>> found = heliolake.fluctuation("day.zarr", "day.fits", states=8)
    >>> found.theorems[1].detailed
    """
    from pydantic import ValidationError

    from pipeline.fluctuation import Settings, analyse, write
    from pipeline.mistakes import explained

    if output is not None and Path(output).exists() and not anew:
        raise BadInput(
            f"{Path(output).name} is there already",
            keyword="output",
            advice="choose another name, or anew (--anew) to replace it",
            code=Reason.OTHER,
        )
    try:
        chosen = Settings(**settings)
    except ValidationError as error:
        raise BadInput(
            explained(error, lambda place: Settings, "setting"), keyword="settings", code=Reason.OTHER
        ) from error
    found = analyse(stack, chosen) if not isinstance(stack, (str, Path)) else _of_store(Path(stack), chosen)
    if output is not None:
        write(found, output)
    return found


def _of_store(path: Path, settings: Settings) -> Fluctuation:
    if not (path / "zarr.json").exists():
        raise BadInput(
            f"{path.name} is no zarr store",
            keyword="stack",
            advice="make one: heliolake stack PRODUCT -o NAME.zarr --for series",
            code=Reason.OTHER,
        )
    import xarray as xr

    from pipeline.fluctuation import analyse

    with xr.open_zarr(path) as opened:
        return analyse(opened, settings, name=path.name)
