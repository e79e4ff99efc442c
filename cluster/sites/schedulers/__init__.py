"""Ways to the Dask scheduler of a site, one module a kind; what is done there is the runs' affair."""

from __future__ import annotations
