"""How gunicorn serves Rucio. Address and port are given on its command line."""

from __future__ import annotations

from typing import Any

worker_class = "lake.rucio.server.buffering.BufferingWorker"
workers = 2
threads = 8
# Importing Rucio takes seconds: do it once, in the master, instead of in every worker.
preload_app = True
control_socket_disable = True
graceful_timeout = 5
timeout = 300
keepalive = 30
loglevel = "warning"
accesslog = None


def when_ready(server: Any) -> None:
    """Close the connections opened while importing: workers must not inherit them."""
    from rucio.db.sqla import session

    if session._ENGINE is not None:
        session._ENGINE.dispose()
