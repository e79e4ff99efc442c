"""`migrate`: a catalogue in a PostgreSQL of one's own, brought to the form this Heliolake works with."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from heliolake.cli.common import SERVICES, Json, home_of
from heliolake.cli.exits import ExitCode
from heliolake.cli.output import err, out, print_json, shown


def register(app: typer.Typer) -> None:
    """Add the command of this module."""
    app.command(rich_help_panel=SERVICES)(migrate)


def migrate(
    ctx: typer.Context,
    url_file: Annotated[
        Path | None,
        typer.Option(
            "--database-url-file",
            metavar="FILE",
            exists=True,
            dir_okay=False,
            help="File that holds postgresql://ROLE:PASSWORD@HOST/DATABASE. "
            "[dim]Default: the database of the home[/]",
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Bring the catalogue in a PostgreSQL of your own to the form of this version, before its services start.

    Running it twice does no harm, two at once wait for each other. A home that [bold]heliolake up[/] starts
    is migrated by that. Ends with 1 where the database has no audit trail yet: its administrator makes one
    with what [bold]heliolake audit script[/] prints.

    [bold]Examples[/]

      heliolake migrate --database-url-file /run/secrets/catalogue
      heliolake --home /srv/heliolake migrate
    """
    from sqlalchemy import exists, select

    from cluster.home.elsewhere import secret_in
    from lake.catalogue import migrate as bring_up_to_date
    from lake.catalogue import open_engine, session_factory, transaction
    from lake.catalogue.models import File
    from lake.governance import audit

    url = secret_in(url_file) if url_file else home_of(ctx).lake_config().database_url
    changed = bring_up_to_date(url)
    engine = open_engine(url)
    with transaction(session_factory(engine)) as session:
        waiting = session.scalar(select(exists().where(File.facts.is_(None))))
        trail = audit.present(session)
    engine.dispose()
    name = f"{engine.url.host}/{engine.url.database}"
    if as_json:
        print_json({"catalogue": name, "migrated": changed, "audit_trail": trail})
    else:
        state = "has been brought" if changed else "was already brought"
        out().print(f"The catalogue {shown(name)} {state} to the form of this version.", soft_wrap=True)
    if waiting:
        err().print(
            "Of some files nobody has looked yet what they show (wavelength, place, target …); for search to "
            "find them by it run: heliolake index",
            soft_wrap=True,
        )
    if not trail:
        err().print(
            f"[yellow]note[/]  {shown(name)} has no audit trail that {shown(str(engine.url.username))} may "
            "write to, and without one nothing is done. Its administrator runs: heliolake audit script "
            f"| psql -d {shown(str(engine.url.database))} -v ON_ERROR_STOP=1 "
            f"-c \"SET heliolake.service = '{shown(str(engine.url.username))}'\" -f -",
            soft_wrap=True,
        )
        raise typer.Exit(ExitCode.WITH_PROBLEMS)
