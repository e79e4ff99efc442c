"""Nothing is shared but the network: workers that see neither the client's home nor its references."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from cluster.connect import connected
from cluster.crew.crew import SiteCrew
from cluster.intake.ingest import ingest
from cluster.intake.references import add
from cluster.plan.plan import Query, make_plan
from cluster.run.process import process
from cluster.sites.book import Book
from lake.calibration.references import NewReference
from lake.fits.io import read_header
from lake.governance.policy import OWNER
from lake.lake import Lake
from lake.releases import search
from lake.storage import credentials
from pipeline.recipe import recipes
from tests.cluster.frames import aia_series, at
from tests.cluster.sites.schedulers.test_address import a_cluster
from tests.pipeline.instruments.sdo_aia.references import pointing_table

pytestmark = pytest.mark.slow

#: Has a command find an empty folder that nobody may enter in place of the first word's.
_HIDE = 'mount -t tmpfs -o mode=0 none "$1" && shift && exec "$@"'


def hidden(folder: Path) -> tuple[str, ...]:
    """Words before a command that is not to see a folder; skips where that cannot be had."""
    if os.geteuid() != 0 or shutil.which("unshare") is None:
        pytest.skip("hiding a folder from a process needs root and unshare")
    words = ("unshare", "--mount", "sh", "-c", _HIDE, "sh", str(folder))
    if subprocess.run([*words, "true"], check=False, capture_output=True).returncode:
        pytest.skip("this kernel, or this container, lets nobody mount")
    return words


def test_workers_get_what_they_need_from_the_storage_of_their_site(
    book: Book, lake: Lake, tmp_path: Path
) -> None:
    cut_out = {"CDELT1": 0.6, "CDELT2": 0.6, "X0_MP": 2031.8, "Y0_MP": 2031.3, "SAT_ROT": 0.08}
    files = aia_series(tmp_path / "raw", at(2011, 2, 15), 2, **cut_out)
    assert ingest(lake.at("SOUTH"), files).counts()["done"] == 2
    table = pointing_table(tmp_path)["pointing_table"]
    add(lake, [NewReference(Path(table.path), "pointing_table", "sdo_aia", "a test")], use=True)
    recipe = recipes()["aia-l15"].with_settings({"update_pointing.enabled": True})
    plan = make_plan(lake, recipe, Query(observation="aia171_20110215"), principal=OWNER)
    home, elsewhere = book.home.path, tmp_path / "elsewhere"
    elsewhere.mkdir()
    keys = elsewhere / "stores.json"
    keys.write_text(credentials.as_text(credentials.read(book.part("south").store_credentials)))
    said = book.said
    with a_cluster(elsewhere / "dask", (), path=elsewhere, before=hidden(home)) as address:
        far = said.sites["south"].model_dump(mode="json") | {
            "dask": {"kind": "address", "address": address},
            "credentials": str(keys),
        }
        sites = said.sites | {"south": type(said.sites["south"]).model_validate(far)}
        book.replace(said.model_copy(update={"sites": sites}))
        try:
            with book.scheduler("south") as scheduler, connected(scheduler) as client:
                assert list(client.run(os.listdir, home).values()) == [[]]
            crew = SiteCrew(book, ("south",))
            report = process(lake, book.home.scheduler(), plan, principal=OWNER, crew=crew)
        finally:
            book.replace(said)
    assert report.counts()["done"] == 2
    made = search.get_files(lake, "aia171_20110215.l15", tmp_path / "got")
    assert all("master_aia_pointing3h" in str(read_header(str(one), 0)) for one in made)
