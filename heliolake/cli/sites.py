"""`site`: the sites of a lake, added, listed, shown, drained and removed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from heliolake.cli.common import SERVICES, Json, command, home_of, open_lake
from heliolake.cli.complete import site_names
from heliolake.cli.output import err, out, print_json, shown, table

if TYPE_CHECKING:
    from cluster.sites.book import Book
    from cluster.sites.site import Site

sites = typer.Typer(
    help="The sites of a lake: each a storage element and a Dask scheduler that lie together.",
    no_args_is_help=True,
)
Name = Annotated[str, typer.Argument(metavar="NAME", autocompletion=site_names, help="Name of the site.")]


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.add_typer(sites, name="site", rich_help_panel=SERVICES)
    app.command(rich_help_panel=SERVICES)(execute)


def execute(
    ctx: typer.Context,
    site: Annotated[
        str, typer.Option("--site", metavar="NAME", autocompletion=site_names, help="The site it stands at.")
    ] = "",
    once: Annotated[bool, typer.Option("--once", help="End when nothing is left to do.")] = False,
) -> None:
    """Stand at a site as its executor: take up what open runs have for it, until stopped.

    For sites of sites.yaml with [bold]executor: there[/]; to others [bold]process[/] sends one.

    [bold]Example[/]

      heliolake execute --site north
    """
    from cluster.crew.executor import stay

    book = _book(ctx)
    name = site or book.here
    book.site(name)
    err().print(f"executor of {shown(name)}", soft_wrap=True)
    stay(book, name, lambda sentence: err().print(shown(sentence), soft_wrap=True), once=once)


@sites.command()
def add(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="Small letters, digits and -.")],
    storage: Annotated[
        str,
        typer.Option(
            "--storage",
            metavar="posix|s3|URL",
            help="A folder or an S3 storage that this home runs for it, or the URL of a store that is there.",
        ),
    ] = "posix",
    rse: Annotated[
        str,
        typer.Option("--rse", metavar="NAME", help="Its storage element; NAME in capitals by default."),
    ] = "",
    credentials: Annotated[
        Path | None,
        typer.Option("--credentials", metavar="FILE", dir_okay=False, help="Keys to its store, as JSON."),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option("--workers", min=1, help="Workers of its own Dask. [dim]Default: one per core[/]"),
    ] = None,
    scheduler: Annotated[
        str,
        typer.Option(
            "--scheduler", metavar="ADDRESS", help="A Dask scheduler that is there: tcp://HOST:PORT."
        ),
    ] = "",
    embargoed: Annotated[
        list[str] | None,
        typer.Option(
            "--embargoed",
            metavar="INSTRUMENT|none",
            help="Whose data may lie there under embargo. [dim]Default: all[/]",
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Add a site. [bold]heliolake up[/] then starts what this home runs for it, and tells Rucio of it.

    What a site can be besides (Dask Gateway, Kubernetes, SLURM, TLS, bandwidths, copies) is written into
    sites.yaml in the home.

    [bold]Examples[/]

      heliolake site add north --workers 1
      heliolake site add south --storage s3 --workers 1
      heliolake site add far --storage 's3://bucket?endpoint=https://s3.example.org' --credentials keys.json
    """
    from cluster.sites.site import AddressDask, LocalDask

    dask = AddressDask(address=scheduler) if scheduler else LocalDask(workers=workers)
    allowed: Any = "all" if not embargoed else tuple(one for one in embargoed if one != "none")
    given = {
        "rse": rse or name.upper(),
        "storage": storage,
        "credentials": credentials,
        "dask": dask,
        "embargoed": allowed,
    }
    book = _book(ctx)
    book.add(name, given)
    if as_json:
        print_json({"site": name, **book.site(name).model_dump(mode="json")})
        return
    err().print(f"Next: [bold]{shown(command(ctx, 'up'))}[/] starts what this home runs for {shown(name)}.")


@sites.command(name="list")
def list_sites(ctx: typer.Context, as_json: Json = False) -> None:
    """List the sites with their storage element, store and scheduler."""
    book = _book(ctx)
    known = book.sites
    if as_json:
        print_json(
            {"sites": [{"site": name, **site.model_dump(mode="json")} for name, site in known.items()]}
        )
        return
    rows = [
        (name, site.rse, _store(site), _dask(site), _who(site), "drained" if site.drained else "")
        for name, site in known.items()
    ]
    heads = ("site", "storage element", "storage", "Dask", "embargoed data", "state")
    out().print(table("", heads, rows, fold=("storage",)))


@sites.command()
def show(ctx: typer.Context, name: Name, as_json: Json = False) -> None:
    """Show a site: its description, its services, and how much lies there."""
    from cluster.services.elsewhere import states
    from lake.rucio.copies import usage

    book = _book(ctx)
    site = book.site(name)
    running = [one for one in states(book.home) if one.name.endswith(f"@{name}")]
    with open_lake(ctx) as lake:
        held = usage(lake.rucio, site.rse)
    document = {
        "site": name,
        **site.model_dump(mode="json"),
        "store": book.store_url(name),
        "held": held,
        "services": [one.as_dict() for one in running],
    }
    if as_json:
        print_json(document)
        return
    console = out()
    console.print(f"[bold]{shown(name)}[/]{'  drained: takes no new work' if site.drained else ''}")
    for label, value in (
        ("storage element", site.rse),
        ("store", book.store_url(name)),
        ("Dask", _dask(site)),
        ("embargoed data", _who(site)),
        ("holds", f"{held['files']} files, {held['bytes'] / 1e9:.3f} GB"),
    ):
        console.print(f"  {label:16} {shown(value)}", soft_wrap=True)
    for one in running:
        console.print(
            f"  {shown(one.name):16} {one.state} {shown(one.url)} {shown(one.detail)}", soft_wrap=True
        )


@sites.command()
def drain(
    ctx: typer.Context,
    name: Name,
    undo: Annotated[bool, typer.Option("--undo", help="Let it take work again.")] = False,
) -> None:
    """Give a site no new work. What waits there moves to where its inputs are; its data stay and are read."""
    book = _book(ctx)
    book.set_drained(name, drained=not undo)
    err().print(f"{shown(name)} takes {'work again' if undo else 'no new work'}.")


@sites.command()
def remove(ctx: typer.Context, name: Name) -> None:
    """Take a site out of the lake, once nothing lies there that lies nowhere else.

    Its folder or bucket is left as it is.
    """
    from cluster.services.elsewhere import withdraw

    book = _book(ctx)
    with open_lake(ctx) as lake:
        withdraw(book, lake, name)
    err().print(f"{shown(name)} is no site of this lake any more; what lies in its storage was left there.")
    err().print(f"Next: [bold]{shown(command(ctx, 'fsck --repair'))}[/] has Rucio hold what it held.")


def _book(ctx: typer.Context) -> Book:
    from cluster.sites.book import Book

    return Book(home_of(ctx))


def _store(site: Site) -> str:
    return f"{site.storage} of this home" if site.embedded else site.storage


def _dask(site: Site) -> str:
    from cluster.sites.site import AddressDask, LocalDask

    if isinstance(site.dask, LocalDask):
        return f"local, {site.dask.workers or 'one per core'}"
    return site.dask.address if isinstance(site.dask, AddressDask) else site.dask.kind


def _who(site: Site) -> str:
    if site.embargoed == "all":
        return "all"
    return ", ".join(site.embargoed) or "none"
