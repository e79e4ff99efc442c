"""Where a release or a file comes from and what became of it: a graph, as far as somebody asks for it.

Nodes are releases, references and files; an edge leads from what was used to what was made of it. However
many there are, no more are looked at than are told: where something is left out, the graph says so.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import Text, literal, select, text, tuple_
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Session

from lake.catalogue.models import File, Product, Reference, Release, ReleaseFile
from lake.catalogue.session import transaction
from lake.entries import iso
from lake.lake import Lake
from lake.names import version_token
from lake.releases.changes import made_with
from lake.releases.search import resolve

DEEPEST: Final = 10
MOST: Final = 1000
"""Nodes of a graph."""
#: Where the payload of a unit, as planners write it, has its files; a unit is made of one or several.
_INPUTS: Final = text(
    """
    SELECT DISTINCT told ->> 'scope' AS scope, told ->> 'name' AS name
    FROM unit CROSS JOIN LATERAL (
      SELECT jsonb_path_query(payload, '$.unit.file') AS told
      UNION ALL SELECT jsonb_path_query(payload, '$.unit.others[*].file')) AS files
    WHERE run_id = ANY(:runs) AND unit_id = :unit
    ORDER BY 1, 2 LIMIT :most
    """
)


@dataclass
class _Graph:
    """What was found so far."""

    most: int
    nodes: dict[str, dict[str, Any]] = field(default_factory=dict)
    edges: dict[tuple[str, str, str], None] = field(default_factory=dict)
    cut: set[str] = field(default_factory=set)

    @property
    def room(self) -> int:
        """How many nodes more there may be."""
        return max(0, self.most - len(self.nodes))

    def add(self, node: dict[str, Any]) -> bool:
        """Take a node in; whether it was not there before."""
        if node["id"] in self.nodes:
            return False
        self.nodes[node["id"]] = node
        return True

    def join(self, source: str, target: str, role: str) -> None:
        """An edge, where both ends are told; else what is told of them is not all."""
        if source in self.nodes and target in self.nodes:
            self.edges[source, target, role] = None
        else:
            self.cut |= {source, target} & self.nodes.keys()

    def document(self, root: str) -> dict[str, Any]:
        """The graph as plain data; `cut` are nodes that have neighbours which are left out."""
        return {
            "root": root,
            "nodes": [_counted(node) for node in self.nodes.values()],
            "edges": [{"from": source, "to": target, "role": role} for source, target, role in self.edges],
            "cut": sorted(self.cut),
        }


def graph(lake: Lake, product: str, *, depth: int = 3, most: int = 200) -> dict[str, Any]:
    """What a release was made of and with, and what was made of it, so many steps in both directions.

    Parameters
    ----------
    lake, product
        Which release.
    depth
        Steps away from it.
    most
        Tell no more nodes.

    Returns
    -------
    dict
        With `root`, `nodes` (`id`, `kind` release or reference, and what is known of each), `edges` (`from`,
        `to`, `role` input or reference), `cut`, the nodes of whose neighbours some are left out, and
        `made_with`, the steps and the code of the root.

    Raises
    ------
    BadInput
        When there is no such release.
    """
    release, key = resolve(lake, product)
    root = _name(key.name, release.version)
    found = _Graph(most)
    with transaction(lake.sessions) as session:
        found.add(_release(release, root))
        for walk in (_before, _after):
            edge = [root]
            for _ in range(depth):
                edge = walk(session, found, edge)
            _mark_ends(found, session, edge, walk)
        used = made_with(session, release)
    return found.document(root) | {"made_with": used}


def file_graph(lake: Lake, product: str, file: str, *, most: int = 200) -> dict[str, Any]:
    """Of what files and references a file was made, and which releases hold it; as `graph`.

    Raises
    ------
    BadInput
        When there is no such release.
    """
    release, key = resolve(lake, product)
    found = _Graph(most)
    with transaction(lake.sessions) as session:
        query = select(File).join(ReleaseFile, ReleaseFile.file_id == File.id)
        row = session.scalars(query.where(ReleaseFile.release_id == release.id, File.name == file)).first()
        if row is None:
            return found.document(f"{key.name}/{file}")
        root = f"{row.scope}:{row.name}"
        found.add(_file(row))
        holding = _holders(session, row, found.room + 1)
        for one, name in holding[: found.room]:
            found.add(_release(one, _name(name, one.version)))
            found.join(root, _name(name, one.version), "part")
        if row.unit_id is not None:
            runs = sorted({one.run_id for one, _ in holding if one.run_id is not None})
            _made_of_files(session, found, root, runs, row.unit_id)
    return found.document(root)


def _holders(session: Session, file: File, most: int) -> list[tuple[Release, str]]:
    query = (
        select(Release, Product.name)
        .join(Product, Product.id == Release.product_id)
        .join(ReleaseFile, ReleaseFile.release_id == Release.id)
        .where(ReleaseFile.file_id == file.id, Release.status != "DRAFT")
        .order_by(Release.version)
        .limit(most)
    )
    return [(release, name) for release, name in session.execute(query)]


def _made_of_files(session: Session, found: _Graph, root: str, runs: Sequence[str], unit: str) -> None:
    asked = {"runs": list(runs), "unit": unit, "most": found.room + 1}
    names = [(row.scope, row.name) for row in session.execute(_INPUTS, asked)]
    if len(names) > found.room:
        found.cut.add(root)
    shown = names[: found.room]
    rows = session.scalars(select(File).where(tuple_(File.scope, File.name).in_(shown)))
    files = {(row.scope, row.name): row for row in rows}
    for name in shown:  # by their names, not as the database gives them
        if name in files:
            found.add(_file(files[name]))
            found.join(":".join(name), root, "input")
    used = text("SELECT unnest(refs) FROM unit_result WHERE unit_id = :unit")
    dids = set(session.scalars(used, {"unit": unit}))
    _add_references(session, found, dids)
    for did in sorted(dids):
        found.join(did, root, "reference")


def _before(session: Session, found: _Graph, edge: Sequence[str]) -> list[str]:
    """One step towards the beginnings; the nodes that are new."""
    here = [found.nodes[one] for one in edge]
    releases = {parent for node in here for parent in node["parents"]}
    references = {did for node in here for did in node.get("references", ())}
    new = _add_references(session, found, references) + _add_releases(session, found, releases)
    for node in here:
        for parent in node["parents"]:
            found.join(parent, node["id"], "input")
        for did in node.get("references", ()):
            found.join(did, node["id"], "reference")
    return new


def _after(session: Session, found: _Graph, edge: Sequence[str]) -> list[str]:
    """One step towards what was made of them; the nodes that are new."""
    here = [found.nodes[one] for one in edge]
    names = [node["id"] for node in here if node["kind"] == "release"]
    dids = [node["id"] for node in here if node["kind"] == "reference"]
    new: list[str] = []
    for one in _users(session, names, dids, found.room + len(found.nodes) + 1):
        node = one["id"]
        if found.room and found.add(one):
            new.append(node)
        for source in {*names} & {*one["parents"]}:
            found.join(source, node, "input")
        for source in {*dids} & {*one.get("references", ())}:
            found.join(source, node, "reference")
    return new


def _users(session: Session, names: list[str], dids: list[str], most: int) -> Iterator[dict[str, Any]]:
    """Releases and references that were made of some."""
    query = select(Release, Product.name).join(Product, Product.id == Release.product_id)
    for column, used in ((Release.parents, names), (Release.refs, dids)):
        if used:
            some = query.where(column.overlap(literal(used, ARRAY(Text))), Release.status != "DRAFT")
            for release, name in session.execute(some.order_by(Release.id).limit(most)):
                yield _release(release, _name(name, release.version))
    if names:
        made = select(Reference).where(Reference.parents.overlap(literal(names, ARRAY(Text))))
        yield from map(_reference, session.scalars(made.order_by(Reference.id).limit(most)))


def _mark_ends(found: _Graph, session: Session, edge: Sequence[str], walk: Any) -> None:
    """Say of the last nodes reached that there is more behind them."""
    if not edge:
        return
    here = [found.nodes[one] for one in edge]
    if walk is _before:
        used = {node["id"]: {*node["parents"], *node.get("references", ())} for node in here}
        found.cut |= {name for name, sources in used.items() if sources - found.nodes.keys()}
        return
    names = [node["id"] for node in here if node["kind"] == "release"]
    dids = [node["id"] for node in here if node["kind"] == "reference"]
    for one in _users(session, names, dids, MOST):
        if one["id"] not in found.nodes:
            found.cut |= {*names, *dids} & {*one["parents"], *one.get("references", ())}


def _add_releases(session: Session, found: _Graph, names: Collection[str]) -> list[str]:
    wanted = sorted(set(names) - found.nodes.keys())[: found.room]
    keys = [(name, int(version)) for name, _, version in (one.rpartition("@v") for one in wanted)]
    query = select(Release, Product.name).join(Product, Product.id == Release.product_id)
    rows = session.execute(query.where(tuple_(Product.name, Release.version).in_(keys)).order_by(Release.id))
    return _added(found, (_release(release, _name(name, release.version)) for release, name in rows))


def _add_references(session: Session, found: _Graph, dids: Collection[str]) -> list[str]:
    wanted = sorted(set(dids) - found.nodes.keys())[: found.room]
    rows = session.scalars(select(Reference).where(Reference.did.in_(wanted)).order_by(Reference.id))
    return _added(found, map(_reference, rows))


def _added(found: _Graph, nodes: Iterable[dict[str, Any]]) -> list[str]:
    return [node["id"] for node in nodes if found.add(node)]


def _counted(node: dict[str, Any]) -> dict[str, Any]:
    """A node with the numbers of what it was made of: which these are, its edges say."""
    lists = ("parents", "references")
    return {name: len(one) if name in lists else one for name, one in node.items()}


def _name(product: str, version: int) -> str:
    return f"{product}@{version_token(version)}"


def _release(release: Release, name: str) -> dict[str, Any]:
    return {
        "id": name,
        "kind": "release",
        "instrument": release.scope,
        "level": release.level,
        "status": release.status,
        "recipe": release.recipe,
        "recipe_version": release.recipe_version,
        "context": release.context,
        "run": release.run_id,
        "parents": list(release.parents),
        "references": list(release.refs),
    }


def _reference(reference: Reference) -> dict[str, Any]:
    return {
        "id": reference.did,
        "kind": "reference",
        "instrument": reference.instrument,
        "need": reference.need,
        "source": reference.source,
        "simulated": reference.simulated,
        "valid_from": iso(reference.valid_from),
        "valid_until": iso(reference.valid_until),
        "parents": list(reference.parents),
    }


def _file(file: File) -> dict[str, Any]:
    return {
        "id": f"{file.scope}:{file.name}",
        "kind": "file",
        "instrument": file.scope,
        "level": file.level,
        "parents": [],
    }
