"""Rucio's own daemons, with our transfer tool, move files between storage elements and check them."""

from __future__ import annotations

import secrets
import time
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from cluster.home.home import Home
from lake.rucio.server.settings import posix_protocol

CONTENT = b"one frame of the Sun" * 5000


@pytest.fixture(scope="module")
def scope(rucio: Any) -> str:
    name = f"transfers_{secrets.token_hex(4)}"
    rucio.add_scope("root", name)
    return name


@pytest.fixture(scope="module")
def elsewhere(rucio: Any, home: Home) -> str:
    """A second storage element, joined to the first."""
    name = f"SECOND-{secrets.token_hex(4).upper()}"
    folder = home.storage / name
    folder.mkdir()
    rucio.add_rse(name, deterministic=True)
    rucio.add_protocol(name, posix_protocol(folder))
    rucio.set_local_account_limit("root", name, -1)
    for source, target in ((home.rse, name), (name, home.rse)):
        rucio.add_distance(source, target, {"distance": 1})
    return name


def path_on(rucio: Any, rse: str, scope: str, name: str) -> Path:
    (pfn,) = rucio.lfns2pfns(rse, [f"{scope}:{name}"], operation="write").values()
    return Path(urlsplit(pfn).path)


def register(rucio: Any, home: Home, scope: str, name: str, stored: bytes = CONTENT) -> Path:
    """Store a file and register it as if it held CONTENT."""
    path = path_on(rucio, home.rse, scope, name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(stored)
    entry = {
        "scope": scope,
        "name": name,
        "bytes": len(CONTENT),
        "adler32": f"{zlib.adler32(CONTENT):08x}",
    }
    rucio.add_replicas(home.rse, [entry])
    return path


def replicate(rucio: Any, scope: str, name: str, rse: str) -> str:
    dids = [{"scope": scope, "name": name}]
    (rule,) = rucio.add_replication_rule(dids, copies=1, rse_expression=rse)
    return str(rule)


def wait_for(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + 90
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(0.2)


def state(rucio: Any, rule: str) -> str:
    return str(rucio.get_replication_rule(rule)["state"])


def test_a_rule_brings_every_file_of_a_dataset_to_the_other_storage_element(
    rucio: Any, home: Home, scope: str, elsewhere: str
) -> None:
    names = [f"frame{number}.fits" for number in range(5)]
    for name in names:
        register(rucio, home, scope, name)
    rucio.add_dataset(scope, "several")
    rucio.attach_dids(scope, "several", [{"scope": scope, "name": name} for name in names])
    rule = replicate(rucio, scope, "several", elsewhere)
    wait_for(lambda: state(rucio, rule) == "OK", "the rule to be OK")
    copies = [path_on(rucio, elsewhere, scope, name) for name in names]
    assert [copy.read_bytes() for copy in copies] == [CONTENT] * len(names)
    assert not list((home.storage / elsewhere).rglob("*.part"))


def test_a_corrupted_source_is_noticed_and_never_copied(
    rucio: Any, home: Home, scope: str, elsewhere: str
) -> None:
    register(rucio, home, scope, "rotten.fits", stored=b"x" + CONTENT[1:])
    rule = replicate(rucio, scope, "rotten.fits", elsewhere)
    wait_for(lambda: state(rucio, rule) == "STUCK", "the rule to be stuck")
    assert "adler32" in rucio.get_replication_rule(rule)["error"]
    assert not path_on(rucio, elsewhere, scope, "rotten.fits").exists()
    assert not list((home.storage / elsewhere).rglob("*.part"))


def test_a_truncated_source_is_noticed(rucio: Any, home: Home, scope: str, elsewhere: str) -> None:
    register(rucio, home, scope, "short.fits", stored=CONTENT[:-1])
    rule = replicate(rucio, scope, "short.fits", elsewhere)
    wait_for(lambda: state(rucio, rule) == "STUCK", "the rule to be stuck")
    assert "bytes" in rucio.get_replication_rule(rule)["error"]


def test_a_replica_declared_bad_is_restored_from_the_good_one(
    rucio: Any, home: Home, scope: str, elsewhere: str
) -> None:
    register(rucio, home, scope, "restored.fits")
    rule = replicate(rucio, scope, "restored.fits", elsewhere)
    wait_for(lambda: state(rucio, rule) == "OK", "the rule to be OK")
    copy = path_on(rucio, elsewhere, scope, "restored.fits")
    copy.write_bytes(b"damaged")
    replica = {"scope": scope, "name": "restored.fits", "rse": elsewhere}
    rucio.declare_bad_file_replicas([replica], "damaged by a test")
    wait_for(lambda: copy.read_bytes() == CONTENT, "the copy to be restored")
    wait_for(lambda: state(rucio, rule) == "OK", "the rule to be OK again")
