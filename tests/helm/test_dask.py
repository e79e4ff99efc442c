"""The Dask cluster of the chart, run here: command lines, settings, and the certificates that Helm makes."""

from __future__ import annotations

import base64
import json
import os
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from cluster.connect import connected
from cluster.scheduler import Scheduler
from cluster.sites import file as sites_file
from cluster.sites.schedulers.opening import opened
from tests.guarded import Guarded
from tests.helm.tool import of_kind, pods, settings

Documents = list[dict[str, Any]]


class Here:
    """Where the files of containers are on this machine."""

    def __init__(self, documents: Documents, folder: Path) -> None:
        self.folder = folder
        self.pods = pods(documents)
        for name in ("secrets", "dask", "cache", "scratch"):
            (folder / name).mkdir()
        (secret,) = of_kind(documents, "Secret")
        for name, content in secret["data"].items():
            (folder / "secrets" / name).write_bytes(base64.b64decode(content))
        (folder / "dask" / "dask.yaml").write_text(self.put(settings(documents)["dask.yaml"]))
        (folder / "sites.yaml").write_text(self.put(settings(documents)["sites.yaml"]))

    def put(self, text: str) -> str:
        """A text of a container, with the paths of this machine."""
        for there, here in (
            ("/run/secrets/dask", "secrets"),
            ("/etc/heliolake/dask", "dask"),
            ("/cache", "cache"),
            ("/scratch", "scratch"),
        ):
            text = text.replace(there, str(self.folder / here))
        return text

    def started(self, name: str, **changed: str) -> Guarded:
        """A container's process; options that name what this machine has not are others."""
        (container,) = self.pods[f"Deployment centre-heliolake-{name}"]["containers"]
        _, *words = (self.put(word) for word in container["args"])
        given = dict.fromkeys(("host", "scheduler-file"), "") | changed
        words = [one for one in words if one.removeprefix("--").partition("=")[0] not in given]
        words += [f"--{option.replace('_', '-')}={value}" for option, value in given.items() if value]
        variables = {one["name"]: self.put(one["value"]) for one in container["env"]}
        return Guarded([sys.executable, *words], self.folder / f"{name}.log", variables)


@pytest.fixture(scope="module")
def cluster(
    all_rendered: dict[str, Documents], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Here, str, int]]:
    """The laptop's cluster: address of the scheduler, port of its dashboard."""
    here = Here(all_rendered["laptop"], tmp_path_factory.mktemp("chart"))
    told = here.folder / "scheduler.json"
    options = {"host": "tls://127.0.0.1", "port": "0", "dashboard-address": "127.0.0.1:0"}
    with here.started("scheduler", **options, **{"scheduler-file": str(told)}) as scheduler:
        while not (told.exists() and told.read_text().strip()):
            assert scheduler.runs, scheduler.said()
            time.sleep(0.05)
        known = json.loads(told.read_text())
        there = "tls://centre-heliolake-scheduler:8786"
        (container,) = here.pods["Deployment centre-heliolake-worker"]["containers"]
        container["args"] = [known["address"] if word == there else word for word in container["args"]]
        with here.started("worker", host="127.0.0.1"):
            yield here, known["address"], known["services"]["dashboard"]


def test_an_executor_opens_it_by_the_chart_s_sites_and_it_computes(cluster: tuple[Here, str, int]) -> None:
    here, address, _ = cluster
    file = here.folder / "sites.yaml"
    file.write_text(file.read_text().replace("tls://centre-heliolake-scheduler:8786", address))
    site = sites_file.read(file).sites["laptop"]
    with opened(site.dask, here.folder / "site") as scheduler, connected(scheduler) as client:
        client.wait_for_workers(2, timeout=120)
        assert client.submit(sum, [20, 22]).result(timeout=60) == 42
        limits = {one["memory_limit"] for one in client.scheduler_info(n_workers=-1)["workers"].values()}
        assert limits == {1536 * 2**20}
        for said in client.run(setup_of_a_worker).values():
            assert said == {
                "OMP_NUM_THREADS": "1",
                "MALLOC_TRIM_THRESHOLD_": str(2**30),
                "fuse": "False",
                "spawn": "spawn",
                "folder": "True",
            }


def setup_of_a_worker(dask_worker: Any) -> dict[str, str]:
    """What a worker finds around it."""
    import dask.config

    told = {name: os.environ[name] for name in ("OMP_NUM_THREADS", "MALLOC_TRIM_THRESHOLD_")}
    told["fuse"] = str(dask.config.get("optimization.fuse.active"))
    told["spawn"] = str(dask.config.get("distributed.worker.multiprocessing-method"))
    told["folder"] = str(dask_worker.local_directory.startswith(dask.config.get("temporary-directory")))
    return told


def test_who_shows_no_certificate_is_not_let_in(cluster: tuple[Here, str, int]) -> None:
    _, address, _ = cluster
    with pytest.raises(Exception, match=r"TLS|security|answer"), connected(Scheduler(address)):
        pass


def test_kubernetes_sees_that_the_scheduler_is_well(cluster: tuple[Here, str, int]) -> None:
    here, _, port = cluster
    (container,) = here.pods["Deployment centre-heliolake-scheduler"]["containers"]
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        path = container[probe]["httpGet"]["path"]
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=30) as answer:
            assert answer.status == 200


def test_workers_forget_no_setting_that_is_a_file(cluster: tuple[Here, str, int]) -> None:
    here, _, _ = cluster
    said = yaml.safe_load((here.folder / "dask" / "dask.yaml").read_text())
    assert said["distributed"]["comm"]["require-encryption"] is True
    for pair in (said["distributed"]["comm"]["tls"][role] for role in ("scheduler", "worker", "client")):
        assert all(Path(file).is_file() for file in pair.values())
