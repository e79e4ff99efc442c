"""Step 1: refuse known bad images and put right what level-0 headers are known to have wrong."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path, PurePath
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import BadInput
from pipeline.frame import Frame
from pipeline.instrument import parse_date
from pipeline.instruments.stereo_hi import facts, telemetry
from pipeline.quality import Quality
from pipeline.step import Params, ReferenceNeed, References, step

#: Exposures the observing programme adds up (§1, "QC used in ports").
_USUAL_SUMS: Final = {"HI1": (30, 15), "HI2": (99,)}
#: Span from the first to the last exposure of a sum that went into a beacon image (§1, "Beacon dates").
_BEACON_SPANS: Final = {
    30: (timedelta(minutes=29, seconds=40), timedelta(minutes=14, seconds=50)),
    99: (timedelta(hours=1, minutes=38, seconds=50), timedelta(minutes=49, seconds=25)),
}
#: On-board codes "use the HI-1/HI-2 summing buffer as output" (named so in the headers' IP_PROG comments).
_SUMMING_BUFFERS: Final = frozenset({37, 38})


class PrepareParams(Params):
    """What `prepare` may do.

    Attributes
    ----------
    expect_bad_image_list
        Add a caveat when the context has no list of bad images.
    blank_lines_missing
        Take whole columns or rows of zeros for telemetry that was never sent.
    """

    expect_bad_image_list: bool = False
    blank_lines_missing: bool = True


@step(
    "prepare",
    version=2,
    prstep="TELEMETRY-PARSING",
    instrument="stereo_hi",
    takes=("DN",),
    needs=(
        ReferenceNeed(
            "bad_image_list",
            "a text file with one file name per line (# starts a comment) of images that were corrupted",
            optional=True,
        ),
    ),
)
def prepare(frame: Frame, params: PrepareParams, references: References) -> Frame:
    """Refuse bad images, correct the counters and dates of level-0 headers, flag what did not arrive.

    Corrections (science.md §1): IMGSEQ of single full-resolution images is 0
    ("Order"); beacon images of a summing buffer hold N_IMAGES = IMGSEQ + 1
    exposures, whose dates and EXPTIME follow ("Beacon dates"). BLANK = 0 of
    level-0 files is not believed: zeros are data, except where whole columns
    or rows hold nothing else, which no detector with a bias and a sky makes.
    """
    frame = _refuse_listed(frame, params, references)
    if not frame.data.any():
        raise BadInput(
            "the image is zero throughout",
            file=frame.source,
            keyword="DATAMAX",
            found=frame.header.get("DATAMAX", "absent"),
            advice="nothing of it reached the ground; leave the file out",
        )
    _require_one_summing(frame)
    frame = frame.replace(header=frame.header.copy())
    _correct_sequence(frame)
    frame = _correct_sum(frame)
    frame = _flag_lost(frame)
    frame = _judge_counts(frame)
    doubt = facts.orientation(frame).doubt
    if doubt:
        frame = frame.with_caveat(doubt)
    return _flag_blank_lines(frame) if params.blank_lines_missing else frame


def _require_one_summing(frame: Frame) -> None:
    """Refuse a header whose counters of summed pixels contradict each other: values go with their square.

    SUMMED is CCDSUM and IPSUM together, as real headers have it. The mission's level 1 has IPSUM = 1 whatever
    the image is, and nothing else may tell it from a raw one.
    """
    on_board, on_ccd = frame.keyword("IPSUM", float), frame.keyword("CCDSUM", float, default=1.0)
    whole = frame.keyword("SUMMED", float, default=on_board + on_ccd - 1.0)
    told = f"IPSUM = {on_board:g}, CCDSUM = {on_ccd:g}, SUMMED = {whole:g}"
    advice = "correct the counters of summed pixels; level 1 of the mission has IPSUM = 1 and is not raw"
    if whole != on_board + on_ccd - 1.0:
        raise BadInput(
            "SUMMED should be what IPSUM and CCDSUM make together",
            file=frame.source,
            keyword="IPSUM, CCDSUM, SUMMED",
            found=told,
            advice=advice,
        )


def read_bad_image_list(path: str) -> frozenset[str]:
    """Stems of the listed files, lower case; ``#`` and ``;`` start comments, blank lines are skipped."""
    names = set()
    for line in Path(path).read_text(encoding="utf-8", errors="replace").splitlines():
        words = line.split("#")[0].split(";")[0].split()
        if words:
            names.add(_stem(words[0]))
    return frozenset(names)


def _stem(name: str) -> str:
    return PurePath(name.strip()).name.split(".")[0].lower()


def _refuse_listed(frame: Frame, params: PrepareParams, references: References) -> Frame:
    if "bad_image_list" not in references:
        if params.expect_bad_image_list:
            return frame.with_caveat("no list of bad images was at hand; this image was not looked up in one")
        return frame
    reference = references["bad_image_list"]
    listed = reference.load(read_bad_image_list)
    for name in (str(frame.header.get("FILENAME", "")), frame.source):
        if name and _stem(name) in listed:
            raise BadInput(
                f"the image is on the list of bad images {reference.did}",
                file=frame.source,
                keyword="FILENAME",
                found=name,
                advice="leave it out; it was corrupted on board or on its way to the ground",
            )
    return frame


