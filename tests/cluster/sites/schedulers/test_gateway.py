"""A real Dask Gateway that runs clusters as processes of this machine: made, shared, closed, and refused."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from cluster.connect import connected
from cluster.run.execute import DaskExecution
from cluster.sites.schedulers.opening import opened
from cluster.sites.site import GatewayDask
from cluster.workers import worker_environment
from lake.errors import Fatal, Retriable
from pipeline import Recipe
from pipeline.outcome import Status
from tests.cluster.run.test_execute import carried_out, job
from tests.guarded import Guarded, free_ports
from tests.pipeline.conftest import toy_instrument  # noqa: F401 - a fixture
from tests.toy import RECIPE

for needed in ("dask_gateway", "dask_gateway_server"):
    pytest.importorskip(needed, reason="Dask Gateway is not installed: pip install 'heliolake[test]'")

_PATIENCE_S = 120

_CONFIG = """
from dask_gateway_server.options import Integer, Options
c.DaskGateway.backend_class = "dask_gateway_server.backends.local.UnsafeLocalBackend"
c.DaskGateway.address = "127.0.0.1:{api}"
c.Proxy.address = "127.0.0.1:{web}"
c.Proxy.tcp_address = "127.0.0.1:{tcp}"
c.SimpleAuthenticator.password = "open sesame"
# Dask has no scripts of these names any more.
c.ClusterConfig.scheduler_cmd = ["{python}", "-m", "distributed.cli.dask_scheduler"]
c.ClusterConfig.worker_cmd = ["{python}", "-m", "distributed.cli.dask_worker"]
c.ClusterConfig.worker_cores = 1
c.ClusterConfig.worker_memory = "600 M"
c.ClusterConfig.environment = {environment}
c.UnsafeLocalBackend.clusters_directory = "{folder}"
def named(options):
    return {{"idle_timeout": options.idle}}
c.Backend.cluster_options = Options(Integer("idle", default=600, min=0), handler=named)
"""


class Served(NamedTuple):
    """A gateway that runs."""

    web: str
    tcp: str
    password: Path

    def described(self, **more: Any) -> GatewayDask:
        asked: dict[str, Any] = {"address": self.web, "proxy": self.tcp, "username": "ada"}
        asked |= {"password_file": self.password, "patience": _PATIENCE_S}
        return GatewayDask.model_validate(asked | more)

    @contextmanager
    def client(self) -> Iterator[Any]:
        from dask_gateway import BasicAuth, Gateway

        gateway = Gateway(self.web, proxy_address=self.tcp, auth=BasicAuth("ada", "open sesame"))
        try:
            yield gateway
        finally:
            gateway.close()
            vars(gateway).pop("_loop_runner")  # see cluster.sites.schedulers.gateway

    def clusters(self) -> list[str]:
        """Names of the clusters that run."""
        with self.client() as gateway:
            return [one.name for one in gateway.list_clusters()]

    def await_none(self) -> None:
        """Wait until none runs: the gateway says yes to the end of a cluster before it comes."""
        deadline = time.monotonic() + _PATIENCE_S
        while left := self.clusters():
            assert time.monotonic() < deadline, left
            time.sleep(0.2)


@pytest.fixture(scope="module")
def served(
    toy_instrument: Path,  # noqa: F811
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("gateway")
    api, web, tcp = free_ports(3)
    places = {"api": api, "web": web, "tcp": tcp, "folder": folder, "python": sys.executable}
    config = folder / "config.py"
    config.write_text(_CONFIG.format(environment=worker_environment(), **places))
    password = folder / "password"
    password.write_text("open sesame\n")
    variables = {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "PYTHONPATH": os.pathsep.join([str(toy_instrument), os.environ.get("PYTHONPATH", "")]),
    }
    command = (sys.executable, "-m", "dask_gateway_server", "-f", str(config))
    with Guarded(command, folder / "said", variables) as server:
        served = Served(f"http://127.0.0.1:{web}", f"tls://127.0.0.1:{tcp}", password)
        _await(served, server)
        yield served


def _await(served: Served, server: Guarded) -> None:
    deadline = time.monotonic() + _PATIENCE_S
    while True:
        try:
            served.clusters()
        except Exception:
            assert server.runs, server.said()
            assert time.monotonic() < deadline, server.said()
            time.sleep(0.2)
        else:
            return


@pytest.mark.slow
def test_recipes_run_on_a_cluster_that_the_last_run_closes(served: Served, tmp_path: Path) -> None:
    dask, folder = served.described(), tmp_path / "way"
    with opened(dask, folder) as scheduler, connected(scheduler) as client:
        manifests = carried_out(client, [job(tmp_path, f"w{n}") for n in range(3)])
        assert {one.outcome.status for one in manifests.values()} == {Status.DONE}
        (first,) = served.clusters()
        with opened(dask, folder) as second:
            assert second.address == scheduler.address
        (still,) = served.clusters()
        assert still == first
    assert not (folder / "gateway").exists()
    served.await_none()


@pytest.mark.slow
def test_what_a_killed_run_left_is_found_again(served: Served, tmp_path: Path) -> None:
    dask, folder = served.described(), tmp_path / "way"
    command = (sys.executable, "-c", _OPENED, dask.model_dump_json(), str(folder))
    with Guarded(command, tmp_path / "said") as run:
        while "open" not in run.said():
            assert run.runs, run.said()
            time.sleep(0.1)
        run.kill()
    (left,) = served.clusters()
    with opened(dask, folder) as scheduler:
        assert scheduler.address.endswith(left)
    served.await_none()


_OPENED = """
import sys, time
from pathlib import Path
from cluster.run.execute import DaskExecution
from cluster.sites.schedulers.opening import opened
from cluster.sites.site import GatewayDask
if __name__ == "__main__":
    with opened(GatewayDask.model_validate_json(sys.argv[1]), Path(sys.argv[2])):
        print("open", flush=True)
        time.sleep(600)
