"""A real OpenID provider, running."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import pytest

from lake.governance.openid.provider import Provider
from lake.governance.openid.settings import ProviderSettings
from tests.openid.provider import OpenIdProvider, require

PEOPLE: Final[dict[str, Any]] = {
    "ada": {"groups": ["kis", "p7"]},
    "hal": {"groups": "kis"},
    "Eve Ünlü": {"groups": ["Not A Name", 7, "kis"]},
    "deep": {"realm_access": {"roles": ["curators"]}},
}


@pytest.fixture(scope="session")
def openid(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenIdProvider]:
    """The provider."""
    require()
    with OpenIdProvider(tmp_path_factory.mktemp("openid"), PEOPLE) as running:
        yield running


def settings_of(openid: OpenIdProvider, **changes: Any) -> ProviderSettings:
    """How a lake is set up for it."""
    given = {"issuer": openid.issuer, "client_id": "heliolake", "scopes": ("openid", "profile", "groups")}
    return ProviderSettings.model_validate(given | changes)


@pytest.fixture
def provider(openid: OpenIdProvider) -> Provider:
    """What the lake knows of it."""
    return Provider(settings_of(openid))
