"""A file put aside is one case with its reason and advice, until it is settled."""

from __future__ import annotations

from typing import Any

from lake.errors import BadInput, Reason
from lake.lake import Lake
from lake.releases import quarantine
from lake.releases.quarantine import Case


def cases_of(lake: Lake, subject: str, **options: Any) -> list[dict[str, Any]]:
    """The listed cases of one file."""
    return [case for case in quarantine.listing(lake, **options) if case["file"] == subject]


def case_of(subject: str, code: Reason = Reason.TRUNCATED, stage: str = "ingest", **more: Any) -> Case:
    """A case as ingest makes it."""
    error = BadInput(
        "too short", file=subject, keyword="NAXIS", found="3", advice="fetch it again", code=code
    )
    return Case.of(error, stage, **more)


def test_a_case_says_why_and_what_to_do(lake: Lake, scope: str) -> None:
    quarantine.record(lake, [case_of(scope)])
    (case,) = cases_of(lake, scope)
    assert (case["code"], case["reason"], case["keyword"], case["found"], case["advice"]) == (
        "truncated",
        "too short",
        "NAXIS",
        "3",
        "fetch it again",
    )


def test_meeting_the_same_file_again_counts_up(lake: Lake, scope: str) -> None:
    quarantine.record(lake, [case_of(scope), case_of(scope)])
    quarantine.record(lake, [case_of(scope)])
    (case,) = cases_of(lake, scope)
    assert case["count"] == 2
    assert case["last_seen"] >= case["first_seen"]


def test_other_reasons_and_other_bytes_are_other_cases(lake: Lake, scope: str) -> None:
    quarantine.record(
        lake,
        [
            case_of(scope),
            case_of(scope, Reason.WRONG_CHECKSUM),
            case_of(scope, sha256="ab"),
            case_of(scope, stage="process"),
        ],
    )
    assert len(cases_of(lake, scope)) == 4
    assert len(cases_of(lake, scope, stage="process")) == 1
    assert len(cases_of(lake, scope, code=Reason.WRONG_CHECKSUM)) == 1


def test_a_settled_case_is_kept_and_no_longer_listed(lake: Lake, scope: str) -> None:
    quarantine.record(lake, [case_of(scope), case_of(scope, stage="process")])
    assert quarantine.resolve(lake, [scope], stage="ingest") == 1
    assert [case["stage"] for case in cases_of(lake, scope)] == ["process"]
    assert len(cases_of(lake, scope, resolved=True)) == 2


def test_a_settled_case_that_is_met_again_is_open_again(lake: Lake, scope: str) -> None:
    quarantine.record(lake, [case_of(scope)])
    quarantine.resolve(lake, [scope])
    quarantine.record(lake, [case_of(scope)])
    assert len(cases_of(lake, scope)) == 1


def test_text_from_damaged_headers_is_stored_without_its_nul_characters(lake: Lake, scope: str) -> None:
    quarantine.record(lake, [Case(scope, "bad\0 header", "corrupted-header", "ingest", found="\0\0x")])
    (case,) = cases_of(lake, scope)
    assert (case["reason"], case["found"]) == ("bad header", "x")


def test_cases_with_the_same_reason_and_way_out_stand_together(lake: Lake, scope: str) -> None:
    names = [f"{scope}_{number}" for number in range(3)]
    quarantine.record(lake, [case_of(name) for name in names])
    quarantine.record(lake, [case_of(f"{scope}_other", Reason.WRONG_CHECKSUM)])
    quarantine.record(lake, [case_of(f"{scope}_settled")])
    quarantine.resolve(lake, [f"{scope}_settled"])
    found = [case for case in quarantine.listing(lake, resolved=True) if case["file"].startswith(scope)]
    groups = {tuple(sorted(case["file"] for case in group)) for group in quarantine.grouped(found)}
    assert groups == {tuple(names), (f"{scope}_other",), (f"{scope}_settled",)}


def test_no_cases_are_no_work(lake: Lake) -> None:
    quarantine.record(lake, [])
