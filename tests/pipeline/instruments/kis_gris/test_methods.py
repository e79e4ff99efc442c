"""Fringes, crosstalk, gain and wavelengths, each against numbers that it has to give back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from pipeline.errors import BadInput
from pipeline.instruments.kis_gris import crosstalk, fringes, wavelength
from pipeline.instruments.kis_gris.calibration_file import Atlas, read_atlas
from pipeline.instruments.kis_gris.flat import continuum_of, gain_of
from pipeline.instruments.kis_gris.lines import CONTINUUM, LINES

AT = np.asarray(15644.0 + 0.04 * np.arange(500))
LIST = LINES["1565"]


def found(spectra: np.ndarray, free: np.ndarray | None = None) -> fringes.Fringes:
    everywhere = np.ones(AT.size, dtype=bool) if free is None else free
    return fringes.fringes_of(spectra, AT, everywhere, shortest=0.5, longest=4.0, most=4, surely=8.0)


def test_waves_are_taken_out_with_the_phase_of_each_row_and_levels_stay() -> None:
    random = np.random.default_rng(1)
    phases, levels = random.uniform(0, 6.28, 60), random.normal(size=60)
    waves = 0.002 * np.sin(2 * np.pi * AT[:, None] / 1.7 + phases)
    noise = 5e-4 * random.normal(size=waves.shape)
    made = found(waves + noise + levels)
    assert made.periods == pytest.approx([1.7], abs=0.003)
    assert np.sqrt(np.mean((made.waves - waves) ** 2)) < 1e-4


def test_noise_alone_and_too_short_spectra_have_no_fringes() -> None:
    random = np.random.default_rng(2)
    assert found(random.normal(size=(AT.size, 100))).periods == ()
    few = np.arange(AT.size) < 15
    assert found(random.normal(size=(AT.size, 5)), few).periods == ()


def test_symmetry_gives_every_coefficient_back() -> None:
    random = np.random.default_rng(3)
    away = (AT[:, None] - 15652.0 - 0.05 * random.normal(size=40)) / 0.25
    strength = random.uniform(0.02, 0.2, 40)
    core = np.exp(-(away**2))
    pixels = np.stack(
        [
            1 - 0.4 * core,
            random.normal(size=40) * 0.1 * (1 - 2 * away**2) * core,
            random.normal(size=40) * 0.1 * (1 - 2 * away**2) * core,
            strength * away * core,
        ]
    )
    mixed = pixels.copy()
    mixed[1] += 0.05 * pixels[3]
    mixed[2] -= 0.03 * pixels[3]
    mixed[3] += 0.04 * pixels[1] - 0.02 * pixels[2]
    line = LIST[2]._replace(wavelength=15652.0)
    leak = crosstalk.leak_of(*crosstalk.parted(mixed, AT, [line], 1.0))
    assert (*leak.from_v, *leak.into_v) == pytest.approx((0.05, -0.03, 0.04, -0.02), abs=2e-3)
    np.testing.assert_allclose(leak.undone(mixed[1:]), pixels[1:], atol=1e-3)
    kept = leak.undone(mixed[1:], circular=False)
    np.testing.assert_allclose(kept[2], mixed[3])


def test_lines_at_the_edge_tell_nothing_and_errors_grow_with_noise() -> None:
    edge = LIST[2]._replace(wavelength=AT[10])
    even, odd = crosstalk.parted(np.ones((4, AT.size, 3)), AT, [edge], 1.0)
    assert even.shape[2] == odd.shape[2] == 0
    random = np.random.default_rng(4)
    shape = (3, 40, 30)
    small, large = (
        crosstalk.leak_of(one, one) for one in (random.normal(size=shape), random.normal(size=shape))
    )
    assert max(small.from_v_error) == pytest.approx(max(large.from_v_error), rel=0.5)
    assert 0.01 < max(small.from_v_error) < 0.1


def test_crosstalk_of_intensity_follows_the_slit_and_ignores_what_is_missing() -> None:
    rows = np.linspace(-1, 1, 50)
    share = 0.01 + 0.002 * rows
    holes = share.copy()
    holes[[3, 30]] = np.nan
    np.testing.assert_allclose(crosstalk.from_intensity(holes, 1), share, atol=1e-12)
    assert not crosstalk.from_intensity(np.full(4, np.nan), 1).any()


def test_the_gain_is_the_flat_without_the_sun_s_lines() -> None:
    random = np.random.default_rng(5)
    truth = 1 + 0.02 * random.normal(size=(AT.size, 80))
    truth *= (1 - 0.1 * np.linspace(-1, 1, AT.size) ** 2)[:, None]
    truth[:, 33] *= 0.8
    sun = 1 - wavelength.drawn(LIST)(AT)
    dark = 400 + random.normal(size=truth.shape)
    truth[100, 7] = 0.0
    dark[50, 3] = 9000.0
    made = gain_of(5000 * sun[:, None] * truth + dark, dark, 2)
    bad = ~np.isfinite(made.gain)
    assert {tuple(one) for one in np.argwhere(bad)} == {(100, 7), (50, 3)}
    ratio = made.gain * made.level / (5000 * truth)
    assert np.nanstd(ratio) < 2e-3
    assert np.nanmean(ratio) == pytest.approx(1.0, abs=0.01)


def test_a_continuum_passes_over_lines() -> None:
    sun = (1 - wavelength.drawn(LIST)(AT)) * (1 + 0.05 * np.linspace(-1, 1, AT.size))
    np.testing.assert_allclose(continuum_of(sun), 1 + 0.05 * np.linspace(-1, 1, AT.size), atol=3e-3)


def scale(depth: np.ndarray, atlas: Atlas | None = None) -> wavelength.Scale:
    expected = wavelength.drawn(LIST) if atlas is None else wavelength.of_atlas(atlas)
    guess = wavelength.found_by(depth, expected, 15656.0, 0.0405, reach=5.0, tolerance=0.03)
    return (
        wavelength.by_lines(depth, guess, LIST) if atlas is None else wavelength.by_atlas(depth, guess, atlas)
    )


def test_lines_give_the_scale_of_a_spectrum_that_is_off_by_angstroms() -> None:
    made = scale(wavelength.drawn(LIST)(AT))
    assert made.first == pytest.approx(AT[0], abs=1e-3)
    assert made.step == pytest.approx(0.04, rel=1e-5)
    assert (made.number, made.alike > 0.9) == (4, True)


def test_an_atlas_that_is_blurred_and_veiled_gives_it_as_well() -> None:
    fine = np.arange(15636.0, 15676.0, 0.01)
    atlas = Atlas(fine, 1 - 1.6 * wavelength.drawn(LIST)(fine), simulated=True)
    made = scale(wavelength.drawn(LIST)(AT), atlas)
    assert made.first == pytest.approx(AT[0], abs=2e-3)
    assert made.step == pytest.approx(0.04, rel=2e-5)


def test_an_atlas_is_two_columns_or_refused_with_what_to_do(tmp_path: Path) -> None:
    good, bad = tmp_path / "a.txt", tmp_path / "b.txt"
    good.write_text("# remark\n15652.0 9000\n15651.0 10000\n15650.0 10000\n")
    assert read_atlas(str(good)).wavelengths.tolist() == [15650.0, 15651.0, 15652.0]
    assert read_atlas(str(good)).intensity.max() == pytest.approx(1.0)
    bad.write_text("no table\n")
    with pytest.raises(BadInput, match="two columns"):
        read_atlas(str(bad))


@pytest.mark.parametrize("text", ["", "# nothing\n", "15650 nan\n" * 60, "15650 0\n" * 60, "15650 1\n"])
def test_an_atlas_without_a_spectrum_is_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "gris_atlas_1565.txt"
    path.write_text(text)
    with pytest.raises(BadInput, match="no spectrum"):
        read_atlas(str(path))


def test_the_real_atlas_has_the_listed_lines_where_they_are_said_to_be(real_data: Path) -> None:
    folder = real_data.parent / "atlas"
    if not folder.is_dir():
        pytest.skip("the FTS atlas 15600-15700 is not beside the real data")
    waves, light = (
        np.asarray(fits.getdata(folder / f"atlas_IR_15600-15700_{what}.fits"), dtype=np.float64).ravel()
        for what in ("wave", "data")
    )
    atlas = Atlas(waves, light / np.percentile(light, 98), simulated=False)
    for line in LIST:
        near = np.abs(waves - line.wavelength) < 0.1
        assert waves[near][np.argmin(atlas.intensity[near])] == pytest.approx(line.wavelength, abs=0.012)
        assert 1 - atlas.intensity[near].min() == pytest.approx(line.depth, abs=0.02)
    for low, high in CONTINUUM["1565"]:
        assert atlas.intensity[(waves >= low) & (waves <= high)].min() > 0.97
    # A spectrum made of the atlas gets its scale by the list of lines to a fifth of a pixel.
    made = scale(np.interp(AT, waves, 1 - atlas.intensity))
    assert made.first == pytest.approx(AT[0], abs=0.008)
    assert made.first + 499 * made.step == pytest.approx(AT[-1], abs=0.008)
    by_atlas = scale(np.interp(AT, waves, 1 - atlas.intensity), atlas)
    assert by_atlas.first == pytest.approx(AT[0], abs=0.001)


def test_the_real_gregor_profile_is_found_at_1083(real_data: Path) -> None:
    folder = real_data / "spectropolarimetry"
    if not (folder / "10830_spot.1d").exists():
        pytest.skip("the GREGOR profile is not among the real data")
    at = np.loadtxt(folder / "10830_spot.wavelength", comments="#")
    rows = np.loadtxt((folder / "10830_spot.1d").read_text().splitlines()[-at.size :])
    made = wavelength.found_by(
        1 - rows[:, 0], wavelength.drawn(LINES["1083"]), 10828.0, 0.0361, reach=3.0, tolerance=0.0
    )
    assert made.alike > 0.7
    # Its authors put it 0.22 Angstrom below the wavelengths of the laboratory.
    assert made.first - at[0] == pytest.approx(0.22, abs=0.04)
