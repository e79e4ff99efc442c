"""The whole chain on simulated images: the truth comes back, as well as the camera's noise allows."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.instruments.stereo_hi.facts import Detector, Spacecraft
from pipeline.instruments.stereo_hi.simulate import SimulationConfig, Source, photon_noise, simulate_series
from pipeline.quality import Quality, flagged
from tests.pipeline.instruments.stereo_hi.frames import as_frame, flat_of, level_1

ROLLED = datetime(2018, 4, 1, tzinfo=UTC)
AFTER_ROLL = datetime(2024, 4, 1, tzinfo=UTC)
PLANET = Source(x=80, y=50, rate=2e5)
# A beacon image is smaller, so a planet's light is spread over more sky.
BEACON_PLANET = Source(x=35, y=30, rate=3e5)

VARIANTS: dict[str, dict[str, Any]] = {
    "HI-1 A": {},
    "HI-1 B": {"spacecraft": "B"},
    "HI-1 A while rolled": {"start": ROLLED},
    "HI-1 A after the roll": {"start": AFTER_ROLL},
    "HI-2 A": {"detector": "HI2"},
    "HI-2 B": {"detector": "HI2", "spacecraft": "B"},
    "single image of A": {"kind": "n4"},
    "single image of B": {"kind": "n4", "spacecraft": "B", "detector": "HI2"},
    "saturated planet": {"sources": (PLANET,)},
    "lost Rice blocks": {"missing_blocks": (2,), "size": 192},
    "lost Rice blocks of B": {"missing_blocks": (2, 4), "size": 192, "spacecraft": "B"},
    "lost ICER segments": {"missing_blocks": (5,), "size": 256, "compression": 96, "spacecraft": "B"},
    "cosmic rays left in": {"cosmic_rays": 200.0, "scrub": False},
    "halved and divided by 4 on board": {"extra_codes": (1, 83), "report": "lost"},
    "bias left in": {"bias_left": True, "report": "lost"},
    "not turned on the ground": {"spacecraft": "B", "rectified": False},
    "clearing slower than reading": {"line_clear": 0.004, "line_readout": 0.001},
}


def residual(
    config: SimulationConfig, folder: Path, *, lenient: int = Quality.COSMIC_RAY, **settings: Any
) -> tuple[float, float, float]:
    """RMS and mean of (level 1 − truth) in units of the camera's noise, and the share of pixels compared.

    The chain gets the camera's flat. Compared are the pixels it flagged nothing in; hits of cosmic
    rays, which no step of this chain looks for, are left out by the truth's own flags.
    """
    simulated = next(iter(simulate_series(config)))
    product, _ = level_1(as_frame(simulated), flat_of(config, folder), **settings)
    compared = (product.quality == 0) & ~flagged(simulated.truth_flags, Quality(lenient))
    ratio = (product.data - simulated.truth)[compared] / photon_noise(config, simulated.truth)[compared]
    return float(np.sqrt(np.mean(ratio**2))), float(ratio.mean()), float(compared.mean())


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_truth_comes_back_to_the_cameras_noise(variant: str, tmp_path: Path) -> None:
    config = SimulationConfig(**{"size": 128, "frames": 1, **VARIANTS[variant]})
    rms, mean, share = residual(config, tmp_path)
    assert rms < 1.2
    assert abs(mean) < 0.05
    assert share > 0.3


def test_without_its_flat_the_truth_does_not_come_back(tmp_path: Path) -> None:
    config = SimulationConfig(size=128, frames=1)
    simulated = next(iter(simulate_series(config)))
    product, _ = level_1(as_frame(simulated))
    good = product.quality == 0
    ratio = (product.data - simulated.truth)[good] / photon_noise(config, simulated.truth)[good]
    assert np.sqrt(np.mean(ratio**2)) > 1.4


@pytest.mark.parametrize(
    "settings",
    [
        {"detector": "HI2", "half_sent": True},
        {"detector": "HI2", "sources": (BEACON_PLANET,)},
        {"spacecraft": "B"},
    ],
    ids=["half sent", "planet", "HI-1 B"],
)
def test_a_beacon_image_comes_back_once_its_gain_is_known(settings: dict[str, Any], tmp_path: Path) -> None:
    # The loss is what the real beacon image shows beyond its codes; a context may know better some day.
    # Stars that 16 bits could not hold on board are clipped within their pixels, which no value tells.
    config = SimulationConfig(kind="s7", size=64, frames=1, beacon_loss=4.0, exposures=20, **settings)
    lenient = Quality.COSMIC_RAY | Quality.SATURATED
    rms, mean, share = residual(config, tmp_path, lenient=lenient, undo_onboard_processing__beacon_gain=4.0)
    assert rms < 1.2
    # The amplifier's curvature, which no step corrects, is a twentieth of the noise of 64 CCD pixels.
    assert abs(mean) < 0.1
    assert share > 0.3


@pytest.mark.parametrize("spacecraft", ["A", "B"])
def test_without_noise_only_rounding_is_left(spacecraft: Spacecraft) -> None:
    config = SimulationConfig(
        size=128, frames=1, spacecraft=spacecraft, photon_noise=False, flat=0.0, cosmic_rays=0.0, scrub=False
    )
    simulated = next(iter(simulate_series(config)))
    product, _ = level_1(as_frame(simulated))
    good = product.quality == 0
    # Half a DN of a 30-exposure sum of 4 pixels, divided by their 1207 s; and what single precision cuts off.
    rounding = 1.1 * 0.5 / (4 * 1207.0)
    excess = np.abs(product.data - simulated.truth)[good] - rounding
    assert (excess < 5e-6 * simulated.truth[good]).all()


@pytest.mark.parametrize(
    "variant", ["lost Rice blocks of B", "lost ICER segments", "saturated planet", "HI-1 B"]
)
def test_what_is_no_measurement_is_flagged_where_it_is(variant: str) -> None:
    config = SimulationConfig(**{"size": 128, "frames": 1, **VARIANTS[variant]})
    simulated = next(iter(simulate_series(config)))
    product, _ = level_1(as_frame(simulated))
    for bit in (Quality.MISSING, Quality.SATURATED, Quality.INTERPOLATED):
        np.testing.assert_array_equal(
            flagged(product.quality, bit), flagged(simulated.truth_flags, bit), err_msg=bit.name or ""
        )
    nothing = flagged(product.quality, Quality.MISSING)
    assert np.isnan(product.data[nothing]).all()


@pytest.mark.parametrize("wrong", [False, True], ids=["right direction", "wrong direction"])
@pytest.mark.parametrize("spacecraft", ["A", "B"])
@pytest.mark.parametrize("detector", ["HI1", "HI2"])
def test_only_the_right_direction_removes_the_trail_of_a_bright_star(
    detector: Detector, spacecraft: Spacecraft, wrong: bool
) -> None:
    # Bright, but below saturation; with line times as unequal as the real ones (2.35 ms and 0.124 ms).
    star = Source(x=64, y=64, rate=900.0)
    config = SimulationConfig(
        detector=detector,
        spacecraft=spacecraft,
        size=128,
        frames=1,
        stars=0,
        photon_noise=False,
        flat=0.0,
        cosmic_rays=0.0,
        sources=(star,),
    )
    simulated = next(iter(simulate_series(config)))
    right = "normal" if spacecraft == "A" else "inverted"
    direction = {"normal": "inverted", "inverted": "normal"}[right] if wrong else right
    product, _ = level_1(as_frame(simulated), desmear__direction=direction)
    error = product.data - simulated.truth
    trail = np.concatenate([error[10:50, 64], error[80:118, 64]])
    beside = np.concatenate([error[10:50, 40], error[80:118, 40]])
    contrast = float(np.abs(trail - beside).mean())
    smeared = 0.25 * 900.0 * 2 * (0.00235 - 0.000124) / config.exposure
    if wrong:
        assert contrast > 0.1 * smeared
    else:
        assert contrast < 0.01 * smeared


@pytest.mark.parametrize("settings", [{}, {"spacecraft": "B"}, {"start": ROLLED}, {"start": AFTER_ROLL}])
def test_the_direction_chosen_by_itself_is_the_right_one(settings: dict[str, Any]) -> None:
    config = SimulationConfig(size=128, frames=1, **settings)
    simulated = next(iter(simulate_series(config)))
    chosen, _ = level_1(as_frame(simulated))
    wanted = "inverted" if settings.get("spacecraft") == "B" or settings.get("start") == ROLLED else "normal"
    assert chosen.header["SMEARDIR"] == wanted
