"""The configuration files of an embedded Rucio.

Both the server's and the clients' file hold a password: callers write them so that only
their owner can read them.
"""

from __future__ import annotations

import configparser
import io
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote, urlsplit

from lake.errors import Fatal

POLICY_PACKAGE = "lake.rucio.policy"
STORE = "heliolake-store"
"""Attribute of a storage element: the URL of its store."""
LONGEST = 255
"""Characters of the value of an attribute."""
IDENTITY = "root"
"""Name under which the service signs in with its password; the account has the same name."""

_ALEMBIC = """\
[alembic]
script_location = rucio:db/sqla/migrate_repo/
sqlalchemy.url = {database_url}

[loggers]
keys = root

[handlers]
keys = console

[formatters]
keys = plain

[logger_root]
level = WARN
handlers = console
qualname =

[handler_console]
class = StreamHandler
args = (sys.stderr,)
level = NOTSET
formatter = plain

[formatter_plain]
format = %(levelname)s [%(name)s] %(message)s
"""


@dataclass(frozen=True)
class RucioSettings:
    """What distinguishes one embedded Rucio from another.

    Attributes
    ----------
    folder
        Folder of the configuration files.
    log_folder
        Folder for log files of Rucio's own.
    database_url
        SQLAlchemy URL of Rucio's database, password included.
    server_url
        Where the server listens.
    password
        Password of the service account.
    rse, store
        Name of the first storage element, and URL of its store.
    """

    folder: Path
    log_folder: Path
    database_url: str = field(repr=False)
    server_url: str
    password: str = field(repr=False)
    rse: str
    store: str

    @property
    def server_file(self) -> Path:
        """The configuration of server and daemons."""
        return self.folder / "server.cfg"

    @property
    def client_file(self) -> Path:
        """The configuration of clients: point ``RUCIO_CONFIG`` to it to use the `rucio` command."""
        return self.folder / "client.cfg"

    @property
    def alembic_file(self) -> Path:
        """What Rucio needs to stamp the version of its schema."""
        return self.folder / "alembic.ini"

    def files(self) -> dict[Path, str]:
        """Every configuration file with its contents."""
        return {
            self.server_file: _render(self._server()),
            self.client_file: _render(self._client()),
            self.alembic_file: _ALEMBIC.format(database_url=self.database_url),
        }

    def _client(self) -> dict[str, dict[str, str]]:
        # No [database] section: Rucio takes any process that sees one for a server.
        return {
            "common": {"logdir": str(self.log_folder), "loglevel": "WARNING"},
            "client": {
                "rucio_host": self.server_url,
                "auth_host": self.server_url,
                "auth_type": "userpass",
                "username": IDENTITY,
                "password": self.password,
                "account": "root",
                "auth_token_file_path": str(self.folder / "token-of-commands"),
                "request_retries": "3",
            },
        }

    def _server(self) -> dict[str, dict[str, str]]:
        return self._client() | {
            "database": {
                "default": self.database_url,
                "pool_size": "5",
                "max_overflow": "10",
                "pool_recycle": "3600",
            },
            "bootstrap": {
                "userpass_identity": IDENTITY,
                "userpass_pwd": self.password,
                # Rucio falls back to certificates and keys printed in its source where these are absent.
                "x509_identity": "",
                "x509_email": "",
                "gss_identity": "",
                "gss_email": "",
                "ssh_identity": "",
                "ssh_email": "",
            },
            "alembic": {"cfg": str(self.alembic_file)},
            "policy": {"permission": "generic", "package": POLICY_PACKAGE},
            "opendata": {"rse_expression": self.rse},
            # Anonymous users would learn existence, size and checksum of embargoed files from /redirect, and
            # every account could ask for a longer life of anything, which nobody is asked about.
            "api": {"endpoints_remove": "redirect, dirac, import, export, lifetime_exceptions"},
            # By what was deleted the policy knows names that may not be used again.
            "deletion": {"archive_dids": "True"},
            "conveyor": {"scheme": "file", "user_transfers": "cms"},
            "transfers": {"multihop_enabled": "False"},
            "hermes": {"services_list": ""},
        }


def attributes(store: str) -> dict[str, str]:
    """The attributes of the storage element of a store, by its URL.

    Raises
    ------
    Fatal
        When Rucio cannot keep the URL.
    """
    if len(store) <= LONGEST:
        return {"lfn2pfn_algorithm": "hash", STORE: store}
    if store.startswith("file:"):  # the protocol's prefix says as much, and may be longer
        return {"lfn2pfn_algorithm": "hash"}
    raise Fatal(f"The URL of the store has {len(store)} characters, and Rucio keeps {LONGEST}: {store}")


def protocol(store: str) -> dict[str, object]:
    """The protocol description of a store, by its URL.

    Rucio pairs protocols of one scheme for a transfer, and knows none called s3. All that our own tool reads
    and writes is of the scheme `file` therefore; the host says which of them are buckets.
    """
    parts = urlsplit(store)
    if parts.scheme == "file":
        return posix_protocol(Path(unquote(parts.path)))
    prefix = f"/{parts.netloc}/{parts.path.strip('/')}".rstrip("/")
    return posix_protocol(Path(prefix)) | {"hostname": "s3"}


def posix_protocol(folder: Path) -> dict[str, object]:
    """The protocol description of a folder, usable for every purpose."""
    here = {"read": 1, "write": 1, "delete": 1}
    return {
        "scheme": "file",
        "hostname": "localhost",
        "port": 0,
        "prefix": f"{folder}/",
        "impl": "rucio.rse.protocols.posix.Default",
        "domains": {"lan": here, "wan": here | {"third_party_copy_read": 1, "third_party_copy_write": 1}},
    }


def _render(sections: dict[str, dict[str, str]]) -> str:
    parser = configparser.ConfigParser(interpolation=None)
    parser.read_dict(sections)
    stream = io.StringIO()
    parser.write(stream)
    return stream.getvalue()
