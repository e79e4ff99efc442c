"""Mass ejections of C2: the same steps as of any coronagraph."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import astropy.units as u
import numpy as np
import pytest

from pipeline.cme import table
from pipeline.frame import Frame
from pipeline.instruments.soho_lasco.simulate.scene import corona
from pipeline.testing import run_recipe
from tests.pipeline.instruments.soho_lasco import frames

BEGIN = datetime(2009, 2, 28, 0, 6, 3, tzinfo=UTC)
CADENCE = 720.0
SIZE, SCALE, RSUN = 192, 64.0, 970.0
#: Solar radii from frame to frame, of 400 km/s.
PACE = 400.0 * CADENCE / 695700.0


def level_1(number: int) -> Frame:
    """What level 1 should be, with noise; the front is at the limb in the fifth frame."""
    front = 1.0 + PACE * (number - 4)
    x, y = np.meshgrid(*[(np.arange(SIZE) - (SIZE - 1) / 2) * SCALE / RSUN] * 2)
    light = corona(x, y, SCALE / RSUN, front if front > 1.0 else None).total
    light = light * (1.0 + 0.01 * np.random.default_rng(number).standard_normal(light.shape))
    begin = BEGIN + timedelta(seconds=number * CADENCE)
    made = frames.raw(1.0, light.shape, LEVEL="1", BUNIT="MSB", CDELT1=SCALE, CDELT2=SCALE, RSUN=RSUN)
    made.header.update({"CTYPE1": "HPLN-TAN", "CTYPE2": "HPLT-TAN", "CUNIT1": "arcsec", "CUNIT2": "arcsec"})
    made.header.update({"CRPIX1": (SIZE + 1) / 2, "CRPIX2": (SIZE + 1) / 2, "CROTA1": 0.0})
    made.header["DATE-OBS"] = begin.replace(tzinfo=None).isoformat(timespec="milliseconds")
    return Frame.of(light.astype(np.float32), made.header, f"{number}.fts")


def test_the_front_of_c2_is_found_with_its_speed() -> None:
    settings = {"polar_map.rings": 30, "polar_map.angles": 60}
    given = [level_1(number) for number in range(18)]
    polar = [one.made for one in run_recipe("soho_lasco-polar", given, settings=settings)]
    (ran,) = run_recipe("soho_lasco-cme", polar, members=len(polar))
    catalogue = ran.outputs["catalogue"]
    (row,) = table.table(catalogue.data, catalogue.header)
    assert row["speed"].to_value(u.km / u.s) == pytest.approx(400.0, rel=0.1)
    assert row["position_angle"].to_value(u.deg) == pytest.approx(262.0, abs=6.0)
    assert any("looked at by nobody" in one for one in ran.made.caveats)
