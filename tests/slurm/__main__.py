"""Install SLURM for its tests, where this may be done: python -m tests.slurm."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

from tests.slurm.machine import PACKAGES, absent

if not absent():
    print("SLURM is there.")
elif shutil.which("apt-get") and os.geteuid() == 0:
    quiet = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    subprocess.run(["apt-get", "update", "-qq"], env=quiet, check=False)
    install = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *PACKAGES]
    if subprocess.run(install, env=quiet, check=False).returncode:
        print("apt-get cannot install SLURM. Tests with a real SLURM will be skipped.", file=sys.stderr)
else:
    print(f"{absent()} Tests with a real SLURM will be skipped.", file=sys.stderr)
