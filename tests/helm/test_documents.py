"""What docs/helm.md tells people to type works as far as it can be tried without a cluster."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from heliolake.cli.app import app
from tests.conftest import HOUSE
from tests.helm.tool import CHART, helm

TEXT = (HOUSE / "docs" / "helm.md").read_text()
LINES = [line for block in re.findall(r"```\n(.*?)```", TEXT, re.DOTALL) for line in block.splitlines()]
VALUES: dict[str, Any] = yaml.safe_load((CHART / "values.yaml").read_text())


def test_certificates_are_made_as_it_says(tmp_path: Path) -> None:
    if shutil.which("openssl") is None:
        pytest.skip("There is no openssl here.")
    lines = [line for line in LINES if line.startswith("openssl ")]
    assert len(lines) == 3
    for line in [*lines, "openssl verify -CAfile ca.crt tls.crt"]:
        done = subprocess.run(shlex.split(line), cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr


def test_secrets_have_the_keys_that_the_chart_looks_for() -> None:
    made = {
        words[6]: {one.removeprefix("--from-file=") for one in words[7:]}
        for words in map(shlex.split, LINES)
        if words[3:6] == ["create", "secret", "generic"]
    }
    assert made == {
        "catalogue": {VALUES["database"]["secret"]["key"]},
        "rucio": {VALUES["rucio"]["secret"]["key"]},
        "stores": {VALUES["storage"]["secret"]["key"]},
        "dask": {"ca.crt", "tls.crt", "tls.key"},
    }
    one_site = yaml.safe_load((CHART / "examples" / "one-site.yaml").read_text())
    named = {one_site[part]["secret"]["name"] for part in ("database", "rucio", "storage")}
    assert named | {one_site["dask"]["tls"]["secret"]} == made.keys()


def test_helm_lines_are_helm_s(tmp_path: Path) -> None:
    for line in (line for line in LINES if line.startswith("helm ")):
        _, command, *words = shlex.split(line)
        values = str(CHART / "examples" / "one-site.yaml")
        given = [{"helm": str(CHART), "centre.yaml": values}.get(word, word) for word in words]
        if command == "install":  # needs a cluster: rendered instead
            command, given = "template", [*given, "--kube-version", "1.32.0"]
        done = helm(command, *given)
        assert done.returncode == 0, done.stderr


def test_commands_of_heliolake_are_there() -> None:
    commands: Any = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    said = {words.split()[0] for words in re.findall(r"heliolake ((?:audit|migrate|execute)\b[^`|]*)", TEXT)}
    assert said == {"audit", "migrate", "execute"}
    # `execute` comes with executors of sites; tests/helm/test_program.py holds its command line against it.
    assert said - {"execute"} <= commands.keys()


def test_the_containerfile_names_what_is_there() -> None:
    text = (HOUSE / "Containerfile").read_text()
    (extras,) = re.findall(r"^ARG EXTRAS=(\S+)$", text, re.MULTILINE)
    project = (HOUSE / "pyproject.toml").read_text()
    for extra in extras.split(","):
        assert re.search(rf"^{extra} = \[", project, re.MULTILINE), extra
    (user,) = re.findall(r"^USER (\d+):\d+$", text, re.MULTILINE)
    assert int(user) == VALUES["pod"]["user"]
    assert re.search(r"^ARG BASE=python:\d+\.\d+\.\d+-slim-\w+$", text, re.MULTILINE)
    kept = re.findall(r"^!(\S+)$", (HOUSE / ".containerignore").read_text(), re.MULTILINE)
    assert all((HOUSE / name).exists() for name in kept)
    assert {"heliolake", "cluster", "pipeline", "lake", "pyproject.toml", "constraints.txt"} <= set(kept)
