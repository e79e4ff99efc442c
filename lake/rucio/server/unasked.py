"""What Rucio lets every account do without asking a policy: refused here, for nobody of ours does it."""

from __future__ import annotations

from typing import Any


def refuse() -> Any:
    """Answer a request before Rucio does (Flask's `before_request`): metadata are not deleted."""
    import flask
    from rucio.common.exception import AccessDenied
    from rucio.web.rest.flaskapi.v1.common import generate_http_error_flask

    rule = flask.request.url_rule
    if flask.request.method == "DELETE" and rule is not None and rule.rule.endswith("/meta"):
        return generate_http_error_flask(401, AccessDenied("Metadata are set anew, and never deleted."))
    return None
