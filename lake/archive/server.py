"""Serving the archive: on this machine alone, unless told otherwise."""

from __future__ import annotations

import gc
import socket
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Final

import uvicorn
from fastapi import FastAPI
from prometheus_client import start_http_server

from lake.archive.application import archive
from lake.archive.surroundings import Surroundings
from lake.errors import Fatal
from lake.lake import Lake

LOOPBACK: Final = "127.0.0.1"
PORT: Final = 8686
_WAITING: Final = 512
"""Connections that wait to be taken."""
ENDING: Final = 30
"""Seconds that downloads under way have when the archive is told to end."""


def serve(
    lake: Lake,
    *,
    host: str = LOOPBACK,
    port: int = PORT,
    root: str = "",
    proxies: str = "",
    ready: Callable[[str], None] | None = None,
    surroundings: Surroundings | None = None,
    metrics: tuple[str, int] | None = None,
    opened: socket.socket | None = None,
) -> None:
    """Serve a lake until told to end.

    Parameters
    ----------
    lake
        Open.
    host, port
        Where; port 0 takes a free one.
    root
        Path below which a proxy in front has it.
    proxies
        Addresses of proxies whose word for the client's address is taken, separated by commas.
    ready
        Told the address once it is open.
    surroundings
        What else the archive is given.
    metrics
        Where Prometheus is told its numbers; nowhere when absent.
    opened
        What listens already, where several processes share it.

    Raises
    ------
    Fatal
        When the place is taken, or may not be used.
    """
    app = archive(lake, surroundings)
    with closing(opened or listening(host, port)) as mine, telling(app, metrics):
        _ = lake.store  # one that is not there is told now, and not to the first visitor
        config = uvicorn.Config(
            app,
            root_path=root,
            proxy_headers=bool(proxies),
            forwarded_allow_ips=proxies or None,
            server_header=False,
            log_level="warning",
            access_log=False,
            timeout_graceful_shutdown=ENDING,
        )
        if ready is not None:
            ready(address_of(mine, host, root))
        # What was made by now stays; to look through it for what is left over takes a tenth of a second.
        gc.collect()
        gc.freeze()
        uvicorn.Server(config).run(sockets=[mine])


def address_of(opened: socket.socket, host: str, root: str = "") -> str:
    """Where visitors of this machine find what listens."""
    shown = f"[{host}]" if ":" in host else host
    return f"http://{shown}:{opened.getsockname()[1]}{root}"


@contextmanager
def telling(app: FastAPI, metrics: tuple[str, int] | None) -> Iterator[None]:
    """Numbers for Prometheus at an address of their own, for as long as the block lasts."""
    if metrics is None:
        yield
        return
    host, port = metrics
    try:
        server, thread = start_http_server(port, host, app.state.measures.registry)
    except OSError as error:
        raise Fatal(
            f"Metrics cannot be told at {host}, port {port}: {error.strerror or error}. Name another address "
            "with --metrics."
        ) from error
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def listening(host: str, port: int) -> socket.socket:
    """A socket that listens.

    Raises
    ------
    Fatal
        When the place is taken, or may not be used.
    """
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        opened = socket.socket(family, socket.SOCK_STREAM)
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        opened.bind((host, port))
        opened.listen(_WAITING)
    except OSError as error:
        raise Fatal(
            f"The archive cannot listen at {host}, port {port}: {error.strerror or error}. Name another with "
            "--port (0 takes a free one) or --host."
        ) from error
    return opened
