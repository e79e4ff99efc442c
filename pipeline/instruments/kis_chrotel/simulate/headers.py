"""Headers of simulated frames, with the telescope's keywords."""

from __future__ import annotations

from typing import Any, Final

from astropy.io import fits

from pipeline.instruments.kis_chrotel import facts
from pipeline.instruments.kis_chrotel.simulate import camera
from pipeline.instruments.kis_chrotel.simulate.config import SimulationConfig

_NOTE: Final = "SIMULATED by Heliolake from a model of the chromosphere; this is no observation."
#: Metres, at the apparent radius of the Sun's 6.957e8.
_RSUN_REF: Final = 6.957e8


def header(config: SimulationConfig) -> fits.Header:
    """The raw header of a frame."""
    result = fits.Header()
    for name, (value, comment) in {**_what(config), **_where(config)}.items():
        result[name] = (value, comment)
    result["SIMULATD"] = (True, "simulated image, no observation")
    result.add_comment(_NOTE)
    result.add_comment(f"Assumed, without a document: {camera.ASSUMED}")
    return result


def _what(config: SimulationConfig) -> dict[str, tuple[Any, str]]:
    channel = facts.CHANNELS[config.line]
    return {
        "FILENAME": (config.filename, ""),
        "ORIGIN": ("Heliolake", "simulation"),
        "TELESCOP": ("ChroTel", "Chromospheric Telescope"),
        "INSTRUME": ("ChroTel", ""),
        "OBJECT": ("Sun", ""),
        "DATE-OBS": (f"{config.begin:%Y-%m-%dT%H:%M:%S}.000", "UTC"),
        "EXPTIME": (channel.seconds, "[s]"),
        "FILTER": (channel.name, ""),
        "FILTFWHM": (channel.width / 10, "[nm]"),
        "WAVELNTH": (round(config.wavelength / 10, 4), "[nm] the filter is set to"),
        "BUNIT": ("adu", ""),
        "GLOCKED": (1, "guiding locked"),
    }


def _where(config: SimulationConfig) -> dict[str, tuple[Any, str]]:
    middle = (config.size + 1) / 2
    return {
        "IMG_ROT": (config.angle + config.p0 - 1.5, "[deg] image rotation wrt geocentric north"),
        "ROT_OFFS": (1.5, "[deg] of this filter"),
        "SOLAR_P0": (config.p0, "[deg]"),
        "SOLAR_B0": (config.b0, "[deg]"),
        "CRPIX1": (middle, "[pixel] nominal"),
        "CRPIX2": (middle, "[pixel] nominal"),
        # Nominal: the scale of a channel is known to half a percent only.
        "CDELT1": (config.scale * 1.004, "[arcsec]"),
        "CDELT2": (config.scale * 1.004, "[arcsec]"),
        "RSUN_OBS": (config.rsun, "[arcsec]"),
        "RSUN_REF": (_RSUN_REF, "[m]"),
        "DSUN_OBS": (_RSUN_REF / (config.rsun / 206264.806), "[m]"),
        "HGLN_OBS": (0.0, "[deg]"),
        "HGLT_OBS": (config.b0, "[deg]"),
        "CRLN_OBS": (config.l0, "[deg]"),
    }
