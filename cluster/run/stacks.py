"""Lazy stacks of files in the lake, and what writes them back: the two ends of a block.

Both functions run in Dask workers through `xarray.map_blocks`. What travels to
a worker is a few hundred bytes per frame; a frame that cannot be read becomes
NaN with its outcome, like one that cannot be processed.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple, cast

import numpy as np
import xarray as xr
from astropy.io import fits
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from cluster.pictures.beside import Shown, try_keeping
from cluster.run.beside import beside_the_next
from cluster.run.putting import put, put_trial
from cluster.run.worker import peak_memory, this_worker
from lake.checksums import Checksums
from lake.errors import BadInput as LakeBadInput
from lake.errors import Fatal as LakeFatal
from lake.errors import Reason
from lake.errors import Retriable as LakeRetriable
from lake.fits.check import UNCERTAINTY_EXTNAME
from lake.fits.facts import facts_of
from lake.fits.io import ImageRead, find_hdu, read_header, read_image
from lake.fits.product import Product, Uncertainty, product_of
from lake.storage.opening import local_copy
from lake.storage.store import Ref, key_of
from pipeline import provenance, solarnet
from pipeline.coordinates import reordered
from pipeline.dates import in_utc
from pipeline.dims import IMAGE, Dims, Layout, Shape
from pipeline.errors import BadInput, Retriable
from pipeline.frame import Frame, with_primary
from pipeline.outcome import Outcome, Status
from pipeline.quality import Quality, legend
from pipeline.registry import instrument
from pipeline.stack import (
    Planes,
    as_objects,
    assemble,
    flags_over,
    frame_at,
    header_text,
    outcome_at,
    part,
    references_text,
    template,
)
from pipeline.step import ReferenceFile

log = logging.getLogger(__name__)


class Loader(NamedTuple):
    """Where one frame's pixels are: all that a worker needs to read it.

    Attributes
    ----------
    ref
        The file.
    hdu
        Number of the image's HDU.
    rows
        First and last place (exclusive) wanted on the slowest axis, rows of an image; all when `None`.
    """

    ref: Ref
    hdu: int
    rows: tuple[int, int] | None = None


class FrameSource(BaseModel):
    """One frame to be read: its loader, its name and its own references.

    `stored` are the dims of the data in the file, where frames go without some of them.
    """

    model_config = ConfigDict(frozen=True)

    loader: Loader
    source: str
    blank_is_missing: bool = True
    stored: Dims = ()
    caveats: tuple[str, ...] = ()
    references: dict[str, ReferenceFile] = {}


class Target(BaseModel):
    """Where one finished frame goes, and what the lake adds to its header; a trial's to a plain `folder`.

    `output` is which of the recipe's further outputs it is, `begin` and `end` are those of a group of files.
    `lost` are the checksums of a file that is made again: it is written only where it has come out the same.
    """

    model_config = ConfigDict(frozen=True)

    unit: str
    output: str = ""
    instrument: str
    store: str = ""
    folder: Path | None = None
    scope: str
    name: str
    level: str = ""
    version: int
    date: str
    parents: tuple[str, ...]
    begin: datetime | None = None
    end: datetime | None = None
    context: int | None = None
    lost: Checksums | None = None
    doi: str = ""
    embargo: str = ""

    @property
    def trial(self) -> bool:
        """Whether it is a trial's."""
        return self.folder is not None


class Manifest(BaseModel):
    """What became of one frame: its outcome, and the file if there is one.

    The dates are those of the finished header: a step may know them better than the raw file. The dims of an
    image are left out, for most frames are images. `worker` did it, and never held more bytes than `memory`;
    `rse` is where it lies, where a run has several sites.
    """

    model_config = ConfigDict(frozen=True)

    unit: str
    outcome: Outcome
    size: int = 0
    adler32: str = ""
    sha256: str = ""
    shape: tuple[int, ...] = ()
    dims: tuple[str, ...] = ()
    date_beg: datetime | None = None
    date_end: datetime | None = None
    worker: str = ""
    memory: int = 0
    rse: str = ""
    facts: dict[str, Any] | None = None


