"""Files of every kind are held against SOLARNET's rules, and none of them stops the checker."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cluster.conformance import check_file, tally
from pipeline.solarnet_check.report import Report, Verdict
from tests.pipeline.solarnet_check.headers import ABSENT, CUBE, SHAPE, SPECTRA, header

STATISTICS = ("DATAMIN", "DATAMAX", "DATAMEAN", "DATARMS", "DATAMEDN")


def image(shape: tuple[int, ...] = SHAPE, base: dict[str, Any] | None = None, **changes: Any) -> fits.HDUList:
    """A file of one conformant image, its statistics by numpy."""
    data = np.random.default_rng(7).normal(100.0, 5.0, shape).astype(np.float32)
    made = header(base, **changes) if base else header(**changes)
    values = (data.min(), data.max(), data.mean(), data.std(), np.median(data))
    for name, value in zip(STATISTICS, values, strict=True):
        if changes.get(name) is not ABSENT:
            made.setdefault(name, float(value))
    for name in ("SIMPLE", "BITPIX", "NAXIS", "NAXIS1", "NAXIS2", "NAXIS3", "NAXIS4", "DATASUM", "CHECKSUM"):
        made.remove(name, ignore_missing=True)
    return fits.HDUList([fits.PrimaryHDU(data, made)])


def stored(path: Path, hdus: fits.HDUList) -> Path:
    hdus.writeto(path, checksum=True)
    return path


def named(report: Report) -> list[tuple[str, str]]:
    return [(one.grade.value, one.keyword) for one in report.findings if one.keyword != "FILENAME"]


def test_a_file_that_conforms_does(tmp_path: Path) -> None:
    found = check_file(stored(tmp_path / "a.fits", image()))
    assert (found.verdict, named(found)) == (Verdict.CONFORMANT, [])
    assert found.counts() == {"errors": 0, "warnings": 0, "notes": 1}  # its name is not that in the header


def test_a_cube_conforms_too(tmp_path: Path) -> None:
    found = check_file(stored(tmp_path / "a.fits", image(CUBE, SPECTRA)))
    assert (found.verdict, named(found)) == (Verdict.CONFORMANT, [])


def test_a_gzipped_file_is_looked_into(tmp_path: Path) -> None:
    plain = stored(tmp_path / "a.fits", image(DATAMEAN=7.0))
    packed = tmp_path / "toy_l1_20260102_030405.fits.gz"
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    assert {one.keyword for one in check_file(packed).findings} == {"DATAMEAN"}


@pytest.mark.parametrize("kind", ["RICE_1", "GZIP_2"])
def test_an_image_compressed_in_tiles_is_looked_into(tmp_path: Path, kind: str) -> None:
    data = np.random.default_rng(7).integers(0, 1000, SHAPE).astype(np.int16)
    made = image(DATAMIN=float(data.min()), DATAMAX=1e6)[0].header
    for name in (*STATISTICS[2:], "SIMPLE", "BITPIX", "NAXIS", "NAXIS1", "NAXIS2", "EXTEND"):
        made.remove(name, ignore_missing=True)
    primary = fits.PrimaryHDU(header=fits.Header({"EXTNAME": "PRIMARY"}))
    hdus = fits.HDUList([primary, fits.CompImageHDU(data, made, compression_type=kind)])
    found = check_file(stored(tmp_path / "a.fits", hdus))
    assert named(found) == [("error", "DATAMAX")]
    assert found.findings[0].hdu == 1


def test_scaled_numbers_and_missing_ones_are_understood(tmp_path: Path) -> None:
    stored_numbers = np.arange(np.prod(SHAPE), dtype=np.int16).reshape(SHAPE) - 500
    values = stored_numbers[stored_numbers != -500] * 0.5 + 10.0
    hdus = image(DATAMIN=float(values.min()), DATAMAX=float(values.max()), DATAMEAN=float(values.mean()))
    for name in ("DATARMS", "DATAMEDN"):
        del hdus[0].header[name]
    made = fits.PrimaryHDU(stored_numbers, hdus[0].header)
    made.header.update({"BSCALE": 0.5, "BZERO": 10.0, "BLANK": -500})
    path = stored(tmp_path / "a.fits", fits.HDUList([made]))
    assert fits.getheader(path)["BITPIX"] == 16
    assert named(check_file(path)) == []


def test_changed_bytes_are_noticed(tmp_path: Path) -> None:
    path = stored(tmp_path / "a.fits", image())
    content = bytearray(path.read_bytes())
    content[-2880 + 3] ^= 1
    path.write_bytes(content)
    assert {("error", "DATASUM"), ("error", "CHECKSUM")} <= set(named(check_file(path)))


def test_headers_alone_say_nothing_of_pixels(tmp_path: Path) -> None:
    path = stored(tmp_path / "a.fits", image(DATAMEAN=99.0))
    assert ("warning", "DATAMEAN") in named(check_file(path))
    assert named(check_file(path, headers_only=True)) == []


def test_what_is_no_fits_file_is_told_in_a_sentence(tmp_path: Path) -> None:
    for name, content in (("empty", b""), ("text", b"hello"), ("cut", b"SIMPLE  =                    T")):
        path = tmp_path / name
        path.write_bytes(content)
        found = check_file(path)
        assert (found.verdict, len(found.findings)) == (Verdict.UNREADABLE, 1)
        assert found.findings[0].found
    assert check_file(tmp_path / "nowhere").verdict is Verdict.UNREADABLE


def test_real_files_are_graded(real_data: Path) -> None:
    names = [
        path for path in sorted(real_data.rglob("*")) if path.suffix in (".fits", ".fts", ".fit_", ".gz")
    ]
    verdicts = {path.name: check_file(path) for path in names}
    assert len(verdicts) > 20
    assert verdicts["AIA20110319_105400_0171.fits"].verdict is Verdict.FOREIGN
    assert verdicts["small_visp_0.fits"].verdict is Verdict.PARTLY
    assert verdicts["not_actually_fits.fit_"].verdict is Verdict.UNREADABLE
    broken = {one.keyword for one in verdicts["psp_L2_wispr_20181101T004548_V3_1221.fits"].findings}
    assert {"BLANK", "NBIN", "WCSAXES"} <= broken


CARD = st.tuples(
    st.sampled_from(
        [
            *("EXTNAME", "SOLARNET", "OBS_HDU", "DATE-BEG", "DATEREF", "BUNIT", "WCSAXES", "NBIN1", "NBIN"),
            *(
                "CTYPE1",
                "CTYPE2",
                "CTYPE9",
                "CUNIT1",
                "CRPIX1",
                "CRVAL2",
                "CDELT1",
                "PC1_1",
                "PC2_99",
                "CD1_1",
            ),
            *(
                "PRSTEP1",
                "PRSTEP99",
                "PRPARA1",
                "PRVER1A",
                "VAR_KEYS",
                "PIXLISTS",
                "DATAMIN",
                "DATAP50",
                "BLANK",
            ),
            *(
                "NTOTPIX",
                "NDATAPIX",
                "XPOSURE",
                "NSUMEXP",
                "TEXPOSUR",
                "WAVEMIN",
                "WAVEUNIT",
                "DSUN_OBS",
                "MJD-BEG",
            ),
            *(
                "BSCALE",
                "BZERO",
                "SOLNETEX",
                "TIMESYS",
                "PS1_0",
                "RSUN_REF",
                "OBSGEO-X",
                "CROTA2",
                "SVO_SEP3",
            ),
        ]
    ),
    st.one_of(
        *(st.booleans(), st.integers(-(1 << 40), 1 << 40), st.floats(allow_nan=False, allow_infinity=False)),
        st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=30).filter(
            lambda t: "\\" not in t
        ),
        *(
            st.sampled_from(
                ["HPLN-TAN", "UTC", "WAVE-TAB", "STOKES", "{", "[X", "A;B", "1e400", "2026-01-01"]
            ),
            st.none(),
        ),
    ),
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(CARD, max_size=25), st.binary(max_size=8), st.integers(0, 6000))
def test_no_header_is_too_hostile(
    tmp_path: Path, cards: list[tuple[str, Any]], noise: bytes, where: int
) -> None:
    made = fits.Header()
    for name, value in cards:
        made[name] = value
    path = tmp_path / "hostile.fits"
    hdus = fits.HDUList([fits.PrimaryHDU(np.arange(12, dtype=np.int16).reshape(3, 4))])
    hdus.writeto(path, overwrite=True)
    content = path.read_bytes()
    end = content.index(b"END     ")
    text = b"".join(card.image.encode() for card in made.cards if card.keyword not in ("BSCALE ", ""))
    head = content[:end] + text + b"END".ljust(80)
    whole = bytearray(head.ljust(-(-len(head) // 2880) * 2880) + content[2880:])
    place = where % len(whole)
    whole[place : place + len(noise)] = noise
    path.write_bytes(whole)
    found = check_file(path)
    assert found.document()["verdict"] in {verdict.value for verdict in Verdict}
    assert all(str(one) for one in found.findings)


def test_files_are_counted_by_what_they_are(tmp_path: Path) -> None:
    paths = [stored(tmp_path / "a.fits", image()), stored(tmp_path / "b.fits", image(PRSTEP1=2))]
    (tmp_path / "c.fits").write_text("hello")
    found = tally([*paths, tmp_path / "c.fits"])
    assert found == {"conformant": 1, "partly conformant": 1, "unreadable": 1, "errors": 2}
    assert tally([]) == {}


def test_headers_alone_leave_the_bytes_unread(tmp_path: Path) -> None:
    path = stored(tmp_path / "a.fits", image())
    content = bytearray(path.read_bytes())
    content[-2880 + 3] ^= 1
    path.write_bytes(content)
    assert named(check_file(path, headers_only=True)) == []
