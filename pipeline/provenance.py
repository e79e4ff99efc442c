"""Provenance in the header: what was done to an image, with what, and what it is worth.

Keyword names follow the SOLARNET recommendations (arXiv:2011.12139, sections
8 and 9): one set of ``PR*n`` keywords per step n, pixel statistics and pixel
counts. Original cards are kept unless a step changes them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from importlib import metadata
from string import ascii_uppercase
from typing import Final

import numpy as np
from astropy.io import fits

from pipeline.cards import ChainHeader, Entry, drop, numbered, put
from pipeline.chain import BoundStep
from pipeline.coordinates import reordered
from pipeline.dims import IMAGE, Dims
from pipeline.frame import Frame
from pipeline.kernels.statistics import PERCENTILES, Statistics, count_combinations, statistics
from pipeline.quality import CLASSES, MASKED, NOT_MEASURED, UNUSABLE, Quality
from pipeline.step import ReferenceFile, Step

#: Characters of a mode that leave room for a comment in its card.
_COMMENTED: Final = 54
#: Cards that describe how an integer file stored its numbers, wrong on float data, and sums of its bytes.
_STORAGE_CARDS: Final = (
    *("BLANK", "BSCALE", "BZERO", "CHECKSUM", "DATASUM", "HEADSUM", "ZBLANK", "ZSCALE", "ZZERO"),
)
#: Statistics of the raw numbers under names of the missions' own (SECCHI, then AIA). Beside those of the
#: finished image, which have SOLARNET's names, they would be taken for statistics of what the file holds.
_RAW_STATISTICS: Final = (
    *("DATAAVG", "DATASIG", "DATAMDN", "DATAZER", "DATASAT", "DSATVAL"),
    *("DATACENT", "TOTVALS", "DATAVALS", "MISSVALS", "PERCENTD"),
)
#: Statistics that an instrument's own step may write, and except from SOLARNET's in SOLNETEX.
_STATISTICS: Final = re.compile(r"DATA[A-Z0-9]{1,4}|[DN]SAT[A-Z]{1,4}")
#: What a mask over an image needs of the image's header: its grid on the sky, its time, its observer.
_SHARED: Final = (
    r"(CTYPE|CUNIT|CRPIX|CRVAL|CDELT|CROTA|CNAME){one}A?|(PC|CD){one}_{one}A?|PV{one}_\dA?|LONPOLEA?|LATPOLEA?"
    r"|DATE-(OBS|BEG|AVG|END)|DATEREF|DSUN_OBS|HGL[NT]_OBS|RSUN_(OBS|REF)"
)
_OF_IMAGES: Final = re.compile(_SHARED.replace("{one}", "[12]"))
#: Those of a spectrum or a cube say besides what its wavelengths are measured in.
_OF_CUBES: Final = re.compile(
    _SHARED.replace("{one}", "[1-9]") + r"|WCSAXESA?|SPECSYSA?|RESTWAVA?|RESTFRQA?|SSYSOBSA?|VELOSYSA?"
)
#: Cards of steps that were done, and of what they went without.
_PROVENANCE: Final = re.compile(
    r"PR(STEP|PROC|PVER|PARA|REF|MODE|UNC)\d+|PR(LIB|VER)\d+[A-Z]|(ASSUME|OMIT)\d+"
)


def begin(header: fits.Header) -> fits.Header:
    """A copy of a raw header without the cards that only held for the raw file."""
    result = ChainHeader.of(header)
    own = _own_statistics(header)
    drop(result, (*_STORAGE_CARDS, *own))
    if own:
        result["SOLNETEX"] = ", ".join(name for name in _excepted(header) if name not in own)
    return result


def _excepted(header: fits.Header) -> tuple[str, ...]:
    """Keywords that a header says are not SOLARNET's."""
    return tuple(name.strip() for name in str(header.get("SOLNETEX", "")).split(",") if name.strip())


def _own_statistics(header: fits.Header) -> frozenset[str]:
    """Statistics of an instrument's own that a header excepts from SOLARNET's."""
    return frozenset(name for name in _excepted(header) if _STATISTICS.fullmatch(name))


def record(
    header: fits.Header,
    bound: BoundStep,
    given: Mapping[str, ReferenceFile],
    *,
    modes: Sequence[str] = (),
    idle: bool = False,
    uncertain: bool = False,
) -> None:
    """Write the cards of one more step into `header`; an `idle` one is not claimed to have been done.

    `modes` are words for the ways in which it was not done fully. A step behind which
    the frame has an uncertainty (`uncertain`) says how it carried it.
    """
    n = 1 + sum(1 for _ in numbered(header, "PRSTEP"))
    put(header, _cards_of_step(n, bound, given, modes=modes, idle=idle, uncertain=uncertain))


