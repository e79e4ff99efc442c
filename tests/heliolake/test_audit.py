"""`heliolake audit` as people and scripts use it."""

from __future__ import annotations

from pathlib import Path

import pytest

from cluster.home.home import Home
from lake.catalogue.session import transaction
from lake.governance import audit
from lake.lake import Lake
from tests.heliolake.conftest import Command


@pytest.fixture
def subject(home: Home) -> str:
    """What two entries of the home's trail are about."""
    with Lake.open(home.lake_config()) as lake, transaction(lake.sessions) as session:
        subject = f"cli-{audit.head(lake).number}"
        audit.record(session, "ada", "embargo.set", subject, {"reason": "[bold]thesis\x1b"})
        audit.record(session, "bob", "embargo.lift", subject)
    return subject


def test_the_trail_is_shown(here: Command, subject: str) -> None:
    said = here("audit", "show", "--subject", subject)
    first, second = said.out.splitlines()
    assert "embargo.set" in first
    assert "reason: [bold]thesis\\x1b" in first
    assert "bob  embargo.lift" in second
    document = here("audit", "show", "--subject", subject, "--who", "a*", "--json").document()
    assert [one["what"] for one in document["entries"]] == ["embargo.set"]
    assert here("audit", "show", "--subject", subject, "--limit", 1, "--json").document()["more"]


def test_a_trail_is_verified_exported_and_verified_again_offline(
    here: Command, run: Command, subject: str, tmp_path: Path
) -> None:
    anchor = tmp_path / "anchors"
    assert here("audit", "anchor", "-o", anchor).document()["number"] > 1
    assert here("audit", "verify", "--anchor", anchor).code == 0
    assert here("audit", "export", "-o", tmp_path / "trail").code == 0
    assert here("audit", "export", "-o", tmp_path / "trail").code == 2
    said = run("audit", "verify", "--file", tmp_path / "trail", "--anchor", anchor, "--json")
    assert (said.code, said.document()["sound"]) == (0, True)
    lines = (tmp_path / "trail").read_text().splitlines()
    (tmp_path / "trail").write_text("\n".join(lines[:-3]))
    said = run("audit", "verify", "--file", tmp_path / "trail", "--anchor", anchor)
    assert said.code == 1
    assert "truncated" in said.out
    assert subject in lines[-1] or len(lines) > 2


def test_the_script_for_administrators_is_printed(run: Command) -> None:
    assert "CREATE SCHEMA IF NOT EXISTS audit" in run("audit", "script").out
