"""Ingest: what is taken, what is put aside and why, and that nothing is done twice."""

from __future__ import annotations

import gzip
import json
import os
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits

from cluster.home.home import Home
from cluster.intake import arrivals as intake
from cluster.intake import ingest as ingest_module
from cluster.intake.ingest import ingest, select
from cluster.report import Report
from lake.fits import check as fits_check
from lake.fits.check import CheckedFits
from lake.fits.windows import HELD
from lake.lake import Lake
from lake.releases import quarantine, search
from lake.releases.finding import Wanted
from tests.cluster.frames import aia_file, aia_series, at


@pytest.fixture(scope="module")
def lake(home: Home) -> Lake:
    return Lake.open(home.lake_config())


def by_name(report: Report) -> dict[str, tuple[str, str]]:
    return {Path(item.file).name: (item.outcome, item.code) for item in report.items}


def test_folders_give_their_fits_files_and_tell_what_they_leave_alone(tmp_path: Path) -> None:
    names = (
        "a.fits",
        "b.FTS",
        "c.fit",
        "d.fits.gz",
        "e.fit_",
        "deep/er/f.fts",
        "notes.txt",
        ".hidden.fits",
        "x.fits.part",
    )
    for name in names:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x")
    found = select([tmp_path])
    assert [path.name for path in found.files] == ["a.fits", "b.FTS", "c.fit", "d.fits.gz", "f.fts", "e.fit_"]
    assert {path.name for path in found.ignored} == {"notes.txt", ".hidden.fits", "x.fits.part"}


def test_a_file_named_by_itself_is_always_taken_and_each_file_once(tmp_path: Path) -> None:
    (tmp_path / "odd.name").write_text("x")
    (tmp_path / "a.fits").write_text("x")
    found = select([tmp_path / "odd.name", tmp_path, str(tmp_path / "*.fits"), tmp_path / "a.fits"])
    assert [path.name for path in found.files] == ["odd.name", "a.fits"]
    assert found.ignored == ()
    assert select([tmp_path / "none*"]).absent == (str(tmp_path / "none*"),)


def test_a_folders_files_are_known_by_their_first_bytes_where_names_do_not_tell(tmp_path: Path) -> None:
    content = aia_file(tmp_path, at(2016, 1, 1)).rename(tmp_path / "efz20040301.000010").read_bytes()
    (tmp_path / ".efz20040301.000011").write_bytes(content)
    cards = [content[start : start + 80].decode("ascii") for start in range(0, 2880, 80)]
    (tmp_path / "efz20040301.header").write_text("\n".join(cards))
    (tmp_path / "empty").touch()
    os.mkfifo(tmp_path / "pipe")
    found = select([tmp_path])
    assert [path.name for path in found.files] == ["efz20040301.000010"]
    ignored = {".efz20040301.000011", "efz20040301.header", "empty", "pipe"}
    assert {path.name for path in found.ignored} == ignored


def test_nothing_in_a_folder_is_passed_over_without_a_word(tmp_path: Path) -> None:
    for name in ("a.fts.Z", "b.fits.bz2", "in\nner.fits"):
        (tmp_path / name).write_text("x")
    os.mkfifo(tmp_path / "pipe.fits")
    (tmp_path / "gone.fits").symlink_to(tmp_path / "nowhere")
    (tmp_path / "round.fits").symlink_to(tmp_path / "round.fits")
    (tmp_path / "folder.fits").mkdir()
    (tmp_path / "elsewhere").symlink_to(tmp_path.parent)
    found = select([tmp_path])
    assert {path.name for path in found.files} == {
        "a.fts.Z",
        "b.fits.bz2",
        "gone.fits",
        "in\nner.fits",
        "pipe.fits",
        "round.fits",
    }
    assert [path.name for path in found.ignored] == ["elsewhere"]


