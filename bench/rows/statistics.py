"""Header statistics against NumPy's percentiles."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from bench.frames import level1
from bench.measure import Row, Skipped, duration, race
from bench.setting import Setting
from pipeline.kernels.statistics import PERCENTILES, statistics


def rows(setting: Setting) -> Iterator[Row | Skipped]:
    """Moments and nine percentiles against nine percentiles alone."""
    size = setting.pick(4096, 256)
    image = level1(setting, size).image
    run = race(
        {
            "ours": lambda: statistics(image),
            "percentiles": lambda: np.percentile(image, PERCENTILES, method="inverted_cdf"),
            "default": lambda: np.percentile(image, PERCENTILES),
        },
        rounds=setting.pick(7, 2),
    )
    found, expected = run.results["ours"].percentiles, run.results["percentiles"]
    same = [found[p] for p in PERCENTILES] == [float(value) for value in expected]
    yield Row(
        f"header statistics {size}²",
        run.times["ours"],
        run.times["percentiles"],
        "numpy.percentile, the nine alone",
        notes=(
            (
                f"ours has minimum, maximum and five moments besides; percentiles are "
                f"{'equal' if same else 'NOT equal'}"
            ),
            f"numpy's default, which interpolates between ranks: {duration(run.times['default'].median)}",
        ),
    )
