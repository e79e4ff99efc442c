"""What an observation says of itself agrees with itself."""

from __future__ import annotations

from typing import Any

import pytest

from tests.pipeline.solarnet_check.headers import IMAGE, SPECTRA, findings, told


@pytest.mark.parametrize(
    ("base", "changes", "found"),
    [
        (IMAGE, {"WAVEMIN": 18.0, "WAVELNTH": 0}, ("error", "WAVEMIN", "SOLARNET 5.4")),
        (IMAGE, {"WAVELNTH": 171}, ("warning", "WAVELNTH", "SOLARNET 5.4")),
        (IMAGE, {"WAVEREF": "vac"}, ("note", "WAVEREF", "SOLARNET 5.4")),
        (IMAGE, {"NBIN1": 2, "NBIN2": 2, "NBIN": 2}, ("error", "NBIN", "SOLARNET 5.2")),
        (IMAGE, {"NBIN3": 1}, ("warning", "NBIN3", "SOLARNET 5.2")),
        (IMAGE, {"DSUN_OBS": 1.0}, ("error", "DSUN_OBS", "SOLARNET 3.2")),
        (IMAGE, {"DSUN_AU": 1.2}, ("error", "DSUN_AU", "SOLARNET 3.2")),
        (IMAGE, {"SOLAR_B0": 3.0}, ("error", "SOLAR_B0", "SOLARNET 3.2")),
        (IMAGE, {"RSUN_REF": 6.957e8, "RSUN_ARC": 600.0}, ("warning", "RSUN_ARC", "Thompson 2006, 9.1")),
        (
            IMAGE,
            {"OBSGEO__X": 1.0, "OBSGEO__Y": 0.0, "OBSGEO__Z": 0.0},
            ("warning", "OBSGEO-X", "SOLARNET 3.2"),
        ),
        (SPECTRA, {"WAVEREF": "vacuum"}, ("error", "WAVEREF", "SOLARNET 5.4")),
        (SPECTRA, {"WAVEUNIT": -10}, ("note", "WAVEUNIT", "SOLARNET 5.4")),
        (SPECTRA, {"CRVAL3": 700.0}, ("error", "WAVEMIN", "SOLARNET 5.4")),
        (SPECTRA, {"POLCCONV": "HPLT"}, ("error", "POLCCONV", "SOLARNET 5.4.1")),
    ],
)
def test_numbers_that_contradict_each_other_are_found(
    base: dict[str, Any], changes: dict[str, Any], found: tuple[str, str, str]
) -> None:
    assert found in told(findings(base, **changes))


@pytest.mark.parametrize(
    ("base", "changes"),
    [
        (IMAGE, {"WAVEMIN": 17.1, "WAVEMAX": 17.1}),
        (IMAGE, {"DSUN_AU": 0.98263}),
        (IMAGE, {"SOLAR_B0": -3.0}),
        (IMAGE, {"RSUN_REF": 6.957e8, "RSUN_ARC": 976.2}),
        (IMAGE, {"OBSGEO__X": 5327395.9, "OBSGEO__Y": -1719170.4, "OBSGEO__Z": 3051490.7}),
        (SPECTRA, {"CTYPE3": "WAVE", "WAVEREF": "vacuum"}),
        (SPECTRA, {"POLCCONV": "( +HPLT, -HPLN, -HPRZ )", "POLCANGL": 45.0}),
    ],
)
def test_numbers_that_agree_pass(base: dict[str, Any], changes: dict[str, Any]) -> None:
    assert told(findings(base, **changes)) == []
