"""Where the archive has what it tells of."""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import quote

from fastapi import Request

from lake.names import version_token

API = "/api/v1"
_OF_FILE: Final = ("header", "about", "location", "preview", "quality", "scene")


def name_of(release: dict[str, Any]) -> str:
    """The release itself, whatever becomes of its product."""
    return f"{release['product']}@{version_token(release['version'])}"


def root_of(request: Request) -> str:
    """Below which path a proxy in front has the archive."""
    root: str = request.scope.get("root_path", "")
    return root.rstrip("/")


def file_with_links(release: dict[str, str], file: dict[str, Any]) -> dict[str, Any]:
    """A file, and what leads on from it."""
    base = f"{release['self']}/files/{quote(file['name'])}"
    links = {"content": base} | {name: f"{base}/{name}" for name in _OF_FILE}
    return file | {"links": links}


def links_of(request: Request, release: dict[str, Any]) -> dict[str, str]:
    """What leads on from a release."""
    base = f"{root_of(request)}{API}"
    mine = f"{base}/releases/{quote(name_of(release), safe=':@')}"
    product = quote(release["product"], safe=":")
    observation = f"{quote(release['instrument'])}/{quote(release['observation'])}"
    return {
        "self": mine,
        "active": f"{base}/releases/{product}",
        "product": f"{base}/products/{product}",
        "observation": f"{base}/observations/{observation}",
        "files": f"{mine}/files",
        "provenance": f"{mine}/provenance",
        "changes": f"{mine}/changes",
        "sums": f"{mine}/sums",
        "script": f"{mine}/script",
        "download": f"{mine}/download",
        "metadata": f"{mine}/metadata",
        "movie": f"{mine}/movie",
    }


def with_links(request: Request, release: dict[str, Any]) -> dict[str, Any]:
    """A release and what leads on from it."""
    return release | {"links": links_of(request, release)}
