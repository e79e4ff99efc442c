"""Documents: observations, products in all their versions, what changed, files, and where all came from."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from lake.archive.asking import Asker, OfLake
from lake.archive.links import file_with_links, links_of, with_links
from lake.archive.releases import File, Release
from lake.releases import documents, lineage
from lake.releases.changes import changes
from lake.releases.holding import holder

router = APIRouter(tags=["documents"])


class OfProduct(BaseModel):
    """A product of an observation, its newest release first."""

    product: str
    level: str
    releases: list[Release]


class Observation(BaseModel):
    """What belongs together by the instrument's rule, and what was made of it."""

    observation: dict[str, Any]
    products: list[OfProduct]


class Product(OfProduct):
    """A product in all its versions; `active` is the number of the one that holds now."""

    instrument: str
    observation: str
    active: int | None


class Change(BaseModel):
    """A difference, in a sentence."""

    kind: str
    text: str


class Changes(BaseModel):
    """What is different about a release against another version."""

    release: str
    before: str | None
    changes: list[Change]


class Node(BaseModel):
    """A release, a reference or a file."""

    model_config = ConfigDict(extra="allow")

    id: str
    kind: str


class Edge(BaseModel):
    """What leads from something to what was made of it, or to what holds it."""

    model_config = ConfigDict(populate_by_name=True)

    source: str = Field(alias="from")
    target: str = Field(alias="to")
    role: str


class Provenance(BaseModel):
    """A graph around its root; of the nodes in `cut` some neighbours are left out."""

    root: str
    nodes: list[Node]
    edges: list[Edge]
    cut: list[str]
    made_with: dict[str, Any] = {}


class AboutReference(BaseModel):
    """What a file is used for: which frames, of what times, and where it comes from."""

    need: str
    instrument: str
    did: str
    source: str
    valid_from: str | None
    valid_until: str | None
    selectors: dict[str, Any]
    simulated: bool
    parents: list[str]


class AboutFile(BaseModel):
    """All that is known of a file of a release; `reference` where products are calibrated with it."""

    file: File
    release: Release
    provenance: Provenance
    reference: AboutReference | None


Version = Annotated[int | None, Query(ge=1, le=2**31 - 1, description="Number of the version before.")]


@router.get("/observations/{instrument}/{name}", summary="Look at an observation", response_model=Observation)
def observation(
    request: Request, lake: OfLake, principal: Asker, instrument: str, name: str
) -> dict[str, Any]:
    """An observation, its products and their releases."""
    found = documents.observation(lake, instrument, name, principal)
    return found | {"products": [_linked(request, one) for one in found["products"]]}


@router.get("/products/{product}", summary="Look at a product in all its versions", response_model=Product)
def product(request: Request, lake: OfLake, principal: Asker, product: str) -> dict[str, Any]:
    """`scope:observation.l1`, whether or not one of its versions holds now."""
    return _linked(request, documents.product(lake, product, principal))


@router.get("/releases/{product}/changes", summary="What changed between versions", response_model=Changes)
def changed(lake: OfLake, product: str, against: Version = None) -> dict[str, Any]:
    """Against the version before, or the one that is named."""
    return changes(lake, product, against)


@router.get("/releases/{product}/provenance", summary="Where it comes from", response_model=Provenance)
def provenance(
    lake: OfLake,
    product: str,
    depth: Annotated[int, Query(ge=0, le=lineage.DEEPEST, description="Steps away from it.")] = 3,
    most: Annotated[int, Query(ge=1, le=lineage.MOST, description="Nodes of the graph.")] = 200,
) -> dict[str, Any]:
    """Releases and references it was made of, the recipe and code, and what was made of it in turn."""
    return lineage.graph(lake, product, depth=depth, most=most)


@router.get("/releases/{product}/files/{name}/about", summary="Look at a file", response_model=AboutFile)
def about(request: Request, lake: OfLake, principal: Asker, product: str, name: str) -> dict[str, Any]:
    """A file, the release it was asked for in, and what it was made of."""
    found = documents.file(lake, product, name, principal)
    links = links_of(request, found["release"])
    return found | {
        "file": file_with_links(links, found["file"]),
        "release": found["release"] | {"links": links},
    }


@router.get("/files/{did}", summary="Look at a file by its own name", response_model=AboutFile)
def about_did(request: Request, lake: OfLake, principal: Asker, did: str) -> dict[str, Any]:
    """`scope:name`, as provenance names files and references; in the newest release that gives it out."""
    held = holder(lake, did, principal)
    return about(request, lake, principal, held.name, held.file.name)


def _linked(request: Request, product: dict[str, Any]) -> dict[str, Any]:
    return product | {"releases": [with_links(request, one) for one in product["releases"]]}
