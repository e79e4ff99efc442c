"""The folder of one installation and what is recorded in it; what runs there is `cluster.services`."""

from __future__ import annotations
