"""Building a store beside its place, span by span, and putting it there when it is whole."""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from cluster.stack.order import Held, Order, held_by
from cluster.stack.spans import on_cluster
from lake.errors import BadInput, Fatal, Reason
from pipeline.cube.finish import finish, problems
from pipeline.cube.writer import create, sync, write_span
from pipeline.outcome import Outcome

if TYPE_CHECKING:
    from distributed import Client

Progress = Callable[[int, int, str], None]


@dataclass(frozen=True)
class Built:
    """A store that is whole.

    Attributes
    ----------
    path
        Its folder.
    frames
        Frames it holds.
    new
        Those of them that were read by this call.
    units
        Units of its frames; one, unless frames of several kinds were put together.
    problems
        Files that could not be read, by name: their frames are NaN.
    """

    path: Path
    frames: int
    new: int
    units: tuple[str, ...] = ()
    problems: dict[str, Outcome] = field(default_factory=dict)


def build(
    order: Order,
    path: Path,
    client: Client | None = None,
    *,
    anew: bool = False,
    on_progress: Progress | None = None,
) -> Built:
    """Write a store, or add to it what it lacks at its end.

    It is written beside its place and moved there when it is whole, so that there is never one that looks
    whole and is not. Broken off and given again it goes on; frames a store has already are not read again.

    Parameters
    ----------
    order
        What it is to hold.
    path
        Where; its name ends in ``.zarr``.
    client
        The Dask cluster, whose workers must reach the folder; without one, this process does the work.
    anew
        Replace a store that holds something else.
    on_progress
        Called with frames written, their total, and the name of the store.

    Raises
    ------
    lake.errors.BadInput
        When something else is in the way.
    lake.errors.Fatal
        When it cannot be written, or no frame could be read.
    lake.errors.Retriable
        When the cluster is lost.
    """
    path = path.resolve()
    if not order.sha256:
        raise BadInput("there is no frame to be put into a store", advice="widen the query")
    try:
        with _workshop(path) as part:
            return _built(order, path, part, client, on_progress or (lambda _done, _all, _what: None), anew)
    except OSError as error:
        raise _in_words(error, path) from error


def _built(order: Order, path: Path, part: Path, client: Client | None, say: Progress, anew: bool) -> Built:
    total = len(order.sha256)
    there = _there(order, path, anew=anew)
    if there is not None and len(there.sha256) == total:
        shutil.rmtree(part)
        return Built(path, total, 0, problems=problems(path, order.layout))
    store = part / f"{order.digest[:16]}.zarr"
    done = _begun(order, part, store, path if there is not None else None)
    todo = [span for span in order.layout.spans(total) if span[0] not in done]
    ready = total - sum(stop - start for start, stop in todo)
    say(ready, total, path.name)
    for start, stop in _written(order, store, todo, client):
        _mark(part, start)
        ready += stop - start
        say(ready, total, path.name)
    units = finish(store, order.times, order.layout, order.attributes)
    failed = problems(store, order.layout)
    if len(failed) == total:
        shutil.rmtree(part)
        first = next(iter(failed.values()))
        raise Fatal(f"none of the {total} frames could be read: {first.reason} {first.advice}".strip())
    _put(store, path, part)
    return Built(path, total, sum(stop - start for start, stop in todo), units, failed)


@contextmanager
def _workshop(path: Path) -> Iterator[Path]:
    """The folder a store is made in, for one at a time; what an earlier one left in it is kept."""
    part = path.parent / f".{path.name}.part"
    part.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(part / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        if not _taken(descriptor):
            raise BadInput(
                "another command is writing this store just now",
                file=str(path),
                advice="wait until it is done, or name another",
                code=Reason.NAME_CONFLICT,
            )
        old = part / "old"
        if old.exists() and not path.exists():  # broken off between the two moves of `_put`
            old.rename(path)
        shutil.rmtree(old, ignore_errors=True)
        try:
            yield part
        finally:
            if part.is_dir() and not (part / "plan").exists():  # nothing was begun
                shutil.rmtree(part)
    finally:
        os.close(descriptor)


def throw_away(part: Path) -> None:
    """Remove what an attempt that was broken off left behind; one that is at work is left alone."""
    descriptor = os.open(part / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        if _taken(descriptor):
            shutil.rmtree(part)
    finally:
        os.close(descriptor)


def _taken(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _there(order: Order, path: Path, *, anew: bool) -> Held | None:
    """What is at the place already and can be kept; `None` where nothing is, or it is to be replaced."""
    if not path.exists():
        return None
    found = held_by(path)
    if found is None:
        raise BadInput(
            "something that is no stack of Heliolake is in the way",
            file=str(path),
            advice="move it away, or name another with -o",
            code=Reason.NAME_CONFLICT,
        )
    if found.answers(order):
        return found
    if anew:
        return None
    raise BadInput(
        "the store that is there holds something else",
        file=str(path),
        found=found.differs_in(order),
        advice="name another with -o, or replace it with --anew",
        code=Reason.NAME_CONFLICT,
    )


def _begun(order: Order, part: Path, store: Path, grown: Path | None) -> set[int]:
    """The spans that are written; makes the empty store where an earlier attempt did not get so far."""
    plan, marks = part / "plan", part / "done"
    if not (plan.exists() and plan.read_text() == store.name and store.is_dir()):
        plan.unlink(missing_ok=True)
        for folder in (marks, *part.glob("*.zarr")):
            shutil.rmtree(folder, ignore_errors=True)
        marks.mkdir()
        create(store, order.frames(0, 1), len(order.sha256), order.layout)
        if grown is not None:
            _adopt(order, part, store, grown)
        plan.write_text(store.name)
    return {int(mark.name) for mark in marks.iterdir()}


def _adopt(order: Order, part: Path, store: Path, grown: Path) -> None:
    """Take over the spans that a store holds whole, by links: no byte is copied, none can be changed."""
    held = held_by(grown)
    count = len(held.sha256) if held else 0
    for start, stop in order.layout.spans(len(order.sha256)):
        if stop > count:
            break
        for array in (folder.name for folder in store.iterdir() if folder.is_dir()):
            _link(grown / array / "c" / str(start // order.layout.span), store)
        _mark(part, start)


def _link(shards: Path, store: Path) -> None:
    grown = shards.parent.parent.parent
    files = [shards] if shards.is_file() else [file for file in shards.rglob("*") if file.is_file()]
    for file in files:
        target = store / file.relative_to(grown)
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            os.link(file, target)
        except OSError:  # a file system without links
            shutil.copyfile(file, target)


def _mark(part: Path, start: int) -> None:
    (part / "done" / str(start)).touch()


def _written(
    order: Order, store: Path, todo: list[tuple[int, int]], client: Client | None
) -> Iterator[tuple[int, int]]:
    jobs = ((span, (store, order.frames(*span), span[0], order.layout)) for span in todo)
    if client is None:
        for span, job in jobs:
            write_span(*job)
            yield span
    else:
        yield from on_cluster(client, jobs, f"stack-{order.layout.use}")


def _put(store: Path, path: Path, part: Path) -> None:
    """Move the whole store to its place. Who reads the one before meanwhile finds all its frames in this."""
    if path.exists():
        path.rename(part / "old")
    store.rename(path)
    sync(path.parent)
    shutil.rmtree(part)


def _in_words(error: OSError, path: Path) -> Exception:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return Fatal(
            f"The disk of {path.parent} is full. Free some of it and give the same command again: "
            "it goes on with what is left."
        )
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.ENOENT, errno.EEXIST):
        return Fatal(f"{path} cannot be written: {error.strerror}. Name another place with -o.")
    return error
