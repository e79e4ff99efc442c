"""Products and their versions: reserved, published, found, put aside; neither runs nor who may have them."""

from __future__ import annotations
