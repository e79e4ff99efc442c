"""Step 6: flat field, geometry of the optics, and physical units (science.md §1)."""

from __future__ import annotations

import math
from datetime import datetime
from typing import Final, NamedTuple

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray
from pydantic import Field

from pipeline import noise
from pipeline.errors import BadInput
from pipeline.frame import Frame
from pipeline.instrument import parse_date
from pipeline.instruments.stereo_hi import facts, tables
from pipeline.quality import Quality
from pipeline.step import Params, ReferenceNeed, References, step
from pipeline.uncertainty import approximate, exact

#: Part by which the divisor of beacon images may be off: how far the percentiles of the one real image and
#: those of a science sum agree with the factor that is undone (`OnboardParams.beacon_gain`).
_BEACON_ERROR: Final = 0.05


class FlatParams(Params):
    """`flat_field` has nothing to choose."""


class PhotometryParams(Params):
    """What `photometric_calibration` gives.

    Attributes
    ----------
    units
        ``DN/s``, ``MSB`` (mean solar brightness) or ``S10`` (stars of 10th
        magnitude per square degree), all per CCD pixel. BUNIT says them in
        FITS's way (`tables.BUNITS`), BNAME in words.
    diffuse
        For MSB and S10, correct for the sky a pixel sees shrinking away from
        the axis. Right for extended sources, wrong for stars.
    without_flat
        Give MSB or S10 also where no flat is at hand and the recipe assumes
        unity. Otherwise such frames are refused.
    beacon
        Give MSB or S10 also of images sent by the space-weather beacon, whose
        divisor is known from one image of one camera only.
    calibration_error
        [1] Part by which the factor to MSB and S10 may be off, for the
        uncertainty: the response is stable within 1 % (Bewsher, Brown & Eyles
        2012, Solar Physics 276, 491). An error common to all pixels.
    """

    units: tables.Unit = "DN/s"
    diffuse: bool = True
    without_flat: bool = False
    beacon: bool = False
    calibration_error: float = Field(default=0.01, ge=0)


class Flat(NamedTuple):
    """A flat field as read: values, whether it is trimmed, and how it lies."""

    values: NDArray[np.float32]
    trimmed: bool
    turned: bool


@step(
    "flat_field",
    version=2,
    prstep="FLATFIELDING",
    instrument="stereo_hi",
    takes=("DN/s",),
    memory_factor=4.0,
    libraries=("numpy", "astropy"),
    uncertainty=approximate(
        "times the flat field; the flat's own noise, which its files do not give, is left out"
    ),
    needs=(
        ReferenceNeed(
            "flat",
            "the flat field of the camera: 20061129_flatfld_raw_h1a.fts, 20100421_flatfld_sum_h1a.fts, "
            "20150701_flatfld_{raw,sum}_h2a.fts and those of B, from the mission's calibration folder",
            unity_allowed=True,
        ),
    ),
)
def flat_field(frame: Frame, params: FlatParams, references: References) -> Frame:
    """Multiply by the flat, trimmed, binned and turned like the image (§1, "Flats")."""
    if "flat" not in references:
        return frame
    reference = references["flat"]
    flat = _fitted(reference.load(read_flat), frame, reference.did)
    useless = ~np.isfinite(flat) | (flat <= 0)
    data = np.where(useless, np.float32(np.nan), frame.data * flat)
    quality = np.where(useless, frame.quality | np.uint16(Quality.DEAD), frame.quality)
    return frame.replace(data=data, quality=quality, uncertainty=frame.uncertainty_times(flat))


def read_flat(path: str) -> Flat:
    """A flat-field file of the mission; its underscan is part of the image when P1COL ≤ 1."""
    with fits.open(path) as hdus:
        header = hdus[0].header
        values = np.asarray(hdus[0].data, dtype=np.float32)
    rectified = str(header.get("RECTIFY")).strip() in ("True", "T")  # some files have it as text
    behind = str(header.get("OBSRVTRY", "")).strip() == "STEREO_B"
    untrimmed = "P1COL" in header and int(header["P1COL"]) <= 1
    return Flat(values, not untrimmed, rectified and behind)


