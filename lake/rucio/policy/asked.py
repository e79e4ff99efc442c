"""What is asked of Rucio, where Rucio itself does not tell its policy.

For some actions Rucio names the storage element and not the files, or neither. The request
that is being answered names them; daemons, which answer none, are not asked by Rucio either.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any


def body() -> Mapping[str, Any]:
    """The JSON object of the request that is being answered; empty where there is none."""
    import flask

    if not flask.has_request_context():
        return {}
    try:
        found = json.loads(flask.request.get_data(as_text=True) or "{}")
    except ValueError:
        return {}
    return found if isinstance(found, Mapping) else {}


def in_path(name: str) -> str | None:
    """A part of the path of the request that is being answered."""
    import flask

    arguments = flask.request.view_args if flask.has_request_context() else None
    found = (arguments or {}).get(name)
    return None if found is None else str(found)