def open_stack(
    sources: Sequence[FrameSource],
    shape: Shape,
    *,
    dims: Dims = IMAGE,
    flagged: int = 0,
    frames_per_block: int = 1,
    uncertainty: bool = False,
) -> xr.Dataset:
    """A lazy stack of frames that lie in files.

    Parameters
    ----------
    sources
        Frames of one shape, in time order.
    shape
        Of every frame: (ny, nx) of an image, one length for each dim of others.
    dims
        Names of the axes.
    flagged
        Number of the last dims that flags of quality are kept for; 0 for all.
    frames_per_block
        Frames in one Dask chunk.
    uncertainty
        Read the uncertainties of our own products too; NaN for frames that have none.

    Returns
    -------
    xarray.Dataset
        As `pipeline.stack` describes it; nothing is read before it is asked for.
    """
    wanted = sources_stack(sources, frames_per_block)
    chunks = wanted["source"].chunks[0]
    layout = Layout(dims, shape, flagged)
    kwargs: Mapping[str, Any] = {"layout": layout, "uncertainty": uncertainty}
    like = template(chunks, layout, uncertainty=uncertainty)
    return cast("xr.Dataset", xr.map_blocks(read, wanted, kwargs=kwargs, template=like))


def sources_stack(sources: Sequence[FrameSource], frames_per_block: int) -> xr.Dataset:
    """A stack of what is known of frames that are to be read: all that travels to a worker."""
    texts = as_objects([source.model_dump_json() for source in sources])
    return xr.Dataset({"source": ("time", texts)}).chunk({"time": frames_per_block})


class _Read(NamedTuple):
    """One frame as it was read; without image and flags where it could not be."""

    image: NDArray[np.float32] | None
    quality: NDArray[np.uint16] | None
    header: str
    outcome: Outcome
    uncertainty: NDArray[np.float32] | None = None


def read(block: xr.Dataset, layout: Layout, *, uncertainty: bool = False) -> xr.Dataset:
    """Read the frames of one block (in a worker)."""
    layout = Layout(*layout)  # a graph may have made a plain tuple of it
    sources = [FrameSource.model_validate_json(str(text)) for text in block["source"].values]
    count = len(sources)
    images, flags = (
        Planes(count, layout.shape, np.float32, np.nan),
        Planes(count, layout.of_quality.shape, np.uint16, 0),
    )
    sigmas = Planes(count, layout.shape, np.float32, np.nan) if uncertainty else None
    headers, outcomes = [], []
    for source in sources:  # each is in its place before the next one is looked at
        found = _read_or_why_not(source, layout, uncertainty=uncertainty)
        images.add(found.image)
        flags.add(found.quality)
        if sigmas is not None:
            sigmas.add(found.uncertainty)
        headers.append(found.header)
        outcomes.append(found.outcome.model_dump_json())
    return assemble(
        layout,
        images.values,
        flags.values,
        headers,
        [source.source for source in sources],
        [references_text(source.references) for source in sources],
        outcomes,
        None if sigmas is None else sigmas.values,
    )


class Reader(NamedTuple):
    """How a worker gets the frames of a piece of work when it comes to it, of a block of their sources.

    Attributes
    ----------
    layout
        Of each frame.
    uncertainty
        Read the uncertainties of our own products too.
    """

    layout: Layout
    uncertainty: bool = False

    def __call__(self, block: xr.Dataset) -> xr.Dataset:
        """Read them."""
        return read(block, self.layout, uncertainty=self.uncertainty)


def _read_or_why_not(source: FrameSource, layout: Layout, *, uncertainty: bool) -> _Read:
    begin = time.perf_counter()
    try:
        found = _read_one(source, layout, uncertainty=uncertainty)
        return found._replace(outcome=found.outcome.took("read", time.perf_counter() - begin))
    except (LakeFatal, MemoryError):
        raise
    except Exception as error:  # one bad file never fails its block
        outcome = Outcome.of_error(_in_pipeline_terms(error), step="read")
        return _Read(None, None, "", outcome.took("read", time.perf_counter() - begin))


def _read_one(source: FrameSource, layout: Layout, *, uncertainty: bool) -> _Read:
    with local_copy(source.loader.ref) as path:
        return _read_file(source, str(path), layout, uncertainty=uncertainty)


