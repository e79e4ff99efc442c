"""Pictures are made by a process of their own, of what everybody may see; a bad file costs no other its."""

from __future__ import annotations

import base64
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from cluster.board import pictures
from cluster.board.named import PAINTER
from cluster.board.pictures import Gallery, painted
from cluster.board.source import Source
from lake.governance.policy import PUBLIC, Action, Terms, grant
from lake.storage.store import Ref
from tests.cluster.board.conftest import until
from tests.cluster.board.seeing import frame
from tests.cluster.frames import aia_file, at


def order(path: Path, number: int = 1) -> dict[str, Any]:
    return {
        "id": number,
        "ref": Ref.of_file(path).text,
        "hdu": 0,
        "shape": [64, 64],
        "instrument": "sdo_aia",
        "level": "1",
        "meta": {"wavelength": 171},
    }


def test_a_file_that_cannot_be_read_costs_no_other_its_picture(tmp_path: Path) -> None:
    good = aia_file(tmp_path, at(2014, 4, 1))
    bad = tmp_path / "bad.fits"
    bad.write_bytes(b"nothing")
    made = dict(painted([order(bad, 7), order(good, 8), order(tmp_path / "gone.fits", 9)]))
    assert list(made) == [8]
    assert base64.b64decode(made[8]).startswith(b"\x89PNG")


def test_a_painter_that_takes_too_long_is_ended(tmp_path: Path) -> None:
    pipe = tmp_path / "never.fits"
    os.mkfifo(pipe)  # whoever opens it to read waits for ever
    assert list(painted([order(pipe)], patience=5.0)) == []


def test_a_painter_gives_way_to_everything_else(tmp_path: Path) -> None:
    code = f"import os, runpy; runpy.run_module({PAINTER!r}, run_name='__main__'); print(os.nice(0))"
    done = subprocess.run([sys.executable, "-c", code], input=b"[]", capture_output=True, check=True)
    assert int(done.stdout) >= 10


@pytest.mark.parametrize(
    "said", ["1 PHNjcmlwdD4=", "1 x'onerror='alert(1)", "2 iVBORw0KGgo=", "nonsense", ""]
)
def test_only_a_picture_that_was_asked_for_gets_into_the_page(
    said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    liar = tmp_path / "liar.py"
    liar.write_text(f"import sys; sys.stdin.read(); print({said!r})")
    monkeypatch.setattr(pictures, "PAINTER", "liar")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    assert list(painted([order(tmp_path / "any.fits")])) == []


def test_of_what_not_everybody_may_see_no_picture_is_made_or_given(source: Source) -> None:
    gallery = Gallery(source)
    withheld = frame(grant=None)
    gallery.want([withheld])
    assert gallery._thread is None
    gallery._keep(withheld.id, "iVBORw0K")
    assert gallery.of(withheld) is None, "one that was made before is given no more"


def test_what_lies_nowhere_has_no_picture_and_is_not_tried_at_once_again(source: Source) -> None:
    opened = grant(PUBLIC, Action.PREVIEW, [Terms("ACTIVE")], datetime.now(UTC))
    lost = frame(id=10**12, grant=opened, name="lost.fits")
    gallery = Gallery(source)
    gallery.want([lost])
    assert until(lambda: gallery.of(lost) is not None)
    assert gallery.of(lost) == ""
    gallery.want([lost])
    assert gallery._thread is None
