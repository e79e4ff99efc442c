"""`audit`: who did what, in a trail that nobody changes unseen."""

from __future__ import annotations

import json
import os
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from heliolake.cli.common import GOVERN, Json, open_lake, parse_time, principal_of, require_operator
from heliolake.cli.exits import ExitCode
from heliolake.cli.output import err, out, print_json, shown
from heliolake.cli.reports import short_time

if TYPE_CHECKING:
    from lake.governance.audit import Verdict
    from lake.governance.chain import Entry

audit = typer.Typer(
    no_args_is_help=True,
    help="Who did what: every change of embargoes, accounts and DOIs, every access to embargoed data.",
)


_EMPTY: Final[tuple[Any, ...]] = ("", None, [], {})
Since = Annotated[
    Any, typer.Option("--since", parser=parse_time, metavar="TIME", help="Only entries from then on (UTC).")
]
Until = Annotated[
    Any, typer.Option("--until", parser=parse_time, metavar="TIME", help="Only entries before then (UTC).")
]
Limit = Annotated[
    int, typer.Option("--limit", metavar="N", min=1, help="At most so many entries, the newest.")
]


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    audit.command()(show)
    audit.command()(verify)
    audit.command()(export)
    audit.command()(anchor)
    audit.command()(script)
    app.add_typer(audit, name="audit", rich_help_panel=GOVERN)


def show(
    ctx: typer.Context,
    who: Annotated[str, typer.Option("--who", metavar="NAME", help="Only what this account did.")] = "",
    what: Annotated[
        str, typer.Option("--what", metavar="WORDS", help="Only this, for example embargo.set or 'token.*'.")
    ] = "",
    subject: Annotated[
        str,
        typer.Option("--subject", metavar="NAME", help="Only what was done to this."),
    ] = "",
    since: Since = None,
    until: Until = None,
    limit: Limit = 50,
    as_json: Json = False,
) -> None:
    """List entries of the audit trail, the newest last.

    [bold]Examples[/]

      heliolake audit show --since 2026-01-01
      heliolake audit show --what 'access.*' --who ada
    """
    from lake.governance import audit as trail

    with open_lake(ctx) as lake:
        require_operator(principal_of(ctx, lake), "the audit trail")
        found = trail.entries(
            lake, who=who, what=what, subject=subject, since=since, until=until, limit=limit + 1
        )
    entries = found[limit - 1 :: -1] if len(found) > limit else found[::-1]
    if as_json:
        print_json({"entries": [one.as_json() for one in entries], "more": len(found) > limit})
        return
    console = out()
    if len(found) > limit:
        console.print("[dim]Older ones are left out; --limit and --until show them.[/]")
    for entry in entries:
        console.print(_line(entry), soft_wrap=True)
    if not entries:
        console.print("No entries.")


