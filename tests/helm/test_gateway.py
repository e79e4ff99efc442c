"""The values for the Dask Gateway's own chart give its clusters what Heliolake needs."""

from __future__ import annotations

from typing import Any

import kubernetes_validate
import pytest
import yaml

from cluster.workers import worker_environment
from tests.helm.tool import CHART, NEWEST

VALUES: dict[str, Any] = yaml.safe_load((CHART / "examples" / "dask-gateway.yaml").read_text())
BACKEND = VALUES["gateway"]["backend"]


def test_clusters_have_the_variables_of_workers_anywhere() -> None:
    assert worker_environment().items() <= BACKEND["environment"].items()


@pytest.mark.parametrize("role", ["scheduler", "worker"])
def test_kubernetes_takes_its_pods_and_they_have_no_rights(role: str) -> None:
    container = {"name": "dask", "image": "x"} | BACKEND[role]["extraContainerConfig"]
    spec = BACKEND[role]["extraPodConfig"] | {"containers": [container]}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": role}, "spec": spec}
    kubernetes_validate.validate(pod, NEWEST, strict=True)
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert {one["name"] for one in container["volumeMounts"]} == {one["name"] for one in spec["volumes"]}


def test_the_gateway_takes_its_configuration_and_offers_what_sites_ask_for() -> None:
    """The code that the chart adds to the gateway's configuration, read by the gateway's own classes."""
    from dask_gateway_server.backends.base import Backend
    from dask_gateway_server.backends.kubernetes.backend import KubeClusterConfig
    from dask_gateway_server.models import User
    from traitlets.config import Config

    config = Config()
    exec(VALUES["gateway"]["extraConfig"]["heliolake"], {"c": config})  # noqa: S102
    made = KubeClusterConfig(config=config)
    assert made.scheduler_cmd[:2] == made.worker_cmd[:2] == ["python", "-m"]
    assert made.idle_timeout == 1800
    options = Backend(config=config).cluster_options
    several = yaml.safe_load((CHART / "examples" / "several-sites.yaml").read_text())
    asked = several["dask"]["gateway"]["options"]
    parsed = options.parse_options(asked)
    assert options.get_configuration(parsed, User("executor")) == {
        "worker_memory": int(asked["worker_memory"] * 2**30),
        "worker_cores": 1,
        "worker_threads": 1,
    }
