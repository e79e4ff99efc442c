"""Clusters that the Dask operator of a Kubernetes keeps."""

from __future__ import annotations

import logging
import secrets
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from cluster.home.process import write_private
from cluster.scheduler import Scheduler
from cluster.sites.schedulers.address import shown
from cluster.sites.schedulers.extras import required
from cluster.sites.schedulers.manifest import OWNER, PORT, host, manifest, protocol
from cluster.sites.schedulers.sharing import shared
from cluster.sites.site import KubernetesDask
from lake.errors import Fatal, Retriable

log = logging.getLogger(__name__)

_EVERY_S: Final = 2.0
_DELETION_S: Final = 60.0


@contextmanager
def running(dask: KubernetesDask, folder: Path) -> Iterator[Scheduler]:
    """The scheduler of the cluster of that name.

    One that others made is used as it is and left. One that this home made is deleted by the last of its
    runs.

    Raises
    ------
    lake.errors.Fatal
        When the Kubernetes refuses, knows no Dask operator, or has no such cluster and cannot make one.
    lake.errors.Retriable
        When it does not answer, or the scheduler does not in time.
    """
    required("kr8s", "kubernetes", "a Kubernetes")
    owner = _owner(folder)
    found = _found(dask)
    if found is not None and found.labels.get(OWNER) != owner:
        with _forwarded(dask) as scheduler:
            yield scheduler
        return
    with (
        shared(
            folder / "kubernetes",
            make=lambda: _made(dask, owner),
            usable=lambda _: _found(dask) is not None,
            close=lambda _: _deleted(dask),
        ),
        _forwarded(dask) as scheduler,
    ):
        yield scheduler


def _owner(folder: Path) -> str:
    """What this home's clusters bear, whichever of its processes made them."""
    file = folder / "owner"
    if not file.exists():
        write_private(file, secrets.token_hex(8))
    return file.read_text()


def _api(dask: KubernetesDask) -> Any:
    """The Kubernetes; asked without any word of where, kr8s would give that of another site."""
    import kr8s

    file = str(dask.kubeconfig) if dask.kubeconfig else None
    return kr8s.api(kubeconfig=file, context=dask.context, namespace=dask.namespace)


def _kind() -> Any:
    from kr8s.objects import new_class

    return new_class("DaskCluster", "kubernetes.dask.org/v1", asyncio=False, namespaced=True)


def _found(dask: KubernetesDask) -> Any | None:
    from kr8s import NotFoundError

    with _refusals(dask):
        try:
            return _kind().get(dask.cluster, namespace=dask.namespace, api=_api(dask))
        except NotFoundError:
            return None


def _made(dask: KubernetesDask, owner: str) -> str:
    with _refusals(dask):
        _kind()(manifest(dask, owner), api=_api(dask)).create()
    return dask.cluster


def _deleted(dask: KubernetesDask) -> None:
    """Delete the cluster, and wait until its name is free for the next run."""
    deadline = time.monotonic() + _DELETION_S
    try:
        found = _found(dask)
        if found is not None:
            with _refusals(dask):
                found.delete()
        while time.monotonic() < deadline and _found(dask) is not None:
            time.sleep(_EVERY_S)
    except (Fatal, Retriable) as error:
        log.warning("DaskCluster %s may be left running: %s", dask.cluster, error)


@contextmanager
def _forwarded(dask: KubernetesDask) -> Iterator[Scheduler]:
    """The scheduler by its name, or through the Kubernetes where that name is not known: outside of it."""
    deadline = time.monotonic() + dask.patience
    if _known(host(dask)):
        yield _answering(dask, f"{protocol(dask)}://{host(dask)}:{PORT}", deadline)
        return
    from kr8s.objects import Service

    with _refusals(dask):
        name = f"{dask.cluster}-scheduler"
        service = Service.get(name, namespace=dask.namespace, api=_api(dask), timeout=dask.patience)
        forward: Any = service.portforward(PORT, local_port="auto")
        port = forward.start()
    try:
        yield _answering(dask, f"{protocol(dask)}://127.0.0.1:{port}", deadline)
    finally:
        forward.stop()


def _known(name: str) -> bool:
    try:
        socket.getaddrinfo(name, PORT)
    except socket.gaierror:
        return False
    return True


def _answering(dask: KubernetesDask, address: str, deadline: float) -> Scheduler:
    """The scheduler, once it listens: its image may have to be fetched.

    Raises
    ------
    lake.errors.Retriable
        When it takes too long.
    """
    advice = f"see kubectl --namespace {dask.namespace} describe daskcluster {dask.cluster}, and its pods"
    while True:
        try:
            if dask.secret and dask.ca and dask.certificate and dask.key:
                return Scheduler(
                    address, security=shown(address, dask.ca, dask.certificate, dask.key), advice=advice
                )
            name, _, port = address.removeprefix("tcp://").rpartition(":")
            socket.create_connection((name, int(port)), timeout=_EVERY_S).close()
            return Scheduler(address, advice=advice)
        except (Retriable, OSError) as error:
            if time.monotonic() > deadline:
                told = f"the Dask scheduler at {address} does not answer after {dask.patience} s"
                raise Retriable(f"{told}; {advice}") from error
            time.sleep(_EVERY_S)


@contextmanager
def _refusals(dask: KubernetesDask) -> Iterator[None]:
    """What the client of the Kubernetes raises, as sentences.

    Raises
    ------
    lake.errors.Fatal
        When the Kubernetes refuses, or has no Dask operator.
    lake.errors.Retriable
        When it does not answer.
    """
    import kr8s
    from httpx import HTTPError

    try:
        yield
    except kr8s.NotFoundError as error:
        raise Retriable(
            f"namespace {dask.namespace} has no service of {dask.cluster} yet: {error}"
        ) from error
    except kr8s.ServerError as error:
        status = getattr(error.response, "status_code", None)
        said = str(error).partition("\n")[0]
        if status == 404:
            raise Fatal(
                f"the Kubernetes knows no DaskCluster in namespace {dask.namespace}; have the Dask operator "
                "and the namespace installed"
            ) from error
        if status is not None and status < 500:
            raise Fatal(f"the Kubernetes refuses: {said}; have the site's account allowed to") from error
        raise Retriable(f"the Kubernetes fails: {said}; try again later") from error
    except ValueError as error:
        raise Fatal(
            f"the Kubernetes cannot be asked: {error}; see kubeconfig and context, or the account of the pod"
        ) from error
    except (HTTPError, kr8s.APITimeoutError, kr8s.ConnectionClosedError, OSError) as error:
        raise Retriable(f"the Kubernetes does not answer: {error}; try again later") from error
