"""A person with a browser, who fills in the forms of an OpenID provider."""

from __future__ import annotations

from html.parser import HTMLParser
from urllib.parse import urljoin

import requests

_FORMS = 8  # more than any login has


class _Forms(HTMLParser):
    """The first form of a page: where it goes, and what it holds already."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.action = ""
        self.fields: dict[str, str] = {}
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "form" and not self.action:
            self.action = given.get("action") or ""
        elif tag == "input" and given.get("name"):
            self.fields.setdefault(str(given["name"]), given.get("value") or "")


def log_in(url: str, person: str, *, until: str = "") -> str:
    """Log in at an address as a person would.

    Parameters
    ----------
    url
        Where the login begins.
    person
        Who.
    until
        What the address begins with that the browser is sent back to; nothing for a login from elsewhere.

    Returns
    -------
    str
        The address the browser is sent back to in the end, or the last page.
    """
    with requests.Session() as session:
        answer = session.get(url, allow_redirects=False)
        for _ in range(_FORMS):
            while answer.is_redirect:
                url = urljoin(answer.url, answer.headers["Location"])
                if until and url.startswith(until):
                    return url
                answer = session.get(url, allow_redirects=False)
            form = _Forms(answer.text)
            if not form.action:
                return str(answer.text)
            filled = form.fields | ({"login": person, "password": "any"} if "login" in form.fields else {})
            answer = session.post(urljoin(answer.url, form.action), data=filled, allow_redirects=False)
    raise AssertionError(f"after {_FORMS} forms the login has not ended")
