"""Headers of simulated files: the documented keywords, and coordinates of a level-1 file."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

import numpy as np
from astropy.io import fits

from pipeline.instruments.kis_gris.simulate.config import SimulationConfig
from pipeline.instruments.kis_gris.simulate.scene import Scene

_NOTE: Final = "SIMULATED by Heliolake from a drawn sunspot; this is no observation."
#: Assumed: arcseconds of the Sun's radius in June, milliseconds of one image.
SUN_RADIUS: Final = 944.6
EXPOSURE: Final = 100.0


def mark(header: fits.Header) -> fits.Header:
    """The header, saying that what it describes was simulated."""
    header["SIMULATD"] = (True, "simulated, no observation")
    header.add_comment(_NOTE)
    return header


def level_1(config: SimulationConfig, truth: Scene, number: int, position: int) -> fits.Header:
    """Of the file of a slit position."""
    header = common(config, number, position, "l1p")
    header["LEVEL"] = "1"
    header["DATAVERS"] = (1, "data version (0 means raw data)")
    header["BUNIT"] = ("", "over the continuum of the quiet Sun")
    header["WCSAXES"] = 4
    for axis, card in enumerate(_axes(config, truth, position), start=1):
        for name, value in zip(("CTYPE", "CUNIT", "CRPIX", "CRVAL", "CDELT"), card, strict=True):
            if value != "" or name == "CTYPE":
                header[f"{name}{axis}"] = value
    turned, ratio = np.radians(config.angle), config.scale / config.step_size
    header["PC1_1"], header["PC1_2"] = float(np.cos(turned)), float(-np.sin(turned) * ratio)
    header["PC2_1"], header["PC2_2"] = float(np.sin(turned) / ratio), float(np.cos(turned))
    return mark(header)


def _axes(config: SimulationConfig, truth: Scene, position: int) -> list[tuple[Any, ...]]:
    west, north = (float(plane[:, position - 1].mean()) for plane in (truth.west, truth.north))
    first, step, _ = config.sampling
    return [
        ("HPLN-TAN", "arcsec", 1.0, west, config.step_size),
        ("HPLT-TAN", "arcsec", 0.5 * (config.rows + 1), north, config.scale),
        ("AWAV", "Angstrom", 1.0, first, step),
        ("STOKES", "", 1.0, 1.0, 1.0),
    ]


def common(config: SimulationConfig, number: int, position: int, level: str) -> fits.Header:
    """The cards that raw and level-1 files share, as the documented list has them."""
    begin = config.begin(number, position)
    share = ((number - 1) * config.steps + position - 1) / max(config.maps * config.steps - 1, 1)
    seconds = 4 * config.accumulations * EXPOSURE / 1000.0
    cards: dict[str, tuple[Any, str]] = {
        "TELESCOP": ("GREGOR", "telescope"),
        "INSTRUME": ("GRIS", "instrument"),
        "CAMERA": ("TCAM", "camera"),
        "FILENAME": (config.filename(number, position, level), "file name"),
        "DATE-OBS": (begin.replace(tzinfo=None).isoformat(timespec="milliseconds"), "begin, UTC"),
        "DATE-END": (
            (begin + timedelta(seconds=seconds)).replace(tzinfo=None).isoformat(timespec="milliseconds"),
            "end, UTC",
        ),
        "MEASURE": ("spectropolarimetry", "measure type"),
        "IMAGTYPE": ("science", "image type"),
        "WAVELENG": (int(config.region), "spectrograph wavelength (nm)"),
        "IRFILTER": (config.region, "camera filter"),
        "EXPTIME": (EXPOSURE, "integration time of each image (msec)"),
        "ACCUMULA": (config.accumulations, "number of accumulations"),
        "STATES": (4, "number of modulation states"),
        "SERIES": (config.maps, "number of repetitions of the measure"),
        "ISERIE": (number, "serie index"),
        "STEPS": (config.steps, "steps of each measure"),
        "STEPSH": (0, "steps in the axis parallel to the slit"),
        "STEPSV": (config.steps, "steps in the axis perpendicular to the slit"),
        "STEPSIZE": (config.step_size, "scanning step size (arcsec)"),
        "STEPANGL": (config.angle, "scanning step angle (degrees)"),
        "SPSYSTEM": ("SLIT", "scanning positioner system"),
        "AOSYSTEM": ("GAOS", "adaptative optic system"),
        "R0RADIUS": (SUN_RADIUS, "solar radius (arcsec)"),
        "B0ANGLE": (0.8, "B0 angle (degrees)"),
        "ATMOS_R0": (
            round((1 - share) * config.r0[0] + share * config.r0[1], 3) / 100.0,
            "[m] Fried's parameter",
        ),
    }
    header = fits.Header()
    for name, card in cards.items():
        header[name] = card
    return header
