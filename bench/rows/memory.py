"""Peak memory of the whole chain for one frame, each contender in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from bench.frames import level1
from bench.measure import Aim, Row, Sample, Skipped
from bench.setting import Setting, has

_MEGABYTE: Final = 1e6
_AIM: Final = Aim(most=1500.0, text="ours ≤ 1.5 GB")


def rows(setting: Setting) -> Iterator[Row | Skipped]:
    """All six steps with few iterations: their number does not change the peak."""
    size = setting.pick(4096, 256)
    name = f"peak memory of the AIA chain, {size}²"
    if not has("aiapy"):
        yield Skipped(name, "aiapy is not installed")
        return
    level1(setting, size)
    found: dict[str, list[dict[str, float]]] = {"ours": [], "aiapy": []}
    for _ in range(setting.pick(2, 1)):
        # Side by side: it is their memory that is measured, not their time.
        running = {who: _start(setting, who, size) for who in found}
        for who, child in running.items():
            found[who].append(_stages(child))
    peaks = {who: Sample(tuple(one["peak"] / _MEGABYTE for one in each)) for who, each in found.items()}
    by_stage = ", ".join(f"{stage} {used / _MEGABYTE:.0f} MB" for stage, used in found["ours"][0].items())
    yield Row(
        name,
        peaks["ours"],
        peaks["aiapy"],
        "aiapy + sunpy",
        unit="MB",
        aim=_AIM,
        notes=(
            f"highest resident set of ours by stage: {by_stage}",
            (
                "interpreter, libraries and compiled code are included; so is making the point spread "
                "function, which the peer is given"
            ),
        ),
    )


def _start(setting: Setting, who: str, size: int) -> subprocess.Popen[str]:
    command = [
        *(sys.executable, "-m", "bench.child"),
        *(who, str(setting.scratch), str(size), str(int(setting.quick))),
    ]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2])


def _stages(child: subprocess.Popen[str]) -> dict[str, float]:
    output, _ = child.communicate()
    if child.returncode:
        raise RuntimeError("a chain whose memory was to be measured failed; its error stands above")
    stages: dict[str, float] = json.loads(output.splitlines()[-1])
    return stages
