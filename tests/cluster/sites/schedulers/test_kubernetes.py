"""A cluster of the Dask operator.

No Kubernetes is to be had here: what it would be sent is held against the operator's own schema and that of
Kubernetes, the commands of the pods are run, and a stand-in plays the API server.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlsplit

import pytest
import yaml

from cluster.connect import connected
from cluster.sites.schedulers import kubernetes
from cluster.sites.schedulers.manifest import TLS_FOLDER, host, manifest
from cluster.sites.schedulers.opening import opened
from cluster.sites.site import KubernetesDask
from lake.errors import Fatal, Retriable
from tests.cluster.sites.schedulers.authority import Authority, Pair
from tests.guarded import Guarded, free_ports

for needed in ("kr8s", "dask_kubernetes", "kubernetes_validate", "jsonschema"):
    pytest.importorskip(needed, reason=f"{needed} is not installed: pip install 'heliolake[test]'")

_PATIENCE_S = 120
_VERSION = "1.32"
IMAGE = "registry.example.org/heliolake:1"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("tls") / "site")


@pytest.fixture(scope="module")
def ours(authority: Authority) -> Pair:
    return authority.sign("client")


def described(authority: Authority, ours: Pair, **more: Any) -> KubernetesDask:
    files = {"ca": authority.ca, "certificate": ours.certificate, "key": ours.key}
    asked = {"namespace": "sun", "image": IMAGE, "secret": "dask-tls", "patience": _PATIENCE_S} | files
    return KubernetesDask.model_validate(asked | more)


@pytest.fixture(params=["tls", "tcp"])
def made(request: pytest.FixtureRequest, authority: Authority, ours: Pair) -> dict[str, Any]:
    secret = "dask-tls" if request.param == "tls" else None
    return manifest(described(authority, ours, secret=secret, memory="6Gi", cpus="500m", workers=3), "me")


def strict(schema: dict[str, Any]) -> dict[str, Any]:
    """A schema that takes nothing it does not know."""
    if "properties" in schema and not schema.get("x-kubernetes-preserve-unknown-fields"):
        schema.setdefault("additionalProperties", False)
    for part in [*schema.get("properties", {}).values(), schema.get("items")]:
        if isinstance(part, dict):
            strict(part)
    return schema


def test_the_operator_takes_the_manifest(made: dict[str, Any]) -> None:
    import dask_kubernetes
    import jsonschema

    folder = Path(dask_kubernetes.__file__).parent / "operator/deployment/helm/dask-kubernetes-operator/crds"
    (version,) = yaml.safe_load((folder / "daskcluster.yaml").read_text())["spec"]["versions"]
    schema = strict(version["schema"]["openAPIV3Schema"]["properties"]["spec"])
    jsonschema.validate(made["spec"], schema)
    made["spec"]["worker"]["spec"]["containers"][0]["imagePullPolice"] = "Always"
    with pytest.raises(jsonschema.ValidationError, match="imagePullPolice"):
        jsonschema.validate(made["spec"], schema)


def test_kubernetes_takes_what_the_operator_makes_of_it(made: dict[str, Any]) -> None:
    from kubernetes_validate import validate

    for one in operated(made):
        validate(one, _VERSION, strict=True)


def operated(made: dict[str, Any]) -> list[dict[str, Any]]:
    """What the operator itself would create for a cluster."""
    from dask_kubernetes.operator.controller import controller as operator

    name, namespace = made["metadata"]["name"], made["metadata"]["namespace"]
    spec, labels = made["spec"], made["metadata"]["labels"]
    worker = (f"{name}-default", namespace, name, "0", spec["worker"]["spec"])
    return [
        operator.build_scheduler_deployment_spec(name, spec["scheduler"]["spec"], {}, labels),
        operator.build_scheduler_service_spec(name, spec["scheduler"]["service"], {}, labels),
        operator.build_worker_deployment_spec(*worker, {}, labels),
    ]


def test_pods_have_no_more_rights_than_they_need(made: dict[str, Any]) -> None:
    for part in ("scheduler", "worker"):
        pod = made["spec"][part]["spec"]
        (container,) = pod["containers"]
        assert pod["automountServiceAccountToken"] is False
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert container["securityContext"]["readOnlyRootFilesystem"] is True
        assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}


@contextmanager
def pods(dask: KubernetesDask, authority: Authority, folder: Path) -> Iterator[tuple[str, str]]:
    """The commands of the pods as processes here: the ports of the scheduler and of its pages."""
    pair = authority.sign("pods")
    tls = folder / "tls"
    tls.mkdir()
    for name, file in (("ca.crt", authority.ca), ("tls.crt", pair.certificate), ("tls.key", pair.key)):
        (tls / name).symlink_to(file)
    port, page = map(str, free_ports(2))
    here = {"8786": port, "8787": page, TLS_FOLDER: str(tls), host(dask): "127.0.0.1"}
    here |= {"/scratch": str(folder), "$(DASK_WORKER_NAME)": "one"}
    deployed = [one for one in operated(manifest(dask, "me")) if one["kind"] == "Deployment"]
    with ExitStack() as stack:
        for number, one in enumerate(deployed):
            (container,) = one["spec"]["template"]["spec"]["containers"]
            words = [_replaced(word, here) for word in container["args"]]
            variables = {each["name"]: _replaced(each["value"], here) for each in container["env"]}
            command = [sys.executable, *words[1:]]
            stack.enter_context(Guarded(command, folder / f"{number}.said", variables))
        yield port, page


def _replaced(text: str, here: dict[str, str]) -> str:
    for there, mine in here.items():
        text = text.replace(there, mine)
    return text


@pytest.fixture(scope="module")
def running(
    authority: Authority, ours: Pair, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, str]]:
    with pods(described(authority, ours), authority, tmp_path_factory.mktemp("pods")) as ports:
        yield ports


class StandIn(BaseHTTPRequestHandler):
    """Keeps what it is sent, as an API server would; nothing else of a Kubernetes is here."""

    kept: ClassVar[dict[str, dict[str, Any]]] = {}
    refusing: ClassVar[int] = 0
    kubeconfig: ClassVar[Path] = Path()

    def do_GET(self) -> None:
        if self.path.startswith("/version"):
            self._answer(200, {"gitVersion": f"v{_VERSION}.0"})
            return
        selectors = parse_qs(urlsplit(self.path).query)["fieldSelector"][0].split(",")
        found = [one for name, one in self.kept.items() if f"metadata.name={name}" in selectors]
        self._answer(200, {"kind": "DaskClusterList", "metadata": {}, "items": found})

    def do_POST(self) -> None:
        made = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.kept[made["metadata"]["name"]] = made
        self._answer(201, made)

    def do_DELETE(self) -> None:
        self._answer(200, self.kept.pop(self.path.rpartition("/")[2].partition("?")[0]))

    def _answer(self, status: int, said: dict[str, Any]) -> None:
        told = {"kind": "Status", "status": "Failure", "message": "you may not", "code": self.refusing}
        content = json.dumps(told if self.refusing else said).encode()
        self.send_response(self.refusing or status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def api(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[type[StandIn]]:
    monkeypatch.setattr(StandIn, "kept", {})
    monkeypatch.setattr(StandIn, "refusing", 0)
    with ThreadingHTTPServer(("127.0.0.1", 0), StandIn) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setattr(StandIn, "kubeconfig", configured(tmp_path, server.server_port))
        yield StandIn
        server.shutdown()


def configured(folder: Path, port: int) -> Path:
    """The file that tells the client of a Kubernetes where its API server is."""
    one = {"name": "one"}
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [one | {"cluster": {"server": f"http://127.0.0.1:{port}"}}],
        "users": [one | {"user": {"token": "none"}}],
        "contexts": [one | {"context": {"cluster": "one", "user": "one"}}],
        "current-context": "one",
    }
    file = folder / "kubeconfig"
    file.write_text(yaml.safe_dump(config))
    return file


@pytest.fixture
def here(running: tuple[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """The name of the scheduler means the pods' commands that run here."""
    monkeypatch.setattr(kubernetes, "host", lambda _: "127.0.0.1")
    monkeypatch.setattr(kubernetes, "PORT", int(running[0]))


