"""Frames: shape and keyword checks that turn a strange header into words."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from astropy.io import fits

from pipeline import Frame
from pipeline.errors import BadInput
from tests.toy import toy_frame


@pytest.mark.parametrize(
    ("value", "kind", "expected"),
    [(3, float, 3.0), (3, int, 3), (3.0, int, 3), (" a ", str, "a"), (True, bool, True)],
)
def test_a_keyword_comes_in_the_type_asked_for(value: object, kind: type, expected: object) -> None:
    found = toy_frame(X=value).keyword("X", kind)
    assert found == expected
    assert type(found) is kind


@pytest.mark.parametrize(("value", "kind"), [("x", float), (3.5, int), (True, float), (1, bool)])
def test_a_value_of_the_wrong_kind_is_named(value: object, kind: type) -> None:
    with pytest.raises(BadInput) as caught:
        toy_frame(X=value, FILENAME="f.fits").keyword("X", kind)
    assert (caught.value.file, caught.value.keyword, caught.value.found) == ("f.fits", "X", repr(value))


def test_an_absent_keyword_has_a_default_or_is_bad_input() -> None:
    frame = toy_frame()
    frame.header["EMPTY"] = None
    assert frame.keyword("EMPTY", float, 2.5) == 2.5
    with pytest.raises(BadInput, match="no GONE"):
        frame.keyword("GONE", float)


def test_bad_input_keeps_its_parts_across_processes() -> None:
    error = BadInput("no", file="a.fits", keyword="K", found=3, advice="do")
    again = pickle.loads(pickle.dumps(error))
    assert (again.reason, again.details()) == (error.reason, error.details())
    assert str(again) == "a.fits: no (K: 3) — do"


def test_image_and_quality_have_one_shape() -> None:
    with pytest.raises(BadInput, match="shape"):
        Frame(np.zeros((2, 3), np.float32), np.zeros((3, 2), np.uint16), fits.Header())


def test_a_caveat_is_said_once() -> None:
    assert toy_frame().with_caveat("mind").with_caveat("mind").caveats == ("mind",)
