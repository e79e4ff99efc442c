"""The table of the campaign, for a terminal and for the documents."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bench.faults.trial import Verdict

_HEAD = (
    "fault",
    "units",
    "put aside",
    "lost",
    "doubled",
    "same bytes",
    "commands",
    "recovery",
    "fsck --deep",
)


def line(one: Verdict) -> str:
    """One fault, for a terminal."""
    mark = "holds " if one.holds else "BROKEN"
    return (
        f"{mark}  {one.fault}: {one.units} units, {one.quarantined} put aside, {one.lost} lost, "
        f"{one.doubled} doubled, {one.same} the same, {one.commands} commands, {one.recovery:.0f} s, "
        f"fsck {_kinds(one.fsck)}; left {_kinds(one.mended)}" + (f"\n        {one.said}" if one.said else "")
    )


def markdown(verdicts: Sequence[Verdict], units: int, size: int) -> str:
    """All of them, as a page."""
    rows = [_HEAD, tuple("---" for _ in _HEAD)]
    rows += [
        (
            one.fault,
            str(one.units),
            str(one.quarantined),
            str(one.lost),
            str(one.doubled),
            f"{one.same} of {one.units - one.quarantined}",
            str(one.commands),
            f"{one.recovery:.0f} s",
            _kinds(one.fsck) if one.fsck == one.mended or not one.fsck else f"{_kinds(one.fsck)}; mended",
        )
        for one in verdicts
    ]
    told = "\n".join("| " + " | ".join(row) + " |" for row in rows)
    said = "\n".join(f"- **{one.fault}**: {one.said}" for one in verdicts if one.said)
    return _PAGE.format(units=units, size=size, table=told, said=said)


def _kinds(found: Mapping[str, int]) -> str:
    return ", ".join(f"{number} {kind}" for kind, number in found.items()) or "clean"


_PAGE = """\
# What a run survives

Made by `python -m bench.faults --out docs/faults.md`: a home with two sites, one that keeps its files in a
folder and one in S3, each with a Dask cluster of its own. For each line a run of {units} frames of {size}²
pixels begins, half of the raw files at each site; as soon as the first product lies there, something breaks;
it is cured some time later (or by nobody), and the operator gives the same command again after `heliolake up`
as long as it does not end with 0. Then all is judged:

- **lost**: units without a product and without a reason in the quarantine;
- **doubled**: products that are there twice, or releases published twice;
- **same bytes**: products that an undisturbed run makes byte for byte;
- **commands**: how often the operator had to type it;
- **recovery**: seconds from the fault to the end of the run, the time until it was cured included;
- **fsck --deep**: what it found afterwards; *mended*: by `fsck --deep --repair`, and nothing was left.

{table}

What the command that was hit told the operator:

{said}
"""
