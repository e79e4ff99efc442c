"""Which provider people log in with: what may be said, and what is refused in a sentence."""

from __future__ import annotations

from pathlib import Path

import pytest

from lake.errors import Fatal
from lake.governance.openid.settings import ProviderSettings

RIGHT = "login: {issuer: https://id.example.org/kis, client_id: lake"


def read(tmp_path: Path, text: str, **environment: str) -> ProviderSettings:
    (tmp_path / "governance.yaml").write_text(text)
    return ProviderSettings.read(tmp_path / "governance.yaml", environment)


def test_a_home_names_its_provider(tmp_path: Path) -> None:
    found = read(tmp_path, RIGHT + ", client_secret_file: secret, groups: {/kis/solar: kis}}\nembargo: {}")
    assert (found.issuer, found.client_id) == ("https://id.example.org/kis", "lake")
    assert found.client_secret_file == tmp_path / "secret"
    assert found.groups == {"/kis/solar": "kis"}


def test_the_environment_goes_before_the_file(tmp_path: Path) -> None:
    named = {
        "HELIOLAKE_LOGIN_ISSUER": "https://other.example.org",
        "HELIOLAKE_LOGIN_CLIENT_ID": "l",
        "HELIOLAKE_LOGIN_GROUPS": "{a: b}",
        "HELIOLAKE_LOGIN_NEW_ACCOUNTS": "false",
    }
    found = read(tmp_path, RIGHT + "}", **named)
    assert (found.issuer, found.groups, found.new_accounts) == (
        "https://other.example.org",
        {"a": "b"},
        False,
    )


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "There is no OpenID provider"),
        ("embargo: {}", "There is no OpenID provider"),
        ("login: 7", "a list of settings is needed"),
        ("login: [", "cannot be read"),
        ("login: {issuer: https://a.b}", "client_id"),
        ("login: {issuer: 'http://a.b', client_id: x}", "https is needed"),
        ("login: {issuer: 'http://127.0.0.1.evil.org', client_id: x}", "https is needed"),
        ("login: {issuer: 'file:///etc/passwd', client_id: x}", "https is needed"),
        ("login: {issuer: '', client_id: x}", "https is needed"),
        (RIGHT + ", client_secret: abc}", "client_secret"),
        (RIGHT + ", groups: {a: Not A Name}}", "no name for an account or a group"),
        (RIGHT + ", token_days: 1000}", "token_days"),
    ],
)
def test_what_cannot_be_meant_is_refused_in_a_sentence(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(Fatal, match=told) as error:
        read(tmp_path, text)
    assert "governance.yaml" in str(error.value)


def test_a_secret_that_others_can_read_is_refused(tmp_path: Path) -> None:
    settings = read(tmp_path, RIGHT + ", client_secret_file: secret}")
    with pytest.raises(Fatal, match="cannot be read"):
        settings.secret()
    file = tmp_path / "secret"
    file.write_text("  abc\n")
    for mode in (0o640, 0o604):
        file.chmod(mode)
        with pytest.raises(Fatal, match=r"others can read it\. Run: chmod 600"):
            settings.secret()
    file.chmod(0o600)
    assert settings.secret() == "abc"
    file.write_text("")
    with pytest.raises(Fatal, match="is empty"):
        settings.secret()
    assert read(tmp_path, RIGHT + "}").secret() == ""
