"""No step changes what it was given: its frame's header belongs to the step before it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from pipeline.frame import Frame
from pipeline.recipe import recipes
from tests.pipeline.instruments.kis_chrotel.simulated import HALPHA
from tests.pipeline.instruments.kis_chrotel.simulated import frame as chrotel_frame
from tests.pipeline.instruments.kis_chrotel.simulated import level_1 as chrotel_level_1
from tests.pipeline.instruments.kis_gris import raw as gris
from tests.pipeline.instruments.sdo_aia.frames import small
from tests.pipeline.instruments.soho_lasco.frames import raw as lasco_frame
from tests.pipeline.instruments.stereo_hi.frames import frame_of


def gris_frame() -> Frame:
    config = gris.CONFIG.model_copy(update={"steps": 1, "rows": 16, "binning": 1})
    return gris.with_coefficients(gris.frames_of(gris.scan(config))[0])


CHAINS: list[tuple[str, Callable[[], Frame]]] = [
    ("stereo_hi-l1", frame_of),
    ("stereo_hi-l1", lambda: frame_of(kind="s7", size=64)),
    ("stereo_hi-l1", lambda: frame_of(spacecraft="B", missing_blocks=(1,))),
    ("aia-l15", small),
    ("soho_lasco-l1", lambda: lasco_frame(CROTA1=180.0)),
    ("kis_gris-l1", gris_frame),
    ("kis_chrotel-l1", lambda: chrotel_frame(HALPHA)),
    ("kis_chrotel-l2", lambda: chrotel_level_1(HALPHA)),
]


@pytest.mark.parametrize(
    ("name", "make"),
    CHAINS,
    ids=["HI", "HI beacon", "HI with gaps", "AIA", "LASCO", "GRIS", "ChroTel", "ChroTel 2"],
)
def test_steps_leave_header_image_and_flags_of_their_input_alone(
    name: str, make: Callable[[], Frame]
) -> None:
    frame = make()
    for bound in recipes()[name].bind():
        before = frame.header.tostring(), frame.data.copy(), frame.quality.copy()
        if any(not need.optional and need.name not in bound.assume for need in bound.step.needs):
            continue
        result = bound.step.function(frame, bound.params, {})
        assert frame.header.tostring() == before[0], bound.step.name
        np.testing.assert_array_equal(frame.data, before[1], err_msg=bound.step.name)
        np.testing.assert_array_equal(frame.quality, before[2], err_msg=bound.step.name)
        if bound.step.gives is not None:
            result = result.replace(header=result.header.copy())
            result.header["BUNIT"] = bound.step.unit_after(bound.params, str(result.header.get("BUNIT", "")))
        frame = result
