"""Clusters made by a Dask Gateway."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from cluster.scheduler import Scheduler
from cluster.sites.schedulers.extras import required
from cluster.sites.schedulers.sharing import shared
from cluster.sites.site import GatewayDask
from lake.errors import Fatal, Retriable

log = logging.getLogger(__name__)

_EVERY_S: Final = 0.5
_TOKEN: Final = "JUPYTERHUB_API_TOKEN"  # noqa: S105 - the name of a variable


@contextmanager
def running(dask: GatewayDask, folder: Path) -> Iterator[Scheduler]:
    """The scheduler of a cluster that the gateway runs.

    One that the description names is other people's: it is used as it is, and left running. Otherwise the
    first run of a home makes one, others find it by a note in `folder`, and the last one closes it: its
    workers hold cores that nobody else gets.

    Raises
    ------
    lake.errors.Fatal
        When the gateway refuses who asks or what is asked for.
    lake.errors.Retriable
        When it does not answer, or the cluster does not start in time.
    """
    required("dask_gateway", "gateway", "Dask Gateway")
    with _gateway(dask) as gateway:
        if dask.cluster is not None:
            yield _started(gateway, dask, dask.cluster)
            return
        with shared(
            folder / "gateway",
            make=lambda: _made(gateway, dask),
            usable=lambda name: _usable(gateway, dask, name),
            close=lambda name: _closed(gateway, dask, name),
        ) as name:
            scheduler = _started(gateway, dask, name)
            with _refusals(dask):
                gateway.scale_cluster(name, dask.workers)
            yield scheduler


@contextmanager
def _gateway(dask: GatewayDask) -> Iterator[Any]:
    from dask_gateway import Gateway

    gateway = Gateway(dask.address, proxy_address=dask.proxy, auth=_credentials(dask))
    try:
        yield gateway
    finally:
        gateway.close()
        # Its finaliser closes it once more, without looking whether it is open, unless this is gone.
        vars(gateway).pop("_loop_runner", None)


def _credentials(dask: GatewayDask) -> Any:
    """Who this client says it is.

    Raises
    ------
    Fatal
        When it cannot say.
    """
    from dask_gateway import BasicAuth, JupyterHubAuth, KerberosAuth

    if dask.auth == "basic":
        return BasicAuth(dask.username, _secret("password_file", dask.password_file))
    if dask.auth == "jupyterhub":
        if dask.token_file is None and not os.environ.get(_TOKEN):
            raise Fatal(f"{dask.address} asks for a token of JupyterHub; set {_TOKEN} or name a token_file")
        return JupyterHubAuth(_secret("token_file", dask.token_file) if dask.token_file else None)
    required("kerberos", "gateway", "A gateway with Kerberos (pykerberos, with kinit done before)")
    return KerberosAuth()


def _secret(name: str, file: Path | None) -> str:
    if file is None:
        raise Fatal(f"{name} is not set")
    try:
        secret = file.read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise Fatal(
            f"{name} {file} cannot be read: {getattr(error, 'strerror', error)}; name another"
        ) from error
    if not secret:
        raise Fatal(f"{name} {file} is empty; write the secret into it, for its owner alone (chmod 600)")
    return secret


def _made(gateway: Any, dask: GatewayDask) -> str:
    with _refusals(dask):
        return str(gateway.submit(**dask.options))


def _usable(gateway: Any, dask: GatewayDask, name: str) -> bool:
    """Whether the cluster of an earlier or another run is there."""
    with _refusals(dask):
        return name in {one.name for one in gateway.list_clusters()}


def _closed(gateway: Any, dask: GatewayDask, name: str) -> None:
    try:
        with _refusals(dask):
            gateway.stop_cluster(name)
    except (Fatal, Retriable) as error:
        # The run itself is done; the gateway's own idle_timeout is for what is left.
        log.warning("cluster %s may be left running: %s", name, error)


def _started(gateway: Any, dask: GatewayDask, name: str) -> Scheduler:
    """The scheduler, once it runs.

    Raises
    ------
    lake.errors.Fatal
        When there is no such cluster, or it failed to start.
    lake.errors.Retriable
        When it takes too long.
    """
    deadline = time.monotonic() + dask.patience
    while True:
        with _refusals(dask):
            report = gateway.get_cluster(name)
        state = report.status.name
        if state == "RUNNING":
            return Scheduler(
                report.scheduler_address,
                security=report.security,
                advice=f"see what the gateway at {dask.address} says of the cluster {name}",
            )
        if state != "PENDING":
            raise Fatal(f"cluster {name} of the gateway at {dask.address} is {state}; its log says why")
        if time.monotonic() > deadline:
            raise Retriable(
                f"cluster {name} of the gateway at {dask.address} has not started after {dask.patience} s; "
                "try again later, or give the site more patience"
            )
        time.sleep(_EVERY_S)


@contextmanager
def _refusals(dask: GatewayDask) -> Iterator[None]:
    """What the gateway's client raises, as sentences.

    Raises
    ------
    lake.errors.Fatal
        When the gateway refuses.
    lake.errors.Retriable
        When it does not answer.
    """
    from aiohttp import ClientError, ClientResponseError
    from dask_gateway import GatewayClusterError, GatewayServerError

    who = {"basic": "username and password_file", "jupyterhub": "the token", "kerberos": "the ticket"}[
        dask.auth
    ]
    try:
        yield
    except (ValueError, GatewayClusterError) as error:
        raise Fatal(f"the gateway at {dask.address} refuses: {error}; mend the site's settings") from error
    except ClientResponseError as error:
        if error.status not in (401, 403):
            raise Retriable(f"the gateway at {dask.address} fails: {error.status} {error.message}") from error
        raise Fatal(
            f"the gateway at {dask.address} does not let us in ({error.status}); see {who}"
        ) from error
    except (ClientError, GatewayServerError, OSError, TimeoutError) as error:
        raise Retriable(f"the gateway at {dask.address} does not answer: {error}; try again later") from error
