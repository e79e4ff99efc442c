"""The whole AIA chain per frame, read and write included, without the deconvolution."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Iterator, Mapping
from typing import Final

from bench.chain import AiapyChain, drop, full_recipe, jobs, ours
from bench.frames import Level1, level1
from bench.measure import Aim, Row, Sample, Skipped, duration, medians, race, shares
from bench.setting import Setting, has

_AIM: Final = Aim(ratio=4.0)


def rows(setting: Setting) -> Iterator[Row | Skipped]:
    """Five of the six steps; `bench.rows.deconvolution` has the row with all six."""
    size = setting.pick(4096, 256)
    name = f"AIA chain {size}², without deconvolution"
    if not has("aiapy"):
        yield Skipped(name, "aiapy is not installed")
        return
    yield measured(setting, level1(setting, size), name, _AIM, rounds=setting.pick(5, 2))


def measured(
    setting: Setting,
    frame: Level1,
    name: str,
    aim: Aim,
    *,
    rounds: int,
    peer: AiapyChain | None = None,
    iterations: tuple[int, int] | None = None,
    notes: tuple[str, ...] = (),
) -> Row:
    """A row of the chain from file to file.

    Parameters
    ----------
    setting, frame, name, aim, rounds, notes
        Of the row.
    peer
        The peer's chain with its point spread function, where that is needed.
    iterations
        Of the deconvolution: ours and the peer's; `None` leaves it out.
    """
    folder = setting.folder(f"chain_{iterations is not None}")
    mine, theirs = iterations or (None, None)
    recipe = full_recipe(frame, iterations=mine)
    chain = peer or AiapyChain(frame)
    numbers = itertools.count()
    laps: dict[str, list[Mapping[str, float]]] = {"ours": [], "peer": []}

    def run_ours() -> None:
        (job,) = jobs(frame, [frame.path], folder / "lake", f"c{next(numbers)}x")
        laps["ours"].append(ours(recipe, job))
        drop(job)

    def run_peer() -> None:
        laps["peer"].append(chain(frame.path, folder / "peer.fits", iterations=theirs))

    # With the deconvolution one turn of the peer takes a minute or more: only ours needs warming up then,
    # because it makes the point spread function and compiles.
    if iterations is not None:
        run_ours()
    run = race({"ours": run_ours, "aiapy": run_peer}, rounds=rounds, warm=iterations is None, budget=150.0)
    shutil.rmtree(folder)
    mine_by_phase = medians(laps["ours"][1:])
    theirs_by_phase = medians(laps["peer"])
    return Row(
        name,
        run.times["ours"],
        run.times["aiapy"],
        "aiapy + sunpy, file to file",
        aim=aim,
        notes=(
            *notes,
            f"ours: {shares(mine_by_phase)}",
            f"aiapy: {shares(theirs_by_phase)}",
            _bound(run.times["aiapy"], mine_by_phase),
            _left_out(frame),
        ),
        numbers={f"ours {name}": seconds for name, seconds in mine_by_phase.items()},
    )


def _bound(peer: Sample, phases: Mapping[str, float]) -> str:
    fixed = phases["read"] + phases["write"]
    return (
        f"reading and writing alone take us {duration(fixed)}: steps that cost nothing would give "
        f"{peer.median / fixed:.1f}×"
    )


def _left_out(frame: Level1) -> str:
    wanted = ("update_pointing", "pointing_table"), ("degradation", "degradation_table")
    absent = [step for step, need in wanted if need not in frame.references]
    left = (
        f"left out on both sides for want of their tables: {', '.join(absent)}"
        if absent
        else "no step left out"
    )
    return f"{frame.provenance}; {left}"
