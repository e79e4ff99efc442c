"""The faults of the campaign: how each is brought about, and what is done about it."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Final

import psutil

from bench.faults.proxy import Mood, Proxy
from bench.faults.trial import Fault, Going
from bench.faults.world import NORTH, SOUTH, World, freeze, kill, thaw
from lake.storage import credentials

_EXPIRED: Final = "UPDATE unit SET lease_until = now() - interval '1 second' WHERE lease_owner IS NOT NULL"
_BACK: Final = 20.0
"""Seconds for one that comes back to do what it must not do."""
_SILENT: Final = "UPDATE executor SET seen = now() - interval '1 hour' WHERE ended IS NULL AND site = :site"


def faults() -> Iterator[Fault]:
    """All of them, in the order of the table."""
    yield Fault("none", lambda _world, _going: None)
    yield from _killed()
    yield from _frozen()
    yield from _disks()
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
    yield Fault("a raw file is damaged on a site", _damage, replicas=True, before=partial(_damage_before))
    yield Fault("a raw file is gone from a site", _lose, replicas=True, before=partial(_lose_before))


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
    """Have the site's executor be none that the command sends, and so none that it can end."""
    stack = going.kept["stack"] = ExitStack()
    said = world.book.said
    stands = said.sites[NORTH].model_copy(update={"executor": "there"})
    world.book.replace(said.model_copy(update={"sites": said.sites | {NORTH: stands}}))
    stack.callback(world.book.replace, said)
    going.kept["standing"] = standing = world.heliolake("execute", "--site", NORTH)
    stack.callback(standing.process.kill)


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
    with ballast.open("wb") as stream:
        os.posix_fallocate(stream.fileno(), 0, shutil.disk_usage(root).free)


def _empty(_world: World, going: Going) -> None:
    going.kept["ballast"].unlink()


def _mount(how: str) -> Callable[[World, Going], None]:
    def again(_world: World, going: Going) -> None:
        subprocess.run(["mount", "-o", f"remount,{how}", str(going.kept["disk"])], check=True)

    return again


def _raw_file(world: World, going: Going) -> Path:
    day = going.observation.rpartition("_")[2]
    return max(
        path for path in world.book.part(NORTH).rse_root.rglob(f"*{day}*.fits") if "l15" not in path.name
    )


def _damage_before(world: World, going: Going) -> None:
    path = _raw_file(world, going)
    path.chmod(0o600)
    path.write_bytes(b"\0" * path.stat().st_size)


def _lose_before(world: World, going: Going) -> None:
    _raw_file(world, going).unlink()


def _damage(_world: World, _going: Going) -> None:
    """It was before the run began."""


_lose = _damage


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