def _fitted(flat: Flat, frame: Frame, did: str) -> NDArray[np.float32]:
    """The flat on the grid of a frame: without underscan, binned by means, turned if the image is."""
    values = flat.values
    if not flat.trimmed:
        # Rows 0:1023 and columns 25:1048 of a summed flat; twice that in one of single pixels (§1).
        half = 1 if values.shape[0] <= tables.CCD_SIZE // 2 else 2
        values = values[: 1024 * half, 25 * half : (25 + 1024) * half]
    window = facts.light_window(frame)
    ny, nx = frame.data.shape if window is None else frame.data[window].shape
    across, up = values.shape[1] // nx, values.shape[0] // ny
    if values.shape != (ny * up, nx * across):
        raise BadInput(
            f"the flat field {did} does not fit the image",
            file=frame.source,
            keyword="NAXIS1, NAXIS2" if window is None else "DSTART1, DSTOP1, DSTART2, DSTOP2",
            found=f"image {nx} × {ny}, flat {values.shape[1]} × {values.shape[0]}, both without underscan",
            advice="add the flat of this summing (raw for 2048², sum for smaller images) to the context",
        )
    binned = values.reshape(ny, up, nx, across).mean(axis=(1, 3), dtype=np.float64).astype(np.float32)
    lying: NDArray[np.float32] = (
        binned[::-1, ::-1] if flat.turned != facts.orientation(frame).turned else binned
    )
    if window is None:
        return lying
    # Nothing is known, and nothing asked, of what saw no light.
    result = np.ones(frame.data.shape, dtype=np.float32)
    result[window] = lying
    return result


def _references_demanded(params: PhotometryParams) -> dict[str, str]:
    """Physical units of an image without a flat have to be asked for."""
    if params.units == "DN/s" or params.without_flat:
        return {}
    return {"flat": f"set photometric_calibration.without_flat to true for {params.units} without one"}


@step(
    "photometric_calibration",
    version=3,
    prstep="RADIOMETRIC-CALIBRATION",
    instrument="stereo_hi",
    takes=("DN/s",),
    gives=lambda params: tables.BUNITS[params.units],
    demands=_references_demanded,
    memory_factor=5.0,
    uncertainty=exact(
        "times the factors of the image, and the error of the calibration, common to all pixels"
    ),
)
def photometric_calibration(frame: Frame, params: PhotometryParams, references: References) -> Frame:
    """Undo the summing of CCD pixels and give physical units (§1, "Photometric calibration").

    Divides by (2^(IPSUM − 1))² so that every image is per CCD pixel, whatever
    its size, multiplies by the camera's factor for the date and, for extended
    sources, by the diffuse correction. IPSUM becomes 1, as in the mission's
    own level 1.
    """
    camera = (facts.detector(frame), facts.spacecraft(frame))
    summing = facts.binning(frame)
    physical = params.units != "DN/s"
    if physical and facts.is_beacon(frame):
        _refuse_beacon(frame, params)
    factor = tables.brightness_per_rate(camera, params.units, _middle(frame)) if physical else 1.0
    if physical and _is_single_polarised(frame):
        factor *= 2.0
    header = frame.header.copy()
    header["BTYPE"], header["BNAME"] = tables.MEANINGS[params.units]
    header["CALFAC"] = (factor, f"{params.units} per DN/s and CCD pixel")
    header["IPSUMORI"] = (frame.keyword("IPSUM", float), "IPSUM of the raw image; undone")
    header["IPSUM"] = 1.0
    # With IPSUM gone the size of a pixel stands in SOLARNET's cards (recommendations, section 5.2).
    side = facts.binning(frame, "SUMMED")
    header["NBIN1"] = header["NBIN2"] = (side, "CCD pixels along this axis of a pixel")
    header["NBIN"] = (side**2, "CCD pixels in a pixel")
    diffuse = physical and params.diffuse
    scale: NDArray[np.float32] = np.asarray(factor / summing**2, np.float32)
    if diffuse:
        scale = scale * diffuse_correction(frame)
    header["DIFFCORR"] = (diffuse, "corrected for the solid angle of pixels")
    data = frame.data * scale
    error = math.hypot(
        params.calibration_error if physical else 0.0, _BEACON_ERROR if facts.is_beacon(frame) else 0.0
    )
    sigma = noise.combined(frame.uncertainty_times(scale), noise.relative(data, error))
    return frame.replace(data=data, header=header, uncertainty=sigma)


