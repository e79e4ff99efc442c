"""AIA level-1 frames of any size for the benchmarks, with all references of the full chain.

Where real files are at hand the frame has their brightness: a real full-disk
frame binned to 128², enlarged, times the fine structure and noise of a real
cut-out. Elsewhere it is a synthetic disk. Frames smaller than the detector
show a Sun that is farther away, at the same plate scale.
"""

from __future__ import annotations

import csv
import hashlib
import shutil
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Final

import numpy as np
import scipy.ndimage
from astropy.io import fits
from numpy.typing import NDArray

from bench.setting import Setting
from pipeline.instruments.sdo_aia.geometry import FULL_SIZE
from pipeline.step import ReferenceFile

CHANNEL: Final = 171
#: Read noise of the 171 Å camera in DN (science.md §3, Boerner et al. 2012).
_READ_NOISE: Final = 1.15
_WHOLE_DISK: Final = "aia/aia_171_level1_128.fits"
_CUT_OUT: Final = "aia/aia_171_cutout_20130310.fits"
_RESPONSE: Final = "calibration/aia/aia_V10_20201119_190000_response_table.txt"
_STRUCTURE: Final = ("SIMPLE", "BITPIX", "NAXIS", "NAXIS1", "NAXIS2", "BLANK", "COMMENT", "HISTORY", "")


@dataclass(frozen=True, eq=False)
class Level1:
    """A level-1 frame on disk, with what its calibration needs.

    Attributes
    ----------
    path
        RICE-compressed int16 image in HDU 1, as JSOC exports it.
    size
        Pixels along one side.
    real
        Whether the image is made from real files.
    references
        Reference files by the name of the need they answer.
    """

    path: Path
    size: int
    real: bool
    references: dict[str, ReferenceFile]

    @property
    def shape(self) -> tuple[int, int]:
        """(ny, nx)."""
        return self.size, self.size

    @cached_property
    def image(self) -> NDArray[np.float32]:
        """What the file holds."""
        return np.asarray(fits.getdata(self.path, 1), dtype=np.float32)

    @cached_property
    def header(self) -> fits.Header:
        """Of the image."""
        header = fits.getheader(self.path, 1)
        del header["BLANK"]
        return header

    @property
    def spikes(self) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]:
        """Rows, columns and values of the spikes."""
        index, values = fits.getdata(self.references["spikes"].path, 1)
        rows, columns = np.unravel_index(index.astype(np.int64), (FULL_SIZE, FULL_SIZE))
        return rows, columns, values.astype(np.float32)

    @property
    def respiked(self) -> NDArray[np.float32]:
        """The image with its spikes put back, float32: what the deconvolution gets."""
        rows, columns, values = self.spikes
        image = self.image.copy()
        image[rows, columns] = values
        return image

    @property
    def provenance(self) -> str:
        """A sentence for the notes."""
        if self.real:
            return "image with the brightness, structure and header of real 171 Å level-1 files"
        return "synthetic disk: no real files were at hand (HELIOLAKE_DATA)"

    def copies(self, folder: Path, count: int) -> list[Path]:
        """The file under `count` names, as a campaign has it."""
        folder.mkdir(parents=True, exist_ok=True)
        paths = [folder / f"{self.path.stem}_{number:03d}.fits" for number in range(count)]
        for path in paths:
            shutil.copyfile(self.path, path)
        return paths


@lru_cache(maxsize=2)
def level1(setting: Setting, size: int) -> Level1:
    """The frame of ``size × size`` pixels in the scratch folder; made when it is not there."""
    folder = setting.folder(f"level1_{size}")
    path, spikes = folder / "aia_171.fits", folder / "spikes.fits"
    if not path.is_file():
        header = _header(setting.data, size)
        _write_spikes(spikes, size, int(header["NSPIKES"]))
        _write_pointing(folder / "pointing.csv", header)
        image = fits.CompImageHDU(_image(setting.data, size), header, name="COMPRESSED_IMAGE")
        fits.HDUList([fits.PrimaryHDU(), image]).writeto(path)
    references = [_reference("spikes", spikes)]
    if size == FULL_SIZE:  # aiapy updates the pointing of full frames only
        references.append(_reference("pointing_table", folder / "pointing.csv"))
    if setting.data is not None and (setting.data / _RESPONSE).is_file():
        references.append(_reference("degradation_table", setting.data / _RESPONSE))
    return Level1(path, size, _has_real(setting.data), {entry.name: entry for entry in references})


def _has_real(data: Path | None) -> bool:
    return data is not None and (data / _WHOLE_DISK).is_file() and (data / _CUT_OUT).is_file()


def _image(data: Path | None, size: int) -> NDArray[np.int16]:
    random = np.random.default_rng(171)
    if data is not None and _has_real(data):
        disk = fits.getdata(data / _WHOLE_DISK).astype(np.float64)
        zoom = size / disk.shape[0]
        bright = scipy.ndimage.zoom(np.maximum(disk, 0.0), zoom, order=1, mode="nearest", grid_mode=True)
        # The cut-out's shot noise is part of its fine structure.
        bright *= _tiled(_fine_structure(fits.getdata(data / _CUT_OUT)), size)
    else:
        axis = np.arange(size) - (size - 1) / 2
        radius = np.hypot(axis[:, None], axis) / (0.396 * size)
        bright = 250.0 * np.exp(-np.maximum(radius - 1.0, 0.0) * 8.0) * _cloudy(random, size) + 5.0
        bright += random.normal(0.0, np.sqrt(bright))
    bright += random.normal(0.0, _READ_NOISE, bright.shape)
    counts: NDArray[np.int16] = np.clip(np.rint(bright), -100, 16383).astype(np.int16)
    return counts


