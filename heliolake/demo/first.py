"""The demonstration of the whole: real AIA frames, and a simulated HI series with known truth."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from heliolake.demo.inputs import shipped_frames, simulate
from heliolake.demo.stories import Story, aia_story, hi_story
from heliolake.demo.tales import Prepared, Tale

if TYPE_CHECKING:
    from heliolake.demo.stories import Shown
    from heliolake.notebook import Connection


def _prepare(output: Path) -> Prepared:
    from lake.calibration.references import NewReference

    simulated = simulate(output / "simulated", output / "truth")
    # Simulated frames have the flat of the camera that took them; no other frame is given it.
    flat = NewReference(
        path=simulated.flat,
        need="flat",
        instrument="stereo_hi",
        source="flat field of the demonstration's simulated camera",
        selectors={"SIMULATD": True, "detector": "1", "spacecraft": "a", "type": "s4"},
        simulated=True,
    )
    return Prepared((*shipped_frames(), *simulated.paths), (flat,), simulated.truths)


def _is_ours(shown: Shown, prepared: Prepared) -> bool:
    """Whether a frame of the lake is the simulated one whose truth we have, not one of an earlier home."""
    from astropy.io import fits

    path = next((path for path in prepared.paths if path.name == shown.name), None)
    return path is not None and np.array_equal(fits.getdata(path), shown.before)


def _tell(connection: Connection, prepared: Prepared) -> list[Story]:
    """Rows of the picture: AIA frames, the last simulated HI frame, a real HI frame where there is one."""
    from heliolake.demo.frames import pairs

    truths = prepared.truths or {}
    hi = pairs(connection, "stereo_hi", "1")
    stories = [aia_story(pair.load()) for pair in pairs(connection, "sdo_aia", "1.5")[:2]]
    for pair in [pair for pair in hi if pair.name in truths][-1:]:
        shown = pair.load()
        if _is_ours(shown, prepared):
            stories.append(hi_story(shown, truths[pair.name]))
    stories += [hi_story(pair.load(), None) for pair in [pair for pair in hi if not pair.simulated][:1]]
    return stories


TALE = Tale(
    recipes=("aia-l15", "stereo_hi-l1"),  # they need no calibration file
    making="Simulating a series of HI-1 frames with known truth",
    prepare=_prepare,
    tell=_tell,
)
