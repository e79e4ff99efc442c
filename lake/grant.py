"""The proof that the policy was asked: who has none gets neither bytes nor places of stored files."""

from __future__ import annotations

from typing import Final, final


class _Seal:
    """What only `lake.governance.policy` puts on a grant."""


SEAL: Final = _Seal()


@final
class Grant:
    """That somebody may have the bytes of some releases.

    Only `lake.governance.policy` makes one. It is no secret, and protects from forgetting, not from malice:
    a function that wants one cannot be called, nor type-checked, by a path that did not ask.

    Parameters
    ----------
    seal
        The policy's own.
    who
        Name of the principal; "" for the public.
    """

    __slots__ = ("who",)

    def __init__(self, seal: _Seal, who: str) -> None:
        if seal is not SEAL:
            raise TypeError("only the policy makes grants: ask lake.governance.policy.grant")
        self.who: Final = who

    def __repr__(self) -> str:
        return f"<Grant for {self.who or 'the public'}>"
