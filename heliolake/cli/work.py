"""`plan`, `process`: what would be done, and doing it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from heliolake.cli.common import WORK, Json, ObservationPattern, Since, Until, command, home_of, open_lake
from heliolake.cli.exits import ExitCode
from heliolake.cli.output import err, out, print_json, progress_bar, shown, table
from heliolake.cli.reports import print_report

if TYPE_CHECKING:
    from cluster.plan import Plan

RecipeName = Annotated[
    str, typer.Argument(metavar="RECIPE", help="Name of a recipe (heliolake recipes), or a YAML file.")
]
Settings = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="STEP.PARAMETER=VALUE",
        help="Change one value of the recipe; may be given several times. "
        "STEP.enabled=false leaves a step out.",
    ),
]
ContextNumber = Annotated[
    int | None,
    typer.Option(
        "--context",
        metavar="N",
        min=1,
        help="Use the references of this context. [dim]Default: the current one[/]",
    ),
]


ChangedSince = Annotated[
    int | None,
    typer.Option(
        "--changed-since",
        metavar="N",
        min=1,
        help="Only products that the change from context N to the one used asks to process again.",
    ),
]


Explain = Annotated[
    str | None,
    typer.Option(
        "--explain",
        metavar="DID",
        help="Say how this file would be made, and why with these references.",
    ),
]
EarlierPlan = Annotated[
    Path | None,
    typer.Option(
        "--diff",
        metavar="PLAN",
        exists=True,
        dir_okay=False,
        help="Compare with a plan written by -o.",
    ),
]
PlanFile = Annotated[
    Path | None,
    typer.Option(
        "-o",
        "--output",
        metavar="FILE",
        dir_okay=False,
        help="Write the plan there.",
    ),
]


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command(rich_help_panel=WORK)(plan)
    app.command(rich_help_panel=WORK)(process)


def plan(
    ctx: typer.Context,
    recipe: RecipeName,
    since: Since = None,
    until: Until = None,
    observation: ObservationPattern = None,
    context: ContextNumber = None,
    changed_since: ChangedSince = None,
    settings: Settings = None,
    explain: Explain = None,
    diff: EarlierPlan = None,
    output: PlanFile = None,
    as_json: Json = False,
) -> None:
    """Show what [bold]process[/] would do, and do nothing.

    [bold]Examples[/]

      heliolake plan stereo_hi-l1 --since 2011-09-10 --until 2011-09-11
      heliolake plan aia-l15 --set register.scale_arcsec=2.4 -o today.plan
      heliolake plan aia-l15 --explain aia_171_level1.fits
    """
    from cluster.plan import Query, make_plan
    from heliolake.plans import compare, load_document
    from heliolake.recipes import find_recipe

    earlier = load_document(diff) if diff else None
    with open_lake(ctx) as lake:
        made = make_plan(
            lake,
            find_recipe(recipe, settings or ()),
            Query(since, until, observation, changed_since),
            context=context,
        )
    document = made.document()
    if output:
        output.write_text(json.dumps(document, indent=1, default=str) + "\n", encoding="utf-8")
        err().print(f"written: {shown(output)}", soft_wrap=True)
    if explain:
        _explain(made, explain, as_json=as_json)
    elif earlier is not None:
        _show_diff(compare(earlier, document), as_json=as_json)
    elif as_json:
        print_json(document)
    else:
        _print_plan(document)


def process(
    ctx: typer.Context,
    recipe: Annotated[
        str | None,
        typer.Argument(metavar="RECIPE", help="Name of a recipe (heliolake recipes), or a YAML file."),
    ] = None,
    since: Since = None,
    until: Until = None,
    observation: ObservationPattern = None,
    context: ContextNumber = None,
    changed_since: ChangedSince = None,
    settings: Settings = None,
    run: Annotated[
        str | None,
        typer.Option(
            "--run",
            metavar="ID",
            help="Go on with this run (heliolake runs) as it was planned then; without RECIPE and options.",
        ),
    ] = None,
    retry_quarantined: Annotated[
        bool, typer.Option("--retry-quarantined", help="Try units again that were put aside before.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Plan, compute on the cluster, and publish new releases.

    Work that was done before is not done again. Interrupted or killed? Run the same command again. A changed
    parameter or input makes a new version; the old one stays.

    [bold]Examples[/]

      heliolake process stereo_hi-l1
      heliolake process aia-l15 --observation 'aia171_2011*' --set register.scale_arcsec=2.4
      heliolake process my_recipe.yaml --since 2011-09-10
    """
    from cluster.plan import Query, make_plan
    from cluster.run import process as carry_out
    from cluster.run import resume
    from heliolake.recipes import find_recipe

    if recipe is None and run is None:
        raise typer.BadParameter("name a RECIPE, or a run to go on with: --run ID", param_hint="RECIPE")
    given = (recipe, since, until, observation, context, changed_since, settings, retry_quarantined)
    if run is not None and any(given):
        raise typer.BadParameter("a run goes on as it was planned; give --run alone", param_hint="--run")
    home = home_of(ctx)
    with open_lake(ctx) as lake, progress_bar(recipe or f"run {run}") as bar:
        scheduler = home.scheduler()
        if run is not None:
            report = resume(lake, scheduler, run, on_progress=bar)
        else:
            query = Query(since, until, observation, changed_since)
            made = make_plan(lake, find_recipe(str(recipe), settings or ()), query, context=context)
            report = carry_out(lake, scheduler, made, on_progress=bar, retry_quarantined=retry_quarantined)
    if as_json:
        print_json(report.document())
    else:
        print_report(report, noun="file")
        _say_next(ctx, report.more)
    if not report.clean:
        raise typer.Exit(ExitCode.WITH_PROBLEMS)


