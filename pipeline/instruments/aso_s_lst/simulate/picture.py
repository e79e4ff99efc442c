"""Scenes from real images of the whole disk."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates

from pipeline.instruments.aso_s_lst.facts import Disk
from pipeline.instruments.aso_s_lst.simulate.config import SimulationConfig
from pipeline.instruments.aso_s_lst.simulate.scene import places
from pipeline.kernels.limb import find_limb


def scene_of_image(
    config: SimulationConfig,
    image: NDArray[np.floating],
    disk: Disk | None = None,
    *,
    percentile: float = 50.0,
) -> NDArray[np.float32]:
    """What SDI or WST would see if the Sun were what another telescope's image shows.

    Parameters
    ----------
    config
        The exposure: size, roll, offset and jitter are its.
    image
        Of the whole disk, north up, shape (y, x); negative values become 0. It is the truth as it is: what
        blur and noise it has belong to the scene.
    disk
        Where the disk lies in it; found by its limb when empty.
    percentile
        Of the disk's pixels: the value that becomes 1.

    Raises
    ------
    ValueError
        When there is no limb in the image.
    """
    if disk is None:
        found = find_limb(np.ascontiguousarray(image, dtype=np.float32))
        if found is None:
            raise ValueError("there is no limb of the Sun in the image: say where the disk lies")
        disk = Disk(*found.circle)
    west, north = places(config)
    rows, columns = disk.y + north * disk.radius, disk.x + west * disk.radius
    clean = np.maximum(np.nan_to_num(image.astype(np.float32)), 0.0)
    made = map_coordinates(clean, [rows, columns], order=1, mode="constant", cval=0.0)
    # Linear where the image is coarser than the pixels, so that nothing overshoots below the sky.
    level = float(np.percentile(made[west**2 + north**2 < 0.9], percentile))
    return np.asarray(made / level, dtype=np.float32)