def _correct_sequence(frame: Frame) -> None:
    header = frame.header
    if frame.data.shape[1] > 1024 and header.get("IMGSEQ", 0) != 0 and facts.images_summed(frame) == 1:
        header.add_history(f"IMGSEQ was {header['IMGSEQ']}; a single full-resolution image is number 0")
        header["IMGSEQ"] = 0


def _correct_sum(frame: Frame) -> Frame:
    """Beacon images are sums whose headers speak of their last exposure only."""
    header = frame.header
    sequence = frame.keyword("IMGSEQ", int, default=0)
    from_buffer = bool(_SUMMING_BUFFERS & set(facts.codes(frame)))
    if not (from_buffer and facts.images_summed(frame) == 1 and sequence > 0):
        return frame
    number, once = sequence + 1, frame.keyword("EXPTIME", float)
    if once <= 0:  # said of what the header says, not of the product below
        raise BadInput(
            "the exposure time is not positive",
            file=frame.source,
            keyword="EXPTIME",
            found=header["EXPTIME"],
            advice="correct EXPTIME or leave the file out",
        )
    header.add_history(
        f"sum of {number} exposures whose header described the last one: N_IMAGES was 1, "
        f"EXPTIME {once}, DATE-OBS {header.get('DATE-OBS')}"
    )
    header["NIMG_RAW"] = (1, "N_IMAGES of the raw header; corrected")
    header["EXPT_RAW"] = (once, "[s] EXPTIME of the raw header; corrected")
    header["DOBS_RAW"] = (str(header.get("DATE-OBS", "")), "DATE-OBS of the raw header")
    header["EXPTIME"] = (once * number, "[s] of all summed exposures")
    header["N_IMAGES"] = number
    frame = frame.with_caveat(
        f"the raw header describes the last of {number} summed exposures; N_IMAGES (1), EXPTIME ({once:g} s) "
        f"and the dates were corrected, which makes a rate {number} times smaller than the raw header's",
        mode="HEADER-CORRECTED",
    )
    end = parse_date(str(header.get("DATE-END", "")))
    if number in _BEACON_SPANS and end is not None:
        span, half = _BEACON_SPANS[number]
        for name, value in (("DATE-OBS", end - span), ("DATE-CMD", end - span), ("DATE-AVG", end - half)):
            header[name] = value.replace(tzinfo=None).isoformat(timespec="milliseconds")
        return frame
    return frame.with_caveat(
        f"DATE-OBS and DATE-AVG belong to the last of {number} summed exposures; the span is not known"
    )


def _judge_counts(frame: Frame) -> Frame:
    number, detector = facts.images_summed(frame), facts.detector(frame)
    if number > 1 and number not in _USUAL_SUMS[detector]:
        usual = " or ".join(map(str, _USUAL_SUMS[detector]))
        frame = frame.with_caveat(f"{number} exposures were summed where {detector} usually sums {usual}")
    if facts.is_science_sum(frame) and number > 1:
        sequence = frame.keyword("IMGSEQ", int, default=number - 1)
        if sequence + 1 != number:
            frame = frame.with_caveat(f"IMGSEQ {sequence} does not belong to a sum of {number} exposures")
        # The counter of the cosmic-ray report is the smallest pixel of a sound image (§1, QC).
        minimum = frame.header.get("DATAMIN")
        if isinstance(minimum, (int, float)) and minimum != number:
            frame = frame.with_caveat(
                f"DATAMIN is {minimum:g}, not the {number} of the cosmic-ray report's counter"
            )
    return frame


def _flag_lost(frame: Frame) -> Frame:
    """Flag the blocks of MISSLIST while their zeros can still be seen; `missing_blocks` makes them NaN."""
    lost, doubt = telemetry.lost_pixels(frame)
    if doubt:
        frame = frame.with_caveat(doubt)
    count = int(np.count_nonzero(lost))
    if not count:
        return frame
    blocks = len(telemetry.lost_blocks(frame))
    quality = np.where(lost, frame.quality | np.uint16(Quality.MISSING), frame.quality)
    return frame.replace(quality=quality).with_caveat(
        f"{blocks} block{'' if blocks == 1 else 's'} of telemetry did not reach the ground: {count} pixels "
        f"({100.0 * count / lost.size:.1f} % of the image) hold no values"
    )


def _flag_blank_lines(frame: Frame) -> Frame:
    blank = blank_lines(frame.data)
    count = int(np.count_nonzero(blank))
    if count == 0:
        return frame
    quality = frame.quality.copy()
    quality[blank] |= np.uint16(Quality.MISSING)
    share = 100.0 * count / blank.size
    return frame.replace(quality=quality).with_caveat(
        f"{share:.1f} % of the image are whole columns or rows of zeros; they were taken as never sent"
    )


def blank_lines(data: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Columns and rows that are zero throughout; shape (y, x)."""
    used = data != 0
    result: NDArray[np.bool_] = ~used.any(axis=0)[None, :] | ~used.any(axis=1)[:, None]
    return result