def _read_file(source: FrameSource, url: str, layout: Layout, *, uncertainty: bool) -> _Read:
    _, hdu, rows = source.loader
    wanted = None if rows is None else slice(*rows)
    axes = len(source.stored or layout.dims)
    found = read_image(url, hdu, wanted, blank_is_missing=source.blank_is_missing, axes=axes)
    if source.stored:
        found = _without_dropped(found, source.stored, layout.dims)
    if found.data.shape != layout.shape:
        raise BadInput(
            "the image does not have the shape it was registered with",
            file=source.source,
            keyword="NAXIS1, NAXIS2",
            found=str(found.data.shape[::-1]),
            advice="run `heliolake fsck --deep`: the stored file may have changed",
        )
    image, known = found.data, np.isfinite(found.data)
    quality = np.zeros(image.shape, np.uint16)
    if not known.all():
        image[~known] = np.nan  # infinity is no brightness either
        quality[~known] = np.uint16(Quality.MISSING)
    ours = "UNIT_ID" in found.header
    # The flags of our products stand in their first extension.
    if ours:
        quality = _read_quality(url, hdu + 1, wanted, axes)
    if found.blank is not None and source.blank_is_missing and found.blank.any():
        quality[found.blank] |= np.uint16(Quality.MISSING)
    header = in_utc(found.header if hdu == 0 else with_primary(found.header, read_header(url, 0)))
    outcome = Outcome(caveats=tuple(dict.fromkeys((*source.caveats, *_monotony(image)))))
    sigma = _read_uncertainty(url, wanted, axes) if ours and uncertainty else None
    return _Read(image, flags_over(quality, layout), header_text(header), outcome, sigma)


def _without_dropped(found: ImageRead, stored: Dims, dims: Dims) -> ImageRead:
    """What was read without the axes of one place that frames go without; their cards come last."""
    dropped = tuple(name for name in stored if name not in dims)
    places = tuple(stored.index(name) for name in dropped if found.data.shape[stored.index(name)] == 1)
    return ImageRead(
        np.squeeze(found.data, places),
        with_last(found.header, stored, dims),
        None if found.blank is None else np.squeeze(found.blank, places),
    )


def with_last(header: fits.Header, stored: Dims, dims: Dims) -> fits.Header:
    """A file's header with the cards of axes that frames go without behind those of the others."""
    dropped = tuple(name for name in stored if name not in dims)
    return reordered(header, stored, (*dropped, *dims)) if dropped else header


def _read_quality(url: str, hdu: int, rows: slice | None, axes: int) -> NDArray[np.uint16]:
    """The flags of one of our products, which may be kept for the last axes alone."""
    number = int(read_header(url, hdu).get("NAXIS", axes)) if axes > len(IMAGE) else axes
    return read_image(url, hdu, rows if number == axes else None, axes=number).data.astype(np.uint16)


def _read_uncertainty(url: str, rows: slice | None, axes: int) -> NDArray[np.float32] | None:
    number = find_hdu(url, UNCERTAINTY_EXTNAME)
    return None if number is None else read_image(url, number, rows, axes=axes).data


def _monotony(image: NDArray[np.float32]) -> tuple[str, ...]:
    """A caveat where all pixels are alike: nothing that looks at a sky gives that."""
    few = image[..., ::64] if image.ndim == 1 else image[..., ::64, ::64]
    for pixels in (few, image):  # a few pixels nearly always tell that they are not
        lowest, highest = np.fmin.reduce(pixels, axis=None), np.fmax.reduce(pixels, axis=None)
        if lowest < highest:
            return ()
    return (f"all pixels of the raw image have the value {lowest:g}",) if lowest == highest else ()


def write(
    block: xr.Dataset, targets: Sequence[Sequence[Target]], name: str, *, beside: bool = False
) -> xr.Dataset:
    """Write the finished frames of one block under their final names (in a worker).

    Parameters
    ----------
    block, targets, name
        The frames, where each goes, and what the result is called.
    beside
        While the worker computes the next block already; only in a task of Dask's.

    Returns
    -------
    xarray.Dataset
        Variable `name` (time): JSON of a list of `Manifest`, one for each target of that time.
    """
    parts = {output: part(block, output) for output in {one.output for several in targets for one in several}}
    with beside_the_next() if beside else nullcontext():
        manifests = [
            [_written(parts[target.output], index, target) for target in several]
            for index, several in enumerate(targets)
        ]
    return xr.Dataset({name: ("time", as_objects([json.dumps(several) for several in manifests]))})


def written(
    stack: xr.Dataset, targets: Sequence[Sequence[Target]], name: str, *, beside: bool = False
) -> xr.DataArray:
    """The manifests of a one-block stack, lazily; `name` is what the dashboard shows. See `write`."""
    layout = xr.Dataset({name: ("time", as_objects([""] * len(targets)))}).chunk({"time": -1})
    kwargs: Mapping[str, Any] = {"targets": list(targets), "name": name, "beside": beside}
    return cast("xr.DataArray", xr.map_blocks(write, stack, kwargs=kwargs, template=layout)[name])


