"""What a site is: a storage element, its store, and a way to a Dask scheduler beside it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    PositiveInt,
    field_validator,
    model_validator,
)

HOME: Final = "home"
"""Name of the site that every home is by itself: its own storage and its own scheduler."""
EVERYTHING: Final = "all"
_NAME: Final = re.compile(r"[a-z][a-z0-9-]{0,30}")
_LABEL: Final = r"^[a-z0-9]([a-z0-9-]{0,51}[a-z0-9])?$"
_RSE: Final = re.compile(r"[A-Z0-9][A-Z0-9_-]{0,62}")


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


def _whole(path: Path) -> Path:
    path = path.expanduser()
    if not path.is_absolute():
        raise ValueError(f"{path} is no whole path: it would be another file for every command")
    return path


WholePath = Annotated[Path, AfterValidator(_whole)]


class LocalDask(_Model):
    """A Dask cluster of this machine, started and stopped with the home's services.

    Attributes
    ----------
    workers
        Worker processes, each of one thread; one per core of the machine where it is not said.
    """

    kind: Literal["local"] = "local"
    workers: PositiveInt | None = None


class _Remote(_Model):
    """A cluster elsewhere, whose workers may have to be waited for.

    Attributes
    ----------
    patience
        Seconds to wait for the first worker: as long as a job may stand in the queue.
    """

    patience: PositiveInt = 600


class AddressDask(_Remote):
    """A scheduler that somebody else runs.

    Attributes
    ----------
    address
        ``tls://HOST:PORT`` (or ``tcp://``, which lets in whoever reaches the port).
    ca, certificate, key
        PEM files for ``tls://``: who signs the cluster's certificates, and what this client shows.
    """

    kind: Literal["address"] = "address"
    address: Annotated[str, Field(pattern=r"^(tls|tcp)://[^\s]+:\d+$")]
    ca: WholePath | None = None
    certificate: WholePath | None = None
    key: WholePath | None = None

    @model_validator(mode="after")
    def _whole(self) -> AddressDask:
        parts = (self.ca, self.certificate, self.key)
        if self.address.startswith("tls:") and None in parts:
            raise ValueError("tls:// needs ca, certificate and key")
        return self


class GatewayDask(_Remote):
    """Clusters made by a Dask Gateway.

    Attributes
    ----------
    address, proxy
        Addresses of the gateway, and of its proxy for schedulers where it is another.
    auth
        How this client says who it is: ``basic`` with a file of the password, ``jupyterhub`` or ``kerberos``.
    username, password_file
        For ``basic``.
    token_file
        For ``jupyterhub``; without it the variable ``JUPYTERHUB_API_TOKEN`` has the token.
    cluster
        Name of a cluster that others keep; without it one is made, and closed by the last run that uses it.
    options
        Options of the cluster, as the gateway's administrator defined them.
    workers
        How many workers to ask for.
    """

    kind: Literal["gateway"] = "gateway"
    address: Annotated[str, Field(pattern=r"^https?://[^\s]+$")]
    proxy: Annotated[str, Field(pattern=r"^(tls|tcp|gateway)://[^\s]+:\d+$")] | None = None
    auth: Literal["basic", "jupyterhub", "kerberos"] = "basic"
    username: str | None = None
    password_file: WholePath | None = None
    token_file: WholePath | None = None
    cluster: str | None = None
    options: dict[str, str | int | float | bool] = {}
    workers: PositiveInt = 1

    @model_validator(mode="after")
    def _whole(self) -> GatewayDask:
        if self.auth == "basic" and self.password_file is None:
            raise ValueError("basic needs a password_file")
        return self


class KubernetesDask(_Remote):
    """A cluster that the Dask operator of a Kubernetes keeps: found by name, made where there is none.

    Attributes
    ----------
    namespace, cluster
        Where, and name of the ``DaskCluster``.
    kubeconfig, context
        Which Kubernetes, and as whom; by default what ``KUBECONFIG`` or the account of the pod says.
    image, workers, memory, cpus
        Of the pods, where it has to be made.
    secret
        Name of a Kubernetes secret with ``ca.crt``, ``tls.crt`` and ``tls.key`` for scheduler and workers;
        without it the scheduler lets in whoever reaches its port.
    ca, certificate, key
        PEM files for this client, of the same authority as the secret.
    """

    kind: Literal["kubernetes"] = "kubernetes"
    namespace: Annotated[str, Field(pattern=_LABEL)] = "default"
    cluster: Annotated[str, Field(pattern=_LABEL)] = "heliolake"
    kubeconfig: WholePath | None = None
    context: str | None = None
    image: str = ""
    workers: PositiveInt = 1
    memory: Annotated[str, Field(pattern=r"^\d+(\.\d+)?[KMGT]i$")] = "4Gi"
    cpus: Annotated[str, Field(pattern=r"^\d+(\.\d+)?m?$")] = "1"
    secret: Annotated[str, Field(pattern=_LABEL)] | None = None
    ca: WholePath | None = None
    certificate: WholePath | None = None
    key: WholePath | None = None

    @model_validator(mode="after")
    def _whole(self) -> KubernetesDask:
        parts = (self.ca, self.certificate, self.key)
        if self.secret and None in parts:
            raise ValueError("a secret needs ca, certificate and key of this client")
        return self


class BatchDask(_Remote):
    """Workers that are jobs of a batch system, started through dask-jobqueue.

    Attributes
    ----------
    kind
        ``slurm`` or ``pbs``.
    queue, account, walltime, memory
        As the batch system calls them; memory of one worker as ``4GiB``.
    workers
        Jobs of one worker each.
    interface
        Network interface of the scheduler that the nodes reach.
    folder
        Folder shared by this machine and the nodes, private to the account, for the certificates.
    python
        Python of the nodes, with the same packages; by default the one that runs here.
    scratch
        Folder of each node for what its worker's memory does not hold.
    prologue, directives
        Lines before the worker's command (``module load …``), and for the head of the job (``--qos=night``).
    """

    kind: Literal["slurm", "pbs"]
    queue: str | None = None
    account: str | None = None
    walltime: Annotated[str, Field(pattern=r"^\d{1,4}:[0-5]\d:[0-5]\d$")] = "02:00:00"
    memory: Annotated[str, Field(pattern=r"^\d+(\.\d+)?\s?[KMGT]i?B$")] = "4GiB"
    workers: PositiveInt = 1
    interface: str | None = None
    folder: WholePath | None = None
    python: str | None = None
    scratch: WholePath | None = None
    prologue: tuple[str, ...] = ()
    directives: tuple[str, ...] = ()


Dask = Annotated[
    LocalDask | AddressDask | GatewayDask | KubernetesDask | BatchDask, Field(discriminator="kind")
]


class Site(_Model):
    """One site as ``sites.yaml`` describes it.

    Attributes
    ----------
    rse
        Name of its storage element in Rucio.
    storage
        ``posix`` or ``s3`` for one that this home runs for it, else the URL of its store.
    credentials
        File of the credentials for the store, on the machines that read it.
    dask
        Its scheduler.
    drained
        Gets no new work; its data stay and are read.
    embargoed
        What may lie there while it is under embargo: ``all``, or names of instruments.
    executor
        ``sent``: the process that carries a run out sends one to the site. ``there``: one stands there,
        started by whoever runs the site (``heliolake execute``), and takes up what runs have for it.
    egress
        Seconds by which one gigabyte fetched from here counts as more than its way takes; for networks that
        are paid for.
    """

    rse: str
    storage: str = "posix"
    credentials: WholePath | None = None
    dask: Dask = LocalDask()
    drained: bool = False
    embargoed: Literal["all"] | tuple[str, ...] = EVERYTHING
    executor: Literal["sent", "there"] = "sent"
    egress: Annotated[float, Field(ge=0)] = 0.0

    @property
    def embedded(self) -> bool:
        """Whether this home runs its storage."""
        return self.storage in ("posix", "s3")

    def may_hold(self, scope: str) -> bool:
        """Whether data of an instrument may lie here while they are under embargo."""
        return self.embargoed == EVERYTHING or scope in self.embargoed

    @field_validator("rse")
    @classmethod
    def _an_rse(cls, rse: str) -> str:
        if not _RSE.fullmatch(rse):
            raise ValueError(f"{rse!r} is no name of a storage element: capitals, digits, - and _")
        return rse

    @model_validator(mode="after")
    def _whole(self) -> Site:
        if not self.embedded and "://" not in self.storage:
            raise ValueError(f"storage {self.storage!r} is neither posix, s3 nor the URL of a store")
        return self


class Link(_Model):
    """How fast bytes get from one site to another.

    Attributes
    ----------
    source, target
        Names of sites.
    bandwidth
        Bytes per second.
    """

    source: str
    target: str
    bandwidth: Annotated[float, Field(gt=0)]


class Copies(_Model):
    """How many copies of an instrument's products there are to be, and where they may lie.

    Attributes
    ----------
    copies
        How many.
    sites
        Names of the sites among which they are; all where none is named.
    """

    copies: PositiveInt = 1
    sites: tuple[str, ...] = ()


class Sites(_Model):
    """All that ``sites.yaml`` says.

    Attributes
    ----------
    sites
        By name; the one called `HOME` is the home itself.
    links
        Where nothing is said of a way, `bandwidth` holds.
    bandwidth
        Bytes per second.
    latency
        Seconds until what was asked for begins to come: Rucio's daemons go their rounds.
    copies
        By instrument; ``default`` is for the others.
    """

    sites: dict[str, Site] = {}
    links: tuple[Link, ...] = ()
    bandwidth: Annotated[float, Field(gt=0)] = 100e6
    latency: Annotated[float, Field(ge=0)] = 10.0
    copies: dict[str, Copies] = {}

    @model_validator(mode="after")
    def _known(self) -> Sites:
        for name in self.sites:
            if not _NAME.fullmatch(name):
                raise ValueError(f"{name!r} is no name of a site: small letters, digits and -")
        rses = [site.rse for site in self.sites.values()]
        if twice := {rse for rse in rses if rses.count(rse) > 1}:
            raise ValueError(f"two sites have the storage element {min(twice)}")
        named = {name for link in self.links for name in (link.source, link.target)}
        named |= {name for rule in self.copies.values() for name in rule.sites}
        if strange := named - self.sites.keys() - {HOME}:
            raise ValueError(f"there is no site {min(strange)!r}")
        return self

    def seconds(self, source: str, target: str, size: int) -> float:
        """How long bytes take from one site to another, what they cost included."""
        if source == target:
            return 0.0
        speed = next(
            (one.bandwidth for one in self.links if (one.source, one.target) == (source, target)),
            self.bandwidth,
        )
        egress = self.sites[source].egress if source in self.sites else 0.0
        return size / speed + egress * size / 1e9

    def copies_of(self, scope: str) -> Copies:
        """How many copies of an instrument's products there are to be."""
        return self.copies.get(scope) or self.copies.get("default") or Copies()
