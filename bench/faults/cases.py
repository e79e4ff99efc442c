"""The faults of the campaign: how each is brought about, and what is done about it."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path
from typing import Any, Final

import psutil

from bench.faults import clocks, network
from bench.faults.proxy import Mood, Proxy
from bench.faults.trial import Fault, Going
from bench.faults.world import NORTH, SOUTH, World, freeze, kill, thaw
from cluster.services.elsewhere import services_of
from lake.storage import credentials

_EXPIRED: Final = "UPDATE unit SET lease_until = now() - interval '1 second' WHERE lease_owner IS NOT NULL"
_BACK: Final = 20.0
"""Seconds for one that comes back to do what it must not do."""
_SILENT: Final = "UPDATE executor SET seen = now() - interval '1 hour' WHERE ended IS NULL AND site = :site"


def faults() -> Iterator[Fault]:
    """All of them, in the order of the table."""
    yield Fault("none", _nothing)
    yield from _killed()
    yield from _frozen()
    yield from _disks()
    yield from _elsewhere()
    yield from _stores()
    yield from _rucio()


def _killed() -> Iterator[Fault]:
    yield Fault("a worker is killed", lambda world, _: kill(world.workers(NORTH)[:1]))
    yield Fault("a scheduler with its nannies is killed", _kill("dask", NORTH), _up)
    yield Fault("an executor is killed", lambda world, _: kill(world.executor(NORTH)))
    yield Fault("the operator's command is killed", _kill_command)
    yield Fault("Rucio's server is killed", _kill("rucio"), _up)
    yield Fault("Rucio's daemons are killed", _kill("rucio-daemons"), _up)
    yield Fault("PostgreSQL is killed", _kill("postgres"), _up)
    yield Fault("the S3 storage is killed", _kill("seaweedfs", SOUTH), _up)
    yield Fault("a whole site is killed", _kill_site, _up)
    yield Fault("a whole site is killed, others hold its data", _kill_site, _up, after=60.0, replicas=True)


def _frozen() -> Iterator[Fault]:
    yield Fault("a worker stands still for a minute", _freeze_worker, _thaw, after=60.0)
    yield Fault("an executor stands still past its lease", _freeze_executor, _thaw, after=90.0)
    yield Fault("the operator's command stands still for a minute", _freeze_command, _thaw, after=60.0)
    yield Fault(
        "a site's own executor stands still past its lease, and comes back",
        _freeze_executor,
        _thaw,
        after=90.0,
        before=_standing,
        replicas=True,
    )
    yield Fault("PostgreSQL stands still for three minutes", _freeze_database, _thaw, after=180.0)


def _disks() -> Iterator[Fault]:
    if os.geteuid() == 0:
        yield Fault("a site's disk is full", _fill, _empty, after=20.0, before=_small_disk)
        yield Fault(
            "a site's storage is read-only", _mount("ro"), _mount("rw"), after=20.0, before=_small_disk
        )
    yield Fault("a third of the raw files is damaged on a site", _nothing, replicas=True, before=_damage)
    yield Fault("a third of the raw files is gone from a site", _nothing, replicas=True, before=_lose)


def _elsewhere() -> Iterator[Fault]:
    if clocks.library():
        yield Fault("a site's clocks are an hour ahead", _nothing, before=_ahead)
    if network.is_possible():
        yield Fault("the network of a site is cut and healed", _pull, _plug, after=45.0, before=_far)
        yield Fault(
            "the network of a site is cut for long, others hold its data",
            _pull,
            _plug,
            after=180.0,
            before=_far,
            replicas=True,
        )


def _stores() -> Iterator[Fault]:
    way = partial(_way, "s3", SOUTH)
    yield way("the S3 storage answers 500", "refusing", status=500)
    yield way("the S3 storage answers 503 to each third request", "refusing", status=503, every=3)
    yield way("the S3 storage takes two seconds for each answer", "slow")
    yield way("the S3 storage breaks off after success", "forgetful", every=4)
    yield way("the way to the S3 storage is cut", "cut")


def _rucio() -> Iterator[Fault]:
    way = partial(_way, "rucio", "")
    yield way("Rucio answers 500", "refusing", status=500)
    yield way("Rucio takes two seconds for each answer", "slow")
    yield way("Rucio breaks off after success", "forgetful", every=3)
    yield way("Rucio takes what comes and says nothing", "mute")
    yield _way("postgres", "", "the way to the catalogue is cut", "cut")


def _nothing(_world: World, _going: Going) -> None:
    """It is so from the beginning."""


# What is killed


def _kill(service: str, site: str = "") -> Callable[[World, Going], None]:
    return lambda world, _going: kill(world.members(service, site))


def _kill_command(_world: World, going: Going) -> None:
    going.command.process.kill()


def _kill_site(world: World, _going: Going) -> None:
    kill([*world.executor(NORTH), *world.members("dask", NORTH)])


def _up(world: World, _going: Going) -> None:
    world.up()


# What stands still


def _freeze_worker(world: World, going: Going) -> None:
    going.kept["frozen"] = world.workers(NORTH)[:1]
    freeze(going.kept["frozen"])


def _freeze_executor(world: World, going: Going) -> None:
    """It says nothing any more, and its leases run out, which would take minutes by themselves."""
    standing = going.kept.get("standing")
    sent = world.executor(NORTH)
    going.kept["frozen"] = [psutil.Process(standing.process.pid)] if standing else sent
    freeze(going.kept["frozen"])
    world.sql(_EXPIRED)
    world.sql(_SILENT, site=NORTH)


def _freeze_command(_world: World, going: Going) -> None:
    going.kept["frozen"] = [psutil.Process(going.command.process.pid)]
    freeze(going.kept["frozen"])


def _standing(world: World, going: Going) -> None:
    _stands_there(world, going, NORTH)


def _freeze_database(world: World, going: Going) -> None:
    going.kept["frozen"] = world.members("postgres")
    freeze(going.kept["frozen"])


def _thaw(_world: World, going: Going) -> None:
    thaw(going.kept["frozen"])
    if "standing" in going.kept:
        time.sleep(_BACK)


# What happens to disks


def _small_disk(world: World, going: Going) -> None:
    """Have a site keep its files on a disk of its own, as large as what it holds and a little more."""
    root = world.book.part(NORTH).rse_root
    if not root.is_mount():
        kept = root.with_name(root.name + ".kept")
        root.rename(kept)
        root.mkdir(mode=0o700)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2g,mode=0700", "tmpfs", str(root)], check=True)
        for path in kept.iterdir():
            shutil.move(path, root / path.name)
    going.kept["disk"] = root


def _fill(_world: World, going: Going) -> None:
    root: Path = going.kept["disk"]
    going.kept["ballast"] = ballast = root / ".ballast"
    with ballast.open("wb", buffering=0) as stream, suppress(OSError):
        while True:  # the run writes meanwhile: how much there is to fill changes
            stream.write(bytes(1 << 22))


def _empty(_world: World, going: Going) -> None:
    going.kept["ballast"].unlink()


def _mount(how: str) -> Callable[[World, Going], None]:
    def again(_world: World, going: Going) -> None:
        subprocess.run(["mount", "-o", f"remount,{how}", str(going.kept["disk"])], check=True)

    return again


def _third_of_raw(world: World, going: Going) -> list[Path]:
    """So many that some are surely read there, and none of them the only copy."""
    day = going.observation.rpartition("_")[2]
    files = world.book.part(NORTH).rse_root.rglob(f"*{day}*.fits")
    return sorted(path for path in files if "l15" not in path.name)[::3]


def _damage(world: World, going: Going) -> None:
    for path in _third_of_raw(world, going):
        path.chmod(0o600)
        path.write_bytes(b"\0" * path.stat().st_size)


def _lose(world: World, going: Going) -> None:
    for path in _third_of_raw(world, going):
        path.unlink()


# What is elsewhere


def _stands_there(world: World, going: Going, site: str, **how: Any) -> None:
    """Have a site's executor be none that the command sends, and so none that it can end."""
    stack = going.kept.setdefault("stack", ExitStack())
    said = world.book.said
    stands = said.sites[site].model_copy(update={"executor": "there"})
    world.book.replace(said.model_copy(update={"sites": said.sites | {site: stands}}))
    stack.callback(world.book.replace, said)
    going.kept["standing"] = standing = world.heliolake("execute", "--site", site, **how)
    stack.callback(standing.process.kill)