@pytest.mark.slow
def test_commands_of_the_pods_make_an_encrypted_cluster_that_tells_its_health(
    running: tuple[str, str],
) -> None:
    deadline = time.monotonic() + _PATIENCE_S
    while True:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{running[1]}/health", timeout=5) as answer:
                assert answer.status == 200
                return
        except OSError:
            assert time.monotonic() < deadline
            time.sleep(0.2)


@pytest.mark.slow
@pytest.mark.usefixtures("here")
def test_a_cluster_is_made_used_and_deleted(
    api: type[StandIn], authority: Authority, ours: Pair, tmp_path: Path
) -> None:
    dask = described(authority, ours, kubeconfig=api.kubeconfig)
    with opened(dask, tmp_path / "way") as scheduler, connected(scheduler) as client:
        assert set(client.run(lambda: os.environ["OMP_NUM_THREADS"]).values()) == {"1"}
        (kept,) = api.kept.values()
        assert kept["spec"] == manifest(dask, "me")["spec"]
        with opened(dask, tmp_path / "way"):
            pass
        assert set(api.kept) == {"heliolake"}
    assert not api.kept


@pytest.mark.slow
@pytest.mark.usefixtures("here")
def test_a_cluster_that_others_made_is_used_and_left(
    api: type[StandIn], authority: Authority, ours: Pair, tmp_path: Path
) -> None:
    dask = described(authority, ours, image="", kubeconfig=api.kubeconfig)
    api.kept["heliolake"] = manifest(described(authority, ours), "somebody else")
    with opened(dask, tmp_path / "way"):
        pass
    assert set(api.kept) == {"heliolake"}


