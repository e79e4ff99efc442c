"""How often and how much at once one address, or one holder of a token, may ask: the rest waits its turn."""

from __future__ import annotations

import math
from collections import Counter, OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

_KEPT: Final = 50_000
"""Askers that are remembered, the latest ones."""
OF_ADDRESS: Final = 4
"""As many times what a holder may download at once is for an address: many people may share one."""


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


class Limiter:
    """Counts what askers ask, in one thread.

    Parameters
    ----------
    limits
        What each may have.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()
        self._downloads: Counter[str] = Counter()

    def wait(self, askers: Sequence[str], now: float) -> int:
        """Count a request; seconds after which it may be made again where it is one too many, else 0.

        Parameters
        ----------
        askers
            Under what it is counted: one that has too many already is enough.
        now
            Seconds of a clock that never goes back.
        """
        rate, burst = self._limits.rate, self._limits.burst
        if rate <= 0:
            return 0
        left = {asker: self._now_left(asker, now) for asker in askers}
        short = min(left.values(), default=1.0)
        for asker, one in left.items():
            self._left[asker] = (one - 1 if short >= 1 else one, now)
            self._left.move_to_end(asker)
        while len(self._left) > _KEPT:
            self._left.popitem(last=False)
        return 0 if short >= 1 else max(1, math.ceil((min(burst, 1) - short) / rate))

    def _now_left(self, asker: str, now: float) -> float:
        left, at = self._left.get(asker, (float(self._limits.burst), now))
        return min(float(self._limits.burst), left + (now - at) * self._limits.rate)

    def begin(self, holder: str, address: str) -> bool:
        """Count a download that begins; False where it is one too many."""
        most = self._limits.downloads
        if most and (self._downloads[holder] >= most or self._downloads[address] >= OF_ADDRESS * most):
            return False
        self._downloads.update({holder, address})
        return True

    def end(self, holder: str, address: str) -> None:
        """A download that was counted has ended."""
        for one in {holder, address}:
            self._downloads[one] -= 1
            if self._downloads[one] <= 0:
                del self._downloads[one]
