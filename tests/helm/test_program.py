"""What the chart starts and sets is what the program has: commands, options, variables, files, settings."""

from __future__ import annotations

import importlib
import importlib.util
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dask.config
import pytest
import typer
import yaml

from cluster.home.elsewhere import LakeSettings
from cluster.sites import file as sites_file
from cluster.workers import SETTINGS, worker_environment
from heliolake.cli.app import app
from tests.conftest import HOUSE
from tests.helm.conftest import EXAMPLES
from tests.helm.tool import CHART, of_kind, pods, render, settings

Documents = list[dict[str, Any]]
#: Variables that are read by others: by whom, and in which of their files it stands.
OTHERS = {
    "ASTROPY_CONFIG_DIR": ("astropy", "config/paths.py"),
    "AWS_CA_BUNDLE": ("botocore", "configprovider.py"),
    "DASK_CONFIG": ("dask", "config.py"),
    "HOME": ("", ""),  # of every program
    "NUMBA_CACHE_DIR": ("numba", "core/config.py"),
    "PYTHONUNBUFFERED": ("", ""),  # of Python
    "REQUESTS_CA_BUNDLE": ("requests", "sessions.py"),
    "TMPDIR": ("tempfile", ""),
    "XDG_CACHE_HOME": ("", ""),
}


APPLICATION: Any = typer.main.get_command(app)


def containers(documents: Documents) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, pod in pods(documents).items():
        for container in pod["containers"]:
            yield name, container


def variables(container: dict[str, Any]) -> dict[str, str]:
    return {one["name"]: one["value"] for one in container["env"]}


def test_every_command_line_is_understood(rendered: Documents) -> None:
    for name, container in containers(rendered):
        assert "command" not in container, name
        program, *words = container["args"]
        if name.endswith("executor") and "execute" not in APPLICATION.commands:
            continue  # the next test says so
        if program == "heliolake":
            understood(APPLICATION, words)
        else:
            assert [program, words[0]] == ["python", "-m"], name
            module = importlib.import_module(words[1])
            module.main.make_context(words[1], words[2:])  # raises where an option is not known


def test_executors_run_a_command_that_there_is(rendered: Documents) -> None:
    if "execute" not in APPLICATION.commands:
        pytest.skip("Heliolake has no command `execute` yet: an executor of the chart cannot run.")
    (executor,) = [one for name, one in containers(rendered) if name.endswith("executor")]
    understood(APPLICATION, executor["args"][1:])


def understood(command: Any, words: list[str]) -> None:
    """Read a command line as the program would; what is mounted there is this file here."""
    while hasattr(command, "commands"):
        assert words[0] in command.commands, f"there is no command {words[0]}"
        command, words = command.commands[words[0]], words[1:]
    here = [__file__ if word.startswith("/run/secrets/") else word for word in words]
    command.make_context(command.name, here)  # raises where an option is not known


def test_every_variable_is_read_by_somebody(rendered: Documents) -> None:
    ours = "\n".join(
        path.read_text() for part in ("cluster", "lake") for path in (HOUSE / part).rglob("*.py")
    )
    known = worker_environment()
    for name, container in containers(rendered):
        for variable in variables(container):
            if variable in OTHERS:
                package, file = OTHERS[variable]
                assert not package or variable in source(package, file), variable
            else:
                assert variable in known or f'"{variable}"' in ours, f"{name}: nobody reads {variable}"


def source(package: str, file: str) -> str:
    spec = importlib.util.find_spec(package)
    assert spec is not None
    assert spec.origin is not None
    origin = Path(spec.origin)
    return (origin.parent / file if file else origin).read_text()


def test_processes_that_compute_have_the_variables_of_workers_anywhere(rendered: Documents) -> None:
    expected = {name: value for name, value in worker_environment().items() if not name.startswith("DASK_")}
    computing = [one for one in containers(rendered) if "migration" not in one[0]]
    assert computing
    for _, container in computing:
        assert expected.items() <= variables(container).items()


def test_what_is_written_lies_in_a_volume(rendered: Documents) -> None:
    for name, container in containers(rendered):
        writable = [one["mountPath"] for one in container["volumeMounts"] if not one.get("readOnly")]
        for variable in (
            "HOME",
            "XDG_CACHE_HOME",
            "NUMBA_CACHE_DIR",
            "HELIOLAKE_CACHE",
            "TMPDIR",
            "HELIOLAKE_HOME",
        ):
            place = variables(container).get(variable)
            assert place is None or any(f"{place}/".startswith(f"{folder}/") for folder in writable), (
                f"{name}: {variable}"
            )


def test_copies_have_less_than_the_disk_they_are_on(rendered: Documents) -> None:
    for name, pod in pods(rendered).items():
        (container,) = pod["containers"]
        budget = variables(container).get("HELIOLAKE_CACHE_BYTES")
        if budget is not None:
            (cache,) = [one["emptyDir"]["sizeLimit"] for one in pod["volumes"] if one["name"] == "cache"]
            assert int(budget) < int(cache.removesuffix("Gi")) * 2**30, name


def test_dask_is_set_up_as_every_cluster_of_ours(rendered: Documents) -> None:
    said = yaml.safe_load(settings(rendered)["dask.yaml"])
    for name, value in SETTINGS.items():
        assert dask.config.get(name, config=said) == value, name
    assert (
        dask.config.get("logging.distributed", config=said)
        == worker_environment()["DASK_LOGGING__DISTRIBUTED"]
    )


