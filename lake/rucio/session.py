"""A client of Rucio's own, made from what we know and from no configuration file."""

from __future__ import annotations

import contextlib
import logging
import os
import sys
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from lake.config import LakeConfig

_QUIET = logging.getLogger("lake.rucio")
_QUIET.addHandler(logging.NullHandler())
_QUIET.propagate = False  # Rucio's client reports each retry at level ERROR; the exception says it all


def _spare_proxies(url: str) -> None:
    """Keep calls to a server on this machine away from a proxy: the client obeys the environment's."""
    host = urlsplit(url).hostname or ""
    spared = [name for name in os.environ.get("no_proxy", os.environ.get("NO_PROXY", "")).split(",") if name]
    if host in ("127.0.0.1", "localhost", "::1") and host not in spared:
        os.environ["no_proxy"] = ",".join([*spared, host])


def build(config: LakeConfig) -> Any:
    """A client of Rucio that reads no configuration file and keeps its token where we say."""
    from rucio.client import Client

    class QuietClient(Client):  # type: ignore[misc]  # Rucio carries no types
        # Rucio answers AccessDenied with 401, which its client takes for an expired token; once is enough.
        AUTH_RETRIES = 1

        def _get_auth_tokens(self) -> tuple[str, str, str, str]:
            # Its default file is shared by all servers of a user, so two homes would swap tokens.
            path = config.token_path
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            return str(path), str(path.with_suffix(".expires")), str(path), str(path.parent)

    _spare_proxies(config.rucio_host)
    with _kept_arguments(), _QuietPrints():
        return QuietClient(
            rucio_host=config.rucio_host,
            auth_host=config.rucio_host,
            account=config.account,
            auth_type="userpass",
            creds={"username": config.account, "password": config.password},
            vo="def",
            timeout=120,
            logger=_QUIET,
        )


@contextlib.contextmanager
def _kept_arguments() -> Iterator[None]:
    """Rucio's client shortens `sys.argv[0]`; processes started later need it whole."""
    kept = sys.argv[0]
    try:
        yield
    finally:
        sys.argv[0] = kept


class _QuietPrints(contextlib.redirect_stdout[Any]):
    """What Rucio prints goes to stderr: stdout belongs to the JSON document of a command."""

    def __init__(self) -> None:
        super().__init__(sys.stderr)
