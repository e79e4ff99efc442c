"""Level 1: what the telescope's files say of the brightness on the disk."""

from __future__ import annotations

import numpy as np

from pipeline.frame import Frame
from pipeline.instruments.kis_chrotel import facts
from pipeline.kernels.statistics import statistics
from pipeline.step import Params, References, step


class DiskStatisticsParams(Params):
    """`disk_statistics` has nothing to choose."""


@step(
    "disk_statistics",
    version=1,
    prstep="CALIBRATION",
    instrument="kis_chrotel",
    memory_factor=2.0,
    dims=(..., "y", "x"),
)
def disk_statistics(frame: Frame, params: DiskStatisticsParams, references: References) -> Frame:
    """DISKMIN, DISKMAX, DISKMEAN, DISKMEDN and DISKRMS of the pixels on the disk, limb excluded."""
    disk = facts.disk(frame)
    half = int(0.99 * disk.radius)
    ny, nx = frame.data.shape[-2:]
    rows = slice(max(0, round(disk.y) - half), min(ny, round(disk.y) + half + 1))
    columns = slice(max(0, round(disk.x) - half), min(nx, round(disk.x) + half + 1))
    i = np.arange(rows.start, rows.stop)[:, None] - disk.y
    j = np.arange(columns.start, columns.stop)[None, :] - disk.x
    inside = np.broadcast_to(i * i + j * j < half * half, (*frame.data.shape[:-2], i.size, j.size))
    found = statistics(frame.data[..., rows, columns][inside])
    header = frame.header.copy()
    for name, value, what in (
        ("DISKMIN", found.minimum, "min"),
        ("DISKMAX", found.maximum, "max"),
        ("DISKMEAN", found.mean, "mean"),
        ("DISKMEDN", found.percentiles[50], "median"),
        ("DISKRMS", found.rms, "standard deviation of"),
    ):
        header[name] = (float(f"{value:.8g}"), f"{what} data value on solar disk")
    return frame.replace(header=header)
