"""Frames of many files as one zarr store: built by workers, grown, kept; reading a frame is none of it."""

from __future__ import annotations
