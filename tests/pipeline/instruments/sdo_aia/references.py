"""Reference files made for tests."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

from pipeline.step import ReferenceFile

#: A row of three hours of the master pointing table, around the frames of `frames.py`.
ROW: dict[str, str] = {
    "T_START": "2011-02-15T00:00:00Z",
    "T_STOP": "2011-02-15T03:00:00Z",
    "A_171_X0": "2054.93",
    "A_171_Y0": "2042.55",
    "A_171_IMSCALE": "0.599496",
    "A_171_INSTROT": "0.019512",
    "A_193_X0": "2049.1",
    "A_193_Y0": "2046.2",
    "A_193_IMSCALE": "0.600758",
    "A_193_INSTROT": "0.0561",
}


def reference(name: str, path: Path) -> ReferenceFile:
    return ReferenceFile(
        name, f"sdo_aia:{path.name}", str(path), hashlib.sha256(path.read_bytes()).hexdigest()
    )


def pointing_table(folder: Path, **cells: str) -> Mapping[str, ReferenceFile]:
    """A table of three rows; `cells` change the row of the frames' time."""
    before = {**ROW, "T_START": "2011-02-14T21:00:00Z", "T_STOP": "2011-02-15T00:00:00Z", "A_171_X0": "1.0"}
    after = {**ROW, "T_START": "2011-02-15T03:00:00Z", "T_STOP": "2011-02-15T06:00:00Z", "A_171_X0": "2.0"}
    rows = [before, {**ROW, **cells}, after]
    path = folder / "master_aia_pointing3h.csv"
    lines = [",".join(ROW), *(",".join(row.values()) for row in rows)]
    path.write_text("\n".join(lines) + "\n")
    return {"pointing_table": reference("pointing_table", path)}


def spikes_file(folder: Path, rows: NDArray[np.floating]) -> Mapping[str, ReferenceFile]:
    """A spikes file as JSOC serves it: a compressed image behind an empty primary unit."""
    path = folder / "spikes.fits"
    unit = fits.CompImageHDU(rows.astype(np.int32), compression_type="RICE_1")
    fits.HDUList([fits.PrimaryHDU(), unit]).writeto(path, overwrite=True)
    return {"spikes": reference("spikes", path)}
