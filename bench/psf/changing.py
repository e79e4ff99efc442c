"""What cases of changing telescopes and of varying fields gave, as tables of a page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import numpy as np

from pipeline.psf.epochs import CHANGE

Row = Mapping[str, Any]
#: Percent by which an answer that is believed may not be off.
_WRONG: Final = 10.0
#: Share by which a quarter has to differ from the mean of all for one kernel to be a miss.
_VARIES: Final = 0.08
#: Of each light the edge, and what shows it.
_EDGES: Final = {"white light": "limb", "lyman": "occulter"}


def epochs(found: Sequence[Row]) -> Iterator[str]:
    """Of changes in time: a summary, then every case."""
    yield (
        "| edge: what changes | cases | noticed, at the right frame | false alarms | missed | epochs | "
        "refused | FWHM, % | identified and wrong by > 10 % |"
    )
    yield "|---|---|---|---|---|---|---|---|---|"
    for title in dict.fromkeys(_kind(row) for row in found):
        rows = [row for row in found if _kind(row) == title]
        noticed = [row for row in rows if row["named"]]
        right = sum(row["named"] == row["steps"] for row in noticed)
        at = "–" if not any(row["steps"] for row in rows) else str(right)
        errors = [one for row in rows for one in row["off"]]
        refused = sum(len(row["refused"]) for row in rows)
        yield (
            f"| {title} | {len(rows)} | {len(noticed)}, {at} | "
            f"{sum(not _changes(row) for row in noticed)} | {sum(map(_missed, rows))} | "
            f"{len(errors) + refused} | {refused} | {_errors(errors)} | {_wrong(errors)} |"
        )
    yield ""
    yield "| edge | what changes | PSF | FWHM, px | changes named | FWHM by epoch, % |"
    yield "|---|---|---|---|---|---|"
    for row in found:
        case, (least, most) = row["case"], row["true"]
        width = f"{least:.2f}" if most == least else f"{least:.2f} – {most:.2f}"
        named = ", ".join(_told(row)) or "none"
        off = ", ".join([*(f"{one:+.1f}" for one in row["off"]), *["refused"] * len(row["refused"])])
        edge = _EDGES[case["light"]]
        yield f"| {edge} | {case['name']} | {case['kind']} | {width} | {named} | {off or '–'} |"


def tiles(found: Sequence[Row]) -> Iterator[str]:
    """Of fields: a summary, then every case."""
    yield (
        "| the field | cases | refused | tiles made | false alarms | missed | quarters told | FWHM, % | "
        "identified and wrong by > 10 % |"
    )
    yield "|---|---|---|---|---|---|---|---|---|"
    for title in dict.fromkeys(row["case"]["name"] for row in found):
        rows = [row for row in found if row["case"]["name"] == title]
        made = [row for row in rows if row["kernels"] > 1]
        errors = [one for row in rows for one in row["off"]]
        alarms = sum(row["case"]["left"] == row["case"]["right"] for row in made)
        missed = sum(row["kernels"] == 1 and _spread(row) > _VARIES for row in rows)
        yield (
            f"| {title} | {len(rows)} | {sum(not row['kernels'] for row in rows)} | {len(made)} | {alarms} | "
            f"{missed} | {len(errors)} of {4 * len(rows)} | {_errors(errors)} | {_wrong(errors)} |"
        )
    yield ""
    yield "| the field | PSF | FWHM of the quarters, px | kernels | FWHM by quarter, % |"
    yield "|---|---|---|---|---|"
    for row in found:
        case = row["case"]
        true = (
            f"{row['true'][0]:.2f}"
            if case["left"] == case["right"]
            else ", ".join(f"{one:.2f}" for one in row["true"])
        )
        off = ", ".join([*(f"{one:+.1f}" for one in row["off"]), *["not told"] * row["untold"]]) or "refused"
        yield f"| {case['name']} | {case['kind']} | {true} | {row['kernels'] or '–'} | {off} |"


def line(row: Row) -> str:
    """One case, for people who wait."""
    case, off = row["case"], " ".join(f"{one:+.1f}" for one in row["off"])
    if row["what"] == "epochs":
        named = ", ".join(row["named"]) or "nothing"
        refused = "; ".join(row["refused"])
        return f"epochs {case['name']} ({case['light']}, {case['kind']}): named {named}, FWHM {off} {refused}"
    return f"tiles {case['name']} ({case['kind']}): {row['kernels']} kernels, FWHM {off} {row['why']}"


def _kind(row: Row) -> str:
    case = row["case"]
    share = row["true"][1] / row["true"][0] - 1.0
    if case["wings"]:
        what = "the wing alone"
    elif not share:
        what = "nothing"
    elif share <= CHANGE[_EDGES[case["light"]]]:
        what = "less than is promised"
    else:
        what = "a step" if row["steps"] else "a drift"
    return f"{_EDGES[case['light']]}: {what}"


def _told(row: Row) -> Iterator[str]:
    """Changes that were named, and whether they are where they were made."""
    for begin in row["named"]:
        yield begin[:10] + (" (right)" if begin in row["steps"] else "")


def _changes(row: Row) -> bool:
    return bool(row["true"][1] > row["true"][0] or row["case"]["wings"])


def _missed(row: Row) -> bool:
    """A change that is promised to be noticed was not, and a PSF was made of all frames."""
    share = row["true"][1] / row["true"][0] - 1.0
    return share > CHANGE[_EDGES[row["case"]["light"]]] and not row["named"] and bool(row["off"])


def _spread(row: Row) -> float:
    true = np.array(row["true"])
    return float(np.abs(true / true.mean() - 1.0).max())


def _errors(errors: Sequence[float]) -> str:
    found = np.abs(errors)
    return f"{np.median(found):.1f} / {np.percentile(found, 90):.1f}" if found.size else "–"


def _wrong(errors: Sequence[float]) -> int:
    return sum(abs(one) > _WRONG for one in errors)
