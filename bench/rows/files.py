"""Reading a RICE-compressed frame, and writing a product."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits

from bench.frames import Level1, level1
from bench.measure import Row, Skipped, duration, race
from bench.setting import Setting, has
from lake.checksums import checksums
from lake.fits.io import read_image
from lake.fits.product import build_product
from lake.storage.posix import PosixStore
from lake.storage.store import key_of


def rows(setting: Setting) -> Iterator[Row | Skipped]:
    """Files come from the page cache on all sides."""
    size = setting.pick(4096, 256)
    frame = level1(setting, size)
    yield from _reading(frame, size, rounds=setting.pick(9, 2))
    yield _writing(frame, size, setting.folder("written"), rounds=setting.pick(7, 2))


def _reading(frame: Level1, size: int, rounds: int) -> Iterator[Row | Skipped]:
    path = str(frame.path)
    contenders: dict[str, Callable[[], Any]] = {
        "ours": lambda: read_image(path, 1, blank_is_missing=True).data,
        "astropy": lambda: _astropy(path),
    }
    if has("fitsio"):
        import fitsio

        contenders["fitsio"] = lambda: fitsio.read(path, ext=1).astype(np.float32)
    run = race(contenders, rounds=rounds)
    bits = 8 * frame.path.stat().st_size / frame.image.size
    note = f"{frame.provenance}; {bits:.2f} bits per pixel compressed"
    for name in ("astropy", "fitsio"):
        if name not in run.times:
            yield Skipped(f"RICE read {size}², {name}", f"{name} is not installed")
            continue
        same = bool(np.array_equal(run.results["ours"], run.results[name]))
        yield Row(
            f"RICE read {size}², {name}",
            run.times["ours"],
            run.times[name],
            f"{name}, to float32",
            notes=(note, f"pixels are {'equal' if same else 'NOT equal'}"),
        )


def _astropy(path: str) -> Any:
    with fits.open(path) as units:
        return np.asarray(units[1].data, dtype=np.float32)


def _writing(frame: Level1, size: int, folder: Path, rounds: int) -> Row:
    image = frame.image
    quality = np.zeros(image.shape, np.uint16)
    quality[frame.spikes[0], frame.spikes[1]] = 4
    header = frame.header
    numbers, store = itertools.count(), PosixStore(folder)

    def ours() -> None:
        key = key_of("sdo_aia", f"p{next(numbers)}.fits")
        store.put(key, build_product(image, quality, header))
        store.path(key).unlink()

    def astropy() -> None:
        units = [fits.PrimaryHDU(image, header), fits.CompImageHDU(quality, name="QUALITY")]
        path = folder / "peer.fits"
        fits.HDUList(units).writeto(path, checksum=True, overwrite=True)
        path.unlink()

    content = build_product(image, quality, header)
    run = race(
        {
            "ours": ours,
            "astropy": astropy,
            "building": lambda: build_product(image, quality, header),
            "sums": lambda: checksums(content),
        },
        rounds=rounds,
    )
    building, sums = (duration(run.times[phase].median) for phase in ("building", "sums"))
    return Row(
        f"product write {size}²",
        run.times["ours"],
        run.times["astropy"],
        "astropy writeto(checksum=True), same HDUs",
        notes=(
            (
                f"building the bytes {building}, Adler-32 and SHA-256 of the file {sums}, the rest is "
                "writing and waiting until it is on disk (fsync); the peer does only the first and writes"
            ),
        ),
    )
