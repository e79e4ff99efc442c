"""What a page's script says of coordinates is what astropy says."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS

from pipeline.pictures.sky import sky_told

STATIC = Path(__file__).parents[4] / "lake" / "archive" / "pages" / "static"
PLAIN = {
    "CUNIT1": "arcsec", "CUNIT2": "arcsec", "CRPIX1": 512.3, "CRPIX2": 480.0, "CRVAL1": 12.5, "CRVAL2": -80.0,
    "CDELT1": 2.4, "CDELT2": 2.4, "CROTA2": 7.0, "CTYPE1": "HPLN-TAN", "CTYPE2": "HPLT-TAN",
}  # fmt: skip
SYSTEMS: dict[str, dict[str, Any]] = {
    "a full disk": {},
    "a slit": {"CDELT1": 0.135, "CDELT2": 0.3, "CRVAL1": -700.0, "CROTA2": -33.0},
    "the sky in degrees": {"CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CUNIT1": "deg", "CUNIT2": "deg",
                           "CDELT1": -0.02, "CDELT2": 0.02, "CRVAL1": 200.0, "CRVAL2": 70.0},
    "a heliospheric imager": {"CTYPE1": "HPLN-AZP", "CTYPE2": "HPLT-AZP", "CUNIT1": "deg", "CUNIT2": "deg",
                              "CDELT1": 0.07, "CDELT2": 0.07, "PV2_1": 0.83, "CRVAL1": 53.0, "CRVAL2": 1.0},
    "equal distances": {"CTYPE1": "HPLN-ARC", "CTYPE2": "HPLT-ARC", "CDELT1": 60.0, "CDELT2": 60.0},
    "orthographic": {"CTYPE1": "HPLN-SIN", "CTYPE2": "HPLT-SIN", "CDELT1": 60.0, "CDELT2": 60.0},
    "linear": {"CTYPE1": "SOLAR-X", "CTYPE2": "SOLAR-Y"},
}  # fmt: skip
PLACES = [(0.0, 0.0), (511.3, 479.0), (1023.0, 0.0), (37.25, 960.5), (800.0, 300.0)]


@pytest.mark.skipif(shutil.which("node") is None, reason="needs node, which runs scripts of pages")
@pytest.mark.parametrize("kind", sorted(SYSTEMS))
def test_coordinates_of_a_page_are_those_of_astropy_to_a_small_part_of_a_pixel(kind: str) -> None:
    header = fits.Header(list((PLAIN | SYSTEMS[kind]).items()))
    told = sky_told(header)
    code = (
        f"import {{ world, told }} from {json.dumps((STATIC / 'sky.js').as_uri())};"
        f"const sky = {json.dumps(told)};"
        f"const found = {json.dumps(PLACES)}.map(([x, y]) => world(sky, x, y));"
        "console.log(JSON.stringify([found, told(sky, 1, 2)]));"
    )
    ran = subprocess.run(
        ["node", "--input-type=module", "-e", code], capture_output=True, text=True, check=True, timeout=60
    )
    found, words = json.loads(ran.stdout)
    whole = WCS(header)
    pixels = np.array(whole.wcs_world2pix(np.array(found), 0))
    assert np.abs(pixels - np.array(PLACES)).max() < 1e-6
    assert len(words.split(", ")) == 2
