"""A product has a whole coordinate system, or none and says so."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from astropy.io import fits

from pipeline.coordinates import missing, whole_or_none
from pipeline.frame import Frame

WHOLE: dict[str, Any] = {
    "CTYPE1": "HPLN-TAN",
    "CTYPE2": "HPLT-TAN",
    "CUNIT1": "arcsec",
    "CUNIT2": "arcsec",
    "CRPIX1": 4.5,
    "CRPIX2": 3.5,
    "CRVAL1": 0.0,
    "CRVAL2": 10.0,
    "CDELT1": 0.6,
    "CDELT2": 0.6,
}
MORE: dict[str, Any] = {
    "PC1_1": 1.0,
    "PV2_1": 0.1,
    "LONPOLE": 180.0,
    "CNAME1": "x",
    "CROTA2": 3.0,
    "XCEN": 0.0,
}
KEPT: dict[str, Any] = {"DATE-OBS": "2011-01-01", "CRLN_OBS": 3.0, "CRPIXEL": 1, "EXPTIME": 2.0}


def frame_with(cards: dict[str, Any]) -> Frame:
    return Frame.of(np.zeros((6, 8), np.float32), fits.Header(cards), "a.fits")


def test_a_whole_system_is_left_alone() -> None:
    frame = frame_with({**WHOLE, **MORE, **KEPT})
    assert whole_or_none(frame) is frame


def test_no_system_at_all_is_no_half_one() -> None:
    frame = frame_with({**KEPT, "LONPOLE": 180.0})
    assert whole_or_none(frame) is frame


@pytest.mark.parametrize("name", sorted(WHOLE))
@pytest.mark.parametrize("nothing", [None, "", fits.card.UNDEFINED], ids=["absent", "empty", "undefined"])
def test_without_any_of_its_cards_the_system_goes_and_is_missed(name: str, nothing: Any) -> None:
    cards = {**WHOLE, **MORE, **KEPT, name: nothing}
    if nothing is None:
        del cards[name]
    result = whole_or_none(frame_with(cards))
    assert set(result.header) == set(KEPT)
    (caveat,) = result.caveats
    assert name in caveat
    assert "coordinate system was taken out" in caveat


def test_a_matrix_stands_for_the_scales() -> None:
    cards = {name: value for name, value in WHOLE.items() if not name.startswith("CDELT")}
    assert missing(fits.Header(cards)) == ("CDELT1", "CDELT2")
    assert missing(fits.Header({**cards, "CD1_1": 1.0, "CD2_2": 1.0})) == ()


def test_systems_are_judged_one_by_one() -> None:
    alternate = {f"{name}A": value for name, value in (WHOLE | {"PC1_1": 1.0}).items() if name != "CRPIX1"}
    result = whole_or_none(frame_with({**WHOLE, **MORE, **alternate}))
    assert set(result.header) == {*WHOLE, *MORE}
    assert result.caveats == (
        "the alternate coordinate system A was taken out of the header: it has no CRPIX1A",
    )
