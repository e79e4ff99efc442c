"""`plan`, `process`: what would be done, and doing it."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from heliolake.cli.common import (
    WORK,
    Json,
    ObservationPattern,
    Since,
    Until,
    command,
    home_of,
    open_lake,
    principal_of,
    require_operator,
)
from heliolake.cli.complete import context_numbers, recipe_names, run_ids
from heliolake.cli.complete import settings as settings_of
from heliolake.cli.crew import AtSites, crew_of, print_where, where_of
from heliolake.cli.exits import ExitCode
from heliolake.cli.output import err, out, print_json, progress_bar, shown
from heliolake.cli.plans import explain as tell_how
from heliolake.cli.plans import print_left_out, print_plan, say_left_over, say_not_for, show_diff
from heliolake.cli.reports import print_report

if TYPE_CHECKING:
    from cluster.crew.crew import SiteCrew
    from cluster.home.home import Home
    from cluster.plan.plan import Plan
    from cluster.report import Report
    from lake.governance.policy import Principal
    from lake.lake import Lake

_TOLD = 8
"""Releases of which is told what they replace; the table and `--json` have all."""

RecipeName = Annotated[
    str,
    typer.Argument(
        metavar="RECIPE",
        autocompletion=recipe_names,
        help="Name of a recipe (heliolake recipes), or a YAML file.",
    ),
]
Settings = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="STEP.PARAMETER=VALUE",
        autocompletion=settings_of,
        help="Change one value of the recipe; may be given several times. "
        "STEP.enabled=false leaves a step out; STEP#2 is the second of that name.",
    ),
]
ContextNumber = Annotated[
    int | None,
    typer.Option(
        "--context",
        metavar="N",
        autocompletion=context_numbers,
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
LeftOut = Annotated[
    bool,
    typer.Option("--left-out", help="List every file of the level that would be left out, each with why."),
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


KeepGoing = Annotated[
    bool,
    typer.Option(
        "--keep-going",
        help="Put files aside even where the first ones all fail alike, instead of stopping.",
    ),
]


Trial = Annotated[
    bool,
    typer.Option(
        "--trial",
        "--dry-run",
        help="Only try: compute, write products to the folder of -o, publish and remember nothing.",
    ),
]
TrialFolder = Annotated[
    Path | None,
    typer.Option(
        "-o",
        "--output",
        metavar="FOLDER",
        file_okay=False,
        help="With --trial: where its products go; the workers must reach it.",
    ),
]
Yes = Annotated[
    bool,
    typer.Option("-y", "--yes", help="Do not ask before other settings replace what is active."),
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
    left_out: LeftOut = False,
    diff: EarlierPlan = None,
    where: Annotated[
        bool, typer.Option("--where", help="Say which site would do what, and what would be copied for it.")
    ] = False,
    site: AtSites = None,
    output: PlanFile = None,
    as_json: Json = False,
) -> None:
    """Show what [bold]process[/] would do, what of it is new and what was done before; do nothing.

    [bold]Examples[/]

      heliolake plan stereo_hi-l1 --since 2011-09-10 --until 2011-09-11
      heliolake plan aia-l15 --set register.scale_arcsec=2.4 -o today.plan
      heliolake plan aia-l15 --explain aia_171_level1.fits
      heliolake plan soho_lasco-pb --left-out
    """
    from heliolake.plans import compare, load_document
    from heliolake.recipes import find_recipe, require_recipe

    require_recipe(recipe)  # before anything that takes its time
    earlier = load_document(diff) if diff else None
    with open_lake(ctx) as lake:
        from cluster.plan.left_out import FIRST
        from cluster.plan.plan import Query, make_plan
        from cluster.plan.refusals import refuse_hopeless
        from cluster.plan.standing import standing

        made = make_plan(
            lake,
            find_recipe(recipe, settings or ()),
            Query(since, until, observation, changed_since),
            context=context,
            principal=principal_of(ctx, lake),
            most_not_for=None if explain or left_out else FIRST,
        )
        if not (explain or left_out):  # which say why for one file, whatever holds for all
            refuse_hopeless(lake, made)
        stands = standing(lake, made)
        there = where_of(ctx, lake, made, site) if where or site else []
    document = made.document() | {"standing": stands.document()} | ({"where": there} if where or site else {})
    if output:
        output.write_text(json.dumps(document, indent=1, default=str) + "\n", encoding="utf-8")
        err().print(f"written: {shown(output)}", soft_wrap=True)
    if explain:
        tell_how(made, explain, as_json=as_json)
    elif left_out:
        print_left_out(made, as_json=as_json)
    elif earlier is not None:
        show_diff(compare(earlier, document), as_json=as_json)
    elif as_json:
        print_json(document)
    else:
        print_plan(document)
        if where or site:
            print_where(there)


def process(
    ctx: typer.Context,
    recipe: Annotated[
        str | None,
        typer.Argument(
            metavar="RECIPE",
            autocompletion=recipe_names,
            help="Name of a recipe (heliolake recipes), or a YAML file.",
        ),
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
            autocompletion=run_ids,
            help="Go on with this run (heliolake runs) as it was planned then; without RECIPE and options.",
        ),
    ] = None,
    retry_quarantined: Annotated[
        bool, typer.Option("--retry-quarantined", help="Try units again that were put aside before.")
    ] = False,
    keep_going: KeepGoing = False,
    site: AtSites = None,
    trial: Trial = False,
    output: TrialFolder = None,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Plan, compute on the cluster, and publish new releases.

    Work that was done before is not done again. Interrupted or killed? Run the same command again. A changed
    parameter or input makes a new version; the old one stays, and is active again when you go back to it.
    To play, add [bold]--trial -o FOLDER[/]: nothing is published.

    [bold]Examples[/]

      heliolake process stereo_hi-l1
      heliolake process aia-l15 --observation 'aia171_2011*' --set register.scale_arcsec=2.4
      heliolake process my_recipe.yaml --since 2011-09-10
      heliolake process aia-l15 --set register.scale_arcsec=2.4 --trial -o try
    """
    from heliolake.recipes import require_recipe

    if recipe is None and run is None:
        raise typer.BadParameter("name a RECIPE, or a run to go on with: --run ID", param_hint="RECIPE")
    query = (recipe, since, until, observation, context, changed_since)
    given = (*query, settings, retry_quarantined, trial, output)
    if trial and site:
        raise typer.BadParameter("a trial is made by the home's own workers", param_hint="--site")
    if run is not None and any(given):
        raise typer.BadParameter("a run goes on as it was planned; give --run alone", param_hint="--run")
    if trial != (output is not None):
        raise typer.BadParameter(
            "a trial and its folder go together: --trial -o FOLDER", param_hint="--trial"
        )
    if recipe is not None:
        require_recipe(recipe)  # before anything that takes its time
    home = home_of(ctx)
    with open_lake(ctx) as lake:
        principal = principal_of(ctx, lake)
        if output is None:
            require_operator(principal, "publishing")
        crew = None if output is not None else crew_of(ctx, site)
        if run is not None:
            report = _resumed(lake, home, run, principal, crew, keep_going=keep_going)
        else:
            asked = (since, until, observation, changed_since)
            made = _planned(lake, str(recipe), settings, asked, context, principal)
            if settings and not (trial or yes):
                _ask_before_replacing(lake, made)
            if output is not None:
                report = _tried(lake, home, made, output, principal)
            else:
                again, bad = retry_quarantined, keep_going
                report = _published(
                    lake, home, made, principal, crew, retry_quarantined=again, keep_going=bad
                )
    if as_json:
        print_json(report.document())
    else:
        print_report(report, noun="file")
        _say_next(ctx, report.more)
    if not report.clean:
        raise typer.Exit(ExitCode.WITH_PROBLEMS)


