"""Run a command as another user, keeping just enough to reach its files.

Run as a script by a process of root: ``python -I -S unprivileged.py UID GID COMMAND...``.

PostgreSQL refuses to run as root. Its files may lie where an ordinary user cannot go
(below /root, or in any folder of mode 0700). Opening those folders to everybody would
expose what else is in them; instead the command keeps one capability, to pass and read
folders, and only if it is needed. See capabilities(7), "ambient".

PostgreSQL's programs ask with access(2) whether they may run each other. For a user other
than root that call leaves capabilities out of account, unless the securebit NO_SETUID_FIXUP
is set, which children inherit (capabilities(7), "The securebits flags").
"""

from __future__ import annotations

import ctypes
import os
import sys
from pathlib import Path

_PR_GET_SECUREBITS, _PR_SET_SECUREBITS, _PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE = 27, 28, 47, 2
_SECBIT_NO_SETUID_FIXUP = 1 << 2
_CAP_DAC_OVERRIDE, _CAP_DAC_READ_SEARCH = 1, 2
_CAPABILITY_VERSION_3 = 0x20080522


class _Header(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class _Sets(ctypes.Structure):
    _fields_ = (
        ("effective", ctypes.c_uint32),
        ("permitted", ctypes.c_uint32),
        ("inheritable", ctypes.c_uint32),
    )


def main(arguments: list[str]) -> None:
    """Become the user and run the command; does not return."""
    uid, gid, command = int(arguments[0]), int(arguments[1]), arguments[2:]
    keep = not all(_everybody_passes(Path(path)) for path in (command[0], str(Path.cwd())))
    libc = ctypes.CDLL(None, use_errno=True)
    permitted = _capabilities(libc)[0].permitted
    # Containers often withhold the narrower of the two.
    wanted = next((cap for cap in (_CAP_DAC_READ_SEARCH, _CAP_DAC_OVERRIDE) if permitted & (1 << cap)), None)
    keep = keep and wanted is not None
    if keep:  # changing the user keeps capabilities then; all but the one wanted are given up below
        bits = libc.prctl(_PR_GET_SECUREBITS, 0, 0, 0, 0) | _SECBIT_NO_SETUID_FIXUP
        _checked(libc.prctl(_PR_SET_SECUREBITS, bits, 0, 0, 0), "prctl(PR_SET_SECUREBITS)")
    os.setgroups([])
    os.setgid(gid)
    os.setuid(uid)
    if keep and wanted is not None:
        bit = 1 << wanted
        sets = (_Sets * 2)(_Sets(bit, bit, bit), _Sets(0, 0, 0))
        _checked(libc.capset(ctypes.byref(_Header(_CAPABILITY_VERSION_3, 0)), sets), "capset")
        _checked(libc.prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE, wanted, 0, 0), "prctl(PR_CAP_AMBIENT)")
    os.execv(command[0], command)  # noqa: S606 -- no shell wanted


def _capabilities(libc: ctypes.CDLL) -> ctypes.Array[_Sets]:
    sets = (_Sets * 2)()
    _checked(libc.capget(ctypes.byref(_Header(_CAPABILITY_VERSION_3, 0)), sets), "capget")
    return sets


def _checked(result: int, what: str) -> None:
    if result != 0:
        raise OSError(ctypes.get_errno(), f"{what}: {os.strerror(ctypes.get_errno())}")


def _everybody_passes(path: Path) -> bool:
    return all(folder.stat().st_mode & 0o001 for folder in path.resolve().parents)


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except OSError as problem:
        sys.exit(
            f"{sys.argv[3]} cannot be run as user {sys.argv[1]}: {problem}; put the environment and the home "
            "where every user may pass, or run as an ordinary user"
        )