def _cards_of_step(
    n: int,
    bound: BoundStep,
    given: Mapping[str, ReferenceFile],
    *,
    modes: Sequence[str],
    idle: bool,
    uncertain: bool,
) -> Iterator[Entry]:
    entry = bound.step
    yield f"PRSTEP{n}", entry.prstep, f"processing step {n}"
    yield f"PRPROC{n}", procedure(entry), None
    yield f"PRPVER{n}", entry.version, f"version of {entry.name}"[:40]
    if idle:
        yield f"PRMODE{n}", "NO-CHANGE", "nothing was to do, or nothing to do it with"
    elif modes:
        mode = ",".join(modes)
        yield f"PRMODE{n}", mode, "see CAVEATn" if len(mode) <= _COMMENTED else None
    yield f"PRPARA{n}", json.dumps(bound.params.model_dump(mode="json"), separators=(",", ":")), None
    if uncertain and not idle and entry.uncertainty is not None and entry.uncertainty.says:
        yield f"PRUNC{n}", str(entry.uncertainty), None
    references = [f"{name}={file.did} sha256:{file.sha256[:16]}" for name, file in sorted(given.items())]
    references += [f"{name}=unity (assumed)" for name in sorted(bound.assume - set(given))]
    if references:
        yield f"PRREF{n}", ", ".join(references), None
    for letter, library in zip(ascii_uppercase, ("heliolake", *entry.libraries), strict=False):
        yield f"PRLIB{n}{letter}", library, None
        yield f"PRVER{n}{letter}", library_version(library), None


def procedure(step: Step) -> str:
    """What ``PRPROCn`` calls a step: its function, with the module it is in."""
    return f"{step.function.__module__}.{step.function.__name__}"


def recorded(header: fits.Header) -> Iterator[str]:
    """Names of the ``PRSTEPn`` cards, in order."""
    return iter(sorted(numbered(header, "PRSTEP"), key=lambda name: int(name[6:])))


def assumed(header: fits.Header, need: str) -> fits.Header:
    """A copy that says aloud that a reference was replaced by unity."""
    result = header.copy()
    n = 1 + sum(1 for _ in numbered(result, "ASSUME"))
    result[f"ASSUME{n}"] = (f"{need}=unity", "no reference was used for this")
    return result


def omitted(header: fits.Header, steps: Sequence[str]) -> fits.Header:
    """A copy that names the steps of a complete treatment which the image did not go through.

    Those that an earlier level left out stay named.
    """
    result = header.copy()
    before = [str(result.pop(name)) for name in list(numbered(result, "OMIT"))]
    for n, name in enumerate(dict.fromkeys([*before, *steps]), start=1):
        result[f"OMIT{n}"] = (name, "step of a complete treatment, not done")
    return result


def gathered(header: fits.Header, members: Sequence[fits.Header]) -> fits.Header:
    """The header of one frame made of several, whose steps so far name the references of all of them.

    A header that the step made anew is given the cards of what was done before.
    """
    result = header.copy()
    before = [card for card in members[0].cards if _PROVENANCE.fullmatch(card.keyword)]
    for card in before:
        if card.keyword not in result:
            result.append(card)
    for name in {card.keyword for one in members for card in one.cards if card.keyword.startswith("PRREF")}:
        named = (str(one[name]).split(", ") for one in members if name in one)
        result[name] = ", ".join(dict.fromkeys(did for dids in named for did in dids))
    return result


def finish(frame: Frame, level: str) -> fits.Header:
    """The header of a finished frame: level, statistics, pixel counts and caveats.

    Statistics that a step of the instrument wrote and excepted from SOLARNET's (``SOLNETEX``) stay its own.
    """
    header = frame.header.copy()
    own = _own_statistics(header)
    header["LEVEL"] = (level, "processing level")
    header["CREATOR"] = "Heliolake"
    header["VERS_SW"] = (library_version("heliolake"), "version of Heliolake")
    drop(header, set(_RAW_STATISTICS) - own)
    measured = statistics(frame.data, frame.quality, NOT_MEASURED)
    found = {name: card for name, card in _statistics_cards(measured) if name not in own}
    drop(header, [name for name, (value, _) in found.items() if value is None])
    put(header, ((name, *card) for name, card in found.items() if card[0] is not None))
    _count_pixels(header, frame, measured.count)
    _write_caveats(header, frame.caveats)
    return header


def _write_caveats(header: fits.Header, caveats: Sequence[str]) -> None:
    """One numbered card each; those of an earlier level are among the frame's and are written anew."""
    drop(header, list(numbered(header, "CAVEAT")))
    header["NCAVEATS"] = (len(caveats), "caveats that follow, as CAVEATn")
    written = (sentence.encode("ascii", "replace").decode("ascii") for sentence in caveats)
    put(header, ((f"CAVEAT{n}", sentence, None) for n, sentence in enumerate(written, start=1)))


