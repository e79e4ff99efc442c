"""Sites: each a storage element and a Dask scheduler that lie together; which there are, who does what."""

from __future__ import annotations
