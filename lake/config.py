"""What the lake needs to know to reach its catalogue, its Rucio and its storage."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class LakeConfig:
    """Addresses and credentials of one lake.

    Attributes
    ----------
    database_url
        SQLAlchemy URL of our catalogue (``postgresql+psycopg://...``). Holds the password, hence not shown.
    rucio_host
        Base URL of the Rucio server, used for authentication too.
    account
        The Rucio account (and userpass identity) the service works as.
    password
        Its password; not shown.
    token_path
        Where the client keeps its token. Tokens of different servers must not share a file.
    rse
        Name of the storage element at this site.
    store
        URL of its store: a folder as ``file:///FOLDER``, or as `lake.storage.s3.s3_url` makes it. Never
        holds credentials.
    store_credentials
        File of the credentials for it, where it needs some that this process does not have.
    """

    database_url: str = field(repr=False)
    rucio_host: str
    account: str
    password: str = field(repr=False)
    token_path: Path
    rse: str
    store: str
    store_credentials: Path | None = None