def _again_elsewhere(world: World, going: Going, site: str, **how: Any) -> None:
    """Have what is run for a site run elsewhere, or with other clocks."""
    stack = going.kept.setdefault("stack", ExitStack())
    part = world.book.part(site)
    stack.callback(world.up)
    for service in reversed(services_of(world.book.site(site))):
        stack.callback(service.stop, part)
        service.stop(part)
    world.heliolake("up", **how).wait(300.0)
    _stands_there(world, going, site, **how)


def _ahead(world: World, going: Going) -> None:
    _again_elsewhere(world, going, NORTH, environment=clocks.ahead(3600))


def _far(world: World, going: Going) -> None:
    """Have the site that keeps its files in S3 be in a network of its own."""
    stack = going.kept["stack"] = ExitStack()
    home, part = world.home, world.book.part(SOUTH)
    near = [home.port(name) for name in ("postgres", "rucio", "scheduler", "dashboard")]
    near += [world.book.part(NORTH).port(name) for name in ("scheduler", "dashboard")]
    for service in reversed(services_of(world.book.site(SOUTH))):
        service.stop(part)
    far = [part.port(name) for name in ("s3", "scheduler", "dashboard")]
    stack.enter_context(network.far_network([*filter(None, near)], [*filter(None, far)]))
    _again_elsewhere(world, going, SOUTH, before=network.INSIDE)


def _pull(_world: World, _going: Going) -> None:
    network.pull()


def _plug(_world: World, _going: Going) -> None:
    network.plug()
    time.sleep(_BACK)


# What happens on the way to a service


def _way(
    service: str, site: str, name: str, mood: Mood, *, every: int = 1, status: int = 503, after: float = 15.0
) -> Fault:
    """A fault of the way to a service, which everybody takes who belongs to the run."""

    def lay(world: World, going: Going) -> None:
        stack = going.kept["stack"] = ExitStack()
        going.kept["way"] = stack.enter_context(world.by_proxy(service, site))
        if service == "s3":
            _share_keys(world, site)

    def turn(_world: World, going: Going) -> None:
        way: Proxy = going.kept["way"]
        way.turn(mood, every=every, status=status)

    def mend(_world: World, going: Going) -> None:
        going.kept["way"].turn("well")

    return Fault(name, turn, mend, after, before=lay)


def _share_keys(world: World, site: str) -> None:
    """The storage has another address: the keys are looked up by it."""
    part = world.book.part(site)
    for home in (world.home, part):
        known = credentials.read(home.store_credentials)
        (keys,) = set(known.values())
        home.store_credentials.write_text(credentials.as_text(known | {part.store_url: keys}))
