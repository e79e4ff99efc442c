"""A site in a network of its own: one cable leads there, which can be pulled.

Linux' network namespaces keep the two apart; both ends of the cable lie on this machine. As every service
listens on loopback only, relays at both ends carry the ports over: 127.0.0.1:PORT is the same here and there.
Run as ``python -m bench.faults.network LISTEN:PORT-TARGET:PORT …``, it relays.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Final

from bench.faults.proxy import Proxy

NAMESPACE: Final = f"heliolake-{os.getpid()}"
_CABLE: Final = f"helio{os.getpid()}"
_NEAR: Final = f"10.213.{os.getpid() % 250}.1"
_FAR: Final = f"10.213.{os.getpid() % 250}.2"
INSIDE: Final = ("ip", "netns", "exec", NAMESPACE)
"""Words before a command that is to run at the far end."""


def is_possible() -> bool:
    """Whether this machine lets us have networks: Linux, as root, with iproute2."""
    return os.geteuid() == 0 and shutil.which("ip") is not None


@contextmanager
def far_network(near: Sequence[int], far: Sequence[int]) -> Iterator[None]:
    """A network with a cable to it for as long as the block lasts.

    Parameters
    ----------
    near
        Ports of services here, which are reached there.
    far
        Ports of services there, which are reached here.
    """
    with ExitStack() as until_end:
        _ip("netns", "add", NAMESPACE)
        until_end.callback(_ip, "netns", "del", NAMESPACE)
        _ip("link", "add", _CABLE, "type", "veth", "peer", "name", "far0", "netns", NAMESPACE)
        _ip("addr", "add", f"{_NEAR}/24", "dev", _CABLE)
        _ip("link", "set", _CABLE, "up")
        for words in (("addr", "add", f"{_FAR}/24", "dev", "far0"), ("link", "set", "far0", "up")):
            _ip("-n", NAMESPACE, *words)
        _ip("-n", NAMESPACE, "link", "set", "lo", "up")
        here = [f"{_NEAR}:{port}-127.0.0.1:{port}" for port in near]
        here += [f"127.0.0.1:{port}-{_FAR}:{port}" for port in far]
        there = [f"127.0.0.1:{port}-{_NEAR}:{port}" for port in near]
        there += [f"{_FAR}:{port}-127.0.0.1:{port}" for port in far]
        for before, ways in (((), here), (INSIDE, there)):
            command = [*before, sys.executable, "-m", "bench.faults.network", *ways]
            relay = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
            until_end.callback(relay.kill)
            assert relay.stdout is not None
            relay.stdout.readline()  # it listens
        yield


def pull() -> None:
    """Pull the cable: what is sent arrives nowhere, and nobody is told."""
    _ip("link", "set", _CABLE, "down")


def plug() -> None:
    """Put it back."""
    _ip("link", "set", _CABLE, "up")


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True)


def _relay(ways: Sequence[str]) -> None:
    for way in ways:
        listen, _, target = way.partition("-")
        host, _, port = target.partition(":")
        near, _, number = listen.partition(":")
        Proxy(int(port), host=host, listen=(near, int(number)))
    print("ready", flush=True)
    threading.Event().wait()


if __name__ == "__main__":
    _relay(sys.argv[1:])
