"""Files carry the concept DOI of their product as it was known when their version was begun."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from astropy.io import fits
from sqlalchemy import select

from cluster.home.home import Home
from cluster.intake.ingest import ingest
from cluster.plan.plan import Query, make_plan
from cluster.run.process import process
from lake.catalogue.dois import Doi
from lake.catalogue.models import Product
from lake.catalogue.session import transaction
from lake.governance.doi.registry import TEST_PREFIX
from lake.lake import Lake
from pipeline.recipe import recipes
from tests.cluster.frames import aia_series, at
from tests.stored import path_of


@pytest.fixture(scope="module")
def lake(home: Home) -> Lake:
    return Lake.open(home.lake_config())


def processed(home: Home, lake: Lake, observation: str, **settings: object) -> dict[str, int]:
    recipe = recipes()["aia-l15"].with_settings(settings)
    report = process(lake, home.scheduler(), make_plan(lake, recipe, Query(observation=observation)))
    return {outcome: count for outcome, count in report.counts().items() if count}


def register(lake: Lake, product: str, prefix: str, since: datetime) -> str:
    """Give a product a concept DOI that was registered at a time."""
    doi = f"{prefix}/{random.SystemRandom().randrange(10**9)}"
    with transaction(lake.sessions) as session:
        (found,) = session.scalars(select(Product.id).where(Product.name == product))
        session.add(
            Doi(
                doi=doi,
                prefix=prefix,
                product_id=found,
                asked="findable",
                known="findable",
                public_since=since,
            )
        )
    return doi


def test_a_file_says_the_doi_that_was_known_and_is_made_again_the_same(
    home: Home, lake: Lake, tmp_path: Path
) -> None:
    day = "aia171_20160401"
    (frame,) = aia_series(tmp_path, at(2016, 4, 1), 1)
    ingest(lake, [frame])
    processed(home, lake, day)
    first, second = (f"{frame.stem}.l15.v{number:04d}.fits" for number in (1, 2))
    early = datetime.now(UTC) - timedelta(hours=1)
    register(lake, f"sdo_aia:{day}.l15", TEST_PREFIX, early)
    doi = register(lake, f"sdo_aia:{day}.l15", "10.12345", early)
    processed(home, lake, day, **{"normalise_exposure.enabled": False})
    assert "DOI" not in fits.getheader(path_of(lake, "sdo_aia", first))
    assert fits.getheader(path_of(lake, "sdo_aia", second))["DOI"] == doi

    # Registered now, that is after both versions were begun.
    register(lake, f"sdo_aia:{day}.l15", "10.12346", datetime.now(UTC))
    path = path_of(lake, "sdo_aia", second)
    before = path.read_bytes()
    path.unlink()
    assert processed(home, lake, day, **{"normalise_exposure.enabled": False}) == {"done": 1}
    assert path.read_bytes() == before


def test_a_file_made_before_its_product_had_a_doi_is_made_again_without(
    home: Home, lake: Lake, tmp_path: Path
) -> None:
    day = "aia171_20160402"
    (frame,) = aia_series(tmp_path, at(2016, 4, 2), 1)
    ingest(lake, [frame])
    processed(home, lake, day)
    register(lake, f"sdo_aia:{day}.l15", "10.12345", datetime.now(UTC))
    path = path_of(lake, "sdo_aia", f"{frame.stem}.l15.v0001.fits")
    before = path.read_bytes()
    path.unlink()
    assert processed(home, lake, day) == {"done": 1}
    assert path.read_bytes() == before
