"""Transfers between POSIX storage elements on this machine, for Rucio's own conveyor daemons.

Built-in transfer tools need FTS or Globus; the one called ``mock`` reports success without
copying. This one copies: into a temporary file, checking size and adler32 on the way, then
renames it. What became of each job is kept on disk, so a daemon killed between the copy and
the report reports it after its restart.
"""

from __future__ import annotations

import json
import logging
import os
import uuid
import zlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rucio.core import transfer
from rucio.db.sqla.constants import RequestState
from rucio.transfertool.transfertool import TransferStatusReport, Transfertool, TransferToolBuilder

if TYPE_CHECKING:
    from rucio.core.request import DirectTransfer
    from sqlalchemy.orm import Session

NAME = "local"
"""The name by which the conveyor daemons are told to use this tool."""

_CHUNK = 4 * 1024 * 1024


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
    """Copies files between folders; a submitted job is finished when `submit` returns."""

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
        """Every path between local folders is ours."""
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


def copy_checked(source: Path, target: Path, *, size: int | None, adler32: str | None, token: str) -> None:
    """Copy a file so that it appears under its name whole and right, or not at all.

    Parameters
    ----------
    source, target
        Files; the folder of the target is made.
    size
        Expected size in bytes, None if unknown.
    adler32
        Expected checksum, 8 hexadecimal digits, None if unknown.
    token
        Distinguishes the temporary file from those of other copies.

    Raises
    ------
    ValueError
        When the source has another size or checksum.
    OSError
        When reading or writing fails.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f".{target.name}.{token}.part")
    checksum, count = 1, 0
    try:
        with source.open("rb") as reader, part.open("wb") as writer:
            while chunk := reader.read(_CHUNK):
                checksum, count = zlib.adler32(chunk, checksum), count + len(chunk)
                writer.write(chunk)
            writer.flush()
            os.fsync(writer.fileno())
        if size is not None and count != size:
            raise ValueError(f"{source} has {count} bytes, {size} were expected")
        if adler32 and f"{checksum:08x}" != adler32.lower().zfill(8):
            raise ValueError(f"{source} has adler32 {checksum:08x}, {adler32} was expected")
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)
    _sync_folder(target.parent)


def _copy_from_any_source(one: DirectTransfer) -> str:
    """Copy from the first source that is right; the reasons when none is."""
    target = _path_of(one.dest_url)
    reasons = []
    for source in one.sources:
        try:
            copy_checked(
                _path_of(one.source_url(source)),
                target,
                size=one.rws.byte_count,
                adler32=one.rws.adler32,
                token=str(one.rws.request_id),
            )
        except (OSError, ValueError) as error:
            reasons.append(str(error))
        else:
            return ""
    return "; ".join(reasons) or "there is no source"


def _path_of(url: str) -> Path:
    # Rucio pastes the path into the URL as it is; taking it apart as a URL would trip over "%", "?" and "#".
    return Path("/" + url.removeprefix("file://").partition("/")[2])


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
