"""`account login`: through an OpenID provider, in a browser here or elsewhere."""

from __future__ import annotations

import json
import webbrowser
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from heliolake.cli.accounts import account, scope_of
from heliolake.cli.common import home_of, open_lake
from heliolake.cli.output import err, shown
from heliolake.cli.reports import short_time
from lake.errors import BadInput

if TYPE_CHECKING:
    from lake.governance.openid.identity import Identity
    from lake.governance.openid.provider import Provider
    from lake.lake import Lake

_PATIENCE = 300.0  # seconds that a person has for a login in the browser


def register(_app: typer.Typer) -> None:
    """Add the command of this module to those of accounts."""
    account.command()(login)


def login(
    ctx: typer.Context,
    device: Annotated[
        bool, typer.Option("--device", help="The browser is on another machine: show a code to type there.")
    ] = False,
    scope: Annotated[
        list[str] | None,
        typer.Option("--scope", metavar="SCOPE", help="read, write or curate; may be given several times."),
    ] = None,
    browser: Annotated[
        bool,
        typer.Option("--browser/--no-browser", help="Open a browser, or only say where to go."),
    ] = True,
) -> None:
    """Log in with the OpenID provider that `governance.yaml` of the home names, and keep a token.

    The first login makes the account. The token is kept in `login.json` of the home, for you alone to read.

    [bold]Examples[/]

      heliolake account login
      heliolake account login --device
    """
    from cluster.home.process import write_private
    from lake.governance.openid.logins import login as log_in
    from lake.governance.openid.provider import Provider
    from lake.governance.openid.settings import ProviderSettings

    scopes = [scope_of(one) for one in scope or ["read"]]
    home = home_of(ctx)
    kept = home.path / "login.json"
    settings = ProviderSettings.read(home.path / "governance.yaml")
    with open_lake(ctx) as lake:
        provider = Provider(settings)
        identity = _elsewhere(provider) if device else _here(provider, browser=browser)
        made = log_in(lake, settings, identity, scopes)
        entry = made.entry
        document = {"account": entry.account, "token": made.text, "expires": entry.expires.isoformat()}
        before = _kept_before(kept)
        write_private(kept, json.dumps(document) + "\n")
        _retire(lake, before)  # only now: one of the two is kept whatever happens between
    until = short_time(document["expires"])
    err().print(
        f"You are [bold]{shown(entry.account)}[/]. A token good for {', '.join(entry.scopes)} "
        f"until {until} UTC is kept in {shown(kept)}.",
        soft_wrap=True,
    )


def _kept_before(kept: Path) -> tuple[str, str]:
    """Account and token of the login before; empty where there was none."""
    try:
        before = json.loads(kept.read_text())
        return str(before["account"]), str(before["token"])
    except (OSError, ValueError, KeyError, TypeError):
        return "", ""


def _retire(lake: Lake, before: tuple[str, str]) -> None:
    """Revoke the token of the login before, which nobody has any more."""
    from lake.governance import tokens
    from lake.governance.policy import Principal

    account, token = before
    if token:
        with suppress(BadInput):  # it is gone already
            tokens.revoke(lake, token, principal=Principal(account))


def _here(provider: Provider, *, browser: bool) -> Identity:
    from heliolake.callback import listening
    from lake.governance.openid.flows import begin, finish

    with listening() as listener:
        begun = begin(provider, listener.address)
        err().print(f"Log in here, in a browser on this machine:\n{shown(begun.url)}", soft_wrap=True)
        if browser:
            webbrowser.open(begun.url)
        return finish(provider, begun, listener.wait(begun.state, _PATIENCE))


def _elsewhere(provider: Provider) -> Identity:
    from lake.governance.openid.flows import begin_device, finish_device

    begun = begin_device(provider)
    err().print(
        f"Go to {shown(begun.url)} on any machine and type [bold]{shown(begun.user_code)}[/]"
        + (f"\nor open {shown(begun.complete_url)}" if begun.complete_url else ""),
        soft_wrap=True,
    )
    return finish_device(provider, begun)
