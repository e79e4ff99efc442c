"""Names are made one way and read back, and no name can leave its folder or break Rucio's rules."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lake.errors import BadInput, Reason
from lake.names import (
    ProductKey,
    check_name,
    check_scope,
    lake_name,
    level_token,
    namesakes,
    original_name,
    parse_product,
    product_file,
    release_name,
    split_did,
    stem_of,
    trial_file,
    version_of,
    version_token,
)

SCOPES = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_-]{0,24}", fullmatch=True)
NAMES = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_-]{0,60}(\.[A-Za-z0-9_-]{1,10}){0,3}", fullmatch=True)
LEVELS = st.from_regex(r"[0-9]{1,2}(\.[0-9]{1,2})?(q|Q|b|qb)?|Q[0-9](\.[0-9]{1,2})?", fullmatch=True)
VERSIONS = st.integers(1, 10**6)


@pytest.mark.parametrize(
    ("level", "token"),
    [("0", "l0"), ("1", "l1"), ("1.5", "l15"), ("2q", "l2q"), ("Q1", "lQ1"), ("Q0.5", "lQ05")],
)
def test_a_level_is_written_without_its_point(level: str, token: str) -> None:
    assert level_token(level) == token


def test_different_levels_never_share_a_name() -> None:
    """All of them: two drawn at random would hardly ever be such a pair as 15 and 1.5."""
    wholes = [str(number) for number in range(100)] + [f"0{number}" for number in range(10)]
    points = ["", *(f".{number}" for number in range(100)), *(f".0{number}" for number in range(10))]
    levels = [f"{whole}{point}{suffix}" for whole in wholes for point in points for suffix in ("", "q", "Qb")]
    levels += [f"Q{whole}{point}" for whole in range(10) for point in points]
    assert len({level_token(level) for level in levels}) == len(levels)


@pytest.mark.parametrize(
    "level", ["1.5p", "1p5", "15p", "1p", "", "1.", ".5", "100", "1.555", "1.5abcde", "a", "1 "]
)
def test_a_level_that_could_be_read_as_another_is_none(level: str) -> None:
    with pytest.raises(BadInput, match="is not a level"):
        level_token(level)


@pytest.mark.parametrize("version", [0, -1])
def test_versions_count_from_one(version: int) -> None:
    assert version_token(1) == "v0001"
    with pytest.raises(BadInput, match="counts from 1"):
        version_token(version)


@given(SCOPES, NAMES, LEVELS, VERSIONS)
def test_a_product_is_read_back_as_it_was_named(
    scope: str, observation: str, level: str, version: int
) -> None:
    key = ProductKey(scope, observation, level)
    read = parse_product(f"{key.name}@{version_token(version)}")
    assert (read.scope, read.observation, read.token) == (scope, observation, level_token(level))
    assert read.version == version


@given(NAMES, LEVELS, VERSIONS)
def test_a_release_can_be_given_by_the_name_of_its_dataset(
    observation: str, level: str, version: int
) -> None:
    read = parse_product(release_name(observation, level, version))
    assert (read.observation, read.token, read.version) == (observation, level_token(level), version)


@given(NAMES, LEVELS, VERSIONS)
def test_a_product_file_has_the_stem_it_was_made_from(stem: str, level: str, version: int) -> None:
    if re.search(r"\.(fits?|fts)_?(\.fz|\.gz)?$|\.l[0-9Q]", stem, re.IGNORECASE):
        return
    name = product_file(stem, level, version)
    assert stem_of(name) == stem
    assert name.endswith(f".{level_token(level)}.{version_token(version)}.fits")


@pytest.mark.parametrize(
    "suffix", [".fits", ".FTS", ".fit", ".fits.gz", ".fits.fz", ".fts_", ".fits_.gz", ".l1.v0001.fits"]
)
def test_every_suffix_that_ingest_takes_is_left_out_of_the_stem(suffix: str) -> None:
    assert stem_of(f"20110910_s4h1A{suffix}") == "20110910_s4h1A"


@given(st.text(max_size=300))
def test_a_name_that_is_accepted_is_one_path_segment_that_rucio_takes(text: str) -> None:
    rucio_takes = re.fullmatch(r"[/A-Za-z0-9][/A-Za-z0-9.\-_]*", text) and len(text) <= 250
    if rucio_takes and "/" not in text:
        assert check_name(text) == text
    else:
        with pytest.raises(BadInput) as refusal:
            check_name(text)
        assert refusal.value.code is Reason.BAD_NAME


@pytest.mark.parametrize("scope", ["", "a" * 26, "../up", "a/b", "a:b", "a b", ".hidden", "..", "a..b"])
def test_a_scope_that_rucio_or_the_file_system_would_not_take_is_refused(scope: str) -> None:
    with pytest.raises(BadInput):
        check_scope(scope)


@pytest.mark.parametrize(
    "text", ["", "nothing", "a:b", "obs.l1@v", "obs.l1@0001", "a:b:c.l1", "obs.l1@v1x", "x/y.l1"]
)
def test_text_that_is_no_product_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(BadInput, match="PRODUCT@v0001"):
        parse_product(text)


@given(st.text(st.characters(codec=None)))
def test_any_text_is_a_product_or_is_refused_in_words(text: str) -> None:
    for read in (parse_product, split_did, level_token, check_scope):
        with contextlib.suppress(BadInput):
            assert read(text)
            assert text.isprintable()


def test_a_did_without_a_scope_is_refused() -> None:
    with pytest.raises(BadInput, match="SCOPE:NAME"):
        split_did("file.fits")


@pytest.mark.parametrize("suffix", [".fits", ".FTS", ".fit_", ".fts.gz", ".FITS.FZ"])
def test_namesakes_are_all_other_names_whose_products_would_be_named_alike(suffix: str) -> None:
    others = namesakes(f"a_s4h1A{suffix}")
    assert {stem_of(name) for name in others} == {"a_s4h1A"}
    assert f"a_s4h1A{suffix}" not in others
    assert {"a_s4h1A.fts", "a_s4h1A.fits.gz"} <= {*others, f"a_s4h1A{suffix}"}


# What a file may be called on a POSIX system: any bytes but "/" and NUL; more often what archives write.
FILE_NAMES = (
    st.binary(min_size=1, max_size=255)
    .map(lambda raw: raw.replace(b"\0", b"+").replace(b"/", b"-"))
    .filter(lambda raw: raw not in (b".", b".."))
    .map(os.fsdecode)
)
ARCHIVE_NAMES = st.text(st.sampled_from("ab1._-+ x2BE5Fäß%"), min_size=1, max_size=12).filter(
    lambda text: text not in (".", "..")
) | st.sampled_from(["", ".fits", ".fts.gz", ".l1.v0001.fits"]).flatmap(
    lambda ending: st.text("a+.-", min_size=1, max_size=240).map(lambda text: text + "z" + ending)
)


@given(FILE_NAMES | ARCHIVE_NAMES)
def test_every_name_of_a_file_can_be_kept_and_given_back(original: str) -> None:
    name = lake_name(original)
    assert check_name(name) == name
    assert re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9.\-_]*", name)  # Rucio's schema
    assert product_file(stem_of(name), "12.34ABCD", 10**8)
    if ".--" not in name:
        assert original_name(name) == original
    else:
        assert original_name(name) is None
        assert len(os.fsencode(original)) > 40


@given(FILE_NAMES | ARCHIVE_NAMES, FILE_NAMES | ARCHIVE_NAMES, st.data())
def test_two_files_never_get_one_name(first: str, second: str, data: st.DataObject) -> None:
    if data.draw(st.booleans()):  # the name that the other one got is another's own
        second = lake_name(first)
    assert (lake_name(first) == lake_name(second)) == (first == second)


@given(NAMES)
def test_a_name_that_rucio_takes_stays_as_it_is(name: str) -> None:
    assert ".-" in name or lake_name(name) == name


@pytest.mark.parametrize(
    ("original", "name"),
    [
        ("lasco_c2_+60_20000903.fts", "lasco_c2_.-2B60_20000903.fts"),
        ("lasco_c2_-60_20000903.fts", "lasco_c2_-60_20000903.fts"),
        ("a b.fits", "a.-20b.fits"),
        ("süd.fits.gz", "s.-C3.-BCd.fits.gz"),
        ("-dash.fits", "x.-_-dash.fits"),
        ("+.fits", "x.-_.-2B.fits"),
        ("a.-2B.fits", "a.-2E-2B.fits"),
    ],
)
def test_names_of_archives_are_escaped_one_way(original: str, name: str) -> None:
    assert lake_name(original) == name
    assert original_name(name) == original


@pytest.mark.parametrize("text", ["", ".", "..", "a/b.fits", "a\0.fits"])
def test_what_names_no_file_is_refused(text: str) -> None:
    with pytest.raises(BadInput) as refusal:
        lake_name(text)
    assert refusal.value.code is Reason.BAD_NAME


def test_a_long_name_is_cut_so_that_those_of_its_products_fit() -> None:
    longest = "a" * (250 - len(".l12p34ABCD.v000000001.fits"))
    for suffix in (".fits", ".fts.gz"):
        assert lake_name(longest + suffix) == longest + suffix
        cut = lake_name("a" + longest + suffix)
        assert cut.endswith(suffix)
        assert original_name(cut) is None
        hashed = hashlib.sha256(f"a{longest}".encode()).hexdigest()[:32]
        assert cut == f"{longest[:-35]}.--{hashed}{suffix}", "what was kept once is called so for ever"
    of_ours = f"{longest}.l12p34ABCD.v000000001.fits"
    assert lake_name(of_ours) == of_ours, "as long as a name may be"
    assert stem_of(lake_name("ä" * 120 + ".fits")) == stem_of(lake_name("ä" * 120 + ".fits.gz"))


@pytest.mark.parametrize(
    ("name", "version"),
    [
        (product_file("a_s4h1A", "1", 7), 7),
        (product_file("a_s4h1A", "1.5", 12345), 12345),
        ("a_s4h1A.fts", None),
        ("a_s4h1A.l1.fits", None),
        (trial_file("a_s4h1A", "1"), None),
    ],
)
def test_the_version_in_a_products_name_is_read_back(name: str, version: int | None) -> None:
    assert version_of(name) == version


def test_a_trials_name_is_that_of_no_release() -> None:
    assert trial_file("a_s4h1A", "1.5") == "a_s4h1A.l15.trial.fits"


@pytest.mark.parametrize("scope", ["s", "7", "sdo_aia", "user.ada", "a-b", "a" * 25])
def test_a_scope_that_rucio_takes_is_a_scope(scope: str) -> None:
    assert check_scope(scope) == scope


@pytest.mark.parametrize("scope", ["", "a" * 26, ".a", "-a", "_a", "a..b", "a/b", "a b", "a:b", "ä", "a\n"])
def test_a_scope_that_rucio_refuses_is_none(scope: str) -> None:
    with pytest.raises(BadInput, match="cannot be a scope") as refusal:
        check_scope(scope)
    assert refusal.value.code is Reason.BAD_NAME
    assert refusal.value.found == scope


@pytest.mark.parametrize("name", ["a", "7.fits", "A-b_c.d", "a..b", "a" * 250])
def test_a_name_that_rucio_takes_is_a_name(name: str) -> None:
    assert check_name(name) == name


@pytest.mark.parametrize("name", ["", "a" * 251, ".a", "-a", "_a", "a/b", "a b", "a:b", "ä", "a\n"])
def test_a_name_that_rucio_refuses_is_none(name: str) -> None:
    with pytest.raises(BadInput, match="cannot be a name") as refusal:
        check_name(name)
    assert refusal.value.code is Reason.BAD_NAME
    assert (refusal.value.file, refusal.value.found) == (name, name)


def test_a_did_is_split_at_its_first_colon_and_both_parts_are_checked() -> None:
    assert split_did("s:a.fits") == ("s", "a.fits")
    for text in ("a.fits", "", ":a.fits", "s:", "s:a:b"):
        with pytest.raises(BadInput):
            split_did(text)
