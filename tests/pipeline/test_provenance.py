"""What a finished header says is true of the finished image, and of nothing before it."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sunpy.map
from astropy import units as u
from astropy.io import fits

from pipeline import Recipe, provenance
from pipeline.frame import Frame
from pipeline.quality import Quality, legend
from pipeline.step import ReferenceFile
from tests.pipeline.instruments.stereo_hi.frames import frame_of, level_1
from tests.toy import RECIPE

SKY = """
CTYPE1  = 'HPLN-AZP'
CTYPE2  = 'HPLT-AZP'
CTYPE1A = 'RA---AZP'
CTYPE2A = 'DEC--AZP'
CUNIT1  = 'deg     '
CUNIT2  = 'deg     '
CRPIX1  =                  4.5
CRPIX2  =                  3.5
CRVAL1  =                -14.0
CRVAL2  =                  1.0
CDELT1  =                 0.02
CDELT2  =                 0.02
PC1_1   =                  1.0
PC1_2   =                -0.07
PC2_1   =                 0.07
PC2_2   =                  1.0
PV2_1   =                  0.1
DATE-OBS= '2009-04-01T00:08:31.000'
DATE-AVG= '2009-04-01T00:23:21.000'
DSUN_OBS=               1.4E11
HGLN_OBS=                 40.0
HGLT_OBS=                  6.0
EXPTIME =               1200.0
"""


def finished(quality: int = 0, cards: dict[str, Any] | fits.Header | None = None) -> fits.Header:
    header = fits.Header(cards or {})
    flags = np.zeros((4, 8), np.uint16)
    flags[0, 0] = quality
    return provenance.finish(Frame(np.ones((4, 8), np.float32), flags, header), "1")


@pytest.mark.parametrize(
    "name",
    [
        *("DATAAVG", "DATASIG", "DATAMDN", "DATAZER", "DATASAT", "DSATVAL"),
        *("DATACENT", "TOTVALS", "DATAVALS", "MISSVALS", "PERCENTD"),
    ],
)
def test_statistics_of_the_raw_numbers_do_not_outlive_them(name: str) -> None:
    cards = fits.Header({name: 78534.6})
    cards.append((name, 2.0))
    assert name not in finished(cards=cards)


def test_statistics_of_an_instrument_s_own_stay_where_the_header_excepts_them() -> None:
    header = finished(cards={"DATAMIN": 7.0, "DATAZER": 3, "DATAAVG": 9.0, "SOLNETEX": "DATAMIN, DATAZER"})
    assert (header["DATAMIN"], header["DATAZER"]) == (7.0, 3)
    assert "DATAAVG" not in header
    assert header["DATAMEAN"] == 1.0


def test_statistics_of_an_earlier_level_are_not_taken_for_those_of_the_next() -> None:
    begun = provenance.begin(fits.Header({"DATAMIN": 7.0, "POINT_ID": "a", "SOLNETEX": "DATAMIN, POINT_ID"}))
    assert "DATAMIN" not in begun
    assert begun["SOLNETEX"] == "POINT_ID"


def test_sums_of_the_raw_bytes_go() -> None:
    raw = fits.Header({"HEADSUM": "TNeWUKZWTKbWTKZW", "CHECKSUM": "x", "BLANK": 0, "EXPTIME": 2.0})
    assert list(provenance.begin(raw)) == ["EXPTIME"]


@pytest.mark.parametrize(
    ("quality", "raw", "count"), [(0, 0, 0), (0, 731, 731), (int(Quality.SATURATED), 731, 1)]
)
def test_saturated_pixels_the_raw_header_counts_are_not_denied(quality: int, raw: int, count: int) -> None:
    header = finished(quality, {"NSATPIX": raw})
    assert header["NSATPIX"] == count
    assert ("PCT_SATP" in header) == (count != 731)


def test_pixels_are_counted_as_solarnet_defines_its_classes() -> None:
    flags = np.zeros((10, 10), np.uint16)
    flags[0] = Quality.OUTSIDE_FIELD
    flags[1, 0] = Quality.DEAD
    flags[2, :2] = Quality.MISSING
    flags[3, :3] = Quality.SATURATED
    flags[3, 0] |= Quality.MISSING
    flags[4, :4] = Quality.COSMIC_RAY | Quality.INTERPOLATED
    flags[5, :5] = Quality.LOW_CONFIDENCE
    data = np.ones((10, 10), np.float32)
    data[6, 6] = np.nan
    header = provenance.finish(Frame(data, flags, fits.Header()), "1")
    names = ("NMASKPIX", "NTOTPIX", "NLOSTPIX", "NSATPIX", "NSPIKPIX", "NAPRXPIX", "NDATAPIX")
    assert [header[name] for name in names] == [11, 89, 3, 3, 4, 4, 89 - 2 - 3 - 4 - 1]
    assert header["PCT_DATA"] == pytest.approx(100 * 79 / 89, abs=1e-4)
    assert header["PCT_SATP"] == pytest.approx(100 * 3 / 89, abs=1e-4)


def test_steps_are_listed_in_their_order() -> None:
    header = fits.Header({f"PRSTEP{n}": "X" for n in (1, 10, 2, 11)})
    assert list(provenance.recorded(header)) == ["PRSTEP1", "PRSTEP2", "PRSTEP10", "PRSTEP11"]


def test_a_step_that_did_nothing_is_not_claimed_to_have_been_done() -> None:
    product, _ = level_1(frame_of(spacecraft="B"))
    modes = {
        product.header[f"PRPROC{n}"].rpartition(".")[2]: product.header.get(f"PRMODE{n}")
        for n in range(1, 12)
    }
    idle = {name for name, mode in modes.items() if mode == "NO-CHANGE"}
    # No bias is left, nothing saturates or is lost, the archive turned the image, and the flat is assumed.
    assert {"subtract_bias", "missing_blocks", "rectify", "flat_field"} <= idle
    assert not {"cosmic_ray_report", "desmear", "pointing", "photometric_calibration"} & idle


def test_the_quality_plane_lies_where_the_image_lies(tmp_path: Path) -> None:
    path = tmp_path / "product.fits"
    header = fits.Header.fromstring(SKY.strip(), sep="\n")
    image_hdu = fits.PrimaryHDU(np.ones((6, 8), np.float32), header)
    bits = fits.CompImageHDU(np.zeros((6, 8), np.uint16), provenance.quality_header(header, legend()))
    fits.HDUList([image_hdu, bits]).writeto(path)
    image, flags = sunpy.map.Map(path)
    there = image.pixel_to_world(2 * u.pix, 5 * u.pix)
    assert flags.pixel_to_world(2 * u.pix, 5 * u.pix).separation(there) < 1e-6 * u.arcsec
    assert flags.meta["qbit1"] == "SATURATED"
    assert "exptime" not in flags.meta


#: Of the image: where it lies on the sky, when it was taken and from where.
PLACE = [
    *("CTYPE1", "CUNIT2", "CRPIX1", "CRVAL2", "CDELT1", "CROTA2", "CNAME1", "CTYPE1A", "PC1_2", "CD2_1"),
    *("PC1_1A", "PV2_1", "PV1_3A", "LONPOLE", "LATPOLE", "LONPOLEA", "LATPOLEA", "DATE-OBS", "DATE-BEG"),
    *("DATE-AVG", "DATE-END", "DATEREF", "DSUN_OBS", "HGLN_OBS", "HGLT_OBS", "RSUN_OBS", "RSUN_REF"),
]
#: Of a cube besides.
WAVES = [
    "CTYPE3",
    "CRPIX3A",
    "PC3_1",
    "PV3_2",
    "WCSAXES",
    "SPECSYS",
    "RESTWAV",
    "RESTFRQ",
    "SSYSOBS",
    "VELOSYS",
]
STRANGE = ["DATE", "XCTYPE1", "EXPTIME", "WAVELNTH", "NAXIS", "CRPIX", "XCRPIX1", "RSUN", "PRSTEP1"]


@pytest.mark.parametrize("plane", ["quality", "uncertainty"])
@pytest.mark.parametrize(
    ("dims", "kept"), [(("y", "x"), PLACE), (("wavelength", "y", "x"), [*PLACE, *WAVES])]
)
def test_a_plane_repeats_of_the_image_where_it_lies_and_when_it_was_taken(
    plane: str, dims: tuple[str, ...], kept: list[str]
) -> None:
    image = fits.Header([(name, 3) for name in (*PLACE, *WAVES, *STRANGE)])
    bare = fits.Header()
    if plane == "quality":
        made, own = (provenance.quality_header(header, {}, dims=dims) for header in (image, bare))
    else:
        made, own = (provenance.uncertainty_header(header, dims=dims) for header in (image, bare))
    assert set(made) - set(own) == set(kept)


@pytest.mark.parametrize(
    "name", ["BLANK", "BSCALE", "BZERO", "CHECKSUM", "DATASUM", "HEADSUM", "ZBLANK", "ZSCALE", "ZZERO"]
)
def test_how_the_raw_file_stored_its_numbers_is_not_repeated(name: str) -> None:
    raw = fits.Header([(name, 1), ("EXPTIME", 2.0)])
    raw.append((name, 2))
    assert list(provenance.begin(raw)) == ["EXPTIME"]
    assert name in raw, "the header that came is left as it was"


def test_each_statistic_has_its_value_and_its_name() -> None:
    data = np.arange(1, 101, dtype=np.float32).reshape(10, 10)
    header = provenance.finish(Frame(data, np.zeros((10, 10), np.uint16), fits.Header()), "1.5")
    values = data.ravel().astype(float)
    mean, rms = values.mean(), values.std()
    wanted = {
        "DATAMIN": (1.0, "minimum of the measured pixels"),
        "DATAMAX": (100.0, "maximum"),
        "DATAMEAN": (mean, "mean"),
        "DATAMEDN": (50.0, "median"),
        "DATARMS": (rms, "RMS deviation from the mean"),
        "DATANRMS": (rms / mean, "DATARMS/DATAMEAN"),
        "DATAMAD": (np.abs(values - mean).mean(), "mean absolute deviation"),
        "DATAKURT": ((((values - mean) / rms) ** 4).mean() - 3, "excess kurtosis"),
        "DATASKEW": (0.0, "skewness"),
        **{f"DATAP{p:02d}": (float(p), f"percentile {p}") for p in (1, 10, 25, 50, 75, 90, 95, 98, 99)},
        "LEVEL": ("1.5", "processing level"),
        "CREATOR": ("Heliolake", ""),
        "VERS_SW": (provenance.library_version("heliolake"), "version of Heliolake"),
        "NTOTPIX": (100, "pixels that are not masked"),
        "NCAVEATS": (0, "caveats that follow, as CAVEATn"),
    }
    for name, (value, comment) in wanted.items():
        close = value if isinstance(value, str) else pytest.approx(value, rel=1e-7, abs=1e-7)
        assert (header[name], header.comments[name]) == (close, comment), name
    counts = {
        "NDATAPIX": ("PCT_DATA", 100, "usable pixels"),
        "NLOSTPIX": ("PCT_LOST", 0, "pixels flagged MISSING"),
        "NSATPIX": ("PCT_SATP", 0, "pixels flagged SATURATED"),
        "NSPIKPIX": ("PCT_SPIK", 0, "pixels flagged COSMIC_RAY"),
        "NMASKPIX": ("PCT_MASK", 0, "pixels flagged HOT|DEAD|OUTSIDE_FIELD"),
        "NAPRXPIX": ("PCT_APRX", 0, "pixels flagged INTERPOLATED"),
    }
    for name, (share, count, comment) in counts.items():
        assert (header[name], header.comments[name]) == (count, comment)
        assert (header[share], header.comments[share]) == (float(count), f"[%] {name}/NTOTPIX")
    assert set(header) == {*wanted, *counts, *(share for share, _, _ in counts.values())}


def test_a_share_has_four_decimals_and_a_statistic_eight_digits() -> None:
    data = np.ones((7, 13), np.float32)
    data[0, 0] = 3.0
    flags = np.zeros((7, 13), np.uint16)
    flags[6, 12] = Quality.COSMIC_RAY
    header = provenance.finish(Frame(data, flags, fits.Header()), "1")
    assert header["PCT_SPIK"] == round(100 / 91, 4) == 1.0989
    assert header["DATAMEAN"] == 1.021978


def test_an_image_without_a_measured_pixel_has_no_statistics() -> None:
    flags = np.full((4, 8), int(Quality.DEAD), np.uint16)
    before = fits.Header({"DATAMEAN": 3.0, "DATAP50": 2.0})
    header = provenance.finish(Frame(np.ones((4, 8), np.float32), flags, before), "1")
    assert not [name for name in header if name.startswith("DATA")]
    names = ("NTOTPIX", "NDATAPIX", "NMASKPIX", "PCT_DATA", "PCT_MASK")
    assert [header[name] for name in names] == [0, 0, 32, 0.0, 0.0]


def test_where_the_mean_is_nothing_nothing_is_divided_by_it() -> None:
    header = provenance.finish(
        Frame(np.zeros((4, 8), np.float32), np.zeros((4, 8), np.uint16), fits.Header()), "1"
    )
    assert header["DATAMEAN"] == 0.0
    assert "DATANRMS" not in header


@pytest.mark.parametrize("raw", [-1, 0, 2.5, "many"])
def test_only_a_number_of_saturated_pixels_is_believed(raw: object) -> None:
    header = finished(cards={"NSATPIX": raw})
    assert (header["NSATPIX"], header["PCT_SATP"]) == (0, 0.0)


@pytest.mark.parametrize(("raw", "usable", "share"), [(1, 31, 96.875), (32, 0, 0.0), (731, 0, 0.0)])
def test_saturated_pixels_that_the_raw_header_counts_are_not_usable(
    raw: int, usable: int, share: float
) -> None:
    header = finished(cards={"NSATPIX": raw})
    assert header["NSATPIX"] == raw
    assert (header["NDATAPIX"], header["PCT_DATA"]) == (usable, share)
    assert header.comments["NSATPIX"] == "saturated in the raw image; none is flagged"


def test_caveats_are_numbered_anew_in_letters_that_headers_take() -> None:
    before = fits.Header({"CAVEAT1": "old", "CAVEAT2": "older", "CAVEAT12": "oldest", "CAVEATS": "kept"})
    planes = np.ones((2, 2), np.float32), np.zeros((2, 2), np.uint16)
    header = provenance.finish(Frame(*planes, before, caveats=("first", "2 × 2")), "1")
    assert {name: header[name] for name in header if name.startswith("CAVEAT")} == {
        "CAVEATS": "kept",
        "CAVEAT1": "first",
        "CAVEAT2": "2 ? 2",
    }
    assert header["NCAVEATS"] == 2


def test_what_is_assumed_and_what_is_left_out_is_numbered() -> None:
    header = fits.Header({"ASSUME": "x", "OMIT": "x"})
    once = provenance.assumed(header, "flat")
    twice = provenance.assumed(once, "dark")
    assert (twice["ASSUME1"], twice["ASSUME2"]) == ("flat=unity", "dark=unity")
    assert twice.comments["ASSUME2"] == "no reference was used for this"
    assert list(header) == ["ASSUME", "OMIT"]
    first = provenance.omitted(header, ["a", "b"])
    second = provenance.omitted(first, ["b", "c"])
    assert [name for name in second if name.startswith("OMIT")] == ["OMIT", "OMIT1", "OMIT2", "OMIT3"]
    assert [second[f"OMIT{n}"] for n in (1, 2, 3)] == ["a", "b", "c"]
    assert second.comments["OMIT1"] == "step of a complete treatment, not done"
    assert list(first)[-2:] == ["OMIT1", "OMIT2"], "the header that came is left as it was"


def test_the_frame_of_a_group_names_the_references_of_all_its_frames_once() -> None:
    members = [
        fits.Header({"PRREF1": "dark=a", "PRREF2": "flat=f, gain=g"}),
        fits.Header({"PRREF1": "dark=b", "EXPTIME": 2.0}),
        fits.Header({"PRREF1": "dark=a", "PRREF2": "flat=f, gain=h", "PRREF3": "psf=p"}),
    ]
    header = provenance.gathered(members[0], members)
    assert dict(header) == {
        "PRREF1": "dark=a, dark=b",
        "PRREF2": "flat=f, gain=g, gain=h",
        "PRREF3": "psf=p",
    }
    assert members[0]["PRREF1"] == "dark=a", "the headers that came are left as they were"


def test_a_header_made_anew_for_a_group_says_what_was_done_before() -> None:
    done = {
        "PRSTEP1": "A",
        "PRPROC1": "a.b",
        "PRPVER1": 1,
        "PRPARA1": "{}",
        "PRMODE1": "M",
        "PRUNC1": "kept",
        "PRLIB1A": "numpy",
        "PRVER1A": "2",
        "ASSUME1": "flat=unity",
        "OMIT12": "clean",
    }
    members = [fits.Header({**done, "EXPTIME": 2.0, "OMITTED": "x"}), fits.Header({"OMIT1": "other"})]
    anew = fits.Header({"EXPTIME": 4.0, "PRSTEP1": "MINE"})
    header = provenance.gathered(anew, members)
    assert dict(header) == {**done, "EXPTIME": 4.0, "PRSTEP1": "MINE"}
    assert list(header)[:2] == ["EXPTIME", "PRSTEP1"]


def recorded_cards(**options: Any) -> dict[str, tuple[object, str]]:
    """What is written of a step of the toy camera behind another step."""
    header = fits.Header({"PRSTEP1": "X"})
    recipe = Recipe.parse(
        RECIPE.replace("{step: shift, params: {by: 2.0}}", "{step: mark, params: {lie: a}}")
    )
    mark, scale = recipe.bind()
    given = {"gain": ReferenceFile("gain", "toy:gain.txt", "/gain.txt", "0123456789abcdef" * 4)}
    if options.pop("scale", False):
        provenance.record(header, scale, given if options.pop("given", False) else {}, **options)
    else:
        provenance.record(header, mark, {}, **options)
    return {name: (header[name], header.comments[name]) for name in list(header)[1:]}


def test_a_step_is_recorded_with_what_it_is_and_its_parameters() -> None:
    assert recorded_cards() == {
        "PRSTEP2": ("ANNOTATION", "processing step 2"),
        "PRPROC2": ("toy_camera.steps.mark", ""),
        "PRPVER2": (1, "version of mark"),
        "PRPARA2": ('{"lie":"a"}', ""),
        "PRLIB2A": ("heliolake", ""),
        "PRVER2A": (provenance.library_version("heliolake"), ""),
        "PRLIB2B": ("numpy", ""),
        "PRVER2B": (np.__version__, ""),
    }


def test_the_comment_of_a_step_with_a_long_name_fits_into_its_card() -> None:
    bound = Recipe.parse(RECIPE).bind()[0]
    long = bound.model_copy(update={"step": dataclasses.replace(bound.step, name="x" * 60)})
    header = fits.Header()
    provenance.record(header, long, {})
    assert header.comments["PRPVER1"] == f"version of {'x' * 29}"


def test_the_way_in_which_a_step_was_done_is_recorded() -> None:
    assert recorded_cards(modes=("A", "B"))["PRMODE2"] == ("A,B", "see CAVEATn")
    assert recorded_cards(modes=("A" * 54,))["PRMODE2"][1] == "see CAVEATn"
    assert not recorded_cards(modes=("A" * 55,))["PRMODE2"][1]
    idle = recorded_cards(modes=("A",), idle=True)
    assert idle["PRMODE2"] == ("NO-CHANGE", "nothing was to do, or nothing to do it with")
    assert "PRMODE2" not in recorded_cards()


def test_a_step_says_which_references_it_was_given_and_which_were_assumed() -> None:
    assert recorded_cards(scale=True)["PRREF2"] == ("gain=unity (assumed)", "")
    given = recorded_cards(scale=True, given=True)["PRREF2"]
    assert given == ("gain=toy:gain.txt sha256:0123456789abcdef", "")
    assert "PRREF2" not in recorded_cards()


@pytest.mark.parametrize(
    ("step", "options", "said"),
    [
        ("brighten", {"uncertain": True}, "approximate: doubled; nothing is left out, really"),
        ("brighten", {"uncertain": True, "idle": True}, None),
        ("brighten", {}, None),
        ("shift", {"uncertain": True}, None),  # does not say how it carries one
    ],
)
def test_a_step_behind_which_the_frame_has_an_uncertainty_says_how_it_carried_it(
    step: str, options: dict[str, Any], said: str | None
) -> None:
    header = fits.Header()
    recipe = Recipe.parse(RECIPE.replace("{step: shift, params: {by: 2.0}}", f"{{step: {step}}}"))
    provenance.record(header, recipe.bind()[0], {}, **options)
    assert header.get("PRUNC1") == said


def test_the_uncertainty_plane_says_what_it_is_and_how_it_came_about() -> None:
    image = fits.Header({"BUNIT": "DN/s", "PRUNC1": "starts", "PRUNC12": "kept", "PRUNCX": 1, "CRPIX1": 3.0})
    header = provenance.uncertainty_header(image)
    assert [(card.keyword, card.value, card.comment) for card in header.cards] == [
        ("CRPIX1", 3.0, ""),
        ("BTYPE", "uncertainty", "of the image, pixel by pixel"),
        ("BUNIT", "DN/s", "unit of the image"),
        ("UTYPE", "StdDevUncertainty", "one standard deviation"),
        ("PRUNC1", "starts", ""),
        ("PRUNC12", "kept", ""),
    ]
    assert provenance.uncertainty_header(fits.Header())["BUNIT"] == ""


def test_the_quality_plane_says_what_its_bits_mean() -> None:
    header = provenance.quality_header(fits.Header({"BUNIT": "DN"}), {1: "LOST", 2: "FULL", 256: "LAST"})
    assert [(card.keyword, card.value, card.comment) for card in header.cards] == [
        ("BTYPE", "quality flags", ""),
        ("BUNIT", "", ""),
        ("QBIT0", "LOST", "value 1"),
        ("QBIT1", "FULL", "value 2"),
        ("QBIT8", "LAST", "value 256"),
    ]


def test_a_library_that_is_not_installed_has_no_version() -> None:
    assert provenance.library_version("no-such-distribution") == "unknown"
    assert provenance.library_version("numpy") == np.__version__
