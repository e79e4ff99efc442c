"""Documents: all that is known of an observation, of a product in all its versions, and of one file."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import select

from lake.catalogue.models import Observation, Product, Reference, Release, Withdrawal
from lake.catalogue.session import transaction
from lake.entries import iso
from lake.errors import BadInput, Reason
from lake.governance.policy import PUBLIC, Principal
from lake.lake import Lake
from lake.names import ProductKey, check_name, check_scope, parse_product
from lake.releases import lineage, nearby
from lake.releases.releases import describe
from lake.releases.search import resolve, shown_file, standing, values_of

MOST = 1000
"""Releases that a document tells."""


def observation(lake: Lake, scope: str, name: str, principal: Principal = PUBLIC) -> dict[str, Any]:
    """An observation, and its products with their releases, the newest of each first.

    Raises
    ------
    BadInput
        When there is none of which something was published.
    """
    check_scope(scope)
    check_name(name)
    query = select(Observation).where(Observation.scope == scope, Observation.name == name)
    with transaction(lake.sessions) as session:
        row = session.scalars(query).first()
        releases = [] if row is None else _releases(lake, [row.id], principal, of_observations=True)
    if row is None or not releases:
        raise BadInput(
            f"there is no observation {name} of {scope}",
            advice=nearby.instead_of(lake, name, scope),
            code=Reason.NOT_FOUND,
        )
    by_product: dict[str, list[dict[str, Any]]] = {}
    for one in releases:
        by_product.setdefault(one["product"], []).append(one)
    return {
        "observation": {
            "instrument": row.scope,
            "name": row.name,
            "date_beg": iso(row.date_beg),
            "date_end": iso(row.date_end),
            "meta": dict(row.meta),
        },
        "products": [
            {"product": product, "level": several[0]["level"], "releases": several}
            for product, several in by_product.items()
        ],
    }


def product(lake: Lake, name: str, principal: Principal = PUBLIC) -> dict[str, Any]:
    """A product in all its versions, the newest first; whether or not one of them is ACTIVE.

    Raises
    ------
    BadInput
        When there is none of which something was published.
    """
    wanted = parse_product(name)
    query = (
        select(Product.id, Observation.scope)
        .join(Observation, Observation.id == Product.observation_id)
        .where(Observation.name == wanted.observation, Product.name.endswith(f".{wanted.token}"))
    )
    if wanted.scope is not None:
        query = query.where(Observation.scope == wanted.scope)
    with transaction(lake.sessions) as session:
        there = [row.id for row in session.execute(query)]
    releases = _releases(lake, there, principal)
    if not releases:
        raise BadInput(
            f"there is no product {name}",
            advice=nearby.instead_of(lake, wanted.observation, wanted.scope),
            code=Reason.NOT_FOUND,
        )
    names = sorted({one["product"] for one in releases})
    if len(names) > 1:
        raise BadInput(
            f"{name} means more than one product",
            found=", ".join(names),
            advice="write the instrument before the name: SCOPE:PRODUCT",
            code=Reason.AMBIGUOUS,
        )
    first = releases[0]
    return {
        "product": first["product"],
        "instrument": first["instrument"],
        "observation": first["observation"],
        "level": first["level"],
        "active": next((one["version"] for one in releases if one["status"] == "ACTIVE"), None),
        "releases": releases,
    }


def file(lake: Lake, release: str, name: str, principal: Principal = PUBLIC) -> dict[str, Any]:
    """A file of a release, what it was made of and what it calibrates; its sums are for who may have it.

    Raises
    ------
    BadInput
        When there is no such release or file.
    """
    row, key = resolve(lake, release)
    found = shown_file(lake, row, principal, name)
    with transaction(lake.sessions) as session:
        meta = values_of(session, key)
    return {
        "file": found,
        "release": describe(row, key, meta) | standing(row, principal),
        "provenance": lineage.file_graph(lake, release, name),
        "reference": _calibrates(lake, found["did"]),
    }


def _calibrates(lake: Lake, did: str) -> dict[str, Any] | None:
    """What a file is as a reference; nothing where it is none. Its sum is not everybody's."""
    with transaction(lake.sessions) as session:
        row = session.scalar(select(Reference).where(Reference.did == did))
        return (
            None
            if row is None
            else {
                "need": row.need,
                "instrument": row.instrument,
                "did": row.did,
                "source": row.source,
                "valid_from": iso(row.valid_from),
                "valid_until": iso(row.valid_until),
                "selectors": dict(row.selectors),
                "simulated": row.simulated,
                "parents": list(row.parents),
            }
        )


def _releases(
    lake: Lake, ids: Sequence[int], principal: Principal, *, of_observations: bool = False
) -> list[dict[str, Any]]:
    owner = Observation.id if of_observations else Product.id
    query = (
        select(Release, Observation, Withdrawal)
        .join(Product, Product.id == Release.product_id)
        .join(Observation, Observation.id == Product.observation_id)
        .outerjoin(Withdrawal, Withdrawal.release_id == Release.id)
        .where(owner.in_(ids), Release.status != "DRAFT")
        .order_by(Product.name, Release.version.desc())
        .limit(MOST)
    )
    with transaction(lake.sessions) as session:
        return [
            describe(release, ProductKey(of.scope, of.name, release.level), of.meta)
            | standing(release, principal)
            | {"withdrawn": None if gone is None else {"at": iso(gone.at), "reason": gone.reason}}
            for release, of, gone in session.execute(query)
        ]
