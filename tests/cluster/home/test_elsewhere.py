"""A home whose services run elsewhere is used as any other, and starts none."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from cluster.home.home import Home
from cluster.registry.opening import office_of
from cluster.services import up
from lake.errors import Fatal, Unreachable
from lake.lake import Lake

Make = Callable[..., Home]
URL = "postgresql://heliolake:swordfish@db.example.org/heliolake"


def private(file: Path, text: str) -> Path:
    file.write_text(text + "\n")
    file.chmod(0o440)
    return file


@pytest.fixture
def centre(tmp_path: Path) -> Make:
    """A home with a `lake.yaml`, whole unless something is changed."""

    def make(**changed: Any) -> Home:
        private(tmp_path / "database", URL)
        private(tmp_path / "password", "opensesame")
        said = {
            "name": "institute",
            "database_url_file": "database",
            "rucio": {"url": "https://rucio.example.org", "account": "sdc", "password_file": "password"},
            "rse": "INSTITUTE",
            "store": "s3://solar?endpoint=https://s3.example.org",
        }
        (tmp_path / "lake.yaml").write_text(yaml.safe_dump(said | changed))
        return Home(tmp_path)

    return make


def test_the_lake_is_where_the_file_says_and_secrets_come_from_files(centre: Make) -> None:
    home = centre(store_credentials_file="/etc/stores.json")
    config = home.lake_config()
    assert (config.database_url, config.password) == (URL, "opensesame")
    assert (config.rucio_host, config.account) == ("https://rucio.example.org", "sdc")
    assert (config.rse, config.store) == (home.rse, home.store_url)
    assert config.store == "s3://solar?endpoint=https://s3.example.org"
    assert config.store_credentials == Path("/etc/stores.json")
    assert "swordfish" not in repr(config)
    assert home.identity == "institute"


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"naem": "x"}, "lake.yaml, naem: Extra inputs are not permitted"),
        (
            {"rucio": {"url": "rucio.example.org", "account": "a", "password_file": "b"}},
            "lake.yaml, rucio.url",
        ),
        ({"store": "/data"}, "lake.yaml, store: String should match"),
        ({"database_url_file": "nowhere"}, "nowhere cannot be read: No such file"),
    ],
)
def test_what_is_wrong_is_named(centre: Make, changed: dict[str, Any], said: str) -> None:
    with pytest.raises(Fatal, match=said):
        centre(**changed).lake_config()


def test_a_secret_that_everybody_can_read_is_refused(centre: Make) -> None:
    home = centre()
    (home.path / "password").chmod(0o444)
    with pytest.raises(Fatal, match=r"everybody can read it. Run: chmod o-rwx .*password"):
        home.lake_config()


def test_an_empty_secret_is_refused(centre: Make) -> None:
    home = centre()
    (home.path / "password").chmod(0o640)
    (home.path / "password").write_text("\n")
    with pytest.raises(Fatal, match="is empty"):
        home.lake_config()


def test_it_starts_no_services_and_has_no_scheduler_of_its_own(centre: Make) -> None:
    home = centre()
    with pytest.raises(Fatal, match=r"run elsewhere, as lake.yaml in it says"):
        up(home)
    with pytest.raises(Unreachable, match="dask is none of them"):
        home.scheduler()


def test_a_shared_lake_does_not_practise_with_dois(centre: Make) -> None:
    with pytest.raises(Fatal, match="names no registry of DOIs"), office_of(centre()):
        pass


def test_the_lake_of_such_a_home_is_a_lake(centre: Make, home: Home) -> None:
    """The services of the shared home, seen from a home that has none."""
    inside = home.lake_config()
    outside = centre(
        rucio={"url": inside.rucio_host, "account": inside.account, "password_file": "password"},
        rse=inside.rse,
        store=inside.store,
    )
    (outside.path / "database").unlink()
    private(outside.path / "database", inside.database_url.replace("postgresql+psycopg", "postgresql"))
    (outside.path / "password").unlink()
    private(outside.path / "password", inside.password)
    with Lake.open(outside.lake_config()) as lake:
        assert lake.rucio.ping()
        with lake.engine.connect() as connection:
            assert connection.exec_driver_sql("SELECT count(*) FROM release").scalar_one() >= 0
