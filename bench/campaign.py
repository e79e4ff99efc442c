"""``python -m bench.campaign FOLDER``: raw files of two small campaigns, to be ingested and processed.

200 simulated STEREO HI-1 frames of 1024² in ``FOLDER/hi``, each a sum of only three
exposures to be quickly made, and 20 AIA frames of 4096² in ``FOLDER/aia``, the
latter with the brightness, structure and header of real frames where those
are at hand. All say in their headers that they are simulated.
"""

from __future__ import annotations

import argparse
import tempfile
from datetime import timedelta
from pathlib import Path

import numpy as np
from astropy.io import fits

from bench.frames import level1
from bench.setting import Setting
from pipeline.instrument import parse_date
from pipeline.instruments.sdo_aia.geometry import FULL_SIZE
from pipeline.instruments.stereo_hi.simulate import SimulationConfig, Source, write_series


def main() -> None:
    """Write both campaigns."""
    parser = argparse.ArgumentParser(prog="python -m bench.campaign", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--hi", type=int, default=200, help="STEREO HI frames")
    parser.add_argument("--aia", type=int, default=20, help="AIA frames")
    options = parser.parse_args()
    planet = Source(x=700, y=410, rate=3000)
    config = SimulationConfig(frames=options.hi, seed=1, exposures=3, sources=(planet,))
    print(f"{len(write_series(options.folder / 'hi', config))} HI frames")
    print(f"{len(aia_series(options.folder / 'aia', options.aia))} AIA frames")


def aia_series(folder: Path, count: int) -> list[Path]:
    """Frames of one moment after the other: the same Sun, noise of their own."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="heliolake-campaign-") as scratch:
        frame = level1(Setting(quick=False, scratch=Path(scratch)), FULL_SIZE)
        image, header = frame.image, frame.header
    start = parse_date(str(header["DATE-OBS"]))
    if start is None:
        raise SystemExit(f"DATE-OBS of the model frame is no date: {header['DATE-OBS']!r}")
    header["SIMULATD"] = (True, "not an observation")
    paths = []
    for number in range(count):
        moment = start + timedelta(seconds=12 * number)
        noise = np.random.default_rng(number).normal(0.0, 1.15, image.shape).round()
        header["DATE-OBS"] = moment.replace(tzinfo=None).isoformat(timespec="milliseconds")
        header["T_OBS"] = (moment + timedelta(seconds=1)).replace(tzinfo=None).isoformat() + "Z"
        data = np.clip(image + noise, -32767, 32767).astype(np.int16)
        paths.append(folder / f"sim_aia171_{moment:%Y%m%d_%H%M%S}.fits")
        compressed = fits.CompImageHDU(data, header, name="COMPRESSED_IMAGE")
        fits.HDUList([fits.PrimaryHDU(), compressed]).writeto(paths[-1], overwrite=True)
    return paths


if __name__ == "__main__":
    main()
