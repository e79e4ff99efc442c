"""A home whose database, Rucio and storage run elsewhere, as its `lake.yaml` says: that of a data centre."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from lake.config import LakeConfig
from lake.errors import Fatal

FILE: Final = "lake.yaml"


class _Settings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class RucioSettings(_Settings):
    """A Rucio server.

    Attributes
    ----------
    url
        Its address.
    account
        The account, and the identity of the kind userpass, that Heliolake works as.
    password_file
        File of its password.
    """

    url: Annotated[str, Field(pattern=r"^https?://[^\s]+$")]
    account: Annotated[str, Field(min_length=1)]
    password_file: Path


class LakeSettings(_Settings):
    """All that `lake.yaml` says. Secrets lie in files of their own, which not everybody may read.

    Attributes
    ----------
    name
        What tells this lake from others; DOIs are made from it, so it stays as it is.
    database_url_file
        File of the URL of the catalogue, ``postgresql://ROLE:PASSWORD@HOST/DATABASE``.
    rucio
        The Rucio server.
    rse, store
        Name and URL of the storage element: ``s3://BUCKET?endpoint=ADDRESS``, or ``file:///FOLDER``.
    store_credentials_file
        File of credentials for stores; ``HELIOLAKE_STORES``, or the AWS variables and roles of the machine
        without it.
    """

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]
    database_url_file: Path
    rucio: RucioSettings
    rse: Annotated[str, Field(min_length=1)]
    store: Annotated[str, Field(pattern=r"^(s3|file)://[^\s]+$")]
    store_credentials_file: Path | None = None

    def config(self, home: Path) -> LakeConfig:
        """How to reach the lake; relative files lie in the home.

        Raises
        ------
        Fatal
            When a file of a secret is absent or empty, or everybody can read it.
        """
        credentials = self.store_credentials_file
        return LakeConfig(
            database_url=secret_in(home / self.database_url_file),
            rucio_host=self.rucio.url,
            account=self.rucio.account,
            password=secret_in(home / self.rucio.password_file),
            token_path=home / "rucio" / "token",
            rse=self.rse,
            store=self.store,
            store_credentials=home / credentials if credentials else None,
        )


def settings_of(home: Path) -> LakeSettings | None:
    """What the `lake.yaml` of a home says, None where it has none.

    Raises
    ------
    Fatal
        When it cannot be understood, naming the file and the key.
    """
    file = home / FILE
    if not file.exists():
        return None
    from pipeline.documents import load_yaml  # brings numpy and astropy, which completing a name does without

    document: Any = load_yaml(file, "the file of the lake")
    try:
        return LakeSettings.model_validate(document)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "the file"
        raise Fatal(f"{file}, {place}: {first['msg']}. Mend it.") from None  # the value may be a secret


def secret_in(file: Path) -> str:
    """The one line of a file that holds a secret.

    Raises
    ------
    Fatal
        When it is absent or empty, or everybody can read it.
    """
    try:
        # A group may: Kubernetes gives a secret to the group of those who are to have it.
        if file.stat().st_mode & stat.S_IROTH:
            raise Fatal(f"{file} holds a secret, and everybody can read it. Run: chmod o-rwx {file}")
        text = file.read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no text"
        raise Fatal(f"The secret in {file} cannot be read: {why}.") from error
    if not text:
        raise Fatal(f"{file} is empty; it should hold a secret.")
    return text
