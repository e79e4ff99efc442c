"""Filaments of Hα: a mask, and a table beside it."""

from __future__ import annotations

from typing import Literal

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray
from pydantic import Field

from pipeline.errors import BadInput
from pipeline.frame import Frame
from pipeline.instruments.kis_chrotel import facts, filament_table, filaments, network
from pipeline.instruments.kis_chrotel.filaments import Labels, Observer, Search
from pipeline.quality import Quality
from pipeline.step import Output, Params, ReferenceNeed, References, step


class FilamentParams(Params):
    """Parameters of the search for filaments.

    Attributes
    ----------
    method
        `classical`: thresholds, growing and shapes; `network`: a trained network of the context.
    seed
        [sigma] Below the quiet Sun, from which on pixels are seeds.
    grow
        [sigma] Below the quiet Sun, down to which seeds grow.
    edge
        [1] Part of a filament's own depth at which it ends.
    least_area
        [1] Part of the disk's area below which a filament is none.
    elongation
        [1] Squared length over area below which something is a spot.
    reach
        [R_sun] Distance from the centre beyond which nothing is looked for.
    probability
        [1] Of a network, from which on a pixel belongs to a filament.
    most
        Rows of the table; of more filaments the largest are told.
    """

    method: Literal["classical", "network"] = "classical"
    seed: float = Field(default=4.0, gt=0)
    grow: float = Field(default=2.5, gt=0)
    edge: float = Field(default=0.5, gt=0, lt=1)
    least_area: float = Field(default=1 / 18000, gt=0, lt=0.1)
    elongation: float = Field(default=2.0, ge=0)
    reach: float = Field(default=0.96, gt=0, le=0.99)
    probability: float = Field(default=0.5, gt=0, lt=1)
    most: int = Field(default=100, ge=1, le=1000)


def _same(params: FilamentParams, shape: tuple[int, ...]) -> tuple[int, ...]:
    return shape


def _rows(params: FilamentParams, shape: tuple[int, ...]) -> tuple[int, ...]:
    return params.most, len(filament_table.COLUMNS)


@step(
    "filaments",
    version=2,
    prstep="FEATURE-DETECTION",
    instrument="kis_chrotel",
    takes=("",),
    memory_factor=6.0,
    libraries=("numpy", "numba", "scipy"),
    output_shape=_same,
    outputs={"table": Output(_rows, ("filament", "quantity"))},
    needs=(
        ReferenceNeed(
            "filament_network",
            "a trained network as ONNX, one image in and one out (docs/chrotel.md has what it is given)",
            optional=True,
        ),
    ),
)
def filaments_of(frame: Frame, params: FilamentParams, references: References) -> Frame:
    """The number of the filament at each pixel, 0 where there is none; place, size and tilt beside it.

    Raises
    ------
    BadInput
        When the image is not of Hα, or a network is asked for and none is in the context.
    """
    if facts.line(frame) != "ha":
        raise BadInput(
            "filaments are looked for in H-alpha",
            file=frame.source,
            keyword="FILTER",
            found=str(frame.header.get("FILTER")),
            advice="leave the frame out; in other lines filaments hardly show",
        )
    disk = facts.disk(frame)
    observer = Observer(
        frame.keyword("RSUN_OBS", float),
        frame.keyword("HGLT_OBS", float),
        frame.keyword("CRLN_OBS", float),
    )
    search = Search(
        params.seed,
        params.grow,
        edge=params.edge,
        least_area=params.least_area,
        elongation=params.elongation,
        reach=params.reach,
    )
    labels = _labels(frame, disk, search, params, references)
    told = filaments.describe(labels, frame.data, disk, observer, params.most)
    number = int(labels.max())
    data = np.where(np.isfinite(frame.data), labels, np.nan).astype(np.float32)
    made = frame.replace(data=data, header=_mask_header(frame.header, number))
    if number > params.most:
        made = made.with_caveat(f"filaments: the table has the {params.most} largest of {number}")
    return made.with_output("table", _table(frame, told, params.most))


def _labels(
    frame: Frame, disk: facts.Disk, search: Search, params: FilamentParams, references: References
) -> Labels:
    if params.method == "classical":
        return filaments.find(frame.data, disk, search)
    if "filament_network" not in references:
        raise BadInput(
            "no trained network is in the context, and none comes with Heliolake",
            file=frame.source,
            keyword="filament_network",
            found="absent",
            advice="add one with `heliolake context add`, named chrotel_filaments_YYYYMMDD.onnx; or leave "
            "the step's method at classical",
        )
    said = network.probabilities(references["filament_network"], frame.data, disk)
    return filaments.numbered((said >= params.probability) & np.isfinite(frame.data), disk, search)


def _mask_header(header: fits.Header, number: int) -> fits.Header:
    result = header.copy()
    result["NFILAM"] = (number, "filaments")
    result["BTYPE"] = ("meta.id.part", "UCD 1+ of the values")
    result["BNAME"] = "Number of the filament, 0 where there is none"
    return result


def _table(frame: Frame, told: list[filaments.Filament], most: int) -> Frame:
    values = filament_table.rows(told, most)
    header = frame.header.copy()
    for name in [name for name in header if _of_the_image(name)]:
        header.remove(name, ignore_missing=True, remove_all=True)
    filament_table.describe_columns(header)
    header["NFILAM"] = (len(told), "filaments in the table")
    header["BTYPE"] = ("meta.table", "UCD 1+ of the values")
    header["BNAME"] = "Filaments: a row for each, QNAMEn names the columns"
    header["BUNIT"] = ("", "QUNITn has the units of the columns")
    missing: NDArray[np.uint16] = np.where(np.isfinite(values), 0, int(Quality.MISSING)).astype(np.uint16)
    return Frame(values, missing, header, frame.source, dims=("filament", "quantity"))


def _of_the_image(name: str) -> bool:
    """Cards of the grid on the sky, which a table has none of."""
    return name.startswith(
        ("CTYPE", "CUNIT", "CRPIX", "CRVAL", "CDELT", "CNAME", "PC1_", "PC2_", "CROTA", "LONPOLE", "LATPOLE")
    )
