"""Headers of simulated images, in the words of the mission's notes: no document at hand has its headers."""

from __future__ import annotations

import math
from datetime import timedelta
from typing import Any, Final

from astropy.io import fits

from pipeline.instruments.aso_s_lst.simulate import camera
from pipeline.instruments.aso_s_lst.simulate.config import SimulationConfig
from pipeline.instruments.aso_s_lst.simulate.optics import OBSTRUCTION

_NOTE: Final = "SIMULATED by Heliolake from a model of the Sun; this is no observation."
_RSUN_REF: Final = 6.957e8


def header(config: SimulationConfig, level: str = "0.0") -> fits.Header:
    """The header of an image at a level."""
    result = fits.Header()
    for name, (value, comment) in {**_what(config, level), **_where(config), **_ejected(config)}.items():
        result[name] = (value, comment)
    result["SIMULATD"] = (True, "simulated image, no observation")
    result.add_comment(_NOTE)
    result.add_comment(f"Assumed, without a document: {camera.ASSUMED}")
    return result


def _what(config: SimulationConfig, level: str) -> dict[str, tuple[Any, str]]:
    seconds = camera.seconds(config)
    end = config.start + timedelta(seconds=seconds)
    cards: dict[str, tuple[Any, str]] = {
        "FILENAME": (config.filename, ""),
        "ORIGIN": ("Heliolake", "simulation"),
        "TELESCOP": ("ASO-S", "Advanced Space-based Solar Observatory"),
        "INSTRUME": ("LST", "Lyman-alpha Solar Telescope"),
        "DETECTOR": (config.telescope, "telescope of LST"),
        "LEVEL": (level, "of the data"),
        "DATE-OBS": (f"{config.start:%Y-%m-%dT%H:%M:%S}.{config.start.microsecond // 1000:03d}", "UTC"),
        "DATE-END": (f"{end:%Y-%m-%dT%H:%M:%S}.{end.microsecond // 1000:03d}", "UTC"),
        "EXPTIME": (seconds, "[s]"),
        "WAVELNTH": (config.optics.wavelength, "[nm]"),
        "GAIN": (config.gain, "channel"),
        "SEQNUM": (config.number, "number of the exposure"),
        "BUNIT": ("DN", ""),
    }
    if config.blur:
        # In pixels diffraction is what the configuration says, however large these are.
        angle = math.radians(config.blur * config.scale / 3600.0)
        aperture = 1e-6 * config.optics.wavelength / angle
        area = 0.25 * math.pi * aperture**2 * (1.0 - OBSTRUCTION**2)
        cards["APTDIA"] = (round(aperture, 4), "[mm] aperture, simulated")
        cards["APTAREA"] = (round(area, 3), "[mm2] of it that is open, simulated")
    if config.polariser is not None:
        cards["POLAR"] = (config.polariser, "[deg] from the image's vertical")
    return cards


def _where(config: SimulationConfig) -> dict[str, tuple[Any, str]]:
    middle = (config.size + 1) / 2
    # The pointing that is known: of the exposures' jitter the header says nothing.
    return {
        "CTYPE1": ("HPLN-TAN", ""),
        "CTYPE2": ("HPLT-TAN", ""),
        "CUNIT1": ("arcsec", ""),
        "CUNIT2": ("arcsec", ""),
        "CRPIX1": (middle + config.offset[0], "[pixel] nominal"),
        "CRPIX2": (middle + config.offset[1], "[pixel] nominal"),
        "CRVAL1": (0.0, ""),
        "CRVAL2": (0.0, ""),
        "CDELT1": (config.scale, "[arcsec]"),
        "CDELT2": (config.scale, "[arcsec]"),
        "CROTA2": (config.roll if config.header_roll is None else config.header_roll, "[deg] inherited"),
        "RSUN_OBS": (config.rsun, "[arcsec]"),
        "RSUN_REF": (_RSUN_REF, "[m]"),
        "DSUN_OBS": (_RSUN_REF / (config.rsun / 206264.806), "[m]"),
        "HGLN_OBS": (0.0, "[deg]"),
        "HGLT_OBS": (config.b0, "[deg]"),
    }


def _ejected(config: SimulationConfig) -> dict[str, tuple[Any, str]]:
    """The truth of moving ejections, beside the image."""
    middle = config.start + timedelta(seconds=0.5 * camera.seconds(config))
    cards: dict[str, tuple[Any, str]] = {}
    for n, one in enumerate(config.ejections, start=1):
        cards[f"CMEBEG{n}"] = (f"{one.begin:%Y-%m-%dT%H:%M:%S}", "truth: at the limb, UTC")
        cards[f"CMEPA{n}"] = (one.position_angle, "[deg] position angle, from north through east")
        cards[f"CMEWID{n}"] = (one.width, "[deg] width")
        cards[f"CMESPD{n}"] = (one.speed, "[km/s] at the limb")
        cards[f"CMEACC{n}"] = (one.acceleration, "[m/s2]")
        cards[f"CMEBRI{n}"] = (one.brightness, "over the usual one")
        if (height := one.height(middle)) is not None:
            cards[f"CMEHGT{n}"] = (height, "[solRad] of its front in mid-exposure")
    return cards
