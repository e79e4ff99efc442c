"""The hook for a trained network: what it is given and gives, and plain refusals where it is not there."""

from __future__ import annotations

import importlib.util
import struct
import sys
from pathlib import Path

import numpy as np
import pytest

from pipeline.errors import BadInput, Fatal
from pipeline.instruments.kis_chrotel import facts
from pipeline.known_references import recognise_reference
from pipeline.testing import reference, run_step
from tests.pipeline.instruments.kis_chrotel import simulated
from tests.pipeline.instruments.kis_chrotel.simulated import HALPHA

SIDE = 320
needs_onnx = pytest.mark.skipif(
    importlib.util.find_spec("onnxruntime") is None, reason="needs onnxruntime: pip install '.[networks]'"
)


def varint(number: int) -> bytes:
    made = b""
    while True:
        number, low = number >> 7, number & 0x7F
        made += bytes([low | (0x80 if number else 0)])
        if not number:
            return made


def entry(field: int, value: bytes | int | str) -> bytes:
    """A field of a protocol buffer."""
    if isinstance(value, int):
        return varint(field << 3) + varint(value)
    held = value.encode() if isinstance(value, str) else value
    return varint(field << 3 | 2) + varint(len(held)) + held


def described(name: str, shape: tuple[int, ...]) -> bytes:
    dims = b"".join(entry(1, entry(1, size)) for size in shape)
    return entry(1, name) + entry(2, entry(1, entry(1, 1) + entry(2, dims)))


def constant(name: str, value: float) -> bytes:
    return entry(2, 1) + entry(8, name) + entry(9, struct.pack("<f", value))


def operation(kind: str, inputs: tuple[str, ...], output: str) -> bytes:
    return b"".join(entry(1, one) for one in inputs) + entry(2, output) + entry(4, kind)


def threshold_network(path: Path, shape: tuple[int, ...] = (1, 1, SIDE, SIDE)) -> Path:
    """No trained network: sigmoid(60 (0.85 − brightness)), in the form trained ones come in."""
    nodes = (
        operation("Sub", ("level", "image"), "less"),
        operation("Mul", ("less", "gain"), "scaled"),
        operation("Sigmoid", ("scaled",), "probability"),
    )
    graph = b"".join(entry(1, node) for node in nodes) + entry(2, "threshold")
    graph += entry(5, constant("level", 0.85)) + entry(5, constant("gain", 60.0))
    graph += entry(11, described("image", shape)) + entry(12, described("probability", shape))
    path.write_bytes(entry(1, 8) + entry(7, graph) + entry(8, entry(1, "") + entry(2, 13)))
    return path


def test_a_network_is_known_by_its_name(tmp_path: Path) -> None:
    known = recognise_reference(threshold_network(tmp_path / "chrotel_filaments_20240131.onnx"))
    assert known is not None
    assert (known.need, known.order) == ("filament_network", 20240131)


@needs_onnx
def test_what_a_network_says_becomes_a_mask_on_the_image_s_own_pixels(tmp_path: Path) -> None:
    given = reference("filament_network", threshold_network(tmp_path / "chrotel_filaments_20240131.onnx"))
    frame = simulated.level_2(HALPHA)
    made = run_step(
        "filaments", frame, instrument="kis_chrotel", references=[given], method="network", elongation=2.0
    )
    disk = facts.disk(frame)
    i, j = np.indices(frame.data.shape)
    inside = np.hypot(j - disk.x, i - disk.y) < 0.9 * disk.radius
    wanted = (frame.data < 0.85) & inside
    mask = (made.data > 0) & inside
    # Spots and single pixels are dark as well, and are left out by their shapes.
    assert (mask & wanted).sum() > 0.7 * wanted.sum()
    assert (mask & ~wanted).sum() < 0.25 * mask.sum()
    assert "filament_network=" in made.header["PRREF9"]


@needs_onnx
def test_a_network_with_another_form_is_refused_with_the_form_that_is_taken(tmp_path: Path) -> None:
    other = threshold_network(tmp_path / "chrotel_filaments_20240131.onnx", (1, 3, SIDE, SIDE))
    with pytest.raises(BadInput, match="one image of fixed size"):
        run_step(
            "filaments",
            simulated.level_2(HALPHA),
            instrument="kis_chrotel",
            references=[reference("filament_network", other)],
            method="network",
        )


@needs_onnx
def test_a_file_that_is_no_network_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "chrotel_filaments_20240131.onnx"
    path.write_bytes(b"no network")
    with pytest.raises(BadInput, match="no network"):
        run_step(
            "filaments",
            simulated.level_2(HALPHA),
            instrument="kis_chrotel",
            references=[reference("filament_network", path)],
            method="network",
        )


def test_without_a_network_in_the_context_the_step_says_where_one_goes() -> None:
    with pytest.raises(BadInput, match="no trained network") as refusal:
        run_step("filaments", simulated.level_2(HALPHA), instrument="kis_chrotel", method="network")
    assert "chrotel_filaments_" in str(refusal.value)


def test_without_what_runs_networks_the_run_stops_and_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    given = reference("filament_network", threshold_network(tmp_path / "chrotel_filaments_20240201.onnx"))
    with pytest.raises(Fatal, match=r"heliolake\[networks\]"):
        run_step(
            "filaments",
            simulated.level_2(HALPHA),
            instrument="kis_chrotel",
            references=[given],
            method="network",
        )
