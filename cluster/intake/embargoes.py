"""The embargo of new observations about which nobody decided: what the home says, else the instrument.

The home says it in the section `embargo` of `governance.yaml` in its folder.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from lake.errors import BadInput, Fatal
from lake.governance.embargo import Default
from lake.governance.names import check_holders
from pipeline.instrument import EmbargoRule
from pipeline.registry import instruments

FILE = "governance.yaml"


class _Governance(BaseModel):
    """The section that is read here."""

    model_config = ConfigDict(frozen=True, extra="allow")

    embargo: dict[str, EmbargoRule | None] = {}


Embargoes = Callable[[str], Default | None]
"""From the name of an instrument to its default; `None` where its data are free at once."""


def described(instrument: str) -> Default | None:
    """What the instrument's own description asks for."""
    known = instruments().get(instrument)
    return None if known is None else _default(known.embargo)


def embargoes_of(folder: Path) -> Embargoes:
    """What the home in a folder says, for other instruments what their descriptions ask for.

    Raises
    ------
    lake.errors.Fatal
        When its file is there and cannot be understood.
    """
    own = _read(folder / FILE)
    return lambda instrument: _default(own[instrument]) if instrument in own else described(instrument)


def _default(rule: EmbargoRule | None) -> Default | None:
    return None if rule is None else Default(rule.months, rule.holders)


def _read(path: Path) -> dict[str, EmbargoRule | None]:
    try:
        rules = _Governance.model_validate(yaml.safe_load(path.read_text()) or {}).embargo
        for rule in rules.values():
            check_holders(rule.holders if rule else ())
    except FileNotFoundError:
        return {}
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise Fatal(f"{path}, {place}: {first['msg']} (found {str(first['input'])[:80]!r}).") from error
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise Fatal(f"{path} cannot be read: {' '.join(str(error).split())[:200]}") from error
    except BadInput as error:  # a holder that is none
        raise Fatal(f"{path}, embargo: {error}") from error
    return rules
