"""A point spread function as a reference file: kernels, parameters, and how far each part can be trusted.

The file's primary HDU holds the kernel, float32, an odd square centred at its middle pixel, its sum 1; where
it varies across the field a cube (tile, y, x), and the tiles' centres in the table ``TILES``. ``PSFCORE``
and ``PSFWING`` say where each part comes from (`Verdict`); ``PARAMETERS`` and ``PROFILE`` are tables for
people and for the plot.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

from pipeline.errors import BadInput

#: Of the layout of these files.
FORMAT: Final = 1
#: Share of a kernel's light that may be below zero, and pixels by which its middle may be off: it would move
#: the image, and coma of a radian does not reach that far.
_MOST_DARK: Final = 0.01
_MOST_AWAY: Final = 3.0
_NOTE: Final = "SIMULATED frames were used, or simulated laboratory values; this is no measurement."


class Verdict(StrEnum):
    """Where a part of a PSF comes from."""

    IDENTIFIED = "identified"
    """The frames determine it; its errors are those stated."""
    LABORATORY = "laboratory"
    """The frames do not; it is the value that was known before."""
    UNKNOWN = "unknown"
    """Neither do the frames, nor was anything known: it is a guess, and nothing that rests on it counts."""


class Measured(NamedTuple):
    """A value with its standard deviations: in all, and the part that more frames would not make smaller."""

    value: float
    error: float
    floor: float = 0.0

    def __str__(self) -> str:
        return f"{self.value:.2f} ± {self.error:.2f}" if np.isfinite(self.error) else f"{self.value:.2f}"


class Parameter(NamedTuple):
    """A parameter of the model: its value, standard deviation (NaN where not fitted), and what it is."""

    name: str
    value: float
    error: float
    meaning: str = ""


@dataclass(frozen=True, eq=False)
class Psf:
    """A point spread function, the same in the whole field or one for each of several tiles.

    Attributes
    ----------
    kernels
        float32, shape (tile, n, n) with n odd; each centred at its middle pixel, its sum 1.
    core, wing
        Where the core (up to the radius of 80 % of the light) and the wing beyond come from.
    fwhm
        Full width at half maximum of the azimuthal mean, pixels.
    ee50, ee80
        Radii that encircle 50 and 80 % of the light, pixels.
    tiles
        FWHM of each tile; without an error where it is that of the whole field.
    ellipse, odd
        Where its ellipticity, and its coma and trefoil, come from; symmetric where that is not known.
    model
        Name of the model of the core.
    parameters
        Those of the model.
    centres
        Tiles' centres (x, y) in pixels counted from 0; empty where one kernel is for the whole field.
    frame
        (ny, nx) of the frames it was made from: tiles' centres scale with it.
    reasons
        Why a part was not identified, and what else a user should know.
    simulated
        Whether any of it rests on simulated values.
    """

    kernels: NDArray[np.float32]
    core: Verdict
    wing: Verdict
    fwhm: Measured
    ee50: Measured
    ee80: Measured
    model: str = ""
    parameters: tuple[Parameter, ...] = ()
    centres: tuple[tuple[float, float], ...] = ()
    frame: tuple[int, int] = (0, 0)
    reasons: tuple[str, ...] = ()
    simulated: bool = False
    tiles: tuple[Measured, ...] = ()
    ellipse: Verdict = Verdict.UNKNOWN
    odd: Verdict = Verdict.UNKNOWN
    profile: NDArray[np.float64] = field(default_factory=lambda: np.zeros((0, 4)))
    """Radius [px], PSF, encircled energy and its standard deviation, for plots; shape (radii, 4)."""

    def __post_init__(self) -> None:
        kernels = np.asarray(self.kernels, np.float32)
        if kernels.ndim != 3 or kernels.shape[1] != kernels.shape[2] or kernels.shape[1] % 2 == 0:
            raise ValueError(f"kernels are odd squares, one for each tile, not {kernels.shape}")
        if len(self.centres) not in (0, len(kernels)) or (len(kernels) > 1 and not self.centres):
            raise ValueError(f"{len(kernels)} kernels need as many tiles' centres, not {len(self.centres)}")
        sums = kernels.sum(axis=(1, 2), dtype=np.float64)
        if not np.all(np.isfinite(sums)) or np.any(np.abs(sums - 1.0) > 1e-3):
            raise ValueError(f"the sum of a kernel is 1, not {', '.join(f'{one:.4g}' for one in sums)}")
        dark = -np.minimum(kernels, 0.0).sum(axis=(1, 2), dtype=np.float64).min()
        if dark > _MOST_DARK:
            raise ValueError(f"a kernel is light; {dark:.1%} of one is below zero")
        at = np.arange(kernels.shape[1], dtype=np.float64) - kernels.shape[1] // 2
        away = np.hypot(kernels.sum(axis=1) @ at, kernels.sum(axis=2) @ at).max(initial=0.0)
        if away > _MOST_AWAY:
            raise ValueError(f"the middle of a kernel's light is {away:.1f} pixels off its middle pixel")
        object.__setattr__(self, "kernels", kernels)

    def findings(self) -> tuple[str, ...]:
        """Its widths, and where each part comes from, in sentences for people."""
        found = [
            f"FWHM {self.fwhm}, EE50 {self.ee50}, EE80 {self.ee80} pixels",
            f"core {self.core}, wing {self.wing}, ellipticity {self.ellipse}, coma and trefoil {self.odd}",
        ]
        if self.tiles:
            found.append(f"FWHM of the tiles: {', '.join(map(str, self.tiles))} pixels")
        return tuple(found)

    @property
    def kernel(self) -> NDArray[np.float32]:
        """The kernel of the whole field, or that of the tile in its middle."""
        if not self.centres:
            middle: NDArray[np.float32] = self.kernels[0]
            return middle
        ny, nx = self.frame
        away = [np.hypot(x - 0.5 * (nx - 1), y - 0.5 * (ny - 1)) for x, y in self.centres]
        nearest: NDArray[np.float32] = self.kernels[int(np.argmin(away))]
        return nearest


def cards(psf: Psf) -> fits.Header:
    """What a PSF says of itself in the header of its file."""
    header = fits.Header()
    header["PSFFORM"] = (FORMAT, "version of the layout of this file")
    header["PSFMODEL"] = (psf.model, "model of the core")
    header["PSFCORE"] = (str(psf.core), "core: identified, laboratory or unknown")
    header["PSFWING"] = (str(psf.wing), "wing: identified, laboratory or unknown")
    header["PSFELLI"] = (str(psf.ellipse), "ellipticity, likewise")
    header["PSFODD"] = (str(psf.odd), "coma and trefoil, likewise")
    for name, one, what in (
        ("FWHM", psf.fwhm, "full width at half maximum"),
        ("EE50", psf.ee50, "radius of 50 % of the light"),
        ("EE80", psf.ee80, "radius of 80 % of the light"),
    ):
        header[f"PSF{name}"] = (float(one.value), f"[pixel] {what}")
        if np.isfinite(one.error):
            header[f"PSFE{name}"[:8]] = (float(one.error), "[pixel] its standard deviation in all")
            header[f"PSFF{name}"[:8]] = (float(one.floor), "[pixel] the part no frames make smaller")
    header["PSFTILES"] = (len(psf.kernels), "kernels: tiles of the field")
    header["PSFNX"], header["PSFNY"] = psf.frame[1], psf.frame[0]
    header["SIMULATD"] = (psf.simulated, "whether any of it was simulated, not measured")
    if psf.simulated:
        header["COMMENT"] = _NOTE
    for n, sentence in enumerate(psf.reasons, start=1):
        header[f"PSFWHY{n}"] = sentence
    return header


def tables(psf: Psf) -> list[fits.BinTableHDU]:
    """What stands beside the kernels in the file of a PSF."""
    names = [one.name for one in psf.parameters] or [""]
    meanings = [one.meaning for one in psf.parameters] or [""]
    found = [
        fits.BinTableHDU.from_columns(
            [
                fits.Column("NAME", f"{_width(names)}A", array=np.array(names)),
                fits.Column("VALUE", "D", array=np.array([one.value for one in psf.parameters] or [np.nan])),
                fits.Column("ERROR", "D", array=np.array([one.error for one in psf.parameters] or [np.nan])),
                fits.Column("MEANING", f"{_width(meanings)}A", array=np.array(meanings)),
            ],
            name="PARAMETERS",
        )
    ]
    if len(psf.profile):
        columns = [
            fits.Column(name, "D", unit=unit, array=psf.profile[:, n])
            for n, (name, unit) in enumerate(
                (("RADIUS", "pixel"), ("PSF", "pixel-2"), ("ENCIRCLED", ""), ("ERROR", ""))
            )
        ]
        found.append(fits.BinTableHDU.from_columns(columns, name="PROFILE"))
    if psf.centres:
        columns = [
            fits.Column(name, "D", unit="pixel", array=np.array([one[n] for one in psf.centres]))
            for n, name in enumerate("XY")
        ]
        columns += [
            fits.Column(name, "D", unit="pixel", array=np.array([one[n] for one in psf.tiles]))
            for n, name in enumerate(("FWHM", "ERROR", "FLOOR"))
            if psf.tiles
        ]
        found.append(fits.BinTableHDU.from_columns(columns, name="TILES"))
    return found


def psf_file(psf: Psf) -> fits.HDUList:
    """A PSF as a FITS file."""
    kernels = psf.kernels if psf.centres else psf.kernels[0]
    return fits.HDUList([fits.PrimaryHDU(kernels, cards(psf)), *tables(psf)])


def read_psf(path: str | Path) -> Psf:
    """The PSF in a FITS file.

    Raises
    ------
    BadInput
        When the file holds none, or one of a layout that this software does not know.
    """
    with fits.open(path, memmap=False) as hdus:
        header, kernels = hdus[0].header, hdus[0].data
        form = header.get("PSFFORM")
        if form != FORMAT or kernels is None:
            raise BadInput(
                "the file is no point spread function that this software can read",
                file=str(path),
                keyword="PSFFORM",
                found="absent" if form is None else str(form),
                advice="make one with `heliolake reduce psf`, or update the software",
            )
        named = {unit.name: unit.data for unit in hdus[1:]}
    profile = named.get("PROFILE")
    try:
        centres, widths = _tiles(named.get("TILES"))
        return Psf(
            kernels=np.array(kernels, np.float32).reshape(-1, *kernels.shape[-2:]),
            core=Verdict(header["PSFCORE"]),
            wing=Verdict(header["PSFWING"]),
            fwhm=_measured(header, "FWHM"),
            ee50=_measured(header, "EE50"),
            ee80=_measured(header, "EE80"),
            model=str(header["PSFMODEL"]),
            parameters=_parameters(named.get("PARAMETERS")),
            centres=centres,
            frame=(int(header["PSFNY"]), int(header["PSFNX"])),
            reasons=tuple(str(value) for name, value in header.items() if name.startswith("PSFWHY")),
            simulated=bool(header.get("SIMULATD", False)),
            tiles=widths,
            ellipse=Verdict(header.get("PSFELLI", Verdict.UNKNOWN)),
            odd=Verdict(header.get("PSFODD", Verdict.UNKNOWN)),
            profile=np.zeros((0, 4))
            if profile is None
            else np.column_stack([profile[name] for name in ("RADIUS", "PSF", "ENCIRCLED", "ERROR")]),
        )
    except (KeyError, ValueError) as error:
        raise BadInput(
            "the file of a point spread function contradicts itself",
            file=str(path),
            found=str(error),
            advice="fetch it again, or make it anew with `heliolake reduce psf`",
        ) from error


def _tiles(
    table: fits.FITS_rec | None,
) -> tuple[tuple[tuple[float, float], ...], tuple[Measured, ...]]:
    """Centres and widths of tiles."""
    if table is None:
        return (), ()
    centres = tuple((float(x), float(y)) for x, y in zip(table["X"], table["Y"], strict=True))
    if "FWHM" not in table.names:
        return centres, ()
    rows = zip(*(table[name] for name in ("FWHM", "ERROR", "FLOOR")), strict=True)
    return centres, tuple(Measured(*map(float, row)) for row in rows)


def _measured(header: fits.Header, name: str) -> Measured:
    errors = (header.get(f"PSF{kind}{name}"[:8], np.nan) for kind in "EF")
    return Measured(float(header[f"PSF{name}"]), *(float(one) for one in errors))


def _parameters(table: fits.FITS_rec | None) -> tuple[Parameter, ...]:
    if table is None:
        return ()
    rows = (Parameter(str(n), float(v), float(e), str(m)) for n, v, e, m in table)
    return tuple(row for row in rows if row.name)


def _width(texts: Sequence[str]) -> int:
    return max(1, *map(len, texts))
