"""Bring the services of a home up, take them down, and say how they are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from cluster.home.home import Home
from cluster.services import elsewhere, installed, ports, records, rucio
from cluster.services.base import Service, ServiceState, launch, python
from cluster.services.compute import Dask
from cluster.services.objects import SeaweedFS, program
from cluster.services.parts import require_parts
from cluster.services.postgres import Postgres
from cluster.services.rucio import RucioDaemons, RucioServer
from cluster.workers import compute_environment

POSTGRES, SERVER, DAEMONS, DASK = Postgres(), RucioServer(), RucioDaemons(), Dask()
OBJECTS = SeaweedFS()


def services_of(home: Home) -> tuple[Service, ...]:
    """The services of a home, in the order in which they are shown."""
    stores = (OBJECTS,) if home.kind == "s3" else ()
    return (POSTGRES, *stores, SERVER, DAEMONS, DASK)


Progress = Callable[[str], None]


def up(home: Home, *, storage: str = "", on_progress: Progress | None = None) -> list[ServiceState]:
    """Start the services that do not run and repair those that are not well.

    Parameters
    ----------
    home
        The home; it is made if need be.
    storage
        What a new home keeps its files in, ``posix`` or ``s3``; '' is posix for a new home, and what an old
        one has.
    on_progress
        Called with a short sentence whenever something has been done.

    Returns
    -------
    list of ServiceState
        How the services are now, in the order of `services_of`; those of other sites follow.

    Raises
    ------
    Fatal
        When a service cannot be started; the message says which and shows the end of its log.
    """
    if not home.outside:  # whose services run elsewhere; `create` says so
        require_parts()
    say = on_progress or (lambda _sentence: None)
    if storage == "s3" and not home.exists:
        program()  # said before anything is made
    home.create(storage)
    with home.lock("up"), ThreadPoolExecutor(2) as pool:
        # First, for everybody is told its address.
        if OBJECTS in services_of(home):
            _bring_up(OBJECTS, home, say)
        compute = pool.submit(_bring_up, DASK, home, say)
        try:
            _bring_up_lake(home, say)
        finally:
            compute_started = compute.result()
        if compute_started:
            installed.note(home)
            _warm_kernels(home)
        elsewhere.bring_up(home, say)
    return status(home)


def down(home: Home) -> list[ServiceState]:
    """Stop the services of a home and every process that belongs to it."""
    if not home.exists:
        return status(home)
    with home.lock("up"):
        elsewhere.take_down(home)
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda service: service.stop(home), (SERVER, DAEMONS, DASK)))
            # Those they write to while they end.
            list(pool.map(lambda service: service.stop(home), (POSTGRES, OBJECTS)))
        records.sweep(home)
    return status(home)


def status(home: Home) -> list[ServiceState]:
    """How the services of a home are."""
    if not home.exists:
        return [ServiceState(service.name, "stopped") for service in services_of(home)]
    with ThreadPoolExecutor(5) as pool:
        own = pool.map(lambda service: service.probe(home), services_of(home))
        return [*own, *elsewhere.states(home)]


def _bring_up(service: Service, home: Home, say: Progress) -> bool:
    started = service.ensure(home)
    say(f"{service.name} {'started' if started else 'already running'}")
    return started


def _bring_up_lake(home: Home, say: Progress) -> None:
    database_started = _bring_up(POSTGRES, home, say)
    if not rucio.is_bootstrapped(home):
        records.sweep(home, rucio.BOOTSTRAP)
        POSTGRES.make_databases(home)
        say("databases ready")
    if POSTGRES.make_trail(home):
        say("audit trail ready")
    if home.port("rucio") is None:
        ports.reserve(home, "rucio")
    rucio.write_settings(home)
    with ThreadPoolExecutor(3) as pool:
        catalogue = pool.submit(_migrate, home)
        try:
            rucio.bootstrap(home)
            say("Rucio's database ready")
            if database_started:
                # Server and daemons hold connections to a database that is gone.
                _both(pool, lambda service: service.stop(home))
            _both(pool, lambda service: _bring_up(service, home, say))
        finally:
            catalogue.result()
    say("catalogue ready")


def _both(pool: ThreadPoolExecutor, action: Callable[[Service], object]) -> None:
    servants: Sequence[Service] = (SERVER, DAEMONS)
    for future in [pool.submit(action, service) for service in servants]:
        future.result()


def _migrate(home: Home) -> None:
    from lake.catalogue import migrate

    migrate(home.database_url())


def _warm_kernels(home: Home) -> None:
    """Compile what is not compiled yet, in the background and with low priority."""
    code = "import os; os.nice(19); from pipeline.warming import warm; warm()"
    launch(home, "warm", python("-c", code), compute_environment())
