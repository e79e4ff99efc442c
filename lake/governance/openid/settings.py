"""Which OpenID provider people log in with, as the configuration says it."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Self

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from lake.errors import BadInput, Fatal
from lake.governance.addresses import found_in, guarded_address
from lake.governance.names import check_account
from lake.text import printable

SECTION: Final = "login"
"""Section of a home's `governance.yaml`."""
VARIABLE: Final = "HELIOLAKE_LOGIN_"
"""What the same settings begin with in the environment, which goes before the file."""
_PRIVATE: Final = 0o077


def _groups(named: dict[str, str] | None) -> dict[str, str] | None:
    for one in (named or {}).values():
        try:
            check_account(one)
        except BadInput as error:
            raise ValueError(str(error)) from error
    return named


class ProviderSettings(BaseModel):
    """One OpenID provider, and what its claims mean here."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    issuer: Annotated[str, AfterValidator(guarded_address)] = Field(
        description="Its address, exactly as it names itself"
    )
    client_id: Annotated[str, Field(min_length=1)] = Field(description="What it calls this lake")
    client_secret_file: Path | None = Field(
        None, description="File of the client's secret, mode 0600; none for a public client"
    )
    scopes: tuple[str, ...] = Field(("openid", "profile"), description="What is asked for")
    name_claim: str = Field("preferred_username", description="Claim after which a new account is called")
    groups_claim: str = Field("groups", description="Claim that lists groups; a.b is b inside of a")
    groups: Annotated[dict[str, str] | None, AfterValidator(_groups)] = Field(
        None, description="Which of them count, and what they are called here; all by default"
    )
    new_accounts: bool = Field(True, description="Whether who logs in for the first time gets an account")
    token_days: int = Field(30, ge=1, le=366, description="How long the token of a login is good")

    @classmethod
    def read(cls, file: Path, environment: Mapping[str, str] = os.environ) -> Self:
        """The settings in a home's file, or in the environment.

        Raises
        ------
        Fatal
            When there are none, or they cannot be understood.
        """
        given = _of_environment(environment)
        where = f"{VARIABLE}… in the environment" if given else f"{file}, {SECTION}"
        given = given or _of_file(file)
        if not given:
            raise Fatal(
                f"There is no OpenID provider to log in with. Name one in {file} "
                f"(`{SECTION}: {{issuer: https://…, client_id: …}}`), or in {VARIABLE}ISSUER and "
                f"{VARIABLE}CLIENT_ID."
            )
        if isinstance(given.get("client_secret_file"), str):
            given["client_secret_file"] = str(file.parent / Path(given["client_secret_file"]).expanduser())
        try:
            return cls.model_validate(given)
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(map(str, first["loc"]))
            raise Fatal(f"{where}, {place}: {first['msg']}{found_in(first)}.") from None

    @classmethod
    def found(cls, file: Path, environment: Mapping[str, str] = os.environ) -> Self | None:
        """The settings where there are any; as `read`."""
        given = _of_environment(environment) or _of_file(file)
        return cls.read(file, environment) if given else None

    def secret(self) -> str:
        """The client's secret, '' for a public client.

        Raises
        ------
        Fatal
            When others can read the file, or nobody can.
        """
        file = self.client_secret_file
        if file is None:
            return ""
        try:
            with file.open() as stream:
                if stat.S_IMODE(os.fstat(stream.fileno()).st_mode) & _PRIVATE:
                    raise Fatal(f"{file} holds a secret, and others can read it. Run: chmod 600 {file}")
                secret = stream.read().strip()
        except (OSError, UnicodeDecodeError) as error:
            why = error.strerror if isinstance(error, OSError) else "it is no text"
            raise Fatal(f"The secret for {self.issuer} cannot be read from {file}: {why}.") from error
        if not secret:
            raise Fatal(f"{file} is empty; it should hold the client's secret for {self.issuer}.")
        return secret


def _of_file(file: Path) -> dict[str, Any]:
    try:
        document = yaml.safe_load(file.read_text()) or {}
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise Fatal(f"{file} cannot be read: {' '.join(str(error).split())[:200]}") from error
    section = document.get(SECTION) if isinstance(document, dict) else None
    if section is not None and not isinstance(section, dict):
        raise Fatal(
            f"{file}, {SECTION}: a list of settings is needed (found {printable(str(section))[:80]!r})."
        )
    return dict(section or {})


def _of_environment(environment: Mapping[str, str]) -> dict[str, Any]:
    """Settings as variables; lists and maps are written as YAML."""
    given = {
        name.removeprefix(VARIABLE).lower(): text
        for name, text in environment.items()
        if name.startswith(VARIABLE) and text
    }
    try:
        return {
            name: yaml.safe_load(text) if name in ("scopes", "groups") else text
            for name, text in given.items()
        }
    except yaml.YAMLError as error:
        raise Fatal(f"{VARIABLE}…: {' '.join(str(error).split())[:200]}") from error
