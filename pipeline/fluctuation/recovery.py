"""How well the analysis finds again what is known, as tables of a page.

``python -m pipeline.fluctuation.recovery docs/fluctuation.md`` makes them anew.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from pipeline.fluctuation.analysis import analyse
from pipeline.fluctuation.chain import Chain
from pipeline.fluctuation.exact import enumerated, simulated
from pipeline.fluctuation.result import Fluctuation
from pipeline.fluctuation.settings import Settings

#: Lines of a page between which the tables stand.
BEGIN: Final = "<!-- recovery: made by pipeline.fluctuation.recovery -->"
END: Final = "<!-- end of recovery -->"
_LENGTHS: Final = (2, 3, 4, 6)


def tables(stacks: int = 100) -> str:
    """All tables in Markdown; of so many simulated stacks."""
    return "\n".join([*exact_table(), "", *_simulated(stacks), "", *assumptions_table(), "", *_speed()])


def stack_of(states: NDArray[Any], width: int = 32) -> xr.Dataset:
    """A stack of images, a frame every 45 s, whose pixels tell their states; `states` is (pixels, times)."""
    pixels, times = states.shape
    image = states.T.reshape(times, pixels // width, width).astype(np.float32)
    image += np.random.default_rng(1).uniform(-0.3, 0.3, image.shape).astype(np.float32)
    begin = np.datetime64("2020-01-01", "us")
    return xr.Dataset(
        {"image": (("time", "y", "x"), image)},
        coords={"time": begin + np.arange(times) * np.timedelta64(45, "s")},
    )


def evenly(states: int, seed: int) -> Chain:
    """A chain that goes round, and whose states are equally frequent: quantiles are its own states."""
    weights = np.random.default_rng(seed).uniform(0.05, 1.0, (states, states))
    weights += 2.0 * np.eye(states) + np.roll(np.eye(states), 1, axis=1)
    for _ in range(1000):
        weights /= weights.sum(axis=1, keepdims=True)
        weights /= weights.sum(axis=0, keepdims=True)
    return Chain.of(weights / weights.sum(axis=1, keepdims=True))


#: What everything is simulated with.
CHAIN: Final = evenly(5, 1)


def exact_table() -> Iterator[str]:
    yield "Every path of a chain of 5 states counted: largest deviation of both theorems."
    yield ""
    yield "| T | values of s | detailed: ln p(s)/p(-s) - s | integral: mean of e^-s - 1 |"
    yield "|---|---|---|---|"
    for length in (1, 2, 4, 6):
        found = enumerated(CHAIN, length)
        s, ratio = found.ratio()
        yield (
            f"| {length} | {len(found.production)} | {np.abs(ratio - s).max():.0e} | "
            f"{abs(found.integral() - 1.0):.0e} |"
        )


def _simulated(stacks: int) -> Iterator[str]:
    yield f"{stacks} stacks of 32 x 16 pixels and 80 frames simulated with it, intervals of 95 %."
    yield ""
    yield "| T | slope, mean ± scatter | interval has 1 | mean of e^-s | interval has 1 | not told |"
    yield "|---|---|---|---|---|---|"
    found = [_analysed(simulated(CHAIN, 512, 80, seed)) for seed in range(stacks)]
    for number, length in enumerate(_LENGTHS):
        ones = [one.theorems[number] for one in found]
        slopes = np.array([one.detailed.value for one in ones])
        means = np.array([one.integral.value for one in ones])
        held = [np.mean([getattr(one, name).holds(1.0) for one in ones]) for name in ("detailed", "integral")]
        yield (
            f"| {length} | {slopes.mean():.4f} ± {slopes.std():.4f} | {held[0]:.0%} | "
            f"{means.mean():.4f} ± {means.std():.4f} | {held[1]:.0%} | "
            f"{sum(bool(one.doubt) for one in ones)} |"
        )


def _analysed(series: NDArray[Any], **changes: Any) -> Fluctuation:
    usual = {"bounds": (0.5, 1.5, 2.5, 3.5), "lengths": _LENGTHS, "side": 2}
    return analyse(stack_of(series), Settings(**{**usual, **changes}))


def assumptions_table() -> Iterator[str]:
    yield "Series that are not what the theorem takes them for (512 pixels, 120 frames)."
    yield ""
    yield "| series | what is said |"
    yield "|---|---|"
    random = np.random.default_rng(2)
    first, second = (simulated(CHAIN, 512, 60, seed) for seed in (1, 2))
    remembering = random.integers(0, 5, (512, 120))
    for at in range(2, 120):
        stays = random.random(512) < 0.5
        remembering[stays, at] = remembering[stays, at - 2]
    around = (np.arange(120)[None, :] + random.integers(0, 5, (512, 1))) % 5
    cases = {
        "of the chain": simulated(CHAIN, 512, 120, 3),
        "of the chain, cut into 4 states that are not its own": simulated(CHAIN, 512, 120, 3),
        "of the chain, then of the chain backward": np.concatenate([first, second[:, ::-1]], axis=1),
        "with a memory of two frames": remembering,
        "round and round, one way": around,
        "of 6 frames": simulated(CHAIN, 512, 6, 3),
    }
    for name, states in cases.items():
        bounds = (0.8, 2.0, 3.2) if "4 states" in name else (0.5, 1.5, 2.5, 3.5)
        said = [one.says for one in _analysed(states, bounds=bounds).tests if not one.holds]
        yield f"| {name} | {'; '.join(said) or 'no assumption failed'} |"


def _speed() -> Iterator[str]:
    states = simulated(CHAIN, 16384, 200, 4)
    settings = Settings(states=5, lengths=(2, 4), draws=100)
    stack = stack_of(states, 128)
    analyse(stack.isel(y=slice(0, 8)), settings)  # the kernels are compiled
    begin = time.perf_counter()
    analyse(stack, settings)
    seconds = time.perf_counter() - begin
    walked = 2 * 16384 * 198
    yield (
        f"128 x 128 pixels and 200 frames with 100 draws: {walked / 1e6:.1f} million paths, each of them by "
        f"all chains drawn, in {seconds:.1f} s on this machine."
    )


def write_into(page: Path, stacks: int = 100) -> None:
    """Write the tables into a page, between their two marks."""
    before, _, rest = page.read_text(encoding="utf-8").partition(BEGIN)
    _, _, behind = rest.partition(END)
    page.write_text(f"{before}{BEGIN}\n{tables(stacks)}\n{END}{behind}", encoding="utf-8")


if __name__ == "__main__":
    write_into(Path(sys.argv[1]))