def test_a_name_longer_than_any_file_system_takes_is_absent() -> None:
    assert select(["x" * 300]).absent == ("x" * 300,)


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may read every folder")
def test_a_folder_that_may_not_be_read_is_told(lake: Lake, tmp_path: Path) -> None:
    (tmp_path / "shut").mkdir(mode=0)
    assert by_name(ingest(lake, [tmp_path])) == {"shut": ("quarantined", "unreadable")}


def test_odd_kinds_of_files_end_no_ingest(lake: Lake, tmp_path: Path) -> None:
    good = aia_file(tmp_path, at(2016, 1, 6))
    os.mkfifo(tmp_path / "pipe.fits")
    (tmp_path / "gone.fits").symlink_to(tmp_path / "nowhere")
    (tmp_path / "device.fits").symlink_to("/dev/zero")
    (tmp_path / os.fsdecode(b"bad\xff.fits")).touch()
    report = ingest(lake, [tmp_path])
    found = by_name(report)
    assert found.pop(good.name) == ("done", "")
    assert found.pop("pipe.fits") == found.pop("device.fits") == ("quarantined", "unreadable")
    assert found.pop("gone.fits") == ("quarantined", "missing-file")
    assert list(found.values()) == [("quarantined", "empty")]
    json.dumps(report.document(), ensure_ascii=False).encode("utf-8")
    listed = {Path(one["file"]).name for one in quarantine.listing(lake, stage="ingest")}
    assert "bad\\udcff.fits" in listed


def test_names_that_rucio_refuses_are_kept_and_given_back(lake: Lake, tmp_path: Path) -> None:
    names = [
        b"lasco_c2_+60.fits",
        b"a b.fits",
        "süd.fits".encode(),
        b"-dash.fits",
        b"_.fits",
        b"bad\xff.fits",
    ]
    names += [
        b"tab\t.fits",
        b"line\n.fits",
        b"y" * 240 + b".fits",
        "ü".encode() * 124 + b".fits",
        b"x.-2B.fits",
    ]
    originals = sorted(map(os.fsdecode, names))
    folder = tmp_path / "in"
    for path, original in zip(aia_series(folder, at(2016, 1, 9), len(names)), originals, strict=True):
        path.rename(folder / original)
    report = ingest(lake, [folder])
    assert {item.outcome for item in report.items} == {"done"}
    product = "sdo_aia:aia171_20160109.l1"
    document = search.show(lake, product)
    json.dumps(document, ensure_ascii=False).encode("utf-8")
    assert {one["original"] for one in document["files"]} >= {
        "lasco_c2_+60.fits",
        "süd.fits",
        "bad\\xff.fits",
    }
    given = search.get_files(lake, product, tmp_path / "out")
    assert sorted(path.name for path in given) == originals
    assert all(path.read_bytes() == (folder / path.name).read_bytes() for path in given)
    assert {item.outcome for item in ingest(lake, [folder]).items} == {"skipped"}


