"""`check`: FITS files held against the SOLARNET recommendations."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from heliolake.cli.common import KNOW, Json
from heliolake.cli.exits import ExitCode
from heliolake.cli.output import err, out, print_json, progress_bar, shown, table

if TYPE_CHECKING:
    from pipeline.solarnet_check.finding import Finding
    from pipeline.solarnet_check.report import Report

_COLOURS = {"error": "red", "warning": "yellow", "note": "dim"}
_VERDICTS = {"conformant": "green", "partly conformant": "yellow", "unreadable": "red"}
_SHOWN = 200
"""Findings of one file shown: beyond that a person wants `--json`."""


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command(rich_help_panel=KNOW)(check)


def check(
    files: Annotated[
        list[str],
        typer.Argument(metavar="FILE...", help="FITS files, folders of them, or patterns in quotes."),
    ],
    headers: Annotated[
        bool, typer.Option("--headers", help="Look at headers alone, not at pixels, statistics, checksums.")
    ] = False,
    brief: Annotated[bool, typer.Option("--brief", help="Show errors and warnings only, no notes.")] = False,
    as_json: Json = False,
) -> None:
    """Hold FITS files against the SOLARNET recommendations and the FITS standard.

    Mandatory keywords, types, units, coordinates, dates, provenance, checksums, and statistics against the
    pixels: each finding says what was found, what is expected, where that is written, and what to do. No home
    and no service is needed. Ends with 1 when a file has an error, with 2 when one is not there.

    [bold]Examples[/]

      heliolake check product.fits

      heliolake check 'day/*.fits.gz' --brief

      heliolake check raw/ --headers --json
    """
    from cluster.conformance import check_file
    from cluster.intake.ingest import select

    chosen = select(files)
    reports = []
    with progress_bar("checking") as bar:
        for number, path in enumerate(chosen.files, start=1):
            reports.append(check_file(_as_typed(path), headers_only=headers))
            bar(number, len(chosen.files), path.name)
    if as_json:
        print_json({"files": [one.document() for one in reports], "absent": list(chosen.absent)})
    else:
        for one in reports:
            _print(one, brief=brief)
    for text in (*chosen.absent, *chosen.closed):
        err().print(
            f"heliolake: there is no file, folder or match that can be read: {shown(text)}", soft_wrap=True
        )
    if chosen.absent or chosen.closed or not reports:
        raise typer.Exit(ExitCode.USAGE)
    if any(one.has_errors for one in reports):
        raise typer.Exit(ExitCode.WITH_PROBLEMS)


def _as_typed(path: Path) -> Path:
    """Below the current folder without it: that is how people name files."""
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path


def _print(report: Report, *, brief: bool) -> None:
    console = out()
    counts = ", ".join(
        f"{number} {name if number != 1 else name[:-1]}" for name, number in report.counts().items() if number
    )
    verdict = report.verdict.value
    colour = _VERDICTS.get(verdict, "yellow")
    console.print(
        f"[bold]{shown(report.file)}[/]: [{colour}]{verdict}[/]; {counts or 'nothing found'}", soft_wrap=True
    )
    found = [one for one in report.findings if not brief or one.grade.value != "note"]
    if found:
        rows = [_row(alike) for alike in _alike(found[:_SHOWN])]
        console.print(
            table("", ("grade", ">HDU", "keyword", "finding", "rule"), rows, fold=("finding", "rule"))
        )
    if len(found) > _SHOWN:
        console.print(f"[dim]… and {len(found) - _SHOWN} more (--json has all)[/]")
    console.print()


def _alike(found: list[Finding]) -> list[list[Finding]]:
    """Findings that differ in nothing but the keyword together: what is absent is absent for one reason."""
    together: dict[tuple[object, ...], list[Finding]] = {}
    for one in found:
        key = (one.grade, one.hdu, one.found, one.expected, one.advice, one.rule)
        together.setdefault(key, []).append(one)
    return list(together.values())


def _row(alike: list[Finding]) -> tuple[str, ...]:
    one = alike[0]
    keywords = "\n".join(shown(each.keyword) for each in alike)
    grade = f"[{_COLOURS[one.grade.value]}]{one.grade.value}[/]"
    told = f"{shown(one.found)}; expected: {shown(one.expected)}"
    advice = f"\n[dim]→ {shown(one.advice)}[/]" if one.advice else ""
    return grade, "" if one.hdu is None else str(one.hdu), keywords, told + advice, shown(one.rule)
