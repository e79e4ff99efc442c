"""The shell is offered the names there are, at once, and nothing where nothing can be asked."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from cluster.home.home import Home
from heliolake.cli import complete
from pipeline.recipe import recipes
from pipeline.registry import instruments
from tests import toy


def context(home: Path, **params: object) -> Any:
    """What Typer hands to a completer."""
    return SimpleNamespace(
        find_root=lambda: SimpleNamespace(params={"home": str(home)}), params=params, args=[]
    )


def offered(*words: str) -> list[str]:
    """What bash would offer for the last word."""
    environment = os.environ | {
        "_HELIOLAKE_COMPLETE": "complete_bash",
        "COMP_WORDS": " ".join(("heliolake", *words)),
        "COMP_CWORD": str(len(words)),
    }
    command = [sys.executable, "-c", "from heliolake.cli import main; main()"]
    return subprocess.check_output(command, env=environment, text=True).split()


@pytest.mark.parametrize(
    ("words", "names"),
    [
        (("quar",), ["quarantine"]),
        (("process", "aia"), ["aia-l15", "aia-l15-full"]),
        (("recipes", "stereo_hi-l2"), ["stereo_hi-l2-background"]),
        (("search", "--instrument", "stereo_h"), ["stereo_hi"]),
        (("plan", "stereo_hi-l1", "--set", "desm"), ["desmear.", "desmear.enabled="]),
        (("--home", "/nowhere", "runs", "show", "2"), []),
    ],
)
def test_the_shell_completes_commands_and_names(words: tuple[str, ...], names: list[str]) -> None:
    assert offered(*words) == names


def test_a_step_that_stands_twice_is_offered_with_its_number(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    toy.install(tmp_path)
    (tmp_path / "toy_camera" / "recipes" / "twice.yaml").write_text(toy.TWICE)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "toy_camera", raising=False)  # other tests have one of their own
    asked = context(tmp_path, recipe="toy-twice")
    assert complete.settings(asked, "shift#2") == ["shift#2.", "shift#2.enabled="]
    assert complete.settings(asked, "b") == ["brighten.", "brighten.enabled="]


def test_all_recipes_and_instruments_are_offered() -> None:
    assert set(complete.recipe_names("")) == set(recipes())
    assert set(complete.instrument_names("")) == set(instruments())


def test_completing_a_name_imports_nothing_slow() -> None:
    code = """
import sys
from heliolake.cli import app, complete
assert complete.recipe_names("a") and complete.instrument_names("s")
slow = ("pipeline", "numpy", "astropy", "sqlalchemy", "psycopg", "dask")
print([name for name in slow if name in sys.modules])
"""
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"


def test_where_nothing_runs_nothing_is_offered(tmp_path: Path) -> None:
    asks = (complete.run_ids, complete.context_numbers, complete.product_names)
    assert [ask(context(tmp_path / "none"), "") for ask in asks] == [[], [], []]
    assert not (tmp_path / "none").exists()


def test_a_running_home_offers_its_runs_contexts_and_products(home: Home) -> None:
    from sqlalchemy import text

    from lake.catalogue.session import transaction
    from lake.lake import Lake

    with Lake.open(home.lake_config()) as lake, transaction(lake.sessions) as session:
        session.execute(
            text("INSERT INTO plan (id, document) VALUES ('offered', '{}') ON CONFLICT DO NOTHING")
        )
        session.execute(
            text(
                "INSERT INTO run (id, plan_id, status, recipe, owner)"
                " VALUES ('29990101-offered', 'offered', 'done', 'x', 'x') ON CONFLICT DO NOTHING"
            )
        )
    assert "29990101-offered" in complete.run_ids(context(home.path), "2999")
    assert complete.run_ids(context(home.path), "no such") == []
    assert complete.product_names(context(home.path), "%") == []
    assert isinstance(complete.context_numbers(context(home.path), ""), list)
