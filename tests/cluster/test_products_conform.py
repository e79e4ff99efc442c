"""What our own recipes make passes the whole check: headers, coordinates, provenance, sums, statistics."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import numpy as np
import pytest

from cluster.conformance import check_file
from cluster.run.stacks import Target, write
from pipeline.apply import apply
from pipeline.frame import Frame
from pipeline.instruments.aso_s_lst.simulate import Pupil, SimulationConfig, observed, physical_psf
from pipeline.instruments.stereo_hi.background import reference_file
from pipeline.recipe import recipes
from pipeline.reduction import Origin, Reduced
from pipeline.registry import instruments, is_announced
from pipeline.solarnet_check.finding import Grade
from pipeline.solarnet_check.report import Report, Verdict
from pipeline.stack import part, stack_of
from pipeline.step import ReferenceFile
from pipeline.testing import reference, run_recipe
from tests.pipeline.cme import coronae
from tests.pipeline.instruments.aso_s_lst import simulated as lst
from tests.pipeline.instruments.kis_chrotel import simulated as chrotel
from tests.pipeline.instruments.kis_gris import chromosphere
from tests.pipeline.instruments.kis_gris import raw as gris_files
from tests.pipeline.instruments.kis_gris import simulated as gris
from tests.pipeline.instruments.kis_lars import cycles as lars
from tests.pipeline.instruments.sdo_aia import frames as aia
from tests.pipeline.instruments.soho_lasco import frames as lasco
from tests.pipeline.instruments.soho_lasco import test_ejections as lasco_ejection
from tests.pipeline.instruments.soho_lasco import test_polarisation as lasco_images
from tests.pipeline.instruments.stereo_hi import frames as hi

NAME = "a.l1.v0001.fits"
#: A frame, or those of a group.
Given = Frame | list[Frame]


def aia_frame(**cards: Any) -> Frame:
    header = aia.level1_header((128, 128), ORIGIN="a data centre", **cards)
    return aia.frame(aia.sun(header), header)


def hi_level_1() -> Frame:
    return hi.level_1(hi.frame_of())[0]


@lru_cache(maxsize=1)
def hi_background() -> tuple[ReferenceFile, ...]:
    """A background of frames that were taken days before."""
    image = hi_level_1().data
    start = datetime(2009, 3, 20, tzinfo=UTC)
    frames = tuple((f"frame {n}", start + timedelta(minutes=40 * n)) for n in range(36))
    counts = np.full(image.shape, len(frames), dtype=np.int32)
    used = frozenset(name for name, _ in frames)
    made = Reduced(np.full(image.shape, 0.5, dtype=np.float32), counts, used, {})
    path = Path(mkdtemp(prefix="hi-")) / "background.fits"
    reference_file(made, Origin("DN/s", frames)).writeto(path)
    return (reference("background", path),)


def lasco_frame() -> Frame:
    return lasco.raw(ORIGIN="a data centre")


def lasco_triplet() -> list[Frame]:
    made = lasco_images.level_1(*lasco_images.sequence(exposure=300.0))
    for frame in made:
        frame.header["ORIGIN"] = "a data centre"
    return made


def lasco_corona(number: int = 0) -> Frame:
    made = lasco_ejection.level_1(number)
    made.header.update({"ORIGIN": "a data centre", "HGLN_OBS": 0.0, "HGLT_OBS": 0.0, "DSUN_OBS": 1.48e11})
    return made


def lasco_polar() -> list[Frame]:
    settings = {"polar_map.rings": 30, "polar_map.angles": 60}
    given = [lasco_corona(number) for number in range(18)]
    return [one.made for one in run_recipe("soho_lasco-polar", given, settings=settings)]


def lars_cycle() -> list[Frame]:
    given = lars.frames(lars.of())
    for frame in given:
        frame.header["ORIGIN"] = "a data centre"
    return given


def gris_slits() -> list[Frame]:
    made = gris.slits()
    for frame in made:
        frame.header["ORIGIN"] = "a data centre"
    return made


def gris_raw() -> Frame:
    made = gris_files.with_coefficients(gris_files.frames_of(gris_files.scan())[0])
    made.header["ORIGIN"] = "a data centre"
    return made


def gris_map() -> Frame:
    return gris.mapped(gris_slits()).made


def gris_chromosphere() -> Frame:
    made = chromosphere.chromosphere()
    made.header["ORIGIN"] = "a data centre"
    return made


def gris_infrared() -> Frame:
    made = gris.mapped(gris.slits(chromosphere.CONFIG)).made
    made.header["ORIGIN"] = "a data centre"
    return made


def lst_level(level: str, config: SimulationConfig) -> Frame:
    """A simulated image that is calibrated already."""
    made = observed(config, psf=physical_psf(Pupil(blur=0.0)))
    made.header["LEVEL"], made.header["ORIGIN"] = level, "a data centre"
    made.header["BUNIT"] = "DN" if level[0] == "1" else config.optics.unit
    return Frame.of(made.data, made.header, made.filename)


def lst_triplet() -> list[Frame]:
    made = []
    for number, angle in enumerate((-60.0, 0.0, 60.0)):
        start = lst.SCIWL.start + timedelta(seconds=20 * number)
        config = lst.SCIWL.model_copy(update={"polariser": angle, "number": number, "start": start})
        made.append(lst_level("2.5", config))
    return made


def lst_frames(config: SimulationConfig) -> list[Frame]:
    return lst.frames(config, ORIGIN="a data centre")


#: What recipes cannot go without.
REFERENCES: dict[str, Callable[[], tuple[ReferenceFile, ...]]] = {
    "aso_s_lst-l1-hdr": lambda: lst.references(lst.SDI),
    "aso_s_lst-l1": lambda: lst.references(lst.WST),
    "aso_s_lst-l12": lambda: lst.references(lst.WST),
    "aso_s_lst-l15": lambda: lst.references(lst.WST),
    "aso_s_lst-l2": lambda: lst.references(lst.SDI),
    "aso_s_lst-l25": lambda: lst.references(lst.WST),
    "aso_s_lst-l2-msb": lambda: lst.references(lst.SCIWL),
    "aso_s_lst-l25-msb": lambda: lst.references(lst.SCIWL),
    "stereo_hi-l2-background": hi_background,
}
AIA_WITHOUT_TABLES = {
    "update_pointing.enabled": False,
    "degradation.enabled": False,
    "psf_deconvolve.iterations": 2,
}
#: What no document at hand tells of an instrument, and a unit that its mission uses and no standard knows.
UNTOLD = {
    "soho_lasco": {"WAVEUNIT", "WAVEREF", "WAVEMIN", "WAVEMAX", "BUNIT"},
    "soho_lasco-cme": {"WAVEUNIT", "WAVEREF", "WAVEMIN", "WAVEMAX"},
    "aso_s_lst-l2-msb": {"BUNIT"},
    "aso_s_lst-l25-msb": {"BUNIT"},
    "aso_s_lst-pb": {"BUNIT"},
    "aso_s_lst-polar": {"BUNIT"},
    "kis_gris": {"OBS_VR", "POLCCONV"},
    "kis_gris-he-1083": set(),
    "kis_gris-me-1083": set(),
    "kis_gris-me-1565": set(),  # without an axis of wavelengths or Stokes parameters
}
#: Simulated frames of each instrument that has recipes, and what is made of them with which settings.
MADE: dict[str, list[tuple[str, Callable[[], Given], dict[str, Any]]]] = {
    "stereo_hi": [
        ("stereo_hi-l1", hi.frame_of, {}),
        ("stereo_hi-l1", hi.frame_of, {key.replace("__", "."): value for key, value in hi.MSB.items()}),
        ("stereo_hi-l1", lambda: hi.frame_of(detector="HI2"), {"uncertainty": True}),
        ("stereo_hi-l2-background", hi_level_1, {}),
    ],
    "sdo_aia": [
        ("aia-l15", aia_frame, {}),
        ("aia-l15", lambda: aia_frame(CAMERA=3, NSATPIX=7), {}),
        ("aia-l15-full", lambda: aia_frame(NSPIKES=0), AIA_WITHOUT_TABLES),
    ],
    "soho_lasco": [
        ("soho_lasco-l1", lasco_frame, {"vignetting.enabled": False}),
        ("soho_lasco-pb", lasco_triplet, {}),
        ("soho_lasco-polar", lasco_corona, {}),
        ("soho_lasco-cme", lasco_polar, {}),
    ],
    "aso_s_lst": [
        ("aso_s_lst-l1-hdr", lambda: lst_frames(lst.SDI), {}),
        ("aso_s_lst-l1", lambda: lst_frames(lst.WST), {}),
        ("aso_s_lst-l12", lambda: lst_level("1", lst.WST), {}),
        ("aso_s_lst-l15", lambda: lst_level("1", lst.WST), {}),
        ("aso_s_lst-l2", lambda: lst_level("1", lst.SDI), {}),
        ("aso_s_lst-l2-msb", lambda: lst_level("1", lst.SCIWL), {}),
        ("aso_s_lst-l25", lambda: lst_level("1.5", lst.WST), {}),
        ("aso_s_lst-l25-msb", lambda: lst_level("1.5", lst.SCIWL), {}),
        ("aso_s_lst-q1", lambda: lst_level("2.5", lst.SDI), {"quick_look.size": 256}),
        ("aso_s_lst-composite", lambda: [lst_level("Q1", one) for one in (lst.SDI, lst.SCIUV)], {}),
        ("aso_s_lst-pb", lst_triplet, {}),
        ("aso_s_lst-polar", lambda: lst_level("2.5", lst.SCIWL), {}),
        ("aso_s_lst-cme", lambda: coronae.frames(coronae.series(coronae.ejection())), {}),
    ],
    "kis_lars": [
        ("kis_lars-l1", lars_cycle, {}),
    ],
    "kis_gris": [
        ("kis_gris-map", gris_slits, {}),
        ("kis_gris-he-1083", gris_chromosphere, {"invert_helium_slab.wing": []}),
        ("kis_gris-me-1083", gris_infrared, {}),
        ("kis_gris-me-1565", gris_map, {"disambiguate_azimuth.enabled": True}),
        (
            "kis_gris-l1",
            gris_raw,
            {"flat_field.enabled": False, **gris_files.settings_of(gris_files.CONFIG)},
        ),
    ],
    "kis_chrotel": [
        ("kis_chrotel-l1", lambda: chrotel.frame(chrotel.HALPHA), {"flat_field.enabled": False}),
        ("kis_chrotel-l2", lambda: chrotel.level_1(chrotel.CALCIUM), chrotel.SETTINGS),
        ("kis_chrotel-he-l1", lambda: chrotel.scanned(chrotel.HELIUM), {"flat_field.enabled": False}),
        ("kis_chrotel-he-l2", lambda: chrotel.cube(chrotel.HELIUM), chrotel.SETTINGS),
        ("kis_chrotel-doppler", lambda: chrotel.flat_cube(chrotel.HELIUM), {}),
        ("kis_chrotel-filaments", lambda: chrotel.level_2(chrotel.HALPHA), {}),
    ],
}
CASES = [
    pytest.param(*case, id=f"{case[0]}-{number}")
    for cases in MADE.values()
    for number, case in enumerate(cases)
]


def product(folder: Path, recipe: str, frame: Given, settings: dict[str, Any]) -> dict[str, Any]:
    """A product written by the function that workers write with; gives its manifest."""
    wanted = recipes()[recipe].with_settings(settings)
    frames = frame if isinstance(frame, list) else [frame]
    given = {one.name: one for one in REFERENCES.get(recipe, tuple)()}
    lazily = apply(stack_of(frames, chunk=len(frames)), wanted, given, members=len(frames))
    stack = part(lazily.compute(scheduler="synchronous"))
    target = Target(
        unit="u",
        instrument=wanted.instrument,
        folder=folder,
        scope=wanted.instrument,
        name=NAME,
        version=1,
        date="2026-11-21T00:00:00",
        parents=("raw:a.fits",),
        context=1,
    )
    manifests: list[dict[str, Any]] = json.loads(write(stack, [[target]], "made")["made"].values[0])
    return manifests[0]


def checked(folder: Path, recipe: str, frame: Given, settings: dict[str, Any]) -> Report:
    manifest = product(folder, recipe, frame, settings)
    assert manifest["outcome"]["status"] == "done", manifest
    return check_file(folder / NAME)


def test_every_recipe_of_this_house_is_tried() -> None:
    ours = {name for name, one in instruments().items() if not is_announced(one)}
    assert {name for name, one in recipes().items() if one.instrument in ours} == {
        recipe for cases in MADE.values() for recipe, _, _ in cases
    }


@pytest.mark.parametrize(("recipe", "frame", "settings"), CASES)
def test_products_conform(
    tmp_path: Path, recipe: str, frame: Callable[[], Given], settings: dict[str, Any]
) -> None:
    found = checked(tmp_path, recipe, frame(), settings)
    # The header that HI-2 frames are simulated from does not say where the observer was.
    instrument = recipes()[recipe].instrument
    first = frame()
    header = first[0].header if isinstance(first, list) else first.header
    unseen = {"HGLN_OBS"} if "HGLN_OBS" not in header and instrument == "stereo_hi" else set()
    missed = unseen | UNTOLD.get(recipe, UNTOLD.get(instrument, set()))
    assert {one.keyword for one in found.findings if one.grade is not Grade.NOTE} == missed
    assert not found.has_errors
    assert found.verdict is (Verdict.PARTLY if missed else Verdict.CONFORMANT)


def test_a_product_that_would_break_a_rule_is_put_aside_with_the_rule(tmp_path: Path) -> None:
    manifest = product(tmp_path, "aia-l15", aia_frame(WAVEREF="glass"), {})
    outcome = manifest["outcome"]
    assert (outcome["status"], outcome["keyword"], outcome["step"]) == ("quarantined", "WAVEREF", "write")
    assert "SOLARNET 5.4" in outcome["reason"]
    assert outcome["advice"]
    assert not (tmp_path / NAME).exists()