def verify(
    ctx: typer.Context,
    anchor: Annotated[
        list[Path] | None,
        typer.Option("--anchor", metavar="FILE", help="Heads of the trail kept elsewhere; show a cut tail."),
    ] = None,
    file: Annotated[
        Path | None,
        typer.Option("--file", metavar="FILE", help="An exported trail; no service need run."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Read the whole trail and name each entry that was changed, removed, replaced or reordered.

    Ends with 1 when there is any. Without an anchor a tail that was cut off leaves no trace.

    [bold]Examples[/]

      heliolake audit verify --anchor anchors.jsonl
      heliolake audit verify --file trail.jsonl
    """
    from lake.governance import anchors
    from lake.governance import audit as trail

    kept = [one for path in anchor or () for one in anchors.read(path)]
    if file is not None:
        verdict = trail.inspect(anchors.exported(file), kept)
    else:
        with open_lake(ctx) as lake:
            require_operator(principal_of(ctx, lake), "the audit trail")
            verdict = trail.verify(lake, kept)
    if as_json:
        print_json(_document(verdict))
    else:
        _print(verdict, anchored=bool(kept))
    if not verdict.sound:
        raise typer.Exit(ExitCode.WITH_PROBLEMS)


def export(
    ctx: typer.Context,
    output: Annotated[Path, typer.Option("-o", "--output", metavar="FILE", help="Where to; must not exist.")],
) -> None:
    """Write the whole trail as lines of JSON with their hashes; `verify --file` checks it anywhere.

    [bold]Example[/]

      heliolake audit export -o trail.jsonl
    """
    from lake.errors import BadInput
    from lake.governance import audit as trail

    number = 0
    with open_lake(ctx) as lake:
        require_operator(principal_of(ctx, lake), "the audit trail")
        try:
            # Under its name only when it is whole: the beginning of a trail would verify as a sound one.
            with NamedTemporaryFile("w", dir=output.parent, prefix=f".{output.name}.") as stream:
                for entry in trail.every(lake):
                    stream.write(trail.line(entry) + "\n")
                    number += 1
                stream.flush()
                os.fsync(stream.fileno())
                os.link(stream.name, output)
        except FileExistsError:
            raise BadInput("it exists already", file=str(output), advice="name a new file with -o.") from None
    err().print(f"{number} entries written to {shown(output)}", soft_wrap=True)


def anchor(
    ctx: typer.Context,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="FILE", help="Append it to this file, on another machine."),
    ] = None,
    url: Annotated[str, typer.Option("--url", metavar="URL", help="Send it there by POST.")] = "",
) -> None:
    """Print the head of the trail, and keep it where nobody who can reach the database can reach it.

    With it `audit verify` sees that a tail was cut off, or the whole trail written anew.

    [bold]Examples[/]

      heliolake audit anchor -o /media/worm/anchors.jsonl
      heliolake audit anchor --url https://notary.example.org/anchors
    """
    from lake.governance import anchors
    from lake.governance import audit as trail

    with open_lake(ctx) as lake:
        require_operator(principal_of(ctx, lake), "the audit trail")
        made = trail.anchor(lake)
    if output is not None:
        anchors.append(output, made)
    if url:
        anchors.send(url, made)
    print_json(made)


def script() -> None:
    """Print the SQL with which a database's administrator makes the trail; homes make it by themselves."""
    from lake.governance import audit as trail

    typer.echo(trail.script(), nl=False)


def _line(entry: Entry) -> str:
    detail = ", ".join(
        f"{name}: {_value(value)}" for name, value in _pairs(entry.detail) if value not in _EMPTY
    )
    return (
        f"[dim]{entry.number:>6}  {short_time(entry.content()['time'])}[/]  {shown(entry.who)}  "
        f"[bold]{shown(entry.what)}[/]  {shown(entry.subject)}" + (f"  [dim]{detail}[/]" if detail else "")
    )


def _pairs(detail: Any) -> list[tuple[str, Any]]:
    return [(shown(name), value) for name, value in detail.items()] if isinstance(detail, dict) else []


def _value(value: Any) -> str:
    return shown(value if isinstance(value, str) else json.dumps(value))


def _document(verdict: Verdict) -> dict[str, Any]:
    return {
        "entries": verdict.entries,
        "number": verdict.head.number,
        "hash": verdict.head.hash,
        "sound": verdict.sound,
        "tampering": [
            {
                "kind": one.kind,
                "number": one.number,
                "time": one.time.isoformat() if one.time else None,
                "sentence": one.sentence,
            }
            for one in verdict.tampering
        ],
    }


def _print(verdict: Verdict, *, anchored: bool) -> None:
    console = out()
    for one in verdict.tampering:
        console.print(f"[red]{one.kind}[/]  {shown(one.sentence)}", soft_wrap=True)
    if not verdict.sound:
        return
    plural = "y" if verdict.entries == 1 else "ies"
    console.print(
        f"[green]Sound:[/] {verdict.entries} entr{plural}, head {verdict.head.hash}", soft_wrap=True
    )
    if not anchored:
        console.print(
            "[dim]Only an anchor shows whether a tail was cut off: heliolake audit anchor --help[/]"
        )