def _say_next(ctx: typer.Context, more: dict[str, Any]) -> None:
    if back := len(more["put_back"]):
        what = "1 lost file was" if back == 1 else f"{back} lost files were"
        out().print(f"{what} made again, byte for byte, under the old name{'' if back == 1 else 's'}.")
    if more["run"]:
        out().print(f"[dim]run {more['run']}[/]")
    if more["releases"]:
        get = shown(command(ctx, f"get {more['releases'][0]['product']} -o out"))
        err().print(f"Next: [bold]{get}[/]", soft_wrap=True)


def _print_plan(document: dict[str, Any]) -> None:
    recipe = document["recipe"]
    console = out()
    console.print(
        f"[bold]{recipe['name']}[/] version {recipe['version']}, "
        f"level {recipe['from_level']} → {recipe['to_level']}, context {document['context'] or 'none'}: "
        f"{len(document['units'])} files, {len(document['products'])} products"
    )
    rows = [(shown(name), number) for name, number in document["products"].items()]
    if rows:
        console.print(table("", ("product", ">files"), rows, fold=("product",)))
    for entry in document["left_out"]:
        console.print(f"[dim]left out: {shown(entry['file'])}: {shown(entry['reason'])}[/]")
    console.print(f"[dim]plan {document['plan']}[/]")


def _explain(made: Plan, did: str, *, as_json: bool) -> None:
    found = made.explain(did)
    if as_json:
        print_json({"plan": made.id, "explain": did, "units": found})
        return
    console = out()
    if not found:
        console.print(f"Nothing in this plan reads {shown(did)}.")
    for unit in found:
        console.print(f"[bold]{shown(unit['input'])}[/] → {shown(unit['product'])}")
        console.print(f"  from release  {shown(unit['parent'])}")
        console.print(f"  unit          {unit['unit']}")
        for reason in unit["why"].values():
            console.print(f"  {shown(reason)}")
        for need, reason in unit["absent"].items():
            console.print(f"  {need}: none — {shown(reason)}")


def _show_diff(document: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(document)
        return
    rows = [
        ("only in the earlier plan", len(document["removed"])),
        ("only in this plan", len(document["added"])),
        ("same input, other work", len(document["changed"])),
        ("the same", document["same"]),
    ]
    console = out()
    console.print(table("", ("units", ">number"), rows))
    for entry in document["changed"][:20]:
        console.print(f"changed: {shown(entry['input'])} — {shown(entry['why'])}")
