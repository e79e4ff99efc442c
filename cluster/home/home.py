"""A home: the one folder that holds everything an embedded Heliolake keeps."""

from __future__ import annotations

import fcntl
import json
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from cluster.home.elsewhere import FILE, LakeSettings, settings_of
from cluster.home.process import PRIVATE_FILE, ProcessRecord, write_private
from cluster.scheduler import Scheduler
from lake.config import LakeConfig
from lake.errors import Fatal, Unreachable

PRIVATE_FOLDER = 0o700
KINDS = ("posix", "s3")
"""What a home may keep its files in: a folder, or an S3 storage of its own."""
BUCKET = "heliolake"
"""Bucket of a home's S3 storage."""
RSE = "HELIOLAKE"
"""Name of the storage element every home starts with."""

SECRETS = ("postgres", "rucio_database", "lake_database", "rucio_root", "s3", "registry")


class Home:
    """The folder of one installation, and the facts recorded in it.

    Parameters
    ----------
    path
        The folder; it need not exist yet. `create` makes it.
    whole
        The home of which it is the part of a site; itself where it is none.
    """

    def __init__(self, path: Path | str, whole: Home | None = None) -> None:
        self.path = Path(path).expanduser().resolve()
        self.whole = whole or self

    def __repr__(self) -> str:
        return f"Home({str(self.path)!r})"

    @classmethod
    def resolve(cls, option: Path | str | None = None) -> Home:
        """The home named by the option, else by ``HELIOLAKE_HOME``, else ``~/.heliolake``.

        Raises
        ------
        Fatal
            When there is a file in its place.
        """
        named = cls(option or os.environ.get("HELIOLAKE_HOME") or Path("~/.heliolake"))
        if named.path.exists() and not named.path.is_dir():
            raise Fatal(f"{named.path} is a file; a home is a folder. Name another with --home.")
        return named

    @property
    def log(self) -> Path:
        """Folder of what the services print."""
        return self.path / "log"

    @property
    def run(self) -> Path:
        """Folder of process records and other facts that do not outlive the services."""
        return self.path / "run"

    @property
    def storage(self) -> Path:
        """Folder that holds one folder per storage element."""
        return self.path / "storage"

    @property
    def postgres(self) -> Path:
        """Folder of the database server; its data lie in ``data`` below."""
        return self.path / "postgres"

    @property
    def rucio(self) -> Path:
        """Folder of Rucio's configuration files."""
        return self.path / "rucio"

    @property
    def dask(self) -> Path:
        """Scratch folder of the Dask workers."""
        return self.path / "dask"

    @property
    def cache(self) -> Path:
        """Folder of what can be made again at any time, and thrown away."""
        return self.path / "cache"

    @property
    def rse(self) -> str:
        """Name of the home's storage element."""
        outside = self.outside
        return outside.rse if outside else str(self._read(self._state_file).get("rse", RSE))

    @property
    def rse_root(self) -> Path:
        """Folder of the home's storage element, where it is of the kind posix."""
        return self.storage / self.rse

    @property
    def sites(self) -> Path:
        """File of what other sites there are."""
        return self.path / "sites.yaml"

    def part(self, site: str) -> Home:
        """The folder of what this home runs for another site: storage and Dask, with ports of their own."""
        return Home(self.path / "sites" / site, self)

    @property
    def objects(self) -> Path:
        """Folder of the home's S3 storage, where it is of that kind."""
        return self.path / "s3"

    @property
    def outside(self) -> LakeSettings | None:
        """Where the lake of the home runs, when its services are not of this home."""
        return settings_of(self.path)

    @property
    def kind(self) -> str:
        """What the home keeps its files in; homes made before there was a choice, and those to come, in a
        folder."""
        return str(self._read(self._state_file).get("storage", KINDS[0]))

    @property
    def store_url(self) -> str:
        """URL of the home's store."""
        if outside := self.outside:
            return outside.store
        if self.kind == "posix":
            return self.rse_root.as_uri()
        from lake.storage.s3 import s3_url  # brings numpy, which completing a name does without

        return s3_url(BUCKET, self.url("s3"), region="us-east-1")

    @property
    def store_credentials(self) -> Path:
        """File of credentials for stores: its own S3 storage, and whatever others are written there."""
        return self.path / "stores.json"

    def create(self, kind: str = "", rse: str = RSE) -> None:
        """Make the folders, the identity and the passwords, as far as they are missing.

        Parameters
        ----------
        kind
            What a new home is to keep its files in, one of `KINDS`; '' leaves it as it is.
        rse
            Name of a new home's storage element.

        Raises
        ------
        Fatal
            When the folder cannot be made, or cannot be a home, or is one of another kind, or its services
            run elsewhere.
        """
        if self.outside:
            raise Fatal(
                f"The services of the home {self.path} run elsewhere, as {FILE} in it says. "
                "Start them there, or name another home with --home."
            )
        if kind not in ("", *KINDS):
            raise Fatal(f"There is no storage of the kind {kind!r}; there are {' and '.join(KINDS)}.")
        if kind and self._state_file.exists() and kind != self.kind:
            raise Fatal(
                f"The home {self.path} keeps its files in {self.kind}, and a home never changes that. "
                f"Leave --storage out, or make another home for {kind} with --home."
            )
        if "%" in str(self.path):
            # Alembic, which Rucio uses, takes it for the start of a variable, without a way around.
            raise Fatal(f"The home {self.path} has a percent sign in its path. Choose another with --home.")
        try:
            self.path.mkdir(parents=True, mode=PRIVATE_FOLDER, exist_ok=True)
            element = self.storage / (self.rse if self._state_file.exists() else rse)
            parts = [self.log, self.run, self.storage, self.postgres, self.rucio, self.dask]
            parts.append(self.objects if (kind or self.kind) == "s3" else element)
            for folder in parts:
                folder.mkdir(mode=PRIVATE_FOLDER, exist_ok=True)
        except OSError as error:
            raise Fatal(
                f"The home {self.path} cannot be made: {error.strerror}. Choose another folder with --home."
            ) from error
        with suppress(PermissionError):  # a folder that belongs to somebody else keeps its mode
            self.path.chmod(PRIVATE_FOLDER)
        with self.lock():
            if not self._state_file.exists():
                state = {"id": secrets.token_hex(8), "ports": {}, "storage": kind or KINDS[0], "rse": rse}
                self._write(self._state_file, state)
            known = self._read(self._secrets_file)
            missing = {name: secrets.token_hex(24) for name in SECRETS if name not in known}
            if missing:
                self._write(self._secrets_file, known | missing)

    @contextmanager
    def lock(self, name: str = "state") -> Iterator[None]:
        """Hold an advisory lock of this home; others wait. Held across processes, not re-entrant."""
        descriptor = os.open(self.run / f"{name}.lock", os.O_RDWR | os.O_CREAT, PRIVATE_FILE)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    @property
    def exists(self) -> bool:
        """Whether `create` has ever completed here."""
        return self._state_file.exists() and self._secrets_file.exists()

    @property
    def identity(self) -> str:
        """A random name that tells this home from any other; the lake's where its services run elsewhere."""
        if outside := self.outside:
            return outside.name
        return str(self._read(self._state_file).get("id", ""))

    def port(self, name: str) -> int | None:
        """The recorded port of a service, if one was ever chosen."""
        value = self._read(self._state_file).get("ports", {}).get(name)
        return int(value) if value is not None else None

    def record_port(self, name: str, port: int) -> None:
        """Remember the port of a service across restarts."""
        with self.lock():
            state = self._read(self._state_file)
            state["ports"][name] = port
            self._write(self._state_file, state)

    def secret(self, name: str) -> str:
        """One of the passwords generated for this home."""
        return str(self._read(self._secrets_file)[name])

    def url(self, name: str, scheme: str = "http") -> str:
        """Address of a service on the loopback interface, '' when it has no port yet."""
        port = self.port(name)
        return f"{scheme}://127.0.0.1:{port}" if port else ""

    def database_url(self, role: str = "heliolake", driver: str = "postgresql+psycopg") -> str:
        """SQLAlchemy URL, password included, of the database of the same name as `role`."""
        password = self.secret({"heliolake": "lake_database", "rucio": "rucio_database"}[role])
        return f"{driver}://{role}:{password}@127.0.0.1:{self.port('postgres')}/{role}"

    def lake_config(self) -> LakeConfig:
        """How to reach the lake of this home.

        Raises
        ------
        Unreachable
            When the services of the home are not running.
        """
        if outside := self.outside:
            return outside.config(self.path)
        needed = ("postgres", "rucio") if self.kind == "posix" else ("postgres", "rucio", "seaweedfs")
        self._require(*needed)
        return LakeConfig(
            database_url=self.database_url(),
            rucio_host=self.url("rucio"),
            account="root",
            password=self.secret("rucio_root"),
            token_path=self.rucio / "token",
            rse=self.rse,
            store=self.store_url,
            store_credentials=self.store_credentials,
        )

    def scheduler(self) -> Scheduler:
        """The Dask scheduler with the key to it; `Unreachable` when it is not running."""
        self._require("dask")
        return Scheduler(self.url("scheduler", "tls"), self.dask_key)

    @property
    def dask_key(self) -> Path:
        """Key and certificate of the Dask cluster, made anew whenever it starts."""
        return self.dask / "tls.pem"

    def dashboard_url(self) -> str:
        """Address of the Dask dashboard; `Unreachable` when it is not running."""
        self._require("dask")
        return f"{self.url('dashboard')}/status"

    def _require(self, *services: str) -> None:
        missing = [name for name in services if not ProcessRecord.alive_in(self.run, name)]
        if missing and self.outside:
            raise Unreachable(
                f"The services of the home {self.path} run elsewhere, as {FILE} in it says, "
                f"and {' and '.join(missing)} is none of them."
            )
        if missing:
            usual = Path("~/.heliolake").expanduser().resolve()
            option = "" if self.path == usual else f" --home {self.path}"
            verb = "is" if len(missing) == 1 else "are"
            raise Unreachable(
                f"{' and '.join(missing)} of the home {self.path} {verb} not running. "
                f"Run: heliolake{option} up"
            )

    @property
    def _state_file(self) -> Path:
        return self.path / "state.json"

    @property
    def _secrets_file(self) -> Path:
        return self.path / "secrets.json"

    @staticmethod
    def _read(path: Path) -> dict[str, Any]:
        try:
            content: dict[str, Any] = json.loads(path.read_text())
        except FileNotFoundError:
            return {}
        return content

    @staticmethod
    def _write(path: Path, content: dict[str, Any]) -> None:
        write_private(path, json.dumps(content, indent=1, sort_keys=True) + "\n")
