"""Files that belong together find each other, and a group that lacks something says what."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import pytest
from pydantic import ValidationError

from pipeline.grouping import GroupBy, groups


class File(NamedTuple):
    """What a group is made of."""

    name: str
    meta: dict[str, Any]
    date_beg: datetime | None


def file(second: float, **meta: Any) -> File:
    return File(f"f{second:07.1f}", meta, datetime(2024, 5, 6, tzinfo=UTC) + timedelta(seconds=second))


def told(files: list[File], **rule: Any) -> list[tuple[list[str], str]]:
    """Names and what is lacking of each group, whatever the order the files come in."""
    shuffled = random.Random(len(files)).sample(files, len(files))
    return [([one.name for one in group.files], group.lacks) for group in groups(shuffled, GroupBy(**rule))]


TRIPLET = {"member": "position", "members": (1, 2, 3), "within": 60}


def test_members_are_given_in_the_order_the_recipe_names_them() -> None:
    files = [file(0, position=3), file(10, position=1), file(20, position=2)]
    assert told(files, **TRIPLET) == [(["f00010.0", "f00020.0", "f00000.0"], "")]


def test_numbers_and_texts_are_the_same_member() -> None:
    files = [file(0, position="1"), file(10, position=2.0), file(20, position="3.0")]
    assert [lacks for _, lacks in told(files, **TRIPLET)] == [""]


def test_a_member_that_comes_again_begins_the_next_group() -> None:
    files = [file(10 * n, position=1 + n % 3) for n in range(9)]
    assert [len(names) for names, _ in told(files, **TRIPLET)] == [3, 3, 3]


def test_a_group_that_lacks_a_member_says_which_and_keeps_the_others_whole() -> None:
    files = [file(10 * n, position=1 + n % 3) for n in range(9) if n != 4]
    assert [lacks for _, lacks in told(files, **TRIPLET)] == ["", "lacks position 2", ""]


def test_a_searchable_value_says_how_many_places_a_group_lies_along() -> None:
    rule = GroupBy(values=("map",), places="steps")
    files = [file(10 * n, map=1, steps=5) for n in range(3)]
    assert rule.places_of(files) == 5
    assert rule.places_of([file(0, map=1), file(1, map=1, steps="many"), file(2, map=1, steps=4)]) == 4
    assert rule.places_of([file(0, map=1, steps=0), file(1, map=1)]) == 2
    assert GroupBy(values=("map",)).places_of(files) == 3
    assert rule.names() == ("map", "steps")


def test_too_much_time_between_them_parts_files() -> None:
    files = [file(0, position=1), file(30, position=2), file(61, position=3)]
    assert [lacks for _, lacks in told(files, **TRIPLET)] == ["lacks position 3", "lacks position 1, 2"]
    assert [lacks for _, lacks in told([*files[:2], file(60, position=3)], **TRIPLET)] == [""]


def test_values_that_have_to_be_alike_part_files_taken_by_turns() -> None:
    files = [file(n, camera=n % 2, position=1 + n // 2) for n in range(6)]
    assert [lacks for _, lacks in told(files, values=("camera",), **TRIPLET)] == ["", ""]


def test_a_member_nobody_named_is_named() -> None:
    files = [file(0, position=1), file(1, position=2), file(2, position=3), file(3, position=9)]
    (whole, strange) = told(files, member="position", count=3), told(files, **TRIPLET)
    assert [lacks for _, lacks in strange] == ["has position 9, which the recipe does not name"]
    assert [lacks for _, lacks in whole] == ["", "has 1 of 3 files"]


def test_of_much_that_is_lacking_or_strange_some_is_named_and_the_rest_is_counted() -> None:
    rule = {"member": "position", "members": tuple(range(20))}
    assert told([file(0, position=0)], **rule)[0][1] == "lacks position 1, 2, 3, 4, 5, 6, 7, 8 and 11 more"
    nine = {"member": "position", "members": tuple(range(9))}
    assert told([file(0, position=0)], **nine)[0][1] == "lacks position 1, 2, 3, 4, 5, 6, 7, 8"
    strange = [file(n, position=100 + n) for n in range(10)]
    assert "107 and 2 more, which the recipe does not name" in told(strange, **rule)[0][1]


def test_members_that_are_lists_are_the_same_when_all_in_them_is() -> None:
    files = [file(n, place=place) for n, place in enumerate(([1, "2"], (1.0, 2), ["1", 3]))]
    assert [len(names) for names, _ in told(files, values=("place",))] == [2, 1]


@pytest.mark.parametrize("steps", [0, -1, True, "3", 2.0, None])
def test_what_is_no_number_of_files_does_not_say_how_many_there_are(steps: object) -> None:
    (one,) = told([file(n, scan="a", steps=steps) for n in range(3)], values=("scan",), count="steps")
    assert one[1] == "does not say how many it has: steps is no number of files"


def test_one_file_may_be_a_whole_group() -> None:
    assert told([file(0, steps=1)], count="steps") == told([file(0)], count=1) == [(["f00000.0"], "")]


@pytest.mark.parametrize(
    ("rule", "whole"),
    [
        ({"member": "p", "members": [1, 2]}, 2),
        ({"count": 3}, 3),
        ({"values": ["scan"], "count": "steps"}, None),
        ({"within": 9}, None),
    ],
)
def test_a_rule_says_how_many_files_each_whole_group_has(rule: dict[str, Any], whole: int | None) -> None:
    assert GroupBy(**rule).whole == whole


def test_a_rule_stays_what_it_is() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        GroupBy(count=2).count = 3


def test_a_scan_has_as_many_files_as_its_header_says() -> None:
    files = [file(n, scan="a", steps=4) for n in range(4)] + [
        file(9 + n, scan="b", steps=4) for n in range(3)
    ]
    assert [lacks for _, lacks in told(files, values=("scan",), count="steps")] == ["", "has 3 of 4 files"]
    silent = [file(n, scan="a") for n in range(4)]
    assert "does not say how many" in told(silent, values=("scan",), count="steps")[0][1]


def test_two_exposures_behind_one_another_are_a_pair() -> None:
    files = [file(100 * pair + n) for pair in range(3) for n in range(2)]
    assert [len(names) for names, _ in told(files, count=2, within=10)] == [2, 2, 2]


def test_a_missing_file_does_not_shift_the_pairs_behind_it() -> None:
    files = [file(100 * pair + n) for pair in range(4) for n in range(2)]
    found = told([*files[:3], *files[4:]], count=2, within=10)
    assert [(len(names), lacks) for names, lacks in found] == [
        (2, ""),
        (1, "has 1 of 2 files"),
        (2, ""),
        (2, ""),
    ]


def test_groups_that_nothing_but_a_number_parts_are_not_believed() -> None:
    for number in (4, 5):
        found = told([file(n) for n in range(number)], count=2)
        assert "by count alone" in found[0][1]
        assert all(lacks for _, lacks in found)
    assert [lacks for _, lacks in told([file(n) for n in range(2)], count=2)] == [""]


def test_files_without_a_time_come_last_and_by_name() -> None:
    files = [File("b", {}, None), File("a", {}, None), file(5)]
    assert told(files, count=3) == [(["f00005.0", "a", "b"], "")]


def test_no_file_is_no_group() -> None:
    assert told([], count=3) == []


@pytest.mark.parametrize(
    ("rule", "says"),
    [
        ({}, "says nothing of what belongs together"),
        ({"members": [1, 2]}, "add member: NAME"),
        ({"member": "p", "members": [1, "1.0"]}, "names one of them twice"),
        ({"member": "p", "members": [1], "count": 2}, "either members or count"),
        ({"count": 0}, "1 or more"),
        ({"within": -1}, "greater than 0"),
        ({"within": float("inf")}, "finite"),
        ({"whithin": 1, "count": 2}, "not permitted"),
    ],
)
def test_a_rule_that_cannot_be_meant_is_refused(rule: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        GroupBy(**rule)
