"""What kind of data an HDU holds, as far as some keywords are only needed of some."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Final

from pipeline.solarnet_check.header import Hdu

_SPECTRAL: Final = ("WAVE", "AWAV", "FREQ", "WAVN", "ENER", "VELO", "VRAD", "VOPT", "ZOPT", "BETA")
_TIMES: Final = (
    *("UTC", "TIME", "TAI", "TT", "TDT", "ET", "IAT", "UT1", "UT", "GMT", "GPS", "TCG", "TCB", "TDB"),
)


def coordinate(ctype: str) -> str:
    """What a CTYPE names, without the projection: ``HPLN`` of ``HPLN-TAN``."""
    text = ctype.strip().upper()
    return text[:4].rstrip("-") if re.fullmatch(r"[A-Z0-9_-]{4}-[A-Z0-9]{3}", text) else text


def axis_kinds(hdu: Hdu) -> dict[str, str]:
    """What each coordinate of the HDU names, by its CTYPE's keyword."""
    found = (name for name in hdu.values if re.fullmatch(r"CTYPE[1-9]\d?[A-Z]?", name))
    return {name: coordinate(hdu.text(name)) for name in found}


def is_spectral(kind: str) -> bool:
    """Whether a coordinate is one of wavelengths, or what is made of them."""
    return kind in _SPECTRAL


def is_time(kind: str) -> bool:
    """Whether a coordinate is time."""
    return kind in _TIMES


def _time_axis(hdu: Hdu) -> bool:
    return any(map(is_time, axis_kinds(hdu).values()))


def _spectrum(hdu: Hdu) -> bool:
    return any(map(is_spectral, axis_kinds(hdu).values()))


def _slit(hdu: Hdu) -> bool:
    """A spectrograph has a grating; a filter that is tuned has none, and no slit."""
    said = hdu.text("INST_TYP").lower() == "spectrograph" or hdu.says("GRATING") or hdu.says("SLIT_WID")
    return _spectrum(hdu) and said


def _wavelengths(hdu: Hdu) -> bool:
    """A spectrum, or an image through a filter; cameras without filters write 0 as their wavelength."""
    nominal = hdu.number("WAVELNTH")
    said = any(hdu.says(name) for name in ("WAVEUNIT", "WAVEREF", "WAVEMIN", "WAVEMAX", "FILTER"))
    return said or _spectrum(hdu) or (nominal is not None and nominal > 0)


def _summed(hdu: Hdu) -> bool:
    return hdu.says("NSUMEXP") or hdu.says("TEXPOSUR")


def _binned(hdu: Hdu) -> bool:
    return any((hdu.whole(name) or 1) > 1 for name in hdu.values if re.fullmatch(r"NBIN[1-9]", name))


def _polarisation(hdu: Hdu) -> bool:
    return "STOKES" in axis_kinds(hdu).values() or hdu.says("POLCANGL")


def _processed(hdu: Hdu) -> bool:
    return any(name.startswith("PRSTEP") for name in hdu.values) or hdu.claim > 0


_CONDITIONS: Final[Mapping[str, Callable[[Hdu], bool]]] = {
    "": lambda _: True,
    "time axis": _time_axis,
    "summed": _summed,
    "binned": _binned,
    "wavelengths": _wavelengths,
    "spectrum": _spectrum,
    "slit": _slit,
    "polarisation": _polarisation,
    "processed": _processed,
}


def holds(condition: str, hdu: Hdu) -> bool:
    """Whether a condition of the table holds of an HDU."""
    return _CONDITIONS[condition](hdu)
