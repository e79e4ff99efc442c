"""The page to look at a file closely, used in a real browser: with the pointer, and with keys alone."""

from __future__ import annotations

import io
import re
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS
from numpy.typing import NDArray

from cluster.pictures.beside import Shown, draw_stored
from lake.archive.application import archive
from lake.entries import FileEntry
from lake.lake import Lake
from lake.names import ProductKey
from lake.releases.drafts import Provenance, reserve
from lake.releases.releases import publish
from lake.storage.store import Ref, key_of
from tests.chromium.browser import chromium, complaints
from tests.lake.archive.pages.conftest import serving

pytestmark = pytest.mark.slow

SCOPE = "looked_at"
SKY = {
    "CTYPE1": "HPLN-TAN", "CTYPE2": "HPLT-TAN", "CUNIT1": "arcsec", "CUNIT2": "arcsec", "CRPIX1": 350.0,
    "CRPIX2": 270.0, "CRVAL1": 20.0, "CRVAL2": -30.0, "CDELT1": 1.5, "CDELT2": 1.5, "CROTA2": 10.0,
}  # fmt: skip
CUBE_AXES = {"CTYPE3": "AWAV", "CUNIT3": "Angstrom", "CRPIX3": 1.0, "CRVAL3": 6300.0, "CDELT3": 0.02,
             "CTYPE4": "STOKES", "CUNIT4": "", "CRPIX4": 1.0, "CRVAL4": 1.0, "CDELT4": 1.0}  # fmt: skip


@pytest.fixture(scope="module")
def page() -> Iterator[Any]:
    """A page of a browser; what goes wrong in it fails the test that looks."""
    with chromium() as browser:
        found = browser.new_page(viewport={"width": 1100, "height": 900})
        found.errors = []
        found.on("pageerror", lambda error: found.errors.append(str(error)))
        found.on("console", lambda said: found.errors.append(said.text) if said.type == "error" else None)
        yield found


def until(what: Callable[[], object]) -> None:
    """Wait for a fact; the page's own policy lets nobody evaluate code in it."""
    for _ in range(600):
        if what():
            return
        time.sleep(0.1)
    raise AssertionError("it did not come about")


@pytest.fixture(scope="module")
def address(lake: Lake) -> Iterator[str]:
    """The archive of the tests, on this machine."""
    with serving(archive(lake)) as found:
        yield found


def _release(
    lake: Lake, name: str, images: list[NDArray[np.float32]], cards: dict[str, Any], level: str = "1"
) -> str:
    """A release with pictures; the address of the page of its first file."""
    entries = []
    for number, image in enumerate(images):
        hdu = fits.PrimaryHDU(image)
        hdu.header.update(cards)
        buffer = io.BytesIO()
        flags = np.zeros(image.shape[-2:], np.uint16)
        flags[3, 4] = 8
        packed = fits.CompImageHDU(flags, name="QUALITY", uint=True)
        fits.HDUList([hdu, packed]).writeto(buffer)
        file = f"{name}_{number}.l{level}.fits"
        stored = lake.store.put(key_of(SCOPE, file), buffer.getvalue())
        begin = datetime(2023, 1, 1, tzinfo=UTC) + timedelta(minutes=number)
        dims = ("stokes", "wavelength", "y", "x") if image.ndim > 2 else ()
        entries.append(
            FileEntry(
                SCOPE, file, level, f"{name}_{number}", *stored.checksums, begin, begin, image.shape, dims
            )
        )
        ref = Ref(lake.store.url, key_of(SCOPE, file), stored.checksums.sha256)
        draw_stored(Shown(ref, SCOPE, file, level, dims=dims))
    key = ProductKey(SCOPE, f"{name}_obs", level)
    publish(lake, reserve(lake, key, "k"), entries, Provenance())
    return f"/releases/{key.name}@v0001/look/{entries[0].name}"


@pytest.fixture(scope="module")
def images(lake: Lake) -> str:
    rows, columns = np.mgrid[:540, :700].astype(np.float32)
    return _release(lake, "steps", [rows * 1000 + columns + 100 * time for time in range(3)], SKY)


@pytest.fixture(scope="module")
def cube(lake: Lake) -> str:
    places = np.arange(4 * 30 * 20 * 25, dtype=np.float32).reshape(4, 30, 20, 25)
    return _release(lake, "cube", [places], SKY | CUBE_AXES)


