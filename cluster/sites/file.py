"""``sites.yaml``: read, and changed by commands without losing what people wrote about other sites."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import yaml
from pydantic import ValidationError

from cluster.home.process import write_private
from cluster.sites.site import Sites
from lake.errors import Fatal
from pipeline.documents import load_yaml

NAME: Final = "sites.yaml"


def read(file: Path) -> Sites:
    """What a file of sites says; no sites where there is no file.

    Raises
    ------
    Fatal
        When it cannot be read, naming the file, the key and what is wrong with it.
    """
    return checked(file, _document(file))


def write(file: Path, sites: Sites) -> None:
    """Replace a file of sites, whole or not at all; it holds addresses and places of keys, hence private."""
    told = sites.model_dump(mode="json", exclude_none=True)
    write_private(file, _HEAD + yaml.safe_dump(told, sort_keys=False))


_HEAD: Final = "# The sites of this lake; `heliolake site` shows and changes them.\n"


def _document(file: Path) -> Any:
    return (load_yaml(file, "the file of sites") or {}) if file.exists() else {}


def checked(file: Path, document: Any) -> Sites:
    """What a document says that is in a file, or is to be.

    Raises
    ------
    Fatal
        As `read`.
    """
    try:
        return Sites.model_validate(document)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "it"
        raise Fatal(
            f"{file}: {place}: {first['msg'].removeprefix('Value error, ')}. Mend it, or remove the site."
        ) from error