def test_memory_is_watched_as_dask_does_by_itself(rendered: Documents) -> None:
    """The program sets none of these; the chart only lets a centre change them."""
    import distributed  # its defaults come with it

    assert distributed.__version__
    said = yaml.safe_load(settings(rendered)["dask.yaml"])
    (usual,) = [one["distributed"] for one in dask.config.defaults if "distributed" in one]
    assert said["distributed"]["worker"]["memory"].items() <= usual["worker"]["memory"].items()


def test_a_pod_of_workers_has_the_memory_of_its_processes_and_some_more(
    all_rendered: dict[str, Documents],
) -> None:
    pod = pods(all_rendered["laptop"])["Deployment centre-heliolake-worker"]
    (container,) = pod["containers"]
    assert {"--nworkers=2", "--nthreads=1", "--memory-limit=1536MiB"} <= set(container["args"])
    assert container["resources"]["limits"]["memory"] == f"{2 * 1536 + 512}Mi"
    assert container["resources"]["limits"]["cpu"] == "2"


def test_the_lake_is_described_as_the_program_reads_it(rendered: Documents) -> None:
    said = LakeSettings.model_validate(yaml.safe_load(settings(rendered)["lake.yaml"]))
    assert said.name
    (executor,) = [pod for name, pod in pods(rendered).items() if name.endswith("executor")]
    files = files_of(executor)
    assert {said.database_url_file, said.rucio.password_file} <= files
    assert said.store_credentials_file is None or said.store_credentials_file in files


def test_the_sites_are_described_as_the_program_reads_them(rendered: Documents, tmp_path: Path) -> None:
    (tmp_path / "sites.yaml").write_text(settings(rendered)["sites.yaml"])
    known = sites_file.read(tmp_path / "sites.yaml")
    lake = LakeSettings.model_validate(yaml.safe_load(settings(rendered)["lake.yaml"]))
    (name,) = [name for name, site in known.sites.items() if site.rse == lake.rse]
    assert known.sites[name].storage == lake.store
    (executor,) = of_kind(
        [one for one in rendered if one["metadata"]["name"].endswith("executor")], "Deployment"
    )
    pod = executor["spec"]["template"]["spec"]
    assert pod["containers"][0]["args"][-2:] == ["--site", name]
    folders = {str(file.parent) for file in files_of(pod)}
    named = re.findall(r"/run/secrets/[^\s'\"]+", settings(rendered)["sites.yaml"])
    assert named
    assert {str(Path(file).parent) for file in named} <= folders


def files_of(pod: dict[str, Any]) -> set[Path]:
    """Files that a pod finds below its mounted Secrets, as far as the chart names them; folders else."""
    volumes = {one["name"]: one for one in pod["volumes"]}
    found = set()
    for one in pod["containers"][0]["volumeMounts"]:
        secret = volumes[one["name"]].get("secret")
        for item in (secret or {}).get("items", [{"path": "tls.crt"}] if secret else []):
            found.add(Path(one["mountPath"]) / item["path"])
    return found


@pytest.mark.parametrize("access", ["none", "operator"])
def test_notebooks_get_what_their_access_says(access: str) -> None:
    values = str(CHART / "examples" / "several-sites.yaml")
    (made,) = [
        one
        for one in of_kind(render("--values", values, "--set", f"notebooks.access={access}"), "ConfigMap")
        if one["metadata"]["name"].endswith("notebooks")
    ]
    hub = yaml.safe_load(made["data"]["jupyterhub.yaml"])["singleuser"]
    binder = yaml.safe_load(made["data"]["binderhub.yaml"])["jupyterhub"]["singleuser"]
    threads = {name: "1" for name in worker_environment() if name.endswith("_NUM_THREADS")}
    for one in (hub, binder):
        assert threads.items() <= one["extraEnv"].items()
        assert one["extraEnv"]["DASK_OPTIMIZATION__FUSE__ACTIVE"] == "false"
        assert one["allowPrivilegeEscalation"] is False
    assert "image" not in binder
    assert "storage" not in binder
    assert ("HELIOLAKE_HOME" in hub["extraEnv"]) is (access == "operator")
    assert ("storage" in hub) is (access == "operator")
    if access == "operator":
        volumes = {one["name"] for one in hub["storage"]["extraVolumes"]}
        assert {one["name"] for one in hub["storage"]["extraVolumeMounts"]} == volumes
        assert {"database", "rucio", "stores", "gateway"} <= volumes


def test_notes_are_whole_and_name_what_is_there(tmp_path: Path) -> None:
    """`helm template` leaves notes out, and all else asks a cluster: here they are a document."""
    chart = tmp_path / "heliolake"
    shutil.copytree(CHART, chart)
    notes = (chart / "templates" / "NOTES.txt").read_text()
    (chart / "templates" / "NOTES.txt").unlink()
    (chart / "templates" / "_notes.tpl").write_text('{{- define "notes" -}}\n' + notes + "{{- end -}}")
    (chart / "templates" / "zz.yaml").write_text(
        'kind: Notes\nmetadata: {name: notes}\ntext: {{ include "notes" . | quote }}\n'
    )
    for example in EXAMPLES:
        documents = render("--values", str(CHART / "examples" / f"{example}.yaml"), chart=chart)
        (made,) = of_kind(documents, "Notes")
        names = {f"{one['kind'].lower()}/{one['metadata']['name']}" for one in documents}
        named = re.findall(r"(?:job|deployment|service)/[a-z-]+|(?<=configmap )[a-z-]+", made["text"])
        assert named
        for one in named:
            assert one in names or f"configmap/{one}" in names or one.endswith("-scheduler"), one
        assert "<no value>" not in made["text"]
