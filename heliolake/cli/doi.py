"""`doi` and `cite`: DOIs of releases and products, and how these are cited."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from heliolake.cli.common import (
    FIND,
    GOVERN,
    Json,
    command,
    home_of,
    open_lake,
    principal_of,
    require_operator,
)
from heliolake.cli.complete import product_names
from heliolake.cli.exits import ExitCode
from heliolake.cli.output import err, out, print_json, shown, table

if TYPE_CHECKING:
    from lake.governance.doi.curating import Subject
    from lake.governance.doi.office import Office
    from lake.governance.doi.reconcile import Synced
    from lake.lake import Lake

doi = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="rich",
    help="""DOIs of releases and of products: draft, registered, findable; hidden with a tombstone.

A new home registers with a practice registry on this machine, under the prefix 10.5072 that is reserved for
tests. `governance.yaml` in the home names a real one, and says by whom the data are:

  doi:
    url: https://api.datacite.org
    repository: ABCD.EFGH
    password_file: datacite.password    # chmod 600
    prefix: "10.12345"
    landing: https://archive.example.org/doi/{doi}

  citation:
    "*":                                # of all instruments
      publisher: {name: Example Data Centre, ror: https://ror.org/00example0}
      licence: {name: CC BY 4.0, uri: https://creativecommons.org/licenses/by/4.0/, spdx: CC-BY-4.0}
    stereo_hi:
      creators:
        - {family: Doe, given: Jane, orcid: 0000-0002-1825-0097, affiliation: [{name: Example Institute}]}
""",
)
ProductName = Annotated[
    str,
    typer.Argument(
        metavar="PRODUCT[@vNNNN]",
        autocompletion=product_names,
        help="A product as search lists it; without a version the active one.",
    ),
]
AnyProduct = Annotated[
    str | None,
    typer.Argument(metavar="[PRODUCT[@vNNNN]]", autocompletion=product_names, help="All when left out."),
]
Concept = Annotated[
    bool, typer.Option("--concept", help="The concept DOI: of the product, in all its versions.")
]


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.add_typer(doi, name="doi", rich_help_panel=GOVERN)
    app.command(rich_help_panel=FIND)(cite)


@doi.command()
def mint(ctx: typer.Context, product: ProductName, concept: Concept = False, as_json: Json = False) -> None:
    """Give a release its DOI, or a product its concept DOI, as a draft that nobody else sees yet.

    What has one keeps it, however often this is run.

    [bold]Examples[/]

      heliolake doi mint stereo_hi:hi2a_s7_20110910.l1@v0001
      heliolake doi mint --concept stereo_hi:hi2a_s7_20110910.l1
    """
    from lake.governance.doi import curating

    with _at_work(ctx) as (lake, office):
        subject = _subject(lake, product, concept=concept)
        curating.mint(lake, office, subject, principal_of(ctx, lake))
        _tell(ctx, lake, office, subject, as_json=as_json)


@doi.command("register")
def register_one(
    ctx: typer.Context, product: ProductName, concept: Concept = False, as_json: Json = False
) -> None:
    """Let a DOI resolve, for ever, without being found; it is minted where there is none."""
    from lake.governance.doi.states import State

    _raise_to(ctx, product, State.REGISTERED, concept=concept, as_json=as_json)


@doi.command()
def publish(
    ctx: typer.Context, product: ProductName, concept: Concept = False, as_json: Json = False
) -> None:
    """Let a DOI resolve and be found; it is minted where there is none, and shown again where it was hidden.

    Under an embargo it is registered, and `heliolake doi sync` lets it be found when the embargo has ended.

    [bold]Examples[/]

      heliolake doi publish stereo_hi:hi2a_s7_20110910.l1@v0001
      heliolake doi publish --concept stereo_hi:hi2a_s7_20110910.l1
    """
    from lake.governance.doi.states import State

    _raise_to(ctx, product, State.FINDABLE, concept=concept, as_json=as_json)


@doi.command()
def hide(
    ctx: typer.Context,
    product: ProductName,
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; its page says so.")],
    concept: Concept = False,
    as_json: Json = False,
) -> None:
    """Take a DOI out of the indexes, with a tombstone; it goes on to resolve. `doi publish` takes it back."""
    from lake.governance.doi import curating

    with _at_work(ctx) as (lake, office):
        subject = _subject(lake, product, concept=concept)
        curating.hide(lake, office, subject, reason, principal_of(ctx, lake))
        _tell(ctx, lake, office, subject, as_json=as_json)


@doi.command()
def show(
    ctx: typer.Context,
    product: AnyProduct = None,
    concept: Concept = False,
    metadata: Annotated[
        bool, typer.Option("--metadata", help="Show the metadata as they are sent (JSON).")
    ] = False,
    as_json: Json = False,
) -> None:
    """Show the DOI of a release or product, or all: what each is to be, and what the registry said last."""
    from lake.governance.doi import curating

    with _at_work(ctx) as (lake, office):
        subject = None if product is None else _subject(lake, product, concept=concept)
        if metadata:
            if subject is None:
                raise typer.BadParameter("--metadata needs a PRODUCT", param_hint="doi show")
            print_json(curating.sent(lake, office, subject))
            return
        found = curating.listing(lake, office, subject)
        if as_json:
            print_json({"registry": office.registry.words, "dois": found})
        elif found:
            _print(ctx, office, found)
        else:
            name = product or "PRODUCT"
            option = "--concept " if concept else ""
            out().print(f"There is no DOI yet: [bold]{command(ctx, f'doi mint {option}{shown(name)}')}[/]")


@doi.command()
def sync(
    ctx: typer.Context,
    thorough: Annotated[
        bool, typer.Option("--all", help="Read back every DOI, also those that are confirmed.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Bring the registry to what is wanted here: after lost answers, embargoes that ended, new versions.

    Run it by the clock, once an hour or a day; it may be run at any time, by several at once. Ends with 1
    when the registry refuses a DOI, with 3 when it does not answer.
    """
    from lake.governance.doi.reconcile import sync as reconcile

    with _at_work(ctx) as (lake, office):
        require_operator(principal_of(ctx, lake), "telling the registry")
        done = reconcile(lake, office, thorough=thorough)
        if as_json:
            print_json(_document(office, done))
        else:
            for name, state in done.told.items():
                out().print(f"{shown(name)}  [green]{state}[/]")
            counts = f"{len(done.told)} brought up to date, {done.same} as they should be"
            err().print(f"{counts} ({shown(office.registry.words)})", soft_wrap=True)
            _complain(done)
    _leave(done)


def cite(
    ctx: typer.Context,
    product: ProductName,
    form: Annotated[
        str, typer.Option("--format", metavar="FORM", help="text, bibtex, ris or csl (CSL JSON).")
    ] = "text",
    concept: Concept = False,
) -> None:
    """Say how a release, or a product in all its versions, is cited.

    Without a DOI it is cited by its name and version. What else to know stands on stderr.

    [bold]Examples[/]

      heliolake cite stereo_hi:hi2a_s7_20110910.l1
      heliolake cite stereo_hi:hi2a_s7_20110910.l1@v0001 --format bibtex >> data.bib
    """
    from lake.governance.doi import cite as citing

    with _at_work(ctx) as (lake, office):
        one = citing.cited(lake, office, _subject(lake, product, concept=concept))
        text = citing.render(one, form)
    out().print(shown_lines(text), soft_wrap=True)
    for note in one.notes:
        err().print(f"[yellow]note[/]  {shown(note)}", soft_wrap=True)


def tell_registry(ctx: typer.Context, lake: Lake) -> None:
    """Tell the registry what another command decided; what fails here is told, and waits for `doi sync`."""
    from lake.governance.doi.reconcile import sync as reconcile
    from lake.governance.doi.reconcile import undelivered

    if not undelivered(lake):
        return
    from cluster.registry.opening import office_of

    with office_of(home_of(ctx)) as office:
        done = reconcile(lake, office, only=undelivered(lake))
    for doi, state in done.told.items():
        err().print(f"{shown(doi)} is {state}", soft_wrap=True)
    _complain(done)


def shown_lines(text: str) -> str:
    """Several lines of text from outside, as Rich markup."""
    return "\n".join(map(shown, text.split("\n")))


@contextmanager
def _at_work(ctx: typer.Context) -> Iterator[tuple[Lake, Office]]:
    """The lake of the home and its registry."""
    from cluster.registry.opening import office_of

    with open_lake(ctx) as lake:
        principal_of(ctx, lake)  # nobody acts as an account that is not there, or suspended
        with office_of(home_of(ctx)) as office:
            yield lake, office


def _subject(lake: Lake, product: str, *, concept: bool) -> Subject:
    from lake.governance.doi import curating
    from lake.releases.search import resolve

    if concept:
        return curating.of_product(lake, product)
    release, key = resolve(lake, product)
    return curating.Subject(key, release.product_id, release.id)


def _raise_to(ctx: typer.Context, product: str, state: Any, *, concept: bool, as_json: bool) -> None:
    from lake.governance.doi import curating

    with _at_work(ctx) as (lake, office):
        subject = _subject(lake, product, concept=concept)
        curating.raise_to(lake, office, subject, state, principal_of(ctx, lake))
        _tell(ctx, lake, office, subject, as_json=as_json)


def _tell(
    ctx: typer.Context,
    lake: Lake,
    office: Office,
    subject: Subject,
    *,
    as_json: bool,
) -> None:
    """Tell the registry what was decided, of this DOI and those that name it, and show what came of it."""
    from lake.governance.doi import curating
    from lake.governance.doi.reconcile import sync as reconcile

    done = reconcile(lake, office, only=curating.named_with(lake, office, subject))
    found = curating.listing(lake, office, subject)
    if as_json:
        print_json({**_document(office, done), "dois": found})
    else:
        _print(ctx, office, found)
        _complain(done)
    _leave(done)


def _print(ctx: typer.Context, office: Office, found: list[dict[str, Any]]) -> None:
    rows = [
        (
            f"[{'dim' if one['tombstone'] else 'bold'}]{shown(one['doi'])}[/]",
            f"{one['state']}{' …' if one['waiting'] else ''}",
            shown(one["of"]),
        )
        for one in found
    ]
    out().print(table("", ("doi", "state", "of"), rows, fold=("of",)))
    for one in found:
        for remark in _remarks(ctx, one):
            out().print(f"{shown(one['doi'])}  {remark}", soft_wrap=True)
    err().print(f"[dim]{shown(office.registry.words)}[/]", soft_wrap=True)


def _remarks(ctx: typer.Context, one: dict[str, Any]) -> Iterator[str]:
    """What else there is to say of a DOI."""
    if one["tombstone"] is not None:
        yield f"[red]{one['status']}[/] {shown(one['tombstone'])}"
    if one["findable_from"]:
        when = one["findable_from"][:16].replace("T", " ")
        yield f"under embargo: findable from {when} UTC, when [bold]{command(ctx, 'doi sync')}[/] is run"
    if one["error"]:
        yield f"[yellow]refused[/] {shown(one['error'])}"
    elif one["waiting"]:
        yield f"not told yet: [bold]{command(ctx, 'doi sync')}[/]"


def _document(office: Office, done: Synced) -> dict[str, Any]:
    return {
        "registry": office.registry.words,
        "told": dict(done.told),
        "same": done.same,
        "busy": done.busy,
        "refused": done.refused,
        "silent": done.silent,
    }


def _complain(done: Synced) -> None:
    for name, why in done.refused.items():
        err().print(f"[yellow]refused[/]  {shown(name)}: {shown(why)}", soft_wrap=True)
    for name in done.busy:
        err().print(f"[dim]another process is at work on {shown(name)}[/]", soft_wrap=True)
    if done.silent:
        err().print(f"[red]no answer[/]  {shown(done.silent)}", soft_wrap=True)


def _leave(done: Synced) -> None:
    if done.silent:
        raise typer.Exit(ExitCode.UNREACHABLE)
    if done.refused:
        raise typer.Exit(ExitCode.WITH_PROBLEMS)
