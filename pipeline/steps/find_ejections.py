"""Mass ejections in a series of polar maps: a catalogue, heights of fronts, and where they were found."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray
from pydantic import Field

from pipeline.cme import Ejection, Search, Series, found_in, table
from pipeline.cme.heights import sector
from pipeline.dims import Dims
from pipeline.errors import BadInput
from pipeline.frame import Frame
from pipeline.instrument import parse_date
from pipeline.quality import Quality
from pipeline.step import Output, Params, References, gather

F32 = NDArray[np.float32]
#: Rows of the table of heights, for each frame of the series.
_FRONTS: Final = 8
#: In all frames alike, or they are no series.
_ALIKE: Final = ("DETECTOR", "FILTER", "POLAR", "CRVAL2", "CDELT2", "CDELT1")
#: Times the usual cadence from which on there is a gap.
_GAP: Final = 2.5
_GRID: Final = ("CTYPE", "CUNIT", "CRPIX", "CRVAL", "CDELT")
_LABEL: Final = (
    "ejections were found by a program and looked at by nobody; it was tried on simulated series only, "
    "never on real ones of this telescope"
)
_PROJECTED: Final = "speeds, widths and heights are those on the plane of the sky, of the front's crest"

#: As `pipeline.instruments.aso_s_lst.simulate.ejections` measures it.
_ERRORS: Final = (
    "errors of speed and acceleration hold the heights' scatter and, measured on simulated series, 1 % of "
    "the speed and heights that are off smoothly by 0.2 %; speeds came out 1 % too low there (faint or "
    "narrow ejections: 1 to 3 %), within these errors"
)


class EjectionParams(Params):
    """Parameters of the search for mass ejections.

    Attributes
    ----------
    threshold
        [sigma] Significance of a line of height and time from which on there is a front.
    slowest, fastest
        [km/s] Speeds that are looked for.
    least_width
        [deg] Narrower things are no ejection.
    least_frames
        In which a front has to be found.
    lag
        [s] Frames are compared with those that are older by this; 0: a tenth of the field at 300 km/s, at
        least the cadence.
    most
        Rows of the catalogue.
    """

    threshold: float = Field(default=6.0, ge=4.0)
    slowest: float = Field(default=50.0, gt=0)
    fastest: float = Field(default=2500.0, gt=0)
    least_width: float = Field(default=10.0, gt=0, lt=360)
    least_frames: int = Field(default=5, ge=4)
    lag: float = Field(default=0.0, ge=0)
    most: int = Field(default=50, ge=1, le=1000)


def _jmap(params: EjectionParams, shape: tuple[int, ...]) -> tuple[int, ...]:
    return shape[1], shape[0]


def _jmap_dims(params: EjectionParams, dims: Dims) -> Dims:
    return "height", "epoch"


def _catalogue(params: EjectionParams, shape: tuple[int, ...]) -> tuple[int, ...]:
    return params.most, len(table.CATALOGUE)


def _heights(params: EjectionParams, shape: tuple[int, ...]) -> tuple[int, ...]:
    return shape[0] * _FRONTS, len(table.HEIGHT_TIME)


def _map(params: EjectionParams, shape: tuple[int, ...]) -> tuple[int, ...]:
    return shape[1], shape[2]


@gather(
    "find_ejections",
    version=2,
    prstep="FEATURE-DETECTION",
    gives="",
    memory_factor=8.0,
    libraries=("numpy", "scipy"),
    dims=("height", "position_angle"),
    output_shape=_jmap,
    output_dims=_jmap_dims,
    outputs={
        "catalogue": Output(_catalogue, ("row", "quantity")),
        "height_time": Output(_heights, ("row", "quantity")),
        "difference": Output(_map, ("height", "position_angle")),
    },
)
def find_ejections(frames: Sequence[Frame], params: EjectionParams, references: References) -> Frame:
    """A height-time map of the strongest front; catalogue, heights and the clearest difference beside it.

    Raises
    ------
    BadInput
        When the frames are too few, or not of one coronagraph, polariser, filter and grid.
    """
    _require_alike(frames)
    kept, begin = _in_order(frames, params)
    series = _series([frame for _, frame in kept], [second for second, _ in kept])
    search = Search(
        params.threshold,
        params.slowest,
        params.fastest,
        params.least_width,
        params.least_frames,
        params.lag,
    )
    found, significant = found_in(series, search)
    strongest = max(found, key=lambda one: one.score, default=None)
    first = kept[0][1]
    header = _header(kept, begin, len(found))
    made = _height_time_map(series, significant, strongest, header, len(frames))
    made = Frame(made.data, made.quality, made.header, first.source, dims=("height", "epoch"))
    for sentence in _caveats(series, frames, found, params):
        made = made.with_caveat(sentence)
    for name, values, columns, what in (
        ("catalogue", table.catalogue(found, params.most), table.CATALOGUE, "Mass ejections"),
        (
            "height_time",
            table.height_time(found, len(frames) * _FRONTS),
            table.HEIGHT_TIME,
            "Heights of fronts",
        ),
    ):
        made = made.with_output(name, _table(header, values, columns, what, first.source))
    return made.with_output("difference", _difference(series, significant, strongest, header, first))


def _require_alike(frames: Sequence[Frame]) -> None:
    first = frames[0].header
    for frame in frames[1:]:
        for name in _ALIKE:
            if str(frame.header.get(name)) != str(first.get(name)):
                raise BadInput(
                    "a series is of one coronagraph, polariser, filter and grid",
                    file=frame.source,
                    keyword=name,
                    found=f"{frame.header.get(name)}; {first.get(name)} in {frames[0].source}",
                    advice="correct the recipe's group_by, or give frames that are alike",
                )


def _in_order(frames: Sequence[Frame], params: EjectionParams) -> tuple[list[tuple[float, Frame]], datetime]:
    """The frames with their times in seconds after the first, each time once; and when the first begins."""
    timed = sorted(((_middle(frame), frame) for frame in frames), key=lambda pair: pair[0])
    once = [pair for n, pair in enumerate(timed) if n == 0 or pair[0] > timed[n - 1][0]]
    needed = params.least_frames + 1
    if len(once) < needed:
        raise BadInput(
            "the series is too short to look for mass ejections in it",
            file=frames[0].source,
            keyword="DATE-OBS",
            found=f"{len(once)} frames of different times",
            advice=f"wait for more of this day: {needed} are needed",
        )
    begin = once[0][0]
    return [((at - begin).total_seconds(), frame) for at, frame in once], begin


def _middle(frame: Frame) -> datetime:
    text = frame.keyword("DATE-OBS", str)
    begin = parse_date(text)
    if begin is None:
        raise BadInput(
            "DATE-OBS is no date",
            file=frame.source,
            keyword="DATE-OBS",
            found=text,
            advice="write YYYY-MM-DDThh:mm:ss",
        )
    return begin + timedelta(seconds=0.5 * frame.keyword("EXPTIME", float, default=0.0))


def _series(frames: Sequence[Frame], seconds: Sequence[float]) -> Series:
    first = frames[0]
    rings, angles = first.data.shape
    heights = first.keyword("CRVAL2", float) + first.keyword("CDELT2", float) * np.arange(rings, dtype=float)
    places = first.keyword("CRVAL1", float) + first.keyword("CDELT1", float) * np.arange(angles, dtype=float)
    return Series(np.array(seconds), heights, places, np.stack([frame.data for frame in frames]))


def _height_time_map(
    series: Series, significant: F32, strongest: Ejection | None, header: fits.Header, columns: int
) -> Frame:
    """Significance by height and time at even steps; nothing where no frame is near."""
    angle = strongest.front_angle if strongest else float(series.angles[significant.sum((0, 1)).argmax()])
    plane = sector(series, significant, angle)
    times = np.linspace(series.seconds[0], series.seconds[-1], columns)
    nearest = np.abs(times[:, None] - series.seconds[None, :]).argmin(axis=1)
    far = np.abs(times - series.seconds[nearest]) > 0.5 * _GAP * series.cadence
    values = np.where(far[:, None], np.nan, plane[nearest]).T
    made = header.copy()
    made["FRONTPA"] = (angle, "[deg] position angle of this map")
    made["BTYPE"] = ("stat.snr", "UCD 1+ of the values")
    made["BNAME"] = "Height-time map: brightness over what it was before, over its noise"
    step = float(times[1] - times[0])
    _axis(made, 1, ("UTC", "s", 0.0, step), "time after DATEREF")
    _axis(made, 2, ("HEIGHT", "solRad", float(series.heights[0]), series.step), "from the Sun's centre")
    return Frame(*_flagged(values), made, dims=("height", "epoch"))


def _difference(
    series: Series, significant: F32, strongest: Ejection | None, header: fits.Header, first: Frame
) -> Frame:
    """The frame in which the strongest front is in the middle of its way; the last one without any."""
    index = len(series.seconds) - 1
    if strongest:
        index = int(np.abs(series.seconds - np.median(strongest.seconds)).argmin())
    made = header.copy()
    for axis, what in ((1, "position angle"), (2, "from the Sun's centre")):
        cards = [first.header[f"{name}{axis}"] for name in ("CTYPE", "CUNIT", "CRVAL", "CDELT")]
        _axis(made, axis, (cards[0], cards[1], cards[2], cards[3]), what)
    made["MAPTIME"] = (float(series.seconds[index]), "[s] after DATEREF")
    made["BTYPE"] = ("stat.snr", "UCD 1+ of the values")
    made["BNAME"] = "Brightness over what it was before, over its noise, at MAPTIME"
    return Frame(*_flagged(significant[index]), made, first.source, dims=("height", "position_angle"))


def _axis(header: fits.Header, axis: int, cards: tuple[str, str, float, float], what: str) -> None:
    header[f"CTYPE{axis}"] = (cards[0], what)
    header[f"CUNIT{axis}"] = cards[1]
    header[f"CRPIX{axis}"] = 1.0
    header[f"CRVAL{axis}"] = cards[2]
    header[f"CDELT{axis}"] = cards[3]


def _flagged(values: NDArray[np.floating]) -> tuple[F32, NDArray[np.uint16]]:
    quality = np.where(np.isfinite(values), 0, int(Quality.MISSING)).astype(np.uint16)
    return np.asarray(values, np.float32), quality


def _header(kept: Sequence[tuple[float, Frame]], begin: datetime, number: int) -> fits.Header:
    made = kept[0][1].header.copy()
    for name in [name for name in made if name.startswith((*_GRID, "CMEHGT"))]:
        made.remove(name)
    last = kept[-1][1].header
    made["DATE-END"] = (str(last.get("DATE-END", last.get("DATE-OBS"))), "of the last frame")
    made["DATEREF"] = (begin.replace(tzinfo=None).isoformat(timespec="milliseconds"), "zero of times, UTC")
    made["NFRAMES"] = (len(kept), "frames of the series")
    made["NCME"] = (number, "found by a program, not validated")
    made["BUNIT"] = ("", "QUNITn has the units of tables")
    return made


def _table(header: fits.Header, values: F32, columns: table.Columns, what: str, source: str) -> Frame:
    made = header.copy()
    table.describe(made, columns)
    made["BTYPE"] = ("meta.table", "UCD 1+ of the values")
    made["BNAME"] = f"{what}: a row for each, QNAMEn names the columns"
    return Frame(*_flagged(values), made, source, dims=("row", "quantity"))


def _caveats(
    series: Series, frames: Sequence[Frame], found: Sequence[Ejection], params: EjectionParams
) -> list[str]:
    said = [f"find_ejections: {sentence}" for sentence in (_LABEL, _PROJECTED, _ERRORS)]
    if twice := len(frames) - len(series.seconds):
        said.append(f"find_ejections: {twice} frames of a time that another one has were left out")
    gaps = np.diff(series.seconds)
    gaps = gaps[gaps > _GAP * series.cadence]
    if gaps.size:
        said.append(
            f"find_ejections: {gaps.size} gaps, the longest of {gaps.max() / 60:.0f} min; what crossed the "
            "field in them is not in the catalogue, and what began in them begins too late"
        )
    fast = series.field / (params.least_frames * series.cadence)
    if fast < params.fastest:
        said.append(
            f"find_ejections: at {series.cadence:.0f} s from frame to frame ejections faster than {fast:.0f} "
            f"km/s are seen in fewer than {params.least_frames} frames and missed"
        )
    if len(found) > params.most:
        said.append(f"find_ejections: the catalogue has the first {params.most} of {len(found)}")
    return said
