"""Which instruments have a demonstration, and where it lies; known without loading any of them."""

from __future__ import annotations

from typing import Final

#: Modules with a `TALE`, by instrument; the first one is told where nobody asks for another.
MODULES: Final = {
    "": "heliolake.demo.first",
    "aso_s_lst": "heliolake.demo.lst",
    "kis_chrotel": "heliolake.demo.chrotel",
    "kis_gris": "heliolake.demo.gris",
    "kis_lars": "heliolake.demo.lars",
    "soho_lasco": "heliolake.demo.lasco",
}


def named() -> list[str]:
    """Names that ``heliolake demo --instrument`` takes."""
    return [name for name in MODULES if name]
