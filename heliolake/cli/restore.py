"""`restore`: lost bytes back from copies."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Annotated

import typer

from heliolake.cli.common import GOVERN, Json, command, open_lake
from heliolake.cli.exits import ExitCode
from heliolake.cli.output import err, out, print_json, progress_bar, shown

if TYPE_CHECKING:
    from cluster.intake.restore import RestoreReport

_SHOWN = 40
"""Files shown one by one."""
_NAMED = 12
"""Files named together for one trouble."""


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command(rich_help_panel=GOVERN)(restore)


def restore(
    ctx: typer.Context,
    paths: Annotated[
        list[str], typer.Argument(metavar="PATH...", help="Copies: files, folders, or patterns in quotes.")
    ],
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be put back, and do nothing.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Put bytes back that the lake lost, from copies of them.

    A copy is known by its checksums, whatever it is called; a gzipped one also by what is packed in it. Only
    what is missing or damaged is touched, so a whole archive may be given. Damaged bytes are kept in the lost
    and found. Rucio learns that its replicas are good again.

    Lost products need no copy: [bold]fsck[/] names the run that makes them again.

    [bold]Examples[/]

      heliolake restore ~/data/hi/2011
      heliolake restore --dry-run '/archive/hi/*/*.fts.gz'
    """
    from cluster.intake.restore import restore as put_back

    with open_lake(ctx) as lake, progress_bar("comparing") as bar:
        report = put_back(lake, paths, dry_run=dry_run, on_progress=bar)
    if as_json:
        print_json(report.document())
    else:
        _print(report)
        if report.counts()["restored"] and not dry_run:
            err().print(f"Next: [bold]{command(ctx, 'fsck')}[/] tells whether anything is still missing.")
    if not report.clean:
        raise typer.Exit(ExitCode.WITH_PROBLEMS)


def _print(report: RestoreReport) -> None:
    console = out()
    counts = report.counts()
    words = {"restored": "to be restored" if report.dry_run else "restored", "whole": "whole in the lake"}
    told = [f"{number} {words.get(name, name)}" for name, number in counts.items() if number]
    number = len({item.source for item in report.items})
    console.print(f"{number} file{'' if number == 1 else 's'}: {', '.join(told) or 'nothing to do'}")
    restored = [item for item in report.items if item.ending == "restored"]
    for item in restored[:_SHOWN]:
        did = item.file.did if item.file else ""
        console.print(f"[green]{words['restored']}[/]  [bold]{shown(did)}[/]", soft_wrap=True)
        console.print(f"  {shown(item.reason)}; from {shown(item.source)}", soft_wrap=True)
        if item.kept:
            console.print(f"  [dim]what was there is kept: {shown(item.kept)}[/]", soft_wrap=True)
    if len(restored) > _SHOWN:
        console.print(f"[dim]… and {len(restored) - _SHOWN} more (--json has all)[/]")
    if report.mended:
        what = "would be" if report.dry_run else "are"
        console.print(f"Rucio: {len(report.mended)} replicas {what} AVAILABLE again.")
    _print_troubles(report)


def _print_troubles(report: RestoreReport) -> None:
    console = out()
    together: dict[tuple[str, str, str], list[str]] = defaultdict(list)
    for item in report.items:
        if item.ending in ("unknown", "failed"):
            together[item.ending.value, item.reason, item.advice].append(item.source.name)
    for (ending, reason, advice), names in together.items():
        more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
        console.print(f"[yellow]{ending}[/]  [bold]{shown(', '.join(names[:_NAMED]))}[/]{more}")
        console.print(f"  {shown(reason)}")
        console.print(f"  [dim]→ {shown(advice)}[/]")
    for path in report.absent:
        console.print(f"[yellow]absent[/]  {shown(path)}: there is no such file, folder or match")
    for path in report.closed:
        console.print(f"[yellow]closed[/]  {shown(path)}: the folder cannot be read")
