"""New observations are under the embargo that the home asks for, else the instrument's description."""

from __future__ import annotations

from pathlib import Path

import pytest

from cluster.intake import embargoes
from cluster.intake.embargoes import described, embargoes_of
from lake.errors import Fatal
from lake.governance.embargo import Default
from pipeline.instrument import EmbargoRule
from pipeline.registry import instruments


def test_instruments_that_ask_for_nothing_have_none(tmp_path: Path) -> None:
    assert described("sdo_aia") is None
    assert described("nobody_knows_it") is None
    assert embargoes_of(tmp_path)("sdo_aia") is None


def test_the_description_counts_where_the_home_says_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rule = EmbargoRule(months=12, holders=("group:team",))
    asking = instruments()["sdo_aia"].model_copy(update={"embargo": rule})
    monkeypatch.setattr(embargoes, "instruments", lambda: {"sdo_aia": asking})
    assert embargoes_of(tmp_path)("sdo_aia") == Default(12, ("group:team",))
    (tmp_path / "governance.yaml").write_text("embargo: {sdo_aia: {months: 6}}\nlogin: {issuer: x}\n")
    assert embargoes_of(tmp_path)("sdo_aia") == Default(6)
    (tmp_path / "governance.yaml").write_text("embargo: {sdo_aia: null}\n")
    assert embargoes_of(tmp_path)("sdo_aia") is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("embargo: {sdo_aia: {months: 0}}", "embargo.sdo_aia.months"),
        ("embargo: {sdo_aia: {years: 1}}", "embargo.sdo_aia"),
        ("embargo: {sdo_aia: {months: 1, holders: ['Ada L']}}", "no name for an account"),
        ("embargo: [", "cannot be read"),
        ("- a list", "governance.yaml"),
    ],
)
def test_a_file_that_cannot_be_understood_stops_with_its_place(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "governance.yaml").write_text(text)
    with pytest.raises(Fatal, match=said) as refused:
        embargoes_of(tmp_path)
    assert str(tmp_path / "governance.yaml") in str(refused.value)
