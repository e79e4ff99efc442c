"""Stacks on disk, as zarr: how they are laid out, written shard by shard, and described."""

from __future__ import annotations
