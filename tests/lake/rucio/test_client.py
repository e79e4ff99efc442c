"""Rucio's refusals and silences become sentences, and nothing of it leaks into the process."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from bench.faults.proxy import Proxy
from lake.config import LakeConfig
from lake.errors import Fatal, Retriable
from lake.lake import Lake
from lake.rucio import client
from lake.rucio.client import RucioClient, batches


def test_a_server_that_does_not_answer_is_retriable_and_says_where_and_what_to_do(
    lake: Lake, tmp_path: Path
) -> None:
    config = replace(lake.config, rucio_host="http://127.0.0.1:9", token_path=tmp_path / "token")
    with pytest.raises(Retriable, match=r"127\.0\.0\.1:9 did not answer.*heliolake up"):
        RucioClient(config).ping()


def test_what_breaks_down_for_a_moment_is_asked_again_and_for_longer_is_retriable(
    lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "_BUSY_PAUSES", (0.01, 0.02))
    port = urlsplit(lake.config.rucio_host).port
    assert port is not None
    way = Proxy(port)
    config = replace(lake.config, rucio_host=f"http://127.0.0.1:{way.port}", token_path=tmp_path / "token")
    rucio = RucioClient(config)
    assert rucio.ping()
    way.turn("refusing", status=500, every=2)
    assert rucio.ping()
    assert rucio.ping()
    assert way.struck
    way.turn("refusing", status=502)
    with pytest.raises(Retriable, match=r"502.*then run the same command again"):
        rucio.ping()
    way.close()


def test_a_wrong_password_is_fatal_and_not_shown(lake: Lake, tmp_path: Path) -> None:
    config = replace(lake.config, password="wrong-secret", token_path=tmp_path / "token")
    with pytest.raises(Fatal, match="password") as failure:
        RucioClient(config).scopes()
    assert "wrong-secret" not in str(failure.value)


def test_tokens_are_kept_where_the_configuration_says(lake: Lake, tmp_path: Path) -> None:
    config: LakeConfig = replace(lake.config, token_path=tmp_path / "deep" / "token")
    RucioClient(config).scopes()
    assert config.token_path.exists()
    assert config.token_path.stat().st_mode & 0o077 == 0


def test_a_token_that_the_server_no_longer_knows_is_renewed(lake: Lake, tmp_path: Path) -> None:
    config = replace(lake.config, token_path=tmp_path / "token")
    config.token_path.write_text("old-and-unknown")
    assert isinstance(RucioClient(config).scopes(), list)


def test_the_client_changes_neither_the_command_line_nor_stdout(
    lake: Lake, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["/usr/local/bin/heliolake", "search"])
    assert RucioClient(lake.config).ping()
    assert sys.argv[0] == "/usr/local/bin/heliolake"
    assert capsys.readouterr().out == ""


def test_what_is_there_already_is_made_only_once(lake: Lake, scope: str) -> None:
    for rucio in (lake.rucio, RucioClient(lake.config)):
        rucio.ensure_scope(scope)
        rucio.ensure_container(scope, "obs")
    assert lake.rucio.ensure_dataset(scope, "obs.l0.v0001")
    assert not lake.rucio.ensure_dataset(scope, "obs.l0.v0001")
    assert lake.rucio.collection(scope, "obs.l0.v0002") is None


def test_a_thousand_items_go_in_batches_that_rucio_takes() -> None:
    assert [len(batch) for batch in batches(range(1201))] == [500, 500, 201]
    assert list(batches([])) == []


def test_a_proxy_of_the_environment_is_not_asked_for_a_server_of_this_machine(
    lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")  # nobody listens there
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    rucio = RucioClient(replace(lake.config, token_path=tmp_path / "token"))
    assert rucio.ping()
