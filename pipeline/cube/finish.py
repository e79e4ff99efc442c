"""What makes a written store a described one: its times, coordinates, units, and one index of it all."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
import zarr
from numpy.typing import NDArray

from pipeline.cube.layout import Layout
from pipeline.cube.world import NUMBERS, common_axes
from pipeline.cube.writer import sync
from pipeline.outcome import Outcome, Status
from pipeline.quality import Quality

#: Under this attribute the store says how it is laid out, so that more can be added.
KEY: Final = "heliolake"
_EPOCH: Final = "microseconds since 1970-01-01T00:00:00"
_NAMES: Final = {
    "image": "image; NaN where a frame has no value",
    "quality": "flags of every pixel",
    "uncertainty": "one standard deviation of the image",
    "header": "FITS header of the frame, cards of 80 letters behind one another",
    "source": "name of the file",
    "references": "JSON of the calibration files chosen for this very frame",
    "outcome": "JSON: whether the frame could be read, and if not why",
    "release": "release the file belongs to",
    "sha256": "SHA-256 of the file",
}


def finish(
    store: Path, times: NDArray[np.datetime64], layout: Layout, attributes: Mapping[str, Any]
) -> tuple[str, ...]:
    """Write coordinates, units and attributes, and gather all metadata in one index.

    Parameters
    ----------
    store
        All of whose spans are written.
    times
        Of the frames.
    layout
        That of the store.
    attributes
        Of the store as a whole.

    Returns
    -------
    tuple of str
        Units of the frames that are done: one, unless frames of several kinds were put together.
    """
    root = zarr.open_group(store, mode="r+", use_consolidated=False)
    dims, sizes = tuple(layout.tile), dict(zip(layout.tile, _array(root, "image").shape[1:], strict=True))
    _put(root, "time", times.astype("datetime64[us]").astype(np.int64), ("time",), _time_attributes())
    done = np.array([one.status is Status.DONE for _, one in _outcomes(root, layout)])
    names = (*NUMBERS, "ctype", "cunit", "unit")
    world = {name: np.asarray(_array(root, name)[:])[done] for name in names}
    units = sorted({str(one) for one in world["unit"]})
    for name, (values, described) in common_axes(world, dims, sizes).items():
        _put(root, name, values, (name,), described)
    for name in root.array_keys():
        if name in _NAMES:
            _array(root, name).update_attributes({"long_name": _NAMES[name]})
    for name in ("image", "uncertainty"):
        if name in root and len(units) == 1:  # frames in several units have none together
            _array(root, name).update_attributes({"units": units[0] or "1"})
    for name in ("image", "quality", "uncertainty"):
        if name in root:
            _array(root, name).update_attributes({"coordinates": " ".join(NUMBERS)})
    _array(root, "quality").update_attributes(_flags())
    root.update_attributes(
        {"Conventions": "CF-1.12", **attributes, KEY: {"format": 1, "layout": layout.model_dump(mode="json")}}
    )
    _index(store)
    return tuple(units)


def problems(store: Path, layout: Layout) -> dict[str, Outcome]:
    """The frames of a store that could not be read, by the names of their files."""
    root = zarr.open_group(store, mode="r", use_consolidated=False)
    return {name: one for name, one in _outcomes(root, layout) if one.status is not Status.DONE}


def layout_of(store: Path) -> Layout | None:
    """How a store lies; `None` where it was not made here."""
    try:
        told = zarr.open_group(store, mode="r").attrs.get(KEY)
        return Layout.model_validate(told["layout"]) if isinstance(told, dict) else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _outcomes(root: zarr.Group, layout: Layout) -> Iterator[tuple[str, Outcome]]:
    outcomes, sources = _array(root, "outcome"), _array(root, "source")
    for start, stop in layout.spans(outcomes.shape[0]):
        for text, source in zip(outcomes[start:stop], sources[start:stop], strict=True):
            yield str(source), Outcome.model_validate_json(str(text))


def _time_attributes() -> dict[str, str]:
    return {
        "units": _EPOCH,
        "calendar": "proleptic_gregorian",
        "standard_name": "time",
        "long_name": "begin of the observation, UTC",
        "axis": "T",
    }


def _flags() -> dict[str, Any]:
    flags = list(Quality)
    return {
        "flag_masks": [int(flag) for flag in flags],
        "flag_meanings": " ".join(str(flag.name).lower() for flag in flags),
    }


def _put(
    root: zarr.Group, name: str, values: NDArray[Any], dims: tuple[str, ...], attributes: Mapping[str, Any]
) -> None:
    array = root.create_array(
        name,
        shape=values.shape,
        dtype=values.dtype,
        chunks=tuple(max(1, size) for size in values.shape),
        dimension_names=dims,
        attributes=dict(attributes),
        overwrite=True,
    )
    array[...] = values


def _index(store: Path) -> None:
    with warnings.catch_warnings():
        # xarray opens stores by this index; that other programs need not know it is no news to anybody here.
        warnings.filterwarnings("ignore", message="Consolidated metadata", module="zarr")
        warnings.filterwarnings("ignore", message="Consolidated metadata")
        zarr.consolidate_metadata(store)
    for path in (*store.glob("*/zarr.json"), store / "zarr.json", store):
        sync(path)


def _array(root: zarr.Group, name: str) -> Any:
    return root[name]
