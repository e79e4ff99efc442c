"""`context`: calibration references and the numbered lists of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from heliolake.cli.common import GOVERN, Json, command, open_lake, parse_time
from heliolake.cli.output import err, out, print_json, shown, table
from heliolake.cli.reports import short_time

if TYPE_CHECKING:
    from cluster.intake.references import Added
    from lake.calibration.references import NewReference

context = typer.Typer(
    no_args_is_help=True,
    help="Calibration files, and the immutable, numbered lists of them that products are made with.",
)
Number = Annotated[int, typer.Argument(metavar="N", min=1, help="Number of a context.")]


Paths = Annotated[
    list[Path], typer.Argument(metavar="PATH...", help="Calibration files, or folders of them.")
]
Need = Annotated[
    str | None,
    typer.Option(
        "--need",
        metavar="NAME",
        help="What steps call it (heliolake steps).",
    ),
]
ForInstrument = Annotated[
    str | None,
    typer.Option(
        "--instrument",
        metavar="NAME",
        help="The instrument it is for.",
    ),
]
ValidFrom = Annotated[
    Any,
    typer.Option(
        "--valid-from",
        parser=parse_time,
        metavar="TIME",
        help="For frames from then on (UTC).",
    ),
]
ValidUntil = Annotated[
    Any,
    typer.Option(
        "--valid-until",
        parser=parse_time,
        metavar="TIME",
        help="For frames before then (UTC).",
    ),
]
Select = Annotated[
    list[str] | None,
    typer.Option(
        "--select",
        metavar="KEY=VALUE",
        help="Only for frames with this value; may be given several times.",
    ),
]
Origin = Annotated[
    str,
    typer.Option("--source", metavar="TEXT", help="Where it comes from: a paper, an archive, a program."),
]
Simulated = Annotated[bool, typer.Option("--simulated", help="It was made from a model, not measured.")]
Note = Annotated[str, typer.Option("--note", metavar="TEXT", help="Why; kept with the context.")]
UseNow = Annotated[bool, typer.Option("--use", help="Use the new context from now on.")]


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.add_typer(context, name="context", rich_help_panel=GOVERN)


@context.command()
def add(
    ctx: typer.Context,
    paths: Paths,
    need: Need = None,
    instrument: ForInstrument = None,
    valid_from: ValidFrom = None,
    valid_until: ValidUntil = None,
    select: Select = None,
    source: Origin = "",
    simulated: Simulated = False,
    note: Note = "",
    use: UseNow = False,
    as_json: Json = False,
) -> None:
    """Add calibration files to the lake, and make a new context that lists them besides those in use.

    Known kinds of files are recognised by name and content; for any other say what it is with --need,
    --instrument and --source. The first context of an instrument is used at once, later ones with --use.

    [bold]Examples[/]

      heliolake context add ~/calibration/aia
      heliolake context add my_flat.fits --need flat --instrument stereo_hi
          --select detector=1 --select spacecraft=a --source 'J. Doe 2026'
    """
    from cluster.intake.references import add as add_references
    from cluster.intake.references import find_known

    ignored: list[Path] = []
    if need or instrument:
        if not (need and instrument and source):
            raise typer.BadParameter(
                "--need, --instrument and --source go together", param_hint="context add"
            )
        new = _described(
            paths, need, instrument, (valid_from, valid_until), select or (), source, simulated=simulated
        )
    else:
        new, ignored = find_known(paths)
    if not new:
        raise typer.BadParameter(
            "no instrument knows these files; say what they are with --need, --instrument and --source",
            param_hint="PATH",
        )
    with open_lake(ctx) as lake:
        added = add_references(lake, new, note=note, use=use)
    if as_json:
        print_json(_document(added, ignored))
    else:
        _print_added(ctx, added, ignored)


@context.command("list")
def list_all(ctx: typer.Context, as_json: Json = False) -> None:
    """List the contexts; the ones in use are marked."""
    from lake.calibration import contexts

    with open_lake(ctx) as lake:
        found = contexts.listing(lake)
    if as_json:
        print_json({"contexts": found})
        return
    rows = [
        (
            one["context"],
            one["instrument"] or "all",
            one["references"],
            short_time(one["created"])[:16],
            "[green]in use[/]" if one["current_for"] else "",
            shown(one["note"]),
        )
        for one in found
    ]
    console = out()
    if rows:
        console.print(
            table("", (">context", "instrument", ">references", "made", "", "note"), rows, fold=("note",))
        )
    else:
        console.print("There is no context yet. Add calibration files: [bold]heliolake context add FOLDER[/]")


@context.command()
def show(ctx: typer.Context, number: Number, as_json: Json = False) -> None:
    """Show the references of a context: what each is for, and since when it is valid."""
    from lake.calibration import contexts

    with open_lake(ctx) as lake:
        document = contexts.load(lake, number).as_dict()
    if as_json:
        print_json(document)
        return
    console = out()
    console.print(f"[bold]context {number}[/]  {document['instrument'] or 'all instruments'}")
    console.print(_reference_table(document["references"]))


@context.command()
def diff(
    ctx: typer.Context,
    old: Annotated[int, typer.Argument(metavar="A", min=1, help="The earlier context.")],
    new: Annotated[int, typer.Argument(metavar="B", min=1, help="The later context.")],
    as_json: Json = False,
) -> None:
    """Say what changed between two contexts, and which products that asks to process again.

    [bold]heliolake process RECIPE --context B --changed-since A[/] does just those.
    """
    from cluster.intake.references import difference

    with open_lake(ctx) as lake:
        document = difference(lake, old, new)
    if as_json:
        print_json(document)
        return
    console = out()
    for word in ("added", "removed"):
        for one in document[word]:
            console.print(f"{word}: {shown(one['need'])} {shown(one['did'])}")
    for pair in document["replaced"]:
        console.print(f"replaced: {shown(pair['old']['did'])} → {shown(pair['new']['did'])}")
    rows = [
        (shown(one["product"]), "" if one["certain"] else "perhaps", shown(one["why"]))
        for one in document["reprocess"]
    ]
    if rows:
        console.print(table("\nTo process again", ("product", "", "why"), rows, fold=("why",)))
    else:
        console.print("No product needs to be processed again.")


@context.command()
def use(ctx: typer.Context, number: Number, as_json: Json = False) -> None:
    """Use a context from now on, for its instrument."""
    from lake.calibration import contexts

    with open_lake(ctx) as lake:
        contexts.use(lake, number)
        chosen = contexts.load(lake, number)
    if as_json:
        print_json({"context": number, "instrument": chosen.instrument})
    else:
        out().print(f"context {number} is in use for {chosen.instrument or 'all instruments'}")


def _described(
    paths: Sequence[Path],
    need: str,
    instrument: str,
    valid: tuple[Any, Any],
    select: Sequence[str],
    source: str,
    *,
    simulated: bool,
) -> list[NewReference]:
    from lake.calibration.references import NewReference

    return [
        NewReference(
            path, need, instrument, source, *valid, selectors=_selectors(select), simulated=simulated
        )
        for path in paths
    ]


def _selectors(texts: Sequence[str]) -> dict[str, Any]:
    from pipeline.documents import read_yaml

    found: dict[str, Any] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not (key and equals):
            raise typer.BadParameter(f"{text!r} is not KEY=VALUE", param_hint="--select")
        chosen = read_yaml(value, f"the value of --select {key.strip()}")
        values = chosen if isinstance(chosen, list) and chosen else [chosen]
        if not all(isinstance(one, (str, int, float)) for one in values):
            raise typer.BadParameter(
                f"{text!r} selects nothing; write KEY= and a text, a number, or a list of them",
                param_hint="--select",
            )
        found[key.strip()] = chosen
    return found


def _document(added: Added, ignored: Sequence[Path]) -> dict[str, Any]:
    return {
        "contexts": [one.as_dict() for one in added.contexts],
        "references": [one.as_dict() for one in added.references],
        "in_use": list(added.used),
        "ignored": [str(path) for path in ignored],
    }


def _print_added(ctx: typer.Context, added: Added, ignored: Sequence[Path]) -> None:
    console = out()
    console.print(_reference_table([one.as_dict() for one in added.references]))
    for one in added.contexts:
        use_it = f"use it: {shown(command(ctx, f'context use {one.number}'))}"
        used = "in use now" if one.number in added.used else use_it
        console.print(
            f"context {one.number} for {one.instrument}, {len(one.references)} references ({used})",
            soft_wrap=True,
        )
    if ignored:
        err().print(f"[dim]not known to any instrument: {shown(', '.join(path.name for path in ignored))}[/]")


def _reference_table(found: Sequence[Mapping[str, Any]]) -> Any:
    rows = [
        (
            shown(one["need"]),
            shown(one["did"].partition(":")[2]),
            _validity(one),
            shown(", ".join(f"{key}={value}" for key, value in one["selectors"].items()))
            + (" [yellow]simulated[/]" if one["simulated"] else ""),
        )
        for one in found
    ]
    return table("", ("need", "file", "valid", "for"), rows, fold=("file", "for"))


def _validity(one: Mapping[str, Any]) -> str:
    begin, end = (str(one[key] or "")[:10] for key in ("valid_from", "valid_until"))
    return f"{begin or '…'} to {end or '…'}" if begin or end else "always"
