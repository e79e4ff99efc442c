"""The few things the lake asks of Rucio, typed, idempotent, and with errors a person understands.

The client is built from keyword arguments, so no `rucio.cfg` is read for it. Importing
Rucio's client takes most of a second; it is imported at the first call only.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import islice
from typing import Any, NamedTuple, TypeVar

from lake.config import LakeConfig, Placement
from lake.errors import Fatal, Retriable
from lake.rucio import session

T = TypeVar("T")

BATCH = 500  # Rucio's schema takes up to 1000 entries a call; smaller ones keep its transactions short
ACTIVITY = "Heliolake releases"
_BUSY = (  # the server answers, but its transaction met the locks (FOR UPDATE NOWAIT) of one of its daemons
    "DatabaseException",
    "ServiceUnavailable",
    "ResourceTemporaryUnavailable",
    "ReplicationRuleCreationTemporaryFailed",
)
_BROKEN = "http status code: 5"
"""In an answer that Rucio itself did not write: its server broke down over it, or something before it did."""
_BUSY_PAUSES = (0.1, 0.3, 0.9, 2.7)


def batches(items: Iterable[T], size: int = BATCH) -> Iterator[list[T]]:
    """Lists of up to `size` items."""
    rest = iter(items)
    while batch := list(islice(rest, size)):
        yield batch


class Replica(NamedTuple):
    """A file as Rucio knows it; an `md5` it has only of files that an older Heliolake registered."""

    scope: str
    name: str
    size: int
    adler32: str
    md5: str | None = None

    @property
    def did(self) -> str:
        """`scope:name`."""
        return f"{self.scope}:{self.name}"


class Collection(NamedTuple):
    """A dataset or container as Rucio knows it."""

    scope: str
    name: str
    kind: str
    is_open: bool


class Rule(NamedTuple):
    """A replication rule."""

    id: str
    scope: str
    name: str
    rse_expression: str
    locked: bool
    state: str
    expires: str | None
    copies: int = 1

    @property
    def rses(self) -> frozenset[str]:
        """The storage elements it names, where it is of the simple kind that we make."""
        return frozenset(self.rse_expression.split("|"))


class RucioClient:
    """Rucio, as far as the lake uses it.

    Every method may be called again after a crash. A server that does not answer raises `Retriable`,
    a refusal raises `Fatal`; both say what to do.

    Parameters
    ----------
    config
        Server, account, password, storage element.
    """

    def __init__(self, config: LakeConfig) -> None:
        self.rse = config.rse
        self._config = config
        self._there: set[str] = set()  # scopes and containers never go away: one question each is enough
        self._local = threading.local()  # requests' sessions are not made to be shared between threads

    def ping(self) -> str:
        """Version of the server."""
        return str(self.ask("asked for its version", lambda client: client.ping()["version"]))

    def ensure_scope(self, scope: str) -> None:
        """Make a scope unless it is there."""

        def make(client: Any) -> None:
            if scope not in client.list_scopes():
                client.add_scope(self._config.account, scope)

        if scope not in self._there:
            self.ask(f"making the scope {scope}", make, absorb=("Duplicate",))
            self._there.add(scope)

    def ensure_dataset(self, scope: str, name: str) -> bool:
        """Make a dataset unless it is there; True where it was made now."""
        made = self.ask(
            f"making the dataset {scope}:{name}",
            lambda client: client.add_dataset(scope, name),
            absorb=("DataIdentifierAlreadyExists",),
        )
        return bool(made)

    def ensure_container(self, scope: str, name: str) -> None:
        """Make a container unless it is there."""
        did = f"{scope}:{name}"
        if did not in self._there:
            self.ask(
                f"making the container {did}",
                lambda client: client.add_container(scope, name),
                absorb=("DataIdentifierAlreadyExists",),
            )
            self._there.add(did)

    def collection(self, scope: str, name: str) -> Collection | None:
        """A dataset or container, None when there is none of the name."""

        def get(client: Any) -> Collection:
            did = client.get_did(scope, name)
            return Collection(scope, name, did["type"], bool(did["open"]))

        return self.ask(f"looking at {scope}:{name}", get, absorb=("DataIdentifierNotFound",))

    def collections(self, scope: str, kind: str) -> list[Collection]:
        """All datasets or containers (`kind`: dataset, container) of a scope with their state."""

        def get(client: Any) -> list[Collection]:
            names = list(client.list_dids(scope, [{}], did_type=kind))
            found = []
            for batch in batches(names, BATCH):
                dids = [{"scope": scope, "name": name} for name in batch]
                found += [
                    Collection(scope, row["name"], str(row["did_type"]), bool(row["is_open"]))
                    for row in client.get_metadata_bulk(dids)
                ]
            return found

        return self.ask(f"listing the {kind}s of {scope}", get) or []

    def scopes(self) -> list[str]:
        """Scopes of our account; a new server has none, which Rucio takes for an error."""

        def get(client: Any) -> list[str]:
            return list(client.list_scopes_for_account(self._config.account))

        return self.ask("listing scopes", get, absorb=("ScopeNotFound",)) or []

    def file_names(self, scope: str) -> list[str]:
        """Names of all files of a scope."""
        return (
            self.ask(
                f"listing the files of {scope}",
                lambda client: list(client.list_dids(scope, [{}], did_type="file")),
            )
            or []
        )

    def attach_files(self, scope: str, dataset: str, files: Sequence[Replica], rse: str | None = "") -> None:
        """Register replicas on a storage element and attach them to an open dataset.

        Each batch is one transaction in Rucio. Files that are there already are compared, not repeated.

        Parameters
        ----------
        scope, dataset
            The dataset.
        files
            The files.
        rse
            Where they lie; '' is our own, None for files whose replicas are registered already.

        Raises
        ------
        Fatal
            When Rucio knows one of the files with another size or checksum (the message names it).
        """
        for batch in batches(files, BATCH):
            attachment = {
                "scope": scope,
                "name": dataset,
                "dids": [
                    {
                        "scope": file.scope,
                        "name": file.name,
                        "bytes": file.size,
                        "adler32": file.adler32,
                    }
                    for file in batch
                ],
            }
            attachment |= {} if rse is None else {"rse": rse or self.rse}
            self.ask(
                f"attaching {len(batch)} files to {scope}:{dataset}",
                partial(_attach, attachment=attachment),
            )

    def detach_files(self, scope: str, dataset: str, files: Iterable[tuple[str, str]]) -> None:
        """Take files out of an open dataset (a draft that another attempt had filled otherwise)."""
        for batch in batches(files):
            dids = [{"scope": file_scope, "name": name} for file_scope, name in batch]
            self.ask(
                f"detaching {len(batch)} files from {scope}:{dataset}",
                partial(_detach, scope=scope, dataset=dataset, dids=dids),
            )

    def attach_dataset(self, scope: str, container: str, dataset: str) -> None:
        """Put a dataset into a container of the same scope, unless it is in there."""
        attachment = {"scope": scope, "name": container, "dids": [{"scope": scope, "name": dataset}]}
        self.ask(
            f"attaching {dataset} to {scope}:{container}",
            partial(_attach, attachment=attachment),
        )

    def close(self, scope: str, dataset: str) -> None:
        """Close a dataset; a closed one stays closed."""
        state = self.collection(scope, dataset)
        if state is not None and state.is_open:
            self.ask(
                f"closing {scope}:{dataset}",
                lambda client: client.close(scope, dataset),
                absorb=("UnsupportedStatus",),
            )

    def ensure_locked_rule(self, scope: str, dataset: str, placement: Placement | None = None) -> None:
        """Hold a dataset (or a file) by a locked rule: no daemon ever deletes it, and Rucio makes the copies.

        Parameters
        ----------
        scope, dataset
            What is held.
        placement
            How many copies, and among which storage elements; one on our own where it is None.
        """
        wanted = placement or Placement(1, (self.rse,))
        expression = "|".join(wanted.rses)
        # Of several elements each file may use another: those that were made at two sites stay there.
        grouping = "DATASET" if len(wanted.rses) == 1 else "NONE"

        def ensure(client: Any) -> None:
            for rule in client.list_did_rules(scope, dataset):
                if rule["rse_expression"] == expression and int(rule["copies"]) >= wanted.copies:
                    if not rule["locked"]:
                        client.update_replication_rule(rule["id"], {"locked": True})
                    return
            client.add_replication_rule(
                [{"scope": scope, "name": dataset}],
                wanted.copies,
                expression,
                grouping=grouping,
                locked=True,
                comment=ACTIVITY,
            )

        self.ask(f"locking {scope}:{dataset}", ensure, absorb=("DuplicateRule",))

    def files(self, scope: str, dataset: str) -> list[Replica]:
        """The files of a dataset."""

        def get(client: Any) -> list[Replica]:
            return [
                Replica(row["scope"], row["name"], int(row["bytes"]), row["adler32"])
                for row in client.list_files(scope, dataset)
            ]

        return self.ask(f"listing the files of {scope}:{dataset}", get) or []

    def files_of_many(
        self, datasets: Iterable[tuple[str, str]]
    ) -> dict[tuple[str, str], set[tuple[str, str]]]:
        """The files of many datasets, in few calls; a dataset that is not there has none."""
        found: dict[tuple[str, str], set[tuple[str, str]]] = {}
        for batch in batches(datasets):
            dids = [{"scope": scope, "name": name} for scope, name in batch]
            rows = self.ask("listing the files of datasets", partial(_list_files, dids=dids))
            for row in rows or []:
                parent = (row["parent_scope"], row["parent_name"])
                found.setdefault(parent, set()).add((row["scope"], row["name"]))
        return found

    def add_replicas(self, files: Sequence[Replica]) -> None:
        """Register replicas on our storage element of files whose names Rucio may know already."""
        for batch in batches(files):
            rows = [
                {
                    "scope": file.scope,
                    "name": file.name,
                    "bytes": file.size,
                    "adler32": file.adler32,
                }
                for file in batch
            ]
            self.ask(f"registering {len(batch)} replicas", partial(_add_replicas, rse=self.rse, files=rows))

    def mend_replicas(self, files: Sequence[Replica]) -> None:
        """Have files AVAILABLE on our storage element, whatever Rucio thought of their replicas.

        The locks of their rules follow: a rule that was stuck for nothing else is OK again.
        """
        self.add_replicas(files)
        for batch in batches(files):
            rows = [{"scope": file.scope, "name": file.name, "state": "A"} for file in batch]
            self.ask(f"mending {len(batch)} replicas", partial(_set_states, rse=self.rse, files=rows))

    def stuck_files(self, rule: Rule) -> list[tuple[str, str]]:
        """Files on our storage element that a rule waits for."""

        def get(client: Any) -> list[tuple[str, str]]:
            return [
                (row["scope"], row["name"])
                for row in client.list_replica_locks(rule.id)
                if row["rse"] == self.rse and str(row["state"]) != "OK"
            ]

        return self.ask(f"listing the locks of {rule.scope}:{rule.name}", get) or []

    def content(self, scope: str, container: str) -> list[str]:
        """Names of what a container holds; empty when there is none."""
        return (
            self.ask(
                f"listing {scope}:{container}",
                lambda client: [row["name"] for row in client.list_content(scope, container)],
                absorb=("DataIdentifierNotFound",),
            )
            or []
        )

    def replicas(self, dids: Iterable[tuple[str, str]]) -> Iterator[tuple[Replica, str | None]]:
        """Each file with its state on our storage element, None where it has no replica."""
        for batch in batches(dids, BATCH):
            wanted = [{"scope": scope, "name": name} for scope, name in batch]
            rows = self.ask(
                "listing replicas",
                partial(list_replicas, dids=wanted),
            )
            for row in rows or []:
                file = Replica(row["scope"], row["name"], int(row["bytes"]), row["adler32"], row.get("md5"))
                yield file, (row.get("states") or {}).get(self.rse)

    def rules(self) -> list[Rule]:
        """All rules of our account."""

        def get(client: Any) -> list[Rule]:
            return [
                Rule(
                    row["id"],
                    row["scope"],
                    row["name"],
                    row["rse_expression"],
                    bool(row["locked"]),
                    str(row["state"]),
                    str(row["expires_at"]) if row["expires_at"] else None,
                    int(row["copies"]),
                )
                for row in client.list_replication_rules({"account": self._config.account})
            ]

        return self.ask("listing rules", get) or []

    def ask(self, what: str, call: Callable[[Any], T], absorb: tuple[str, ...] = ()) -> T | None:
        """Call Rucio; `absorb` names the exceptions that mean the work is done already (None is returned)."""
        for pause in _BUSY_PAUSES:
            try:
                return self._ask_once(what, call, absorb)
            except _BusyError:
                time.sleep(pause)
        try:
            return self._ask_once(what, call, absorb)
        except _BusyError as error:
            raise self._no_answer(what, str(error)) from error.__cause__

    def _ask_once(self, what: str, call: Callable[[Any], T], absorb: tuple[str, ...]) -> T | None:
        from requests.exceptions import RequestException
        from rucio.common.exception import RucioException, ServerConnectionException

        try:
            return call(self._client())
        except (RequestException, ServerConnectionException) as error:
            raise self._no_answer(what, "no connection") from error
        except RucioException as error:
            kind = type(error).__name__
            if kind in absorb:
                return None
            if kind in _BUSY or (kind == "RucioException" and _BROKEN in str(error)):
                raise _BusyError(f"{kind}: {_told(error)}") from error
            raise self._refusal(what, kind, error) from error

    def _client(self) -> Any:
        client = getattr(self._local, "client", None)
        if client is None:
            client = self._local.client = session.build(self._config)
        return client

    def _no_answer(self, what: str, why: str) -> Retriable:
        return Retriable(
            f"Rucio at {self._config.rucio_host} did not answer while {what} ({why}). "
            "Start it (`heliolake up`) or check its address, then run the same command again."
        )

    def _refusal(self, what: str, kind: str, error: Exception) -> Fatal:
        advice = {
            "CannotAuthenticate": f"Check account {self._config.account!r} and its password.",
            "AccessDenied": f"Give the account {self._config.account!r} the right to do it.",
            "FileConsistencyMismatch": "A name stands for the same bytes for ever: run `heliolake fsck`.",
            "InsufficientAccountLimit": f"Give the account {self._config.account!r} a limit on {self.rse}.",
        }.get(kind, "")
        return Fatal(f"Rucio refused {what} ({kind}): {_told(error)}. {advice}".strip())


class _BusyError(Exception):
    """Rucio asks, in its way, to be asked again."""


def _told(error: Exception) -> str:
    """What Rucio says about an error, in one line."""
    return str(error).rpartition("Details: ")[2].strip().partition("\n")[0]


def _attach(client: Any, attachment: dict[str, Any]) -> None:
    client.attach_dids_to_dids([attachment], ignore_duplicate=True)


def _detach(client: Any, scope: str, dataset: str, dids: list[dict[str, str]]) -> None:
    client.detach_dids(scope, dataset, dids)


def _list_files(client: Any, dids: list[dict[str, str]]) -> list[dict[str, Any]]:
    return list(client.bulk_list_files(dids))


def _add_replicas(client: Any, rse: str, files: list[dict[str, Any]]) -> None:
    client.add_replicas(rse, files)


def _set_states(client: Any, rse: str, files: list[dict[str, str]]) -> None:
    client.update_replicas_states(rse, files)


def list_replicas(client: Any, dids: list[dict[str, str]]) -> list[dict[str, Any]]:
    """The replicas of files, as Rucio's client has them."""
    # Without a sort order of its own the server computes a distance between sites for every replica.
    return list(client.list_replicas(dids, all_states=True, sort="random"))
