"""Secrets go to addresses nobody listens in on, and no refusal repeats one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lake.errors import BadInput, Fatal
from lake.governance import anchors
from lake.governance.addresses import guarded_address
from lake.governance.doi.registry import RegistrySettings
from lake.governance.openid.settings import ProviderSettings

SECRET = "S3CRET-in-a-wrong-place"
DATACITE = {"repository": "R", "password_file": "p", "prefix": "10.5072", "landing": "https://x.org/{doi}"}


def test_the_registry_is_reached_by_https_or_on_this_machine() -> None:
    for url in ("https://api.test.datacite.org", "http://127.0.0.1:8080", "http://localhost"):
        assert RegistrySettings.model_validate({"url": url, **DATACITE}).url == guarded_address(url)
    with pytest.raises(ValueError, match="https is needed"):
        RegistrySettings.model_validate({"url": "http://api.datacite.org", **DATACITE})


@pytest.mark.parametrize(
    "login",
    [
        f"{{issuer: 'https://x.org', client_id: h, client_secret: {SECRET}}}",
        f"{{issuer: 'https://x.org', client_secret: {SECRET}}}",
    ],
)
def test_a_secret_under_a_wrong_name_is_not_repeated(tmp_path: Path, login: str) -> None:
    file = tmp_path / "governance.yaml"
    file.write_text(f"login: {login}\n")
    with pytest.raises(Fatal, match="governance") as refused:
        ProviderSettings.read(file)
    assert SECRET not in str(refused.value)
    assert refused.value.__cause__ is None


def test_an_anchor_behind_a_torn_line_keeps_a_line_of_its_own(tmp_path: Path) -> None:
    file = tmp_path / "anchors.jsonl"
    anchors.append(file, {"number": 1, "hash": "a"})
    file.write_bytes(file.read_bytes() + b'{"numb')
    anchors.append(file, {"number": 2, "hash": "b"})
    first, _, last = file.read_text().splitlines()
    assert (json.loads(first)["number"], json.loads(last)["number"]) == (1, 2)


def test_an_address_that_is_none_is_told_without_its_password() -> None:
    with pytest.raises(BadInput, match="http or https") as refused:
        anchors.send(f"htps://u:{SECRET}@h.org/x", {})
    assert SECRET not in str(refused.value.details())
