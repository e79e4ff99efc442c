"""In which of several forms somebody wants an answer, as the header `Accept` says."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

HTML: Final = "text/html"
_ANY: Final = "*/*"


def preferred(accept: str, offered: Sequence[str]) -> str | None:
    """The media type that is wanted most of those that are offered; the first of them where all are alike.

    Parameters
    ----------
    accept
        The header; '' takes anything.
    offered
        Media types, each perhaps with a profile; what is offered first is given where nothing is said.

    Returns
    -------
    str or None
        `None` where none of them is wanted.
    """
    wanted = list(_ranges(accept)) or [(_ANY, 1.0)]
    best, most = None, 0.0
    for one in offered:
        quality = max(
            ((_precision(asked), quality) for asked, quality in wanted if _matches(asked, one)),
            default=(0, 0.0),
        )[1]
        if quality > most:
            best, most = one, quality
    return best


def _ranges(accept: str) -> Iterator[tuple[str, float]]:
    for part in accept.split(","):
        name, *parameters = (one.strip() for one in part.split(";"))
        if not name:
            continue
        quality, rest = 1.0, []
        for one in parameters:
            key, _, value = one.partition("=")
            if key.strip() == "q":
                try:
                    quality = min(1.0, max(0.0, float(value)))
                except ValueError:
                    quality = 0.0
            elif one:
                rest.append(f"{key.strip()}={value.strip().strip(chr(34))}")
        yield "; ".join([name.lower(), *rest]), quality


def _matches(asked: str, offered: str) -> bool:
    plain = offered.partition(";")[0]
    if asked in (_ANY, plain, offered):
        return asked != plain or plain == offered  # one with a profile is given to who asks for the profile
    return asked.endswith("/*") and plain.startswith(asked[:-1])


def _precision(asked: str) -> int:
    return 0 if asked == _ANY else 1 if asked.endswith("/*") else 2 + (";" in asked)
