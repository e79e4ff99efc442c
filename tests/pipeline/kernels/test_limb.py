"""The limb fit: how near its centre comes, and by how much its radius differs, on disks that are known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from pipeline.kernels.limb import Circle, Limb, find_limb

RADIUS = 160.4
CENTRE = (255.3, 260.7)


def disk(
    *,
    size: int = 512,
    centre: tuple[float, float] = CENTRE,
    radius: float = RADIUS,
    blur: float = 1.2,
    noise: float = 0.006,
    gradient: float = 0.0,
    cloud: float = 0.0,
    seed: int = 0,
) -> NDArray[np.float32]:
    """A limb-darkened disk; a cloud takes its share of the light of the upper right quarter."""
    y, x = np.indices((size, size))
    distance = np.hypot(x - centre[0], y - centre[1])
    cosine = np.sqrt(np.clip(1 - (distance / radius) ** 2, 0, 1))
    image = (0.3 + 0.7 * cosine) * np.clip(radius - distance + 0.5, 0, 1) + 0.01
    image *= 1 + gradient * (x - size / 2) / size
    far = np.hypot(x - 0.75 * size, y - 0.75 * size) / (0.22 * size)
    image *= 1 - cloud * np.exp(-(far**2))
    image = gaussian_filter(image, blur)
    random = np.random.default_rng(seed)
    return np.asarray(1e4 * (image + random.normal(0, noise, image.shape)), dtype=np.float32)


def found(image: NDArray[np.float32]) -> Limb:
    limb = find_limb(image)
    assert limb is not None
    return limb


def miss(limb: Limb, centre: tuple[float, float]) -> float:
    return float(np.hypot(limb.circle.x - centre[0], limb.circle.y - centre[1]))


@pytest.mark.parametrize(
    ("change", "centre"),
    [
        ({}, CENTRE),
        ({"blur": 2.5}, CENTRE),
        ({"gradient": 0.2}, CENTRE),
        ({"cloud": 0.6}, CENTRE),
        ({"cloud": 0.9}, CENTRE),
        ({"centre": (400.2, 300.0)}, (400.2, 300.0)),
        ({"centre": (450.2, 100.3), "gradient": 0.1}, (450.2, 100.3)),
    ],
    ids=["clear", "soft", "gradient", "cloud", "dense cloud", "cut limb", "two sides cut"],
)
def test_the_centre_is_found_within_a_twentieth_of_a_pixel(
    change: dict[str, float], centre: tuple[float, float]
) -> None:
    limb = found(disk(**change))  # type: ignore[arg-type]
    assert miss(limb, centre) < 0.05
    assert miss(limb, centre) < 6 * limb.error


@pytest.mark.parametrize(("blur", "bias"), [(0.6, -0.27), (1.2, -0.33), (2.5, -0.57)])
def test_the_radius_is_that_of_the_inflection_which_blur_moves_inwards(blur: float, bias: float) -> None:
    limb = found(disk(blur=blur))
    assert limb.circle.radius - RADIUS == pytest.approx(bias, abs=0.04)


def test_the_limb_is_found_again_where_it_is_known_about() -> None:
    image = disk()
    again = find_limb(image, start=Circle(CENTRE[0] + 9, CENTRE[1] - 7, RADIUS + 4))
    assert again is not None
    assert again.circle == pytest.approx(found(image).circle, abs=2e-3)


def test_a_disk_that_is_out_of_round_says_by_how_much() -> None:
    y, x = np.indices((512, 512))
    squeezed = np.hypot(x - 255.0, (y - 250.0) / 0.99)
    image = gaussian_filter(np.clip(160.0 - squeezed + 0.5, 0, 1), 1.2).astype(np.float32)
    limb = found(image)
    assert limb.flattening == pytest.approx(2 * 160 * 0.01, rel=0.05)
    assert miss(limb, (255.0, 250.0)) < 0.02


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((256, 256), np.float32),
        np.full((256, 256), np.nan, np.float32),
        np.random.default_rng(3).normal(100, 5, (256, 256)).astype(np.float32),
    ],
    ids=["dark", "without values", "noise"],
)
def test_where_there_is_no_disk_none_is_found(image: NDArray[np.float32]) -> None:
    limb = find_limb(image)
    assert limb is None or limb.points < 0.2 * limb.sectors


def test_pixels_that_were_lost_on_the_limb_do_not_move_it() -> None:
    image = disk()
    image[240:290, 390:440] = np.nan
    assert miss(found(image), CENTRE) < 0.02


REAL = ["mdi.fd_Ic.20101015_230100_TAI.data.fits", "resampled_hmi_20140301.fits"]


@pytest.mark.parametrize("name", REAL, ids=["MDI", "HMI"])
@pytest.mark.filterwarnings("ignore::astropy.io.fits.verify.VerifyWarning")
def test_real_disks_lie_where_their_missions_say(name: str, real_data: Path) -> None:
    with fits.open(real_data / "full_disk" / name) as units:
        unit = next(one for one in units if one.header.get("NAXIS", 0) >= 2)
        header, image = unit.header, np.asarray(unit.data, dtype=np.float32)
    limb = found(image)
    scale = header["CDELT1"]
    centre = tuple(header[f"CRPIX{axis}"] - 1 - header[f"CRVAL{axis}"] / scale for axis in (1, 2))
    # These are coarse, of 16 and 21 arcsec per pixel, with nothing beyond the limb.
    assert miss(limb, (centre[0], centre[1])) < 0.1
    assert limb.circle.radius == pytest.approx(header["RSUN_OBS"] / scale, abs=0.7)


def test_a_real_disk_of_hmi_in_full_is_found(real_data: Path) -> None:
    image_module = pytest.importorskip("PIL.Image", reason="reading JPEG 2000 needs Pillow")
    image_module.MAX_IMAGE_PIXELS = None
    (path,) = (real_data / "full_disk").glob("*HMI_continuum.jp2")
    image = np.asarray(image_module.open(path), dtype=np.float32)
    limb = found(np.ascontiguousarray(image[::-1]))
    # Its header, of an image registered on the ground, has the centre at 2048.5 and 0.6 arcsec per pixel.
    assert miss(limb, (2047.5, 2047.5)) < 0.2
    assert limb.circle.radius * 0.6 == pytest.approx(974.4, abs=1.0)