def opened(page: Any, url: str) -> None:
    page.errors.clear()
    page.goto(url)
    page.wait_for_selector("#look[data-ready]")


def pointed(page: Any) -> tuple[int, int]:
    column, row = re.findall(r"\d+", page.inner_text("#where"))[:2]
    return int(column), int(row)


def test_the_pointer_tells_coordinates_and_value(page: Any, address: str, images: str) -> None:
    opened(page, address + images)
    box = page.locator("#canvas").bounding_box()
    page.mouse.move(box["x"] + 0.4 * box["width"], box["y"] + 0.3 * box["height"])
    column, row = pointed(page)
    x, y = (float(one) for one in re.findall(r"-?\d+\.\d", page.inner_text("#where")))
    header = fits.Header(list(SKY.items()))
    lon, lat = (3600 * one for one in WCS(header).wcs_pix2world([[column, row]], 0)[0])
    lon -= 1296000 if lon > 648000 else 0
    assert (x, y) == pytest.approx((lon, lat), abs=1.5)  # the pointer is somewhere in the pixel
    until(lambda: page.inner_text("#value"))
    assert float(page.inner_text("#value").split()[0]) == pytest.approx(row * 1000 + column, rel=1e-5)
    assert page.errors == []


def test_keys_alone_draw_it_nearer_and_tiles_come(page: Any, address: str, images: str) -> None:
    opened(page, address + images)
    page.focus("#canvas")
    before = float(page.get_attribute("#canvas", "data-scale"))
    for key in ("+", "+", "+", "ArrowRight"):
        page.keyboard.press(key)
    until(lambda: page.get_attribute("#canvas", "data-tiles"))
    assert float(page.get_attribute("#canvas", "data-scale")) == pytest.approx(before * 1.5**3, rel=0.01)
    page.check("#flags")
    assert "hot: 1 pixels" in page.inner_text("#legend")
    page.focus("#canvas")
    page.keyboard.press("0")
    until(lambda: float(page.get_attribute("#canvas", "data-scale")) == pytest.approx(before, rel=0.01))
    assert page.errors == []


def test_planes_and_profiles_of_a_cube(page: Any, address: str, cube: str) -> None:
    opened(page, address + cube)
    until(lambda: "stokes V" in page.inner_text("#profile-told"))
    page.select_option("#axis-0", "3")
    until(lambda: "stokes V" in page.inner_text("#map-told"))
    page.focus("#map")
    before = page.inner_text("#profile-told")
    page.keyboard.press("ArrowUp")
    until(lambda: page.inner_text("#profile-told") != before)
    column, row = (int(one) for one in re.findall(r"\d+", page.inner_text("#profile-told"))[:2])
    first = (row * 25) + column
    assert f"stokes I from {first:.1f}" in page.inner_text("#profile-told")
    assert complaints(page) == []
    page.fill("#axis-1", "5")
    until(lambda: "6300.1" in page.inner_text("#map-told"))
    assert page.errors == []


def test_images_in_time_play_and_are_subtracted(page: Any, address: str, images: str) -> None:
    opened(page, address + images)
    page.select_option("#mode", "difference")
    page.fill("#frame", "2")
    until(lambda: float(page.get_attribute("#screen", "data-most") or 0) == 200.0)
    assert "00:02:00 UTC minus 2023-01-01 00:00:00" in page.inner_text("#shown")
    page.select_option("#mode", "play")
    page.click("#play")
    until(lambda: page.get_attribute("#screen", "data-number") == "1")
    page.click("#play")
    assert page.inner_text("#play") == "Play"
    assert page.errors == []


def test_before_and_after_lie_over_each_other_and_keys_part_them(page: Any, address: str, lake: Lake) -> None:
    image = np.mgrid[:60, :80][0].astype(np.float32)
    _release(lake, "laid", [image], SKY, level="0")
    release = _release(lake, "laid", [image[::-1]], SKY).partition("/look/")[0]
    page.errors.clear()
    page.goto(address + release)
    slider = page.get_by_label("where level 0 ends and level 1 begins")
    pictures = page.locator(".compare img")
    until(lambda: all(pictures.nth(one).evaluate("(image) => image.naturalWidth") for one in (0, 1)))
    slider.focus()
    for _ in range(10):
        page.keyboard.press("ArrowRight")
    assert pictures.nth(1).evaluate("(image) => image.style.clipPath") == "inset(0px 0px 0px 60%)"
    assert complaints(page) == []
    assert page.errors == []
