"""PostgreSQL runs as another user than root, wherever root keeps it."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from cluster.services import unprivileged
from cluster.services.postgres import binaries

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root runs PostgreSQL as another user")


def as_nobody(command: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    nobody = pwd.getpwnam("nobody")
    become = [sys.executable, "-I", "-S", unprivileged.__file__, str(nobody.pw_uid), str(nobody.pw_gid)]
    return subprocess.run([*become, *command], cwd=folder, capture_output=True, text=True, check=False)


def test_programs_and_data_may_lie_where_only_root_can_go(tmp_path: Path) -> None:
    """PostgreSQL's programs find each other, and their libraries, in a folder nobody else may enter."""
    private = tmp_path / "priväte folder"
    private.mkdir(mode=0o700)
    package = binaries().parent.parent
    for part in (package, package.with_name(f"{package.name}.libs")):
        shutil.copytree(part, private / part.name)
    data = private / "data"
    data.mkdir(mode=0o700)
    shutil.chown(data, "nobody")
    initdb = str(private / binaries().relative_to(package.parent) / "initdb")
    arguments = ["-D", str(data), "-U", "postgres", "--auth=scram-sha-256", "--no-sync", *_password(data)]
    result = as_nobody([initdb, *arguments], data)
    assert result.returncode == 0, result.stderr
    assert (data / "PG_VERSION").exists()


def _password(data: Path) -> list[str]:
    file = data.parent / "password"
    file.write_text("of this test only\n")
    shutil.chown(file, "nobody")
    return ["--pwfile", str(file)]


def test_the_command_keeps_no_more_than_the_right_to_reach_its_files(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    seen = as_nobody(["/bin/cat", "/proc/self/status"], tmp_path).stdout
    status = dict(line.split(":\t", 1) for line in seen.splitlines() if ":\t" in line)
    assert status["Uid"].split()[0] == str(pwd.getpwnam("nobody").pw_uid)
    assert bin(int(status["CapEff"], 16)).count("1") == 1
    assert status["CapEff"] == status["CapPrm"]


def test_the_command_keeps_no_right_where_everybody_may_pass() -> None:
    seen = as_nobody(["/bin/cat", "/proc/self/status"], Path("/")).stdout
    assert "CapEff:\t0000000000000000" in seen
