"""The mission's keyword table of level 1, keyword by keyword, against the header of a product."""

from __future__ import annotations

import io
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
import pytest
from astropy.io import fits

from lake.fits.product import build_product
from pipeline import provenance, solarnet
from pipeline.frame import Frame
from pipeline.instruments.soho_lasco import tables
from pipeline.instruments.soho_lasco.keywords import keyword_table
from pipeline.instruments.soho_lasco.statistics import level_1_statistics
from pipeline.instruments.soho_lasco.steps.header import OMITTED, level_1_name
from pipeline.quality import legend
from pipeline.registry import instrument
from pipeline.testing import run_recipe
from tests.pipeline.instruments.soho_lasco.frames import CARDS, raw

TABLE = keyword_table()
#: Everything that level 0.5 has and level 1 does not.
OLD: dict[str, Any] = {
    "OBT_TIME": 1.35e9,
    **dict.fromkeys(("EXP0", "EXPCMD", "EXP1", "EXP2", "EXP3", "PLATESCL", "OFFSET"), 1.5),
    **dict.fromkeys(("SHUTTR", "LAMP", "OS_NUM", "IMGCTR", "IMGSEQ", "IMAGE_CT", "SEQ_NUM", "VERSION"), 2),
    **dict(zip(("P1COL", "P1ROW", "P2COL", "P2ROW", "CROTA2"), (20, 1, 147, 128, 0.0), strict=True)),
    **dict(zip(("LP_NUM", "EFFPORT", "RECTIFY", "READPORT"), ("Normal", "C", "TRUE", "C"), strict=True)),
}


def level_05() -> Frame:
    image = np.random.default_rng(4).lognormal(7.0, 0.4, (128, 128)).astype(np.float32)
    image[64:96, 64:96] = 0
    frame = raw(image, **OLD)
    frame.header.add_history("V15 18 Jun 1997 MAKE_FITS_HDR")
    return frame


@lru_cache(maxsize=1)
def finished() -> Frame:
    """A frame through the whole recipe; made once, nobody may change it."""
    recipe = _without_vignetting()
    (ran,) = run_recipe(recipe, [level_05()])
    return ran.made


def _without_vignetting() -> Any:
    from pipeline.recipe import recipes

    return recipes()["soho_lasco-l1"].with_settings({"vignetting.enabled": False})


@lru_cache(maxsize=1)
def product() -> tuple[fits.Header, np.ndarray]:
    """Header and image of the file that the lake writes."""
    frame, entry = finished(), instrument("soho_lasco")
    header = solarnet.complete(frame.header, entry, entry.describe(frame.header), axes=2)
    header.update({"FILENAME": "22299383.l1.v0001.fits", "DATE": "2026-01-02T03:04:05", "EXTNAME": "IMAGE"})
    header.update({"VERSION": 1, "PARENTXT": "soho_lasco:22299383.fts"})
    solarnet.settle(header, frame.data.shape)
    flags = provenance.quality_header(header, legend())
    made = build_product(frame.data, frame.quality, header, quality_header=flags)
    with fits.open(io.BytesIO(bytes(made))) as hdus:
        return hdus[0].header.copy(), np.array(hdus[0].data, dtype=np.float32)


def statistic(name: str) -> Callable[[Any, fits.Header, np.ndarray], bool]:
    def same(value: Any, _header: fits.Header, data: np.ndarray) -> bool:
        return bool(value == pytest.approx(level_1_statistics(data)[name][0]))

    return same


