"""What Helm renders is what Kubernetes takes, and no more than a container needs."""

from __future__ import annotations

import copy
import ipaddress
from collections.abc import Mapping
from typing import Any

import kubernetes_validate
import pytest
import yaml

from cluster.home.elsewhere import LakeSettings
from tests.helm.conftest import EXAMPLES
from tests.helm.tool import CHART, NEWEST, OLDEST, helm, of_kind, pods, render, settings

Documents = list[dict[str, Any]]
SETS = [str(CHART / "examples" / f"{name}.yaml") for name in EXAMPLES]


@pytest.mark.parametrize("values", SETS)
def test_helm_finds_nothing_to_complain_about(values: str) -> None:
    done = helm("lint", "--strict", str(CHART), "--values", values)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_examples_show_each_kind_of_cluster(all_rendered: dict[str, Documents]) -> None:
    kinds = {name: {one["kind"] for one in documents} for name, documents in all_rendered.items()}
    assert {"Deployment", "Service", "Secret"} <= kinds["laptop"]
    assert "DaskCluster" in kinds["one-site"]
    assert not {"DaskCluster", "Service"} & kinds["several-sites"]
    assert settings(all_rendered["several-sites"])["sites.yaml"].count("kind: gateway") == 1


def checked(document: Mapping[str, Any], version: str) -> None:
    """Hold a document against Kubernetes' own schema; of the Dask operator's what is Kubernetes' in it."""
    if document["kind"] == "ServiceMonitor":  # the Prometheus operator's; its own test looks into it
        assert document["apiVersion"] == "monitoring.coreos.com/v1"
        return
    if document["kind"] != "DaskCluster":
        kubernetes_validate.validate(dict(document), version, strict=True)
        return
    assert document["apiVersion"] == "kubernetes.dask.org/v1"
    for role in ("scheduler", "worker"):
        pod = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": role},
            "spec": document["spec"][role]["spec"],
        }
        kubernetes_validate.validate(pod, version, strict=True)
    service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "s"}}
    service["spec"] = document["spec"]["scheduler"]["service"]
    kubernetes_validate.validate(service, version, strict=True)


def test_kubernetes_takes_every_document(rendered: Documents) -> None:
    for document in rendered:
        checked(document, NEWEST)


def test_the_oldest_kubernetes_takes_them_too() -> None:
    for document in render("--values", SETS[0], kubernetes=OLDEST):
        checked(document, OLDEST)


def test_the_check_itself_finds_what_is_wrong(all_rendered: dict[str, Documents]) -> None:
    for kind, example in (("Deployment", "laptop"), ("DaskCluster", "one-site")):
        document = copy.deepcopy(dict(of_kind(all_rendered[example], kind)[-1]))
        (*_, pod) = pods([document]).values()
        pod["containers"][0]["ressources"] = {}
        with pytest.raises(kubernetes_validate.ValidationError, match="ressources"):
            checked(document, NEWEST)


def test_no_container_is_root_or_can_become_it_or_writes_to_its_image(rendered: Documents) -> None:
    found = pods(rendered)
    assert found
    for name, pod in found.items():
        assert pod["automountServiceAccountToken"] is False, name
        assert "initContainers" not in pod, name
        assert not {"hostNetwork", "hostPID", "hostIPC"} & pod.keys(), name
        assert pod["securityContext"]["runAsNonRoot"] is True, name
        assert pod["securityContext"]["runAsUser"] > 0, name
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}, name
        for container in pod["containers"]:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "runAsNonRoot": True,
                "capabilities": {"drop": ["ALL"]},
            }, name


def test_every_container_has_limits(rendered: Documents) -> None:
    for name, pod in pods(rendered).items():
        for container in pod["containers"]:
            limits = container["resources"]["limits"]
            assert limits.keys() == {"cpu", "memory", "ephemeral-storage"}, name
            assert container["resources"]["requests"] == limits, name


def test_folders_of_a_pod_fit_its_limit_of_local_disk(rendered: Documents) -> None:
    for name, pod in pods(rendered).items():
        folders = [one["emptyDir"] for one in pod["volumes"] if "emptyDir" in one]
        assert all("sizeLimit" in one for one in folders), name
        on_disk = sum(mebibytes(one["sizeLimit"]) for one in folders if one.get("medium") != "Memory")
        (container,) = pod["containers"]
        assert on_disk <= mebibytes(container["resources"]["limits"]["ephemeral-storage"]), name


def mebibytes(text: str) -> int:
    return int(text[:-2]) * {"Mi": 1, "Gi": 1024}[text[-2:]]


