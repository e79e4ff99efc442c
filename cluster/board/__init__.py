"""What operators see of the lake in Dask's dashboard, and Prometheus counts; nothing here changes it."""

from __future__ import annotations
