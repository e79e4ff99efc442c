"""What strangers learn from the embedded Rucio server: nothing that it was not asked to tell them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

_SIGNED_IN: Final = "HTTP_X_RUCIO_AUTH_TOKEN"
#: The ways to sign in that a home has. The others answer with faults of Rucio's own, paths included.
_SIGN_IN: Final = frozenset({"/auth/userpass", "/auth/validate"})
_SENTENCES: Final = {
    404: b"There is nothing here.\n",
    500: b"The server failed at this request; its log says why.\n",
}

StartResponse = Callable[..., Any]
Application = Callable[[dict[str, Any], StartResponse], Iterable[bytes]]


class Reticence:
    """A WSGI application around Rucio's.

    Ways to sign in that this home does not have are absent, and whoever has not signed
    in is told of an error that there was one: texts of exceptions name files and SQL.
    """

    def __init__(self, application: Application) -> None:
        self.application = application

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        path = environ.get("PATH_INFO", "").rstrip("/")
        if path.startswith("/auth/") and path not in _SIGN_IN:
            return _answer(start_response, "404 Not Found", _SENTENCES[404])
        if environ.get(_SIGNED_IN):
            return self.application(environ, start_response)
        return self._to_a_stranger(environ, start_response)

    def _to_a_stranger(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        status = ""

        def begin(given: str, headers: list[tuple[str, str]], *rest: Any) -> Any:
            nonlocal status
            status = given
            if given.startswith("5"):
                return _discard
            return start_response(given, headers, *rest)

        body = self.application(environ, begin)
        if not status.startswith("5"):
            return body
        if hasattr(body, "close"):
            body.close()
        return _answer(start_response, status, _SENTENCES[500])


def _answer(start_response: StartResponse, status: str, text: bytes) -> list[bytes]:
    start_response(
        status, [("Content-Type", "text/plain; charset=utf-8"), ("Content-Length", str(len(text)))]
    )
    return [text]


def _discard(_text: bytes) -> None:
    """What an application would have written."""
