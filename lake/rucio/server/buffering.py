"""A gunicorn worker that lends no thread to a client before its whole request is there.

Gunicorn's own threaded worker reads requests in the threads that answer them: a few dozen
connections that send nothing, or send slowly, keep everybody else waiting. Waitress collects
requests in one loop for all connections, so that idle and slow ones cost a file descriptor.
Gunicorn goes on to keep the processes: it starts, watches and replaces them.
"""

from __future__ import annotations

import os
import resource
from typing import Any, Final

from gunicorn.workers.base import Worker
from waitress import create_server, wasyncore

#: Connections of one process; what comes beyond them waits until one is closed.
CONNECTIONS: Final = 4000
#: Bytes of a request; a thousand replicas with their metadata take about one million.
_LARGEST_REQUEST: Final = 64 * 2**20
#: Seconds between signs of life to gunicorn.
_BEAT: Final = 1.0


class BufferingWorker(Worker):  # type: ignore[misc]  # gunicorn carries no types
    """One process that serves the application of gunicorn's command line."""

    def run(self) -> None:
        """Serve until gunicorn says stop, or is gone."""
        _allow_descriptors(CONNECTIONS + 500)
        connections: dict[int, Any] = {}
        server = create_server(
            self.wsgi,
            map=connections,
            sockets=[listener.sock for listener in self.sockets],
            threads=self.cfg.threads,
            connection_limit=CONNECTIONS,
            channel_timeout=self.cfg.keepalive,
            cleanup_interval=5,
            max_request_body_size=_LARGEST_REQUEST,
            asyncore_use_poll=True,
            ident=None,
        )
        while self.alive and self.ppid == os.getppid():
            self.notify()
            wasyncore.loop(timeout=_BEAT, use_poll=True, map=connections, count=1)
        server.task_dispatcher.shutdown(timeout=self.cfg.graceful_timeout)
        # Taking apart all of Rucio, whose memory is shared with the master, would take seconds.
        os._exit(0)


def _allow_descriptors(wanted: int) -> None:
    """Raise the soft limit of open files as far as it may be raised."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        allowed = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
