"""What the cases gave, as tables of a page."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

import numpy as np

from bench.psf import changing

#: Lines of the page between which the tables stand, of each part.
BEGIN: Final = "<!-- validation: made by bench.psf -->"
END: Final = "<!-- end of validation -->"
EPOCHS: Final = ("<!-- epochs: made by bench.psf -->", "<!-- end of epochs -->")
TILES: Final = ("<!-- tiles: made by bench.psf -->", "<!-- end of tiles -->")
_QUANTITIES: Final = ("fwhm", "ee50", "ee80")
_WRONG: Final = 10.0

Rows = Sequence[Mapping[str, Any]]


def page(text: str, found: Rows) -> str:
    """The page with the tables made anew of which there are rows.

    Raises
    ------
    ValueError
        When the page lacks the lines between which a table stands.
    """
    for what, (begin, end) in {"known": (BEGIN, END), "epochs": EPOCHS, "tiles": TILES}.items():
        rows = [row for row in found if row.get("what", "known") == what]
        if not rows:
            continue
        before, opened, rest = text.partition(begin)
        _, closed, after = rest.partition(end)
        if not (opened and closed):
            raise ValueError(f"the page lacks {begin!r} or {end!r}: write them where the table is to be")
        made = {"known": tables, "epochs": _joined(changing.epochs), "tiles": _joined(changing.tiles)}[what]
        text = f"{before}{begin}\n{made(rows)}\n{end}{after}"
    return text


def _joined(made: Callable[[Rows], Iterator[str]]) -> Callable[[Rows], str]:
    return lambda rows: "\n".join(made(rows))


def tables(found: Rows) -> str:
    """All tables."""
    return "\n".join([*_summary(found), "", *_directions(found), "", *_every(found)])


def _summary(found: Rows) -> Iterator[str]:
    yield (
        "| scene, terms | cases | core identified | FWHM, % | EE50, % | EE80, % | "
        "identified and wrong by > 10 % | within 2 σ (FWHM) |"
    )
    yield "|---|---|---|---|---|---|---|---|"
    for scene, terms, rows in _groups(found):
        core = [row for row in rows if row["core"] == "identified"]
        if not core:
            yield f"| {scene}: {terms} | {len(rows)} | 0 | – | – | – | 0 | – |"
            continue
        cells = []
        for name in _QUANTITIES:
            errors = np.abs([row[name] for row in core if name != "ee80" or row["wing"] == "identified"])
            cells.append(f"{np.median(errors):.1f} / {np.percentile(errors, 90):.1f}" if errors.size else "–")
        wrong = sum(_is_wrong(row) for row in core)
        within = np.mean([abs(row["fwhm"]) <= 2.0 * row["sigma"] for row in core])
        yield (
            f"| {scene}: {terms} | {len(rows)} | {len(core)} | {' | '.join(cells)} | {wrong} | "
            f"{100.0 * within:.0f} % |"
        )


def _directions(found: Rows) -> Iterator[str]:
    yield (
        "| scene, terms | ellipticity identified | coma, trefoil identified | error by direction, % | "
        "of a symmetric kernel, % | identified and wrong by > 10 % |"
    )
    yield "|---|---|---|---|---|---|"
    for scene, terms, rows in _groups(found):
        core = [row for row in rows if row["core"] == "identified"]
        known = [row for row in core if "identified" in (row["ellipse"], row["odd"])]
        cells = [
            f"{np.median(errors):.1f} / {np.percentile(errors, 90):.1f}" if errors else "–"
            for errors in ([row[name] for row in known] for name in ("angular", "symmetric"))
        ]
        counts = [sum(row[name] == "identified" for row in core) for name in ("ellipse", "odd")]
        wrong = sum(row["angular"] > _WRONG for row in known)
        yield f"| {scene}: {terms} | {counts[0]} | {counts[1]} | {' | '.join(cells)} | {wrong} |"


def _is_wrong(row: Mapping[str, Any]) -> bool:
    """Whether something that is said to be identified is off by more than a tenth."""
    names = _QUANTITIES if row["wing"] == "identified" else _QUANTITIES[:2]
    return any(abs(row[name]) > _WRONG for name in names)


def _groups(found: Rows) -> Iterator[tuple[str, str, list[Mapping[str, Any]]]]:
    for scene in dict.fromkeys(_scene(row) for row in found):
        of_scene = [row for row in found if _scene(row) == scene]
        for terms in dict.fromkeys(row["terms"] for row in of_scene):
            yield scene, terms, [row for row in of_scene if row["terms"] == terms]


def _scene(row: Mapping[str, Any]) -> str:
    name = row["case"]["scene"]
    return {"white light": "drawn, white light", "lyman": "drawn, Lyman α", "hmi": "real, white light"}.get(
        name, "real, extreme ultraviolet"
    )


def _every(found: Rows) -> Iterator[str]:
    yield "| scene | PSF | FWHM, px | wing | terms | core | wing | FWHM, % | EE50, % | EE80, % | σ(FWHM), % |"
    yield "|---|---|---|---|---|---|---|---|---|---|---|"
    for row in found:
        case = row["case"]
        errors = " | ".join(f"{row[name]:+.1f}" if row[name] == row[name] else "–" for name in _QUANTITIES)
        sigma = f"{row['sigma']:.1f}" if row["sigma"] == row["sigma"] else "–"
        yield (
            f"| {case['scene']} | {case['kind']} | {row['true']:.2f} | {case['wing']:g} | {row['terms']} | "
            f"{row['core']} | {row['wing']} | {errors} | {sigma} |"
        )


def line(row: Mapping[str, Any]) -> str:
    """One case with some of its terms, for people who wait."""
    if "what" in row:
        return changing.line(row)
    case = row["case"]
    errors = " ".join(f"{row[name]:+6.1f}" for name in _QUANTITIES)
    return (
        f"{case['scene']:12s} {case['kind']:7s} {row['true']:.2f} {case['wing']:g} {row['terms']:20s} "
        f"{row['core']:10s} {row['wing']:14s} {errors} (sigma {row['sigma']:.1f}) {row['why']}"
    )
