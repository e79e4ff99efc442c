"""How files of ChroTel are told apart, raw ones and those of the telescope's own archive."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from astropy.io import fits

from pipeline.known_references import recognise_reference
from pipeline.registry import recognise


def header(name: str, **cards: Any) -> fits.Header:
    made = fits.Header({"TELESCOP": "ChroTel", "FILENAME": name, "DATE-OBS": "2014-09-02T11:03:10"})
    made.update(cards)
    return made


@pytest.mark.parametrize(
    ("name", "cards", "level", "observation"),
    [
        ("chrotel_ha_lev1.0_20140902_110310.fits", {"LEVEL": "1.0"}, "1", "chrotel_ha_20140902"),
        ("chrotel_ca_lev1.0_20140902_110320.fits", {"LEVEL": 1.0}, "1", "chrotel_ca_20140902"),
        ("chrotel_he_lev1.0_20140902_110330.fits", {"LEVEL": "1.0"}, "1f", "chrotel_he_20140902"),
        ("chrotel_ha_lev0.0_20140902_110310.fits", {}, "0", "chrotel_ha_20140902"),
        ("chrotel_he_lev0.0_20140902_110330.fits", {}, "0f", "chrotel_he_20140902"),
        ("chrotel_ha.l2m.v0001.fits", {"LEVEL": "2m"}, "2m", "chrotel_ha_20140902"),
    ],
)
def test_line_and_level_stand_in_name_and_header(
    name: str, cards: dict[str, Any], level: str, observation: str
) -> None:
    given = header(name, **cards)
    found = recognise(given)
    assert found.name == "kis_chrotel"
    described = found.describe(given)
    assert (described.level, described.observation) == (level, observation)


@pytest.mark.parametrize(("level", "shape"), [("1", (2048, 2048)), ("1f", (7, 2048, 2048))])
def test_images_and_cubes_have_the_axes_of_their_level(level: str, shape: tuple[int, ...]) -> None:
    given = header("chrotel_ha_lev1.0_20140902_110310.fits")
    assert recognise(given).layout(given, level, shape).shape == shape


@pytest.mark.parametrize(("need", "days"), [("dark", 1), ("flat", 30)])
def test_darks_and_flats_serve_their_own_time_alone(need: str, days: int, tmp_path: Path) -> None:
    path = tmp_path / f"chrotel_ha_{need}_20140902.fits"
    fits.PrimaryHDU().writeto(path)
    found = recognise_reference(path)
    assert found is not None
    begin = datetime(2014, 9, 2, tzinfo=UTC)
    assert (found.need, found.valid_from, found.valid_until) == (need, begin, begin + timedelta(days=days))
