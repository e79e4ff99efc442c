"""A release and a draft as publishing leaves them in Rucio, and accounts of all kinds."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from cluster.home.home import Home
from tests.conftest import rucio_client

BYTES = b"hello world"
SIZE, ADLER32 = len(BYTES), "1a0b045d"


@dataclass(frozen=True)
class Content:
    """A dataset of one file in a container, held by a rule."""

    scope: str
    container: str
    dataset: str
    file: str
    rule: str
    rse: str


def file_entry(scope: str, name: str, adler32: str = ADLER32) -> dict[str, Any]:
    return {"scope": scope, "name": name, "bytes": SIZE, "adler32": adler32}


def make_content(rucio: Any, rse: str, scope: str, *, published: bool, locked: bool | None = None) -> Content:
    name = f"obs{secrets.token_hex(4)}"
    dataset, file = f"{name}.l1.v0001", f"{name}.l1.v0001.fits"
    rucio.add_container(scope, name)
    rucio.add_dataset(scope, dataset)
    rucio.add_replicas(rse, [file_entry(scope, file)])
    rucio.attach_dids(scope, dataset, [{"scope": scope, "name": file}])
    rucio.attach_dids(scope, name, [{"scope": scope, "name": dataset}])
    if published:
        rucio.close(scope, dataset)
    dids = [{"scope": scope, "name": dataset}]
    locked = published if locked is None else locked
    (rule,) = rucio.add_replication_rule(dids, copies=1, rse_expression=rse, locked=locked)
    return Content(scope, name, dataset, file, rule, rse)


def sign_up(rucio: Any, home: Home, *attributes: str, kind: str = "USER") -> Any:
    """A client of an account of its own with attributes of ours."""
    name, password = f"a{secrets.token_hex(6)}", secrets.token_hex(8)
    rucio.add_account(name, kind, "somebody@example.org")
    rucio.add_identity(name, name, "USERPASS", "somebody@example.org", password=password)
    for attribute in attributes:
        rucio.add_account_attribute(name, attribute, "true")
    return rucio_client(home, name, password)


@pytest.fixture(scope="session")
def policy_scope(rucio: Any) -> str:
    """A scope of the service's."""
    name = f"policy_{secrets.token_hex(4)}"
    rucio.add_scope("root", name)
    return name


@pytest.fixture(scope="session")
def published(rucio: Any, home: Home, policy_scope: str) -> Content:
    """A release: closed, its rule locked."""
    return make_content(rucio, home.rse, policy_scope, published=True)


@pytest.fixture
def draft(rucio: Any, home: Home, policy_scope: str) -> Content:
    """The same before it is published: open, its rule not locked."""
    return make_content(rucio, home.rse, policy_scope, published=False)


@pytest.fixture(scope="session")
def untouched_draft(rucio: Any, home: Home, policy_scope: str) -> Content:
    """A draft for those who cannot change it."""
    return make_content(rucio, home.rse, policy_scope, published=False)


@pytest.fixture
def make_release(rucio: Any, home: Home, policy_scope: str) -> Callable[[], Content]:
    """Make releases that no other test uses."""
    return lambda: make_content(rucio, home.rse, policy_scope, published=True)


@pytest.fixture(scope="session")
def service(rucio: Any, home: Home) -> Any:
    """An account of the service's besides root, with every right Rucio's generic policy gives."""
    return sign_up(rucio, home, "admin", "heliolake-service", kind="SERVICE")


@pytest.fixture(scope="session")
def admin(rucio: Any, home: Home) -> Any:
    """Somebody with every right the generic policy gives to administrators."""
    return sign_up(rucio, home, "admin")


@pytest.fixture(scope="session")
def stranger(rucio: Any, home: Home) -> Any:
    """An account without any rights, but with a scope of its own, named like itself."""
    client = sign_up(rucio, home)
    rucio.add_scope(client.account, client.account)
    return client
