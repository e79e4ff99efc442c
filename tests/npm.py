"""Programs that tests need and npm has, each installed once in the cache of whoever runs them."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path


def absent() -> str:
    """What this machine lacks for it, in a sentence; '' when all is there."""
    lacking = [program for program in ("node", "npm") if shutil.which(program) is None]
    return f"There is no {' and no '.join(lacking)} here." if lacking else ""


def place(source: Path, files: Sequence[str]) -> Path:
    """The folder in which the packages of a `package.json` are, or would be, installed.

    Parameters
    ----------
    source
        Folder of these files; the place is called after it.
    files
        Names of ``package.json``, its lock, and what else belongs to it.
    """
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "heliolake" / source.name
    content = hashlib.sha256(b"".join((source / name).read_bytes() for name in files)).hexdigest()
    return cache / content[:16]


def install(source: Path, files: Sequence[str]) -> Path:
    """That folder, with the packages in it; made at first use.

    Raises
    ------
    subprocess.CalledProcessError
        When npm cannot install them.
    """
    folder = place(source, files)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with (folder.parent / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if folder.exists():
            return folder
        made = folder.with_name(f"{folder.name}.new")
        shutil.rmtree(made, ignore_errors=True)
        made.mkdir()
        for name in files:
            shutil.copy(source / name, made)
        words = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
        subprocess.run(words, cwd=made, check=True, capture_output=True, timeout=240)
        made.rename(folder)
    return folder
