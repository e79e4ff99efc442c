"""What a telescope would see with perfect optics: brightness over that of the disk's centre in its light.

Disks with what is on them (`sphere`), their fall towards the limb, and what stands above it; coronae of
electrons and dust, and of hydrogen, with streamers and a mass ejection. Contrasts and slopes are about those
of real images; they are no measurement.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.instruments.aso_s_lst.facts import Disk
from pipeline.instruments.aso_s_lst.simulate import camera, sphere
from pipeline.instruments.aso_s_lst.simulate.config import SimulationConfig

F64 = NDArray[np.float64]
F32 = NDArray[np.float32]

#: Streamers: position angle, half width (degrees) and strength over the corona between them.
_STREAMERS: Final = (
    (42.0, 9.0, 2.0),
    (96.0, 13.0, 3.4),
    (151.0, 7.0, 1.2),
    (247.0, 12.0, 2.6),
    (291.0, 8.0, 1.7),
)
#: The ejection that stands still: position angle, half width (degrees).
_FRONT: Final = (262.0, 30.0)
#: Hours in which streamers waver, at least, and how much longer the slowest takes.
_WAVER: Final = (5.0, 15.0)
#: Limb darkening at 360 nm, and of the visible light that is left in an Earth eclipse.
_DARKENING: Final = (0.88, -0.06)
#: Unix time at which the map of the surface is the half that is seen: 2023-04-15.
_EPOCH: Final = 1681516800.0


class Front(NamedTuple):
    """A mass ejection: position angle and half width (degrees), distance (solar radii), brightness."""

    place: float
    width: float
    distance: float
    brightness: float = 1.0


class Corona(NamedTuple):
    """Brightness over the disk's mean, and its polarised part (Stokes Q and U about solar north)."""

    total: F64
    q: F64
    u: F64


def scene(config: SimulationConfig) -> F32:
    """What a telescope would see with perfect optics, on its pixels.

    Returns
    -------
    NDArray[np.float32]
        Of SDI and WST over the brightness of the quiet Sun in the disk's centre; of SCIUV and SCIWL over the
        disk's mean, behind their polariser where they have one. As it stands on the detector: rolled.
    """
    west, north = places(config)
    if config.optics.disk:
        return _behind_body(config, _disk(config, west, north), west, north)
    light = corona(
        west,
        north,
        config.front,
        hydrogen=config.telescope == "SCIUV",
        ejections=fronts(config),
        strengths=_wavering(config),
    )
    return behind_polariser(config, light).astype(np.float32)


def fronts(config: SimulationConfig) -> tuple[Front, ...]:
    """Where the moving ejections of an exposure are, in its middle."""
    middle = config.start + timedelta(seconds=0.5 * camera.seconds(config))
    found = ((one, one.height(middle)) for one in config.ejections)
    return tuple(
        Front(one.position_angle, 0.5 * one.width, height, one.brightness) for one, height in found if height
    )


def _wavering(config: SimulationConfig) -> tuple[float, ...]:
    """What the strength of each streamer is multiplied by."""
    random = np.random.default_rng((config.seed, 17))
    hours = _days(config) * 24.0
    waves = ((_WAVER[0] + _WAVER[1] * random.random(), random.uniform(0, 2 * np.pi)) for _ in _STREAMERS)
    turns = (2 * np.pi * hours / wave + phase for wave, phase in waves)
    return tuple(1.0 + config.waver * float(np.sin(turn)) for turn in turns)


def _disk(config: SimulationConfig, west: F64, north: F64) -> F32:
    if config.telescope == "WST":
        return _white_light(config, west, north)
    made = _lyman_alpha(config, west, north)
    return _through_air(config, made, west, north) if config.eclipse else made


def _behind_body(config: SimulationConfig, light: F32, west: F64, north: F64) -> F32:
    """What a dark body lets through: all beyond its edge, which is sharp."""
    if config.body is None:
        return light
    x, y, radius = config.body
    hidden = _covered(config, np.hypot(west - x, north - y), radius)
    return np.asarray(light * (1.0 - hidden), dtype=np.float32)


def places(config: SimulationConfig, disk: Disk | None = None) -> tuple[F64, F64]:
    """Solar radii to the west and to the north of the Sun's centre, of every pixel."""
    x0, y0, radius = disk or config.disk
    y, x = np.ogrid[: config.size, : config.size]
    across, up = (x - x0) / radius, (y - y0) / radius
    turn = np.radians(config.roll)
    return np.cos(turn) * across - np.sin(turn) * up, np.sin(turn) * across + np.cos(turn) * up


def _days(config: SimulationConfig) -> float:
    return (config.start.timestamp() - _EPOCH) / 86400.0


def _covered(config: SimulationConfig, distance: F64, radius: float = 1.0) -> F64:
    """How much of a pixel a disk covers: 0 to 1 across its edge."""
    return np.clip((radius - distance) * config.radius + 0.5, 0.0, 1.0)


def _lyman_alpha(config: SimulationConfig, west: F64, north: F64) -> F32:
    distance = np.hypot(west, north)
    made = sphere.brightness("lyman alpha", west, north, config.radius, config.b0, _days(config), config.seed)
    # Optically thick and hardly darker at the limb; above it spicules, then hydrogen of the corona.
    height = np.maximum(distance - 1.0, 0.0)
    gas = 0.012 * np.exp(-height / 0.05) + 0.002 * np.exp(-height / 0.3)
    disk = made * (1.0 + 0.12 * np.clip(distance, 0, 1) ** 6)
    inside = _covered(config, distance)
    above = 0.55 * np.exp(-height / 0.004) + gas * (1.0 + _rays(config, west, north))
    above += _prominences(config, west, north)
    return np.asarray(inside * disk + (1.0 - inside) * above, dtype=np.float32)


