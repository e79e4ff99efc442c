"""`account`: who is known here, in which groups, and with which tokens."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from heliolake.cli.common import GOVERN, Json, open_lake, principal_of
from heliolake.cli.complete import instrument_names
from heliolake.cli.output import err, out, print_json, shown, table
from heliolake.cli.reports import short_time

if TYPE_CHECKING:
    from lake.governance.accounts import AccountEntry

account = typer.Typer(
    no_args_is_help=True,
    help="Accounts, groups and tokens. None is there until somebody makes it; the home's owner needs none.",
)
group = typer.Typer(no_args_is_help=True, help="Groups of accounts, which embargoes name as group:NAME.")
token = typer.Typer(no_args_is_help=True, help="API tokens: shown once, expiring, revocable.")

Name = Annotated[str, typer.Argument(metavar="NAME", help="The account.")]
GroupName = Annotated[str, typer.Argument(metavar="GROUP", help="The group.")]
Members = Annotated[list[str], typer.Argument(metavar="ACCOUNT...", help="Who.")]
Instruments = Annotated[
    list[str] | None,
    typer.Option(
        "--instrument",
        metavar="NAME",
        autocompletion=instrument_names,
        help="Curator of this instrument only; may be given several times.",
    ),
]
Words = Annotated[str, typer.Option("--note", metavar="TEXT", help="Whose or what for, in words.")]


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    for command in (add, show, change, suspend, resume):
        account.command()(command)
    account.command("list")(listing)
    group.command("add")(group_add)
    group.command("remove")(group_remove)
    group.command("show")(group_show)
    token.command("make")(token_make)
    token.command("list")(token_list)
    token.command("revoke")(token_revoke)
    account.add_typer(group, name="group")
    account.add_typer(token, name="token")
    app.add_typer(account, name="account", rich_help_panel=GOVERN)


def add(
    ctx: typer.Context,
    name: Name,
    curator: Annotated[
        bool, typer.Option("--curator", help="Decides about embargoes, withdrawals and DOIs.")
    ] = False,
    instrument: Instruments = None,
    operator: Annotated[
        bool, typer.Option("--operator", help="Runs the data centre: accounts, drafts, what is embargoed.")
    ] = False,
    issuer: Annotated[
        str, typer.Option("--issuer", metavar="URL", help="The OpenID provider it will log in with.")
    ] = "",
    subject: Annotated[
        str, typer.Option("--subject", metavar="TEXT", help="What that provider calls it for ever (sub).")
    ] = "",
    note: Words = "",
    as_json: Json = False,
) -> None:
    """Make an account.

    [bold]Examples[/]

      heliolake account add ada --note 'Ada Lovelace, KIS'
      heliolake account add hal --curator --instrument stereo_hi
    """
    from lake.governance import accounts

    if bool(issuer) != bool(subject):
        raise typer.BadParameter("--issuer and --subject go together", param_hint="--subject")
    with open_lake(ctx) as lake:
        made = accounts.add(
            lake,
            name,
            operator=operator,
            curates=_curates(curator, instrument),
            note=note,
            identity=(issuer, subject) if issuer else None,
            principal=principal_of(ctx, lake),
        )
    _tell([made], as_json=as_json)


def change(
    ctx: typer.Context,
    name: Name,
    curator: Annotated[
        bool | None, typer.Option("--curator/--no-curator", help="Whether it decides about embargoes …")
    ] = None,
    instrument: Instruments = None,
    operator: Annotated[
        bool | None, typer.Option("--operator/--no-operator", help="Whether it runs the data centre.")
    ] = None,
    note: Annotated[str | None, typer.Option("--note", metavar="TEXT", help="Whose it is, in words.")] = None,
    as_json: Json = False,
) -> None:
    """Change what an account may, or what is said of it; what is not named stays.

    [bold]Example[/]

      heliolake account change ada --curator --instrument sdo_aia --instrument sdo_hmi
    """
    from lake.governance import accounts

    curates = None if curator is None and not instrument else _curates(curator, instrument)
    with open_lake(ctx) as lake:
        changed = accounts.change(
            lake,
            name,
            operator=operator,
            curates=curates,
            note=note,
            principal=principal_of(ctx, lake),
        )
    _tell([changed], as_json=as_json)


def show(ctx: typer.Context, name: Name, as_json: Json = False) -> None:
    """Show an account: what it may, its groups, its tokens."""
    from lake.governance import accounts, tokens

    with open_lake(ctx) as lake:
        who = principal_of(ctx, lake)
        found = accounts.find(lake, name, principal=who)
        its = tokens.listing(lake, name, principal=who)
    if as_json:
        print_json({"account": found.as_json(), "tokens": [one.as_json() for one in its]})
        return
    console = out()
    facts = {
        "may": _roles(found),
        "groups": ", ".join(found.groups),
        "note": found.note,
        "logs in": f"as {found.subject} of {found.issuer}" if found.issuer else "",
        "last login": short_time(_iso(found.last_login)),
        "suspended": f"{short_time(_iso(found.suspended))}: {found.suspended_for}" if found.suspended else "",
        "made": f"{short_time(_iso(found.created))} by {found.created_by}",
        "tokens": ", ".join(one.id for one in its),
    }
    console.print(f"[bold]{shown(found.name)}[/]")
    console.print(table("", ("", ""), [(key, shown(value)) for key, value in facts.items() if value]))


def listing(ctx: typer.Context, as_json: Json = False) -> None:
    """List all accounts."""
    from lake.governance import accounts

    with open_lake(ctx) as lake:
        found = accounts.listing(lake, principal=principal_of(ctx, lake))
    _tell(found, as_json=as_json)


def suspend(
    ctx: typer.Context,
    name: Name,
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; it is kept.")],
    as_json: Json = False,
) -> None:
    """Take all rights from an account and its tokens, at once; `resume` gives them back.

    [bold]Example[/]

      heliolake account suspend ada --reason 'left the institute'
    """
    from lake.governance import accounts

    with open_lake(ctx) as lake:
        _tell(
            [accounts.suspend(lake, name, reason=reason, principal=principal_of(ctx, lake))], as_json=as_json
        )


def resume(ctx: typer.Context, name: Name, as_json: Json = False) -> None:
    """Give a suspended account its rights back."""
    from lake.governance import accounts

    with open_lake(ctx) as lake:
        _tell([accounts.resume(lake, name, principal=principal_of(ctx, lake))], as_json=as_json)


def group_add(ctx: typer.Context, name: GroupName, members: Members) -> None:
    """Put accounts into a group; the first makes it.

    [bold]Example[/]

      heliolake account group add p7 ada hal
    """
    from lake.governance import groups

    with open_lake(ctx) as lake:
        new = groups.add(lake, name, members, principal=principal_of(ctx, lake))
    err().print(f"{shown(', '.join(new) or 'nobody new')} → {shown(name)}")


def group_remove(ctx: typer.Context, name: GroupName, members: Members) -> None:
    """Take accounts out of a group; with the last it is gone."""
    from lake.governance import groups

    with open_lake(ctx) as lake:
        gone = groups.remove(lake, name, members, principal=principal_of(ctx, lake))
    err().print(f"{shown(', '.join(gone))} not in {shown(name)} any more")


def group_show(
    ctx: typer.Context,
    name: Annotated[str | None, typer.Argument(metavar="[GROUP]", help="Only this one.")] = None,
    as_json: Json = False,
) -> None:
    """Show who is in which group."""
    from lake.governance import groups

    with open_lake(ctx) as lake:
        found = groups.listing(lake, name, principal=principal_of(ctx, lake))
    if as_json:
        print_json({"groups": found})
        return
    rows = [(shown(one), shown(", ".join(names))) for one, names in found.items()]
    out().print(table("", ("group", "accounts"), rows, fold=("accounts",)) if rows else "No groups.")


def token_make(
    ctx: typer.Context,
    name: Name,
    scope: Annotated[
        list[str] | None,
        typer.Option("--scope", metavar="SCOPE", help="read, write or curate; may be given several times."),
    ] = None,
    days: Annotated[int, typer.Option("--days", metavar="N", help="For how long; at most 366.")] = 90,
    note: Words = "",
    as_json: Json = False,
) -> None:
    """Make a token and print it: this once, for only its hash is kept. By default it is good for reading.

    [bold]Example[/]

      heliolake account token make ada --scope read --days 30 --note 'nightly download'
    """
    from lake.governance import tokens

    scopes = [scope_of(one) for one in scope or ["read"]]
    with open_lake(ctx) as lake:
        made = tokens.make(lake, name, scopes, days=days, note=note, principal=principal_of(ctx, lake))
    if as_json:
        print_json(made.entry.as_json() | {"token": made.text})
        return
    err().print(
        f"Good for {', '.join(made.entry.scopes)} until {short_time(_iso(made.entry.expires))} UTC; "
        "it is shown this once:",
        soft_wrap=True,
    )
    sys.stdout.write(made.text + "\n")


def token_list(
    ctx: typer.Context,
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", help="Only of this account.")] = None,
    as_json: Json = False,
) -> None:
    """List tokens, without their secrets."""
    from datetime import UTC, datetime

    from lake.governance import tokens

    with open_lake(ctx) as lake:
        found = tokens.listing(lake, name, principal=principal_of(ctx, lake))
    now = datetime.now(UTC)
    if as_json:
        print_json({"tokens": [one.as_json() | {"state": one.state(now)} for one in found]})
        return
    rows = [
        (
            one.id,
            shown(one.account),
            ", ".join(one.scopes),
            one.state(now),
            short_time(_iso(one.expires))[:10],
            short_time(_iso(one.last_used))[:16] or "never",
            shown(one.note),
        )
        for one in found
    ]
    columns = ("token", "account", "good for", "state", "until", "last used", "note")
    out().print(table("", columns, rows, fold=("note",)) if rows else "No tokens.")


def token_revoke(
    ctx: typer.Context,
    token: Annotated[str, typer.Argument(metavar="TOKEN", help="Its public part, as `token list` shows it.")],
) -> None:
    """Make a token worthless, at once and for ever."""
    from lake.governance import tokens

    with open_lake(ctx) as lake:
        gone = tokens.revoke(lake, token, principal=principal_of(ctx, lake))
    err().print(f"token {gone.id} of {shown(gone.account)} is revoked")


def _curates(curator: bool | None, instruments: list[str] | None) -> list[str]:
    """The instruments somebody is curator of; ``*`` for all."""
    from pipeline.registry import instruments as known

    if not instruments:
        return ["*"] if curator else []
    if not curator:
        raise typer.BadParameter("goes together with --curator", param_hint="--instrument")
    if absent := sorted(set(instruments) - known().keys()):
        raise typer.BadParameter(
            f"there is no instrument {', '.join(map(shown, absent))}; heliolake instruments lists them",
            param_hint="--instrument",
        )
    return instruments


def scope_of(text: str) -> Any:
    """What a token is to be good for, as it is typed."""
    from lake.governance.policy import Scope

    try:
        return Scope(text)
    except ValueError:
        raise typer.BadParameter("one of read, write and curate", param_hint="--scope") from None


def _tell(found: list[AccountEntry], *, as_json: bool) -> None:
    if as_json:
        print_json({"accounts": [one.as_json() for one in found]})
        return
    rows = [
        (
            shown(one.name),
            shown(_roles(one)),
            shown(", ".join(one.groups)),
            "[red]suspended[/]" if one.suspended else "",
            shown(one.note),
        )
        for one in found
    ]
    columns = ("account", "may", "groups", "", "note")
    out().print(table("", columns, rows, fold=("groups", "note")) if rows else "No accounts.")


def _roles(one: AccountEntry) -> str:
    curator = "curator" if "*" in one.curates else f"curator of {', '.join(one.curates)}"
    return ", ".join([*(["operator"] if one.operator else []), *([curator] if one.curates else [])])


def _iso(time: Any) -> str:
    from datetime import UTC

    return time.astimezone(UTC).isoformat() if time else ""