def test_whatever_is_mounted_is_a_volume_and_secrets_are_not_for_everybody(rendered: Documents) -> None:
    for name, pod in pods(rendered).items():
        volumes = {one["name"]: one for one in pod["volumes"]}
        mounts = [one for container in pod["containers"] for one in container["volumeMounts"]]
        assert {one["name"] for one in mounts} == volumes.keys(), name
        paths = [one["mountPath"] for one in mounts]
        assert len(paths) == len(set(paths)), name
        for one in mounts:
            volume = volumes[one["name"]]
            assert one.get("readOnly") or volume.keys() & {"emptyDir", "persistentVolumeClaim"}, name
            assert volume.get("secret", {}).get("defaultMode", 0o440) == 0o440, name


def test_no_secret_is_in_a_configmap_a_variable_or_a_command_line(rendered: Documents) -> None:
    """Secrets are named, and mounted as files: what could hold one holds the path of such a file."""
    for document in of_kind(rendered, "ConfigMap"):
        for name, text in document["data"].items():
            if name.endswith(".yaml"):
                assert not list(unguarded(yaml.safe_load(text))), name
            assert "BEGIN" not in text
    for name, pod in pods(rendered).items():
        for container in pod["containers"]:
            assert not container.keys() & {"envFrom"}, name
            assert all(one.keys() == {"name", "value"} for one in container["env"]), name
            assert not list(unguarded({one["name"]: one["value"] for one in container["env"]})), name


def unguarded(value: Any, name: str = "") -> Any:
    """Values under a name that tells of a secret, but for paths below /run/secrets and names of Secrets."""
    if isinstance(value, dict):
        for key, one in value.items():
            yield from unguarded(one, str(key))
    elif isinstance(value, list):
        for one in value:
            yield from unguarded(one, name)
    elif any(
        word in name.lower() for word in ("password", "secret", "token", "key", "credential", "url_file")
    ):
        allowed = str(value).startswith("/run/secrets/") or name in ("secretName", "allowPrivilegeEscalation")
        if not allowed and name != "key":
            yield name, value
        if name == "key" and "/" in str(value) and not allowed:
            yield name, value


def test_a_secret_is_only_made_where_that_is_asked_for(all_rendered: dict[str, Documents]) -> None:
    made = {name: len(of_kind(documents, "Secret")) for name, documents in all_rendered.items()}
    assert made == {"laptop": 1, "one-site": 0, "several-sites": 0}


def test_every_pod_is_under_a_policy_that_refuses_what_it_does_not_name(rendered: Documents) -> None:
    policies = [one["spec"] for one in of_kind(rendered, "NetworkPolicy")]
    assert all(one["policyTypes"] == ["Ingress", "Egress"] for one in policies)
    for labels in labels_of_pods(rendered):
        matching = [one for one in policies if one["podSelector"]["matchLabels"].items() <= labels.items()]
        assert len(matching) == 1, labels


def labels_of_pods(documents: Documents) -> list[dict[str, str]]:
    found = []
    for one in documents:
        if one["kind"] in ("Deployment", "Job"):
            found.append(one["spec"]["template"]["metadata"]["labels"])
        elif one["kind"] == "DaskCluster":  # these the operator gives them
            name = one["metadata"]["name"]
            found += [
                {"dask.org/cluster-name": name, "dask.org/component": role}
                for role in ("scheduler", "worker")
            ]
    return found


def test_selectors_match_the_pods_they_are_meant_for(rendered: Documents) -> None:
    for one in of_kind(rendered, "Deployment"):
        labels = one["spec"]["template"]["metadata"]["labels"]
        assert one["spec"]["selector"]["matchLabels"].items() <= labels.items()
    for one in of_kind(rendered, "Service"):
        assert any(one["spec"]["selector"].items() <= labels.items() for labels in labels_of_pods(rendered))


def test_database_and_rucio_are_for_those_alone_who_need_them(rendered: Documents) -> None:
    """Workers run what a notebook of an operator sends; they have the store, and nothing else."""
    for name, pod in pods(rendered).items():
        volumes = {one["name"] for one in pod["volumes"]}
        assert ("database" in volumes) is ("executor" in name or "migration" in name), name
        assert ("rucio" in volumes) is ("executor" in name), name


def test_nothing_is_reachable_from_outside(rendered: Documents) -> None:
    assert not of_kind(rendered, "Ingress")
    assert all(one["spec"]["type"] == "ClusterIP" for one in of_kind(rendered, "Service"))
    for policy in of_kind(rendered, "NetworkPolicy"):
        for rule in policy["spec"].get("ingress", []):
            assert rule["from"]
            for peer in rule["from"]:
                if "ipBlock" in peer:
                    assert ipaddress.ip_network(peer["ipBlock"]["cidr"]).prefixlen > 8