def _fine_structure(cut_out: NDArray[np.float32]) -> NDArray[np.float64]:
    image = np.maximum(cut_out.astype(np.float64), 1.0)
    ratio: NDArray[np.float64] = np.clip(image / scipy.ndimage.gaussian_filter(image, 16.0), 0.2, 5.0)
    return ratio


def _tiled(texture: NDArray[np.float64], size: int) -> NDArray[np.float64]:
    widths = [(0, max(0, size - length)) for length in texture.shape]
    return np.pad(texture, widths, mode="symmetric")[:size, :size]


def _cloudy(random: np.random.Generator, size: int) -> NDArray[np.float64]:
    """Lognormal clouds with a power-law spectrum, mean near one."""
    ky, kx = np.fft.fftfreq(size)[:, None], np.fft.rfftfreq(size)[None, :]
    falling = 1.0 / np.maximum(np.hypot(ky, kx), 2.0 / size) ** 1.5
    clouds = np.fft.irfft2(np.fft.rfft2(random.standard_normal((size, size))) * falling, s=(size, size))
    clouded: NDArray[np.float64] = np.exp(0.5 * (clouds - clouds.mean()) / clouds.std() - 0.125)
    return clouded


def _header(data: Path | None, size: int) -> fits.Header:
    header = fits.Header()
    if data is not None and _has_real(data):
        found = fits.getheader(data / _WHOLE_DISK)
        header.extend([card for card in found.cards if card.keyword not in _STRUCTURE])
    else:
        header.update(_PLAIN)
    share = size / FULL_SIZE
    middle = (size - 1) / 2
    for axis, name in ((1, "X0_MP"), (2, "Y0_MP")):
        header[name] = middle + (header[name] - (FULL_SIZE - 1) / 2) * share
        header[f"CRPIX{axis}"] = header[name] + 1.0
        header[f"CRVAL{axis}"] = 0.0
        header[f"CDELT{axis}"] = header["IMSCL_MP"]
    header["RSUN_OBS"] *= share
    header["DSUN_OBS"] /= share
    header["R_SUN"] = header["RSUN_OBS"] / header["CDELT1"]
    header["BLANK"] = -32768
    header["NSPIKES"] = max(1, int(header["NSPIKES"] * share**2))
    if share < 1:
        for name in ("HAEX_OBS", "HAEY_OBS", "HAEZ_OBS", "GAEX_OBS", "GAEY_OBS", "GAEZ_OBS"):
            header.remove(name, ignore_missing=True)
    return header


#: What the chain needs of a level-1 header, for runs without real files.
_PLAIN: Final = {
    "TELESCOP": "SDO/AIA",
    "INSTRUME": "AIA_3",
    "WAVELNTH": CHANNEL,
    "WAVEUNIT": "angstrom",
    "WAVE_STR": "171_THIN",
    "LVL_NUM": 1.0,
    "DATE-OBS": "2011-02-15T00:00:00.34",
    "T_OBS": "2011-02-15T00:00:01.34Z",
    "EXPTIME": 2.0,
    "QUALITY": 0,
    "CTYPE1": "HPLN-TAN",
    "CTYPE2": "HPLT-TAN",
    "CUNIT1": "arcsec",
    "CUNIT2": "arcsec",
    "CROTA2": 0.02,
    "SAT_ROT": 0.0,
    "INST_ROT": 0.02,
    "IMSCL_MP": 0.5995,
    "X0_MP": 2055.0,
    "Y0_MP": 2043.0,
    "RSUN_OBS": 971.8,
    "DSUN_OBS": 1.4772e11,
    "RSUN_REF": 6.96e8,
    "HGLN_OBS": 0.0,
    "HGLT_OBS": -6.8,
    "NSPIKES": 18000,
    "PIXLUNIT": "DN",
}


def _write_spikes(path: Path, size: int, count: int) -> None:
    random = np.random.default_rng(FULL_SIZE)
    rows, columns = np.unravel_index(random.choice(size * size, count, replace=False), (size, size))
    table = np.stack([rows * FULL_SIZE + columns, random.integers(500, 8000, count)]).astype(np.int32)
    fits.HDUList([fits.PrimaryHDU(), fits.CompImageHDU(table)]).writeto(path)


def _write_pointing(path: Path, header: fits.Header) -> None:
    """A pointing table whose one row says what the frame's own header says."""
    middle = datetime.fromisoformat(str(header["T_OBS"]).rstrip("Z"))
    start, stop = middle - timedelta(hours=1.5), middle + timedelta(hours=1.5)
    values = {
        "T_START": f"{start.isoformat(timespec='milliseconds')}Z",
        "T_STOP": f"{stop.isoformat(timespec='milliseconds')}Z",
        f"A_{CHANNEL}_X0": header["X0_MP"],
        f"A_{CHANNEL}_Y0": header["Y0_MP"],
        f"A_{CHANNEL}_IMSCALE": header["IMSCL_MP"],
        f"A_{CHANNEL}_INSTROT": header["INST_ROT"],
    }
    with path.open("w", newline="", encoding="utf-8") as handle:
        writer = csv.writer(handle)
        writer.writerows([values.keys(), values.values()])


def _reference(name: str, path: Path) -> ReferenceFile:
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return ReferenceFile(name=name, did=f"sdo_aia:{path.name}", path=str(path), sha256=digest)