def diffuse_correction(frame: Frame) -> NDArray[np.float32]:
    """How much more sky a pixel on the axis sees than each pixel of the image (§1, scc_hi_diffuse).

    With ``t = r/(F (μ + 1))``, r the distance from the reference pixel and F
    the focal length, ``cos α = (√(1 + (1 − μ²) t²) − μ t²)/(1 + t²)``, the form
    of the source's formula that holds on the axis too; the factor is
    ``(μ + 1)² (μ cos α + 1)/(μ + cos α)³``. The source adds DSTART − 1 to the
    pixel number, which is 0 in the images without underscan it is applied to
    (scc_img_trim takes the underscan out of CRPIX too); here an underscan stays
    in the image, and CRPIX counts from its first pixel.

    Returns
    -------
    numpy.ndarray
        Shape (y, x), float32, 1 on the axis.
    """
    camera = (facts.detector(frame), facts.spacecraft(frame))
    if "RAVG" in frame.header and frame.keyword("RAVG", float) >= 0:
        mu = frame.keyword("PV2_1", float)
        in_arcsec = frame.keyword("CUNIT1", str, default="deg") == "arcsec"
        radians = math.radians(abs(frame.keyword("CDELT1", float)) / (3600.0 if in_arcsec else 1.0))
    else:
        optics = tables.OPTICS[camera]
        mu = optics.mu
        radians = math.radians(optics.arcsec_per_pixel / 3600.0) * facts.binning(frame)
    ny, nx = frame.data.shape
    x = np.arange(1, nx + 1) - frame.keyword("CRPIX1", float)
    y = np.arange(1, ny + 1) - frame.keyword("CRPIX2", float)
    # F in pixels of this image is 1/radians, so no length in mm is needed.
    t2 = ((x**2)[None, :] + (y**2)[:, None]).astype(np.float32) * np.float32((radians / (mu + 1.0)) ** 2)
    cosine = (np.sqrt(1.0 + np.float32(1.0 - mu**2) * t2) - np.float32(mu) * t2) / (1.0 + t2)
    result: NDArray[np.float32] = (
        np.float32((mu + 1.0) ** 2) * (np.float32(mu) * cosine + 1.0) / (np.float32(mu) + cosine) ** 3
    )
    return result


def _refuse_beacon(frame: Frame, params: PhotometryParams) -> None:
    if params.beacon:
        return
    raise BadInput(
        f"this is a beacon image, and its brightness in {params.units} was not asked for",
        file=frame.source,
        keyword="IP_00_19",
        found=str(frame.header.get("IP_00_19", "")).strip(),
        advice="its divisor on board rests on one image: set photometric_calibration.beacon to true to have "
        "it nevertheless, or photometric_calibration.units to DN/s",
    )


def _middle(frame: Frame) -> datetime:
    text = frame.keyword("DATE-AVG", str)
    date = parse_date(text)
    if date is None:
        raise BadInput(
            "the sensitivity depends on the date, and DATE-AVG is none",
            file=frame.source,
            keyword="DATE-AVG",
            found=text,
            advice="write it as YYYY-MM-DDThh:mm:ss.sss",
        )
    return date


def _is_single_polarised(frame: Frame) -> bool:
    """POLAR = 1001 stands for total brightness of which one of two exposures is at hand (§1: × 2)."""
    polar = frame.keyword("POLAR", float, default=math.nan)
    return polar == 1001 and frame.keyword("SEB_PROG", str, default="") != "DOUBLE"
