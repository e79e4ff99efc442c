"""Install Chromium for its tests, where this may be done: python -m tests.chromium."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

from tests.chromium.browser import absent

if not absent():
    print("Chromium is there.")
elif shutil.which("apt-get") and os.geteuid() == 0:
    quiet = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    subprocess.run(["apt-get", "update", "-qq"], env=quiet, check=False)
    install = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", "chromium"]
    if subprocess.run(install, env=quiet, check=False).returncode:
        print("apt-get cannot install Chromium. Tests in a real browser will be skipped.", file=sys.stderr)
else:
    print(f"{absent()} Tests in a real browser will be skipped.", file=sys.stderr)
