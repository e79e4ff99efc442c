"""The demonstration of GRIS: a sunspot at 1.56 µm from raw images, and at 1.08 µm from level 1 with a gap."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from heliolake.demo.sky import sky_of
from heliolake.demo.stories import Panel, Profile, Story, Truth
from heliolake.demo.tales import Prepared, Tale
from pipeline.stack import header_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from astropy.io import fits

    from heliolake.notebook import Connection
    from pipeline.instruments.kis_gris.simulate import SimulationConfig
    from pipeline.instruments.kis_gris.simulate.scene import Scene

Image = NDArray[np.float32]
#: Slit positions of the second scan that never came.
_GAP: Final = (16, 17)
_PERCENT: Final = np.float32(100.0)
_LETTERS: Final = "IQUV"
#: What the inversion finds, by its names.
_INVERTED: Final = ("field", "inclination", "velocity")
#: Gauss above which a field is told by its lines alone.
_STRONG: Final = 400.0
#: Å of what is shown of the spectrum.
_SHOWN: Final = (15646.5, 15655.0)


def configurations() -> tuple[SimulationConfig, SimulationConfig]:
    """A scan at 1.56 µm as raw files, and one at 1.08 µm as level-1 files."""
    from pipeline.instruments.kis_gris.simulate import SimulationConfig

    raw = SimulationConfig(steps=34, rows=42, step_size=0.36, scale=0.36, radius=5.2)
    done = SimulationConfig(
        region="1083",
        start=datetime(2026, 6, 14, 10, 5, tzinfo=UTC),
        run=7,
        steps=40,
        rows=44,
        step_size=0.4,
        scale=0.4,
        centre=(420.0, -180.0),
        angle=-15.0,
        radius=6.5,
        north_pole=False,
        binning=2,
        seed=3,
    )
    return raw, done


def _prepare(output: Path) -> Prepared:
    from cluster.intake.references import find_known
    from pipeline.instruments.kis_gris.simulate import simulate, simulate_raw, write, write_calibration

    frames, calibration, kept = output / "simulated", output / "calibration", output / "truth"
    raw, done = configurations()
    truths: dict[str, Truth] = {}
    for config in (raw, done):
        saved = kept / f"{config.region}.npz"
        if not saved.exists():
            scan = simulate_raw(config) if config is raw else simulate(config)
            gap = () if config is raw else _GAP
            write(frames, [one for index, one in enumerate(scan.files, start=1) if index not in gap])
            kept.mkdir(parents=True, exist_ok=True)
            spot = scan.truths[0].atmosphere
            drawn = {name: getattr(spot, name).astype(np.float32) for name in _INVERTED}
            np.savez(saved, profiles=scan.profiles[0], towards=_towards(scan.truths[0]), **drawn)
        with np.load(saved) as planes:
            noise = np.full((1, 1), config.noise, dtype=np.float32)
            truths |= {f"{config.region} {name}": Truth(planes[name], noise) for name in planes.files}
    # Made once: a lake keeps the first bytes of a name.
    if not calibration.exists():
        write_calibration(calibration, raw)
    known, _ = find_known([calibration])
    return Prepared((frames,), tuple(known), truths)


def _towards(truth: Scene) -> Image:
    """The field towards the observer in kilogauss."""
    spot = truth.atmosphere
    return np.asarray(spot.field * np.cos(np.radians(spot.inclination)) / 1000.0, dtype=np.float32)


def _tell(connection: Connection, prepared: Prepared) -> list[Story]:
    truths = prepared.truths or {}
    stories = []
    for config in configurations():
        region = config.region
        made = _products(connection, config)
        if not {"1m", "1c", "1v", "1l"} <= set(made) or f"{region} profiles" not in truths:
            continue
        wanted = {name: truths[f"{region} {name}"].image for name in ("profiles", "towards", *_INVERTED)}
        if region == "1565":
            stories += [_slit(connection, config, made, wanted), _map(config, made, wanted)]
            if "2" in made:
                stories.append(_inversion(made, wanted))
        else:
            stories.append(_with_a_gap(config, made, wanted))
    return stories


Made = tuple[str, Image, "fits.Header"]


def _products(connection: Connection, config: SimulationConfig) -> Mapping[str, Made]:
    """The products of a scan by level: name, image, header."""
    found: dict[str, Made] = {}
    observation = f"gris_{config.start:%Y%m%d}_{config.run:03d}"
    for level in ("1m", "1c", "1v", "1l", "2"):
        for product in list(connection.search(instrument="kis_gris", level=level, observation=observation))[
            :1
        ]:
            stack = product.frames(product.entries[:1]).compute()
            header = header_of(str(stack["header"].values[0]))
            found[level] = (product.name, np.asarray(stack["image"].values[0]), header)
    return found


def _raw(connection: Connection, config: SimulationConfig, place: int) -> tuple[str, Image]:
    """Name and first state of the raw file of a slit position."""
    observation = f"gris_{config.start:%Y%m%d}_{config.run:03d}"
    (product,) = list(connection.search(instrument="kis_gris", level="0", observation=observation))[:1]
    entry = sorted(product.entries, key=lambda one: one.name)[place]
    stack = product.frames([entry]).compute()
    return entry.name, np.asarray(stack["image"].values[0])[0]


def _slit(
    connection: Connection, config: SimulationConfig, made: Mapping[str, Made], wanted: Mapping[str, Image]
) -> Story:
    place = config.steps // 2 + 3
    raw_name, raw = _raw(connection, config, place)
    name, cube, _ = made["1m"]
    shown = slice(*(int(np.argmin(np.abs(config.wavelengths - value))) for value in _SHOWN))
    after, truth = (_PERCENT * one[3, shown, :, place].T for one in (cube, wanted["profiles"]))
    noise = float(config.noise)
    away = (cube - wanted["profiles"]) / np.float32(noise)
    ratios = [float(np.sqrt(np.nanmean(away[index].astype(np.float64) ** 2))) for index in range(1, 4)]
    reach = float(np.percentile(np.abs(truth), 99.8))
    told = ", ".join(f"{ratio:.2f} ({letter})" for ratio, letter in zip(ratios, _LETTERS[1:], strict=True))
    low, high = (float(value) for value in np.percentile(raw, (1, 99.7)))
    across = f"wavelength, {_SHOWN[0]:.1f} to {_SHOWN[1]:.1f} Å, to the right; along the slit upwards"
    return Story(
        heading="GREGOR/GRIS, one slit position at 1.56 µm, simulated",
        subheading=f"{raw_name} → {name}",
        text=(
            "A drawn sunspot with known field, through a Milne–Eddington atmosphere, modulator, two beams, "
            "crosstalk, fringes, dust on the slit, dead pixels and noise. Dark, flat without the Sun's own "
            "lines, demodulation, wavelengths, continuum, fringes and crosstalk: each undone by what was "
            "measured alone."
        ),
        panels=(
            Panel(
                "before: level 0",
                _taller(raw[shown].T, 2),
                "ADU",
                (low, high),
                "linear",
                "gray",
                "one of four states, both beams",
            ),
            _of_v("after: Stokes V", after, reach, across),
            _of_v("truth", truth, reach, "put there"),
        ),
        proof=Panel(
            "V − truth",
            _taller(away[3, shown, :, place].T, 4),
            "standard deviations of the noise",
            (-4.0, 4.0),
            "symmetric",
            "RdBu_r",
            "noise alone: no fringe, no line, no row",
        ),
        measure=f"residual of the whole map over the noise of counting: {told}; 1 is the best there can be",
        simulated=True,
    )


def _of_v(title: str, image: Image, reach: float, caption: str) -> Panel:
    return Panel(
        title, _taller(image, 4), "% of the continuum", (-reach, reach), "symmetric", "RdBu_r", caption
    )


def _taller(image: NDArray[np.floating], times: int) -> Image:
    """The same with every row drawn several times: spectra have many wavelengths and few rows."""
    return np.repeat(image, times, axis=0).astype(np.float32)


def _map(config: SimulationConfig, made: Mapping[str, Made], wanted: Mapping[str, Image]) -> Story:
    name, cube, header = made["1m"]
    linear = made["1l"][1]
    row, column = (int(one) for one in np.unravel_index(int(np.nanargmax(linear)), linear.shape))
    at = slice(*(int(np.argmin(np.abs(config.wavelengths - value))) for value in (15659.5, 15664.0)))
    sources = {"map": cube, "truth": wanted["profiles"]}
    lines = {label: _PERCENT * source[1, at, row, column] for label, source in sources.items()}
    told = float(np.mean([header[f"NOISE_{letter}"] for letter in _LETTERS[1:]]))
    return Story(
        heading="GREGOR/GRIS, a map at 1.56 µm, simulated",
        subheading=f"{config.steps} slit positions → {name}",
        text=(
            f"All positions side by side: {header['FOVX']:.0f}″ × {header['FOVY']:.0f}″ at "
            f"µ = {header['MU']:.3f} (θ = {header['THETA']:.1f}°), r₀ {header['R0MIN']:.1f} to "
            f"{header['R0MAX']:.1f} cm. Crosstalk between V and Q, U was taken out by symmetry: "
            f"{100 * header['XTALK_VQ']:.2f} % of V in Q, {100 * header['XTALK_VU']:.2f} % in U."
        ),
        panels=_pictures(made),
        proof=Profile(
            f"Stokes Q, Fe I 15662, pixel ({column}, {row})",
            lines,
            "% of the continuum",
            "wavelength, 40 mÅ a pixel",
            "where linear polarisation is strongest",
        ),
        measure=f"noise of Q, U, V told {told:.1e}, put in {config.noise:.1e}",
        simulated=True,
    )


def _inversion(made: Mapping[str, Made], wanted: Mapping[str, Image]) -> Story:
    """Field, inclination and velocity of the inverted map against those that were drawn."""
    name, found, header = made["2"]
    names = [str(header[f"PARNAM{number}"]) for number in range(1, len(found) + 1)]
    field, inclination, velocity = (found[names.index(one)] for one in _INVERTED)
    strong = wanted["field"] > _STRONG
    off = [
        float(np.nanmedian(np.abs(one - wanted[name])[strong]))
        for one, name in zip((field, inclination, velocity), _INVERTED, strict=True)
    ]
    sky, row, most = sky_of(header, field.shape), field.shape[0] // 2, float(np.max(wanted["field"]))
    speed = float(np.nanpercentile(np.abs(velocity), 99))
    return Story(
        heading="GREGOR/GRIS, the same map inverted, simulated",
        subheading=f"{made['1m'][0]} → {name}",
        text=(
            "A Milne–Eddington inversion of Fe I 15662 in every pixel. The profiles were made by another "
            "program, with three more lines around, and went through detector and calibration: what is found "
            "is what was drawn."
        ),
        panels=(
            Panel("field strength", field, "G", (0.0, most), "linear", "inferno", "of every pixel", sky),
            Panel(
                "inclination", inclination, "deg", (0.0, 180.0), "linear", "berlin", "0: to the observer", sky
            ),
            Panel("velocity", velocity, "km/s", (-speed, speed), "symmetric", "RdBu_r", "red: away", sky),
        ),
        proof=Profile(
            f"field strength along row {row}",
            {"found": field[row], "truth": wanted["field"][row]},
            "G",
            "slit position",
            "across the middle of the spot",
        ),
        measure=f"off by {off[0]:.1f} G, {off[1]:.2f}°, {1000 * off[2]:.0f} m/s (median, {_STRONG:.0f} G up)",
        simulated=True,
    )


def _with_a_gap(config: SimulationConfig, made: Mapping[str, Made], wanted: Mapping[str, Image]) -> Story:
    from pipeline.instruments.kis_gris.noise import continuum_mask
    from pipeline.instruments.kis_gris.quicklook import circular_of

    name, _, header = made["1m"]
    at, profiles = config.wavelengths, wanted["profiles"]
    seen = circular_of(profiles[3], at, 10838.970, 0.9)
    seen = seen / profiles[0][continuum_mask(at, config.region)].mean(axis=0)
    row = config.rows // 2
    continuum, circular, _ = _pictures(made)
    towards = wanted["towards"]
    reach = float(np.abs(towards).max())
    return Story(
        heading="GREGOR/GRIS, level-1 files at 1.08 µm with a gap, simulated",
        subheading=f"{config.steps - len(_GAP)} of {config.steps} slit positions → {name}",
        text=(
            f"Slit files as the data centre gives them; positions {_GAP[0]} and {_GAP[1]} never came. They "
            f"stay empty and flagged ({header['NSLITMIS']} of {header['NSLITS']}), and everything else lies "
            "where it was seen. The spot's field points away from the observer."
        ),
        panels=(
            continuum,
            circular,
            Panel(
                "truth: field towards the observer",
                towards,
                "kG",
                (-reach, reach),
                "symmetric",
                "RdBu_r",
                "what the model put there",
                sky_of(header, towards.shape),
            ),
        ),
        proof=Profile(
            f"circular polarisation along row {row}",
            {"map": _PERCENT * made["1v"][1][row], "truth": _PERCENT * seen[row]},
            "% of the continuum",
            "slit position",
            "Ca I 10838.97: blue half less red half of V",
        ),
        simulated=True,
    )


def _pictures(made: Mapping[str, Made]) -> tuple[Panel, Panel, Panel]:
    """Continuum, circular and linear polarisation of a map."""

    def panel(level: str, title: str, caption: str, **looks: Any) -> Panel:
        _, image, header = made[level]
        factor = np.float32(1.0) if level == "1c" else _PERCENT
        return Panel(title, factor * image, caption=caption, sky=sky_of(header, image.shape), **looks)

    bright, circular, linear = (made[level][1] for level in ("1c", "1v", "1l"))
    low, high = (float(value) for value in np.nanpercentile(bright, (0.5, 99.8)))
    reach = float(100 * np.nanpercentile(np.abs(circular), 99.5))
    most = float(100 * np.nanpercentile(linear, 99.5))
    unit = "% of the continuum"
    return (
        panel(
            "1c",
            "continuum",
            "over the quiet Sun's",
            unit="",
            limits=(low, high),
            stretch="linear",
            colours="gray",
        ),
        panel(
            "1v",
            "circular polarisation",
            "sign of the field: red towards the observer",
            unit=unit,
            limits=(-reach, reach),
            stretch="symmetric",
            colours="RdBu_r",
        ),
        panel(
            "1l",
            "linear polarisation",
            "strong where the field lies across the line of sight",
            unit=unit,
            limits=(0.0, most),
            stretch="linear",
            colours="magma",
        ),
    )


TALE = Tale(
    recipes=("kis_gris-l1", "kis_gris-map", "kis_gris-me-1565"),
    making="Simulating two scans of a sunspot with known truth, and their calibration files",
    prepare=_prepare,
    tell=_tell,
)
