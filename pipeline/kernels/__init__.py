"""Numerical kernels: arrays in, arrays out; they know no headers, steps or instruments."""

from __future__ import annotations


def warm() -> None:
    """Compile every kernel for the types the pipeline uses, into Numba's cache on disk.

    Takes the better part of a minute on a fresh machine and next to nothing
    afterwards, so that no worker compiles while a run waits for it.
    """
    import numpy as np

    from pipeline.kernels.columns import LENGTH, filter_columns
    from pipeline.kernels.deconvolve import richardson_lucy, transfer_function
    from pipeline.kernels.desmear import desmear
    from pipeline.kernels.resample import AffineMap, resample
    from pipeline.kernels.statistics import count_combinations, statistics

    image = np.ones((24, 40), np.float32)
    image[5, 7] = np.nan
    quality = np.ones(image.shape, np.uint16)
    identity = AffineMap(np.eye(2), np.zeros(2))
    resample(image, quality, identity, (24, 40))
    whole = np.nan_to_num(image, nan=1.0)
    richardson_lucy(whole, transfer_function(whole[:3, :3], (24, 40)), iterations=1, linear_start=2)
    filter_columns(np.zeros((LENGTH, 17), np.complex64), np.zeros((LENGTH, 17), np.float32))
    count_combinations(quality)
    statistics(image, quality, 2)
    for kind in (np.float32, np.float64):
        desmear(whole.astype(kind), 1.0, 0.01, 0.02)


__all__ = ["warm"]
