"""SLURM of one machine: its controller, one node and what authenticates them, all below one folder."""

from __future__ import annotations

import getpass
import os
import secrets
import shutil
import socket
import subprocess
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Final, Self

import pytest

from tests.guarded import Guarded, free_ports

PACKAGES: Final = ("slurmctld", "slurmd", "slurm-client", "munge")
_PROGRAMS: Final = ("slurmctld", "slurmd", "munged", "sbatch", "squeue", "scancel")
#: Where Debian puts daemons, which an ordinary user's PATH may not have.
_PATH: Final = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
_START_S: Final = 60

_CONF: Final = """\
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmUser={user}
SlurmdUser={user}
SlurmctldPort={ports[0]}
SlurmdPort={ports[1]}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.sock
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
ReturnToService=2
KillWait=2
SchedulerParameters=sched_interval=2,bf_interval=5
SlurmdParameters=config_overrides
NodeName={host} NodeAddr=127.0.0.1 CPUs=4 RealMemory=4000
PartitionName=day Nodes={host} Default=YES State=UP
"""


def absent() -> str:
    """What this machine lacks for it, in a sentence; '' when all is there."""
    lacking = [program for program in _PROGRAMS if shutil.which(program, path=_PATH) is None]
    return f"There is no {', no '.join(lacking)} here." if lacking else ""


def require() -> None:
    """Skip the test that asks, with the reason, where SLURM is not installed."""
    if absent():
        pytest.skip(f"The tests with a real SLURM need Debian's {', '.join(PACKAGES)}. {absent()}")


class Slurm:
    """A SLURM that runs within a ``with`` block.

    Parameters
    ----------
    folder
        Where all of it lies; its path is short, for it holds a socket.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.conf = folder / "slurm.conf"
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        self.folder.chmod(0o711)  # munge wants its clients to reach the socket
        for name in ("state", "spool"):
            (self.folder / name).mkdir()
        key = self.folder / "munge.key"
        key.touch(0o600)
        key.write_bytes(secrets.token_bytes(1024))
        host = socket.gethostname().partition(".")[0]
        self.conf.write_text(
            _CONF.format(host=host, user=getpass.getuser(), ports=free_ports(2), folder=self.folder)
        )
        own = ("socket=munge.sock", "pid-file=munge.pid", "log-file=munge.log", "seed-file=munge.seed")
        files = [f"--{one.replace('=', f'={self.folder}/', 1)}" for one in own]
        with self._stack as stack:
            self._daemon(stack, "munged", "--foreground", "--force", f"--key-file={key}", *files)
            while not (self.folder / "munge.sock").exists():
                time.sleep(0.05)
            self._daemon(stack, "slurmctld", "-D", "-f", str(self.conf))
            self._daemon(stack, "slurmd", "-D", "-f", str(self.conf), "-N", host)
            self._await_node()
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def jobs(self, state: str = "all") -> list[str]:
        """Identifiers of the jobs there are."""
        return self.said("squeue", "--noheader", "--format=%i", f"--states={state}").split()

    def cancel(self, *jobs: str) -> None:
        """End jobs as an operator would."""
        self.said("scancel", *jobs)

    def said(self, *command: str) -> str:
        """What a command of SLURM answers."""
        environment = os.environ | {"SLURM_CONF": str(self.conf)}
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, check=True, timeout=_START_S
        )
        return done.stdout

    def _daemon(self, stack: ExitStack, program: str, *arguments: str) -> Guarded:
        found: Sequence[str] = [str(shutil.which(program, path=_PATH)), *arguments]
        return stack.enter_context(Guarded(found, self.folder / f"{program}.said"))

    def _await_node(self) -> None:
        deadline = time.monotonic() + _START_S
        while True:
            try:
                if self.said("sinfo", "--noheader", "--format=%T").strip() == "idle":
                    return
            except subprocess.CalledProcessError:
                pass
            if time.monotonic() > deadline:
                said = {one.name: one.read_text()[-500:] for one in self.folder.glob("*.said")}
                raise AssertionError(f"SLURM did not start: {said}")
            time.sleep(0.1)
