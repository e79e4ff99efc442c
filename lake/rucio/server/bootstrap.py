"""Give a new Rucio its tables, its root account and its first storage element.

Run as ``python -m lake.rucio.server.bootstrap RSE STORE`` with ``RUCIO_CONFIG`` naming the
server's configuration. Every step is skipped where it has been done, so an interrupted run
is cured by running again.
"""

from __future__ import annotations

import logging
import sys

from lake.rucio.server import tuning
from lake.rucio.server.settings import STORE, attributes, protocol

UNLIMITED = -1


def build(rse: str, store: str) -> None:
    """Do all of it.

    Parameters
    ----------
    rse
        Name of the storage element.
    store
        URL of its store.
    """
    tuning.apply()
    _tables()
    _root_account()
    add_rse(rse, store)


def add_rse(rse: str, store: str) -> None:
    """Make a deterministic storage element of a store, with no limit for the service account.

    Files lie where Rucio's ``hash`` algorithm puts them: ``<scope>/ab/cd/<name>``, the two
    levels from the MD5 of ``scope:name``.
    """
    from rucio.common.exception import Duplicate
    from rucio.common.types import InternalAccount
    from rucio.core import account_limit, distance
    from rucio.core import rse as core
    from rucio.db.sqla.constants import DatabaseOperationType
    from rucio.db.sqla.session import db_session

    with db_session(DatabaseOperationType.WRITE) as session:
        if core.rse_exists(rse, session=session):
            identity = core.get_rse_id(rse, session=session)
        else:
            identity = core.add_rse(rse, deterministic=True, session=session)
        wanted = attributes(store)
        if STORE not in wanted and STORE in core.list_rse_attributes(identity, session=session):
            core.del_rse_attribute(identity, STORE, session=session)
        for key, value in wanted.items():
            core.add_rse_attribute(identity, key, value, session=session)
        account_limit.set_local_account_limit(InternalAccount("root"), identity, UNLIMITED, session=session)
    for other in core.list_rses():
        for pair in ((identity, other["id"]), (other["id"], identity)):
            if identity != other["id"] and not distance.get_distances(*pair):
                distance.add_distance(*pair, distance=1)
    described = protocol(store)
    try:
        core.add_protocol(identity, described)
    except Duplicate:
        host = str(described["hostname"])
        core.update_protocols(identity, scheme="file", data=described, hostname=host, port=0)


def _tables() -> None:
    from rucio.db.sqla.util import build_database

    build_database()


def _root_account() -> None:
    from rucio.common.types import InternalAccount
    from rucio.core.account import account_exists
    from rucio.core.vo import vo_exists
    from rucio.db.sqla.constants import DatabaseOperationType
    from rucio.db.sqla.session import db_session
    from rucio.db.sqla.util import create_base_vo, create_root_account

    with db_session(DatabaseOperationType.READ) as session:
        no_vo = not vo_exists("def", session=session)
        no_account = not account_exists(InternalAccount("root"), session=session)
    if no_vo:
        create_base_vo()
    if no_account:
        create_root_account()


if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING)
    build(sys.argv[1], sys.argv[2])
