"""What the rows share: how thorough the run is, and where its files lie."""

from __future__ import annotations

import importlib.util
import os
import sys
import warnings
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Final, TypeVar

from cluster.workers import compute_environment

T = TypeVar("T")

_HOUSE: Final = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Setting:
    """One run of the benchmarks.

    Attributes
    ----------
    quick
        Small images and few rounds: shows that everything works, not how fast it is.
    scratch
        Folder for inputs and products; the caller removes it.
    kept
        Folder of homes whose filling takes minutes: they are used again; None where they are not kept.
    until_end
        Closed by the caller when all rows are measured: what several of them share.
    """

    quick: bool
    scratch: Path
    kept: Path | None = None
    until_end: ExitStack = field(default_factory=ExitStack, compare=False)

    def pick(self, full: T, quick: T) -> T:
        """The value for a full or for a quick run."""
        return quick if self.quick else full

    @cached_property
    def data(self) -> Path | None:
        """The folder of real observation files, if there is one."""
        named = os.environ.get("HELIOLAKE_DATA")
        folder = Path(named) if named else _HOUSE.parent / "shared" / "data"
        return folder if folder.is_dir() else None

    def folder(self, name: str) -> Path:
        """A folder in the scratch folder."""
        path = self.scratch / name
        path.mkdir(parents=True, exist_ok=True)
        return path


def run_like_a_worker(module: str = "bench") -> None:
    """Start this command again in the environment of our workers, unless that is where it runs.

    It gives every library one thread, the peers' like ours, and is read by
    most of them when they are loaded only.
    """
    wanted = compute_environment() | {"DASK_LOGGING__DISTRIBUTED": "error"}
    # Where compiled code is kept has no influence on its speed; compiling it twice takes long.
    wanted.pop("NUMBA_CACHE_DIR", None)
    if any(os.environ.get(name) != value for name, value in wanted.items()):
        command = [sys.executable, "-m", module, *sys.argv[1:]]
        os.execve(sys.executable, command, {**os.environ, **wanted})  # noqa: S606 -- this very command


def quiet_peers() -> None:
    """No downloads by astropy, and no warnings between the rows."""
    from astropy.utils import data, iers

    warnings.simplefilter("ignore")
    data.conf.allow_internet = False
    iers.conf.auto_download = False
    if has("sunpy"):
        import sunpy

        sunpy.log.setLevel("ERROR")


def has(module: str) -> bool:
    """Whether a peer is installed."""
    return importlib.util.find_spec(module) is not None
