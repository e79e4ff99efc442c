"""Every value is explained, and a misspelt one is refused."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from jsonschema import Draft7Validator

from tests.helm.tool import CHART, refusal

VALUES = yaml.safe_load((CHART / "values.yaml").read_text())
SCHEMA = json.loads((CHART / "values.schema.json").read_text())
LAPTOP = str(CHART / "examples" / "laptop.yaml")
#: What people name themselves: their keys cannot be known.
FREE = frozenset(
    {
        *("lake.governance", "site.more", "sites", "copies", "dask.gateway.options", "dask.metrics.labels"),
        *("serviceAccount.annotations", "pod.labels", "pod.annotations", "pod.nodeSelector", "pod.affinity"),
    }
)


def tables(values: dict[str, Any], above: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """All tables of values whose keys are the chart's, by their path."""
    yield above, values
    for name, value in values.items():
        path = f"{above}.{name}".lstrip(".")
        if isinstance(value, dict) and path not in FREE:
            yield from tables(value, path)


def test_every_value_has_a_comment() -> None:
    lines = (CHART / "values.yaml").read_text().splitlines()
    keys = [number for number, line in enumerate(lines) if re.match(r"\s*[A-Za-z]+:", line)]
    assert len(keys) > 100
    assert not [lines[number] for number in keys if not lines[number - 1].lstrip().startswith("#")]


def test_the_values_that_ship_are_valid() -> None:
    assert not list(Draft7Validator(SCHEMA).iter_errors(VALUES))


@pytest.mark.parametrize("path", [path for path, _ in tables(VALUES)])
def test_a_misspelt_value_is_refused_wherever_it_stands(path: str) -> None:
    values = json.loads(json.dumps(VALUES))
    place = values
    for name in path.split(".") if path else ():
        place = place[name]
    place["mispelt"] = 1
    (error,) = Draft7Validator(SCHEMA).iter_errors(values)
    assert "'mispelt' was unexpected" in error.message


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ("executer.replicas=2", "Additional property executer is not allowed"),
        ("dask.worker.proceses=2", "Additional property proceses is not allowed"),
        ("dask.kind=cluster", "dask.kind must be one of"),
        ("dask.worker.processes=51", "Must be less than or equal to 50"),
        ("pod.user=0", "Must be greater than or equal to 1"),
        ("site.rse=lower", "site.rse: Does not match pattern"),
        ("archive.enabled=true", "Heliolake has no archive to serve yet"),
        ("sites.laptop.rse=OTHER", "sites.laptop: that is this site"),
        ("dask.metrics.interval=1", "Must be greater than or equal to 10"),
        ("dask.kind=operator,dask.metrics.scrape=true", "take dask.metrics.serviceMonitor"),
    ],
)
def test_helm_itself_refuses_what_is_wrong(option: str, said: str) -> None:
    assert said in refusal("--values", LAPTOP, "--set", option)


@pytest.mark.parametrize(
    "value",
    [
        *("lake.name", "database.secret.name", "rucio.url", "rucio.secret.name"),
        *("site.name", "site.rse", "site.store"),
    ],
)
def test_what_nobody_can_guess_has_to_be_said(value: str) -> None:
    assert f"{value}: " in refusal("--values", LAPTOP, "--set", f"{value}=")


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        *(("deployment", "dask.tls.secret"), ("operator", "dask.tls.secret"), ("address", "dask.address")),
        *(("gateway", "dask.gateway.address"), ("gateway", "dask.gateway.secret.name")),
    ],
)
def test_what_a_kind_of_cluster_needs_has_to_be_said(kind: str, value: str) -> None:
    given = {
        "dask.kind": kind,
        "dask.tls.generate": "false",
        "dask.tls.secret": "dask",
        "dask.address": "tls://dask.example.org:8786",
        "dask.gateway.address": "https://gateway.example.org",
        "dask.gateway.secret.name": "gateway",
    }
    options = ",".join(f"{name}={text}" for name, text in (given | {value: ""}).items())
    assert f"{value}: " in refusal("--values", LAPTOP, "--set", options)