def _white_light(config: SimulationConfig, west: F64, north: F64) -> F32:
    distance = np.hypot(west, north)
    made = sphere.brightness("white light", west, north, config.radius, config.b0, _days(config), config.seed)
    # The continuum's own fall beyond the limb is over within 0.1 arcsec.
    return np.asarray(_covered(config, distance) * made * _darkened(distance) + 2e-6, dtype=np.float32)


def _darkened(distance: F64) -> F64:
    mu = np.sqrt(np.clip(1.0 - distance**2, 0.0, None))
    return 1.0 - _DARKENING[0] * (1.0 - mu) - _DARKENING[1] * (1.0 - mu) ** 2


def _through_air(config: SimulationConfig, light: F32, west: F64, north: F64) -> F32:
    """Lyman alpha as air over the limb of the Earth takes it; the visible light beside it gets through."""
    visible = 0.25 * _white_light(config, west, north)
    return np.asarray((1.0 - config.eclipse) * light + visible, dtype=np.float32)


def _rays(config: SimulationConfig, west: F64, north: F64) -> F64:
    angle = np.degrees(np.arctan2(-west, north)) % 360.0
    made = np.zeros_like(angle)
    for place, width, strength in _STREAMERS:
        away = (angle - place + 180.0) % 360.0 - 180.0
        made += strength * np.exp(-0.5 * (away / width) ** 2)
    return made


def _prominences(config: SimulationConfig, west: F64, north: F64) -> F64:
    random = np.random.default_rng((config.seed, 3))
    made = np.zeros_like(west)
    for _ in range(6):
        angle, height = random.uniform(0, 2 * np.pi), random.uniform(1.01, 1.05)
        x, y, size = height * np.cos(angle), height * np.sin(angle), random.uniform(0.008, 0.025)
        away = ((west - x) ** 2 + (north - y) ** 2) / size**2
        made += random.uniform(0.08, 0.35) * np.exp(-(away**1.5))
    return made


def corona(
    west: F64,
    north: F64,
    front: float | None = None,
    *,
    hydrogen: bool = False,
    ejections: Sequence[Front] = (),
    strengths: Sequence[float] = (1.0,) * len(_STREAMERS),
) -> Corona:
    """Light beyond the limb.

    Parameters
    ----------
    west, north
        Solar radii from the Sun's centre.
    front
        Distance of a mass ejection's front, solar radii.
    hydrogen
        Lyman alpha scattered by the corona's hydrogen; else white light: electrons (polarised along the limb,
        Baumbach's slopes) and dust.
    ejections
        Further ones.
    strengths
        Of the streamers, over their usual ones.
    """
    distance = np.maximum(np.hypot(west, north), 1.0)
    angle = np.degrees(np.arctan2(-west, north)) % 360.0
    rays = np.zeros_like(angle)
    every = (*ejections, *([] if front is None else [Front(*_FRONT, front)]))
    for (place, width, strength), times in zip(_STREAMERS, strengths, strict=True):
        away = (angle - place - 3.0 * np.sin(2.0 * distance) + 180.0) % 360.0 - 180.0
        rays += times * strength * np.exp(-0.5 * (away / (width * distance**-0.4)) ** 2)
    if hydrogen:
        gas = (2.5e-4 * distance**-9 + 2e-5 * distance**-4) * (0.5 + rays)
        gas += sum(1.2e-4 * _ejected(angle, distance, one) for one in every)
        none = np.zeros_like(gas)
        return Corona(gas, none, none)
    electrons = 1e-6 * (1.425 * distance**-7 + 2.565 * distance**-17) * (0.35 + rays)
    electrons += sum(4e-7 * _ejected(angle, distance, one) for one in every)
    dust = 1e-6 * 0.0532 * distance**-2.5
    plane = np.radians(2.0 * (angle + 90.0))
    polarised = 0.75 * (1.0 - distance**-1.5) * electrons
    return Corona(electrons + dust, polarised * np.cos(plane), polarised * np.sin(plane))


def _ejected(angle: F64, distance: F64, front: Front) -> F64:
    away = ((angle - front.place + 180.0) % 360.0 - 180.0) / front.width
    crest = front.distance * np.sqrt(np.clip(1.0 - 0.35 * away**2, 0.05, None))
    shell = np.exp(-0.5 * ((distance - crest) / (0.04 * front.distance)) ** 2)
    core = 0.6 * np.exp(-0.5 * ((distance - 0.7 * crest) / (0.05 * front.distance)) ** 2 - (away / 0.25) ** 2)
    return np.asarray(front.brightness * distance**-4.0 * np.clip(1.0 - away**2, 0.0, None) * (shell + core))


def behind_polariser(config: SimulationConfig, light: Corona) -> F64:
    """What a perfect polariser lets through; it stands on the telescope, which is rolled."""
    if config.polariser is None:
        return light.total
    # The detector's vertical lies `roll` degrees counterclockwise of solar north.
    angle = np.radians(2.0 * (config.polariser + config.roll))
    return np.asarray(0.5 * (light.total + light.q * np.cos(angle) + light.u * np.sin(angle)))