def _planned(
    lake: Lake,
    recipe: str,
    settings: list[str] | None,
    asked: tuple[Any, ...],
    context: int | None,
    principal: Principal,
) -> Plan:
    from cluster.plan.plan import Query, make_plan
    from heliolake.recipes import find_recipe

    with progress_bar(recipe):
        return make_plan(
            lake,
            find_recipe(recipe, settings or ()),
            Query(*asked),
            context=context,
            principal=principal,
        )


def _resumed(
    lake: Lake, home: Home, run: str, principal: Principal, crew: SiteCrew | None, *, keep_going: bool
) -> Report:
    from cluster.run.process import resume

    with progress_bar(f"run {run}") as bar:
        return resume(
            lake,
            home.scheduler(),
            run,
            on_progress=bar,
            keep_going=keep_going,
            principal=principal,
            crew=crew,
        )


def _published(
    lake: Lake,
    home: Home,
    made: Plan,
    principal: Principal,
    crew: SiteCrew | None,
    *,
    retry_quarantined: bool,
    keep_going: bool,
) -> Report:
    from cluster.run.process import process as carry_out

    with progress_bar(made.recipe.name) as bar:
        return carry_out(
            lake,
            home.scheduler(),
            made,
            on_progress=bar,
            retry_quarantined=retry_quarantined,
            keep_going=keep_going,
            principal=principal,
            crew=crew,
        )


def _tried(lake: Lake, home: Home, made: Plan, folder: Path, principal: Principal) -> Report:
    from cluster.run.trial import trial_products

    with progress_bar(f"trial of {made.recipe.name}") as bar:
        return trial_products(lake, home.scheduler(), made, folder, principal, on_progress=bar)


def _ask_before_replacing(lake: Lake, made: Plan) -> None:
    """Ask a person at a terminal whether settings shall replace what is active; scripts have decided."""
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        return
    from cluster.plan.standing import standing

    replaced = standing(lake, made).replaced()
    if replaced:
        names = ", ".join(f"{one.product} v{one.active:04d}" for one in replaced[:3])
        more = f" and {len(replaced) - 3} more" if len(replaced) > 3 else ""
        err().print(f"These settings replace what is active: {shown(names)}{more}.", soft_wrap=True)
        err().print("It stays, as an earlier version. To play without publishing: --trial -o FOLDER")
        typer.confirm("Go on and publish?", abort=True, err=True)


def _say_next(ctx: typer.Context, more: dict[str, Any]) -> None:
    if "trial" in more:
        err().print(f"A trial: nothing was published. Products are in {shown(more['trial'])}", soft_wrap=True)
    if back := len(more["put_back"]):
        what = "1 lost file was" if back == 1 else f"{back} lost files were"
        out().print(f"{what} made again, byte for byte, under the old name{'' if back == 1 else 's'}.")
    if more["run"]:
        out().print(f"[dim]run {more['run']}[/]")
    for one in more["releases"][:_TOLD]:
        if one["replaces"] is not None:
            how = "is active again, in place of" if one["again"] else "replaces"
            words = f"v{one['version']:04d} {how} v{one['replaces']:04d}, which stays as it is"
            out().print(f"[dim]{shown(one['product'])}: {words}[/]", soft_wrap=True)
    say_left_over(more["left_over"])
    observation, recipe = ctx.params["observation"], str(ctx.params["recipe"])
    of = f" --observation {shlex.quote(observation)}" if observation else ""
    say_not_for(more["not_for"], command(ctx, f"plan {shlex.quote(recipe)}{of} --left-out"))
    if more["releases"]:
        get = shown(command(ctx, f"get {more['releases'][0]['product']} -o out"))
        err().print(f"Next: [bold]{get}[/]", soft_wrap=True)
