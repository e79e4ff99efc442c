"""What a home runs for other sites: a storage and a Dask cluster of their own, below one folder each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from cluster.home.home import Home
from cluster.home.process import write_private
from cluster.services import records
from cluster.services.base import Service, ServiceState
from cluster.services.compute import Dask
from cluster.services.objects import SeaweedFS
from cluster.sites.book import Book
from cluster.sites.site import LocalDask, Site
from lake.errors import BadInput
from lake.lake import Lake
from lake.rucio import copies
from lake.rucio.client import RucioClient
from lake.rucio.elements import ensure_element
from lake.storage import credentials

Progress = Callable[[str], None]


def services_of(site: Site) -> tuple[Service, ...]:
    """What the home runs for a site, in the order in which it is started."""
    storage = (SeaweedFS(),) if site.storage == "s3" else ()
    compute = (Dask(site.dask.workers),) if isinstance(site.dask, LocalDask) else ()
    return (*storage, *compute)


def bring_up(home: Home, say: Progress) -> None:
    """Start what is run for other sites, and have Rucio know their storage elements.

    Raises
    ------
    lake.errors.Fatal
        When something cannot be started.
    """
    book = Book(home)
    if not book.several:
        return
    for name, part in book.embedded().items():
        site = book.site(name)
        part.create(site.storage if site.embedded else "", site.rse)
        for service in services_of(site):
            started = service.ensure(part)
            say(f"{service.name} of {name} {'started' if started else 'already running'}")
    share_credentials(book)
    config = book.lake_config()
    rucio = RucioClient(config)
    for name, site in book.sites.items():
        if name != book.here:
            ensure_element(rucio, site.rse, book.store_url(name), config.account)
            say(f"storage element {site.rse} ready")


def share_credentials(book: Book) -> None:
    """Give the home's own processes, which copy between sites, the keys to all their stores; and each site's
    workers those to their own."""
    home = book.home
    known = credentials.read(home.store_credentials)
    for name, site in book.sites.items():
        if name == book.here:
            continue
        part = book.part(name)
        theirs = credentials.read(site.credentials) if site.credentials else {}
        if site.credentials and name in book.embedded():
            _write(part, credentials.read(part.store_credentials) | theirs)
        known |= theirs | (credentials.read(part.store_credentials) if site.embedded else {})
    if known != credentials.read(home.store_credentials):
        _write(home, known)


def _write(home: Home, known: dict[str, credentials.Credentials]) -> None:
    write_private(home.store_credentials, credentials.as_text(known))


def take_down(home: Home) -> None:
    """Stop what is run for other sites."""
    book = Book(home)
    for name, part in book.embedded().items():
        if part.exists:
            for service in reversed(services_of(book.site(name))):
                service.stop(part)
            records.sweep(part)


def withdraw(book: Book, lake: Lake, name: str) -> None:
    """Take a site out of the lake.

    Raises
    ------
    lake.errors.BadInput
        When it takes work still, or files lie there and nowhere else.
    """
    site = book.site(name)
    if name == book.here:
        raise BadInput("the home itself is no site that can be removed", advice="`heliolake down` stops it")
    if not site.drained:
        raise BadInput(f"the site {name} takes work", advice=f"first: `heliolake site drain {name}`")
    only = [did for scope in lake.rucio.scopes() for did in _only_there(lake, scope, site.rse)]
    if only:
        raise BadInput(
            f"{len(only)} files lie at {name} and nowhere else",
            file=":".join(only[0]),
            advice="have Rucio copy them (copies: in sites.yaml, then `heliolake fsck --repair`), wait until "
            "`heliolake site show` of another has them, and remove it then",
        )
    part = book.part(name)
    if name in book.embedded() and part.exists:
        for service in reversed(services_of(site)):
            service.stop(part)
    book.drop(name)


def _only_there(lake: Lake, scope: str, rse: str) -> list[tuple[str, str]]:
    return copies.only_on(lake.rucio, [(scope, one) for one in lake.rucio.file_names(scope)], rse)


def states(home: Home) -> list[ServiceState]:
    """How what is run for other sites is, each named after its site."""
    book = Book(home)
    found = []
    for name, part in book.embedded().items():
        for service in services_of(book.site(name)):
            state = service.probe(part) if part.exists else ServiceState(service.name, "stopped")
            found.append(replace(state, name=f"{service.name}@{name}"))
    return found
