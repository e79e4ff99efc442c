"""A release in the words of observers: what the log of an observation says, in its order."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final
from urllib.parse import quote

#: Searchable values that instruments share, and what an observer calls them, in the order of a log.
_KNOWN: Final = {
    "target": "Target",
    "campaign": "Campaign",
    "line": "Spectral line",
    "wavelength": "Wavelength",
    "region": "Wavelength region",
    "filter": "Filter",
    "polariser": "Polariser",
    "exposure": "Exposure time [s]",
    "accumulations": "Accumulations",
    "theta": "Heliocentric angle [°]",
    "mu": "µ",
    "position": "Position",
    "observation_type": "Observation type",
    "mode": "Observing mode",
    "imaging": "Imaging system",
    "r0": "Fried parameter r₀ [m]",
    "steps": "Steps",
    "maps": "Maps",
    "width": "Width [pixels]",
    "detector": "Detector",
    "camera": "Camera",
    "simulated": "Simulated",
}
_WEEK: Final = 7 * 86400


def details(release: Mapping[str, Any], meta: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """The log of a release: label and value, those that are known."""
    rows: list[tuple[str, Any]] = [
        ("Observation", release["observation"]),
        ("Instrument", release["instrument"]),
        ("Level", release["level"]),
        ("Duration", duration(release["date_beg"], release["date_end"])),
    ]
    rows += [(label, meta[name]) for name, label in _KNOWN.items() if name in meta]
    if release["recipe"]:
        rows.append(("Made by", f"{release['recipe']}, version {release['recipe_version']}"))
    if release["context"]:
        rows.append(("Calibration context", release["context"]))
    return [(label, value) for label, value in rows if value not in ("", None, [])]


def values(meta: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """Searchable values that have no place in the log."""
    return sorted((name, value) for name, value in meta.items() if name not in _KNOWN)


def duration(begin: str | None, end: str | None) -> str:
    """How long an observation took; empty where nobody knows."""
    if not begin or not end:
        return ""
    seconds = (datetime.fromisoformat(end) - datetime.fromisoformat(begin)).total_seconds()
    if seconds < 0 or seconds > _WEEK:
        return ""
    if seconds < 60:
        return f"{seconds:.3g} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


def helioviewer(release: Mapping[str, Any]) -> str:
    """The whole Sun at that time, in Helioviewer; empty where the time is not known."""
    begin = release["date_beg"]
    if not begin:
        return ""
    layer = quote("[SDO,AIA,AIA,171,1,100]") if begin >= "2010-06" else quote("[SOHO,EIT,EIT,171,1,100]")
    return (
        f"https://helioviewer.org/?date={quote(begin, safe=':')}&imageScale=2.42&centerX=0&centerY=0"
        f"&imageLayers={layer}&eventLayers=&eventLabels=true"
    )


def shown_value(value: Any) -> str:
    """A value of a header card, as the card has it."""
    if isinstance(value, bool):
        return "T" if value else "F"
    return "" if value is None or type(value).__name__ == "Undefined" else str(value)