"""


@pytest.mark.slow
def test_a_run_goes_on_when_its_worker_is_killed(served: Served, tmp_path: Path) -> None:
    jobs = [job(tmp_path, f"k{n}") for n in range(8)]
    with opened(served.described(), tmp_path / "way") as scheduler, connected(scheduler) as client:
        manifests = DaskExecution(client, Recipe.parse(RECIPE))(jobs)
        done = [next(manifests)]
        (nanny,) = client.run(os.getppid).values()
        os.kill(nanny, signal.SIGKILL)
        done += manifests
    assert [one.outcome.status for one in done] == [Status.DONE] * 8
    served.await_none()


@pytest.mark.slow
def test_a_cluster_of_other_people_is_used_and_left(served: Served, tmp_path: Path) -> None:
    with served.client() as gateway:
        name = gateway.submit()
        while gateway.get_cluster(name).status.name != "RUNNING":
            time.sleep(0.2)
        gateway.scale_cluster(name, 1)
        with opened(served.described(cluster=name), tmp_path / "way") as scheduler:
            assert scheduler.address.endswith(name)
        assert served.clusters() == [name]
        gateway.stop_cluster(name)
    served.await_none()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"username": "eve", "password_file": "wrong"}, r"does not let us in \(401\); see username and"),
        ({"options": {"idle": -1}}, r"refuses: .*idle.*mend the site's settings"),
        ({"options": {"moon": 1}}, r"refuses: .*moon"),
        ({"cluster": "nobodys"}, r"refuses: .*nobodys"),
        ({"auth": "jupyterhub"}, r"asks for a token of JupyterHub; set JUPYTERHUB_API_TOKEN or"),
        ({"auth": "jupyterhub", "token_file": "token"}, r"does not let us in \(401\); see the token"),
        ({"password_file": "none"}, r"password_file .*/none cannot be read: No such file"),
        ({"password_file": "empty"}, r"password_file .*/empty is empty"),
    ],
)
def test_what_the_gateway_refuses_is_said_in_words(
    asked: dict[str, Any], said: str, served: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("JUPYTERHUB_API_TOKEN", raising=False)
    for name, content in (("wrong", "open barley"), ("token", "abc"), ("empty", "")):
        (tmp_path / name).write_text(content)
    files = {name: tmp_path / value for name, value in asked.items() if name.endswith("_file")}
    with (
        pytest.raises(Fatal, match=said),
        opened(served.described(**(asked | files)), tmp_path / "way"),
    ):
        pass
    assert not served.clusters()


def test_a_gateway_that_does_not_answer_is_named(tmp_path: Path) -> None:
    (tmp_path / "password").write_text("open sesame")
    dask = Served("http://127.0.0.1:1", "tls://127.0.0.1:1", tmp_path / "password").described()
    with (
        pytest.raises(Retriable, match=r"the gateway at http://127\.0\.0\.1:1 does not answer"),
        opened(dask, tmp_path / "way"),
    ):
        pass