@pytest.mark.parametrize(
    ("status", "kind", "said"),
    [
        (403, Fatal, "the Kubernetes refuses: .*may not.*have the site's account allowed to"),
        (404, Fatal, "knows no DaskCluster in namespace sun; have the Dask operator"),
        (500, Retriable, "the Kubernetes fails: .*try again later"),
    ],
)
def test_what_the_kubernetes_refuses_is_said_in_words(
    status: int,
    kind: type[Exception],
    said: str,
    api: type[StandIn],
    authority: Authority,
    ours: Pair,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(api, "refusing", status)
    refused(described(authority, ours, kubeconfig=api.kubeconfig), tmp_path, kind, said)


def test_a_cluster_that_is_not_there_is_not_made_without_an_image(
    api: type[StandIn], authority: Authority, ours: Pair, tmp_path: Path
) -> None:
    said = "no DaskCluster heliolake in namespace sun, and to make one an image with Heliolake is needed"
    dask = described(authority, ours, image="", kubeconfig=api.kubeconfig)
    refused(dask, tmp_path, Fatal, said)


def test_a_kubernetes_that_does_not_answer_or_cannot_be_asked_is_said_in_words(
    authority: Authority, ours: Pair, tmp_path: Path
) -> None:
    dask = described(authority, ours, kubeconfig=configured(tmp_path, 1))
    refused(dask, tmp_path, Retriable, "the Kubernetes does not answer")
    dask = described(authority, ours, kubeconfig=tmp_path / "none")
    refused(dask, tmp_path, Fatal, "the Kubernetes cannot be asked: .*see kubeconfig")


def refused(dask: KubernetesDask, folder: Path, kind: type[Exception], said: str) -> None:
    with pytest.raises(kind, match=said), opened(dask, folder / "way"):
        pass
