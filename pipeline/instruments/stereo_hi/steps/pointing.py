"""Step 6, pointing: from star fits where there are any, else from the attitude (science.md §1)."""

from __future__ import annotations

import math
from typing import Any, Final, Literal

from astropy.io import fits

from pipeline.errors import BadInput
from pipeline.frame import Frame
from pipeline.instruments.stereo_hi import attitude, facts, tables
from pipeline.step import Params, ReferenceNeed, References, step
from pipeline.uncertainty import KEPT

#: Fewer fitted stars than this are no solution for a whole field.
_FEWEST_STARS: Final = 20
#: Values of RAVG that say why there is no star fit (§1, "Pointing").
_NO_FILE, _NO_EXTENSION, _POOR_FIT, _FEW_STARS = -881.0, -882.0, -883.0, -894.0
_COPIED: Final = (
    *("CRVAL1", "CRVAL2", "PC1_1", "PC1_2", "PC2_1", "PC2_2", "PV2_1"),
    *("CRVAL1A", "CRVAL2A", "PC1_1A", "PC1_2A", "PC2_1A", "PC2_2A", "PV2_1A"),
    *("XCEN", "YCEN", "CROTA", "INS_X0", "INS_Y0", "INS_R0"),
)
_SCALED: Final = ("CDELT1", "CDELT2", "CDELT1A", "CDELT2A")
#: Header names of the spacecraft's yaw, pitch, roll and the sign of its roll, by coordinate system.
_ATTITUDE: Final = {"": ("SC_YAW", "SC_PITCH", "SC_ROLL", -1.0), "A": ("SC_YAWA", "SC_PITA", "SC_ROLLA", 1.0)}

Solution = dict[str, Any]


class PointingParams(Params):
    """How `pointing` chooses.

    Attributes
    ----------
    largest_ravg
        [pix] Mean residual of a star fit up to which it is used.
    fallback
        Without a usable fit: ``nominal`` takes the calibrated mounting of the
        camera and the attitude in the header, ``header`` leaves what is there.
    """

    largest_ravg: float = 5.0
    fallback: Literal["nominal", "header"] = "nominal"


@step(
    "pointing",
    version=3,
    prstep="SPATIAL-COORDINATE-CORRECTION",
    instrument="stereo_hi",
    libraries=("numpy", "astropy"),
    uncertainty=KEPT,
    needs=(
        ReferenceNeed(
            "pointing",
            "the star fits of the camera's day, pnt_HI1A_YYYY-MM-DD_fix_mu_fov.fts, from the mission's "
            "calibration folder",
            optional=True,
        ),
    ),
)
def pointing(frame: Frame, params: PointingParams, references: References) -> Frame:
    """Replace both coordinate systems by the star fit of this very exposure.

    The fit is the extension named after DATE-AVG. With fewer than 20 stars
    (RAVG becomes −894), a mean residual outside 0 to `largest_ravg` (−883), no
    extension (−882) or no file (−881) the fallback is taken, with a caveat.
    """
    frame = frame.replace(header=frame.header.copy())
    if "pointing" not in references:
        return _without_fit(frame, params, _NO_FILE, "no star fits of this day are in the context")
    solution = _solution_for(frame, references["pointing"].load(read_solutions))
    if solution is None:
        return _without_fit(frame, params, _NO_EXTENSION, "the star fits of this day leave this exposure out")
    if float(solution.get("NST1", 0)) < _FEWEST_STARS:
        return _without_fit(frame, params, _FEW_STARS, "the star fit found fewer than 20 stars")
    ravg = float(solution.get("RAVG", -1.0))
    if not 0.0 <= ravg <= params.largest_ravg:
        return _without_fit(frame, params, _POOR_FIT, f"the star fit has a mean residual of {ravg:g} pixels")
    _copy(frame, solution)
    return frame


def read_solutions(path: str) -> tuple[Solution, ...]:
    """The headers of the extensions of a star-fit file, one per exposure."""
    with fits.open(path) as hdus:
        return tuple({card.keyword: card.value for card in hdu.header.cards} for hdu in hdus[1:])


def _solution_for(frame: Frame, solutions: tuple[Solution, ...]) -> Solution | None:
    middle = frame.keyword("DATE-AVG", str)
    return next((found for found in solutions if str(found.get("EXTNAME", "")).strip() == middle), None)


def _copy(frame: Frame, solution: Solution) -> None:
    header = frame.header
    absent = [name for name in (*_COPIED, *_SCALED, "RAVG") if name not in solution]
    if absent:
        raise BadInput(
            "the star fit of this exposure is not complete",
            file=frame.source,
            keyword=", ".join(absent),
            found="absent",
            advice="replace the star-fit file in the context",
        )
    # Fits are made on images of 1024²; others differ by a whole factor in scale.
    raw = frame.keyword("CDELT1", float, default=math.nan)
    if math.isnan(raw):
        ratio = facts.binning(frame, "SUMMED") / 2
    else:
        ratio = round(abs(raw / float(solution["CDELT1"])), 3)
        ratio = max(round(ratio), 1) if ratio >= 1 else 1 / max(round(1 / ratio), 1)
    for name in _COPIED:
        header[name] = solution[name]
    for name in _SCALED:
        header[name] = float(solution[name]) * ratio
    _complete(frame)
    header["RAVG"] = (float(solution["RAVG"]), "[pixel] mean residual of the star fit")
    header["POINTSRC"] = ("star fit", "source of the coordinates")


