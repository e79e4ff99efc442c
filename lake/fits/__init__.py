"""FITS files: whether they are sound, how they are read and written; what keywords mean is the pipeline's."""

from __future__ import annotations
