"""Step 13: the header of the mission's level 1, and its statistics (mission keyword table)."""

from __future__ import annotations

import re
from pathlib import PurePath
from typing import Final

from astropy.io import fits

from pipeline.cards import drop, put
from pipeline.frame import Frame
from pipeline.instruments.soho_lasco import ephemeris, facts, tables
from pipeline.instruments.soho_lasco.statistics import NAMES, level_1_statistics
from pipeline.step import Params, References, step
from pipeline.uncertainty import KEPT

#: Keywords of level 0.5 that level 1 does not have (mission keyword table, "OLD KEYWORDS"), and those beside
#: them that only the read-out knows. The table of 2001 leaves out READPORT, RECTIFY, CROTA1, CROTA2, CUNIT1
#: and CUNIT2 too; the program of 2018 writes them, and so do we.
OMITTED: Final = (
    *("OBT_TIME", "EXP0", "EXPCMD", "EXP1", "EXP2", "EXP3", "SHUTTR", "LAMP", "LP_NUM", "OS_NUM", "IMGCTR"),
    *("IMGSEQ", "PLATESCL", "OFFSET", "P1COL", "P1ROW", "P2COL", "P2ROW", "EFFPORT", "VERSION"),
    *("IMAGE_CT", "SEQ_NUM", "HCOMP_SF", "SUNXCCD", "SUNYCCD"),
)
#: Second letter of a file's name: of level 0.5, and of level 1 (reduce_level_1.pro).
_NUMBERS: Final = {"1": "4", "2": "5", "3": "4"}
#: Names of files of level 0.5: camera, level, number.
_NAME: Final = re.compile(r"([123])([123])(\d{6})")


class HeaderParams(Params):
    """`level_1_header` has nothing to choose."""


@step(
    "level_1_header",
    version=1,
    prstep="CALIBRATION",
    instrument="soho_lasco",
    takes=("MSB",),
    memory_factor=3.0,
    uncertainty=KEPT,
)
def level_1_header(frame: Frame, params: HeaderParams, references: References) -> Frame:
    """Write the cards of the mission's level 1, with its statistics, and leave out those it does not have.

    Statistics that SOLARNET defines otherwise under the same names are named in SOLNETEX; the framework
    leaves them alone.
    """
    header = frame.header.copy()
    detector = facts.detector(frame)
    drop(header, OMITTED)
    old = str(header.get("FILENAME", "")).strip() or PurePath(frame.source).name
    new = level_1_name(old)
    header["FILENAME"] = (new, "name of the file in the mission's way")
    facts.history(header, f"level_1_header (reduce_level_1.pro): '{old}','{new}'")
    _complete(header, frame)
    seen = ephemeris.sun(facts.day(header))
    header["RSUN"] = (seen.radius, "Arcsec")
    header["DSUN_OBS"] = (seen.distance, "[m] 0.99 of the Earth's distance")
    header["HGLN_OBS"] = (0.0, "[deg] SOHO taken on the line to the Earth")
    header["HGLT_OBS"] = (round(seen.latitude, 3), "[deg] as seen from the Earth")
    clear = detector == "C3" and facts.colour(frame) == "CLEAR"
    found = level_1_statistics(frame.data, tables.PACKED_LARGEST if clear else None)
    put(header, ((name, *card) for name, card in found.items()))
    known = [name.strip() for name in str(header.get("SOLNETEX", "")).split(",") if name.strip()]
    header["SOLNETEX"] = (", ".join(dict.fromkeys((*known, *NAMES))), "the mission's own statistics")
    return frame.replace(header=header)


def level_1_name(name: str) -> str:
    """The name of a level-1 file after that of its level-0.5 file: 22075761.fts becomes 25075761.fts."""
    stem = PurePath(name).name.partition(".")[0]
    match = _NAME.fullmatch(stem)
    return f"{match[1]}{_NUMBERS[match[2]]}{match[3]}.fts" if match else f"{stem}.fts"


def _complete(header: fits.Header, frame: Frame) -> None:
    """Cards that some files of level 0.5 lack, with what is meant where they are not there."""
    defaults: dict[str, tuple[str | int | float, str]] = {
        "SUMROW": (0, "rows added up on the CCD"),
        "SUMCOL": (0, "columns added up on the CCD"),
        "LEBXSUM": (1, "columns added up in the LEB"),
        "LEBYSUM": (1, "rows added up in the LEB"),
        "COMPRSSN": ("", "steps of the compression"),
        "FILEORIG": ("", "telemetry file"),
        "R1COL": (tables.FIRST_COLUMN, "first column"),
        "R1ROW": (tables.FIRST_ROW, "first row"),
    }
    for name, card in defaults.items():
        if name not in header:
            header[name] = card
    readout = facts.readout(frame)
    ny, nx = readout.shape
    across, up = readout.summing
    header.setdefault("R2COL", header["R1COL"] + nx * across - 1)
    header.setdefault("R2ROW", header["R1ROW"] + ny * up - 1)
    for axis, sums in enumerate(readout.summing, start=1):
        header[f"NBIN{axis}"] = (sums, "CCD pixels along this axis of a pixel")
    header["NBIN"] = (readout.summed, "CCD pixels in a pixel")
