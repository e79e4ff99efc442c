"""Arrays that refuse to be written to: what steps are handed, and what kernels are compiled for."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

A = TypeVar("A", bound=np.generic)


def read_only(array: NDArray[A]) -> NDArray[A]:
    """A view of an array that refuses to be written to; the array itself stays as it is.

    To Numba a read-only array is a type of its own. Kernels that only read take
    their input through this function, so that each is compiled once and not
    once more for images in shared blocks.
    """
    view = array.view()
    view.flags.writeable = False
    return view
