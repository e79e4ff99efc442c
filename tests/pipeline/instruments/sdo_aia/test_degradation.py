"""The degradation correction: one version of the table, exactly."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import aiapy.calibrate
import numpy as np
import pytest
from aiapy.calibrate.util import get_correction_table
from astropy import units as u
from astropy.time import Time

from pipeline.errors import BadInput
from pipeline.instruments.sdo_aia.channels import EUV
from pipeline.instruments.sdo_aia.steps.degradation import DegradationParams, degradation
from tests.pipeline.instruments.sdo_aia.frames import small
from tests.pipeline.instruments.sdo_aia.references import reference

V10 = "aia_V10_20201119_190000_response_table.txt"
V8 = "aia_V8_20171210_050627_response_table.txt"


def table(path: Path) -> Any:
    return {"degradation_table": reference("degradation_table", path)}


def factor(path: Path, version: int = 10, **cards: Any) -> float:
    found = degradation(small(**cards), DegradationParams(calibration_version=version), table(path))
    return float(found.header["DEGRFACT"])


def channel_cards(channel: int) -> dict[str, Any]:
    return {"WAVELNTH": channel, "WAVE_STR": f"{channel}_THIN" if channel in EUV else str(channel)}


@pytest.mark.parametrize("channel", [*EUV, 1600, 1700])
@pytest.mark.parametrize("moment", ["2010-05-20T12:00:00", "2013-09-03T04:05:06", "2019-01-01T00:00:00"])
def test_agrees_with_aiapy_on_a_table_of_one_version(channel: int, moment: str, real_data: Path) -> None:
    path = real_data / "calibration" / "aia" / V10
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        wanted = aiapy.calibrate.degradation(
            channel * u.angstrom, Time(moment), correction_table=get_correction_table(path)
        )
    assert factor(path, T_OBS=moment, **channel_cards(channel)) == pytest.approx(float(wanted[0]), rel=1e-12)


def test_the_image_is_divided_by_the_factor(real_data: Path) -> None:
    image = small()
    found = degradation(image, DegradationParams(), table(real_data / "calibration" / "aia" / V10))
    assert 0.9 < found.header["DEGRFACT"] < 1.0
    np.testing.assert_allclose(found.data, image.data / found.header["DEGRFACT"], rtol=1e-6)
    assert found.header["DEGRVER"] == 10


@pytest.mark.parametrize(
    ("moment", "channel", "says"),
    [
        ("2020-05-31T00:00:00", 304, ""),
        ("2025-01-01T00:00:00", 304, "304_THIN (version 10) begins on 2020-06-01"),
        ("2025-01-01T00:00:00", 1600, "1600 (version 10) begins on 2020-06-01"),
    ],
)
def test_a_moment_in_the_last_epoch_is_called_extrapolated_with_its_date(
    moment: str, channel: int, says: str, real_data: Path
) -> None:
    references = table(real_data / "calibration" / "aia" / V10)
    found = degradation(small(T_OBS=moment, **channel_cards(channel)), DegradationParams(), references)
    assert found.modes == (("EXTRAPOLATED",) if says else ())
    assert len(found.caveats) == bool(says)
    assert not says or (says in found.caveats[0] and "constant since" in found.caveats[0])


def test_lines_of_other_versions_are_not_looked_at(real_data: Path, tmp_path: Path) -> None:
    folder = real_data / "calibration" / "aia"
    mixed = tmp_path / "mixed.txt"
    newer, older = (folder / V10).read_text(), (folder / V8).read_text()
    mixed.write_text(older + "".join(newer.splitlines(keepends=True)[1:]))
    for version, alone in ((8, V8), (10, V10)):
        expected = factor(folder / alone, version, T_OBS="2016-06-01T00:00:00")
        assert factor(mixed, version, T_OBS="2016-06-01T00:00:00") == expected
    assert factor(mixed, 8, T_OBS="2016-06-01T00:00:00") != factor(mixed, 10, T_OBS="2016-06-01T00:00:00")


def test_a_version_the_table_lacks_is_refused_and_the_versions_it_has_are_named(real_data: Path) -> None:
    with pytest.raises(BadInput, match="no line of calibration version 9") as caught:
        factor(real_data / "calibration" / "aia" / V10, 9)
    assert "versions in the table for this channel: 10" in caught.value.found


def test_the_4500_channel_has_a_version_of_its_own_and_is_refused_where_the_table_lacks_it(
    real_data: Path,
) -> None:
    with pytest.raises(BadInput, match="calibration version 3 for 4500"):
        factor(real_data / "calibration" / "aia" / V10, **channel_cards(4500))


@pytest.mark.parametrize("moment", ["2009-01-01T00:00:00", "2031-01-01T00:00:00"])
def test_a_time_outside_all_epochs_is_refused(moment: str, real_data: Path) -> None:
    with pytest.raises(BadInput, match="no line"):
        factor(real_data / "calibration" / "aia" / V10, T_OBS=moment)


def test_of_lines_for_one_epoch_the_latest_made_counts(real_data: Path, tmp_path: Path) -> None:
    lines = (real_data / "calibration" / "aia" / V10).read_text().splitlines()
    chosen = next(line for line in lines if line.split()[1::3][:2] == ["2011-01-27T15:00:00.000", "171_THIN"])
    cells = chosen.split()
    cells[0], cells[8] = "2024-01-01T00:00:00.000", "1.394630"
    path = tmp_path / "revised.txt"
    path.write_text("\n".join([lines[0], " ".join(cells), *lines[1:]]))
    old = factor(real_data / "calibration" / "aia" / V10)
    assert factor(path) == pytest.approx(old * 1.394630 / float(chosen.split()[8]))


def test_an_image_is_not_corrected_twice(real_data: Path) -> None:
    path = real_data / "calibration" / "aia" / V10
    once = degradation(small(), DegradationParams(), table(path))
    with pytest.raises(BadInput, match="corrected already"):
        degradation(once, DegradationParams(), table(path))


def test_with_unity_assumed_nothing_changes() -> None:
    image = small()
    assert degradation(image, DegradationParams(), {}) is image


def test_a_sensitivity_that_is_none_is_refused(real_data: Path, tmp_path: Path) -> None:
    text = (real_data / "calibration" / "aia" / V10).read_text()
    path = tmp_path / "zero.txt"
    path.write_text(text.replace("2.77160", "0.00000"))
    with pytest.raises(BadInput, match="not positive"):
        factor(path)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "no AIA response table"),
        ("A B C\n1 2 3\n", "no AIA response table"),
        ("DATE T_START T_STOP VER_NUM WAVE_STR EFF_AREA EFFA_P1 EFFA_P2 EFFA_P3\n1 2\n", "not complete"),
    ],
)
def test_a_file_that_is_no_response_table_says_so(text: str, says: str, tmp_path: Path) -> None:
    path = tmp_path / "table.txt"
    path.write_text(text)
    with pytest.raises(BadInput, match=says) as caught:
        factor(path)
    assert caught.value.file == str(path)
