"""Where DOIs are registered, and what is said of the data there: read from a home's `governance.yaml`."""

from __future__ import annotations

import stat
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Final

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from lake.errors import BadInput, Fatal, Reason
from lake.governance.addresses import found_in, guarded_address
from lake.governance.doi.citation import Citation, with_test_values

TEST_PREFIX: Final = "10.5072"
"""Reserved for tests: no registration agency ever registers a DOI under it."""
FILE: Final = "governance.yaml"
EVERY: Final = "*"
"""Under this name stands what is said of the data of every instrument."""


class RegistrySettings(BaseModel):
    """The section `doi` of `governance.yaml`: an account at DataCite.

    Attributes
    ----------
    url
        Of the REST API: ``https://api.datacite.org``, or ``https://api.test.datacite.org``.
    repository
        Id of the repository, as it logs in.
    password_file
        File of its password, beside `governance.yaml` or anywhere; only its owner may read it.
    prefix
        Of the DOIs.
    landing
        Address of the page a DOI leads to; ``{doi}`` stands for it.
    namespace
        What, besides a release's name, its DOI is made from. Set it where a home moves to another machine
        and its database does not; leave it out otherwise.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    url: Annotated[str, Field(pattern=r"^https?://\S+$"), AfterValidator(guarded_address)]
    repository: str = Field(min_length=1)
    password_file: Path
    prefix: str = Field(pattern=r"^10\.\d{4,5}$")
    landing: str = Field(pattern=r"^https?://\S*\{doi\}\S*$")
    namespace: str = ""


@dataclass(frozen=True)
class Registry:
    """Where DOIs are registered, and as whom.

    Attributes
    ----------
    url, repository, password, prefix, landing
        As `RegistrySettings` has them.
    namespace
        What distinguishes this lake from others under the same prefix.
    practice
        Whether it is the practice registry of a home: nothing there is known to DataCite.
    timeout
        Seconds within which it has to answer.
    """

    url: str
    repository: str
    password: str = field(repr=False)
    prefix: str
    landing: str
    namespace: str
    practice: bool = False
    timeout: float = 30.0

    @property
    def words(self) -> str:
        """What it is, for people."""
        if self.practice:
            return "a practice registry on this machine; not registered with DataCite"
        return self.url


class Citations:
    """What is said of the data of each instrument: creators, publisher, licence.

    Parameters
    ----------
    sections
        The section `citation` of `governance.yaml`: instrument, or `"*"` for all, and what is said of its
        data.
    file
        Where that stands.
    described
        What an instrument's own description says.
    practice
        Whether test values, marked as such, stand in for what is required and not said.
    """

    def __init__(
        self,
        sections: Mapping[str, Mapping[str, Any]],
        file: Path,
        described: Callable[[str], Mapping[str, Any]] = lambda _instrument: {},
        *,
        practice: bool = False,
    ) -> None:
        self.sections = sections
        self.file = file
        self.described = described
        self.practice = practice

    def of(self, instrument: str) -> Citation:
        """What is said of an instrument's data: in its section, else in its description, else for all.

        Raises
        ------
        BadInput
            When something that is required is not said, or something cannot be; names file and keyword.
        """
        said: dict[str, Any] = {
            "title": instrument,
            **self.sections.get(EVERY, {}),
            **self.described(instrument),
            **self.sections.get(instrument, {}),
        }
        if self.practice:
            said = with_test_values(said)
        try:
            return Citation.model_validate(said)
        except ValidationError as error:
            raise self._refusal(instrument, error) from None

    def _refusal(self, instrument: str, error: ValidationError) -> BadInput:
        first = error.errors()[0]
        keyword = ".".join(["citation", instrument, *map(str, first["loc"])])
        missing = first["type"] == "missing"
        return BadInput(
            f"the data of {instrument} cannot be cited: {'nothing is said' if missing else first['msg']}",
            file=str(self.file),
            keyword=keyword,
            found="nothing" if missing else first["input"],
            advice=f"say it there, or under citation.'{EVERY}' for all instruments; it is never guessed",
            code=Reason.BAD_KEYWORD,
        )


def read(file: Path) -> dict[str, Any]:
    """The sections `doi` and `citation` of a `governance.yaml`; empty where there is none.

    Raises
    ------
    Fatal
        When it is no YAML document of such sections.
    """
    try:
        document = yaml.safe_load(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {"doi": None, "citation": {}}
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise Fatal(f"{file} cannot be read: {' '.join(str(error).split())}. Correct it.") from error
    sections = document if isinstance(document, dict) else {"": document}
    citation = sections.get("citation") or {}
    if "" in sections or not (
        isinstance(citation, dict) and all(isinstance(one, dict) for one in citation.values())
    ):
        raise Fatal(
            f"{file} has another form than it should: sections, and in `citation` one block for each "
            f"instrument, or '{EVERY}' for all. `heliolake doi --help` shows an example."
        )
    return {"doi": sections.get("doi"), "citation": citation}


def registry_of(settings: object, file: Path, namespace: str) -> Registry:
    """The registry that a section `doi` names.

    Parameters
    ----------
    settings
        The section.
    file
        Where it stands.
    namespace
        What distinguishes this lake, unless the section says another.

    Raises
    ------
    Fatal
        When something is missing or cannot be, or others can read the password.
    """
    try:
        given = RegistrySettings.model_validate(settings)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(["doi", *map(str, first["loc"])])
        raise Fatal(f"{file}: {where} is not right: {first['msg']} {found_in(first)}.") from None
    return Registry(
        given.url,
        given.repository,
        _password(file.parent / given.password_file),
        given.prefix,
        given.landing,
        given.namespace or namespace,
    )


def _password(file: Path) -> str:
    try:
        mode = stat.S_IMODE(file.stat().st_mode)
        password = file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise Fatal(f"The password of the registry cannot be read from {file}: {error}.") from error
    if mode & 0o077:
        raise Fatal(
            f"Others can read the registry's password in {file} (mode {mode:04o}). Run: chmod 600 {file}"
        )
    if not password:
        raise Fatal(f"{file} holds no password.")
    return password
