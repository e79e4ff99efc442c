"""Free loopback ports, chosen once per home and kept while they stay free."""

from __future__ import annotations

import random
import socket

from cluster.home.home import Home
from lake.errors import Fatal

_RANGE = range(20_000, 32_000)  # below the range from which Linux picks ports of outgoing connections


def is_free(port: int) -> bool:
    """Whether a server could listen on a loopback port now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # Connections that linger in TIME_WAIT do not keep a server from listening.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
            probe.listen(1)
        except OSError:
            return False
    return True


def reserve(home: Home, name: str) -> int:
    """The port recorded for a service if it is free, else a new one, which is recorded."""
    recorded = home.port(name)
    if recorded is not None and is_free(recorded):
        return recorded
    for port in random.SystemRandom().sample(_RANGE, 200):
        if is_free(port):
            home.record_port(name, port)
            return port
    raise Fatal("No free port between 20000 and 32000 on 127.0.0.1. End some servers and try again.")
