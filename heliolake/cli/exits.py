"""Exit codes, and how failures are told to a person."""

from __future__ import annotations

import sys
import traceback
from enum import IntEnum

from lake.text import printable

_OF_EMBEDDED = frozenset(
    (
        *("alembic", "authlib", "bokeh", "cryptography", "datacite", "gunicorn", "joserfc"),
        *("fastapi", "matplotlib", "PIL", "rucio", "sunpy", "uvicorn", "waitress"),
    )
)
"""Modules that only the extra `embedded` brings, or with all of their parts only it."""


class ExitCode(IntEnum):
    """What the command's exit code means."""

    DONE = 0
    WITH_PROBLEMS = 1
    """Finished, and something was quarantined, failed or found to differ."""
    USAGE = 2
    """The command, a file it was given or the configuration is not right."""
    UNREACHABLE = 3
    """A service does not run or does not answer."""
    INTERRUPTED = 130


def tell(error: Exception, *, debug: bool) -> ExitCode:
    """Write one plain sentence about a failure to stderr and say which exit code it means.

    Parameters
    ----------
    error
        What stopped the command.
    debug
        Whether to show the traceback as well.
    """
    if debug:
        traceback.print_exception(error, file=sys.stderr)
    code = exit_code(error)
    # A database's error speaks for itself; around it stands the statement, which nobody asked for.
    told = str(getattr(error, "orig", None) or error)
    message = printable(" ".join(told.split())) or type(error).__name__
    lacking = _lacking(error)
    if lacking:
        message = lacking
    elif not _on_purpose(error) and not isinstance(error, OSError):
        message = f"Something unexpected happened ({type(error).__name__}: {message})."
    if code is ExitCode.UNREACHABLE and "heliolake" not in message:
        message = f"{message} Run: heliolake up"
    hint = (
        "" if debug or lacking or _on_purpose(error) else " (heliolake --debug ... shows where it happened)"
    )
    sys.stderr.write(f"heliolake: {message}{hint}\n")
    return code


def _lacking(error: Exception) -> str:
    """A sentence where a package of one of the extras is absent, else nothing."""
    name = (error.name or "").partition(".")[0] if isinstance(error, ModuleNotFoundError) else ""
    if name in _OF_EMBEDDED:
        return (
            f"This needs {name}, which is not installed here. Install it: pip install 'heliolake[embedded]'"
        )
    return ""


def exit_code(error: Exception) -> ExitCode:
    """The exit code a failure means."""
    # A package whose exception this is has been imported already; asking costs nothing at start.
    from lake.errors import Retriable, Unreachable

    if isinstance(error, (Retriable, Unreachable, ConnectionError, TimeoutError)):
        return ExitCode.UNREACHABLE
    return ExitCode.UNREACHABLE if _is(error, "pipeline.errors", "Retriable") else ExitCode.USAGE


def _on_purpose(error: Exception) -> bool:
    from lake.errors import HeliolakeLakeError

    return isinstance(error, HeliolakeLakeError) or _is(error, "pipeline.errors", "HeliolakeError")


def _is(error: Exception, module: str, name: str) -> bool:
    """Whether an error is of a class of a module that is slow to import: if it is, it is imported by now."""
    kind = getattr(sys.modules.get(module), name, None)
    return kind is not None and isinstance(error, kind)