def test_the_migration_needs_nothing_that_is_made_after_it(rendered: Documents) -> None:
    (job,) = of_kind(rendered, "Job")
    assert job["metadata"]["annotations"]["helm.sh/hook"] == "pre-install,pre-upgrade"
    pod = job["spec"]["template"]["spec"]
    assert "serviceAccountName" not in pod
    made = {one["metadata"]["name"] for one in rendered if one["kind"] in ("ConfigMap", "Secret")}
    for volume in pod["volumes"]:
        assert volume.get("configMap", {}).get("name") not in made
        assert volume.get("secret", {}).get("secretName") not in made


def test_a_change_of_settings_starts_pods_anew() -> None:
    def sums(*options: str) -> set[str]:
        made = of_kind(render("--values", SETS[0], *options), "Deployment")
        return {one["spec"]["template"]["metadata"]["annotations"]["checksum/settings"] for one in made}

    assert sums() == sums()
    assert not sums() & sums("--set", "bandwidth=1")


def test_a_digest_goes_before_the_tag(all_rendered: dict[str, Documents]) -> None:
    images = {
        name: {container["image"] for pod in pods(documents).values() for container in pod["containers"]}
        for name, documents in all_rendered.items()
    }
    assert images["laptop"] == {"localhost/heliolake:0.1.0"}
    (pinned,) = images["one-site"]
    assert pinned.startswith("registry.example.org/sdc/heliolake@sha256:")


READER = ("--set", "dask.dashboard.secret.name=catalogue-reader")


@pytest.mark.parametrize("values", SETS[:2])
def test_the_dashboard_is_told_of_the_lake_where_there_is_a_role_that_may_read(values: str) -> None:
    told = render("--values", values, *READER)
    for name, pod in pods(told).items():
        (container,) = pod["containers"]
        home = [one["value"] for one in container["env"] if one["name"] == "HELIOLAKE_BOARD"]
        if not name.endswith("scheduler"):
            assert not home, name
            continue
        paths = {one["mountPath"] for one in container["volumeMounts"]}
        assert {f"{home[0]}/lake.yaml", f"{home[0]}/sites.yaml"} <= paths
        (board,) = [one["secret"] for one in pod["volumes"] if one["name"] == "board"]
        assert (board["secretName"], board["items"]) == ("catalogue-reader", [{"key": "url", "path": "url"}])
        said = LakeSettings.model_validate(yaml.safe_load(settings(told)["lake.yaml"]))
        assert str(said.database_url_file) == "/run/secrets/database/url"
        assert "/run/secrets/database" in paths
    without = pods(render("--values", values, "--set", "dask.dashboard.secret.name="))
    assert "HELIOLAKE_BOARD" not in str(without)


def egress(documents: Documents) -> list[int]:
    """Ports that the scheduler may talk to."""
    (policy,) = [
        one for one in of_kind(documents, "NetworkPolicy") if one["metadata"]["name"].endswith("scheduler")
    ]
    return [port["port"] for rule in policy["spec"]["egress"] for port in rule["ports"]]


def test_a_scheduler_reaches_the_database_only_for_its_dashboard() -> None:
    assert 5432 not in egress(render("--values", SETS[0]))
    assert {5432, 443} <= set(egress(render("--values", SETS[0], *READER)))


@pytest.mark.parametrize("values", SETS[:2])
def test_prometheus_finds_the_scheduler(values: str) -> None:
    told = render(
        "--values", values, "--set", "dask.metrics.serviceMonitor=true,dask.metrics.labels.release=mine"
    )
    (monitor,) = of_kind(told, "ServiceMonitor")
    assert monitor["metadata"]["labels"]["release"] == "mine"
    wanted = monitor["spec"]["selector"]["matchLabels"].items()
    if services := of_kind(told, "Service"):  # the operator makes its own, with these labels
        assert [wanted <= one["metadata"]["labels"].items() for one in services] == [True]
    else:
        assert any(wanted <= labels.items() for labels in labels_of_pods(told))
    (endpoint,) = monitor["spec"]["endpoints"]
    assert (endpoint["port"], endpoint["path"], endpoint["interval"]) == ("http-dashboard", "/metrics", "30s")


def test_a_prometheus_without_operator_finds_the_schedulers_pod_alone() -> None:
    told = of_kind(render("--values", SETS[0], "--set", "dask.metrics.scrape=true"), "Deployment")
    found = {one["metadata"]["name"]: one["spec"]["template"]["metadata"]["annotations"] for one in told}
    scraped = {name for name, one in found.items() if one.get("prometheus.io/scrape") == "true"}
    assert scraped == {"centre-heliolake-scheduler"}
    assert found["centre-heliolake-scheduler"]["prometheus.io/port"] == "8787"