def _written(block: xr.Dataset, index: int, target: Target) -> dict[str, Any]:
    """Write one frame; its manifest says how long that took and who did it."""
    begin = time.perf_counter()
    made = _write_one(block, index, target)
    outcome = made.outcome
    if outcome.status is Status.DONE or outcome.step == "write":
        spent = time.perf_counter() - begin - outcome.seconds.get("preview", 0.0)
        outcome = outcome.took("write", spent)
    told = {"outcome": outcome, "worker": this_worker(), "memory": peak_memory()}
    return made.model_copy(update=told).model_dump(mode="json")


def _write_one(block: xr.Dataset, index: int, target: Target) -> Manifest:
    outcome = outcome_at(block, index)
    if outcome.status is not Status.DONE:
        return Manifest(unit=target.unit, outcome=outcome)
    try:
        frame = frame_at(block, index, outcome)
        entry = instrument(target.instrument)
        described = entry.describe(frame.header, frame.source)
        if target.begin is not None:
            described = replace(described, date_beg=target.begin, date_end=target.end or target.begin)
        axes = len(frame.dims)
        header = solarnet.complete(frame.header, entry, described, axes=axes)
        _stamp(header, target)
        solarnet.settle(header, frame.data.shape)
        plane = frame.uncertainty
        product = product_of(
            frame.data,
            frame.quality,
            header,
            extname="IMAGE",
            quality_header=provenance.quality_header(
                header, legend(), dims=frame.dims, flagged=frame.quality.ndim
            ),
            uncertainty=(
                None
                if plane is None
                else Uncertainty(plane, provenance.uncertainty_header(header, dims=frame.dims))
            ),
        )
        sums = _put(target, product)
    except LakeFatal:
        raise
    except Exception as error:  # one frame that cannot be written never fails its block
        if not isinstance(error, (BadInput, LakeBadInput)):
            log.exception("%s could not be written", target.name)
        failed = Outcome.of_error(_in_pipeline_terms(error), step="write", seconds=outcome.seconds)
        return Manifest(unit=target.unit, outcome=failed)
    return Manifest(
        unit=target.unit,
        outcome=outcome.took("preview", _picture(target, sums, frame, header, described.meta)),
        size=sums.size,
        adler32=sums.adler32,
        sha256=sums.sha256,
        facts=facts_of(header, frame.data.shape),
        shape=frame.data.shape,
        dims=() if frame.dims == IMAGE else frame.dims,
        date_beg=described.date_beg,
        date_end=described.date_end,
    )


def _picture(
    target: Target, sums: Checksums, frame: Frame, header: fits.Header, meta: dict[str, Any]
) -> float:
    """Have pictures of a product lie beside it, if it lies there; the seconds that took."""
    if target.folder is not None or target.lost not in (None, sums):
        return 0.0
    begin = time.perf_counter()
    ref = Ref(target.store, key_of(target.scope, target.name), sums.sha256)
    try_keeping(Shown(ref, target.scope, target.name, target.level, meta=meta), frame, header)
    return time.perf_counter() - begin


def _put(target: Target, product: Product) -> Checksums:
    """Write a product where it goes."""
    if target.folder is not None:
        return put_trial(target.folder / target.name, product)
    key = key_of(target.scope, target.name)
    return put(target.store, key, product, unit=target.unit, lost=target.lost)


def _stamp(header: Any, target: Target) -> None:
    """What only the lake knows of a product; the bytes of a unit never depend on when it was done again."""
    header["FILENAME"] = target.name
    header["DATE"] = (target.date, "when this version was planned, UTC")
    if target.trial:
        header["TRIAL"] = (True, "made to try settings: not to be cited")
    told = "a trial: in no release" if target.trial else "version of the release this file was made for"
    header["VERSION"] = (target.version, told)
    header["PARENTXT"] = ", ".join(target.parents)
    if target.doi:
        header["DOI"] = (target.doi, "of the product, in all its versions")
    if target.embargo:
        header["RELEASE"] = (target.embargo, "when its data are everybody's, UTC")
        header["RELEASEC"] = "embargo when this file was made; the lake tells what holds now"
    header["UNIT_ID"] = (target.unit, "hash of inputs, recipe and references")
    if target.context is not None:
        header["VERS_CAL"] = (str(target.context), "context of calibration references")
    header["EXTNAME"] = "IMAGE"


def _in_pipeline_terms(error: Exception) -> Exception:
    """An error of the lake as the outcome of a frame understands it."""
    if isinstance(error, LakeRetriable):
        return Retriable(str(error))
    if isinstance(error, LakeBadInput):
        if error.code is Reason.MISSING_FILE:  # a registered file is not gone: its storage is
            return Retriable(f"{error}: is the storage mounted? `heliolake fsck` names what is lost")
        return BadInput(error.reason, **error.details())
    return error
