"""The demonstration of GRIS: what it shows is true."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from heliolake.demo import gris
from heliolake.demo.stories import Panel, Profile
from heliolake.demo.tales import tale
from pipeline.instruments.kis_gris.simulate import SimulationConfig
from tests.pipeline.instruments.kis_gris import raw, simulated
from tests.pipeline.instruments.kis_gris.simulated import mapped

CONFIG = simulated.SMALL.model_copy(update={"region": "1083", "binning": 4, "rows": 12})


@lru_cache(maxsize=1)
def made() -> dict[str, gris.Made]:
    frames = [one for place, one in enumerate(simulated.slits(CONFIG), start=1) if place != 4]
    ran = mapped(frames, places=6)
    named = {
        "1m": ran.made,
        "1c": ran.outputs["continuum"],
        "1v": ran.outputs["circular"],
        "1l": ran.outputs["linear"],
    }
    return {level: (f"map.l{level}", one.data, one.header) for level, one in named.items()}


def test_a_map_with_a_gap_is_shown_beside_the_field_that_was_put_there() -> None:
    scan = simulated.scan(CONFIG)
    wanted = {"profiles": scan.profiles[0], "towards": gris._towards(scan.truths[0])}
    story = gris._with_a_gap(CONFIG, made(), wanted)
    circular, truth = story.panels[1].image, story.panels[2].image
    held = np.isfinite(circular)
    assert (held == [True, True, True, False, True, True]).all()
    assert np.corrcoef(circular[held], truth[held])[0, 1] > 0.9
    assert isinstance(story.proof, Profile)
    lines = [np.asarray(line) for line in story.proof.lines.values()]
    np.testing.assert_allclose(lines[0][[0, 1, 2, 4, 5]], lines[1][[0, 1, 2, 4, 5]], atol=0.1)


def test_a_map_of_raw_files_is_shown_with_its_noise_and_crosstalk() -> None:
    given = [one for one in raw.references() if one.name != "atlas"]
    cube = raw.recover(raw.CONFIG, raw.scan(), given).cube
    shown = {"1m": ("map", cube.data, cube.header)}
    shown |= {level: ("map", np.abs(cube.data[0, 0]), cube.header) for level in ("1c", "1v", "1l")}
    story = gris._map(raw.CONFIG, shown, {"profiles": raw.scan().profiles[0]})
    assert "in Q" in story.text
    assert f"put in {raw.CONFIG.noise:.1e}" in story.measure
    assert all(isinstance(one, Panel) for one in story.panels)
    assert story.simulated


def test_both_scans_are_of_their_own_runs_and_the_recipes_take_raw_files_as_they_are() -> None:
    first, second = gris.configurations()
    assert isinstance(first, SimulationConfig)
    assert (first.region, second.region) == ("1565", "1083")
    assert first.run != second.run
    assert first.binning == 1
    assert tale("kis_gris").recipes == ("kis_gris-l1", "kis_gris-map", "kis_gris-me-1565")


def test_what_an_inversion_found_is_held_against_what_was_drawn() -> None:
    spot = simulated.scan(CONFIG).truths[0].atmosphere
    drawn = {name: getattr(spot, name) for name in ("field", "inclination", "velocity")}
    header = made()["1m"][2].copy()
    for number, name in enumerate(("velocity", "field", "inclination"), start=1):
        header[f"PARNAM{number}"] = name
    found = np.stack([drawn["velocity"] + 0.01, drawn["field"] - 3.0, drawn["inclination"]])
    story = gris._inversion({"1m": made()["1m"], "2": ("map.l2", found, header)}, drawn)
    assert "off by 3.0 G, 0.00°, 10 m/s" in story.measure
    assert [panel.unit for panel in story.panels] == ["G", "deg", "km/s"]