def _without_fit(frame: Frame, params: PointingParams, ravg: float, why: str) -> Frame:
    header = frame.header
    header["RAVG"] = (ravg, why)
    needed = [name for names in _ATTITUDE.values() for name in names[:3]]
    absent = [str(name) for name in needed if not isinstance(header.get(name), (int, float))]
    if params.fallback == "header" or absent:
        header["POINTSRC"] = ("header", "source of the coordinates")
        reason = f"; {', '.join(absent)} absent" if absent and params.fallback == "nominal" else ""
        return frame.with_caveat(
            f"coordinates are those of the raw header: {why}{reason}", mode="NO-STAR-FIT"
        )
    _nominal(frame)
    header["POINTSRC"] = ("nominal", "source of the coordinates")
    return frame.with_caveat(
        f"coordinates follow from the camera's nominal mounting: {why}", mode="NO-STAR-FIT"
    )


def _nominal(frame: Frame) -> None:
    """hi_calib_point: mounting of the camera, turned by the attitude of the spacecraft."""
    header = frame.header
    behind = facts.spacecraft(frame) == "B"
    mounting = tables.MOUNTINGS[(facts.detector(frame), facts.spacecraft(frame))]
    # The mounting of A describes its images as read out, that of B its images as stored, turned.
    turned = facts.orientation(frame).turned != behind
    # Of the whole CCD, however much of it the image shows: a part of it has the same plate scale.
    scale = mounting.degrees_per_pixel(tables.CCD_SIZE // facts.binning(frame, "SUMMED"))
    for suffix, (yaw, pitch, roll, sign) in _ATTITUDE.items():
        found = attitude.pointing(
            mounting,
            frame.keyword(yaw, float),
            frame.keyword(pitch, float),
            sign * frame.keyword(roll, float),
            turned=turned,
        )
        side = 1.0 if suffix else -1.0  # helioprojective longitude grows to the west
        in_arcsec = frame.keyword(f"CUNIT1{suffix}", str, default="deg") == "arcsec"
        unit = 3600.0 if in_arcsec else 1.0
        header[f"CRVAL1{suffix}"] = side * found.longitude * unit
        header[f"CRVAL2{suffix}"] = found.latitude * unit
        names = ("PC1_1", "PC1_2", "PC2_1", "PC2_2")
        for name, value in zip(names, found.rotation(), strict=True):
            header[name + suffix] = value
        header[f"CDELT1{suffix}"] = -side * scale * unit
        header[f"CDELT2{suffix}"] = scale * unit
        header[f"PV2_1{suffix}"] = mounting.mu
        if not suffix:
            header["CROTA"] = -found.roll
            header["XCEN"], header["YCEN"] = header["CRVAL1"], header["CRVAL2"]
    _complete(frame)
    header["INS_X0"], header["INS_Y0"], header["INS_R0"] = -mounting.offset, mounting.pitch, -mounting.roll


def _complete(frame: Frame) -> None:
    """The cards of both systems that the mounting and the star fits take for granted.

    Projection AZP with the μ of PV2_1, degrees, and the optical axis in the
    middle of the CCD: so all level-0 headers have them (CRPIX 512.5 of 1024,
    128.5 of 256) and so hi_calib_point reckons (§1, "Pointing"; Brown, Bewsher &
    Eyles 2009). Where an image shows a part of the CCD, CRPIX is not guessed.
    """
    header = frame.header
    for suffix, (longitude, latitude) in {"": ("HPLN", "HPLT"), "A": ("RA--", "DEC-")}.items():
        header[f"CTYPE1{suffix}"], header[f"CTYPE2{suffix}"] = f"{longitude}-AZP", f"{latitude}-AZP"
        for axis, size in ((1, frame.data.shape[1]), (2, frame.data.shape[0])):
            if not frame.keyword(f"CUNIT{axis}{suffix}", str, default=""):
                header[f"CUNIT{axis}{suffix}"] = "deg"
            first = frame.keyword(f"DSTART{axis}", int, default=1)
            last = frame.keyword(f"DSTOP{axis}", int, default=size)
            shown = (last - first + 1) * facts.binning(frame, "SUMMED")
            if f"CRPIX{axis}{suffix}" not in header and shown == tables.CCD_SIZE:
                header[f"CRPIX{axis}{suffix}"] = ((first + last) / 2, "middle of the CCD")
