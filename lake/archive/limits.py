"""How often and how much at once one address, or one holder of a token, may ask: the rest waits its turn.

Several processes that serve one archive count together, in memory that they share. A process that is lost
takes its downloads with it: each process counts its own in a column, and the one in its place clears that.
"""

from __future__ import annotations

import fcntl
import hashlib
import math
import mmap
import os
import struct
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from tempfile import TemporaryFile
from typing import Final

PROCESSES: Final = 64
"""Processes that count together, at most."""
OF_ADDRESS: Final = 4
"""As many times what a holder may download at once is for an address: many people may share one."""
_HEAD: Final = struct.Struct("=16sdd")
"""Of an asker: who it is, what is left of its requests, and when that was."""
_COLUMN: Final = struct.Struct("=H")
_SLOT: Final = _HEAD.size + PROCESSES * _COLUMN.size
_WAYS: Final = 8
"""Places in which an asker may be found."""
_GROUPS: Final = 1 << 12
_SIZE: Final = _GROUPS * _WAYS * _SLOT
_MOST: Final = 0xFFFF


@dataclass(frozen=True)
class Limits:
    """What one asker may have; 0 stands for no limit.

    Attributes
    ----------
    rate
        Requests in a second, in the long run.
    burst
        Requests at once.
    downloads
        Downloads at once.
    """

    rate: float = 0.0
    burst: int = 500
    downloads: int = 0


def shared_memory() -> int:
    """A descriptor of memory for `Counts` that processes are to share; gone with the last that has it."""
    if hasattr(os, "memfd_create"):
        descriptor = os.memfd_create("heliolake-limits")
    else:
        with TemporaryFile() as file:
            descriptor = os.dup(file.fileno())
    os.truncate(descriptor, _SIZE)
    return descriptor


class Counts:
    """What askers have asked, some thirty thousand of the latest, in a table that processes may share.

    Parameters
    ----------
    descriptor
        Of memory that `shared_memory` made; of its own where it is `None`.
    number
        Which of the processes this is.
    """

    def __init__(self, descriptor: int | None = None, number: int = 0) -> None:
        if not 0 <= number < PROCESSES:
            raise ValueError(f"process {number} of {PROCESSES}")
        self._descriptor = descriptor
        self._memory = mmap.mmap(-1 if descriptor is None else descriptor, _SIZE)
        self._column = _HEAD.size + number * _COLUMN.size
        with self.alone():
            for slot in range(0, _SIZE, _SLOT):  # of the process whose place this one takes
                _COLUMN.pack_into(self._memory, slot + self._column, 0)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Keep other processes away; a process that dies in here keeps nobody away."""
        if self._descriptor is None:
            yield
            return
        fcntl.lockf(self._descriptor, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.lockf(self._descriptor, fcntl.LOCK_UN)

    def known(self, asker: str) -> int | None:
        """The place of an asker who asked before; `None` where there is none any more."""
        key, places = _places(asker)
        return next((one for one in places if self._memory[one : one + len(key)] == key), None)

    def slots(self, askers: Sequence[str]) -> list[int]:
        """Places of askers, each its own; those who asked long ago make room for new ones.

        One who finds none but places of such as have downloads under way is not counted.
        """
        found: list[int] = []
        for asker in askers:
            slot = self.known(asker)
            key, places = _places(asker)
            if slot is None:
                free = [one for one in places if one not in found and not self.downloads(one)]
                if not free:
                    continue
                slot = min(free, key=lambda one: self.left(one)[1])
                _HEAD.pack_into(self._memory, slot, key, math.nan, 0.0)
            found.append(slot)
        return found

    def left(self, slot: int) -> tuple[float, float]:
        """What was left of an asker's requests, NaN where it never asked, and when."""
        _, left, at = _HEAD.unpack_from(self._memory, slot)
        return left, at

    def set_left(self, slot: int, left: float, at: float) -> None:
        """What is left of an asker's requests, and when."""
        key, _, _ = _HEAD.unpack_from(self._memory, slot)
        _HEAD.pack_into(self._memory, slot, key, left, at)

    def downloads(self, slot: int) -> int:
        """Downloads of an asker that are under way, in all processes."""
        return sum(struct.unpack_from(f"={PROCESSES}H", self._memory, slot + _HEAD.size))

    def add(self, slot: int, number: int) -> None:
        """Count downloads of this process that began, or ended."""
        (mine,) = _COLUMN.unpack_from(self._memory, slot + self._column)
        _COLUMN.pack_into(self._memory, slot + self._column, min(_MOST, max(0, mine + number)))


def _places(asker: str) -> tuple[bytes, range]:
    """What stands for an asker, and where it may stand."""
    key = hashlib.blake2b(asker.encode(), digest_size=16).digest()
    first = int.from_bytes(key[:4], "little") % _GROUPS * _WAYS * _SLOT
    return key, range(first, first + _WAYS * _SLOT, _SLOT)


class Limiter:
    """Counts what askers ask, in one thread of each process.

    Parameters
    ----------
    limits
        What each may have.
    counts
        Where it is counted; of this process alone when absent.
    """

    def __init__(self, limits: Limits, counts: Counts | None = None) -> None:
        self._limits = limits
        self._counts = counts or Counts()

    def wait(self, askers: Sequence[str], now: float) -> int:
        """Count a request; seconds after which it may be made again where it is one too many, else 0.

        Parameters
        ----------
        askers
            Under what it is counted: one that has too many already is enough.
        now
            Seconds of a clock that never goes back, and is one for all processes of the machine.
        """
        rate, burst = self._limits.rate, self._limits.burst
        if rate <= 0:
            return 0
        with self._counts.alone():
            left = {slot: self._now_left(slot, now) for slot in self._counts.slots(askers)}
            short = min(left.values(), default=1.0)
            for slot, one in left.items():
                self._counts.set_left(slot, one - 1 if short >= 1 else one, now)
        return 0 if short >= 1 else max(1, math.ceil((min(burst, 1) - short) / rate))

    def _now_left(self, slot: int, now: float) -> float:
        left, at = self._counts.left(slot)
        burst = float(self._limits.burst)
        return burst if math.isnan(left) else min(burst, left + max(0.0, now - at) * self._limits.rate)

    def begin(self, holder: str, address: str) -> bool:
        """Count a download that begins; False where it is one too many."""
        most = self._limits.downloads
        if not most:
            return True
        with self._counts.alone():
            slots = self._counts.slots(list(dict.fromkeys((holder, address))))
            allowed = {self._counts.known(address): OF_ADDRESS * most, self._counts.known(holder): most}
            if any(self._counts.downloads(one) >= min(_MOST, allowed[one]) for one in slots):
                return False
            for one in slots:
                self._counts.add(one, 1)
        return True

    def end(self, holder: str, address: str) -> None:
        """A download that was counted has ended."""
        if not self._limits.downloads:
            return
        with self._counts.alone():
            for one in {holder, address}:
                if (slot := self._counts.known(one)) is not None:
                    self._counts.add(slot, -1)
