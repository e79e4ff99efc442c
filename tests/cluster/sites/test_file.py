"""The file of sites: what is read is what was written, and mistakes are named."""

from __future__ import annotations

from pathlib import Path

import pytest

from cluster.sites import file
from cluster.sites.site import BatchDask, Copies, Link, LocalDask, Site, Sites
from lake.errors import Fatal

NORTH = Site(rse="NORTH", dask=LocalDask(workers=1), embargoed=("sdo_aia",))
SOUTH = Site(rse="SOUTH", storage="s3", dask=BatchDask(kind="slurm", queue="night"), egress=20.0)


def test_no_file_is_no_site(tmp_path: Path) -> None:
    assert file.read(tmp_path / "sites.yaml") == Sites()


def test_what_is_written_is_read(tmp_path: Path) -> None:
    sites = Sites(
        sites={"north": NORTH, "south": SOUTH},
        links=(Link(source="north", target="south", bandwidth=1e6),),
        copies={"default": Copies(copies=2, sites=("north", "home"))},
    )
    file.write(tmp_path / "sites.yaml", sites)
    assert file.read(tmp_path / "sites.yaml") == sites


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("sites: {North: {rse: N}}", "no name of a site"),
        ("sites: {north: {rse: n th}}", "sites.north.rse"),
        ("sites: {north: {rse: N, strorage: s3}}", "sites.north.strorage"),
        ("sites: {north: {rse: N, storage: nfs}}", "neither posix, s3 nor the URL"),
        ("sites: {a: {rse: N}, b: {rse: N}}", "two sites have the storage element N"),
        (
            "sites: {a: {rse: N, dask: {kind: address, address: 'tls://h:1'}}}",
            "needs ca, certificate and key",
        ),
        ("links: [{source: a, target: home, bandwidth: 1}]", "no site 'a'"),
        ("sites: {a: {rse: N, dask: {kind: moon}}}", "sites.a.dask"),
    ],
)
def test_mistakes_are_named(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "sites.yaml").write_text(text)
    with pytest.raises(Fatal) as caught:
        file.read(tmp_path / "sites.yaml")
    assert said in str(caught.value)
    assert "sites.yaml" in str(caught.value)


def test_a_way_costs_its_time_and_what_is_paid_for_it() -> None:
    sites = Sites(
        sites={"north": NORTH, "south": SOUTH},
        links=(Link(source="south", target="north", bandwidth=1e6),),
        bandwidth=1e8,
    )
    assert sites.seconds("north", "north", 10**9) == 0
    assert sites.seconds("north", "south", 10**9) == pytest.approx(10)
    assert sites.seconds("south", "north", 10**9) == pytest.approx(1000 + 20)


def test_embargoed_data_go_where_they_may() -> None:
    assert NORTH.may_hold("sdo_aia")
    assert not NORTH.may_hold("stereo_hi")
    assert SOUTH.may_hold("stereo_hi")


def test_what_the_page_about_sites_describes_can_be_read(tmp_path: Path) -> None:
    page = (Path(__file__).parents[3] / "docs" / "sites.md").read_text()
    blocks = [part.partition("```")[0] for part in page.split("```yaml\n")[1:]]
    kinds = []
    for number, block in enumerate(blocks):
        (tmp_path / f"{number}.yaml").write_text(block)
        kinds += [site.dask.kind for site in file.read(tmp_path / f"{number}.yaml").sites.values()]
    assert kinds == ["address", "slurm", "gateway", "kubernetes"]


def test_a_path_that_depends_on_where_a_command_is_given_is_refused(tmp_path: Path) -> None:
    (tmp_path / "sites.yaml").write_text("sites: {a: {rse: N, credentials: keys/s3.json}}")
    with pytest.raises(Fatal, match=r"sites\.a\.credentials: keys/s3\.json is no whole path"):
        file.read(tmp_path / "sites.yaml")
