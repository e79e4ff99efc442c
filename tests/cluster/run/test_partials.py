"""Pieces of a reduction as a worker carries them out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from cluster.run import partials
from cluster.run.partials import CarryOut, Finish, Join, MapFrames, Scratch, frames_at_once
from cluster.run.stacks import FrameSource, Loader
from lake.storage import volatile
from lake.storage.posix import PosixStore
from lake.storage.store import Ref
from pipeline.dims import Layout
from pipeline.errors import BadInput
from tests.cluster.run.test_reducing import Mean


def carry_out(folder: Path) -> CarryOut:
    store = PosixStore(folder)
    volatile.begin(store, "run")
    return CarryOut(lambda _before: Mean(), None, Scratch(store, "run"), "mean")


def sources(folder: Path, data: np.ndarray, units: str) -> tuple[FrameSource, ...]:
    found = []
    for number, (frame, unit) in enumerate(zip(data, units, strict=True)):
        path = folder / f"{number}.fits"
        fits.writeto(path, frame, fits.Header({"BUNIT": unit, "EXPTIME": 1.5}))
        found.append(FrameSource(loader=Loader(Ref.of_file(path), 0), source=path.name))
    return tuple(found)


@pytest.mark.parametrize(
    ("dims", "shape"), [(("y", "x"), (3, 4)), (("stokes", "wavelength"), (4, 5)), (("wavelength",), (6,))]
)
def test_frames_of_any_dims_are_mapped_joined_and_finished(
    tmp_path: Path, dims: tuple[str, ...], shape: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(partials, "BLOCK_FRAMES", 2)
    data = np.random.default_rng(1).random((5, *shape)).astype(np.float32)
    frames, layout, do = sources(tmp_path, data, "aaaaa"), Layout(dims, shape), carry_out(tmp_path)
    first, second = (
        do(MapFrames(name, part, layout)) for name, part in (("a", frames[:3]), ("b", frames[3:]))
    )
    whole = volatile.kept(*do.scratch, do(Finish("d", do(Join("c", first, second)))))
    np.testing.assert_allclose(whole.reduced.values, data.mean(axis=0), rtol=1e-6)
    assert whole.reduced.cards["XPOSURE"][0] == 7.5
    assert whole.unit == "a"
    assert whole.reduced.used == {f"{number}.fits" for number in range(5)}


def test_units_that_differ_within_a_piece_or_between_two_are_refused(tmp_path: Path) -> None:
    frames = sources(tmp_path, np.ones((4, 3, 3), np.float32), "aabb")
    layout, do = Layout(("y", "x"), (3, 3)), carry_out(tmp_path)
    with pytest.raises(BadInput, match="the frames for one mean are in different units"):
        do(MapFrames("a", frames[1:3], layout))
    pieces = [do(MapFrames(name, part, layout)) for name, part in (("b", frames[:2]), ("c", frames[2:]))]
    with pytest.raises(BadInput) as refusal:
        do(Join("d", *pieces))
    assert refusal.value.found == "a, b"


def test_large_frames_are_mapped_one_by_one_and_small_ones_together() -> None:
    assert frames_at_once((4096, 4096)) == 1
    assert frames_at_once((1024, 1024)) == 16
    assert frames_at_once((8, 8)) == partials.BLOCK_FRAMES
    assert frames_at_once((10**5, 10**5)) == 1
