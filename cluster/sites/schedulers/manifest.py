"""The ``DaskCluster`` that the Dask operator of a Kubernetes is asked to keep."""

from __future__ import annotations

from typing import Any, Final

from cluster.sites.site import KubernetesDask
from cluster.workers import worker_environment
from lake.errors import Fatal

PORT: Final = 8786
#: Label that says whose the cluster is: a home closes none but its own.
OWNER: Final = "heliolake-owner"
TLS_FOLDER: Final = "/etc/heliolake/tls"
_SCRATCH: Final = "/scratch"
_GROUP: Final = 10001
_TLS: Final = {
    f"DASK_DISTRIBUTED__COMM__TLS__{role}__{part}": f"{TLS_FOLDER}/{file}"
    for role in ("SCHEDULER", "WORKER", "CLIENT")
    for part, file in (("KEY", "tls.key"), ("CERT", "tls.crt"))
} | {
    "DASK_DISTRIBUTED__COMM__TLS__CA_FILE": f"{TLS_FOLDER}/ca.crt",
    "DASK_DISTRIBUTED__COMM__REQUIRE_ENCRYPTION": "True",
}


def host(dask: KubernetesDask) -> str:
    """Name of the scheduler within the Kubernetes."""
    return f"{dask.cluster}-scheduler.{dask.namespace}.svc.cluster.local"


def protocol(dask: KubernetesDask) -> str:
    """What the cluster speaks: encrypted where there is a secret for it."""
    return "tls" if dask.secret else "tcp"


def manifest(dask: KubernetesDask, owner: str) -> dict[str, Any]:
    """The cluster to be created.

    Parameters
    ----------
    dask
        The description.
    owner
        Whose it is.

    Raises
    ------
    lake.errors.Fatal
        When the description names no image.
    """
    if not dask.image:
        raise Fatal(
            f"there is no DaskCluster {dask.cluster} in namespace {dask.namespace}, and to make one an image "
            "with Heliolake is needed; name it in the site's settings"
        )
    labels = {"app.kubernetes.io/managed-by": "heliolake", OWNER: owner}
    return {
        "apiVersion": "kubernetes.dask.org/v1",
        "kind": "DaskCluster",
        "metadata": {"name": dask.cluster, "namespace": dask.namespace, "labels": labels},
        "spec": {
            "scheduler": {"spec": _scheduler(dask), "service": _service(dask)},
            "worker": {"replicas": dask.workers, "spec": _worker(dask)},
        },
    }


def _scheduler(dask: KubernetesDask) -> dict[str, Any]:
    health = {"httpGet": {"path": "/health", "port": "http-dashboard"}}
    ports = [
        {"name": "tcp-comm", "containerPort": PORT, "protocol": "TCP"},
        {"name": "http-dashboard", "containerPort": 8787, "protocol": "TCP"},
    ]
    arguments = [f"--port={PORT}", "--dashboard-address=:8787"]
    container = _container(dask, "scheduler", arguments, memory="2Gi", cpus="1")
    probes = {"startupProbe": health | {"failureThreshold": 60, "periodSeconds": 2}, "readinessProbe": health}
    return _pod(dask, container | {"ports": ports} | probes)


def _worker(dask: KubernetesDask) -> dict[str, Any]:
    # Dask reads Mi and Gi as the Kubernetes does. A tenth is left to the process that watches the worker.
    arguments = [
        f"{protocol(dask)}://{host(dask)}:{PORT}",
        "--name=$(DASK_WORKER_NAME)",
        "--nthreads=1",
        f"--memory-limit={_nine_tenths(dask.memory)}",
        f"--local-directory={_SCRATCH}",
        "--no-dashboard",
        "--death-timeout=120",
    ]
    return _pod(dask, _container(dask, "worker", arguments, memory=dask.memory, cpus=dask.cpus))


def _nine_tenths(memory: str) -> str:
    unit = memory[-2:]
    power = 1024 ** ("KMGT".index(unit[0]) + 1)
    return f"{int(float(memory[:-2]) * power * 0.9 / 2**20)}MiB"


def _container(
    dask: KubernetesDask, role: str, arguments: list[str], *, memory: str, cpus: str
) -> dict[str, Any]:
    # Places that a user without a home folder may write to.
    variables = worker_environment() | {"HOME": _SCRATCH, "XDG_CACHE_HOME": f"{_SCRATCH}/cache"}
    mounts: list[dict[str, Any]] = [
        {"name": "scratch", "mountPath": _SCRATCH},
        {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108
    ]
    if dask.secret:
        variables |= _TLS
        mounts.append({"name": "tls", "mountPath": TLS_FOLDER, "readOnly": True})
    # `args`, not `command`: the image may have an entry point; the operator looks into them too.
    return {
        "name": role,
        "image": dask.image,
        "args": ["python", "-m", f"distributed.cli.dask_{role}", f"--protocol={protocol(dask)}", *arguments],
        "env": [{"name": name, "value": value} for name, value in sorted(variables.items())],
        "resources": {"requests": {"cpu": cpus, "memory": memory}, "limits": {"memory": memory}},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": mounts,
    }


def _pod(dask: KubernetesDask, container: dict[str, Any]) -> dict[str, Any]:
    volumes: list[dict[str, Any]] = [{"name": name, "emptyDir": {}} for name in ("scratch", "tmp")]
    if dask.secret:
        # The group of the pod may read it, for nobody knows here as whom the image runs.
        volumes.append({"name": "tls", "secret": {"secretName": dask.secret, "defaultMode": 0o440}})
    return {
        "automountServiceAccountToken": False,
        "securityContext": {
            "runAsNonRoot": True,
            "fsGroup": _GROUP,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [container],
        "volumes": volumes,
    }


def _service(dask: KubernetesDask) -> dict[str, Any]:
    return {
        "type": "ClusterIP",
        "selector": {"dask.org/cluster-name": dask.cluster, "dask.org/component": "scheduler"},
        "ports": [
            {"name": name, "protocol": "TCP", "port": port, "targetPort": name}
            for name, port in (("tcp-comm", PORT), ("http-dashboard", 8787))
        ],
    }
