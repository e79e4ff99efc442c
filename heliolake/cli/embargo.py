"""`embargo`: who may have the bytes of what before when, and who decided so."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from heliolake.cli.asked import After, Limit
from heliolake.cli.common import GOVERN, Json, open_lake, parse_time, principal_of
from heliolake.cli.complete import instrument_names
from heliolake.cli.output import err, out, print_json, shown, table
from heliolake.cli.reports import short_time

if TYPE_CHECKING:
    from lake.governance.embargo import Decision

embargo = typer.Typer(
    no_args_is_help=True,
    help="Embargoes: who has the bytes of an observation, a campaign or a proposal before everybody.",
)
_SHOWN = 20
_AT_ONCE = 1000
"""Releases in a listing for which nothing else was asked."""

About = Annotated[
    str,
    typer.Argument(
        metavar="TARGET",
        help="INSTRUMENT:OBSERVATION, a product of it, or KEY=VALUE for all that have a searchable value.",
    ),
]
OfInstrument = Annotated[
    str | None,
    typer.Option(
        "--instrument",
        metavar="NAME",
        autocompletion=instrument_names,
        help="Only of this instrument, where KEY=VALUE is given.",
    ),
]
EndsAt = Annotated[
    datetime,
    typer.Option("--until", parser=parse_time, metavar="TIME", help="From then on everybody has them (UTC)."),
]
Why = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; it is kept.")]


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.add_typer(embargo, name="embargo", rich_help_panel=GOVERN)


@embargo.command("set")
def put(
    ctx: typer.Context,
    target: About,
    until: EndsAt,
    reason: Why,
    holder: Annotated[
        list[str] | None,
        typer.Option(
            "--holder",
            metavar="NAME",
            help="Who has the bytes before: an account, or group:NAME; may be given several times.",
        ),
    ] = None,
    instrument: OfInstrument = None,
    as_json: Json = False,
) -> None:
    """Set an embargo. It reaches all versions and levels, all that was made of them, and all still to come.

    [bold]Examples[/]

      heliolake embargo set stereo_hi:hi2a_s7_20110910 --until 2027-06-01 --holder ada --reason 'first paper'
      heliolake embargo set proposal=P7 --until 2027-06-01 --holder group:p7 --reason 'PI period'
    """
    from lake.governance import embargo as governing
    from lake.governance.target import Target

    with open_lake(ctx) as lake:
        decision = governing.put(
            lake,
            Target.of_text(target, instrument),
            until,
            holders=holder,
            reason=reason,
            principal=principal_of(ctx, lake),
        )
    _tell(decision, as_json=as_json)


@embargo.command()
def extend(
    ctx: typer.Context,
    target: About,
    until: EndsAt,
    reason: Why,
    instrument: OfInstrument = None,
    as_json: Json = False,
) -> None:
    """Move the end of an embargo to a later time.

    [bold]Example[/]

      heliolake embargo extend proposal=P7 --until 2027-12-01 --reason 'referee asked for more'
    """
    from lake.governance import embargo as governing
    from lake.governance.target import Target

    with open_lake(ctx) as lake:
        decision = governing.extend(
            lake,
            Target.of_text(target, instrument),
            until,
            reason=reason,
            principal=principal_of(ctx, lake),
        )
    _tell(decision, as_json=as_json)


@embargo.command()
def lift(
    ctx: typer.Context,
    target: About,
    reason: Why,
    at: Annotated[
        Any,
        typer.Option(
            "--at", parser=parse_time, metavar="TIME", help="Not now but then (UTC), before its present end."
        ),
    ] = None,
    instrument: OfInstrument = None,
    as_json: Json = False,
) -> None:
    """End an embargo, or let it end earlier. What is under embargo for its sake alone is free with it.

    [bold]Examples[/]

      heliolake embargo lift proposal=P7 --reason published
      heliolake embargo lift proposal=P7 --at 2027-01-01 --reason 'agreed with the PI'
    """
    from lake.governance import embargo as governing
    from lake.governance.target import Target

    with open_lake(ctx) as lake:
        decision = governing.lift(
            lake,
            Target.of_text(target, instrument),
            reason=reason,
            principal=principal_of(ctx, lake),
            at=at,
        )
    _tell(decision, as_json=as_json)


@embargo.command()
def show(
    ctx: typer.Context,
    target: About,
    instrument: OfInstrument = None,
    limit: Limit = _AT_ONCE,
    after: After = "",
    as_json: Json = False,
) -> None:
    """Show what is decided about something, by whom and why, and how its releases stand, page by page.

    [bold]Example[/]

      heliolake embargo show stereo_hi:hi2a_s7_20110910
    """
    from lake.governance import standing as governing
    from lake.governance.target import Target

    with open_lake(ctx) as lake:
        about, principal = Target.of_text(target, instrument), principal_of(ctx, lake)
        told = governing.show(lake, about, principal, limit=limit, after=after)
    if as_json:
        print_json(told)
        return
    held = {row["target"]: row for row in told["decided"]}
    for row in held.values():
        out().print(
            f"{shown(row['target'])}: {_words(row['until'], row['holders'])} ({shown(row['reason'])})"
        )
    if not held:
        out().print(f"Nothing is decided about {shown(told['target'])}.")
    if told["history"]:
        rows = [
            (
                short_time(one["decided"]),
                shown(one["by"]),
                short_time(one["until"]) or "lifted",
                shown(", ".join(one["holders"])),
                shown(one["reason"]),
            )
            for one in told["history"][-_SHOWN:]
        ]
        out().print(table("Decisions", ("when (UTC)", "by", "until (UTC)", "holders", "reason"), rows))
    _print_standing(told)


def _print_standing(told: dict[str, Any]) -> None:
    rows = [
        (
            shown(one["release"]),
            one["status"],
            short_time(one["embargo_until"]) if one["under_embargo"] else "none",
            shown(", ".join(one["embargo_holders"])),
        )
        for one in told["releases"][:_SHOWN]
    ]
    if rows:
        title = f"Releases: {told['number']}, {told['under_embargo']} under embargo"
        heads = ("release", "status", "under embargo until", "holders")
        out().print(table(title, heads, rows, fold=("release",)))
    if len(told["releases"]) > _SHOWN:
        out().print(f"[dim]… and {len(told['releases']) - _SHOWN} more (--json has them)[/]")
    _say_more(told["more"])


def _say_more(place: str) -> None:
    if place:
        err().print(f"There are more: --after {shown(place)}", soft_wrap=True)


@embargo.command()
def due(
    ctx: typer.Context,
    days: Annotated[int, typer.Option("--days", min=0, max=36500, help="Within so many days.")] = 30,
    limit: Limit = _AT_ONCE,
    after: After = "",
    as_json: Json = False,
) -> None:
    """List what comes out of embargo soon. It does so by itself, at its moment; nothing has to be run.

    [bold]Example[/]

      heliolake embargo due --days 90
    """
    from lake.governance import standing as governing

    with open_lake(ctx) as lake:
        within, principal = timedelta(days=days), principal_of(ctx, lake)
        found = governing.due(lake, within, principal, limit=limit, after=after)
    if as_json:
        print_json(found)
    elif found["due"]:
        rows = [
            (short_time(one["until"]), shown(one["release"]), shown(", ".join(one["holders"])))
            for one in found["due"]
        ]
        out().print(table("", ("ends (UTC)", "release", "holders until then"), rows, fold=("release",)))
        _say_more(found["more"])
    else:
        out().print(f"No embargo ends within {days} days.")


def _tell(decision: Decision, *, as_json: bool) -> None:
    document = decision.as_dict()
    if as_json:
        print_json(document)
        return
    about = decision.observations
    out().print(
        f"{shown(str(decision.target))}: {_words(document['until'], decision.holders)}; "
        f"{about} observation{'' if about == 1 else 's'}, {len(decision.changed)} releases changed."
    )
    for one in document["releases"][:_SHOWN]:
        now = f"until {short_time(one['until'])}" if one["until"] else "free"
        out().print(f"  {shown(one['release'])}  {now}", soft_wrap=True)
    if len(decision.changed) > _SHOWN:
        out().print(f"  [dim]… and {len(decision.changed) - _SHOWN} more (--json has them)[/]")
    if not about and decision.until is not None:
        out().print("Nothing has this value yet; what comes will be under this embargo.")


def _words(until: str | None, holders: Sequence[str]) -> str:
    if until is None:
        return "under no embargo"
    whose = f"{shown(', '.join(holders))} and curators" if holders else "curators alone"
    return f"under embargo until {short_time(until)} UTC; before, {whose} have it"