def test_two_files_of_one_original_name_are_both_given_out(
    lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = aia_series(tmp_path / "in", at(2016, 1, 10), 2)
    ingest(lake, [first, second])
    entries = search.granted_files(lake, "sdo_aia:aia171_20160110.l1")
    monkeypatch.setattr(
        search, "granted_files", lambda *_: [replace(entry, original="a+.fits") for entry in entries]
    )
    given = search.get_files(lake, "any", tmp_path / "out")
    assert [path.name for path in given] == ["a+.fits", second.name]
    assert [path.read_bytes() for path in given] == [first.read_bytes(), second.read_bytes()]


def test_a_header_that_makes_no_name_or_date_ends_no_ingest(lake: Lake, tmp_path: Path) -> None:
    good = aia_file(tmp_path, at(2016, 1, 7))
    for name, cards in (
        ("slash.fits", {"WAVELNTH": "171/193"}),
        ("late.fits", {"DATE-OBS": "9999-12-31T23:59:59.9", "T_OBS": "MISSING"}),
        ("second.fits", {"DATE-OBS": "-nan"}),
    ):
        shutil.copy(good, tmp_path / name)
        with fits.open(tmp_path / name, mode="update") as hdus:
            hdus[0].header.update(cards)
    endless = good.read_bytes().replace(b"EXPTIME =                  2.0", b"EXPTIME =                1e400")
    (tmp_path / "endless.fits").write_bytes(endless)
    report = ingest(lake, [tmp_path])
    (told,) = [item.caveats for item in report.items if item.file.endswith("second.fits")]
    assert "T_OBS" in " ".join(told)
    assert by_name(report) == {
        good.name: ("done", ""),
        "second.fits": ("done", ""),
        "endless.fits": ("quarantined", "bad-keyword"),
        "late.fits": ("quarantined", "bad-keyword"),
        "slash.fits": ("quarantined", "bad-keyword"),
    }


def test_a_path_to_nothing_is_reported_and_the_others_go_on(lake: Lake, tmp_path: Path) -> None:
    report = ingest(lake, [tmp_path / "gone", *aia_series(tmp_path, at(2016, 1, 1), 1)])
    assert by_name(report) == {
        "gone": ("failed", "missing-file"),
        "aia_171_20160101_000000.fits": ("done", ""),
    }
    assert str(tmp_path / "gone") not in [case["file"] for case in quarantine.listing(lake, resolved=True)]


def test_every_way_a_file_can_be_bad_has_its_own_reason(lake: Lake, tmp_path: Path) -> None:
    good = aia_file(tmp_path, at(2016, 1, 2))
    whole = good.read_bytes()
    (tmp_path / "empty.fits").write_bytes(b"")
    (tmp_path / "cut.fits").write_bytes(whole[:-3000])
    (tmp_path / "text.fits").write_text("Not found\n")
    hdus = fits.HDUList([fits.PrimaryHDU(np.ones((9, 9), np.int16))])
    hdus.writeto(tmp_path / "stranger.fits")
    fits.writeto(
        tmp_path / "nodate.fits",
        np.ones((9, 9), np.int16),
        fits.Header({"TELESCOP": "SDO/AIA", "INSTRUME": "AIA_3", "LVL_NUM": 1.0, "WAVELNTH": 171}),
    )
    summed = aia_file(tmp_path, at(2016, 1, 2, 5))
    fits.open(summed).writeto(tmp_path / "sum.fits", checksum=True)
    damaged = bytearray((tmp_path / "sum.fits").read_bytes())
    damaged[-2000] ^= 0xFF
    (tmp_path / "sum.fits").write_bytes(damaged)
    summed.unlink()
    report = ingest(lake, [tmp_path])
    assert by_name(report) == {
        good.name: ("done", ""),
        "empty.fits": ("quarantined", "empty"),
        "cut.fits": ("quarantined", "truncated"),
        "text.fits": ("quarantined", "not-fits"),
        "stranger.fits": ("quarantined", "unrecognised-instrument"),
        "nodate.fits": ("quarantined", "bad-keyword"),
        "sum.fits": ("quarantined", "wrong-checksum"),
    }
    assert all(item.reason and item.advice for item in report.items if item.outcome == "quarantined")
    listed = {Path(one["file"]).name for one in quarantine.listing(lake, stage="ingest")}
    assert {"empty.fits", "cut.fits", "sum.fits"} <= listed


def test_a_repaired_file_leaves_the_quarantine(lake: Lake, tmp_path: Path) -> None:
    path = aia_file(tmp_path, at(2016, 1, 3))
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    ingest(lake, [path])
    assert str(path) in {one["file"] for one in quarantine.listing(lake)}
    path.write_bytes(whole)
    assert by_name(ingest(lake, [path])) == {path.name: ("done", "")}
    assert str(path) not in {one["file"] for one in quarantine.listing(lake)}


def test_a_compressed_file_is_kept_as_it_came(lake: Lake, tmp_path: Path) -> None:
    path = aia_file(tmp_path, at(2016, 1, 4))
    packed = path.with_name(path.name + ".gz")
    packed.write_bytes(gzip.compress(path.read_bytes(), mtime=0))
    path.unlink()
    assert by_name(ingest(lake, [packed])) == {packed.name: ("done", "")}
    (got,) = search.get_files(lake, "sdo_aia:aia171_20160104.l1", tmp_path / "got")
    assert got.read_bytes() == packed.read_bytes()


def test_two_files_of_one_name_in_one_command(lake: Lake, tmp_path: Path) -> None:
    first = aia_file(tmp_path, at(2016, 1, 5))
    same, other = tmp_path / "same" / first.name, tmp_path / "other" / first.name
    for path in (same, other):
        path.parent.mkdir()
        shutil.copy(first, path)
    fits.setval(other, "EXPTIME", value=9.0)
    report = ingest(lake, [first, same, other])
    outcomes = sorted((item.outcome, item.code) for item in report.items)
    assert outcomes == [("done", ""), ("quarantined", "name-conflict"), ("skipped", "")]


def outcomes(lake: Lake, paths: list[Path], *, together: bool) -> dict[str, tuple[str, str]]:
    """What becomes of files in one command, or in one for each."""
    reports = [ingest(lake, paths)] if together else [ingest(lake, [path]) for path in paths]
    return {Path(item.file).name: (item.outcome, item.did) for report in reports for item in report.items}


@pytest.mark.parametrize("together", [True, False])
@pytest.mark.parametrize("packed_first", [True, False])
def test_the_same_bytes_under_another_name_are_one_frame(
    lake: Lake, tmp_path: Path, together: bool, packed_first: bool
) -> None:
    day = at(2016, 2, 1 + 2 * together + packed_first)
    plain = aia_file(tmp_path, day)
    link, copy = tmp_path / "link.fits", tmp_path / "copy.fits"
    link.symlink_to(plain)
    shutil.copy(plain, copy)
    packed, repacked = plain.with_suffix(".fits.gz"), tmp_path / "other.fts.gz"
    packed.write_bytes(gzip.compress(plain.read_bytes(), 1, mtime=0))
    repacked.write_bytes(gzip.compress(plain.read_bytes(), 9, mtime=1))
    first, *others = [packed, plain] if packed_first else [plain, packed]
    others += [link, copy, repacked]
    did = f"sdo_aia:{first.name}"
    found = outcomes(lake, [first, *others], together=together)
    assert found == {first.name: ("done", did)} | {path.name: ("skipped", did) for path in others}
    told = ingest(lake, [copy, first]).items
    assert [item.reason for item in told] == [
        f"the same image is here already as {did}",
        "already in the lake",
    ]
    (release,) = search.search(lake, Wanted(instrument="sdo_aia", pattern=f"*{day:%Y%m%d}*"))
    assert release["files"] == 1


@pytest.mark.parametrize("together", [True, False])
def test_of_files_that_differ_by_their_suffix_the_first_is_taken(
    lake: Lake, tmp_path: Path, together: bool
) -> None:
    first = aia_file(tmp_path, at(2016, 1, 8, together))
    other = first.with_suffix(".fts")
    shutil.copy(first, other)
    fits.setval(other, "EXPTIME", value=9.0)
    calibrated = tmp_path / "level" / first.with_suffix(".fit").name
    calibrated.parent.mkdir()
    shutil.copy(first, calibrated)
    fits.setval(calibrated, "LVL_NUM", value=1.5)
    found = outcomes(lake, [first, other, calibrated], together=together)
    assert {name: outcome for name, (outcome, _) in found.items()} == {
        first.name: "done",
        other.name: "quarantined",
        calibrated.name: "done",
    }


@pytest.mark.parametrize("together", [True, False])
def test_a_second_delivery_of_an_image_is_taken_and_told(lake: Lake, tmp_path: Path, together: bool) -> None:
    first = aia_file(tmp_path, at(2016, 2, 5 + together))
    again, camera = tmp_path / f"again{together}.fits", tmp_path / f"camera{together}.fits"
    for path, card in ((again, ("EXPTIME", 2.5)), (camera, ("INSTRUME", "AIA_2"))):
        shutil.copy(first, path)
        fits.setval(path, card[0], value=card[1])
    paths = [first, again, camera]
    reports = [ingest(lake, paths)] if together else [ingest(lake, [path]) for path in paths]
    told = {Path(item.file).name: item.caveats for report in reports for item in report.items}
    about_time = {name for name, caveats in told.items() if "shows the same time" in " ".join(caveats)}
    assert about_time == {again.name}
    assert first.name in " ".join(told[again.name])


def test_a_file_that_takes_all_memory_ends_no_ingest(
    lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    large, good = aia_series(tmp_path, at(2016, 2, 9), 2)
    read = fits_check.read_checked

    def hungry(path: Path, *rest: Any) -> CheckedFits:
        if path == large:
            raise MemoryError
        return read(path, *rest)

    monkeypatch.setattr(intake, "read_checked", hungry)
    report = ingest(lake, [large, good])
    assert by_name(report) == {large.name: ("quarantined", "too-large"), good.name: ("done", "")}
    assert "memory" in report.items[0].advice


def test_an_image_without_a_number_or_of_one_is_taken_and_told(lake: Lake, tmp_path: Path) -> None:
    paths = aia_series(tmp_path, at(2016, 2, 10), 3)
    for path, value in ((paths[0], np.nan), (paths[1], 7.0)):
        fits.update(path, np.full((64, 64), value, np.float32), fits.getheader(path))
    ingest(lake, paths)
    found = search.show(lake, "sdo_aia:aia171_20160210.l1")["files"]
    told = [" ".join(one["caveats"]) for one in found]
    assert "no pixel of the raw image is a number" in told[0]
    assert "all pixels of the raw image have the value 7" in told[1]
    assert "pixel" not in told[2]


def test_a_file_larger_than_what_is_held_is_stored_whole(lake: Lake, tmp_path: Path) -> None:
    path = aia_file(tmp_path, at(2016, 2, 11), size=3300)
    fits.update(path, fits.getdata(path).astype(np.float32), fits.getheader(path))
    assert path.stat().st_size > HELD
    assert by_name(ingest(lake, [path])) == {path.name: ("done", "")}
    (got,) = search.get_files(lake, "sdo_aia:aia171_20160211.l1", tmp_path / "got")
    assert got.read_bytes() == path.read_bytes()


def test_what_was_registered_meanwhile_is_still_known(
    lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ingest_module, "REGISTER_SECONDS", 0.0)
    paths = aia_series(tmp_path, at(2016, 2, 8), 3)
    copies = [Path(shutil.copy(path, tmp_path / f"copy_{path.name}")) for path in paths]
    found = outcomes(lake, [*paths, *copies], together=True)
    assert {found[path.name][0] for path in paths} == {"done"}
    assert {found[copy.name] for copy in copies} == {("skipped", f"sdo_aia:{path.name}") for path in paths}


def test_the_real_files_are_told_apart(lake: Lake, real_data: Path) -> None:
    report = ingest(lake, [real_data / "stereo_hi", real_data / "aia", real_data / "broken"])
    found: dict[str, Any] = by_name(report)
    assert found["hi_20110910_114721_s7h2A.fts"][0] in ("done", "skipped")
    assert found["aia_171_level1_128.fits"][0] in ("done", "skipped")
    assert found["aia_truncated_rice.fits"] == ("quarantined", "truncated")
    assert found["not_actually_fits.fit_"] == ("quarantined", "not-fits")
    assert found["na120701.091058.fits"] == ("quarantined", "truncated")
    assert found["astropy_checksum_false.fits"] == ("quarantined", "wrong-checksum")
    assert found["astropy_zerowidth.fits"] == ("quarantined", "no-image")
    (padding,) = [item for item in report.items if "no_block_padding" in item.file]
    assert padding.outcome in ("done", "skipped")
    (release,) = search.search(lake, Wanted(instrument="hinode_xrt", pattern="*20070424*"))
    caveats = search.show(lake, f"{release['product']}")["files"][0]["caveats"]
    assert "padding" in " ".join(caveats)
