"""Rucio's daemons, one after the other, in one process.

Run as ``python -m lake.rucio.server.daemons RESULTS HEARTBEAT`` with ``RUCIO_CONFIG`` naming the
server's configuration. `RESULTS` is the folder of transfer results; `HEARTBEAT` is touched
after every round, so others can see that the loop is not stuck.

Left out on purpose: undertaker (nothing here ever expires, and it is what deletes published data
where something did) and transmogrifier (there are no subscriptions).
"""

from __future__ import annotations

import logging
import signal
import sys
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

from lake.rucio.server import tuning
from lake.text import PlainFormatter

REAPED = "heliolake-reaper=true"
"""RSE expression of the storage elements whose unprotected replicas may be deleted.

The first storage element of a home is not among them: between the registration of a file and
the rule of its release nothing protects it.
"""

_PAUSE = 1.0  # seconds between rounds
_SLOW = 10.0  # seconds between rounds of the daemons nobody waits for

_log = logging.getLogger("heliolake.daemons")


def main(results: Path, heartbeat: Path) -> None:
    """Run rounds until asked to end."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    tuning.apply()
    from lake.rucio.server import transfers

    transfers.register(results)
    _recover()
    keep_lost_files()
    with ExitStack() as stack:
        quick, slow = _quick(stack), _slow(stack)
        next_slow = 0.0
        while not stop.is_set():
            for name, once in quick.items():
                _run(name, once)
            if time.monotonic() >= next_slow:
                for name, once in slow.items():
                    _run(name, once)
                next_slow = time.monotonic() + _SLOW
            heartbeat.touch()
            stop.wait(_PAUSE)


def _run(name: str, once: Callable[[], Any]) -> None:
    # One round that fails (the database restarts, say) must not end the others.
    try:
        once()
    except Exception:
        _log.exception("%s failed; it will run again", name)


def _recover() -> None:
    """Undo what a killed predecessor left: it can no longer hold work, and it was the only one."""
    from rucio.db.sqla.constants import DatabaseOperationType, RequestState
    from rucio.db.sqla.models import Heartbeat, Request
    from rucio.db.sqla.session import db_session
    from sqlalchemy import delete, update

    with db_session(DatabaseOperationType.WRITE) as session:
        # Work is divided among the living; the dead would keep their share for ten minutes.
        session.execute(delete(Heartbeat))
        session.execute(
            update(Request)
            .where(Request.state == RequestState.SUBMITTING)
            .values(state=RequestState.QUEUED)
            .execution_options(synchronize_session=False)
        )


def keep_lost_files() -> None:
    """Keep the necromancer from taking files without a good replica out of their datasets, closed ones too.

    Their locks would go as well, and with them what holds a file once it is restored. It stays BAD instead,
    in its place, until `heliolake restore` brings its bytes back.
    """
    from rucio.daemons.badreplicas import necromancer

    necromancer.update_rules_for_lost_replica = _leave_as_it_is


def _leave_as_it_is(scope: Any, name: str, rse_id: str, **_: Any) -> None:
    _log.warning("%s:%s has no good replica left; a copy of it can be restored", scope, name)


def _quick(stack: ExitStack) -> dict[str, Callable[[], Any]]:
    """Daemons somebody may be waiting for."""
    from rucio.daemons.judge import cleaner, evaluator, injector

    return {
        "judge-evaluator": partial(
            evaluator.run_once, paused_dids={}, did_limit=1000, heartbeat_handler=_alive(stack, "evaluator")
        ),
        "judge-injector": partial(
            injector.run_once, paused_rules={}, heartbeat_handler=_alive(stack, "injector")
        ),
        "judge-cleaner": partial(
            cleaner.run_once, paused_rules={}, heartbeat_handler=_alive(stack, "cleaner")
        ),
        "conveyor": _transfer,
    }


def _slow(stack: ExitStack) -> dict[str, Callable[[], Any]]:
    from rucio.core.message import truncate_messages
    from rucio.daemons.abacus import account, collection_replica, rse
    from rucio.daemons.badreplicas import necromancer
    from rucio.daemons.judge import repairer

    return {
        "judge-repairer": partial(
            repairer.run_once, paused_rules={}, delta=-1, heartbeat_handler=_alive(stack, "repairer")
        ),
        "necromancer": partial(
            # What is lost stays in its list, and is not to keep others from being looked at.
            necromancer.run_once,
            bulk=10_000,
            heartbeat_handler=_alive(stack, "necromancer"),
        ),
        "abacus-account": partial(account.run_once, heartbeat_handler=_alive(stack, "abacus-account")),
        "abacus-rse": partial(rse.run_once, heartbeat_handler=_alive(stack, "abacus-rse")),
        "abacus-collection": partial(
            collection_replica.run_once, limit=1000, heartbeat_handler=_alive(stack, "abacus-collection")
        ),
        "reaper": partial(_reap, _alive(stack, "reaper")),
        # Nobody listens to Rucio's messages here, and without a reader their table grows for ever.
        "messages": truncate_messages,
    }


def _alive(stack: ExitStack, name: str) -> Any:
    """The sign of life every daemon must give; kept up from round to round."""
    from rucio.daemons.common import HeartbeatHandler

    return stack.enter_context(HeartbeatHandler(executable=f"heliolake-{name}", renewal_interval=60))


def _transfer() -> None:
    from rucio.daemons.conveyor import finisher, poller, submitter

    from lake.rucio.server.transfers import NAME

    if not _transfers_wait():
        return
    submitter.submitter(once=True, transfertools=[NAME], filter_transfertool=None, partition_wait_time=0)
    poller.poller(once=True, older_than=0, transfertool=NAME, filter_transfertool=None, partition_wait_time=0)
    finisher.finisher(once=True, partition_wait_time=0)


def _transfers_wait() -> bool:
    from rucio.db.sqla.constants import DatabaseOperationType
    from rucio.db.sqla.models import Request
    from rucio.db.sqla.session import db_session
    from sqlalchemy import select

    with db_session(DatabaseOperationType.READ) as session:
        return session.execute(select(Request.id).limit(1)).first() is not None


def _reap(heartbeat_handler: Any) -> None:
    from rucio.common.exception import InvalidRSEExpression
    from rucio.core.rse_expression_parser import parse_expression
    from rucio.daemons.reaper import reaper
    from rucio.db.sqla.constants import DatabaseOperationType
    from rucio.db.sqla.session import db_session

    try:
        with db_session(DatabaseOperationType.READ) as session:
            parse_expression(REAPED, session=session)
    except InvalidRSEExpression:
        return  # no storage element has the attribute
    reaper.run_once(
        rses=[],
        include_rses=REAPED,
        exclude_rses=None,
        vos=None,
        chunk_size=100,
        greedy=False,
        scheme=None,
        delay_seconds=600,
        auto_exclude_threshold=100,
        auto_exclude_timeout=600,
        heartbeat_handler=heartbeat_handler,
    )


if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    for handler in logging.getLogger().handlers:
        PlainFormatter.install(handler)
    main(Path(sys.argv[1]), Path(sys.argv[2]))
