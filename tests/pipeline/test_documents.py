"""YAML from people is read, or refused in a sentence, within a second whatever it holds."""

from __future__ import annotations

import contextlib
import time
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.documents import DEEPEST, LONGEST, MOST_VALUES, load_yaml, read_yaml
from pipeline.errors import Fatal


def bomb(letters: str) -> str:
    """Each letter a list of nine of the one before: 9 to the power of their number, in 300 bytes."""
    lines = [f"{letters[0]}: &{letters[0]} [x,x,x,x,x,x,x,x,x]"]
    lines += [f"{after}: &{after} [{','.join([f'*{before}'] * 9)}]" for before, after in pairwise(letters)]
    return "\n".join(lines)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (bomb("abcdefghi"), f"more than {MOST_VALUES} values when aliases are written out"),
        ("a: &a {b: 1}\n" + "".join(f"k{n}: [{'*a,' * 200}]\n" for n in range(200)), "more than"),
        ("[" * 20_000, f"more than {DEEPEST} lists or mappings within each other"),
        ("- " * 20_000, "within each other"),
        ("{a: " * 20_000, "within each other"),
        ("a: &a [*a]", "contains it"),
        ("a: &a {<<: *a}", "contains it"),
        ("version: " + "9" * 5000, "a number of 5000 characters .line 1, column 10"),
        ("version: 0x" + "f" * 100_000, "a number of 100002 characters"),
        ("a: .nan", "no finite number"),
        ("a: 1.0e+999", "no finite number"),
        ("a: 1\na: 2", "'a' stands there twice"),
        ("a: 2001-99-99", "not valid YAML: month"),
        ("a: !!timestamp x", "a tag .* does not fit"),
        ("!!bool x", "a tag .* does not fit"),
        ("a: !!int x", "no number"),
        ("!!python/object/apply:os.getcwd []", "not valid YAML"),
        ("a: \ud800", "not valid YAML"),
        ("x" * (LONGEST + 1), "at most"),
    ],
    ids=lambda value: value[:24],
)
def test_what_would_take_minutes_or_memory_is_refused_at_once(text: str, words: str) -> None:
    begin = time.process_time()
    with pytest.raises(Fatal, match=rf"^my\.yaml.*{words}"):
        read_yaml(text, "my.yaml")
    assert time.process_time() - begin < 5  # a bomb took 137


def test_a_few_aliases_are_nothing_bad() -> None:
    text = "base: &base {a: 1, b: [1, 2]}\nother: {<<: *base, a: 3}\nagain: *base"
    assert read_yaml(text, "x") == {
        "base": {"a": 1, "b": [1, 2]},
        "other": {"a": 3, "b": [1, 2]},
        "again": {"a": 1, "b": [1, 2]},
    }


@given(st.text() | st.text("[]{}:,-?&*<!|>%@ \n#\"'ab01.~", max_size=60))
def test_any_text_is_data_or_is_refused_in_words(text: str) -> None:
    with contextlib.suppress(Fatal):
        read_yaml(text, "x")


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"\xff\xfe", "not text in UTF-8"), (b"a" * (LONGEST + 1), "too long"), (b"[", "not valid YAML")],
)
def test_a_file_that_holds_no_document_is_named(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "own.yaml"
    path.write_bytes(content)
    with pytest.raises(Fatal, match=rf"recipe .*own\.yaml.*{words}"):
        load_yaml(path, "recipe")


@pytest.mark.parametrize("name", ["none.yaml", "."])
def test_a_path_that_leads_to_no_file_is_named(tmp_path: Path, name: str) -> None:
    with pytest.raises(Fatal, match=r"recipe .* cannot be read: (No such file|Is a directory)"):
        load_yaml(tmp_path / name, "recipe")


def test_a_file_without_end_is_read_as_far_as_a_document_may_go() -> None:
    with pytest.raises(Fatal, match="too long"):
        load_yaml(Path("/dev/zero"), "recipe")