def _statistics_cards(found: Statistics) -> Iterator[tuple[str, tuple[float | None, str]]]:
    names = {
        "DATAMIN": (found.minimum, "minimum of the measured pixels"),
        "DATAMAX": (found.maximum, "maximum"),
        "DATAMEAN": (found.mean, "mean"),
        "DATAMEDN": (found.percentiles[50], "median"),
        "DATARMS": (found.rms, "RMS deviation from the mean"),
        "DATANRMS": (found.rms / found.mean if found.mean else np.nan, "DATARMS/DATAMEAN"),
        "DATAMAD": (found.mean_absolute_deviation, "mean absolute deviation"),
        "DATAKURT": (found.kurtosis, "excess kurtosis"),
        "DATASKEW": (found.skewness, "skewness"),
        **{f"DATAP{p:02d}": (found.percentiles[p], f"percentile {p}") for p in PERCENTILES},
    }
    for name, (value, comment) in names.items():
        # FITS headers have no NaN: a statistic that does not exist has no card.
        yield name, (float(f"{value:.8g}") if np.isfinite(value) else None, comment)


def _count_pixels(header: fits.Header, frame: Frame, measured: int) -> None:
    """Counts and percentages of SOLARNET's classes of pixels (recommendations, section 5.6.1)."""
    # Flags that are kept for the last axes alone hold at every place of the others.
    every = count_combinations(frame.quality)
    combinations = np.flatnonzero(every)
    counts = every[combinations] * (frame.data.size // frame.quality.size)

    def number(flags: Quality) -> int:
        return int(counts[(combinations & int(flags)) != 0].sum())

    def share(count: int) -> float:
        return round(100.0 * count / total, 4) if total else 0.0

    total = frame.data.size - number(MASKED)
    unmeasured = frame.data.size - number(NOT_MEASURED) - measured  # NaN without a flag
    cards = [("NDATAPIX", "PCT_DATA", frame.data.size - number(UNUSABLE) - unmeasured, "usable pixels")]
    masked = (combinations & int(MASKED)) != 0
    for name, percent, flags in CLASSES:
        own = (combinations & int(flags)) != 0
        if flags & UNUSABLE and flags != MASKED:
            # A masked pixel is none of NTOTPIX, so that it is not lost, saturated or hit besides.
            own &= ~masked
        cards.append((name, percent, int(counts[own].sum()), f"pixels flagged {flags.name}"))
    raw = header.get("NSATPIX")
    entries: list[Entry] = [("NTOTPIX", total, "pixels that are not masked")]
    for name, percent, count, comment in cards:
        entries += [(name, count, comment), (percent, share(count), f"[%] {name}/NTOTPIX")]
    put(header, entries)
    if header["NSATPIX"] == 0 and isinstance(raw, int) and raw > 0:
        # AIA's level 1 counts saturated pixels without saying which; 0 would deny them.
        header["NSATPIX"] = (raw, "saturated in the raw image; none is flagged")
        header.remove("PCT_SATP")
        usable = max(0, header["NDATAPIX"] - raw)  # nor are they usable, whichever they are
        header["NDATAPIX"], header["PCT_DATA"] = usable, share(usable)


def quality_header(
    image: fits.Header, legend: Mapping[int, str], *, dims: Dims = IMAGE, flagged: int = 0
) -> fits.Header:
    """Header cards of a quality plane: where it lies on the sky, and what its bits mean.

    Parameters
    ----------
    image
        Header of the image it belongs to. Its coordinates, time and observer are
        repeated: readers such as `sunpy.map.Map` take every extension for an image
        and refuse a file in which one has no coordinates.
    legend
        Bit value → name.
    dims
        Of the image.
    flagged
        How many of the last of them it has; 0 for all.
    """
    header = _shared(image, dims, dims[len(dims) - (flagged or len(dims)) :])
    header["BTYPE"] = "quality flags"
    header["BUNIT"] = ""
    for bit, name in legend.items():
        header[f"QBIT{bit.bit_length() - 1}"] = (name, f"value {bit}")
    return header


def uncertainty_header(image: fits.Header, *, dims: Dims = IMAGE) -> fits.Header:
    """Header cards of an uncertainty plane: its place on the sky, its unit, and how each step carried it.

    ``UTYPE`` is the card by which `astropy.nddata.CCDData.read` knows a
    standard deviation; it looks for an extension ``UNCERT`` by default.
    """
    header = _shared(image, dims, dims)
    header["BTYPE"] = ("uncertainty", "of the image, pixel by pixel")
    header["BUNIT"] = (image.get("BUNIT", ""), "unit of the image")
    header["UTYPE"] = ("StdDevUncertainty", "one standard deviation")
    for card in image.cards:
        if re.fullmatch(r"PRUNC\d+", card.keyword):
            header[card.keyword] = card.value
    return header


def _shared(image: fits.Header, dims: Dims, kept: Dims) -> fits.Header:
    if dims == IMAGE:
        return fits.Header(card for card in image.cards if _OF_IMAGES.fullmatch(card.keyword))
    cards = reordered(image, dims, kept).cards
    return fits.Header(card for card in cards if _OF_CUBES.fullmatch(card.keyword))


@lru_cache(maxsize=64)
def library_version(distribution: str) -> str:
    """The installed version of a distribution, ``unknown`` where it has none."""
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return "unknown"
