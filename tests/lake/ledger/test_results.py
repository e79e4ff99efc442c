"""What units gave is known in every later run, until somebody forgets it on purpose."""

from __future__ import annotations

import pytest

from lake.lake import Lake
from lake.ledger import results
from lake.names import ProductKey
from lake.releases.drafts import reserve
from lake.releases.releases import publish
from tests.lake.conftest import MakeFiles


def test_a_quarantined_unit_is_remembered_until_it_is_forgotten_on_purpose(lake: Lake, scope: str) -> None:
    results.record_quarantined(lake, [(scope, {"reason": "dark"})])
    results.record_quarantined(lake, [(scope, {"reason": "another"})])
    (known,) = results.results(lake, [scope, "never"]).values()
    assert (known.unit_id, known.outcome, known.file) == (scope, "quarantined", None)
    assert known.detail == {"reason": "dark"}
    assert results.known_outcomes(lake, [scope, "never"]) == {scope: "quarantined"}
    assert results.forget_quarantined(lake, ["never"]) == 0
    assert results.forget_quarantined(lake, [scope]) == 1
    assert results.results(lake, [scope]) == {}
    assert results.known_outcomes(lake, [scope]) == {}


def test_what_a_unit_gave_stays_known_until_its_file_is_lost(
    lake: Lake, scope: str, make_files: MakeFiles
) -> None:
    files = make_files("a.fits", "b.fits", unit=True)
    publish(lake, reserve(lake, ProductKey(scope, "o", "1"), "k"), files)
    units = [f"{scope}-a.fits", f"{scope}-b.fits"]
    assert {unit: one.file for unit, one in results.results(lake, units).items()} == dict(
        zip(units, files, strict=True)
    )
    results.record_quarantined(lake, [(unit, {}) for unit in units])
    assert results.forget_quarantined(lake, units) == 0
    assert results.known_outcomes(lake, units) == dict.fromkeys(units, "done")
    assert results.forget_lost(lake, units[:1]) == 1
    assert list(results.known_outcomes(lake, units)) == units[1:]


def test_of_many_units_all_are_known_and_can_be_forgotten(
    lake: Lake, scope: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many the database is asked for at once."""
    monkeypatch.setattr(results, "_MANY", 3)
    units = [f"{scope}-{number}" for number in range(10)]
    results.record_quarantined(lake, [(unit, {}) for unit in units])
    assert sorted(results.results(lake, iter(units))) == units
    assert sorted(results.known_outcomes(lake, iter(units))) == units
    assert results.forget_lost(lake, [*units[:8], "never"]) == 8
    assert sorted(results.known_outcomes(lake, units)) == units[8:]
