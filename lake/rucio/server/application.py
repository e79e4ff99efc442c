"""The server application for gunicorn: ``lake.rucio.server.application:application``."""

from lake.rucio.server import tuning

tuning.apply()

from rucio.web.rest.flaskapi.v1.main import application  # noqa: E402 -- after tuning.apply

from lake.rucio.server import unasked  # noqa: E402
from lake.rucio.server.reticence import Reticence  # noqa: E402

application.wsgi_app = Reticence(application.wsgi_app)
application.before_request(unasked.refuse)

__all__ = ["application"]
