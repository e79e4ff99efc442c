"""One cube of the slit files of a map, with what its header has to say."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

from pipeline.errors import BadInput
from pipeline.frame import Frame
from pipeline.instruments.kis_gris import facts, quicklook
from pipeline.instruments.kis_gris.geometry import Place, place_of, slit_of
from pipeline.instruments.kis_gris.scan import Sorted, sorted_scan
from pipeline.quality import Quality
from pipeline.step import Params, References, gather

Shape = tuple[int, ...]
CUBE: Final = ("stokes", "wavelength", "y", "x")
#: Pixels by which wavelength scales of slit positions may differ.
_SAME_SCALE: Final = 0.1
#: Pixels from the others' scale beyond which a position is left out: its lines would lie elsewhere.
_ONE_SCALE: Final = 1.0
#: Part of a step by which positions may be off a straight scan, and by which the step may be off STEPSIZE.
_STRAIGHT, _SAME_STEP = 0.5, 0.2
#: Slit positions that are written at once.
_AT_ONCE: Final = 32
#: Cards of one slit file that mean nothing for a map.
_OF_ONE: Final = ("IFILE", "NFILES", "FILESTAT", "AZIMUT", "ELEVATIO", "HOURANGL", "PARAANGL", "ROTANGLE")


class MapParams(Params):
    """`slit_map` has nothing to choose."""


def _cube(params: MapParams, shape: Shape) -> Shape:
    return (*shape[1:4], shape[0] * shape[4])


@gather(
    "slit_map",
    version=2,
    prstep="CONCATENATION",
    instrument="kis_gris",
    memory_factor=2.4,
    dims=CUBE,
    output_shape=_cube,
    output_dims=lambda params, dims: dims[1:],
)
def slit_map(frames: Sequence[Frame], params: MapParams, references: References) -> Frame:
    """Put the slit positions of a map side by side; missing ones are flagged, doubled ones used once."""
    scan, apart = _of_one_scale(sorted_scan(frames))
    first = scan.kept[min(scan.kept)]
    width, rows = first.data.shape[3], first.data.shape[2]
    data = np.full(_cube(params, (scan.places, *first.data.shape)), np.nan, dtype=np.float32)
    quality = np.full(data.shape[1:], Quality.MISSING, dtype=np.uint16)
    for places in _together(scan):
        columns = slice(places[0] * width, (places[-1] + 1) * width)
        for index, one in enumerate(data):  # a Stokes parameter at a time: less lies beside the cube
            one[..., columns] = np.concatenate([scan.kept[place].data[index] for place in places], axis=-1)
        flags = [_flags(scan.kept[place], quality.shape[0]) for place in places]
        quality[..., columns] = np.concatenate(flags, axis=-1)
    header = first.header.copy()
    for name in _OF_ONE:
        header.remove(name, ignore_missing=True, remove_all=True)
    made = Frame(data, quality, header, first.source, dims=CUBE)
    for sentence in (*scan.caveats, *apart, *_same_wavelengths(scan)):
        made = made.with_caveat(sentence)
    made = _placed(made, scan, width, rows)
    _say_observation(header, scan, data.shape[0])
    return made


def _together(scan: Sorted) -> Iterator[list[int]]:
    """Positions beside one another, some at a time: single columns of an array are slow to write."""
    run: list[int] = []
    for place in sorted(scan.kept):
        if run and (place != run[-1] + 1 or len(run) == _AT_ONCE):
            yield run
            run = []
        run.append(place)
    yield run


def _flags(frame: Frame, wavelengths: int) -> NDArray[np.uint16]:
    """Flags over (wavelength, y, x), whatever axes a frame has them for."""
    plane = frame.quality
    if plane.ndim == len(CUBE):
        plane = np.bitwise_or.reduce(plane, axis=0)
    return np.broadcast_to(plane, (wavelengths, *frame.data.shape[2:]))


def _of_one_scale(scan: Sorted) -> tuple[Sorted, list[str]]:
    """The scan without positions whose wavelengths are others than most have: a map has one scale for all."""
    ends, step = _ends(scan)
    if not step:
        return scan, []
    away = np.abs(ends - np.median(ends, axis=0)).max(axis=1) / step
    wrong = [place for place, pixels in zip(scan.kept, away, strict=True) if pixels > _ONE_SCALE]
    if not wrong:
        return scan, []
    if len(wrong) > len(scan.kept) // 2:
        raise BadInput(
            "the slit positions have no wavelength scale in common",
            file=scan.kept[wrong[0]].source,
            keyword="CRVAL3, CDELT3",
            found=f"up to {away.max():.1f} pixels from one another",
            advice="calibrate their wavelengths alike, or make maps of those that are alike",
        )
    named = ", ".join(str(place + 1) for place in sorted(wrong))
    kept = {place: frame for place, frame in scan.kept.items() if place not in wrong}
    sentence = (
        f"slit positions with wavelengths up to {away.max():.1f} pixels off the others' were left empty: "
    )
    return scan._replace(kept=kept), [sentence + named]


def _ends(scan: Sorted) -> tuple[NDArray[np.float64], float]:
    """First and last wavelength of each position, by CRVAL3 and CDELT3 alone, and Å of a pixel."""
    scales = np.array(
        [
            [frame.keyword(name, float, default=0.0) for name in ("CRVAL3", "CDELT3")]
            for frame in scan.kept.values()
        ]
    )
    number = next(iter(scan.kept.values())).data.shape[1]
    ends = np.stack([scales[:, 0], scales[:, 0] + (number - 1) * scales[:, 1]], axis=1)
    return ends, float(np.median(np.abs(scales[:, 1])))


def _same_wavelengths(scan: Sorted) -> list[str]:
    """A sentence where the wavelength scales of slit positions differ."""
    ends, step = _ends(scan)
    apart = float(np.ptp(ends, axis=0).max()) / step if step else 0.0
    if apart <= _SAME_SCALE:
        return []
    return [
        f"wavelengths of slit positions differ by up to {apart:.2f} pixels; those of the first are written"
    ]


def _placed(made: Frame, scan: Sorted, width: int, rows: int) -> Frame:
    """The map with its coordinates, as far as the slit files tell them."""
    header = made.header
    slits = {
        place: slit
        for place, frame in scan.kept.items()
        if (slit := slit_of(frame.header, width, rows)) is not None
    }
    place = place_of(slits, scan.places)
    size = facts.positive(header, "STEPSIZE")
    if place is None:
        for axis in (1, 2):
            header.remove(f"CTYPE{axis}", ignore_missing=True)
        return made.with_caveat("the slit files say nothing of where on the Sun they lie")
    place = place._replace(step=(place.step[0] / width, place.step[1] / width))
    place.write(header, scan.places * width, rows)
    step = place.scales[0] * width
    header["FOVX"] = (round(scan.places * step, 3), "[arcsec] field across the slit")
    header["FOVY"] = (round(rows * place.scales[1], 3), "[arcsec] field along the slit")
    _say_angle(header, place)
    if place.scatter > _STRAIGHT * step:
        made = made.with_caveat(
            f'slit positions are off a straight scan by {place.scatter:.2f}" (root mean square)'
        )
    if size is None:
        header["STEPSIZE"] = (round(step, 4), "[arcsec] by the coordinates of the slit positions")
    elif len(slits) > 1 and abs(step / size - 1.0) > _SAME_STEP:
        made = made.with_caveat(f'coordinates say a step of {step:.3f}", STEPSIZE says {size:.3f}"')
    if not header.get("SIMULATD"):
        made = made.with_caveat(
            "coordinates are those of the slit files, some of whose angles the data centre calls unreliable; "
            "compare with an image of the whole disk"
        )
    return made


def _say_angle(header: fits.Header, place: Place) -> None:
    radius = facts.positive(header, "RSUN_OBS") or facts.positive(header, "R0RADIUS")
    seen = None if radius is None else facts.heliocentric(*place.centre, radius)
    if seen is not None:
        header["THETA"] = (round(seen[0], 3), "[deg] heliocentric angle of the map's middle")
        header["MU"] = (round(seen[1], 4), "its cosine")


def _say_observation(header: fits.Header, scan: Sorted, parameters: int) -> None:
    frames = list(scan.kept.values())
    header["OBSTYPE"] = (facts.observation_type(header), "observation type")
    header["IMGSYS"] = (facts.imaging_system(header), "imaging system")
    header["OBS_MODE"] = ("Polarimetric" if parameters == 4 else "Spectroscopic", "observation mode")
    header["NSLITS"] = (scan.places, "slit positions of the map")
    header["NSLITMIS"] = (len(scan.missing), "of which so many are missing")
    header["NSLITDUP"] = (scan.doubled, "files of positions that were there already")
    ends = [
        str(one.header[name]) for one in frames for name in ("DATE-END", "DATE-OBS") if name in one.header
    ]
    if ends:
        header["DATE-END"] = (max(ends), "end of the last slit position, UTC")
    facts.add_exposure(header)
    if (r0 := facts.span(frames, "ATMOS_R0")) is not None:
        values = [value for one in frames if (value := facts.positive(one.header, "ATMOS_R0")) is not None]
        header["ATMOS_R0"] = (round(float(np.mean(values)), 5), "[m] Fried's parameter, mean")
        header["R0MIN"] = (round(100.0 * r0[0], 3), "[cm] smallest")
        header["R0MAX"] = (round(100.0 * r0[1], 3), "[cm] largest")
    first, step = header.get("CRVAL3"), header.get("CDELT3")
    if isinstance(first, (int, float)) and isinstance(step, (int, float)):
        at = quicklook.wavelengths(frames[0])
        header["WAVEMIN"] = (round(float(at.min()), 4), "[Angstrom] shortest wavelength")
        header["WAVEMAX"] = (round(float(at.max()), 4), "[Angstrom] longest wavelength")