#: What each keyword of the table has to say of the product, beside its type.
MEANS: dict[str, Callable[[Any, fits.Header, np.ndarray], bool]] = {
    "SIMPLE": lambda v, h, d: v is True,
    "BITPIX": lambda v, h, d: v == -32 and d.dtype.itemsize == 4,
    "NAXIS": lambda v, h, d: v == d.ndim,
    "NAXIS1": lambda v, h, d: v == d.shape[1],
    "NAXIS2": lambda v, h, d: v == d.shape[0],
    "DATE": lambda v, h, d: v == "2026-01-02T03:04:05",
    "FILENAME": lambda v, h, d: "'22299383.fts','25299383.fts'" in "".join(map(str, h["HISTORY"])),
    "FILEORIG": lambda v, h, d: v == CARDS["FILEORIG"],
    "DATE-OBS": lambda v, h, d: v == "2009-02-28T00:06:03.474",
    "TIME-OBS": lambda v, h, d: v == "" and h.comments["TIME-OBS"] == "Obsolete",
    "DATE_OBS": lambda v, h, d: v == h["DATE-OBS"],
    "EXPTIME": lambda v, h, d: v == CARDS["EXPTIME"],
    "TELESCOP": lambda v, h, d: v == "SOHO",
    "INSTRUME": lambda v, h, d: v == "LASCO",
    "DETECTOR": lambda v, h, d: v == "C2",
    "SUMROW": lambda v, h, d: v == 0,
    "SUMCOL": lambda v, h, d: v == 0,
    "LEBXSUM": lambda v, h, d: v == 1,
    "LEBYSUM": lambda v, h, d: v == 1,
    "FILTER": lambda v, h, d: v == "Orange",
    "POLAR": lambda v, h, d: v == "Clear",
    "COMPRSSN": lambda v, h, d: v == "X%",
    "MID_DATE": lambda v, h, d: v == 54890,
    "MID_TIME": lambda v, h, d: v == pytest.approx(376.024),
    "R1COL": lambda v, h, d: v == 20,
    "R1ROW": lambda v, h, d: v == 1,
    "R2COL": lambda v, h, d: v == h["R1COL"] + d.shape[1] - 1,
    "R2ROW": lambda v, h, d: v == h["R1ROW"] + d.shape[0] - 1,
    "BUNIT": lambda v, h, d: v == "MSB" and 1e-10 < np.nanmedian(d) < 1e-8,
    "CRPIX1": lambda v, h, d: v == pytest.approx(tables.SUN_MEDIAN["C2"][0] + 1),
    "CRPIX2": lambda v, h, d: v == pytest.approx(tables.SUN_MEDIAN["C2"][1] + 1),
    "CROTA": lambda v, h, d: v == 0.5 == h["CROTA1"] == h["CROTA2"],
    "CRVAL1": lambda v, h, d: v == 0,
    "CRVAL2": lambda v, h, d: v == 0,
    "CTYPE1": lambda v, h, d: v == "HPLN-TAN" and h["CUNIT1"] == "arcsec",
    "CTYPE2": lambda v, h, d: v == "HPLT-TAN" and h["CUNIT2"] == "arcsec",
    "CDELT1": lambda v, h, d: v == 11.9,
    "CDELT2": lambda v, h, d: v == 11.9,
    "XCEN": lambda v, h, d: (
        v == pytest.approx(h["CRVAL1"] + h["CDELT1"] * ((h["NAXIS1"] + 1) / 2 - h["CRPIX1"]))
    ),
    "YCEN": lambda v, h, d: (
        v == pytest.approx(h["CRVAL2"] + h["CDELT2"] * ((h["NAXIS2"] + 1) / 2 - h["CRPIX2"]))
    ),
    "N_MISSIN": lambda v, h, d: v == h["NMISSING"] == 1 and h["MISSLIST"] == "10",
    "HISTORY": lambda v, h, d: (
        " V15 18 Jun 1997 MAKE_FITS_HDR" in list(map(str, v))
        and len(v) > 5
        and "offset_bias.pro): 618.656" in " ".join(v)
    ),
    "COMMENT": lambda v, h, d: "FITS coordinate for center of full image is (512.5,512.5)." in map(str, v),
    **{
        name: statistic(name)
        for name in (
            *("DATAMIN", "DATAMAX", "DATAZER", "DATASAT", "DSATVAL", "DATAAVG", "DATASIG", "DATAP01"),
            *("DATAP10", "DATAP25", "DATAP75", "DATAP90", "DATAP95", "DATAP98", "DATAP99"),
        )
    },
}
KINDS = {"text": str, "whole": int, "number": float, "logical": bool}


@pytest.mark.parametrize("entry", TABLE["keywords"], ids=lambda entry: entry["name"])
def test_a_keyword_of_the_table_is_there_with_its_type_and_meaning(entry: dict[str, Any]) -> None:
    header, data = product()
    name = entry["name"]
    if entry.get("absent"):
        assert name not in header
        return
    assert name in header
    value = header[name]
    if name not in ("HISTORY", "COMMENT"):
        kind = KINDS[entry["kind"]]
        assert isinstance(value, kind)
        assert isinstance(value, bool) == (kind is bool)
    if "values" in entry:
        assert value in entry["values"]
    if name in ("HISTORY", "COMMENT"):
        value = list(map(str, value))
    assert MEANS[name](value, header, data), value


@pytest.mark.parametrize("entry", TABLE["omitted"], ids=lambda entry: entry["name"])
def test_a_keyword_that_level_1_leaves_out_is_not_there(entry: dict[str, Any]) -> None:
    header, _ = product()
    assert entry["name"] in level_05().header or entry["name"] in ("CROTA1", "CUNIT1", "CUNIT2")
    if "kept" in entry:
        assert entry["name"] in header
        return
    assert entry["name"] not in header
    assert entry["name"] in OMITTED


def test_the_product_keeps_to_solarnet_and_says_which_statistics_are_the_mission_s() -> None:
    header, data = product()
    # Passbands of the filters are in no document at hand, so that full conformance is not claimed.
    assert header["SOLARNET"] == 0.5
    assert "DATAMIN" in header["SOLNETEX"]
    assert header["DATAMEAN"] == pytest.approx(float(np.nanmean(data)), rel=1e-5)


def test_the_next_level_does_not_take_over_statistics_of_this_one() -> None:
    begun = provenance.begin(finished().header)
    assert "DATAZER" not in begun
    assert "DATAP25" not in begun
    assert begun["SOLNETEX"] == ""


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("22075761.fts", "25075761.fts"),
        ("31012345.fts", "34012345.fts"),
        ("32088304.fts", "35088304.fts"),
        ("33012345.fts", "34012345.fts"),
        ("strange.fts", "strange.fts"),
    ],
)
def test_names_of_level_1_are_the_mission_s(old: str, new: str) -> None:
    assert level_1_name(old) == new
