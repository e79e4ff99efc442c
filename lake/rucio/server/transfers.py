"""Transfers between storage elements that this machine reaches, for Rucio's own conveyor daemons.

Built-in transfer tools need FTS or Globus; the one called ``mock`` reports success without
copying. This one copies from store to store, folders and S3 alike, checking size and adler32.
What became of each job is kept on disk, so a daemon killed between the copy and the report
reports it after its restart.
"""

from __future__ import annotations

import json
import logging
import uuid
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from rucio.core import transfer
from rucio.core.rse import list_rse_attributes
from rucio.db.sqla.constants import RequestState
from rucio.transfertool.transfertool import TransferStatusReport, Transfertool, TransferToolBuilder

from lake.errors import HeliolakeLakeError
from lake.rucio.server.settings import STORE
from lake.storage.opening import open_store
from lake.storage.posix import PosixStore
from lake.storage.store import Store
from lake.storage.verify import sums_of

if TYPE_CHECKING:
    from rucio.core.request import DirectTransfer
    from rucio.rse.protocols.protocol import RSEProtocol
    from sqlalchemy.orm import Session

NAME = "local"
"""The name by which the conveyor daemons are told to use this tool."""


def register(results: Path) -> None:
    """Make the tool known to Rucio in this process.

    Parameters
    ----------
    results
        Folder for what became of each job.
    """
    results.mkdir(mode=0o700, exist_ok=True)
    LocalTransfertool.results = results
    transfer.TRANSFERTOOL_CLASSES_BY_NAME[NAME] = LocalTransfertool


class LocalReport(TransferStatusReport):  # type: ignore[misc]  # Rucio's classes are untyped
    """What became of one transfer."""

    supported_db_fields = ("state", "external_id", "err_msg")

    def __init__(self, request_id: str, external_id: str, error: str) -> None:
        super().__init__(request_id)
        self.state = RequestState.FAILED if error else RequestState.DONE
        self.external_id = external_id
        self.err_msg = error

    def initialize(self, session: Session, logger: Any = logging.log) -> None:
        """Nothing is left to find out."""

    def get_monitor_msg_fields(self, session: Session, logger: Any = logging.log) -> dict[str, Any]:
        """Fields for Rucio's message about the transfer."""
        return {"reason": self.err_msg} if self.err_msg else {}


class LocalTransfertool(Transfertool):  # type: ignore[misc]  # Rucio's classes are untyped
    """Copies files between stores; a submitted job is finished when `submit` returns."""

    external_name = NAME
    required_rse_attrs = ()
    supported_schemes = frozenset({"file"})
    results: Path

    @classmethod
    def submission_builder_for_path(
        cls,
        transfer_path: list[DirectTransfer],
        logger: Any = logging.log,
    ) -> tuple[list[DirectTransfer], TransferToolBuilder]:
        """Every path between our stores is ours."""
        return transfer_path, TransferToolBuilder(cls, external_host="localhost")

    def group_into_submit_jobs(self, transfer_paths: Iterable[list[DirectTransfer]]) -> list[dict[str, Any]]:
        """One job per path: a failure never holds up other files."""
        return [{"transfers": path, "job_params": {}} for path in transfer_paths]

    def submit(
        self,
        transfers: Iterable[DirectTransfer],
        job_params: Mapping[str, str],
        timeout: int | None = None,
    ) -> str:
        """Do the copies and return the identity of the job."""
        job = str(uuid.uuid4())
        outcome = {str(one.rws.request_id): _copy_from_any_source(one) for one in transfers}
        temporary = self.results / f".{job}"
        temporary.write_text(json.dumps(outcome))
        temporary.replace(self.results / job)
        return job

    def bulk_query(
        self,
        requests_by_eid: Mapping[str, Mapping[str, Any]],
        timeout: int | None = None,
    ) -> dict[str, dict[str, LocalReport]]:
        """What became of the given jobs."""
        return {job: self._reports(job, requests) for job, requests in requests_by_eid.items()}

    def _reports(self, job: str, requests: Mapping[str, Any]) -> dict[str, LocalReport]:
        try:
            outcome: dict[str, str] = json.loads((self.results / job).read_text())
        except (OSError, ValueError):
            outcome = {}
        return {
            request: LocalReport(request, job, outcome.get(request, "the transfer was interrupted"))
            for request in requests
        }

    def cancel(self, transfer_ids: Sequence[str], timeout: int | None = None) -> bool:
        """Nothing to cancel: jobs are finished when they are submitted."""
        return True

    def update_priority(self, transfer_id: str, priority: int, timeout: int | None = None) -> bool:
        """Nothing to do, for the same reason."""
        return True


class Place(NamedTuple):
    """A file on a storage element: its store, and its key there."""

    store: Store
    key: str


def copy_checked(source: Place, target: Place, *, size: int | None, adler32: str | None) -> None:
    """Copy a file so that it appears under its name whole and right, or not at all.

    What lies there instead, damaged, is kept in the lost and found of its store.

    Parameters
    ----------
    source, target
        From where to where, of whatever kinds their stores are.
    size
        Expected size in bytes, None if unknown.
    adler32
        Expected checksum, 8 hexadecimal digits, None if unknown.

    Raises
    ------
    ValueError
        When the source has another size or checksum.
    HeliolakeLakeError
        When reading or writing fails.
    """
    here = source.store.place(source.key)
    sums = sums_of(source.store, source.key)
    if size is not None and sums.size != size:
        raise ValueError(f"{here} has {sums.size} bytes, {size} were expected")
    if adler32 and sums.adler32 != adler32.lower().zfill(8):
        raise ValueError(f"{here} has adler32 {sums.adler32}, {adler32} was expected")
    # Read again rather than held: it may be large. What is not the same any more is refused.
    target.store.put_back(target.key, sums, lambda: source.store.blocks(source.key))


def _copy_from_any_source(one: DirectTransfer) -> str:
    """Copy from the first source that is right; the reasons when none is."""
    reasons = []
    for source in one.sources:
        try:
            copy_checked(
                place_of(source.rse.id, one.source_protocol(source), one.source_url(source)),
                place_of(one.dst.rse.id, one.dest_protocol(), one.dest_url),
                size=one.rws.byte_count,
                adler32=one.rws.adler32,
            )
        except (OSError, ValueError, HeliolakeLakeError) as error:
            reasons.append(str(error))
        else:
            return ""
    return "; ".join(reasons) or "there is no source"


def place_of(rse_id: str, protocol: RSEProtocol, url: str) -> Place:
    """Where a URL of Rucio's points.

    Parameters
    ----------
    rse_id
        Its storage element, whose attribute names the store; a folder needs none.
    protocol
        Its protocol, whose prefix stands before the key.
    url
        The physical file name.
    """
    # Rucio pastes the path into the URL as it is; taking it apart as a URL would trip over "%", "?" and "#".
    path = "/" + url.removeprefix("file://").partition("/")[2]
    prefix = str(protocol.attributes["prefix"])
    named = list_rse_attributes(rse_id).get(STORE)
    store = open_store(str(named)) if named else PosixStore(Path(prefix))
    return Place(store, path.removeprefix(prefix).lstrip("/"))
