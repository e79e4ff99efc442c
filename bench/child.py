"""A process of its own that runs the chain on one frame and says how much memory it took.

Run as ``python -m bench.child ours|aiapy SCRATCH SIZE QUICK``.
"""

from __future__ import annotations

import json
import resource
import sys
from pathlib import Path

from bench.setting import Setting, quiet_peers


def peak() -> float:
    """Largest resident set of this process so far, bytes.

    Linux keeps it in ``VmHWM``. `ru_maxrss` would hold the parent's too: it
    is handed on when one process starts another.
    """
    status = Path("/proc/self/status")
    if status.is_file():
        for line in status.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return 1024.0 * int(line.split()[1])
    unit = 1 if sys.platform == "darwin" else 1024
    return float(unit * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)


def main(who: str, setting: Setting, size: int) -> dict[str, float]:
    """Highest resident set behind each stage, the last one named ``peak``."""
    from bench.chain import AiapyChain, full_recipe, jobs, ours
    from bench.frames import level1

    frame = level1(setting, size)
    folder = setting.folder(f"memory_{who}")
    stages: dict[str, float] = {}
    # Their number does not change the peak; a quick run leaves out the point spread function, and so all.
    iterations = setting.pick(3, None)
    if who == "ours":
        (first, second) = jobs(frame, [frame.path] * 2, folder, "m")
        recipe = full_recipe(frame, iterations=None)
        recipe.bind()
        stages["after imports"] = peak()
        ours(recipe, first)
        stages["five steps"] = peak()
        if iterations is not None:
            ours(full_recipe(frame, iterations=iterations), second)
    else:
        import numpy as np

        # Its content does not change the memory; making it takes minutes with the peer.
        psf = np.zeros((size, size))
        psf[size // 2, size // 2] = 1.0
        AiapyChain(frame, psf)(frame.path, folder / "peer.fits", iterations=iterations)
    return stages | {"peak": peak()}


if __name__ == "__main__":
    quiet_peers()
    print(json.dumps(main(sys.argv[1], Setting(sys.argv[4] == "1", Path(sys.argv[2])), int(sys.argv[3]))))
