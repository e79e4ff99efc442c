"""A trained network that tells filaments, as a calibration file: ONNX, with the contract below.

No weights come with Heliolake. A network is taken that has

- one input, float32, shape (1, 1, n, n): brightness over the quiet Sun's, solar north up in the last row, the
  disk's diameter n pixels, 0 beyond the limb (as Diercke et al. 2024 prepare their images);
- one output of the same shape: the probability that a pixel belongs to a filament.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import BadInput, Fatal
from pipeline.instruments.kis_chrotel.facts import Disk
from pipeline.kernels.resample import AffineMap, resample
from pipeline.step import ReferenceFile

F32 = NDArray[np.float32]


def read_network(path: str) -> Any:
    """A session that runs the network of a file, on one thread.

    Raises
    ------
    Fatal
        When nothing that could run it is installed.
    BadInput
        When the file is no network.
    """
    try:
        import onnxruntime
    except ImportError as error:
        raise Fatal(
            "a network for filaments needs onnxruntime, which is not installed: "
            "pip install 'heliolake[networks]'; or leave the step's method at classical"
        ) from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    try:
        return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # of onnxruntime's own kinds, which are many
        raise BadInput(
            f"the file is no network that onnxruntime can run: {error}",
            file=path,
            advice="export the network as ONNX and add it to the context again",
        ) from error


def probabilities(reference: ReferenceFile, image: F32, disk: Disk) -> F32:
    """What a network says of each pixel of an image; 0 beyond the limb.

    Parameters
    ----------
    reference
        The network.
    image
        Brightness over the quiet Sun's, solar north up; NaN beyond the limb.
    disk
        Where the Sun lies in it.
    """
    session = reference.load(read_network)
    side = _side(session, reference)
    step = 2.0 * disk.radius / side
    middle = (side - 1) / 2
    onto = AffineMap(np.eye(2) * step, np.array([disk.x, disk.y]) - step * middle)
    no_flags = np.zeros(image.shape, np.uint16)
    beyond = ~np.isfinite(image)
    given, _ = resample(np.where(beyond, np.float32(0), image), no_flags, onto, (side, side), missing=0.0)
    (answer,) = session.run(None, {session.get_inputs()[0].name: given[None, None]})
    back = AffineMap(np.eye(2) / step, (middle - np.array([disk.x, disk.y]) / step))
    flat = np.zeros((side, side), np.uint16)
    made, _ = resample(np.asarray(answer[0, 0], np.float32), flat, back, _two(image.shape), missing=0.0)
    return np.where(beyond, np.float32(0.0), made)


def _two(shape: tuple[int, ...]) -> tuple[int, int]:
    return shape[0], shape[1]


def _side(session: Any, reference: ReferenceFile) -> int:
    given, made = session.get_inputs(), session.get_outputs()
    shape = list(given[0].shape) if len(given) == 1 and len(made) == 1 else []
    if len(shape) != 4 or shape[:2] != [1, 1] or shape[2] != shape[3] or not isinstance(shape[2], int):
        raise BadInput(
            "the network has other inputs or outputs than one image of fixed size",
            file=reference.did,
            found=str([(one.name, one.shape) for one in (*given, *made)]),
            advice="export it with one input (1, 1, n, n), float32, and one output of the same shape",
        )
    return int(shape[2])
