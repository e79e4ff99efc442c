"""The estimation as a reduction, which any instrument that sees the whole disk can offer.

Partial results are sums of some tens of kB, whatever the number of frames, so that memory is bounded by a
block of frames and the cost is linear in them. The first pass finds the PSF; the second leaves out the frames
that the first pass's mean contradicts (clouds, flares, pointing in motion) and goes over the others again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

from pipeline.errors import BadInput
from pipeline.kernels.limb import Circle, find_limb
from pipeline.psf.body import find_body
from pipeline.psf.epochs import Edges, changes, drift, edge_width
from pipeline.psf.estimate import Design, estimate
from pipeline.psf.plot import draw
from pipeline.psf.reference import Psf, cards, read_psf, tables
from pipeline.psf.rings import BIN, INNER
from pipeline.psf.statistics import Statistics, of_disk, of_occulted_disk
from pipeline.psf.suns import day_of
from pipeline.quality import NOT_MEASURED, Quality, flagged
from pipeline.reducing import reference_file
from pipeline.reduction import Origin, Reduced, ReductionKind, StackBlock, register

#: Frames below which there is no PSF, and below which its errors are larger than the floor that was measured.
FEWEST: Final = 2
FEW: Final = 20
#: Root mean square, over that of most frames, by which the limb of a frame may differ from their mean.
_ODD: Final = 6.0
#: Largest share of a frame that may be missing.
_MISSING: Final = 0.02

#: What is known of the instrument of a frame, from its header; `None` of a frame that tells nothing.
Designs = Callable[[fits.Header], Design | None]


@dataclass(frozen=True)
class Sums:
    """Partial result: sums over frames, who they were, and how far each one's limb is from the mean.

    Attributes
    ----------
    statistics
        Sums over the frames.
    used
        Their names.
    header
        Of the earliest of them, as FITS text: it tells the instrument's design.
    frame
        (ny, nx) of all of them.
    simulated
        Whether any was.
    edges
        How wide the edge was that each showed, and when it began.
    odd, left_out
        Sums over the frames that the mean of the pass before contradicts, and their names.
    """

    statistics: Statistics
    used: frozenset[str]
    header: str
    frame: tuple[int, int]
    simulated: bool
    edges: Edges = field(default_factory=dict)
    odd: Statistics = field(default_factory=Statistics.none)
    left_out: frozenset[str] = frozenset()

    @property
    def mean_limb(self) -> NDArray[np.float64] | None:
        """The mean of their limbs; `None` where none showed one."""
        limb = self.statistics.limb
        return limb.total / np.maximum(limb.weight, 1) if limb.frames else None


@dataclass(frozen=True)
class PsfReduced(Reduced):
    """A PSF as the result of a pass, and the mean limb that frames are measured against in the next."""

    psf: Psf | None = None
    limb: NDArray[np.float64] | None = None


@dataclass(frozen=True)
class PsfOfFrames:
    """One pass over the frames.

    Attributes
    ----------
    designs
        What is known of their instrument.
    before
        What the pass before found.
    """

    designs: Designs
    before: NDArray[np.float64] | None = None

    def map(self, block: StackBlock) -> Sums:
        """Sums over a block; frames without a whole disk are left out."""
        bad = flagged(block.quality, NOT_MEASURED | Quality.LOW_CONFIDENCE) | ~np.isfinite(block.image)
        used: list[str] = []
        left_out: list[str] = []
        edges: dict[str, tuple[str, str, float]] = {}
        total, odd, chosen, simulated = Statistics.none(), Statistics.none(), "", False
        headers = block.headers or tuple(fits.Header() for _ in block.sources)
        for image, missing, name, header in zip(block.image, bad, block.sources, headers, strict=True):
            if missing.mean() > _MISSING:
                continue
            found = self._of(np.where(missing, np.float32(np.nan), image), header)
            if found is None:
                continue
            edges |= _edge(name, header, found)
            if self._is_odd(found):
                odd += found
                left_out.append(name)
            else:
                total += found
                used.append(name)
            chosen = min(filter(None, (chosen, header.tostring())), key=_date_of, default="")
            simulated |= bool(header.get("SIMULATD", False))
        shape = block.image.shape[-2:]
        return Sums(total, frozenset(used), chosen, shape, simulated, edges, odd, frozenset(left_out))

    def combine(self, first: Sums, second: Sums) -> Sums:
        """Of both."""
        header = min(filter(None, (first.header, second.header)), key=_date_of, default="")
        return Sums(
            first.statistics + second.statistics,
            first.used | second.used,
            header,
            first.frame,
            first.simulated or second.simulated,
            {**first.edges, **second.edges},
            first.odd + second.odd,
            first.left_out | second.left_out,
        )

    def finish(self, partial: Sums) -> PsfReduced:
        """The PSF.

        Raises
        ------
        BadInput
            When no frame shows a whole disk, the frames are of several epochs, or nothing of the PSF is
            identified and none was known before.
        """
        partial = _none_is_odd_where_most_are(partial)
        if not partial.used:
            raise BadInput(
                "no frame shows a disk to learn a PSF from",
                keyword="QUALITY",
                found="no limb in any frame",
                advice="give frames of the whole disk, without gaps",
            )
        _require_one_epoch(partial.edges)
        design = self.designs(fits.Header.fromstring(partial.header))
        if design is None:
            raise ValueError("a frame that has no design was used")
        psf = estimate(partial.statistics, design, partial.frame)
        psf = replace(psf, simulated=psf.simulated or partial.simulated)
        values = psf.kernels if psf.centres else psf.kernels[0]
        count = np.full(values.shape, len(partial.used), np.int32)
        told = {
            card.keyword: (card.value, card.comment) for card in cards(psf).cards if card.keyword != "COMMENT"
        }
        limb = partial.mean_limb
        return PsfReduced(values, count, partial.used, told, psf.findings(), psf.reasons, psf=psf, limb=limb)

    def _of(self, image: NDArray[np.float32], header: fits.Header) -> Statistics | None:
        """What a frame tells; `None` of one that shows no disk."""
        design = self.designs(header)
        if design is None:
            return None
        found = find_limb(image)
        # Of a Sun that is half hidden no circle is found, or that of what hides it: the header's will do.
        sun = _told_disk(header) or (found.circle if found else None)
        body = find_body(image, sun) if sun and "occulter" in design.terms else None
        if sun and body:
            statistics = of_occulted_disk(image, body, sun, day_of(header))
            return statistics if statistics.edge.frames else None
        if found is None:
            return None
        return of_disk(image, found.circle, sharp=design.sharp, tiles=design.tiles, day=day_of(header))

    def _is_odd(self, statistics: Statistics) -> bool:
        """Whether its limb is not that of the others."""
        if self.before is None or not statistics.limb.frames:
            return False
        near = slice(int((-20.0 - INNER) / BIN), int((20.0 - INNER) / BIN))
        apart = statistics.limb.total[near] - self.before[near]
        noise = np.sqrt(np.mean((statistics.limb.white + statistics.limb.smooth)[near])) + 1e-3
        return bool(np.sqrt(np.mean(apart**2)) > _ODD * noise)


def _none_is_odd_where_most_are(partial: Sums) -> Sums:
    """Frames most of which their mean contradicts differ by what they show, and none is left out."""
    if len(partial.left_out) <= len(partial.used):
        return partial
    return replace(
        partial,
        statistics=partial.statistics + partial.odd,
        used=partial.used | partial.left_out,
        odd=Statistics.none(),
        left_out=frozenset(),
    )


def _edge(name: str, header: fits.Header, told: Statistics) -> Edges:
    """The edge that a frame shows, if it does."""
    kind, rings = ("limb", told.limb) if told.limb.frames else ("occulter", told.edge)
    if not rings.frames:
        return {}
    return {name: (str(header.get("DATE-OBS", header.get("DATE-BEG", ""))), kind, edge_width(rings))}


def _require_one_epoch(edges: Edges) -> None:
    """Refuse frames from before and after a change: their PSF would be that of neither."""
    found = changes(edges)
    if found:
        times = ", ".join(f"by {100.0 * change:+.0f} % at {begin}" for begin, change in found)
        raise BadInput(
            f"the frames are of {len(found) + 1} epochs, between which the PSF changed",
            keyword="DATE-OBS",
            found=f"the width of the edge changes {times}",
            advice="make a PSF of each: give "
            + " ".join(f"--epoch {begin}" for begin, _ in found)
            + ", or earlier times at which the instrument was changed",
        )
    drifted = drift(edges)
    if drifted:
        raise BadInput(
            "the PSF drifts from frame to frame, and they are too few to be cut into epochs",
            keyword="DATE-OBS",
            found=f"the width of the edge changes by {100.0 * drifted:+.0f} % from the first to the last",
            advice="give more frames of that time, or those of a shorter one",
        )


def _told_disk(header: fits.Header) -> Circle | None:
    """The disk as a header has it, to some pixels; `None` where it does not."""
    radius, scale = header.get("RSUN_OBS", header.get("RSUN")), header.get("CDELT1")
    middle = [header.get(f"CRPIX{axis}") for axis in (1, 2)]
    numbers = (radius, scale, *middle)
    if (
        not all(isinstance(one, (int, float)) and np.isfinite(one) for one in numbers)
        or not radius
        or not scale
    ):
        return None
    return Circle(float(middle[0]) - 1.0, float(middle[1]) - 1.0, float(radius) / abs(float(scale)))


def psf_file(reduced: Reduced, origin: Origin, caveats: Sequence[str] = ()) -> fits.HDUList:
    """The reference: `pipeline.psf.reference.read_psf` reads it."""
    psf = reduced.psf if isinstance(reduced, PsfReduced) else None
    if psf is None:
        raise ValueError("a PSF is written from what `PsfOfFrames` made")
    found = reference_file(reduced, origin, caveats)
    found[0].header["BUNIT"] = ("1", "share of the light")
    del found["COUNT"]
    found.extend(tables(psf))
    return found


def psf_reduction(
    instrument: str, *, level: str, designs: Designs, alike: Sequence[str] = (), need: str = "psf"
) -> ReductionKind:
    """Offer the reduction ``psf`` for an instrument: ``heliolake reduce psf --instrument INSTRUMENT``.

    Parameters
    ----------
    instrument, level
        Of the frames: whole disks, corrected for dark and flat.
    designs
        What is known of the instrument, from a frame's header; a function of a module.
    alike
        Searchable values in which all frames of one PSF agree.
    need
        The `ReferenceNeed` that the result answers.
    """
    return register(
        ReductionKind(
            name="psf",
            instrument=instrument,
            level=level,
            need=need,
            alike=tuple(alike),
            prepare=_First(designs),
            further=(_Again(designs),),
            write=psf_file,
            fewest=FEWEST,
            few=FEW,
            dims=("y", "x"),
            draw=_drawn,
            summary="the point spread function, of the limb, of structure and of occulted frames",
        )
    )


def _drawn(reference: Path, picture: Path) -> None:
    draw(read_psf(reference), picture)


@dataclass(frozen=True)
class _First:
    designs: Designs

    def __call__(self, frames: int) -> PsfOfFrames:
        return PsfOfFrames(self.designs)


@dataclass(frozen=True)
class _Again:
    designs: Designs

    def __call__(self, frames: int, before: Reduced) -> PsfOfFrames:
        return PsfOfFrames(self.designs, before.limb if isinstance(before, PsfReduced) else None)


def _date_of(header: str) -> Any:
    card = header.find("DATE-OBS")
    return (header[card : card + 40] if card >= 0 else "", header)
