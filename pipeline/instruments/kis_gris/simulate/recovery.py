"""How well level 1 recovers what a simulated raw scan was made from, and what each step is worth.

``python -m pipeline.instruments.kis_gris.simulate.recovery docs/gris.md`` writes the tables anew into a page.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np

from pipeline.frame import Frame
from pipeline.instruments.kis_gris.simulate.config import SimulationConfig
from pipeline.instruments.kis_gris.simulate.detector import FRINGES, FROM_I, FROM_V, INTO_V
from pipeline.instruments.kis_gris.simulate.raw import RawScan, simulate_raw, write_calibration
from pipeline.known_references import recognise_reference
from pipeline.step import ReferenceFile
from pipeline.testing import reference, run_recipe

#: Lines of a page between which the tables stand.
BEGIN: Final = "<!-- recovery: made by pipeline.instruments.kis_gris.simulate.recovery -->"
END: Final = "<!-- end of recovery -->"
RAW_DIMS: Final = ("state", "wavelength", "y")
#: What is switched off to see what it is worth: heading, settings of level 1, of the map, needs left out.
_WITHOUT: Final[tuple[tuple[str, dict[str, Any], dict[str, Any], tuple[str, ...]], ...]] = (
    ("all steps", {}, {}, ()),
    ("without `flat_field`", {"flat_field.enabled": False}, {}, ("flat",)),
    ("without `remove_fringes`", {"remove_fringes.enabled": False}, {}, ()),
    (
        "without `intensity_crosstalk`",
        {"intensity_crosstalk.enabled": False},
        {"stokes_crosstalk.always": True},
        (),
    ),
    ("without `stokes_crosstalk`", {}, {"stokes_crosstalk.enabled": False}, ()),
)


class Recovered(NamedTuple):
    """What came of a raw scan.

    Attributes
    ----------
    cube
        The map.
    residual
        Root mean square of cube less truth for I, Q, U and V, where no pixel was interpolated.
    wavelengths
        Å by which both ends of the wavelength scale are off.
    """

    cube: Frame
    residual: tuple[float, float, float, float]
    wavelengths: tuple[float, float]


def scan_of(region: str, **changes: Any) -> SimulationConfig:
    """The scan the tables are made of: a few positions across the spot, every other wavelength."""
    usual = {"steps": 6, "rows": 32, "binning": 2, "step_size": 1.2, "scale": 0.5, "radius": 4.0}
    return SimulationConfig.model_validate({"region": region, **usual, **changes})


def references_of(config: SimulationConfig, folder: Path) -> list[ReferenceFile]:
    """The calibration files of a scan, known by their names."""
    found = []
    for path in write_calibration(folder, config):
        known = recognise_reference(path)
        if known is None:
            raise RuntimeError(f"{path.name} is not known by its name")
        found.append(reference(known.need, path))
    return found


def settings_of(config: SimulationConfig) -> dict[str, Any]:
    """What the recipe has to be told of binned files: about where they are, a little wrong."""
    return {
        "wavelength_scale.dispersion": config.sampling.step * 1.01,
        "wavelength_scale.middle": float(config.wavelengths.mean()) + 1.3,
    }


def frames_of(scan: RawScan) -> list[Frame]:
    """Its files as the pipeline gets them."""
    return [Frame.of(one.data, one.header.copy(), one.filename, dims=RAW_DIMS) for one in scan.files]


def recover(
    config: SimulationConfig,
    scan: RawScan,
    references: list[ReferenceFile],
    *,
    settings: Mapping[str, Any] | None = None,
    of_map: Mapping[str, Any] | None = None,
) -> Recovered:
    """Both recipes on a raw scan, against its truth."""
    made = run_recipe(
        "kis_gris-l1",
        frames_of(scan),
        references=references,
        settings={**settings_of(config), **(settings or {})},
    )
    slits = [one.made for one in made]
    (ran,) = run_recipe(
        "kis_gris-map", slits, members=len(slits), places=config.steps, settings=dict(of_map or {})
    )
    cube, truth = ran.made, scan.profiles[0]
    good = cube.quality == 0
    away = [
        np.sqrt(np.mean((cube.data[index] - truth[index])[good].astype(np.float64) ** 2))
        for index in range(4)
    ]
    header, at = cube.header, config.wavelengths
    first, step = float(header["CRVAL3"]), float(header["CDELT3"])
    ends = (first - at[0], first + step * (at.size - 1) - at[-1])
    residual = (float(away[0]), float(away[1]), float(away[2]), float(away[3]))
    return Recovered(cube, residual, (float(ends[0]), float(ends[1])))


def tables() -> str:
    """The tables in Markdown."""
    lines = [
        "Root mean square of level 1 less truth over the noise put in (1 is the best for Q, U and V):",
        "",
        "| region | steps | wavelengths by | I | Q | U | V | ends of the scale off by |",
        "|---|---|---|---|---|---|---|---|",
    ]
    leaks = []
    for region in ("1565", "1083"):
        config = scan_of(region)
        scan = simulate_raw(config)
        with tempfile.TemporaryDirectory() as folder:
            references = references_of(config, Path(folder))
            for name, settings, of_map, lacking in _WITHOUT:
                for ruler in ("atlas", "lines") if name == "all steps" else ("lines",):
                    left_out = {*lacking, *(("atlas",) if ruler == "lines" else ())}
                    given = [one for one in references if one.name not in left_out]
                    found = recover(config, scan, given, settings=settings, of_map=of_map)
                    lines.append(_row(region, name, ruler, found, config.noise))
                    if name == "all steps" and ruler == "lines":
                        leaks += _leaks(region, found)
    heading = ["", "| region | what | put in | found |", "|---|---|---|---|"]
    return "\n".join([*lines, *heading, *leaks])


def _row(region: str, name: str, ruler: str, found: Recovered, noise: float) -> str:
    ratios = " | ".join(f"{value / noise:.2f}" for value in found.residual)
    ends = ", ".join(f"{1000.0 * value:+.1f}" for value in found.wavelengths)
    return f"| {region} | {name} | {ruler} | {ratios} | {ends} mÅ |"


def _leaks(region: str, found: Recovered) -> list[str]:
    header = found.cube.header
    put = {f"I{letter}": value for letter, value in zip("QUV", FROM_I, strict=True)}
    put |= {"VQ": FROM_V[0], "VU": FROM_V[1], "QV": INTO_V[0], "UV": INTO_V[1]}
    rows = [
        f"| {region} | {name[0]} in {name[1]} | {value:+.4f} | {float(header[f'XTALK_{name}']):+.4f} |"
        for name, value in put.items()
    ]
    periods = ", ".join(f"{period:.3f}" for period, *_ in FRINGES)
    return [*rows, f"| {region} | periods of fringes, Å | {periods} | {header['FRINGES']} |"]


def write_into(page: Path) -> None:
    """Write the tables into a page, between its two marks."""
    before, _, rest = page.read_text(encoding="utf-8").partition(BEGIN)
    _, _, behind = rest.partition(END)
    page.write_text(f"{before}{BEGIN}\n{tables()}\n{END}{behind}", encoding="utf-8")


if __name__ == "__main__":
    write_into(Path(sys.argv[1]))
