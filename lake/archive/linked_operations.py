"""Links of the description (OpenAPI): which answer has what another question needs."""

from __future__ import annotations

from typing import Any, Final

_RELEASES: Final = "/api/v1/releases"
_OF_RELEASE: Final = (
    "", "/changes", "/provenance", "/sums", "/script", "/download", "/metadata", "/files",
)  # fmt: skip
_OF_FILE: Final = ("", "/header", "/about", "/location")
_PRODUCT: Final = "$response.body#/releases/0/product"
_FILE: Final = "$response.body#/files/0/name"


def add_links(paths: dict[str, Any]) -> None:
    """Say in the answers of a listing where its first release, and its first file, are looked at."""
    for path in (f"{_RELEASES}/{{product}}{one}" for one in _OF_RELEASE):
        _link(paths, _RELEASES, path, {"product": _PRODUCT})
    _link(paths, _RELEASES, "/api/v1/products/{product}", {"product": _PRODUCT})
    files = f"{_RELEASES}/{{product}}/files"
    for path in (f"{files}/{{name}}{one}" for one in _OF_FILE):
        _link(paths, files, path, {"product": "$request.path.product", "name": _FILE})


def _link(paths: dict[str, Any], answer: str, question: str, parameters: dict[str, str]) -> None:
    operation = paths[question]["get"]["operationId"]
    links = paths[answer]["get"]["responses"]["200"].setdefault("links", {})
    links[operation] = {"operationId": operation, "parameters": parameters}
