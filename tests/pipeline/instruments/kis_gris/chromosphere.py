"""A simulated map of the 1.08 µm region with helium drawn over it, whose slab is known."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from pipeline.frame import Frame
from pipeline.inversion.slab import Slab
from pipeline.steps.inverting import wavelengths_of
from tests.pipeline.instruments.kis_gris.simulated import SMALL, mapped, slits
from tests.pipeline.inversion.models import F64
from tests.pipeline.inversion.slabs import drawn

CONFIG = SMALL.model_copy(update={"region": "1083", "steps": 3, "rows": 12})


@lru_cache(maxsize=1)
def truth() -> F64:
    """Unknowns of the slab in each pixel."""
    made = drawn(CONFIG.steps * CONFIG.rows, least=600.0)
    made[:, 7], made[:, 8] = 0.5, 1.0
    return made


def chromosphere() -> Frame:
    """Level 1m; its photosphere is as bright everywhere, for the slab of the truth lies above that."""
    made = mapped(slits(CONFIG)).made
    wavelengths = wavelengths_of(made)
    near = np.abs(wavelengths - 10830.0) < 2.2
    drawn_over = Slab(wavelengths[near]).synthesise(truth())
    noise = np.random.default_rng(4).normal(0.0, CONFIG.noise, drawn_over.shape)
    data = made.data.copy()
    shape = (4, int(near.sum()), *data.shape[2:])
    data[:, near] = (drawn_over + noise).transpose(1, 2, 0).reshape(shape)
    data[0] = np.where(near[:, None, None], data[0], np.float32(1.0))
    return made.replace(data=data)
